"""Checkpoints of the original code, as files, to methods of ours."""

import pytest
import torch
from golden import Golden, assert_equal
from i2izoo_gan.cyclegan import CycleGAN
from i2izoo_gan.pix2pix import Pix2Pix
from torch import nn

from i2izoo.errors import ConfigError
from i2izoo.models.foreign import read_state_dict


def write(folder, name, state):
    """What the original code writes, read as `i2izoo import` reads it."""
    torch.save(state, folder / name)
    return {name: read_state_dict(folder / name)}


def with_instance_statistics(golden):
    """A state dict from before PyTorch 0.4, whose instance norms (indices 2, 5, 8, ...) stored statistics."""
    state = dict(golden.state)
    for key in list(state):
        head, _, leaf = key.rpartition(".")
        if leaf == "weight" and not head.endswith("model.26"):
            stem, _, index = head.rpartition(".")
            channels = state[f"{head}.bias"].numel()
            state[f"{stem}.{int(index) + 1}.running_mean"] = torch.randn(channels)
            state[f"{stem}.{int(index) + 1}.running_var"] = torch.rand(channels)
            state[f"{stem}.{int(index) + 1}.num_batches_tracked"] = torch.tensor(3)
    return state


def patchgan(channels, width=2, bias=True):
    """The original's PatchGAN-70 as a plain Sequential, with its key names (`model.0.weight`, ...)."""
    widths = [channels, width, 2 * width, 4 * width, 8 * width]
    layers = [nn.Conv2d(channels, width, 4, 2, 1), nn.LeakyReLU(0.2)]
    for before, after, stride in zip(widths[1:], widths[2:], (2, 2, 1), strict=False):
        norm = nn.InstanceNorm2d(after) if bias else nn.BatchNorm2d(after)
        layers += [nn.Conv2d(before, after, 4, stride, 1, bias=bias), norm, nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers, nn.Conv2d(widths[-1], 1, 4, 1, 1)).eval()


def original_names(sequence):
    return {f"model.{k}": v for k, v in sequence.state_dict().items()}


@torch.inference_mode()
def test_pix2pix_generator_alone(tmp_path):
    golden = Golden("generator_unet_256_batch")
    method = Pix2Pix.import_checkpoints(write(tmp_path, "latest_net_G.pth", golden.state), domains=["label", "photo"])
    image = method.eval()(golden["input.image"], to="photo")
    assert_equal(image, golden["output.image"])
    # the checkpoint is of the PyTorch code, which drops out on d2, d3 and d4
    dropped = [i for i, up in enumerate(method.generator.up, 1) if any(isinstance(m, nn.Dropout) for m in up)]
    assert dropped == [2, 3, 4]


@torch.inference_mode()
@pytest.mark.parametrize(("channels", "conditional"), [(6, True), (3, False)])
def test_pix2pix_with_discriminator(tmp_path, channels, conditional):
    golden, discriminator = Golden("generator_unet_256_batch"), patchgan(channels, bias=False)
    files = write(tmp_path, "My_Data_net_G.pth", {f"module.{k}": v for k, v in golden.state.items()})
    files |= write(tmp_path, "latest_net_D.pth", original_names(discriminator))
    method = Pix2Pix.import_checkpoints(files).eval()
    assert (method.conditional, method.config["discriminator"]["norm"]) == (conditional, "batch")
    image = torch.randn(1, channels, 64, 64)
    (logits,) = method.discriminator(image)
    assert_equal(logits, discriminator(image))


def test_options_are_laid_over_what_the_tensors_say(tmp_path):
    golden = Golden("generator_unet_256_batch")
    files = write(tmp_path, "latest_net_G.pth", golden.state)
    method = Pix2Pix.import_checkpoints(files, generator={"dropout": 0.0}, inference="paper")
    assert method.config["generator"]["width"] == 2
    assert not any(isinstance(m, nn.Dropout) for m in method.generator.modules())


@torch.inference_mode()
@pytest.mark.parametrize("discriminators", [False, True])
def test_cyclegan(tmp_path, discriminators):
    ab = Golden("generator_resnet_9blocks_instance")
    ba = {k: v + 0.01 * torch.randn(v.shape, generator=torch.Generator().manual_seed(1)) for k, v in ab.state.items()}
    files = write(tmp_path, "latest_net_G_B.pth", ba) | write(tmp_path, "latest_net_G_A.pth", ab.state)
    judges = {"A": patchgan(3), "B": patchgan(3)}
    if discriminators:
        for side, judge in judges.items():
            files |= write(tmp_path, f"latest_net_D_{side}.pth", original_names(judge))
    method = CycleGAN.import_checkpoints(files, domains=["horse", "zebra"]).eval()
    image = ab["input.image"]
    assert_equal(method(image, to="zebra"), ab["output.image"])  # G_A translates A, the first domain, to B
    assert (method(image, to="horse") - ab["output.image"]).abs().max() > 1e-2
    if discriminators:  # D_A judges what G_A makes
        for side, domain in (("A", "zebra"), ("B", "horse")):
            assert_equal(method.discriminator[f"of_{domain}"](image)[0], judges[side](image))


