"""The encoders of BicycleGAN: against its recording, against plain torch, and at any size."""

import pytest
import torch
from golden import Golden
from i2izoo_gan.encoders import CNNEncoder, ResNetEncoder
from i2izoo_gan.import_bicyclegan import encoder_from_original
from torch import nn

from i2izoo.contracts.registry import registry
from i2izoo.errors import ConfigError


def plain_cnn(latent, width=2, layers=5, channels=3):
    """E_CNN as the original writes it: its key names, and an average over 8 x 8."""
    widths = [channels, *(width * min(2**level, 4) for level in range(layers))]
    modules = []
    for level in range(layers):
        modules.append(nn.Conv2d(widths[level], widths[level + 1], 4, 2, 1))
        modules += [nn.InstanceNorm2d(widths[level + 1])] if level else []
        modules.append(nn.LeakyReLU(0.2))
    network = nn.Module()
    network.conv = nn.Sequential(*modules, nn.AvgPool2d(8))
    network.fc = nn.Sequential(nn.Linear(widths[-1], latent))
    network.fcVar = nn.Sequential(nn.Linear(widths[-1], latent))
    return network


@torch.inference_mode()
def test_resnet_encoder_against_the_recording():
    golden = Golden("bicyclegan_encoder_resnet_256")
    spec, weights, latent = encoder_from_original("latest_net_E.pth", golden.state)
    assert (spec, latent) == ({"name": "resnet_encoder", "width": 4, "blocks": 4, "norm": "instance"}, 8)
    part = registry("encoders").build(spec, in_channels=3, latent=latent)
    part.load_state_dict(weights)
    found = part.eval()(golden["input.image"])
    for values, name in zip(found, ("mean", "log_variance"), strict=True):
        recorded = golden[f"output.{name}"]
        assert (values - recorded).abs().max() <= 1e-5 * recorded.abs().max()  # they are small


@pytest.mark.parametrize(("layers", "side"), [(5, 256), (4, 128)])
@torch.inference_mode()
def test_cnn_encoder_against_plain_torch(layers, side):
    torch.manual_seed(0)
    original = plain_cnn(2, layers=layers).eval()
    spec, weights, latent = encoder_from_original("latest_net_E.pth", original.state_dict())
    assert spec == {"name": "cnn_encoder", "layers": layers, "width": 2, "norm": "instance"}
    part = registry("encoders").build(spec, in_channels=3, latent=latent)
    part.load_state_dict(weights)
    image = torch.randn(2, 3, side, side)
    features = original.conv(image).flatten(1)
    mean, log_variance = part.eval()(image)
    torch.testing.assert_close(mean, original.fc(features))
    torch.testing.assert_close(log_variance, original.fcVar(features))


def test_widths_are_the_papers():
    blocks = [m for m in ResNetEncoder().layers if hasattr(m, "shortcut")]
    assert [b.shortcut[1].out_channels for b in blocks] == [128, 192, 256, 256]
    convolutions = [m for m in CNNEncoder().layers if isinstance(m, nn.Conv2d)]
    assert [m.out_channels for m in convolutions] == [64, 128, 256, 256, 256]


@pytest.mark.parametrize("latent", [2, 8, 256])
@pytest.mark.parametrize("kind", [ResNetEncoder, CNNEncoder])
@pytest.mark.parametrize("size", [(1, 1), (7, 40), (64, 64), (130, 66)])
@torch.inference_mode()
def test_any_size_and_any_latent(kind, latent, size):
    mean, log_variance = kind(in_channels=1, latent=latent, width=2)(torch.rand(2, 1, *size))
    assert mean.shape == log_variance.shape == (2, latent)
    assert torch.isfinite(mean).all()


@pytest.mark.parametrize("kind", [ResNetEncoder, CNNEncoder])
def test_the_image_reaches_the_latent_at_the_smallest_size(kind):
    """An instance norm over one pixel would leave nothing."""
    torch.manual_seed(0)
    part = kind(width=4)
    images = torch.rand(2, 3, part.min_size, part.min_size)
    first, second = part(images)[0]
    assert (first - second).abs().max() > 1e-4


def test_impossible_options_are_named():
    with pytest.raises(ConfigError, match=r"'blocks' .* from 1 to 12, found 0"):
        ResNetEncoder(blocks=0)
    with pytest.raises(ConfigError, match=r"'layers' .* from 1 to 12, found 0"):
        CNNEncoder(layers=0)
    with pytest.raises(ConfigError, match=r"'latent' .* from 1 to 65536, found 0"):
        CNNEncoder(latent=0)
