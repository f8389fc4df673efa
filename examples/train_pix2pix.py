"""Train pix2pix on drawn facades, with networks small enough for a minute on a CPU; then translate an image.

python examples/train_pix2pix.py [STEPS]
"""

import sys

import i2izoo

steps = int(sys.argv[1]) if len(sys.argv) > 1 else 10
model = i2izoo.create(
    "pix2pix",
    domains=["label", "photo"],
    generator={"name": "unet_128", "width": 8, "depth": 6},
    discriminator={"name": "patchgan", "width": 8},
)
i2izoo.Trainer(model, "synthetic-facades", out="runs/example", resume="auto", steps=steps, crop_size=64).fit()
i2izoo.load("runs/example/model")("examples/images/label.png").save("runs/example/photo.png")
print("see runs/example/samples and runs/example/photo.png")
