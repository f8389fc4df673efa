"""Plain torch networks whose state dicts have the names of the original code's, in all its variants.

Written from what the originals compute, layer by layer, and not from our networks: pix2pix and CycleGAN
(pytorch-CycleGAN-and-pix2pix), CUT (contrastive-unpaired-translation), BicycleGAN.
"""

import torch
import torch.nn.functional as F
from torch import nn


class Nothing(nn.Module):
    """Norm "none" of pix2pix and CUT: a layer that counts in the numbering and does nothing."""

    def forward(self, x):
        return x


def norm_of(kind, channels):
    return {"batch": nn.BatchNorm2d, "instance": nn.InstanceNorm2d}.get(kind, lambda _: Nothing())(channels)


class Blur(nn.Module):
    """CUT's anti-aliasing, with its filter as a buffer: [1, 2, 1] and stride 2, or [1, 3, 3, 1] and twice the size."""

    def __init__(self, channels, up):
        super().__init__()
        row = torch.tensor([1.0, 3.0, 3.0, 1.0] if up else [1.0, 2.0, 1.0])
        kernel = torch.outer(row, row) / row.sum() ** 2 * (4 if up else 1)
        self.up, self.channels = up, channels
        self.register_buffer("filt", kernel.expand(channels, 1, *kernel.shape).clone())

    def forward(self, x):
        if not self.up:
            return F.conv2d(F.pad(x, (1, 1, 1, 1), mode="reflect"), self.filt, stride=2, groups=self.channels)
        wide = F.conv_transpose2d(
            F.pad(x, (1, 1, 1, 1), mode="replicate"), self.filt, stride=2, padding=2, groups=self.channels
        )
        return wide[:, :, 1:-1, 1:-1]


class Residual(nn.Module):
    def __init__(self, channels, norm, dropout):
        super().__init__()
        bias = norm == "instance"

        def convolution():
            return [nn.ReflectionPad2d(1), nn.Conv2d(channels, channels, 3, bias=bias), norm_of(norm, channels)]

        between = [nn.ReLU(), *([nn.Dropout(0.5)] if dropout else [])]
        self.conv_block = nn.Sequential(*convolution(), *between, *convolution())

    def forward(self, x):
        return x + self.conv_block(x)


