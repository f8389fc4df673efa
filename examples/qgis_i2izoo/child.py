"""The `i2izoo` command line as a child process. Nothing of QGIS is in here, so it is tested without."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence

SETTING = "Settings > Options > Processing > Providers > i2izoo"
FOREIGN = (
    "PYTHONHOME", "PYTHONPATH", "PYTHONEXECUTABLE", "PROJ_LIB", "PROJ_DATA", "GDAL_DATA", "GDAL_DRIVER_PATH",
    "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "QT_PLUGIN_PATH",
)  # fmt: skip
"""Variables that QGIS sets for its own Python and GDAL; those of another environment are not these."""
STAGES = {"statistics": (2, 10), "translating": (10, 95), "tiles": (0, 100), "writing": (95, 100), "done": (100, 100)}
"""Stage of a run -> where it begins and ends, in percent of all."""
PATIENCE = 20.0
"""Seconds for a child that is asked to stop; what it has done is on the disk in any case."""


class ChildError(Exception):
    """The child could not do it; the message is one sentence."""


def executable(setting: str = "") -> str:
    """The path in the settings, the environment variable I2IZOO_EXECUTABLE, or what is on the PATH.

    Raises:
        ChildError: there is none.
    """
    wanted = setting or os.environ.get("I2IZOO_EXECUTABLE") or "i2izoo"
    found = shutil.which(os.path.expanduser(wanted))
    if found is None:
        raise ChildError(f"There is no executable {wanted!r}; set the path of i2izoo in {SETTING}.")
    return found


def translate_command(
    program: str, model: str, source: str, target: str, *, to: str = "", bounds: Sequence[float] = (),
    bands: Sequence[int] = (), values: str = "", tile: int = 512, device: str = "", resume: bool = False,
    options: Sequence[str] = (),
) -> list[str]:  # fmt: skip
    """The command that translates a raster; what is left empty is left to the model.

    >>> " ".join(translate_command("i2izoo", "m", "a.tif", "b.tif", bands=[4, 3, 2], resume=True))
    'i2izoo translate m a.tif -o b.tif --force --progress=json --tile=512 --bands=4,3,2 --resume'
    """
    words = [program, "translate", model, source, "-o", target, "--force", "--progress=json", f"--tile={tile}"]
    joined = {"bounds": ",".join(map(repr, bounds)), "bands": ",".join(map(str, bands))}
    flags = {"to": to, **joined, "values": values, "device": device}  # with "=": a number may begin with a minus
    words += [f"--{name}={value}" for name, value in flags.items() if value]
    return [*words, *["--resume"] * resume, *options]


def tiles_command(
    program: str, source: str, folder: str, *, licence: str, name: str = "", bbox: Sequence[float] = (),
    bands: Sequence[int] = (), size: int = 256, block: int = 8, validation: float = 0.1,
) -> list[str]:  # fmt: skip
    """The command that cuts a raster into tiles, divided by area."""
    words = [program, "tiles", f"{name}={source}" if name else source, f"--out={folder}", f"--licence={licence}"]
    words += [f"--size={size}", f"--block={block}", f"--val={validation!r}", "--progress=json"]
    joined = {"bbox": ",".join(map(repr, bbox)), "bands": ",".join(map(str, bands))}
    return [*words, *(f"--{flag}={numbers}" for flag, numbers in joined.items() if numbers)]


def models(program: str) -> list[dict]:
    """The trained models that can be run in tiles, those that are on this machine first.

    Raises:
        ChildError: the program does not answer.
    """
    try:
        done = subprocess.run(
            [program, "list", "--pretrained", "--json"], capture_output=True, text=True, timeout=60, check=False,
            **_settings(),
        )  # fmt: skip
        found = json.loads(done.stdout)
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        raise ChildError(f"{program!r} does not list its models; is it i2izoo? Set its path in {SETTING}.") from error
    fit = [m for m in found if any(m.get("directions", {}).values()) and "refused" not in m["tiling"].values()]
    return sorted(fit, key=lambda model: model["weights"] == "remote")


def progress(line: str) -> tuple[float, str] | None:
    """Percent and stage of a line of `--progress=json`; None: it is another line.

    >>> progress('{"stage": "translating", "done": 1.5, "total": 3.0}')
    (52.5, 'translating')
    """
    try:
        said = json.loads(line)
        start, end = STAGES[said["stage"]]
        share = said["done"] / said["total"] if said.get("total") else 0.0
    except (ValueError, TypeError, KeyError):
        return None
    return start + (end - start) * min(share, 1.0), said["stage"]


def error(lines: Sequence[str], code: int) -> str:
    """What went wrong, in one sentence, by the lines that are no progress and by the exit code."""
    if code < 0:
        return (
            f"i2izoo was killed by {signal.Signals(-code).name}, as the system does when memory is short; choose "
            "smaller tiles, and run it again with resume."
        )
    own = [line.partition(": ")[2] for line in lines if line.startswith("i2izoo: ")]
    last = next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")
    return own[-1] if own else f"i2izoo failed with exit code {code}: {last}"


def run(command: Sequence[str], told: Callable[[str], None], cancelled: Callable[[], bool]) -> bool:
    """Run a command to its end.

    Args:
        command: the program and its words.
        told: is called with each line, as it is said.
        cancelled: is asked several times a second; then the child is asked to stop, and is waited for.

    Returns:
        False if it was cancelled.

    Raises:
        ChildError: the child could not be started, or failed.
    """
    try:
        child = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", **_settings()
        )
    except OSError as failure:
        raise ChildError(f"{command[0]!r} cannot be started ({failure}); set its path in {SETTING}.") from failure
    lines: list[str] = []
    with child:
        try:
            for line in _lines(child, cancelled):
                told(line)
                if progress(line) is None:
                    lines.append(line)
            if not (stopped := cancelled()):
                child.wait()
        finally:
            _end(child)
    if stopped and child.returncode:
        return False
    if child.returncode:
        raise ChildError(error(lines, child.returncode))
    return True


def _lines(child: subprocess.Popen, cancelled: Callable[[], bool]) -> Iterator[str]:
    """Lines as they come, until the last or until it is cancelled; a thread waits for them."""
    said: queue.Queue[str | None] = queue.Queue()

    def listen() -> None:
        with contextlib.suppress(ValueError):  # closed, since it was cancelled
            for line in child.stdout:
                said.put(line.rstrip("\n"))
        said.put(None)

    threading.Thread(target=listen, daemon=True).start()
    while not cancelled():
        with contextlib.suppress(queue.Empty):
            line = said.get(timeout=0.2)
            if line is None:
                return
            yield line


def _end(child: subprocess.Popen) -> None:
    """Ask it to stop if it runs, and wait; then make it."""
    child.terminate()  # of one that has ended it is nothing
    try:
        child.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        child.kill()


def _settings() -> dict:
    """No variable of QGIS, and no window on Windows."""
    environment = {name: value for name, value in os.environ.items() if name not in FOREIGN}
    environment["PYTHONUTF8"] = "1"
    found = {"env": environment, "stdin": subprocess.DEVNULL}
    return {**found, "creationflags": subprocess.CREATE_NO_WINDOW} if sys.platform == "win32" else found
