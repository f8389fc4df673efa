"""Checkpoints of BicycleGAN's original code to methods of ours."""

import copy

import pytest
import torch
from golden import Golden, assert_equal
from i2izoo_gan.bicyclegan import CLRGAN, CVAEGAN, BicycleGAN
from test_encoders import plain_cnn
from torch import nn

from i2izoo.errors import ConfigError
from i2izoo.models.foreign import read_state_dict


def write(folder, **states):
    """Files as the authors' code names them, read as `i2izoo import` reads them."""
    for role, state in states.items():
        torch.save(state, folder / f"latest_net_{role}.pth")
    return {f"latest_net_{role}.pth": read_state_dict(folder / f"latest_net_{role}.pth") for role in states}


@pytest.fixture(scope="module")
def recorded():
    names = {"G": "generator_add_to_all", "E": "encoder_resnet_256", "D": "discriminator_multi"}
    return {role: Golden(f"bicyclegan_{name}") for role, name in names.items()}


@torch.inference_mode()
def test_original_checkpoints(tmp_path, recorded):
    G, E, D = (recorded[role] for role in "GED")
    random = {k: v + 0.1 for k, v in D.state.items()}
    files = write(tmp_path, G=G.state, E=E.state, D=D.state, D2=random)
    method = BicycleGAN.import_checkpoints(files, domains=["label", "photo"]).eval()
    # the instance norms of a few pixels enlarge rounding: in single precision the original itself is 1.6e-5 beside what
    # double precision gives, and machines differ from one another by more than 1e-5
    exact = copy.deepcopy(method).double()(G["input.image"].double(), to="photo", latent=G["input.latent"].double())
    torch.testing.assert_close(exact.float(), G["output.image"], rtol=0, atol=2e-5)
    recorded_mean = E["output.mean"]
    assert (method.encode(E["input.image"]) - recorded_mean).abs().max() <= 1e-5 * recorded_mean.abs().max()
    for index, logits in enumerate(method.discriminator["encoded"](D["input.image"])):
        assert_equal(logits, D[f"output.logits_{index}"])
    assert all(
        torch.equal(v, random[f"model_{k[7]}.{k[16:]}"]) for k, v in method.discriminator["random"].state_dict().items()
    )


@pytest.mark.parametrize(
    ("kind", "discriminator"), [(BicycleGAN, {}), (CVAEGAN, {"D"}), (CLRGAN, {"D2"}), (BicycleGAN, {"D", "D2"})]
)
def test_which_discriminators_are_imported(tmp_path, recorded, kind, discriminator):
    files = write(
        tmp_path, G=recorded["G"].state, E=recorded["E"].state, **dict.fromkeys(discriminator, recorded["D"].state)
    )
    method = kind.import_checkpoints(files)
    assert method.conditional is False
    for own in method.discriminator.values() if discriminator else ():
        assert torch.equal(own.state_dict()["scales.0.layers.0.weight"], recorded["D"].state["model_0.0.weight"])


class OriginalUnet(nn.Module):
    """The authors' block of a U-Net whose latent is at the input: `cat([block(x), x])`, other than in pix2pix."""

    def __init__(self, outer, inner, before=None, submodule=None, outermost=False):
        super().__init__()
        down = nn.Conv2d(before or outer, inner, 4, 2, 1)
        up = nn.ConvTranspose2d(inner * (2 if submodule else 1), outer, 4, 2, 1)
        self.outermost = outermost
        if outermost:
            layers = [down, submodule, nn.ReLU(), up, nn.Tanh()]
        elif submodule is None:
            layers = [nn.LeakyReLU(0.2), down, nn.ReLU(), up, nn.InstanceNorm2d(outer)]
        else:
            layers = [
                nn.LeakyReLU(0.2),
                down,
                nn.InstanceNorm2d(inner),
                submodule,
                nn.ReLU(),
                up,
                nn.InstanceNorm2d(outer),
            ]
        self.model = nn.Sequential(*layers)

    def forward(self, x):
        return self.model(x) if self.outermost else torch.cat([self.model(x), x], dim=1)


