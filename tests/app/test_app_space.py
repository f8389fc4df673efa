"""`i2izoo app --space`: the folder of a Space."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from hub_server import HubServer, connected
from tiny import tiny_method

from i2izoo.app.space import write_space
from i2izoo.cli.main import main
from i2izoo.errors import I2IZooError
from i2izoo.models.storage import save_folder


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = save_folder(tiny_method(), tmp_path / "runs" / "mine", name="tiny-method", card="---\n{}\n---\n# Mine\n")
    (folder / "training").mkdir()
    (folder / "training" / "state.safetensors").write_bytes(b"much")
    (folder / ".cache").mkdir()
    return folder


def test_a_space_is_ready(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = tmp_path / "space"
    assert (
        main(["app", str(model), "cyclegan-facades", "me/theirs@v1", "--space", str(place), "--title", "Häuser"]) == 0
    )
    assert capsys.readouterr().out == f"wrote {place}\n"
    there = {path.relative_to(place).as_posix() for path in place.rglob("*") if path.is_file()}
    files = {"config.json", "model.safetensors", "README.md"}
    assert there == {"app.py", "requirements.txt", "README.md", *(f"models/mine/{name}" for name in files)}
    facts = yaml.safe_load((place / "README.md").read_text(encoding="utf-8").split("---\n")[1])
    assert facts["sdk"] == "gradio"
    assert facts["app_file"] == "app.py"
    assert facts["title"] == "Häuser"
    assert facts["models"] == ["me/theirs"]
    assert (place / "requirements.txt").read_text().startswith("i2izoo[app]>=")
    program = ast.parse((place / "app.py").read_text(encoding="utf-8"))
    (call,) = [node for node in ast.walk(program) if isinstance(node, ast.Call)]
    assert ast.literal_eval(call.args[0]) == ["models/mine", "cyclegan-facades", "me/theirs@v1"]
    assert str(tmp_path) not in "".join(path.read_text(encoding="utf-8", errors="ignore") for path in place.glob("*.*"))


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    with connected(monkeypatch) as server:
        monkeypatch.setenv("HF_TOKEN", "hf_alice")
        yield server


@pytest.mark.filterwarnings("ignore:Use 'content=<...>' to upload:DeprecationWarning")
def test_a_space_is_published(hub: HubServer, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = write_space([str(model)], tmp_path / "space")
    (place / "secret.py").touch()
    (place / ".env").touch()
    assert main(["push", str(place), "alice/houses", "--space", "--message", "First"]) == 0
    repo = hub.repos["spaces/alice/houses"]
    assert capsys.readouterr().out == f"{hub.url}/spaces/alice/houses/commit/{repo.refs['main']}\n"
    there = repo.commits[repo.refs["main"]]
    wanted = {"app.py", "requirements.txt", "README.md"}
    assert set(there) == wanted | {f"models/mine/{n}" for n in ("config.json", "model.safetensors", "README.md")}
    assert there["app.py"].content == (place / "app.py").read_bytes()
    assert repo.messages[-1] == "First"
    assert "alice/houses" not in hub.repos


def test_what_is_no_space_is_not_published(hub: HubServer, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["push", str(model), "alice/houses", "--space"]) == 2
    assert "lacks app.py, requirements.txt: `i2izoo app NAME --space DIR` writes a Space." in capsys.readouterr().err
    assert not hub.repos


def test_what_cannot_be_a_space_is_refused(model: Path, tmp_path: Path) -> None:
    full = tmp_path / "full"
    full.mkdir()
    (full / "thesis.txt").touch()
    for names, folder, words in (
        ([], tmp_path / "new", "name the models"),
        (["cyclegan-facades"], full, "is not empty"),
        (["cyclegan-facade"], tmp_path / "new", "did you mean 'cyclegan-facades'"),
        ([str(tmp_path / "runs")], tmp_path / "new", "config.json"),
    ):
        with pytest.raises(I2IZooError, match=words):
            write_space(names, folder)
    assert not (tmp_path / "new").exists()
    assert [path.name for path in full.iterdir()] == ["thesis.txt"]
