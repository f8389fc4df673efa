"""Parts by name, over entry points: nothing is imported before it is asked for.

A plugin is a distribution whose entry points are in one of the groups of `KINDS`. Listing never loads and never
raises; a broken plugin hurts only those who ask for it.
"""

from __future__ import annotations

import dataclasses
import fnmatch
import functools
import importlib
import inspect
import math
import re
from collections.abc import Callable, Collection
from typing import Any, TypeVar

from i2izoo.contracts.annotations import PartSpec, part_interface
from i2izoo.contracts.config import check_options
from i2izoo.contracts.entrypoints import PREFIX, Entry, Malformed, canonical, scan
from i2izoo.errors import ConfigError, I2IZooError, PluginConflictError, PluginError, UnknownNameError, listing, suggest

KINDS: dict[str, str] = {
    "generators": "i2izoo.contracts.parts:Generator",
    "latent_generators": "i2izoo.contracts.parts:LatentGenerator",
    "discriminators": "i2izoo.contracts.parts:Discriminator",
    "augmentations": "i2izoo.contracts.augmentation:Augmentation",
    "encoders": "i2izoo.contracts.parts:Encoder",
    "text_encoders": "i2izoo.contracts.parts:TextEncoder",
    "schedulers": "i2izoo.contracts.parts:Scheduler",
    "losses": "i2izoo.contracts.parts:Loss",
    "metrics": "i2izoo.contracts.metric:Metric",
    "extractors": "i2izoo.contracts.parts:FeatureExtractor",
    "methods": "i2izoo.contracts.method:Method",
    "formats": "i2izoo.contracts.method:Method",  # of other libraries, see i2izoo.files.formats
    "datasets": "i2izoo.contracts.dataset:Dataset",
    "rasters": "i2izoo.contracts.raster:RasterFormat",
    "pretrained": "i2izoo.contracts.pretrained:PretrainedEntry",
    "editors": "i2izoo.contracts.editor:Editor",  # of images, by points
    "commands": "i2izoo.contracts.command:Command",  # of the command line
}
"""Kind of part -> the interface that it must implement. The entry point group is `i2izoo.<kind>`."""

T = TypeVar("T")