class Resnet(nn.Module):
    """`ResnetGenerator`: of pix2pix and CycleGAN without blurs, of CUT with them at either end."""

    def __init__(self, width=4, blocks=2, norm="instance", dropout=False, blur_down=False, blur_up=False, channels=3):
        super().__init__()
        bias = norm == "instance"
        layers = [nn.ReflectionPad2d(3), nn.Conv2d(channels, width, 7, bias=bias), norm_of(norm, width), nn.ReLU()]
        for wide in (2 * width, 4 * width):
            layers.append(nn.Conv2d(wide // 2, wide, 3, 1 if blur_down else 2, 1, bias=bias))
            layers += [norm_of(norm, wide), nn.ReLU(), *([Blur(wide, up=False)] if blur_down else [])]
        layers += [Residual(4 * width, norm, dropout) for _ in range(blocks)]
        for wide in (4 * width, 2 * width):
            if blur_up:
                layers += [Blur(wide, up=True), nn.Conv2d(wide, wide // 2, 3, 1, 1, bias=bias)]
            else:
                layers.append(nn.ConvTranspose2d(wide, wide // 2, 3, 2, 1, output_padding=1, bias=bias))
            layers += [norm_of(norm, wide // 2), nn.ReLU()]
        self.model = nn.Sequential(*layers, nn.ReflectionPad2d(3), nn.Conv2d(width, channels, 7), nn.Tanh())

    def forward(self, x):
        return self.model(x)


class UnetBlock(nn.Module):
    """One level: down, what is inside, up; its input is laid beside its output.

    `bicycle` is BicycleGAN's: a bias everywhere, no layer where there is no norm, the skip behind the output.
    """

    def __init__(self, outer, inner, inside, *, norm, before=None, outermost=False, bicycle=False, bilinear=False,
                 activation=nn.ReLU, dropout=False):  # fmt: skip
        super().__init__()
        bias = norm == "instance" or bicycle
        wide = 2 * inner if inside else inner

        def normal(channels):
            return [] if norm == "none" and bicycle else [norm_of(norm, channels)]

        down = nn.Conv2d(before or outer, inner, 4, 2, 1, bias=bias)
        if bilinear:
            up = [nn.Upsample(scale_factor=2, mode="bilinear"), nn.ReflectionPad2d(1), nn.Conv2d(wide, outer, 3)]
        else:
            up = [nn.ConvTranspose2d(wide, outer, 4, 2, 1, bias=bias or outermost)]
        if outermost:
            layers = [down, inside, activation(), *up, nn.Tanh()]
        elif inside is None:
            layers = [nn.LeakyReLU(0.2), down, activation(), *up, *normal(outer)]
        else:
            layers = [nn.LeakyReLU(0.2), down, *normal(inner), inside, activation(), *up, *normal(outer)]
        self.model = nn.Sequential(*layers, *([nn.Dropout(0.5)] if dropout else []))
        self.outermost, self.bicycle = outermost, bicycle

    def forward(self, x):
        if self.outermost:
            return self.model(x)
        return torch.cat([self.model(x), x] if self.bicycle else [x, self.model(x)], dim=1)


class Unet(nn.Module):
    """`UnetGenerator` and BicycleGAN's `G_Unet_add_input`, with a latent at the input."""

    def __init__(self, width=2, depth=5, norm="batch", channels=3, latent=0, **options):
        super().__init__()
        widths = [min(width * 2**level, 8 * width) for level in range(depth)]
        block = None
        for level in range(depth - 1, 0, -1):
            block = UnetBlock(widths[level - 1], widths[level], block, norm=norm, **options)
        self.model = UnetBlock(
            channels, width, block, norm=norm, before=channels + latent, outermost=True, **{**options, "dropout": False}
        )

    def forward(self, x, z=None):
        return self.model(x if z is None else with_latent(x, z))


class LatentBlock(nn.Module):
    """A level of BicycleGAN's `G_Unet_add_all`: the latent enters each level."""

    def __init__(self, outer, inner, inside, *, latent, before=None, outermost=False, bilinear=False,
                 activation=nn.ReLU):  # fmt: skip
        super().__init__()
        wide = 2 * inner if inside else inner
        down = [nn.Conv2d((before or outer) + latent, inner, 4, 2, 1)]
        if bilinear:
            up = [nn.Upsample(scale_factor=2, mode="bilinear"), nn.ReflectionPad2d(1), nn.Conv2d(wide, outer, 3)]
        else:
            up = [nn.ConvTranspose2d(wide, outer, 4, 2, 1)]
        if not outermost:
            down = [nn.LeakyReLU(0.2), *down, *([nn.InstanceNorm2d(inner)] if inside else [])]
        self.down = nn.Sequential(*down)
        self.up = nn.Sequential(activation(), *up, nn.Tanh() if outermost else nn.InstanceNorm2d(outer))
        self.submodule, self.outermost = inside, outermost

    def forward(self, x, z):
        inner = self.down(with_latent(x, z))
        out = self.up(inner if self.submodule is None else self.submodule(inner, z))
        return out if self.outermost else torch.cat([out, x], dim=1)


class LatentUnet(nn.Module):
    def __init__(self, width=2, depth=4, latent=2, channels=3, **options):
        super().__init__()
        widths = [min(width * 2**level, 8 * width) for level in range(depth)]
        block = None
        for level in range(depth - 1, 0, -1):
            block = LatentBlock(widths[level - 1], widths[level], block, latent=latent, **options)
        self.model = LatentBlock(3, width, block, latent=latent, before=channels, outermost=True, **options)

    def forward(self, x, z):
        return self.model(x, z)


def with_latent(x, z):
    return torch.cat([x, z[:, :, None, None].expand(-1, -1, *x.shape[2:])], dim=1)


class PatchGAN(nn.Module):
    """`NLayerDiscriminator`: a bias beside instance norm alone."""

    def __init__(self, channels=3, width=2, layers=3, norm="instance", blur=False):
        super().__init__()
        bias, stride = norm == "instance", 1 if blur else 2
        sequence, before = [nn.Conv2d(channels, width, 4, stride, 1), nn.LeakyReLU(0.2)], width
        sequence += [Blur(width, up=False)] if blur else []
        for level in range(1, layers + 1):
            after, last = width * min(2**level, 8), level == layers
            sequence.append(nn.Conv2d(before, after, 4, 1 if last else stride, 1, bias=bias))
            sequence += [norm_of(norm, after), nn.LeakyReLU(0.2)]
            sequence += [Blur(after, up=False)] if blur and not last else []
            before = after
        self.model = nn.Sequential(*sequence, nn.Conv2d(before, 1, 4, 1, 1))

    def forward(self, x):
        return self.model(x)


class PixelGAN(nn.Module):
    def __init__(self, channels=3, width=2, norm="batch"):
        super().__init__()
        bias = norm == "instance"
        self.net = nn.Sequential(
            nn.Conv2d(channels, width, 1), nn.LeakyReLU(0.2), nn.Conv2d(width, 2 * width, 1, bias=bias),
            norm_of(norm, 2 * width), nn.LeakyReLU(0.2), nn.Conv2d(2 * width, 1, 1, bias=bias),
        )  # fmt: skip

    def forward(self, x):
        return self.net(x)


def drawn(network, seed=0, spread=0.3):
    """A network with weights of some size and statistics that are not those of the start, in eval mode and float64."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, tensor in network.state_dict().items():
            if tensor.is_floating_point() and not name.endswith("filt"):
                noise = torch.randn(tensor.shape, generator=generator)
                tensor.copy_(0.5 + noise.abs() if name.endswith("running_var") else spread * noise)
    return network.eval().double()
