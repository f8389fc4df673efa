"""YAML as people write it: every key once, and 1e-4 a number."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from i2izoo.contracts.annotations import shown
from i2izoo.contracts.plain import check_plain
from i2izoo.errors import ConfigError


def read_yaml(path: Path, where: str) -> Any:
    """The content of a file.

    Args:
        path: the file.
        where: what messages call it.

    Raises:
        ConfigError: it cannot be read, is not YAML, has a key twice, or holds what `check_plain` refuses.
    """
    import yaml

    class Loader(yaml.SafeLoader):
        """YAML where a key is there once, and 1e-4 is a number as in YAML 1.2 and JSON."""

        def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
            keys = [self.construct_object(key, deep=True) for key, _ in node.value if not key.tag.endswith(":merge")]
            if twice := [key for place, key in enumerate(keys) if key in keys[:place]]:
                raise ConfigError(f"line {node.start_mark.line + 1}: the key {twice[0]!r} is there twice")
            return super().construct_mapping(node, deep)

        def construct_object(self, node: Any, deep: bool = False) -> Any:
            try:
                return super().construct_object(node, deep)
            except (ConfigError, yaml.YAMLError, RecursionError):
                raise
            except Exception as error:  # a date of month 13; `!!int x`
                raise ConfigError(
                    f"line {node.start_mark.line + 1}: {shown(node.value)} cannot be read ({error}); in quotes and "
                    "without a tag it is text"
                ) from error

    number = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)[eE][-+]?\d+")
    Loader.add_implicit_resolver("tag:yaml.org,2002:float", number, list("-+.0123456789"))
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader)  # a SafeLoader
        check_plain(content)
        return content
    except OSError as error:
        raise ConfigError(f"{where}: cannot be read ({(error.strerror or str(error)).lower()}).") from error
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}.") from error
    except RecursionError as error:
        raise ConfigError(f"{where}: values are nested too deep.") from error
    except (yaml.YAMLError, ValueError) as error:
        raise ConfigError(f"{where}: this is not YAML: {' '.join(str(error).split())}.") from error


def to_yaml(content: Mapping[str, Any]) -> str:
    """The text of a mapping, in its order.

    >>> print(to_yaml({"method": "pix2pix", "training": {"steps": 6, "sides": ["photo", "label"]}}), end="")
    method: pix2pix
    training:
      steps: 6
      sides: [photo, label]
    """
    import yaml

    return yaml.safe_dump(dict(content), sort_keys=False, allow_unicode=True, default_flow_style=None, width=120)
