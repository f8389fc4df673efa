"""The app as a Space of the Hugging Face Hub: a folder that is written here, and the program that runs there."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from i2izoo.app.jobs import Limits
from i2izoo.app.serving import application, need_gradio, serve
from i2izoo.contracts.registry import registry
from i2izoo.errors import ConfigError, listing
from i2izoo.files.formats import index_in
from i2izoo.files.writing import replacing_folder
from i2izoo.models.config_file import read_config
from i2izoo.models.locate import locate

MODELS = "models"
"""Where models that are folders here lie in the Space."""

LIMITS = Limits(file_bytes=20_000_000, seconds=120, images=8, files=20)
"""Of a Space, which anybody may ask."""

FRAMES = "https://huggingface.co https://*.hf.space"

PROGRAM = '''"""A page for models of i2izoo; written by `i2izoo app --space`."""

from i2izoo.app.space import run

if __name__ == "__main__":
    run({names}, title={title})
'''


def write_space(names: Sequence[str], folder: Path, *, title: str = "i2izoo") -> Path:
    """Write the folder of a Space that offers these models.

    Args:
        names: entries, folders, which are copied into it, or repositories of the Hub, which it fetches.
        folder: a new one, or an empty one.
        title: of the Space.

    Returns:
        The folder, with app.py, requirements.txt, README.md and models/.

    Raises:
        ConfigError: no model is named, or the folder holds something.
        UnknownNameError: a name is none.
        StorageError: a folder holds no model.
    """
    need_gradio()
    if not names:
        raise ConfigError("name the models that the Space shows: i2izoo app ./my-model --space DIR.")
    if folder.is_dir() and any(folder.iterdir()):
        raise ConfigError(f"{str(folder)!r} is not empty; name a new folder with --space.")
    shown, repositories = [], []
    with replacing_folder(folder) as place:
        for name in names:
            path = Path(name).expanduser()
            if path.is_dir():
                if index_in(path) is None:
                    read_config(path)  # which refuses what is no model
                inside = place / MODELS / _free(path.resolve().name, place / MODELS)
                _copy(path, inside)
                shown.append(f"{MODELS}/{inside.name}")
                continue
            if name not in registry("pretrained"):
                _check_repository(name)
                repositories.append(name.removeprefix("hf-hub:").partition("@")[0])
            shown.append(name)
        program = PROGRAM.format(names=json.dumps(shown), title=json.dumps(title, ensure_ascii=False))
        (place / "app.py").write_text(program, encoding="utf-8")
        (place / "requirements.txt").write_text(f"i2izoo[app]>={version('i2izoo')}\n", encoding="utf-8")
        (place / "README.md").write_text(_readme(title, shown, repositories), encoding="utf-8")
    return folder


def run(names: Sequence[str], *, title: str = "i2izoo") -> None:
    """What app.py of a Space does: serve these models, on the port that Spaces have."""
    port = int(os.environ.get("GRADIO_SERVER_PORT", "7860"))
    with application(names, all_entries=False, hosts=["*"], limits=LIMITS, title=title, frames=FRAMES) as app:
        serve(app, "0.0.0.0", port)  # public, as a Space is


def _readme(title: str, names: Sequence[str], repositories: Sequence[str]) -> str:
    """Front matter as Spaces read it, and a sentence."""
    facts = {
        "title": title, "sdk": "gradio", "sdk_version": version("gradio"), "app_file": "app.py", "pinned": False,
        "tags": ["i2izoo", "image-to-image"], **({"models": list(repositories)} if repositories else {}),
    }  # fmt: skip
    lines = [f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in facts.items()]
    body = (
        f"# {title}\n\nTry {listing(f'`{name}`' for name in names)} in the browser. Made with `i2izoo app --space`.\n"
    )
    return "---\n" + "\n".join(lines) + "\n---\n\n" + body


def _copy(model: Path, to: Path) -> None:
    """A model without what only training needs, and without what is hidden."""
    shutil.copytree(model, to, ignore=shutil.ignore_patterns(".*", "training", "__pycache__", "*.tmp"))


def _check_repository(name: str) -> None:
    if not re.fullmatch(r"(hf-hub:)?[\w.-]+/[\w.-]+(@.+)?", name) or name[0] in "./~":
        locate(name)  # which says what could have been meant


def _free(name: str, folder: Path) -> str:
    number = 1
    while (folder / (name if number == 1 else f"{name}-{number}")).exists():
        number += 1
    return name if number == 1 else f"{name}-{number}"
