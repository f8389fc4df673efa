"""A tiny run, for tests in this process and as a program of its own: `training_run.py KIND OUT THREADS OPTIONS [HALT]`.

With HALT it stops for good inside the writing of that step's checkpoint, says so, and waits to be killed.
"""

import json
import sys

import torch

import i2izoo
from i2izoo.files import writing

DATA = {"name": "synthetic-facades", "count": 6, "size": 18}
SIZES = {"load_size": 18, "crop_size": 16}
DOMAINS = ["label", "photo"]
DISCRIMINATOR = {"name": "patchgan", "width": 2, "layers": 1}
METHODS = {
    "pix2pix": {  # dropout, batch norm's running statistics
        "generator": {"name": "unet_256", "width": 2, "depth": 3},
        "discriminator": DISCRIMINATOR | {"norm": "batch"},
    },
    "cyclegan": {  # replay pools, which are full after two steps
        "generator": {"name": "resnet_6blocks", "width": 2, "blocks": 1},
        "discriminator": DISCRIMINATOR,
        "pool_size": 2,
    },
    "regression": {
        "generator": {"name": "resnet_6blocks", "width": 2, "blocks": 1, "norm": "none"},
        "discriminator": "pixel",
        "gan_weight": 0.0,
        "init": "kaiming",
    },
}


def model(kind, **options):
    torch.manual_seed(0)
    name = "pix2pix" if kind == "regression" else kind
    return i2izoo.create(name, **{"domains": DOMAINS, **METHODS[kind], **options})


def trainer(kind, out=None, *, resume=None, method=None, data=None, **options):
    options = {"steps": 4, "device": "cpu", "tensorboard": False, "sample_every": 0, **SIZES, **options}
    return i2izoo.Trainer(
        model(kind, **(method or {})), data or DATA, out=out, resume=resume, progress=False, **options
    )


def halt_at(step):
    finish = writing.replace_folder

    def halting(temporary, place):
        if place.name == f"step-{step:08d}":
            print("halted", flush=True)
            sys.stdin.read()
        finish(temporary, place)

    writing.replace_folder = halting


if __name__ == "__main__":
    kind, out, threads, options, *halt = sys.argv[1:]
    torch.set_num_threads(int(threads))
    if halt:
        halt_at(int(halt[0]))
    trainer(kind, out, **json.loads(options)).fit()