@torch.inference_mode()
def test_instance_statistics_of_old_checkpoints_are_dropped(tmp_path):
    golden = Golden("generator_resnet_9blocks_instance")
    state = with_instance_statistics(golden)
    assert len(state) > 1.5 * len(golden.state)
    files = write(tmp_path, "a_net_G_A.pth", state) | write(tmp_path, "a_net_G_B.pth", golden.state)
    assert_equal(CycleGAN.import_checkpoints(files).eval()(golden["input.image"], to="target"), golden["output.image"])


@torch.inference_mode()
@pytest.mark.parametrize(
    ("name", "leaves"),
    [
        ("generator_resnet_9blocks_instance", {5: 6}),
        ("generator_resnet_6blocks_batch", {5: 6, 6: 7}),
    ],
)
def test_the_dropout_layout_is_recognised(tmp_path, name, leaves):
    """With dropout a block's second convolution has index 6 instead of 5, and its norm 7."""
    golden = Golden(name)
    state = {}
    for key, tensor in golden.state.items():
        stem, block, rest = key.partition(".conv_block.")
        index, _, leaf = rest.partition(".")
        state[f"{stem}{block}{leaves.get(int(index), index)}.{leaf}" if block else key] = tensor
    assert state.keys() != golden.state.keys()
    method = Pix2Pix.import_checkpoints(write(tmp_path, "latest_net_G.pth", state)).eval()
    assert method.config["generator"]["dropout"] == 0.5
    assert_equal(method(golden["input.image"], to="target"), golden["output.image"])


@pytest.mark.parametrize(
    ("method", "names", "words"),
    [
        (Pix2Pix, ["latest_net_D.pth"], r"_G, _D, at most one each, and needs G; found latest_net_D\.pth"),
        (Pix2Pix, ["a_net_G.pth", "b_net_G.pth"], r"found a_net_G\.pth and b_net_G\.pth, both taken for G"),
        (CycleGAN, ["latest_net_D_A.pth"], "needs G_A or G_B"),
        (CycleGAN, ["A.pth", "B.pth"], r"_G_A, _G_B, _D_A, _D_B, .* both taken for G_A; .*--as ROLE=FILE"),
        (CycleGAN, ["x_net_G_A.pth", "x_net_G_B.pth", "x_net_D_A.pth"], "both discriminators or none"),
    ],
)
def test_missing_and_surplus_files_are_named(method, names, words):
    state = Golden("discriminator_patch_70_instance").state
    with pytest.raises(ConfigError, match=words):
        method.import_checkpoints(dict.fromkeys(names, state))


def test_what_is_no_network_of_the_papers_is_refused():
    state = Golden("discriminator_patch_70_instance").state
    with pytest.raises(ConfigError, match=r"x_G\.pth is not a generator"):
        Pix2Pix.import_checkpoints({"x_G.pth": state})
    unet = Golden("generator_unet_256_batch").state
    with pytest.raises(ConfigError, match=r"x_D\.pth is not a PatchGAN"):
        Pix2Pix.import_checkpoints({"x_G.pth": unet, "x_D.pth": unet})
    extra = unet | {"model.model.9.weight": torch.zeros(1)}
    with pytest.raises(ConfigError, match=r"model\.model\.9\.weight"):
        Pix2Pix.import_checkpoints({"x_G.pth": extra})


@torch.inference_mode()
def test_depth_and_unequal_channels_are_read_off(tmp_path):
    unet = Pix2Pix(in_channels=1, out_channels=3, generator={"name": "unet_256", "width": 2, "depth": 5})
    # the original nests its levels: level l is model.model.(1|3.model)..., numbered without what a level lacks
    state, prefix = {}, "model.model"
    for level in range(5):
        outer, inner = level == 0, level == 4
        down, up = (0, 3) if outer else (1, 3) if inner else (1, 5)
        step = 4 - level
        parts = [(down, unet.generator.down[level][1]), (up, unet.generator.up[step][1])]
        parts += [] if outer else [(up + 1, unet.generator.up[step][2])]
        parts += [] if outer or inner else [(down + 1, unet.generator.down[level][2])]
        for index, layer in parts:
            state |= {f"{prefix}.{index}.{k}": v for k, v in layer.state_dict().items()}
        prefix += ".1.model" if outer else ".3.model"
    found = Pix2Pix.import_checkpoints(write(tmp_path, "latest_net_G.pth", state))
    assert found.config["generator"]["depth"] == 5
    assert found.channels == {"source": 1, "target": 3}
    image = torch.randn(1, 1, 32, 32)
    assert_equal(found.eval()(image, to="target"), unet.eval()(image, to="target"))
