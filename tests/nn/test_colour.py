"""Colour spaces against published values and CIE's own formulae, and what happens at the edge of sRGB."""

import itertools
import math

import pytest
import torch

from i2izoo.nn.colour import (
    into_gamut,
    lab_to_linear,
    lab_to_srgb,
    linear_to_srgb,
    normalise_lab,
    srgb_to_lab,
    srgb_to_linear,
)

# B. Lindbloom's calculator (sRGB, D65, no adaptation), to four places
PUBLISHED = {
    (1, 1, 1): (100.0, 0.0, 0.0),
    (0, 0, 0): (0.0, 0.0, 0.0),
    (1, 0, 0): (53.2408, 80.0925, 67.2032),
    (0, 1, 0): (87.7347, -86.1827, 83.1793),
    (0, 0, 1): (32.2970, 79.1875, -107.8602),
    (1, 1, 0): (97.1393, -21.5537, 94.4780),
    (0, 1, 1): (91.1132, -48.0875, -14.1312),
    (1, 0, 1): (60.3242, 98.2343, -60.8249),
}
# his published inverse of the matrix, to seven places
PUBLISHED_INVERSE = (
    (3.2404542, -1.5371385, -0.4985314),
    (-0.9692660, 1.8760108, 0.0415560),
    (0.0556434, -0.2040259, 1.0572252),
)


def cube(step):
    """Every `step`-th 8-bit value of each channel, N x 3 in [0, 1]."""
    values = range(0, 256, step)
    return torch.tensor(list(itertools.product(values, repeat=3)), dtype=torch.float32) / 255


def random_lab(count, seed=0):
    """L* of [0, 100] with a* and b* of [-110, 110], most of which sRGB cannot show."""
    generator = torch.Generator().manual_seed(seed)
    lab = torch.rand(count, 3, generator=generator) * 2 - 1
    return torch.stack([(lab[:, 0] + 1) * 50, lab[:, 1] * 110, lab[:, 2] * 110], dim=1)


def lab_by_cie(red, green, blue):
    """CIE 15:2004 with the exact epsilon and kappa, one colour, in plain Python."""
    linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in (red, green, blue)]
    x = 0.4124564 * linear[0] + 0.3575761 * linear[1] + 0.1804375 * linear[2]
    y = 0.2126729 * linear[0] + 0.7151522 * linear[1] + 0.0721750 * linear[2]
    z = 0.0193339 * linear[0] + 0.1191920 * linear[1] + 0.9503041 * linear[2]

    def f(t):
        return t ** (1 / 3) if t > 216 / 24389 else (24389 / 27 * t + 16) / 116

    fx, fy, fz = f(x / 0.95047), f(y), f(z / 1.08883)
    return 116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)


def srgb_by_cie(lightness, a, b):
    fy = (lightness + 16) / 116
    fx, fz = fy + a / 500, fy - b / 200
    xyz = [
        w * (t**3 if t**3 > 216 / 24389 else (116 * t - 16) * 27 / 24389)
        for w, t in ((0.95047, fx), (1.0, fy), (1.08883, fz))
    ]
    linear = [sum(m * v for m, v in zip(row, xyz, strict=True)) for row in PUBLISHED_INVERSE]
    return [v * 12.92 if v <= 0.0031308 else 1.055 * v ** (1 / 2.4) - 0.055 for v in linear]


@pytest.mark.parametrize(("colour", "lab"), PUBLISHED.items())
def test_published_values(colour, lab):
    assert srgb_to_lab(torch.tensor([colour], dtype=torch.float32))[0].tolist() == pytest.approx(lab, abs=2e-3)
    assert lab_to_srgb(torch.tensor([lab]))[0].tolist() == pytest.approx(colour, abs=2e-4)


def test_lab_is_cies_formula():
    colours = cube(51).double()
    wanted = [lab_by_cie(*colour) for colour in colours.tolist()]
    assert (srgb_to_lab(colours) - torch.tensor(wanted, dtype=torch.float64)).abs().max() < 1e-9
    assert (srgb_to_lab(colours.float()) - torch.tensor(wanted)).abs().max() < 5e-4


def test_the_inverse_is_cies_formula_beyond_the_gamut_too():
    lab = random_lab(500).double()
    wanted = torch.tensor([srgb_by_cie(*colour) for colour in lab.tolist()], dtype=torch.float64)
    assert (lab_to_srgb(lab) - wanted).abs().max() < 1e-5  # seven places of the published inverse


def test_every_8_bit_colour_survives_the_round_trip():
    colours = cube(5)
    back = lab_to_srgb(srgb_to_lab(colours))
    assert (back - colours).abs().max() < 2e-5
    assert torch.equal((back * 255).round(), (colours * 255).round())


