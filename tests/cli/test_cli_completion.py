"""Completion: what a shell is answered, and that the scripts that ask are those of its kind."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from i2izoo.cli.completion import SHELLS
from i2izoo.cli.main import main
from i2izoo.contracts.registry import registry

PROGRAM = ["-X", "importtime", "-m", "i2izoo"]


def completed(line: str, folder: Path) -> set[str]:
    """The words that a shell is told at the end of a line; finding them may not import torch."""
    answer = folder / "answer"
    asked = {"_ARGCOMPLETE": "1", "_ARGCOMPLETE_IFS": "\n", "_ARGCOMPLETE_STDOUT_FILENAME": str(answer)}
    asked |= {"COMP_LINE": line, "COMP_POINT": str(len(line)), "_ARGCOMPLETE_SUPPRESS_SPACE": "1"}
    done = subprocess.run(
        [sys.executable, *PROGRAM], env={**os.environ, **asked}, cwd=folder, capture_output=True, text=True
    )
    assert done.stdout == ""
    assert " torch\n" not in done.stderr
    return set(filter(None, answer.read_text(encoding="utf-8").split("\n")))


def test_commands_options_and_names(tmp_path: Path) -> None:
    assert completed("i2izoo tra", tmp_path) == {"translate", "train"}
    assert completed("i2izoo train pix2pix --met", tmp_path) == {"--metrics"}
    assert completed("i2izoo translate cyclegan-h", tmp_path) == {"cyclegan-horse2zebra"}
    assert completed("i2izoo translate unit", tmp_path) == {"unit-facades"}
    installed = {entry.name for entry in registry("methods").entries() if entry.target is None}
    assert completed("i2izoo train ", tmp_path) >= installed
    assert completed("i2izoo list --kind gen", tmp_path) == {"generators"}


def test_a_list_with_commas_and_files(tmp_path: Path) -> None:
    assert completed("i2izoo evaluate m --metrics psnr,ss", tmp_path) == {"psnr,ssim"}
    (tmp_path / "synthetic-images").mkdir()
    assert completed("i2izoo train pix2pix --data synth", tmp_path) == {"synthetic-facades", "synthetic-images/"}


@pytest.mark.parametrize("shell", list(SHELLS))
def test_the_script_of_a_shell(shell: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert "i2izoo" in script
    if shutil.which(shell) is None:
        pytest.skip(f"there is no {shell} here")
    (tmp_path / "script").write_text(script, encoding="utf-8")
    assert subprocess.run([shell, "-n", str(tmp_path / "script")], capture_output=True).returncode == 0


LINE = "i2izoo translate unit"
SESSIONS = {  # zsh completes only where somebody types
    "bash": f"""
        eval "$(i2izoo completion bash)"
        COMP_LINE="{LINE}" COMP_POINT={len(LINE)} COMP_TYPE=9
        _python_argcomplete i2izoo
        printf '%s' "${{COMPREPLY[*]}}"
    """,
    "fish": f"""
        i2izoo completion fish | source
        complete -C "{LINE}"
    """,
}


@pytest.mark.parametrize("shell", list(SESSIONS))
def test_a_shell_completes(shell: str, tmp_path: Path) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"there is no {shell} here")
    (tmp_path / "i2izoo").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m i2izoo "$@"\n', encoding="utf-8")
    (tmp_path / "i2izoo").chmod(0o755)
    path = os.pathsep.join([str(tmp_path), os.environ["PATH"]])
    done = subprocess.run(
        [shell, "-c", SESSIONS[shell]], env={**os.environ, "PATH": path}, capture_output=True, text=True
    )
    assert done.stdout.strip() == "unit-facades"
