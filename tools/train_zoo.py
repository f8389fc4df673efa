"""Train several recipes side by side on one machine within a budget of time, and bundle what comes out.

    python tools/train_zoo.py pix2pix-facades cut-facades --minutes 9 --out zoo --data facades=./facades

It runs from a copied tree, without network, pip or an installed i2izoo: the entry points come from pyproject.toml. A
run that is killed at any time goes on with the same command and `--resume`. Words such as `batch_size=4` at the end
change all recipes.

OUT/NAME/       the run of a recipe: log.csv, checkpoints, samples, model
OUT/NAME.webp   its last grid of samples: input, translation and truth, in rows
OUT/NAME.log    what it has printed
OUT/bundle/     at most eight tars, each below 16 MiB, with the models in half precision, cards, recipes, figures, grids
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import time
import tomllib
import zipfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
NEEDED = (
    "torch", "numpy", "PIL", "safetensors", "accelerate", "huggingface_hub", "yaml", "filelock", "einops", "psutil",
)  # fmt: skip
MODEL_LIMIT, FILE_LIMIT, FILES = 4 * 10**6, 16 * 2**20, 8
READY = ".ready"
FOR_TRAINING = 0.9
"""Share of the time that is left when a training begins; the rest is for the figures and the bundle."""


def main(argv: list[str] | None = None) -> int:
    """Train; 0 if all recipes came to their end."""
    args = arguments().parse_args(argv)
    if args.until is not None:
        return train_one(args)
    args.out = args.out.resolve()
    args.out.mkdir(parents=True, exist_ok=True)
    environment = prepare(args.out / ".site", args.wheels)
    jobs = args.jobs or len(args.names)
    if not environment.get("CUDA_VISIBLE_DEVICES") and not Path("/dev/nvidia0").exists():
        environment.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // jobs)))
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    waiting = [name for name in args.names if not (args.resume and (args.out / READY / label(name)).is_dir())]
    running, failed = dict[str, subprocess.Popen[bytes]](), list[str]()
    end, said = time.time() + 60 * args.minutes, 0.0
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                waves = -(-len(waiting) // jobs)  # those that wait share what is left
                until = time.time() + (end - time.time()) / waves
                name = waiting.pop(0)
                with (args.out / f"{label(name)}.log").open("ab") as log:
                    words = command(args, name, until)
                    running[name] = subprocess.Popen(words, stdout=log, stderr=log, env=environment)
            time.sleep(0.5)
            for name, process in [*running.items()]:
                if process.poll() is not None:
                    del running[name]
                    failed += [name] if process.returncode else []
            if time.time() - said > args.status_every or not running:
                said = time.time()
                print(status(args.out, args.names, failed, end - said), flush=True)
    except KeyboardInterrupt:
        print("stopping: each run saves a checkpoint; --resume goes on", flush=True)
        for process in running.values():
            process.send_signal(signal.SIGINT)
        for process in running.values():
            process.wait()
        return 130
    done = [name for name in args.names if name not in failed]
    for line in bundle(args.out, done):
        print(line)
    for name in failed:
        last = (args.out / f"{label(name)}.log").read_text(errors="replace").strip().splitlines()[-1:]
        print(f"{name} failed: {''.join(last)}", file=sys.stderr)
    return 1 if failed else 0


def label(name: str) -> str:
    """What the files of a recipe are called: as its entry, its file, or the folder of a `recipe.yaml`."""
    path = Path(name)
    return path.parent.name if path.name == "recipe.yaml" else path.stem


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("names", nargs="+", metavar="NAME", help="entries with a recipe, or recipe files")
    parser.add_argument("--minutes", type=float, required=True, help="of everything, start and bundle included")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    parser.add_argument(
        "--data", action="append", default=[], metavar="NAME=PATH", help="of a data set, or of a recipe"
    )
    parser.add_argument("--set", action="append", default=[], metavar="option=value", help="an option of all recipes")
    parser.add_argument("--jobs", type=int, metavar="N", help="so many at a time (default: all)")
    parser.add_argument("--bf16", action="store_true", help="compute in bfloat16")
    parser.add_argument("--channels-last", action="store_true", help="the memory format that convolutions like")
    parser.add_argument("--compile", action="store_true", help="torch.compile the networks")
    parser.add_argument("--resume", action="store_true", help="go on with the runs in DIR")
    parser.add_argument("--evaluate", metavar="METRICS", help="figures on the split val, for the cards: psnr,ssim")
    parser.add_argument("--wheels", type=Path, metavar="DIR", help="wheels of packages that are not installed")
    parser.add_argument("--every", type=float, default=2.0, metavar="MINUTES", help="between grids and checkpoints")
    parser.add_argument("--status-every", type=float, default=20.0, metavar="SECONDS", help="between lines of status")
    parser.add_argument("--until", type=float, help=argparse.SUPPRESS)  # of a child: when it should have ended
    return parser


def command(args: argparse.Namespace, name: str, until: float) -> list[str]:
    """The process that trains one recipe."""
    switches = {"--bf16": args.bf16, "--channels-last": args.channels_last, "--compile": args.compile}
    flags = [flag for flag, on in {**switches, "--resume": args.resume}.items() if on]
    flags += [f"--data={data}" for data in args.data] + [f"--set={word}" for word in args.set]
    flags += [f"--evaluate={args.evaluate}"] if args.evaluate else []
    flags += [f"--minutes={args.minutes}", f"--until={until}", f"--out={args.out}", f"--every={args.every}"]
    return [sys.executable, __file__, name, *flags]


# -------------------------------------------------------------------------------------------------- without pip


def prepare(site: Path, wheels: Path | None) -> dict[str, str]:
    """An environment in which the tree counts as installed: its packages, its entry points, and unpacked wheels."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    info = site / f"{project['name']}-{project['version']}.dist-info"
    info.mkdir(parents=True, exist_ok=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    groups = project["entry-points"].items()
    lines = [line for group, names in groups for line in (f"[{group}]", *(f"{n} = {v}" for n, v in names.items()))]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n")
    places = [site, ROOT, ROOT / "plugins"]
    for wheel in sorted(wheels.glob("*.whl")) if wheels else []:
        place = site / "wheels" / wheel.stem
        if not place.is_dir():
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(place)
        places.append(place)
    sys.path[:0] = map(str, places)
    if lacking := [name for name in NEEDED if importlib.util.find_spec(name) is None]:
        raise SystemExit(f"train_zoo: not installed here: {', '.join(lacking)}; put their wheels into --wheels DIR.")
    return {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, [*places, os.environ.get("PYTHONPATH", "")]))}


