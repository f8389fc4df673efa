"""Every part of every installed plugin keeps every rule of its contract."""

from i2izoo.testing import conformance

test_conformance = conformance.suite()
