"""The conformance kit: every rule of the contracts, run over what a plugin declares.

In the tests of a plugin:

    from i2izoo.testing import conformance

    test_conformance = conformance.suite("my-distribution")

That is one pytest case for each part and rule. Parts are built at their `tiny_options`, a class attribute with the
options that make them small and fast, and again with each of their `tiny_variants`, name -> further options that make
another method of them: `{"generation": {"task": "generation"}}`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from i2izoo.contracts.entrypoints import canonical
from i2izoo.contracts.registry import KINDS, registry
from i2izoo.errors import I2IZooError, UnknownNameError, listing, suggest
from i2izoo.testing import (
    augmentations,
    datasets,
    discriminators,
    encoders,
    extractors,
    generators,
    latent_generators,
    losses,
    methods,
    metrics,
    networks,
    options,
    others,
    text_encoders,
    training,
)
from i2izoo.testing.subject import NotApplicable, Subject

Rule = Callable[[Subject], None]

RULES: dict[str, tuple[Rule, ...]] = {
    "generators": options.RULES + networks.RULES + generators.RULES,
    "latent_generators": options.RULES + networks.RULES + latent_generators.RULES,
    "discriminators": options.RULES + networks.RULES + discriminators.RULES,
    "augmentations": options.RULES + augmentations.RULES,
    "encoders": options.RULES + networks.RULES + encoders.RULES,
    "text_encoders": options.RULES + text_encoders.RULES,
    "schedulers": others.SCHEDULER_RULES,
    "losses": options.RULES + losses.RULES,
    "extractors": options.RULES + extractors.RULES,
    "metrics": options.RULES + metrics.RULES,
    "methods": options.RULES + methods.RULES + training.RULES,
    "formats": (),
    "rasters": (),
    "datasets": options.RULES + datasets.RULES,
    "pretrained": others.PRETRAINED_RULES,
    "editors": (),
    "commands": (),
}
"""Kind of part -> its rules. A rule is a function whose docstring states it; it raises AssertionError."""


@dataclass(frozen=True)
class Check:
    """One rule for one part; call it to check."""

    subject: Subject
    rule: Rule

    def __str__(self) -> str:
        return f"{self.subject.kind}-{self.subject.entry.name}-{self.rule.__name__}"

    def __call__(self) -> None:
        """Raise AssertionError, naming part, rule and what was found, unless part and variants keep the rule."""
        reasons = [self._found(subject) for subject in self._variants()]
        if all(reasons):  # of one to which the rule applies there is none
            raise NotApplicable("; ".join(dict.fromkeys(map(str, reasons))))

    def _variants(self) -> list[Subject]:
        try:
            return self.subject.variants
        except I2IZooError:  # the part cannot be loaded, which the rule will find
            return [self.subject]

    def _found(self, subject: Subject) -> NotApplicable | None:
        """Check one variant; why the rule does not apply to it, or None."""
        try:
            self.rule(subject)
            return None
        except NotApplicable as reason:
            return reason
        except Exception as error:
            name = "" if isinstance(error, (AssertionError, I2IZooError)) else f"{type(error).__name__}: "
            rule = re.sub(r"\s+", " ", self.rule.__doc__ or "").strip()
            raise AssertionError(f"{subject} breaks the rule {self.rule.__name__!r} ({rule}): {name}{error}") from error


def checks(distribution: str | None = None) -> list[Check]:
    """Every check for the parts of one distribution; nothing is imported before a check is called.

    Args:
        distribution: its name; "this-program" for what `i2izoo.register` added; None for all that are installed.

    Raises:
        UnknownNameError: the distribution declares no part, or is not installed.

    >>> [check] = [c for c in checks("i2izoo") if str(c) == "generators-unet_256-leaves_its_input_alone"]
    >>> check()
    """
    found, known = [], set()
    for kind in KINDS:
        for entry in registry(kind).entries():
            known.add(entry.distribution)
            installed = entry.target is None
            if installed if distribution is None else canonical(entry.distribution) == canonical(distribution):
                found += [Check(Subject(kind, entry), rule) for rule in RULES[kind]]
    if not found:
        raise UnknownNameError(
            f"no distribution {distribution!r} that declares a part is installed"
            f"{suggest(str(distribution), known) or '.'} Those that are: {listing(sorted(known))}."
        )
    return found


def suite(distribution: str | None = None) -> Callable[[Check], None]:
    """A pytest function with one case for each check; see `checks` for the argument."""
    import pytest

    cases = checks(distribution)

    @pytest.mark.parametrize("check", cases, ids=map(str, cases))
    def test_conformance(check: Check) -> None:
        try:
            check()
        except NotApplicable as reason:
            pytest.skip(str(reason))

    return test_conformance
