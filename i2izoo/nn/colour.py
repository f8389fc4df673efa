"""Colour spaces: sRGB, linear RGB, CIE XYZ under D65, CIE L*a*b*; differentiable, with channels in dimension 1.

sRGB here is in [0, 1] and nothing is clipped on the way: colours outside [0, 1] are colours that a screen cannot show.
Sums are written out rather than as matrix products, which autocast would compute in half precision.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from torch import Tensor

XYZ_OF_RGB = (
    (0.4124564, 0.3575761, 0.1804375),
    (0.2126729, 0.7151522, 0.0721750),
    (0.0193339, 0.1191920, 0.9503041),
)
"""Linear RGB with the primaries of sRGB (IEC 61966-2-1) to XYZ; its middle row is the luminance Y."""
WHITE = (0.95047, 1.0, 1.08883)
"""XYZ of D65, 2 degree observer."""
EDGE = 6 / 29
"""Where CIE's cube root becomes a straight line, as a root: 216/24389 is its cube."""
RGB_OF_XYZ = np.linalg.inv(XYZ_OF_RGB).tolist()  # not by torch: a plugin's first import may be on the device "meta"

AB_SCALE = 110.0
"""Of a* and b* in `normalise_lab`: within sRGB a* is -86.2 ... 98.2 and b* -107.9 ... 94.5, so -0.98 ... 0.89."""


def srgb_to_linear(image: Tensor) -> Tensor:
    """Undo the transfer curve of sRGB; any shape.

    >>> srgb_to_linear(torch.tensor([0.0, 0.04045, 0.5, 1.0]))
    tensor([0.0000, 0.0031, 0.2140, 1.0000])
    """
    # each branch of a `where` gets a gradient: clamped, so that the power's stays finite where it is not taken
    curve = ((image.clamp(min=0.04045) + 0.055) / 1.055) ** 2.4
    return torch.where(image <= 0.04045, image / 12.92, curve)


def linear_to_srgb(linear: Tensor) -> Tensor:
    """The transfer curve of sRGB; below 0 it goes on as a straight line."""
    curve = 1.055 * linear.clamp(min=0.0031308) ** (1 / 2.4) - 0.055
    return torch.where(linear <= 0.0031308, linear * 12.92, curve)


def srgb_to_lab(image: Tensor) -> Tensor:
    """sRGB N x 3 x ... in [0, 1] to CIE L*a*b* under D65: L* in [0, 100], a* and b* about -110 ... 110.

    >>> [round(x, 2) for x in srgb_to_lab(torch.tensor([[1.0, 0.0, 0.0]]))[0].tolist()]
    [53.24, 80.09, 67.2]
    """
    xyz = _product(XYZ_OF_RGB, srgb_to_linear(image))
    f = torch.stack([_root(value / white) for value, white in zip(xyz.unbind(1), WHITE, strict=True)], dim=1)
    x, y, z = f.unbind(1)
    return torch.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], dim=1)


def lab_to_linear(lab: Tensor) -> Tensor:
    """L*a*b* N x 3 x ... to linear RGB; outside [0, 1] where sRGB cannot show the colour."""
    lightness, a, b = lab.unbind(1)
    y = (lightness + 16) / 116
    f = (y + a / 500, y, y - b / 200)
    xyz = torch.stack([_cube(value) * white for value, white in zip(f, WHITE, strict=True)], dim=1)
    return _product(RGB_OF_XYZ, xyz)


def lab_to_srgb(lab: Tensor) -> Tensor:
    """L*a*b* N x 3 x ... to sRGB, the inverse of `srgb_to_lab`; not clipped, see `into_gamut`.

    >>> lab_to_srgb(torch.tensor([[53.2408, 80.0925, 67.2032]])).round(decimals=4).abs()
    tensor([[1., 0., 0.]])
    """
    return linear_to_srgb(lab_to_linear(lab))


def into_gamut(lab: Tensor, steps: int = 20) -> Tensor:
    """Move colours that sRGB cannot show towards grey until it can, at their own lightness and hue.

    Cutting red, green and blue at 0 and 1 instead would change the lightness, by tens of L* for strong colours.

    Args:
        lab: N x 3 x ..., L* in [0, 100].
        steps: bisections; the chroma is exact to 2 ** -steps of itself.

    >>> strong = torch.tensor([[60.0, 110.0, -110.0]])
    >>> shown = into_gamut(strong)
    >>> shown[0, 0].item() == 60, (shown[0, 1] == -shown[0, 2]).item(), lab_to_srgb(shown).amax().item()
    (True, True, 0.999...)
    """
    outside = ~_shown(lab_to_linear(lab))
    if torch.compiler.is_exporting():  # an exported graph selects nothing by value: it makes all colours paler
        return torch.where(outside, _paler(lab, steps), lab)
    outside = outside.squeeze(1)
    if not outside.any():
        return lab
    right = lab.movedim(1, -1).clone()
    right[outside] = _paler(lab.movedim(1, -1)[outside], steps)
    return right.movedim(-1, 1)


