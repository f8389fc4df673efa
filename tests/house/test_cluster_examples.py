"""The scripts for clusters in examples/cluster: the shell and YAML take them, and so do the launchers and i2izoo."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import pytest
import yaml
from torch.distributed.run import get_args_parser

from i2izoo.cli.main import parse

FOLDER = Path(__file__).parents[2] / "examples" / "cluster"
SCRIPTS = sorted(p.name for p in FOLDER.iterdir())
SBATCH = {"job-name", "nodes", "ntasks-per-node", "gpus-per-node", "cpus-per-task", "time", "requeue", "signal",
          "open-mode", "array"}  # fmt: skip
SKY = {"name", "resources", "num_nodes", "envs", "file_mounts", "setup", "run"}


def shell(name: str) -> str:
    """The program of a script."""
    text = (FOLDER / name).read_text(encoding="utf-8")
    return str(yaml.safe_load(text)["run"]) if name.endswith(".yaml") else text


def command(name: str) -> list[str]:
    """The words of its last command, where each variable is 1."""
    last = shell(name).replace("\\\n", " ").strip().splitlines()[-1]
    return shlex.split(re.sub(r"\$\{?\w+\}?", "1", last))


@pytest.mark.parametrize("name", SCRIPTS)
def test_the_shell_reads_it(name: str) -> None:
    done = subprocess.run(["bash", "-n"], input=shell(name), text=True, capture_output=True)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name", [name for name in SCRIPTS if "train" in name])
def test_the_launcher_and_the_training_take_their_words(name: str) -> None:
    words = command(name)
    words = words[words.index("torch.distributed.run") + 1 :]
    launcher = get_args_parser().parse_args(words)
    assert launcher.module
    assert launcher.training_script == "i2izoo"
    assert (launcher.nnodes, launcher.nproc_per_node) == ("1", "1")
    run = parse(launcher.training_script_args)
    assert (run.method, run.resume, run.words) == ("pix2pix", "auto", ["batch_size=16", "precision=bf16"])


@pytest.mark.parametrize("name", [name for name in SCRIPTS if name.endswith(".slurm")])
def test_its_head_is_of_slurm(name: str) -> None:
    text = shell(name)
    assert text.startswith("#!/bin/bash\n")
    options = dict(re.findall(r"^#SBATCH --([\w-]+)(?:=(\S+))?$", text, re.MULTILINE))
    assert len(options) == text.count("#SBATCH")
    assert set(options) <= SBATCH
    assert re.fullmatch(r"\d\d:\d\d:\d\d", options["time"])
    assert text.rindex("#SBATCH") < text.index("set -euo pipefail")  # Slurm stops reading at the first command


def test_the_parts_of_the_array_are_shards() -> None:
    words = command("translate.slurm")
    assert words[0] == "i2izoo"
    run = parse(words[1:])
    assert (run.shard, run.skip_existing, run.manifest, run.out) == ("1/1", True, ["1"], "1/")


def test_the_task_is_one_of_skypilot() -> None:
    task = yaml.safe_load((FOLDER / "train.sky.yaml").read_text(encoding="utf-8"))
    assert set(task) == SKY
    assert re.fullmatch(r"\w+:\d+", task["resources"]["accelerators"])
    assert {mount["mode"] for mount in task["file_mounts"].values()} <= {"COPY", "MOUNT", "MOUNT_CACHED"}
    used = set(re.findall(r"\$\{?(SKYPILOT_\w+)", task["run"]))
    assert used == {"SKYPILOT_NODE_IPS", "SKYPILOT_NUM_NODES", "SKYPILOT_NUM_GPUS_PER_NODE", "SKYPILOT_NODE_RANK"}
