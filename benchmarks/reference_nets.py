"""The plain side of the benchmark: both methods as commonly published, in standard layers, float32, NCHW, eager.

Nothing here imports i2izoo. U-Net and the pix2pix step: Isola et al. 2017, section 6.1 and equations 3 and 4.
ResNet and the CycleGAN step: Zhu et al. 2017, section 7 and equations 1 to 3, with the identity loss of section 5.2.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Step = Callable[[Tensor, Tensor], None]


class UNet(nn.Module):
    """U-Net of `depth` halvings with batch norm: at depth 8, N x `channels` x 256 x 256 to the same, in [-1, 1]."""

    def __init__(self, channels: int = 3, width: int = 64, depth: int = 8) -> None:
        super().__init__()
        widths = [min(width * 2**level, width * 8) for level in range(depth)]
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        for level, out in enumerate(widths):
            bare = level in (0, depth - 1)
            conv = nn.Conv2d(widths[level - 1] if level else channels, out, 4, 2, 1, bias=False)
            self.down.append(
                nn.Sequential(
                    nn.Identity() if level == 0 else nn.LeakyReLU(0.2),
                    conv,
                    nn.Identity() if bare else nn.BatchNorm2d(out),
                )
            )
        for level in reversed(range(depth)):
            inner = widths[level] * (1 if level == depth - 1 else 2)
            out = widths[level - 1] if level else channels
            conv_up = nn.ConvTranspose2d(inner, out, 4, 2, 1, bias=level == 0)
            tail = nn.Tanh() if level == 0 else nn.BatchNorm2d(out)
            drop = nn.Dropout(0.5) if level >= max(1, depth - 3) else nn.Identity()
            self.up.append(nn.Sequential(nn.ReLU(), conv_up, tail, drop))

    def forward(self, x: Tensor) -> Tensor:
        skips = []
        for block in self.down:
            x = block(x)
            skips.append(x)
        for level, block in enumerate(self.up):
            x = block(x if level == 0 else torch.cat([skips[-1 - level], x], 1))
        return x


class ResidualBlock(nn.Module):
    """Two reflect-padded 3 x 3 convolutions with instance norm, added to the input; the shape stays."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, 3),
            nn.InstanceNorm2d(channels),
            nn.ReLU(True),
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, 3),
            nn.InstanceNorm2d(channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)


