"""The layers of the StyleGAN family against plain loops, closed forms and the paper's equations."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from i2izoo_generation.equalised import EqualisedConv2d, EqualisedLinear, lrelu
from i2izoo_generation.mapping import MappingNetwork, normalised
from i2izoo_generation.modulated import modulated_convolution
from i2izoo_generation.path_length import path_lengths
from i2izoo_generation.stylegan1 import adaptive_instance_norm
from i2izoo_generation.stylegan_discriminator import minibatch_deviation
from i2izoo_generation.upfirdn import convolve_down, convolve_up, downsample2d, separable, upfirdn2d, upsample2d
from torch import Tensor

from i2izoo.nn.random import seeded


def looped(x: Tensor, kernel: Tensor, up: int, down: int, before: int, after: int, gain: float) -> Tensor:
    """Upsample, pad, filter, downsample: each output pixel a sum over the taps, each tap's pixel looked up in x."""
    batch, channels, height, width = x.shape
    taps = len(kernel)
    rows = (height * up + before + after - taps) // down + 1
    columns = (width * up + before + after - taps) // down + 1
    result = torch.zeros(batch, channels, rows, columns, dtype=x.dtype)
    for row in range(rows):
        for column in range(columns):
            for i in range(taps):
                for j in range(taps):
                    y, z = row * down + i - before, column * down + j - before  # in the image with zeros in between
                    if y % up or z % up or not (0 <= y < height * up and 0 <= z < width * up):
                        continue
                    tap = kernel[taps - 1 - i, taps - 1 - j]  # a convolution, so the kernel is turned round
                    result[:, :, row, column] += gain * tap * x[:, :, y // up, z // up]
    return result


@pytest.mark.parametrize(
    ("up", "down", "padding", "gain"),
    [(1, 1, (0, 0), 1.0), (2, 1, (2, 1), 4.0), (1, 2, (1, 1), 1.0), (3, 2, (0, 2), 0.5), (2, 3, (4, 3), 1.0)],
)
def test_upfirdn_is_what_the_loop_says(up: int, down: int, padding: tuple[int, int], gain: float) -> None:
    with seeded(0):
        x, kernel = torch.randn(2, 3, 6, 5, dtype=torch.float64), torch.randn(4, 4, dtype=torch.float64)
    found = upfirdn2d(x, kernel, up=up, down=down, padding=padding, gain=gain)
    torch.testing.assert_close(found, looped(x, kernel, up, down, *padding, gain))


def test_padding_may_cut_pixels_off() -> None:
    x = torch.arange(16.0).view(1, 1, 4, 4)
    assert torch.equal(upfirdn2d(x, torch.ones(1, 1), padding=(-1, -2)), x[..., 1:2, 1:2])


def test_resampling_keeps_a_constant_image_inside() -> None:
    flat, kernel = torch.ones(1, 1, 8, 8), separable()
    torch.testing.assert_close(upsample2d(flat, kernel)[..., 2:-2, 2:-2], torch.ones(1, 1, 12, 12))
    torch.testing.assert_close(downsample2d(flat, kernel)[..., 1:-1, 1:-1], torch.ones(1, 1, 2, 2))


def test_convolutions_that_resample_are_their_steps_one_by_one() -> None:
    """Up: zeros in between, convolution, filter; down: filter, convolution, every second pixel; in plain operations."""
    with seeded(1):
        x, weight = torch.randn(2, 3, 8, 8, dtype=torch.float64), torch.randn(5, 3, 3, 3, dtype=torch.float64)
    kernel = separable().double()

    def filtered(y: Tensor) -> Tensor:
        rows = kernel.flip(0, 1).expand(y.shape[1], 1, 4, 4)
        return F.conv2d(y, rows, groups=y.shape[1])

    zeros = torch.zeros(2, 3, 16, 16, dtype=torch.float64)
    zeros[..., ::2, ::2] = x
    wide = F.conv2d(F.pad(zeros, (4, 4, 4, 4)), weight.flip(-1, -2))  # a true convolution
    up = 4 * filtered(wide)
    offset = (up.shape[-1] - 16) // 2
    expected = up[..., offset : offset + 16, offset : offset + 16]
    torch.testing.assert_close(convolve_up(x, weight, kernel), expected)

    blurred = filtered(F.pad(x, (2, 2, 2, 2)))
    torch.testing.assert_close(convolve_down(x, weight, kernel), F.conv2d(blurred, weight)[..., ::2, ::2])
    point = weight[..., 1:2, 1:2]
    torch.testing.assert_close(convolve_down(x, point, kernel), F.conv2d(downsample2d(x, kernel), point))


@pytest.mark.parametrize("up", [False, True])
@pytest.mark.parametrize("demodulate", [False, True])
def test_modulated_convolution_is_one_of_weights_for_each_image(up: bool, demodulate: bool) -> None:
    """Equations 1 and 3 of the paper, weight by weight."""
    with seeded(2):
        x, weight = torch.randn(2, 3, 4, 4, dtype=torch.float64), torch.randn(5, 3, 3, 3, dtype=torch.float64)
        style = torch.randn(2, 3, dtype=torch.float64)
    kernel = separable().double() if up else None
    rows = []
    for image, scales in zip(x, style, strict=True):
        own = weight.clone()
        for output in range(5):
            for entry in range(3):
                own[output, entry] *= scales[entry]
            if demodulate:
                own[output] /= math.sqrt(sum(w**2 for w in own[output].flatten().tolist()))
        one = image[None]
        rows.append(F.conv2d(one, own, padding=1) if kernel is None else convolve_up(one, own, kernel))
    found = modulated_convolution(x, weight, style, demodulate=demodulate, up=kernel)
    torch.testing.assert_close(found, torch.cat(rows), rtol=1e-6, atol=1e-6)


def test_demodulation_gives_every_output_the_variance_one() -> None:
    """Of inputs that are independent and of variance one, whatever the style (section 2.2)."""
    with seeded(3):
        x, weight, style = torch.randn(1, 64, 64, 64), 7 * torch.randn(4, 64, 3, 3), 3 * torch.randn(1, 64)
    inside = modulated_convolution(x, weight, style)[..., 1:-1, 1:-1]
    torch.testing.assert_close(inside.var(dim=(0, 2, 3)), torch.ones(4), atol=0.1, rtol=0)


def test_an_equalised_layer_begins_alike_and_learns_by_its_multiplier() -> None:
    """The first step of Adam moves a parameter by the rate; so the weight in effect moves by rate x multiplier x c."""
    rate, inputs = 0.1, 400
    with seeded(4):
        x = torch.rand(16, inputs) + 0.1
        layers = [EqualisedLinear(inputs, 300, bias=1.0, lr_multiplier=m) for m in (1.0, 0.01)]
    for layer, multiplier in zip(layers, (1.0, 0.01), strict=True):
        effective = layer.weight.detach() * layer.scale
        assert effective.std().item() == pytest.approx(1 / math.sqrt(inputs), rel=0.02)
        before = layer(torch.zeros(1, inputs)).detach(), effective
        assert torch.allclose(before[0], torch.ones(1, 300))
        optimizer = torch.optim.Adam(layer.parameters(), rate)
        layer(x).sum().backward()  # positive inputs: all gradients are
        optimizer.step()
        moved = before[1] - layer.weight.detach() * layer.scale
        expected = torch.full_like(moved, rate * multiplier / math.sqrt(inputs))
        torch.testing.assert_close(moved, expected, rtol=1e-3, atol=0)
        shifted = before[0] - layer(torch.zeros(1, inputs)).detach()
        torch.testing.assert_close(shifted, torch.full_like(shifted, rate * multiplier), rtol=1e-3, atol=1e-6)


def test_activations_keep_the_second_moment() -> None:
    """He initialisation as a scale: E[y^2] of a convolution's output is that of its input, but for the leak."""
    with seeded(5):
        layer, x = EqualisedConv2d(128, 256, 3), torch.randn(4, 128, 16, 16)
        inside = layer(x)[..., 1:-1, 1:-1]
    assert inside.square().mean().item() == pytest.approx(1 + 0.2**2, rel=0.05)
    assert lrelu(torch.tensor(1.0)).item() == pytest.approx(math.sqrt(2))


def test_the_deviation_of_a_group_in_loops() -> None:
    """Of six images in groups of three: images 0, 2, 4 and 1, 3, 5."""
    with seeded(6):
        x = torch.randn(6, 4, 3, 3, dtype=torch.float64)
    found = minibatch_deviation(x, 3, features=2)
    assert torch.equal(found[:, :4], x)
    for first in range(2):
        members = [first, first + 2, first + 4]
        for plane, channels in enumerate(((0, 1), (2, 3))):
            deviations = [
                torch.stack([x[m, c, i, j] for m in members]).std(unbiased=False).item()
                for c in channels for i in range(3) for j in range(3)
            ]  # fmt: skip
            for m in members:
                expected = torch.full((3, 3), sum(deviations) / len(deviations), dtype=torch.float64)
                torch.testing.assert_close(found[m, 4 + plane], expected, rtol=1e-6, atol=1e-6)


def test_a_batch_that_no_group_divides_has_smaller_groups() -> None:
    x = torch.tensor([-1.0, 0.0, 1.0, 4.0, 5.0]).view(5, 1, 1, 1)
    assert minibatch_deviation(x, 4)[:, 1].flatten().tolist() == pytest.approx([1e-4] * 5)  # five groups of one
    assert minibatch_deviation(x[:4], 2)[:, 1].flatten().tolist() == pytest.approx([1.0, 2.0, 1.0, 2.0])


def test_the_mapping_network_layer_by_layer() -> None:
    with seeded(7):
        network = MappingNetwork(latent=5, condition=3, width=6, layers=2)
        z, told = torch.randn(4, 5), torch.eye(3)[[0, 1, 2, 0]]
    assert network.embed is not None

    def unit(v: Tensor) -> Tensor:
        return v / (v.norm(dim=1, keepdim=True) / math.sqrt(v.shape[1]))

    embedded = told @ network.embed.weight.T / math.sqrt(3) + network.embed.bias
    x = torch.cat([unit(z), unit(embedded)], dim=1)
    for layer in network.layers:
        x = x @ layer.weight.T * 0.01 / math.sqrt(x.shape[1]) + 0.01 * layer.bias  # type: ignore[operator, union-attr]
        x = math.sqrt(2) * torch.where(x > 0, x, 0.2 * x)
    torch.testing.assert_close(network(z, told), x)
    torch.testing.assert_close(normalised(z).square().mean(dim=1), torch.ones(4))


def test_the_average_forgets_by_its_decay_and_truncation_goes_towards_it() -> None:
    network = MappingNetwork(latent=2, condition=0, width=2, layers=1)
    for _ in range(3):
        network.track(torch.tensor([[1.0, 3.0], [3.0, 5.0]]))
    average = (1 - 0.995**3) * torch.tensor([2.0, 4.0])
    torch.testing.assert_close(network.average, average)
    w = torch.ones(1, 4, 2)
    torch.testing.assert_close(network.truncated(w, 0.7), average + 0.7 * (w - average))
    halfway = network.truncated(w, 0.0, layers=2)
    torch.testing.assert_close(halfway[0], torch.stack([average, average, *w[0, 2:]]))


def test_adaptive_instance_norm_pixel_by_pixel() -> None:
    with seeded(8):
        x, scale, shift = (torch.randn(shape, dtype=torch.float64) for shape in ((2, 3, 4, 5), (2, 3), (2, 3)))
    found = adaptive_instance_norm(x, scale, shift)
    for row in range(2):
        for channel in range(3):
            plane = x[row, channel]
            mean = plane.sum() / 20
            deviation = ((plane - mean) ** 2).sum().div(20).sqrt()
            expected = scale[row, channel] * (plane - mean) / deviation + shift[row, channel]
            torch.testing.assert_close(found[row, channel], expected)


def test_path_lengths_are_those_of_the_jacobian() -> None:
    """||J_w^T y|| of a generator whose Jacobian is computed in full, and the gradient of the penalty by differences."""
    with seeded(9):
        weight = torch.randn(4, 6, dtype=torch.float64, requires_grad=True)
        w = torch.randn(3, 2, 2, dtype=torch.float64)
        y = torch.randn(3, 1, 2, 3, dtype=torch.float64)
        direction = torch.randn(4, 6, dtype=torch.float64)

    def generate(styles: Tensor, weight: Tensor) -> Tensor:
        return torch.tanh(styles.flatten(1) @ weight).view(-1, 1, 2, 3)

    def plain(weight: Tensor) -> Tensor:
        lengths = []
        for row in range(3):
            jacobian = torch.autograd.functional.jacobian(lambda s: generate(s[None], weight)[0], w[row])
            product = torch.einsum("chwls,chw->ls", jacobian, y[row]) / math.sqrt(6)
            lengths.append(product.square().sum(dim=1).mean().sqrt())
        return torch.stack(lengths)

    styles = w.clone().requires_grad_()
    lengths = path_lengths(generate(styles, weight), styles, y)
    torch.testing.assert_close(lengths, plain(weight.detach()))
    (slope,) = torch.autograd.grad((lengths - 0.3).square().mean(), weight)
    step = 1e-6
    ends = [(plain(weight.detach() + sign * step * direction) - 0.3).square().mean() for sign in (1, -1)]
    assert (slope * direction).sum().item() == pytest.approx(((ends[0] - ends[1]) / (2 * step)).item(), rel=1e-6)