class Registry:
    """All parts of one kind.

    >>> from i2izoo.contracts.registry import registry
    >>> "pix2pix" in registry("methods").names()
    True
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.group = PREFIX + kind
        self.singular = singular(kind)
        self._registered: dict[str, Entry] = {}
        self._loaded: dict[Entry, Any] = {}

    def entries(self) -> list[Entry]:
        """Every claim on every name, sorted by name; two distributions that claim one name are both here."""
        found = [*scan(frozenset(KINDS)).entries.get(self.kind, ()), *self._registered.values()]
        return sorted(found, key=lambda e: (natural_key(e.name), e.distribution))

    def names(self, pattern: str | None = None) -> list[str]:
        """Names in natural order, filtered by an fnmatch pattern; never loads, never raises."""
        names = dict.fromkeys(e.name for e in self.entries())
        return [n for n in names if pattern is None or fnmatch.fnmatch(n, pattern)]

    def __contains__(self, name: str) -> bool:
        return any(_asked_for(e, name) for e in self.entries())

    def find(self, name: str) -> Entry:
        """The one entry called `name` (or `distribution:name`), not yet loaded.

        Raises:
            UnknownNameError: nobody claims the name; close matches are given.
            PluginConflictError: two distributions claim it.
        """
        claims = [e for e in self.entries() if _asked_for(e, name)]
        local = [e for e in claims if e.target is not None]
        if local:  # registered in the running program: the user's own word goes before any plugin's
            return local[-1]
        if not claims:
            raise UnknownNameError(self._unknown(name))
        if len(claims) > 1:
            raise PluginConflictError(
                f"{self.singular} {name!r} is claimed by {' and '.join(e.plugin for e in claims)}; "
                f"ask for {' or '.join(repr(f'{e.distribution}:{e.name}') for e in claims)}, or uninstall one."
            )
        return claims[0]

    def get(self, name: str) -> Any:
        """Load the part called `name`, check that it implements the interface, and cache it.

        Raises:
            UnknownNameError: nobody claims the name.
            PluginConflictError: two distributions claim it.
            PluginError: it cannot be imported or is of the wrong kind; the cause is chained.
        """
        entry = self.find(name)
        if entry not in self._loaded:
            self._loaded[entry] = self._load(entry)
        return self._loaded[entry]

    def _unknown(self, name: str) -> str:
        names = self.names()
        if not names:
            return (
                f"there is no {self.singular} named {name!r}: no plugin is installed that has any; "
                "run `pip install i2izoo` (a checkout wants `pip install -e .`)."
            )
        distribution, _, plain = name.rpartition(":")
        claims = [e.distribution for e in self.entries() if distribution and e.name == plain]
        if claims:
            return f"{distribution!r} has no {self.singular} named {plain!r}; {listing(claims)} has one."
        hint = suggest(plain, names) or "."
        return f"there is no {self.singular} named {name!r}{hint} Known: {listing(names)}."

    def _load(self, entry: Entry) -> Any:
        where = f"{self.singular} {entry.name!r} of plugin {entry.plugin} ({entry.value})"
        interface = resolve(KINDS[self.kind])
        try:
            part = resolve(entry.value) if entry.target is None else entry.target
            lacking = missing_members(part, interface)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # whatever a plugin does wrong, even sys.exit(), must name the plugin
            raise PluginError(f"{where} cannot be loaded: {type(error).__name__}: {error}") from error
        if lacking:
            raise PluginError(f"{where} does not implement {_public(interface)}: {lacking}.")
        return part

    def check(self, entry: Entry) -> str | None:
        """Load one entry and return the reason why it is broken, or None."""
        try:
            self._load(entry)
        except I2IZooError as error:
            return str(error)
        return None

    def build(self, spec: PartSpec, interface: type | None = None, **context: Any) -> Any:
        """Build a part from its name or `{"name": ..., option: value}`.

        `context` holds the options that the caller decides, such as `in_channels`; a spec may not repeat them.
        `interface` narrows the kind's own interface (an adversarial loss among the losses).
        """
        options: dict[str, Any] = {"name": spec} if isinstance(spec, str) else dict(spec)
        name = options.pop("name", None)
        if not isinstance(name, str):
            raise ConfigError(f"a {self.singular} needs a 'name'; found {spec!r}.")
        part = self.get(name)
        if interface is not None and (lacking := missing_members(part, interface)):
            raise ConfigError(f"{self.singular} {name!r} is not the {interface.__name__} needed here: {lacking}.")
        if twice := sorted(options.keys() & context.keys()):
            raise ConfigError(
                f"options {listing(twice)} of {name!r} follow from the method's own options; set them there."
            )
        options = {**context, **options}
        check_options(part, options)  # also for classes that are not Configurable: diffusers only warns
        return part(**options)

    def register(self, name: str, part: Any) -> None:
        """Add a part of the running program; see `i2izoo.register`."""
        value = f"{getattr(part, '__module__', '?')}:{getattr(part, '__qualname__', name)}"
        self._registered[name] = Entry(name, value, "this-program", "0", part)


@functools.cache
def _registry(kind: str) -> Registry:
    return Registry(kind)


def registry(kind: str) -> Registry:
    """The registry of one kind of part; `KINDS` names them."""
    if kind not in KINDS:
        raise UnknownNameError(
            f"there is no kind of part {kind!r}{suggest(kind, KINDS) or '.'} Kinds: {listing(KINDS)}."
        )
    return _registry(kind)


def kind_of(interface: type) -> str:
    """The kind of the parts behind an interface, or behind one that narrows it.

    >>> from i2izoo.interfaces import AdversarialLoss
    >>> kind_of(AdversarialLoss)
    'losses'

    Raises:
        ConfigError: it is the interface of no part.
    """
    kinds = {place: kind for kind, place in reversed(KINDS.items())}  # a method is of "methods", which comes first
    for base in interface.__mro__:
        if kind := kinds.get(f"{base.__module__}:{base.__qualname__}"):
            return kind
    raise ConfigError(f"{interface.__name__} is the interface of no part; those are {listing(KINDS.values())}.")


def part_kind(annotation: Any) -> str | None:
    """The kind of part that an option is, by its annotation `Part[...]`; None: it is no part."""
    interface = part_interface(annotation)
    return None if interface is None else kind_of(interface)


def register(kind: str, name: str) -> Callable[[T], T]:
    """Register a class in the running program, for notebooks and tests.

    >>> import i2izoo
    >>> from i2izoo.contracts.parts import Generator
    >>> @i2izoo.register("generators", "my_identity")
    ... class Identity(Generator):
    ...     def __init__(self, *, in_channels: int = 3, out_channels: int = 3):
    ...         super().__init__()
    ...     def forward(self, image):
    ...         return image
    >>> "my_identity" in i2izoo.list_parts("generators")
    True
    """

    def add(part: T) -> T:
        registry(kind).register(name, part)
        return part

    return add


def _public(interface: type) -> str:
    """Where a plugin finds an interface: `i2izoo.interfaces` has those of all rooms."""
    module = "i2izoo.interfaces" if interface.__module__.startswith("i2izoo.") else interface.__module__
    return f"{module}.{interface.__name__}"


def complete_spec(spec: PartSpec, part: Any, without: Collection[str] = ()) -> dict[str, Any]:
    """What builds a part again, whatever becomes of defaults: its name and all its options.

    Args:
        spec: what it was built from.
        part: the part.
        without: options that its owner decides.
    """
    config = dict(getattr(part, "config", {}))
    own = {k: v for k, v in config.items() if k not in without and k[:1] != "_" and v not in (math.inf, -math.inf)}
    return {"name": spec if isinstance(spec, str) else spec["name"], **own}


def missing_members(part: Any, interface: type) -> str | None:
    """What `part` lacks to be an implementation of `interface`, or None.

    A part is a concrete subclass; a pretrained entry, which is plain data, an instance. An interface may list
    `__required__` attributes instead of being inherited from: diffusers' schedulers are schedulers without
    knowing us.
    """
    if dataclasses.is_dataclass(interface):
        return None if isinstance(part, interface) else f"found {part!r}, not an instance"
    if not isinstance(part, type):
        return f"found {part!r}, not a class"
    required = getattr(interface, "__required__", None)
    if required is None and not issubclass(part, interface):
        return f"found {part!r}, which is not a subclass"
    absent = [n for n in required or () if not hasattr(part, n)]
    if inspect.isabstract(part):
        absent += sorted(getattr(part, "__abstractmethods__", ()))
    return f"{part.__qualname__} lacks {listing(absent)}" if absent else None


def resolve(value: str) -> Any:
    """Import `"package.module:attribute"`."""
    module, _, attribute = value.partition(":")
    target: Any = importlib.import_module(module.strip())
    for name in filter(None, attribute.strip().split(".")):
        target = getattr(target, name)
    return target


def malformed() -> tuple[Malformed, ...]:
    """Entry points that could not be read; `i2izoo plugins` reports them, everything else skips them."""
    return scan(frozenset(KINDS)).malformed


def refresh() -> None:
    """Look at the installed distributions again, after one was installed or `sys.path` changed."""
    importlib.invalidate_caches()
    scan.cache_clear()
    for kind in KINDS:
        _registry(kind)._loaded.clear()


def singular(kind: str) -> str:
    """One part of a kind, in words.

    >>> singular("losses"), singular("pretrained")
    ('loss', 'pretrained entry')
    """
    special = {"losses": "loss", "pretrained": "pretrained entry", "rasters": "raster format"}
    return special.get(kind, kind.removesuffix("s").replace("_", " "))


def natural_key(name: str) -> list[tuple[int, int, str]]:
    """Sort key that puts `unet_64` before `unet_128`."""
    return [(0, int(s), "") if s.isdecimal() else (1, 0, s) for s in re.split(r"(\d+)", name) if s]


def _asked_for(entry: Entry, name: str) -> bool:
    distribution, colon, plain = name.partition(":")
    if colon:
        return entry.name == plain and canonical(entry.distribution) == canonical(distribution)
    return entry.name == name
