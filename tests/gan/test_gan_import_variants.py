"""Every variant of the originals' networks, as plain torch, imported: the same outputs, and the options that it has."""

import pytest
import torch
from i2izoo_gan.bicyclegan import BicycleGAN
from i2izoo_gan.cut import CUT
from i2izoo_gan.cyclegan import CycleGAN
from i2izoo_gan.pix2pix import Pix2Pix
from originals import LatentUnet, PatchGAN, PixelGAN, Resnet, Unet, drawn
from test_encoders import plain_cnn
from torch import nn

from i2izoo.contracts.checkpoints import read
from i2izoo.errors import ConfigError

IMAGE = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(3), dtype=torch.float64) * 2 - 1
ACTIVATIONS = {"relu": nn.ReLU, "leaky_relu": lambda: nn.LeakyReLU(0.2), "elu": nn.ELU}


def assert_same(found, wanted):
    """In double precision, where other kernels round alike: instance norms of few pixels enlarge what is not."""
    torch.testing.assert_close(found, wanted, rtol=1e-9, atol=1e-9)


@torch.inference_mode()
@pytest.mark.parametrize("method", [Pix2Pix, CUT])
@pytest.mark.parametrize("norm", ["batch", "instance", "none"])
@pytest.mark.parametrize(
    ("down", "up", "antialias"),
    [(False, False, False), (True, True, True), (True, False, "down"), (False, True, "up")],
    ids=["no blur", "blur", "no_antialias_up", "no_antialias"],
)
def test_resnet(method, norm, down, up, antialias):
    original = drawn(Resnet(norm=norm, blur_down=down, blur_up=up, blocks=5))
    imported = method.import_checkpoints({"latest_net_G.pth": original.state_dict()}).eval().double()
    spec = imported.config["generator"]
    assert (spec["norm"], spec["antialias"], spec["blocks"], spec["dropout"]) == (norm, antialias, 5, 0.0)
    assert_same(imported(IMAGE, to="target"), original(IMAGE))


@torch.inference_mode()
@pytest.mark.parametrize(("method", "dropout"), [(Pix2Pix, 0.5), (CUT, 0.0)])
@pytest.mark.parametrize("norm", ["batch", "instance", "none"])
def test_unet(method, dropout, norm):
    """The dropout of a U-Net leaves no trace; each code base trains with its own unless told otherwise."""
    original = drawn(Unet(norm=norm))
    files = {"latest_net_G.pth": original.state_dict()}
    imported = method.import_checkpoints(files).eval().double()
    spec = imported.config["generator"]
    assert (spec["norm"], spec["depth"], spec["dropout"]) == (norm, 5, dropout)
    assert_same(imported(IMAGE, to="target"), original(IMAGE))
    assert read(method, files, {}).assumed == {"generator.dropout": dropout}
    said = method.import_checkpoints(files, generator={"dropout": 0.25})
    assert said.config["generator"] == spec | {"dropout": 0.25}
    assert read(method, files, {"generator": {"dropout": 0.25}}).assumed == {}


def test_a_cut_with_a_unet_compares_the_levels_of_its_encoder():
    imported = CUT.import_checkpoints({"latest_net_G.pth": drawn(Unet(depth=6)).state_dict()})
    assert imported.layers == ["e1", "e2", "e3", "e4", "e5"]


@torch.inference_mode()
@pytest.mark.parametrize("method", [Pix2Pix, CycleGAN, CUT])
@pytest.mark.parametrize("norm", ["batch", "instance", "none"])
@pytest.mark.parametrize(("kind", "options"), [(PatchGAN, {}), (PatchGAN, {"layers": 2, "blur": True}), (PixelGAN, {})])
def test_discriminators(method, norm, kind, options):
    original = drawn(kind(norm=norm, **options))
    roles = ("G_A", "D_A") if method is CycleGAN else ("G", "D")
    files = {f"net_{role}.pth": net.state_dict() for role, net in zip(roles, (drawn(Resnet()), original), strict=True)}
    imported = method.import_checkpoints(files).eval().double()
    discriminator = imported.discriminator["of_target"] if method is CycleGAN else imported.discriminator
    assert imported.config["discriminator"]["norm"] == norm
    assert_same(discriminator(IMAGE)[0], original(IMAGE))


