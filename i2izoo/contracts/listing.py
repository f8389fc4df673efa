"""What there is, by name, without loading any of it."""

from __future__ import annotations

from collections.abc import Mapping

from i2izoo.contracts.registry import registry


def list_models(pattern: str | None = None, *, pretrained: bool | None = None) -> list[str]:
    """Names for `i2izoo.create` (methods) and `i2izoo.load` (pretrained entries), in natural order.

    Args:
        pattern: fnmatch pattern, such as `"*facades*"`.
        pretrained: True: only pretrained entries; False: only methods; None: both.

    >>> import i2izoo
    >>> i2izoo.list_models("cyclegan*", pretrained=False)
    ['cyclegan']
    """
    methods = [] if pretrained is True else registry("methods").names(pattern)
    entries = [] if pretrained is False else registry("pretrained").names(pattern)
    return list(dict.fromkeys(methods + entries))


def list_parts(kind: str, pattern: str | None = None) -> list[str]:
    """Names of the parts of one kind (`"generators"`, `"losses"`, ...), in natural order.

    Raises:
        UnknownNameError: there is no such kind; the kinds are named.

    >>> import i2izoo
    >>> i2izoo.list_parts("generators", "resnet_6*")
    ['resnet_6blocks']
    """
    return registry(kind).names(pattern)


def ways(directions: Mapping[str, str | None]) -> str:
    """Directions in words.

    >>> ways({"photo": "label", "label": "photo"}), ways({"photo": None})
    ('label -> photo, photo -> label', 'nothing -> photo')
    """
    return ", ".join(f"{source or 'nothing'} -> {to}" for to, source in directions.items())
