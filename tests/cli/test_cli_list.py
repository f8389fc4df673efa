"""`i2izoo list`: what is found by a word, and the line about each."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import i2izoo
from i2izoo.cli.main import main
from i2izoo.contracts.describe import first_line
from i2izoo.contracts.entrypoints import Entry
from i2izoo.contracts.registry import KINDS, registry
from i2izoo.contracts.summary import summary
from i2izoo.interfaces import ReconstructionLoss

Capture = pytest.CaptureFixture[str]


def listed(capsys: Capture, *argv: str) -> str:
    capsys.readouterr()
    assert main(["list", *argv]) == 0
    return capsys.readouterr().out


def test_entries_and_methods_with_a_line_each_and_where_the_rest_is(capsys: Capture) -> None:
    out = listed(capsys)
    here, there = out.index("pretrained, bundled:"), out.index("pretrained, remote")
    assert (
        here < out.index("  cyclegan-facades ") < there < out.index("  cyclegan-horse2zebra ") < out.index("methods:")
    )
    assert out.index("methods:") < out.index("  pix2pix ")
    assert "  Learns both directions from unpaired images" in out
    assert "generators, discriminators" in out.splitlines()[-1]


def test_names_alone_are_for_scripts(capsys: Capture) -> None:
    assert listed(capsys, "pix*", "--methods", "--names") == "pix2pix\n"
    assert listed(capsys, "--kind", "generators", "resnet*", "--names") == "resnet_6blocks\nresnet_9blocks\n"
    assert listed(capsys, "generators", "--names") == listed(capsys, "--kind", "generators", "--names")
    assert listed(capsys, "ddim", "--names").split().count("ddim") == 1  # a method and a scheduler


def test_json_is_for_programs(capsys: Capture) -> None:
    """What bundled and remote entries are is known without loading them."""
    found = {entry["name"]: entry for entry in json.loads(listed(capsys, "--pretrained", "--json"))}
    assert [*found] == listed(capsys, "--pretrained", "--names").split()
    here, there = found["cyclegan-facades"], found["cyclegan-horse2zebra"]
    assert (here["kind"], here["weights"], here["method"]) == ("pretrained", "bundled", "cyclegan")
    assert here["directions"] == {"photo": "label", "label": "photo"}
    assert found["ddim-facades"]["tiling"] == {"photo": "refused"}
    assert there["directions"] == {"zebra": "horse"}
    assert (there["method"], there["weights"]) == ("cyclegan", "remote")
    assert [*json.loads(listed(capsys, "--kind", "losses", "l1", "--json"))[0]] == ["kind", "name", "summary"]
    assert main(["list", "no-such-name", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == []


def test_a_word_is_looked_for_in_parts_and_in_what_is_said_of_them(capsys: Capture) -> None:
    out = listed(capsys, "UNET")
    assert "generators:\n" in out
    assert "  unet_256" in out
    assert "fid" in listed(capsys, "Frechet", "--names").split()
    assert "synthetic-facades" in listed(capsys, "*facades*", "--names").split()
    assert "cyclegan" not in listed(capsys, "frechet", "--names").split()


def test_nothing_found_says_where_to_look(capsys: Capture) -> None:
    assert main(["list", "zzz"]) == 0
    out, err = capsys.readouterr()
    assert out == ""
    assert "'zzz'" in err
    assert "--kind KIND" in err
    assert main(["list", "cyclgan"]) == 0
    assert "did you mean 'cyclegan'" in capsys.readouterr().err


@pytest.mark.parametrize("kind", list(KINDS))
def test_the_line_is_that_of_the_docstring_or_of_the_entry(kind: str) -> None:
    for entry in (entry for entry in registry(kind).entries() if entry.target is None):
        part, said = registry(kind).get(f"{entry.distribution}:{entry.name}"), summary(entry)
        if not isinstance(part, type):
            assert said == part.description
        elif part.__module__ == entry.value.partition(":")[0] and part.__doc__:
            assert said == first_line(part)
        else:  # of a library that brings its classes from elsewhere
            assert said.endswith(f" of {entry.value.partition(':')[0]}")


def test_a_part_of_the_running_program_has_its_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry("losses"), "_registered", {})

    @i2izoo.register("losses", "mine")
    class Mine(ReconstructionLoss):
        """Only mine."""

    assert summary(registry("losses").find("mine")) == "Only mine."


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ('raise SystemExit\nclass Part:\n    """Never run."""', "Never run."),
        ("class Part:\n    pass", "Part of sick.part"),
        ("class Part(:", "Part of sick.part"),
        ("\x00", "Part of sick.part"),
        (None, "Part of sick.part"),
    ],
)
def test_a_sick_plugin_is_listed_and_not_run(
    source: str | None, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "sick").mkdir()
    (tmp_path / "sick" / "__init__.py").write_text("raise SystemExit")
    if source is not None:
        (tmp_path / "sick" / "part.py").write_text(source)
    assert summary(Entry("part", "sick.part:Part", "sick", "0")) == said
    assert "sick" not in sys.modules


def test_listing_everything_imports_no_torch() -> None:
    code = (
        "import sys; from i2izoo.cli.main import main; main(['list', 'e', '--json']); assert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert '"generators"' in done.stdout
