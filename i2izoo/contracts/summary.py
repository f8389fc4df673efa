"""One line about a part, read from its plugin's source: a list of all of them runs no plugin and imports no torch."""

from __future__ import annotations

import ast
import functools
import importlib.util
import inspect
from collections.abc import Mapping
from pathlib import Path

from i2izoo.contracts.describe import first_line
from i2izoo.contracts.entrypoints import Entry
from i2izoo.contracts.pretrained import PretrainedEntry


def summary(entry: Entry) -> str:
    """The first line of a class's docstring or the description of a pretrained entry; else where the part is.

    >>> from i2izoo.contracts.registry import registry
    >>> summary(registry("losses").find("l1"))
    'Mean absolute difference.'
    >>> summary(registry("schedulers").find("ddim"))
    'DDIMScheduler of diffusers'
    """
    module, _, name = entry.value.partition(":")
    if isinstance(entry.target, PretrainedEntry):
        found = entry.target.description
    elif isinstance(entry.target, type):
        found = first_line(entry.target)
    else:
        found = _lines(path).get(name, "") if (path := _source(module)) else ""
    return found or f"{name} of {module}"


def _source(module: str) -> Path | None:
    """The file of a module. `find_spec` of a dotted name would import the package that it is in, so only its root is
    asked for."""
    root, *inner = module.split(".")
    try:
        spec = importlib.util.find_spec(root)
    except (ImportError, ValueError):
        return None
    if spec is None:
        return None
    bases = [Path(place, *inner) for place in spec.submodule_search_locations or ()]
    places = [place for base in bases for place in (base.with_name(f"{base.name}.py"), base / "__init__.py")]
    if spec.origin and not inner:
        places.insert(0, Path(spec.origin))
    return next((place for place in places if place.is_file()), None)


@functools.cache
def _lines(path: Path) -> Mapping[str, str]:
    """Name -> line, of what stands at the top level of a file."""
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, ValueError, SyntaxError, RecursionError):
        return {}
    found = {}
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            found[node.name] = inspect.cleandoc(ast.get_docstring(node) or "").partition("\n")[0]
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
            said = [word.value for word in node.value.keywords if word.arg == "description"]
            if said and isinstance(said[0], ast.Constant):
                found |= {target.id: str(said[0].value) for target in node.targets if isinstance(target, ast.Name)}
    return found