# -------------------------------------------------------------------------------------------------- one recipe


def train_one(args: argparse.Namespace) -> int:
    """Train one recipe, in a process of its own, and prepare what goes into the bundle."""
    from i2izoo.cli.options import parse_words
    from i2izoo.contracts.config import schema
    from i2izoo.errors import I2IZooError
    from i2izoo.training.config import TrainingOptions
    from i2izoo.training.recipe import read_recipe

    [name] = args.names
    try:
        recipe = read_recipe(name)
        words = parse_words(args.set, schema(recipe.kind), schema(TrainingOptions), where=name)
        chosen = {"precision": "bf16"} if args.bf16 else {}
        chosen |= {"channels_last": True} if args.channels_last else {}
        chosen |= {"compile": True} if args.compile else {}
        saved = {"sample_every": 0, "checkpoint_every": 10**9, "tensorboard": False}
        minutes = max(0.02, FOR_TRAINING * (args.until - time.time()) / 60)
        train(args, name, recipe.changed({"minutes": minutes, **saved, **chosen, **words}))
        return 0
    except I2IZooError as error:
        print(f"train_zoo: {' '.join(str(error).split())}", file=sys.stderr)
        return 2


def train(args: argparse.Namespace, name: str, recipe: Any) -> None:
    """Train it with a grid and a checkpoint every few minutes, and write the model in half precision."""
    import torch

    from i2izoo.training.by_recipe import trainers
    from i2izoo.training.recipe import FILE

    out, called = args.out / label(name), label(name)
    data = place_of(args.data, called, recipe.data)
    for trainer in trainers(recipe, data, out=out, resume="auto" if args.resume else None, progress=False):
        trainer.facts = {"recipe": recipe.source}
        if importlib.util.find_spec("matplotlib") is None:  # which only curves.png is drawn with
            trainer._draw = lambda log: None
        trainer.train_step = Watched(trainer, args.out / f"{called}.webp", out / "status.json", 60 * args.every)
        trainer.fit()
        trainer.train_step.sample()
    ready = args.out / f".making-{called}"
    shutil.rmtree(ready, ignore_errors=True)
    trainer.model.save_pretrained(ready, dtype=torch.float16)
    (ready / FILE).write_text(recipe.text(), encoding="utf-8")
    if args.evaluate:
        sides = [stage.training.get("crop_size") for stage in recipe.plan()]
        side = max((side for side in sides if side), default=trainer.options.crop_size)
        measure(ready, recipe.data_at(data), args.evaluate.split(","), side, str(trainer.device))
    (args.out / READY).mkdir(exist_ok=True)
    ready.replace(args.out / READY / called)


