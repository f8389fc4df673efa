"""Commands that are killed, or find the disk full, at a chosen change of files: see `run`.

A child does the work: forked from a server that has imported torch and has run nothing, so that it starts in no time
and has no threads. There an audit hook of Python's counts the changes of files below a folder (opened for writing,
renamed, removed, folders made) and acts just before the one that was chosen. What is counted is what the command does,
whatever code of whatever library does it, so a chosen change is the same in every run.

    def save(folder): ...                              # a function of a module, or `cli` with the words of a command

    n = kills.run(save, out, below=out).changes        # undisturbed
    ended = kills.run(save, out, below=out, kill_at=3)
    assert ended.killed
"""

from __future__ import annotations

import contextlib
import csv
import errno
import io
import json
import multiprocessing
import os
import resource
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CONTEXT = multiprocessing.get_context("forkserver")
PRELOADED = """
i2izoo.training.distill i2izoo.sweeps.sweep i2izoo.report.compare i2izoo_gan.pix2pix i2izoo_gan.resnet i2izoo_gan.unet
i2izoo_gan.patchgan i2izoo_diffusion.ddim i2izoo_diffusion.unet2d i2izoo_diffusion.distillation i2izoo_metrics.psnr
i2izoo_metrics.ssim accelerate diffusers.models.unets.unet_2d torchmetrics scipy.stats jinja2 matplotlib.figure
matplotlib.backends.backend_agg rich.progress
"""
"""What the commands would spend most of their time on importing."""

CONTEXT.set_forkserver_preload(PRELOADED.split())

PATIENCE = 300.0
"""Seconds after which a child hangs."""

CHANGES = {"open": 0, "os.rename": 0, "os.remove": 0, "os.mkdir": 0, "os.rmdir": 0, "os.truncate": 0}
"""Events of Python's audit that change files -> the argument that is the path."""


@dataclass
class Ended:
    """How a child ended.

    Attributes:
        code: of exit; of a signal that ended it the negative number.
        said: what it wrote to stdout and stderr.
        changes: of files, until it ended by itself or by the chosen one.
    """

    code: int
    said: str
    changes: int

    @property
    def killed(self) -> bool:
        return self.code == -signal.SIGKILL


def run(
    call: Callable[..., Any],
    *arguments: Any,
    below: Path,
    kill_at: int | None = None,
    full_at: int | None = None,
    signal_at: tuple[int, int] | None = None,
    kill_after: float | None = None,
    largest: int | None = None,
    scratch: Path | None = None,
) -> Ended:
    """Call a function in a child.

    Args:
        call: of a module that can be imported; `cli` runs a command.
        arguments: of the call; they are pickled.
        below: changes of files in this folder count, from 1.
        kill_at: just before this change the child dies of SIGKILL. A file that was to be renamed is torn first, as if
            the kill had come while it was written.
        full_at: from this change on the disk is full: whatever opens or makes a file gets ENOSPC.
        signal_at: at this change the child gets this signal.
        kill_after: seconds after which the child is killed, wherever it is.
        largest: bytes that a file may have; the system refuses more, to whoever writes (EFBIG).
        scratch: folder for what the child says; None: the one that holds `below`.
    """
    scratch = scratch or below.parent
    said, count = scratch / "child.txt", CONTEXT.Value("l", 0, lock=False)
    said.write_bytes(b"")  # a child that is killed at once does not come to it
    plan = {"kill": kill_at, "full": full_at, "signal": signal_at, "largest": largest}
    child = CONTEXT.Process(target=_child, args=(call, arguments, str(below), plan, str(said), count))
    child.start()
    child.join(PATIENCE if kill_after is None else kill_after)
    if child.is_alive():
        child.kill()
        child.join()
        assert kill_after is not None, f"the child hangs: {said.read_text(errors='replace')[-3000:]}"
    assert child.exitcode is not None
    return Ended(child.exitcode, said.read_text(encoding="utf-8", errors="replace"), count.value)


def cli(*words: Any) -> None:
    """A command as the user types it; what depends on the clock is always the same."""
    from i2izoo.cli.main import main
    from i2izoo.evaluation import costs
    from i2izoo.evaluation.result import Costs
    from i2izoo.sweeps import sweep

    costs.measure = lambda *_, **__: Costs(1, 1.0, 1.0, "cpu")
    sweep.training_seconds = lambda _: 1.0
    sys.exit(main([str(word) for word in words]))


def save(source: Path, folder: Path) -> None:
    """Load a model and save it."""
    import i2izoo

    i2izoo.load(source).save_pretrained(folder)


def _child(call: Callable[..., Any], arguments: Any, below: str, plan: dict[str, Any], said: str, count: Any) -> None:
    import torch

    with open(said, "wb", buffering=0) as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    sys.stdout, sys.stderr = (io.TextIOWrapper(os.fdopen(n, "wb", 0), write_through=True) for n in (1, 2))
    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.addaudithook(_hook(below, plan, count))
    if plan["largest"] is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (plan["largest"], plan["largest"]))
    call(*arguments)


def _hook(below: str, plan: dict[str, Any], count: Any) -> Callable[[str, tuple[Any, ...]], None]:
    kill, full, at = plan["kill"], plan["full"], plan["signal"]
    writing = os.O_WRONLY | os.O_RDWR | os.O_CREAT

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event not in CHANGES or (event == "open" and not (arguments[2] or 0) & writing):
            return
        try:
            path = os.fsdecode(arguments[CHANGES[event]])
        except TypeError:  # an open file
            return
        if not path.startswith(below):
            return
        count.value += 1
        if count.value == kill:
            if event == "os.rename" and os.path.isfile(path):
                os.truncate(path, os.path.getsize(path) // 2)
            os.kill(os.getpid(), signal.SIGKILL)
        if full is not None and count.value >= full and event in ("open", "os.mkdir"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)
        if at is not None and count.value == at[0]:
            signal.raise_signal(at[1])

    return hook


# ------------------------------------------------------------------------------------------------- what must be left

CLOCK = {"images_per_second", "data_wait_share"}
"""Columns that depend on the clock."""


def tree(folder: Path) -> dict[str, Any]:
    """All files below a folder and what is in them, without what depends on the clock; hidden ones, too."""
    return {p.relative_to(folder).as_posix(): _content(p) for p in sorted(folder.rglob("*")) if p.is_file()}


def _content(path: Path) -> Any:
    if path.suffix == ".csv":
        rows = csv.DictReader(io.StringIO(path.read_text(encoding="utf-8")))
        return [{k: v for k, v in row.items() if k not in CLOCK} for row in rows]
    return path.read_bytes()


def assert_whole(folder: Path) -> None:
    """Every file that is not hidden can be read to its end."""
    from PIL import Image
    from safetensors.torch import load_file

    for path in folder.rglob("*"):
        if path.is_dir() or any(part.startswith(".") for part in path.relative_to(folder).parts):
            continue
        with _naming(path):
            if path.suffix == ".json":
                json.loads(path.read_text(encoding="utf-8"))
            elif path.suffix == ".safetensors":
                load_file(path)
            elif path.suffix in (".png", ".jpg"):
                with Image.open(path) as image:
                    image.load()
            else:
                end = "</html>" if path.suffix == ".html" else "\n"
                assert path.read_text(encoding="utf-8").endswith(end)


@contextlib.contextmanager
def _naming(path: Path) -> Any:
    try:
        yield
    except Exception as error:
        raise AssertionError(f"{path} is not whole: {error}") from error
