"""Spectral norm of discriminators: the bound, the initialisation behind it, and what is stored and resumed."""

import pytest
import torch
from golden import Golden
from safetensors.torch import load_file
from torch import nn
from training_run import trainer

import i2izoo
from i2izoo.contracts.annotations import part_interface
from i2izoo.contracts.config import schema
from i2izoo.contracts.registry import registry
from i2izoo.interfaces import Discriminator
from i2izoo.models.building import build_without_memory
from i2izoo.nn.init import init_weights
from i2izoo.nn.random import seeded
from i2izoo.nn.shapes import only_shapes
from i2izoo.nn.spectral import add_spectral_norm, raw_weight

KINDS = registry("discriminators")
NAMES = [name for name in KINDS.names() if "spectral_norm" in schema(KINDS.get(name))]


def build(name, **options):
    part = KINDS.get(name)
    return part(**{**part.tiny_options, **options})


def matrices(network):
    return [m for m in network.modules() if isinstance(m, (nn.Conv2d, nn.Linear))]


def largest(layer):
    """Largest singular value of the weight that the layer works with, as a matrix outputs x (inputs x kernel)."""
    return torch.linalg.svdvals(layer.weight.detach().flatten(1).double())[0].item()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("init", ["normal", "xavier", "kaiming", "orthogonal"])
def test_the_initialisation_is_behind_the_norm(name, init):
    """The parameter is what would be drawn without the norm, bit for bit; in use its largest value is 1 at once."""
    plain, bound = build(name), build(name, spectral_norm=True)
    for network in (plain, bound):
        with seeded(3):
            init_weights(network, init, 0.02)
    for before, layer in zip(matrices(plain), matrices(bound), strict=True):
        assert torch.equal(raw_weight(layer), raw_weight(before))
        assert torch.equal(layer.bias, before.bias) if layer.bias is not None else before.bias is None
        assert 0.999 < largest(layer) < 1.15  # power iterations come from below: what they divide by is never too much


@pytest.mark.parametrize("name", [name for name in NAMES if not KINDS.get(name).defaults.get("spectral_norm")])
def test_off_unless_asked_for(name):
    bound = {m for m in build(name).modules() if isinstance(m, nn.utils.parametrize.ParametrizationList)}
    heads = getattr(build(name), "heads", nn.Module())  # which have it always
    assert len(bound) == sum(isinstance(m, nn.utils.parametrize.ParametrizationList) for m in heads.modules())
    assert not build(name).config.get("spectral_norm")


def test_the_last_layer_of_a_patchgan_in_closed_form():
    """w / |w| of a single output: its only singular value is its length."""
    judge = build("patchgan", spectral_norm=True, norm="none")
    last = judge.layers[-1]
    raw = raw_weight(last).detach()
    torch.testing.assert_close(last.weight, raw / raw.norm())


def test_slope_of_linear_layers_is_at_most_one():
    """Theorem of the paper's section 2.1: a composition of such layers and LeakyReLU is 1-Lipschitz."""
    with seeded(0):
        network = nn.Sequential(
            nn.Linear(6, 16), nn.LeakyReLU(0.2), nn.Linear(16, 16), nn.LeakyReLU(0.2), nn.Linear(16, 3)
        )
        init_weights(network, "normal", 3.0)
        a, b = torch.randn(2, 500, 6)
    plain = (network(a) - network(b)).norm(dim=1) / (a - b).norm(dim=1)
    add_spectral_norm(network)
    for _ in range(100):
        network(a)
    bound = (network(a) - network(b)).norm(dim=1) / (a - b).norm(dim=1)
    assert bound.max() < 1 + 1e-4 < 10 < plain.max()


@pytest.mark.parametrize("name", NAMES)
def test_without_memory_the_same_tensors(name):
    with only_shapes():
        planned = build(name, spectral_norm=True).state_dict()
    built = build(name, spectral_norm=True).state_dict()
    assert {k: (v.shape, v.dtype) for k, v in planned.items()} == {k: (v.shape, v.dtype) for k, v in built.items()}
    assert {v.device.type for v in planned.values()} == {"meta"}


def test_a_method_is_planned_without_memory():
    spec = {"name": "pix2pix", "generator": {"name": "unet_256", "width": 4, "depth": 3}}
    spec["discriminator"] = {"name": "patchgan", "width": 4, "spectral_norm": True}
    method = build_without_memory(spec)
    assert {p.device.type for p in method.parameters()} == {"meta"}
    assert "discriminator.layers.0.parametrizations.weight.original" in method.state_dict()


def test_a_resumed_run_is_exact(tmp_path):
    judge = {"name": "patchgan", "width": 2, "layers": 1, "norm": "batch", "spectral_norm": True}
    options = {"method": {"discriminator": judge}, "checkpoint_every": 2, "log_every": 1, "ema_half_life": 0.01}
    trainer("pix2pix", tmp_path / "whole", steps=4, **options).fit()
    trainer("pix2pix", tmp_path / "cut", steps=2, **options).fit()
    trainer("pix2pix", tmp_path / "cut", steps=4, resume="auto", **options).fit()
    for file in ("checkpoints/step-00000004/training/state.safetensors", "model/model.safetensors"):
        whole, cut = (load_file(tmp_path / run / file) for run in ("whole", "cut"))
        assert whole.keys() == cut.keys()
        assert [k for k in whole if not torch.equal(whole[k], cut[k])] == []
        vectors = {k for k in whole if k.endswith((".weight.0._u", ".weight.0._v"))}
        assert bool(vectors) == file.startswith("checkpoints")
    assert i2izoo.load(tmp_path / "cut" / "model").method.config["discriminator"]["spectral_norm"] is True


def _own(method, option):
    """Name of the part that a method has for an option."""
    with torch.device("meta"):
        return method(**method.tiny_options).config[option]["name"]


def _with_a_discriminator():
    for name in registry("methods").names():
        part = registry("methods").get(name)
        options = {n: part_interface(o.annotation) for n, o in schema(part).items()}
        found = [n for n, kind in options.items() if kind is Discriminator]
        if found and part.tiny_options is not None and all(_own(part, n) in NAMES for n in found):
            yield pytest.param(part, found, id=name)


@pytest.mark.parametrize(("method", "options"), list(_with_a_discriminator()))
def test_every_method_gives_it_to_its_discriminators(method, options):
    plain = method(**method.tiny_options).config
    built = method(**method.tiny_options | {option: plain[option] | {"spectral_norm": True} for option in options})
    judges = [
        m for m in built.modules() if isinstance(m, Discriminator) and (m.defaults | m.config).get("spectral_norm")
    ]
    assert judges
    for judge in judges:
        for layer in matrices(judge):
            assert 0.999 < largest(layer) < 1.15


def test_a_stored_discriminator_is_what_it_was():
    """Recorded from the public implementation: without the option names and outputs are those of before."""
    golden = Golden("bicyclegan_discriminator_multi")
    part = registry("discriminators").build({"name": "multiscale", "width": 4}, in_channels=3)
    assert {f"model_{k[7]}.{k[16:]}" for k in part.state_dict()} == set(golden.state)