def place_of(given: list[str], name: str, data: Any) -> str | None:
    """The place that the user gives the recipe, or the data set that it names."""
    places = dict(word.split("=", 1) for word in given if "=" in word)
    wanted = data if isinstance(data, str) else (data or {}).get("name")
    everything = [word for word in given if "=" not in word]
    if wanted is None and len(places) == 1:  # a recipe that leaves its data to the user
        everything += places.values()
    return places.get(name, places.get(wanted, everything[0] if everything else None))


def measure(folder: Path, data: Any, metrics: list[str], side: int | None, device: str) -> None:
    """Figures of the stored weights on the split val, in all directions, at a size in pixels, on the card."""
    import i2izoo
    from i2izoo.evaluation.card import write_to_card

    model = i2izoo.load(folder, device=device)
    for to in model.directions:
        write_to_card(folder, i2izoo.evaluate(model, data, to=to, metrics=metrics, split="val", size=side))


class Watched:
    """A training step that every few minutes writes a grid of samples and a checkpoint, and says where it is."""

    def __init__(self, trainer: Any, grid: Path, status: Path, every: float) -> None:
        self.trainer, self.grid, self.status, self.every = trainer, grid, status, every
        self.step, self.saved, self.said = trainer.train_step, time.monotonic(), 0.0

    def __call__(self) -> Any:
        now = time.monotonic()
        if now - self.saved > self.every and self.trainer.step:
            self.trainer.save()
            self.sample()
            self.saved = time.monotonic()
        if now - self.said > 5:
            self.said = now
            facts = {"step": self.trainer.step, "progress": self.trainer.schedule.progress(self.trainer.step)}
            beside = self.status.with_suffix(".new")
            beside.write_text(json.dumps(facts))
            beside.replace(self.status)
        return self.step()

    def sample(self) -> None:
        """The grid of now, as WebP."""
        from PIL import Image

        with Image.open(self.trainer.sample()) as image:
            image.save(self.grid, quality=85)


# -------------------------------------------------------------------------------------------------- what comes out


def status(out: Path, names: list[str], failed: list[str], left: float) -> str:
    """A line about all recipes."""
    parts = []
    for name in names:
        place = out / label(name) / "status.json"
        facts = json.loads(place.read_text() or "{}") if place.is_file() else {}
        where = f"step {facts['step']} ({facts['progress']:.0%})" if facts else "waits"
        where = "done" if (out / READY / label(name) / "config.json").is_file() else where
        parts.append(f"{label(name)} {'failed' if name in failed else where}")
    return f"{max(0.0, left) / 60:.1f} min left: " + ", ".join(parts)


def bundle(out: Path, names: list[str]) -> list[str]:
    """Put what is ready into at most eight tars; a line about each recipe."""
    folder, lines = out / "bundle", []
    folder.mkdir(exist_ok=True)
    labels = [label(name) for name in names]
    for group in (labels[first::FILES] for first in range(min(FILES, len(labels)))):
        place = folder / f"{'+'.join(group)}.tar"
        with tarfile.open(place, "w") as tar:
            for called in group:
                tar.add(out / READY / called, called)
                for extra in (out / f"{called}.webp", out / called / "log.csv", out / called / "run.json"):
                    if extra.is_file():
                        tar.add(extra, f"{called}/training/{extra.name}")
        size = place.stat().st_size
        for called in group:
            model = (out / READY / called / "model.safetensors").stat().st_size
            large = f", above the {MODEL_LIMIT / 1e6:g} MB of a bundled entry" if model > MODEL_LIMIT else ""
            steps = json.loads((out / READY / called / "config.json").read_text())["provenance"]["steps"]
            lines.append(f"{called}: {steps} steps, model {model / 1e6:.2f} MB{large}, in {place}")
        if size > FILE_LIMIT:
            lines.append(f"{place} has {size / 2**20:.1f} MiB, above {FILE_LIMIT / 2**20:g}")
    return lines


if __name__ == "__main__":
    sys.exit(main())
