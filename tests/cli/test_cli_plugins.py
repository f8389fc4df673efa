"""`i2izoo plugins` beside plugins that end, crash, hang or shout when they are imported."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from fuzz.fuzzing import one_sentence

from i2izoo.cli.main import main
from i2izoo.cli.trying import try_parts
from i2izoo.contracts.entrypoints import Entry

PLUGINS = {
    "a-quits": ("import os\nos._exit(7)", "ends the program that imports it (exit code 7)"),
    "c-crashes": ("import os\nos.kill(os.getpid(), 11)", "crashes the program that imports it (SIGSEGV)"),
    "d-interrupts": ("raise KeyboardInterrupt", "raises KeyboardInterrupt"),
    "e-asks": ("input('licence? ')", "EOFError"),
    "f-escapes": (r"raise RuntimeError('\x1b[2J' + 'long' * 1000)", r"RuntimeError: \x1b[2Jlong"),
}
LOUD = """
import os, sys, threading, warnings
print("hello"); print("hello", file=sys.stderr); os.write(1, b"hello"); os.write(2, b"hello")
warnings.warn("hello")
sys.stdout.close()
threading.Thread(target=threading.Event().wait).start()
from i2izoo_gan.patchgan import PatchGAN as Part
"""


def install(site: Path, name: str, code: str, entries: str) -> None:
    """A distribution as pip leaves it."""
    module = name.replace("-", "_")
    info = site / f"{module}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(entries.format(module=module))
    (site / f"{module}.py").write_text(code)


def report(site: Path, *words: str) -> tuple[dict[str, list[str]], str]:
    """Plugin -> its lines, and the sum."""
    command = [sys.executable, "-m", "i2izoo", "plugins", *words]
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": str(site)}, capture_output=True)
    assert done.returncode == 0, done.stderr
    assert done.stderr == b""
    *lines, total = done.stdout.decode().splitlines()
    found: dict[str, list[str]] = {}
    for line in lines:
        one_sentence(line[:1000])
        if line.startswith("  "):
            found[list(found)[-1]].append(line.strip())
        else:
            found[line] = []
    return found, total


def test_whatever_a_plugin_does_it_is_one_line_and_the_others_are_listed(tmp_path: Path) -> None:
    entries = "[i2izoo.discriminators]\nmy_{module} = {module}:Part\n[i2izoo.losses]\nother_{module} = {module}:Other\n"
    for name, (code, _) in PLUGINS.items():
        install(tmp_path, name, code, entries)
    install(tmp_path, "g-loud", LOUD, "[i2izoo.discriminators]\nloud = {module}:Part\n")
    found, total = report(tmp_path)
    assert found["g-loud 1.0"] == ["discriminator loud"]
    own = next(lines for plugin, lines in found.items() if plugin.startswith("i2izoo "))
    assert {"discriminator pixel", "method pix2pix", "loss l1"} <= set(own)
    for name, (_, reason) in PLUGINS.items():
        module = name.replace("-", "_")
        first, second = found[f"{name} 1.0"]
        assert first.startswith(f"discriminator my_{module}  BROKEN: ")
        assert reason in first
        assert f"of plugin {name} 1.0 ({module}:Part)" in first
        given_up = name in ("a-quits", "c-crashes")
        assert second.startswith(f"loss other_{module}  {'NOT TRIED' if given_up else 'BROKEN'}: ")
    assert total.startswith("plugins: 7, ")
    assert total.endswith("broken: 8")


def test_a_plugin_that_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, "hangs", "import threading\nthreading.Event().wait()", "")
    monkeypatch.syspath_prepend(str(tmp_path))
    endless = ("losses", Entry("endless", "hangs:Part", "hangs", "1.0"))
    other = ("metrics", Entry("other", "hangs:Part", "hangs", "1.0"))
    reason = "loss 'endless' of plugin hangs 1.0 (hangs:Part) does not end its import within 0.5 s."
    assert try_parts([endless, other], limit=0.5) == {endless: reason}


@pytest.mark.parametrize("limit", ["0", "-1", "soon", "nan", "inf"])
def test_a_limit_that_is_none(limit: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plugins", f"--timeout={limit}"]) == 2
    assert f"wants seconds, such as 30; found '{limit}'" in capsys.readouterr().err
