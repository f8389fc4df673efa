"""Commands that plugins add to the command line, good ones and broken ones."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from i2izoo.cli.main import build_parser, main
from i2izoo.contracts import registry as parts

GOOD = '''
import sys
from i2izoo.interfaces import Command

class Shout(Command):
    """Say a word loudly."""

    def arguments(self, parser):
        parser.add_argument("word", help="what is said")

    def run(self, args):
        print(args.word.upper())
        return 3
'''


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Install a distribution whose module has the code."""

    def install(code: str, name: str = "shout") -> None:
        info = tmp_path / "shouting-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: shouting\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[i2izoo.commands]\n{name} = shouting:Shout\n")
        (tmp_path / "shouting.py").write_text(code)
        monkeypatch.syspath_prepend(str(tmp_path))
        parts.refresh()

    yield install
    monkeypatch.undo()
    sys.modules.pop("shouting", None)
    parts.refresh()


def test_a_command_runs_and_its_code_is_that_of_the_program(site, capsys) -> None:
    site(GOOD)
    assert main(["shout", "hello"]) == 3
    assert capsys.readouterr().out == "HELLO\n"
    assert main(["shout", "hello", "--lod"]) == 2
    assert "unknown argument '--lod'" in capsys.readouterr().err


def test_help_names_it_and_imports_nothing_of_it(site, capsys) -> None:
    site(GOOD)
    assert main(["--help"]) == 0
    assert "say a word loudly" in capsys.readouterr().out
    assert "shouting" not in sys.modules


@pytest.mark.parametrize("code", ["import no_such_library", "raise SystemExit(7)", "class Shout: pass"])
def test_a_broken_one_is_a_sentence_for_who_asks_and_nothing_for_others(code: str, site, capsys) -> None:
    site(code)
    assert main(["list", "pix2pix", "--names"]) == 0
    assert capsys.readouterr().err == ""
    assert main(["shout", "hello"]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert "'shout'" in err
    assert "shouting 1.0" in err
    build_parser()  # as a shell that completes does


def test_a_name_of_the_program_stays_the_programs(site, capsys) -> None:
    site(GOOD, "list")
    assert main(["list", "pix2pix", "--names"]) == 0
    assert "pix2pix" in capsys.readouterr().out