def test_what_has_no_bias_trains_on_with_zeros():
    imported = Pix2Pix.import_checkpoints({"net_G.pth": drawn(Resnet(norm="none")).state_dict()})
    biases = {k: v for k, v in imported.generator.named_parameters() if k.endswith("bias") and "conv_out" not in k}
    assert biases
    assert not any(v.any() for v in biases.values())


# ---------------------------------------------------------------------------------------------------------- BicycleGAN


@torch.inference_mode()
@pytest.mark.parametrize("activation", ["relu", "leaky_relu", "elu"])
@pytest.mark.parametrize("bilinear", [False, True])
@pytest.mark.parametrize("where", ["input", "all"])
def test_bicyclegan(where, bilinear, activation):
    options = {"bilinear": bilinear, "activation": ACTIVATIONS[activation]}
    original = drawn(
        LatentUnet(**options) if where == "all" else Unet(depth=4, norm="instance", latent=2, bicycle=True, **options)
    )
    files = {"a_net_G.pth": original.state_dict(), "a_net_E.pth": plain_cnn(2).state_dict()}
    imported = BicycleGAN.import_checkpoints(files, generator={"activation": activation}).eval().double()
    spec = imported.config["generator"]
    assert (spec["latent_at"], spec["upsample"]) == (where, "bilinear" if bilinear else "transposed")
    assert imported.channels == {"source": 3, "target": 3}
    z = torch.randn(2, 2, dtype=torch.float64)
    assert_same(imported(IMAGE, to="target", latent=z), original(IMAGE, z))
    assumed = read(BicycleGAN, files, {}).assumed
    assert assumed == {"generator.dropout": 0.0, "generator.activation": "relu"}


@torch.inference_mode()
@pytest.mark.parametrize("bilinear", [False, True])
def test_bicyclegan_without_norm(bilinear):
    original = drawn(Unet(depth=4, norm="none", latent=2, bicycle=True, bilinear=bilinear))
    files = {"a_net_G.pth": original.state_dict(), "a_net_E.pth": plain_cnn(2).state_dict()}
    imported = BicycleGAN.import_checkpoints(files).eval().double()
    assert imported.config["generator"]["norm"] == "none"
    z = torch.randn(2, 2, dtype=torch.float64)
    assert_same(imported(IMAGE, to="target", latent=z), original(IMAGE, z))


# ------------------------------------------------------------------------------------------------ one generator a file


@torch.inference_mode()
@pytest.mark.parametrize(
    ("file", "to", "source"),
    [("horse2zebra.pth", "zebra", "horse"), ("x_net_G_A.pth", "zebra", "horse"), ("x_net_G_B.pth", "horse", "zebra")],
)
def test_a_generator_alone_translates_one_way(file, to, source):
    original = drawn(Resnet())
    imported = CycleGAN.import_checkpoints({file: original.state_dict()}, domains=["horse", "zebra"]).eval().double()
    assert imported.directions == {to: source}
    assert set(imported.domains) == {"horse", "zebra"}
    assert_same(imported(IMAGE, to=to), original(IMAGE))
    names = {name.split(".")[1] for name in imported.inference_state()}
    assert names == {f"to_{to}"}


@pytest.mark.parametrize(("file", "channels"), [("x_net_G_A.pth", [3, 1]), ("x_net_G_B.pth", [1, 3])])
def test_a_generator_alone_has_its_channels(file, channels):
    state = drawn(Resnet()).state_dict()
    state = {k: v[:1] if k.startswith("model.21.") and len(v) == 3 else v for k, v in state.items()}
    last = max((k for k in state if k.endswith(".bias")), key=lambda k: int(k.split(".")[1]))
    head = last.removesuffix(".bias")
    state |= {last: state[last][:1], f"{head}.weight": state[f"{head}.weight"][:1]}
    imported = CycleGAN.import_checkpoints({file: state})
    assert imported.config["channels"] == channels
    assert imported.identity_weight == 0


def test_only_to_is_one_of_the_domains():
    with pytest.raises(ConfigError, match=r"only_to is one of the domains, source, target; found 'zebra'"):
        CycleGAN(only_to="zebra", **CycleGAN.tiny_options)
