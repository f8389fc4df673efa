"""Checkpoints of original code, damaged in every way: imported, or refused in one sentence."""

import random

import torch
from fuzzing import cases, sensible
from i2izoo_gan.bicyclegan import BicycleGAN
from i2izoo_gan.cut import CUT
from i2izoo_gan.cyclegan import CycleGAN
from i2izoo_gan.pix2pix import Pix2Pix
from originals import LatentUnet, PatchGAN, Resnet, Unet
from torch import nn

from i2izoo.interfaces import Method

ENCODER = nn.ModuleDict(
    {
        "conv": nn.Sequential(nn.Conv2d(3, 2, 4, 2, 1), nn.LeakyReLU(0.2), nn.Conv2d(2, 4, 4, 2, 1)),
        "fc": nn.Sequential(nn.Linear(4, 2)),
        "fcVar": nn.Sequential(nn.Linear(4, 2)),
    }
)
MLPS = nn.ModuleDict(
    {f"mlp_{i}": nn.Sequential(nn.Linear(c, 4), nn.ReLU(), nn.Linear(4, 4)) for i, c in enumerate((3, 8, 16, 16, 16))}
)
ORIGINALS: list[tuple[type[Method], dict[str, nn.Module]]] = [
    (Pix2Pix, {"G": Unet(), "D": PatchGAN(6)}),
    (Pix2Pix, {"G": Resnet(blocks=1, norm="none", dropout=True)}),
    (CycleGAN, {"G_A": Resnet(blocks=1), "G_B": Resnet(blocks=1), "D_A": PatchGAN(), "D_B": PatchGAN()}),
    (CUT, {"G": Resnet(blocks=5, blur_down=True, blur_up=True), "F": MLPS, "D": PatchGAN(blur=True)}),
    (BicycleGAN, {"G": LatentUnet(), "E": ENCODER}),
    (BicycleGAN, {"G": Unet(depth=4, latent=2, norm="none", bicycle=True, bilinear=True), "E": ENCODER}),
]


def damage(draw, state):
    """A state dict with one thing wrong."""
    name = draw.choice(list(state))
    state = dict(state)
    tensor = state[name]
    numbers = [part for part in name.split(".") if part.isdigit()]
    ways = {
        "missing": lambda: state.pop(name),
        "few": lambda: [state.pop(key) for key in draw.sample(list(state), len(state) // 2)],
        "none": state.clear,
        "shape": lambda: state.update({name: tensor.new_zeros(draw.choice([(), (0,), (1,), (2, 3), (2,) * 6]))}),
        "turned": lambda: state.update({name: tensor.T if tensor.ndim == 2 else tensor.transpose(0, -1)}),
        "empty": lambda: state.update({name: tensor.flatten()[:0]}),
        "kind": lambda: state.update({name: tensor.long()}),
        "named": lambda: state.update({draw.choice(["x", "", "model.", "a\x1b[2J", "\ud800", name * 9]): tensor}),
        "number": lambda: state.update(
            {name.replace(draw.choice(numbers), draw.choice(["0", "7", "99", "²", "1" * 30]), 1): tensor}
        ),
        "nested": lambda: state.update({"model.model" + ".1.model" * 40 + ".1.weight": torch.zeros(1, 1, 4, 4)}),
    }
    ways[draw.choice([way for way in ways if numbers or way != "number"])]()
    return state


@cases(100, slow=500)
def test_import(seed):
    draw = random.Random(seed)
    kind, networks = draw.choice(ORIGINALS)
    files = {f"latest_net_{role}.pth": network.state_dict() for role, network in networks.items()}
    for _ in range(draw.randint(1, 3)):
        file = draw.choice(list(files))
        if draw.random() < 0.8:
            files[file] = damage(draw, files[file]) if files[file] else {}
        else:
            files[draw.choice(["", "G.pth", "x.pth", "net_D2.pth", "net_G_B.pth"])] = files.pop(file)
    options = draw.choice(
        [{}, {}, {"generator": {"dropout": 0.1}}, {"generator": {"width": 3}}, {"generator": "unet_128"}]
    )
    sensible(lambda: kind.import_checkpoints(files, **options))
