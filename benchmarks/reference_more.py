"""More plain sides of the benchmark: CUT as its public code trains, and DDIM as a user of diffusers writes it.

Nothing here imports i2izoo. CUT: Park et al. 2020, equations 1 to 5; both encodings of an image keep their graphs, as
in the public code, whose loss detaches the keys. DDIM: Ho et al. 2020, equation 14, on an image concatenated.
"""

from __future__ import annotations

from typing import Any, cast

import torch
import torch.nn.functional as F
from reference_nets import Step, patchgan, resnet
from torch import Tensor, nn

TAPS = (0, 4, 7, 10, 14)
"""Outputs of the layers of `resnet` that CUT compares: reflected input, both halvings, first and fifth block."""


def cut(width: int = 64, blocks: int = 9, device: str = "cpu") -> tuple[nn.Module, Step]:
    """The generator and its training step: discriminator first, then generator and the MLPs of the patches."""
    g, d = resnet(width=width, blocks=blocks).to(device), patchgan(3, width, nn.InstanceNorm2d).to(device)
    taps = [tap for tap in TAPS if tap < 10 + blocks]
    sizes = [3, 2 * width, 4 * width, 4 * width, 4 * width][: len(taps)]
    heads = nn.ModuleList(nn.Sequential(nn.Linear(c, 256), nn.ReLU(), nn.Linear(256, 256)) for c in sizes).to(device)
    adam_g, adam_d, adam_f = (torch.optim.Adam(net.parameters(), 2e-4, (0.5, 0.999)) for net in (g, d, heads))

    def encoded(image: Tensor) -> list[Tensor]:
        found = []
        for place, layer in enumerate(g):
            image = layer(image)
            if place in taps:
                found.append(image.clone())
            if place == taps[-1]:
                break
        return found

    def sampled(features: list[Tensor], positions: list[Tensor]) -> list[Tensor]:
        rows = [f.flatten(2).transpose(1, 2)[:, p].flatten(0, 1) for f, p in zip(features, positions, strict=True)]
        return [F.normalize(head(row)) for head, row in zip(heads, rows, strict=True)]

    def nce(translation: Tensor, source: Tensor) -> Tensor:
        queries, keys = encoded(translation), encoded(source)
        positions = [torch.randperm(k[0, 0].numel(), device=k.device)[:256] for k in keys]
        total = torch.zeros((), device=device)
        for query, key in zip(sampled(queries, positions), sampled(keys, positions), strict=True):
            logits = query @ key.detach().T / 0.07
            total = total + F.cross_entropy(logits, torch.arange(len(logits), device=logits.device))
        return total / len(taps)

    def step(source: Tensor, target: Tensor) -> None:
        fake, same = g(torch.cat([source, target])).split(len(source))
        d.requires_grad_(True)
        adam_d.zero_grad()
        (0.5 * (d(fake.detach()).square().mean() + (d(target) - 1).square().mean())).backward()
        adam_d.step()
        d.requires_grad_(False)
        adam_g.zero_grad()
        adam_f.zero_grad()
        ((d(fake) - 1).square().mean() + 0.5 * (nce(fake, source) + nce(same, target))).backward()
        adam_g.step()
        adam_f.step()

    return g, step


def ddim(width: int = 64, device: str = "cpu") -> tuple[nn.Module, Step]:
    """The denoising network of four levels and its training step, by diffusers alone; inference is one step."""
    from diffusers import DDIMScheduler, UNet2DModel

    network: Any = cast(Any, UNet2DModel)(
        in_channels=7, out_channels=3, block_out_channels=(width, 2 * width, 2 * width), layers_per_block=2,
        down_block_types=("DownBlock2D",) * 3, up_block_types=("UpBlock2D",) * 3, norm_num_groups=8,
    ).to(device)  # fmt: skip
    scheduler: Any = DDIMScheduler()
    adamw = torch.optim.AdamW(network.parameters(), 1e-4, weight_decay=0.0)
    average = {name: parameter.detach().clone() for name, parameter in network.named_parameters()}

    class Denoiser(nn.Module):
        def forward(self, source: Tensor) -> Tensor:
            seen = torch.cat([source, source, torch.ones_like(source[:, :1])], 1)
            return network(seen, torch.full((len(source),), 500, device=source.device)).sample

    def step(source: Tensor, target: Tensor) -> None:
        noise = torch.randn_like(target)
        time = torch.randint(1000, (len(target),), device=target.device)
        present = (torch.rand(len(target), 1, 1, 1, device=target.device) >= 0.1).float()
        noisy = scheduler.add_noise(target, noise, time)
        flag = present.expand(-1, 1, *source.shape[-2:])
        adamw.zero_grad()
        F.mse_loss(network(torch.cat([noisy, source * present, flag], 1), time).sample, noise).backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        adamw.step()
        with torch.no_grad():  # the moving average, as the public code has it
            for name, parameter in network.named_parameters():
                average[name] = 0.9999 * average[name] + 0.0001 * parameter

    denoiser = Denoiser()
    denoiser.network = network
    return denoiser, step
