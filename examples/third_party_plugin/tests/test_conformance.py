"""Every rule of i2izoo's contracts, for every part that this distribution declares."""

from i2izoo.testing import conformance

test_conformance = conformance.suite("i2izoo-regression")