def _paler(lab: Tensor, steps: int) -> Tensor:
    """Colours outside sRGB with as much of their chroma as it can show, by bisection of the share."""
    grey = torch.cat([lab[:, :1], torch.zeros_like(lab[:, 1:])], dim=1)
    share, too_far = torch.zeros_like(lab[:, :1]), torch.ones_like(lab[:, :1])
    for _ in range(steps):
        middle = (share + too_far) / 2
        inside = _shown(lab_to_linear(torch.lerp(grey, lab, middle)))
        share, too_far = torch.where(inside, middle, share), torch.where(inside, too_far, middle)
    return torch.cat([lab[:, :1], lab[:, 1:] * share], dim=1)


def _shown(linear: Tensor) -> Tensor:
    """Which colours, N x 3 x ... of linear RGB, sRGB can show, N x 1 x ...: rounding puts white itself outside."""
    return (linear - 0.5).abs().amax(1, keepdim=True) <= 0.5 + 1e-6


def normalise_lab(lab: Tensor) -> Tensor:
    """L*a*b* N x 3 x ... for networks: L* / 50 - 1 in [-1, 1]; a* / 110, b* / 110 in about [-1, 1].

    >>> normalise_lab(torch.tensor([[75.0, 55.0, -110.0]]))
    tensor([[ 0.5000,  0.5000, -1.0000]])
    """
    return torch.cat([lab[:, :1] / 50 - 1, lab[:, 1:] / AB_SCALE], dim=1)


def signed_to_lab(image: Tensor) -> Tensor:
    """sRGB N x 3 x ..., or grey N x 1 x ..., in [-1, 1] to L*a*b*, in float32: half precision has too few steps."""
    return srgb_to_lab((image.float().expand(-1, 3, *image.shape[2:]) + 1) / 2)


def luminance(image: Tensor) -> Tensor:
    """Luminance Y in [0, 1], N x 1 x ... in float32, of sRGB N x 3 x ... or grey N x 1 x ... in [-1, 1].

    >>> luminance(torch.tensor([[1.0, -1.0, -1.0]]))
    tensor([[0.2127]])
    """
    red, green, blue = srgb_to_linear((image.float().expand(-1, 3, *image.shape[2:]) + 1) / 2).unbind(1)
    return torch.stack([XYZ_OF_RGB[1][0] * red + XYZ_OF_RGB[1][1] * green + XYZ_OF_RGB[1][2] * blue], dim=1)


def recolour(image: Tensor, colours: Tensor, gamut: Literal["chroma", "clip"] = "chroma") -> Tensor:
    """The L* of an image with other colours.

    Args:
        image: sRGB N x 3 x ..., or grey N x 1 x ..., in [-1, 1].
        colours: a* / 110 and b* / 110, N x 2 x ...
        gamut: "chroma" makes colours that sRGB cannot show paler until it can, which keeps L*, see `into_gamut`; "clip"
            cuts red, green and blue, which does not.

    Returns:
        sRGB N x 3 x ... in [-1, 1], float32. Gradients reach `colours`, through those that were made paler, too.

    >>> image = torch.rand(1, 3, 4, 4) * 2 - 1
    >>> wild = recolour(image, torch.rand(1, 2, 4, 4) * 2 - 1)
    >>> bool((signed_to_lab(wild) - signed_to_lab(image))[:, 0].abs().max() < 0.01)
    True
    """
    lab = torch.cat([signed_to_lab(image)[:, :1], colours.float() * AB_SCALE], dim=1)
    lab = into_gamut(lab) if gamut == "chroma" else lab
    return lab_to_srgb(lab).clamp(0, 1) * 2 - 1


def _product(matrix: tuple[tuple[float, ...], ...] | list[list[float]], values: Tensor) -> Tensor:
    x, y, z = values.unbind(1)
    return torch.stack([a * x + b * y + c * z for a, b, c in matrix], dim=1)


def _root(ratio: Tensor) -> Tensor:
    """CIE's f: the cube root, or a straight line near 0."""
    return torch.where(ratio > EDGE**3, ratio.clamp(min=EDGE**3) ** (1 / 3), ratio / (3 * EDGE**2) + 4 / 29)


def _cube(root: Tensor) -> Tensor:
    return torch.where(root > EDGE, root**3, 3 * EDGE**2 * (root - 4 / 29))