@torch.inference_mode()
def test_latent_at_the_input_with_cnn_encoder_and_plain_conditional_discriminator(tmp_path):
    torch.manual_seed(0)
    block = OriginalUnet(16, 32)
    block = OriginalUnet(8, 16, submodule=block)
    block = OriginalUnet(4, 8, submodule=block)
    original = nn.Module()
    original.model = OriginalUnet(3, 4, before=1 + 2, submodule=block, outermost=True)
    layers = {0: nn.Conv2d(4, 2, 4, 2, 1), 2: nn.Conv2d(2, 4, 4, 1, 1), 5: nn.Conv2d(4, 1, 4, 1, 1)}
    discriminator = {f"model.{index}.{k}": v for index, layer in layers.items() for k, v in layer.state_dict().items()}
    files = write(tmp_path, G=original.state_dict(), E=plain_cnn(2).state_dict(), D=discriminator, D2=discriminator)
    method = BicycleGAN.import_checkpoints(files).eval()
    assert method.config["generator"]["latent_at"] == "input"
    assert (method.channels, method.latent_size, method.conditional) == ({"source": 1, "target": 3}, 2, True)
    assert (method.config["encoder"]["name"], method.config["discriminator"]["name"]) == ("cnn_encoder", "patchgan")
    image, z = torch.randn(2, 1, 32, 32), torch.randn(2, 2)
    expected = original.model(torch.cat([image, z[:, :, None, None].expand(-1, -1, 32, 32)], dim=1))
    assert_equal(method(image, to="target", latent=z), expected)


@torch.inference_mode()
def test_bilinear_upsampling_at_all_levels(tmp_path):
    """Up is [ReLU, Upsample, ReflectionPad, Conv 3 x 3] there; the skip is behind what comes up."""

    def block(before, inner, after, submodule=None):
        part = nn.Module()
        part.down = nn.Sequential(nn.Identity(), nn.Conv2d(before + 2, inner, 4, 2, 1))
        deep = inner * (2 if submodule else 1)
        part.up = nn.Sequential(
            nn.ReLU(), nn.Upsample(scale_factor=2, mode="bilinear"), nn.ReflectionPad2d(1), nn.Conv2d(deep, after, 3)
        )
        if submodule:
            part.submodule = submodule
        return part

    def run(part, x, z, level=0):
        norm = nn.functional.instance_norm
        wide = torch.cat([x, z[:, :, None, None].expand(-1, -1, *x.shape[2:])], dim=1)
        inner = part.down(nn.functional.leaky_relu(wide, 0.2) if level else wide)
        if hasattr(part, "submodule"):
            inner = run(part.submodule, norm(inner) if level else inner, z, level + 1)
        out = part.up(inner)
        return torch.cat([norm(out), x], dim=1) if level else out.tanh()

    torch.manual_seed(0)
    original = nn.Module()
    original.model = block(3, 4, 3, block(4, 8, 4, block(8, 16, 8)))
    state = {k.replace("model.down.1.", "model.down.0."): v for k, v in original.state_dict().items()}
    files = write(tmp_path, G=state, E=plain_cnn(2).state_dict())
    method = BicycleGAN.import_checkpoints(files).eval()
    assert method.config["generator"]["upsample"] == "bilinear"
    image, z = torch.randn(2, 3, 32, 32), torch.randn(2, 2)
    assert_equal(method(image, to="target", latent=z), run(original.model, image, z))


@pytest.mark.parametrize(
    ("roles", "words"),
    [
        (["G"], "needs G and E"),
        (["E", "D"], "and needs G and E; found"),
        (["G", "E", "D"], "all of its discriminators or none"),
        (["G", "E", "X"], "_G, _E, _D, _D2"),
    ],
)
def test_missing_and_surplus_files_are_named(recorded, roles, words):
    files = {f"latest_net_{role}.pth": recorded[role if role in "GED" else "D"].state for role in roles}
    with pytest.raises(ConfigError, match=words):
        BicycleGAN.import_checkpoints(files)


BATCH_NORM = ("model.down.2.running_mean", "model.down.2.weight")  # without a weight it is what old instance norms left


def test_what_is_no_network_of_the_paper_is_refused(recorded):
    G, E, D = (recorded[role].state for role in "GED")
    for files, words in (
        ({"G": D, "E": E}, "not a generator"),
        ({"G": G, "E": G}, "not an encoder"),
        ({"G": G, "E": E, "D": G, "D2": D}, "not a PatchGAN"),
        ({"G": G | dict.fromkeys(BATCH_NORM, torch.zeros(4)), "E": E}, "running_mean"),
    ):
        with pytest.raises(ConfigError, match=words):
            BicycleGAN.import_checkpoints({f"x_{role}.pth": state for role, state in files.items()})