def resnet(channels: int = 3, width: int = 64, blocks: int = 9) -> nn.Sequential:
    """The ResNet generator: N x `channels` x H x W to the same, in [-1, 1], H and W multiples of 4."""
    layers: list[nn.Module] = [nn.ReflectionPad2d(3), nn.Conv2d(channels, width, 7), *_norm_relu(width)]
    for wide in (width, 2 * width):
        layers += [nn.Conv2d(wide, 2 * wide, 3, 2, 1), *_norm_relu(2 * wide)]
    layers += [ResidualBlock(4 * width) for _ in range(blocks)]
    for wide in (4 * width, 2 * width):
        layers += [nn.ConvTranspose2d(wide, wide // 2, 3, 2, 1, output_padding=1), *_norm_relu(wide // 2)]
    return nn.Sequential(*layers, nn.ReflectionPad2d(3), nn.Conv2d(width, channels, 7), nn.Tanh())


def _norm_relu(channels: int) -> list[nn.Module]:
    return [nn.InstanceNorm2d(channels), nn.ReLU(True)]


def patchgan(channels: int, width: int = 64, norm: type[nn.Module] = nn.BatchNorm2d) -> nn.Sequential:
    """The 70 x 70 PatchGAN: N x `channels` x 256 x 256 to N x 1 x 30 x 30 logits."""
    layers: list[nn.Module] = [nn.Conv2d(channels, width, 4, 2, 1), nn.LeakyReLU(0.2, True)]
    bias = norm is not nn.BatchNorm2d
    for wide, stride in ((width, 2), (2 * width, 2), (4 * width, 1)):
        layers += [nn.Conv2d(wide, 2 * wide, 4, stride, 1, bias=bias), norm(2 * wide), nn.LeakyReLU(0.2, True)]
    return nn.Sequential(*layers, nn.Conv2d(8 * width, 1, 4, 1, 1))


def pix2pix(width: int = 64, depth: int = 8, device: str = "cpu") -> tuple[nn.Module, Step]:
    """The generator and its training step: discriminator first, then generator with 100 x L1."""
    g = UNet(width=width, depth=depth).to(device)
    d = patchgan(6, width).to(device)
    adam_g, adam_d = (torch.optim.Adam(net.parameters(), 2e-4, (0.5, 0.999)) for net in (g, d))

    def step(source: Tensor, target: Tensor) -> None:
        fake = g(source)
        d.requires_grad_(True)
        adam_d.zero_grad()
        on_fake, on_real = d(torch.cat([source, fake.detach()], 1)), d(torch.cat([source, target], 1))
        (0.5 * (_bce(on_fake, 0.0) + _bce(on_real, 1.0))).backward()
        adam_d.step()
        d.requires_grad_(False)
        adam_g.zero_grad()
        (_bce(d(torch.cat([source, fake], 1)), 1.0) + 100 * F.l1_loss(fake, target)).backward()
        adam_g.step()

    return g, step


def cyclegan(width: int = 64, blocks: int = 9, device: str = "cpu") -> tuple[nn.Module, Step]:
    """One of the two generators and the training step of both: generators, then discriminators on pooled fakes."""
    g_ab, g_ba = (resnet(width=width, blocks=blocks).to(device) for _ in range(2))
    d_a, d_b = (patchgan(3, width, nn.InstanceNorm2d).to(device) for _ in range(2))
    adam_g = torch.optim.Adam(itertools.chain(g_ab.parameters(), g_ba.parameters()), 2e-4, (0.5, 0.999))
    adam_d = torch.optim.Adam(itertools.chain(d_a.parameters(), d_b.parameters()), 2e-4, (0.5, 0.999))
    pool_a, pool_b = _Pool(), _Pool()

    def step(a: Tensor, b: Tensor) -> None:
        fake_b, fake_a = g_ab(a), g_ba(b)
        back_a, back_b = g_ba(fake_b), g_ab(fake_a)
        same_b, same_a = g_ab(b), g_ba(a)
        for d in (d_a, d_b):
            d.requires_grad_(False)
        adam_g.zero_grad()
        gan = _mse(d_b(fake_b), 1.0) + _mse(d_a(fake_a), 1.0)
        cycle = F.l1_loss(back_a, a) + F.l1_loss(back_b, b)
        identity = F.l1_loss(same_a, a) + F.l1_loss(same_b, b)
        (gan + 10 * cycle + 5 * identity).backward()
        adam_g.step()
        for d in (d_a, d_b):
            d.requires_grad_(True)
        adam_d.zero_grad()
        for d, real, fake in ((d_a, a, pool_a(fake_a.detach())), (d_b, b, pool_b(fake_b.detach()))):
            (0.5 * (_mse(d(real), 1.0) + _mse(d(fake), 0.0))).backward()
        adam_d.step()

    return g_ab, step


class _Pool:
    """The last 50 fakes; half the time an old one is returned and replaced by the new one."""

    def __init__(self) -> None:
        self.fakes: list[Tensor] = []

    def __call__(self, fake: Tensor) -> Tensor:
        if len(self.fakes) < 50:
            self.fakes.append(fake)
            return fake
        if random.random() < 0.5:
            return fake
        place = random.randrange(50)
        old, self.fakes[place] = self.fakes[place], fake
        return old


def _bce(logits: Tensor, target: float) -> Tensor:
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, target))


def _mse(logits: Tensor, target: float) -> Tensor:
    return F.mse_loss(logits, torch.full_like(logits, target))
