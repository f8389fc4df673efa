"""The same short training with each adversarial loss of the registry: reconstruction error at the end.

python examples/compare_losses.py [STEPS]
"""

import sys

import torch

import i2izoo
from i2izoo.contracts.registry import registry
from i2izoo.interfaces import AdversarialLoss

steps = int(sys.argv[1]) if len(sys.argv) > 1 else 4
data = i2izoo.open_dataset("synthetic-facades", crop_size=32, limit=8)
pair = data.sample(0, seed=None)
for name in i2izoo.list_parts("losses"):
    if not issubclass(registry("losses").get(name), AdversarialLoss):
        continue
    torch.manual_seed(0)  # the same first weights for all
    model = i2izoo.create(
        "pix2pix",
        domains=["label", "photo"],
        generator={"name": "unet_128", "width": 8, "depth": 5},
        discriminator={"name": "patchgan", "width": 8, "norm": "instance"},
        gan_loss=name,
    )
    i2izoo.Trainer(model, data, steps=steps, progress=False).fit()
    error = (model(pair["label"]) - pair["photo"]).abs().mean()
    print(f"{name:10s} mean absolute error {error:.3f}")
