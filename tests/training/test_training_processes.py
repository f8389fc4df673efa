"""Two processes are one with twice the batch."""

import csv
import json
import os
import subprocess
import sys

import training_run
from safetensors.torch import load_file
from training_run import trainer

OPTIONS = {"steps": 3, "log_every": 1, "ema": 0.5, "sample_every": 3}
LOSSES = {f"{loss}_{domain}" for loss in ("gan", "cycle", "identity", "d") for domain in ("label", "photo")}


def losses(out):
    with (out / "log.csv").open(newline="") as file:
        return [{name: float(row[name]) for name in LOSSES} for row in csv.DictReader(file)]


def test_two_processes_with_half_the_batch_each(tmp_path, monkeypatch):
    """Gloo on the CPU; no pool, since each process has its own."""
    monkeypatch.setitem(training_run.METHODS["cyclegan"], "pool_size", 0)
    trainer("cyclegan", tmp_path / "one", batch_size=2, **OPTIONS).fit()
    script = tmp_path / "run.py"
    script.write_text(
        "import os, sys, json, torch\n"
        f"sys.path.insert(0, {os.path.dirname(training_run.__file__)!r})\n"
        "import training_run\n"
        "training_run.METHODS['cyclegan']['pool_size'] = 0\n"
        "run = training_run.trainer('cyclegan', sys.argv[1], batch_size=1, **json.loads(sys.argv[2]))\n"
        "assert run.world == 2\n"
        "model = run.fit()\n"
        "sums = [torch.zeros(()) for _ in range(2)]\n"
        "torch.distributed.all_gather(sums, sum(v.double().abs().sum() for v in model.method.state_dict().values())"
        ".float())\n"
        "assert sums[0] == sums[1], sums\n"
        "from i2izoo.training.step import of_first_process\n"
        "assert of_first_process(3.0 + run.rank) == 3.0  # whose clock ends a run of so many minutes\n"
        "torch.distributed.barrier()\n"
        "os._exit(0)  # gloo's threads now and then abort the interpreter's own shutdown, after all is written\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", str(script),
         str(tmp_path / "two"), json.dumps(OPTIONS)],
        env={**os.environ, "ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1"}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    one, two = losses(tmp_path / "one"), losses(tmp_path / "two")
    assert len(one) == len(two) == 3
    for a, b in zip(one, two, strict=True):
        assert all(abs(a[name] - b[name]) <= 1e-4 for name in LOSSES)
    a, b = (load_file(tmp_path / run / "model/model.safetensors") for run in ("one", "two"))
    for name in a:
        if name.endswith("weight"):  # a bias before an instance norm has no gradient but rounding
            assert (a[name] - b[name]).abs().max() <= 1e-4, name
    assert (tmp_path / "two/samples/step-00000003.png").is_file()
