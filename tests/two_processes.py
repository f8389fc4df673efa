"""A training in two processes, as `torchrun` starts them: Gloo on the CPU, one thread each."""

import os
import subprocess
import sys
import textwrap

HEAD = f"""
import json, os, sys, torch
sys.path.insert(0, {os.path.dirname(__file__)!r})
import training_run
"""

TAIL = """
torch.distributed.barrier()
os._exit(0)  # gloo's threads now and then abort the interpreter's own shutdown, after all is written
"""


def launch(folder, body, *arguments):
    """Run `body` in both; it finds `training_run` imported and its arguments in `sys.argv`.

    Args:
        folder: for the program.
        body: lines of Python.
        arguments: of the program.
    """
    script = folder / "run.py"
    script.write_text(HEAD + textwrap.dedent(body) + TAIL)
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", str(script)]
    done = subprocess.run(
        [*launcher, *map(str, arguments)],
        env={**os.environ, "ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done