def test_grey_has_no_colour():
    grey = torch.linspace(0, 1, 256)[:, None].expand(-1, 3)
    assert srgb_to_lab(grey)[:, 1:].abs().max() < 2e-3  # of white point and matrix, which are rounded


def test_normalised_ranges_are_those_of_srgb():
    # published extremes: a* in [-86.2, 98.2], b* in [-107.9, 94.5]; the corners of the cube are the extremes
    values = normalise_lab(srgb_to_lab(cube(51)))
    low, high = values.amin(0).tolist(), values.amax(0).tolist()
    assert low == pytest.approx([-1.0, -86.18 / 110, -107.86 / 110], abs=1e-4)
    assert high == pytest.approx([1.0, 98.23 / 110, 94.48 / 110], abs=1e-4)


def test_images_and_lists_of_colours_alike():
    colours = cube(85)
    image = colours.T.reshape(1, 3, 8, 8)
    assert torch.equal(srgb_to_lab(image), srgb_to_lab(colours).T.reshape(1, 3, 8, 8))


def test_differentiable():
    torch.manual_seed(0)
    colours = torch.rand(8, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(srgb_to_lab, colours)
    lab = srgb_to_lab(colours).detach().requires_grad_()
    assert torch.autograd.gradcheck(lab_to_srgb, lab)


@pytest.mark.parametrize("function", [srgb_to_linear, linear_to_srgb, srgb_to_lab])
def test_gradients_are_finite_at_black_white_and_outside(function):
    values = torch.tensor([[0.0] * 3, [1.0] * 3, [-0.2, 1.3, 0.5]], requires_grad=True)
    function(values).sum().backward()
    assert torch.isfinite(values.grad).all()
    assert (values.grad != 0).all()


def test_autocast_changes_nothing():
    colours = cube(51)
    with torch.autocast("cpu", torch.bfloat16):
        lab = srgb_to_lab(colours)
        back = lab_to_srgb(lab)
    assert torch.equal(lab, srgb_to_lab(colours))
    assert torch.equal(back, lab_to_srgb(lab))


# ---------------------------------------------------------------------------------------------- the edge of sRGB


def test_into_gamut_keeps_lightness_bit_for_bit_and_the_hue():
    lab = random_lab(5000)
    shown = into_gamut(lab)
    assert torch.equal(shown[:, 0], lab[:, 0])
    linear = lab_to_linear(shown)
    assert linear.min() > -1e-5
    assert linear.max() < 1 + 1e-5
    turned = lab[:, 1] * shown[:, 2] - lab[:, 2] * shown[:, 1]  # the cross product of a colour with itself, paler
    assert (turned.abs() <= 1e-5 * lab[:, 1:].square().sum(1)).all()
    assert ((lab[:, 1:] * shown[:, 1:]).sum(1) >= 0).all()


def test_into_gamut_takes_no_more_colour_than_it_must():
    lab = random_lab(5000)
    shown = into_gamut(lab)
    moved = (shown != lab).any(1)
    assert 0.5 < moved.float().mean() < 1
    bolder = shown[moved] * torch.tensor([1.0, 1.01, 1.01])
    chroma = bolder[:, 1:].norm(dim=1)
    outside = (lab_to_linear(bolder) - 0.5).abs().amax(1) > 0.5
    assert outside[chroma > 1].all()
    assert torch.equal(into_gamut(srgb_to_lab(cube(51))), srgb_to_lab(cube(51)))


def test_into_gamut_of_images():
    colours = random_lab(64)
    image = colours.T.reshape(1, 3, 8, 8)
    assert torch.equal(into_gamut(image), into_gamut(colours).T.reshape(1, 3, 8, 8))


def test_what_8_bits_and_the_gamut_do_to_the_lightness():
    # of 8 bits: half a step of the transfer curve and of CIE's cube root at its steepest, L* = 8, is below 0.26
    steepest = 116 / 3 * (216 / 24389) ** (-2 / 3) * 2.4 / 1.055 * (216 / 24389) ** (1.4 / 2.4)
    bound = steepest * 0.5 / 255
    assert bound == pytest.approx(0.2558, abs=1e-4)
    assert math.isclose(24389 / 27 * 0.5 / 255 / 12.92, 0.137, abs_tol=1e-3)  # below, it is a straight line
    lab = random_lab(20000)
    written = (lab_to_srgb(into_gamut(lab)).clamp(0, 1) * 255).round() / 255
    assert (srgb_to_lab(written)[:, 0] - lab[:, 0]).abs().max() <= bound + 1e-3
    cut = lab_to_srgb(lab).clamp(0, 1)
    assert (srgb_to_lab(cut)[:, 0] - lab[:, 0]).abs().max() > 20  # which is why colours are made paler instead
