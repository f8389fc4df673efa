"""TransGAN: two transformers that play against each other (Jiang, Chang and Wang, NeurIPS 2021, arXiv 2102.07074)."""

from __future__ import annotations

from typing import Any, ClassVar

from i2izoo_generation.gan import GAN


class TransGAN(GAN):
    """`GAN` with the networks and settings of TransGAN; see `GAN` for the arguments.

    The Wasserstein loss with gradient penalty and drift, four updates of the discriminator for each of the generator,
    DiffAugment, and gradients cut to a norm of 5. Where the authors' code gives the generator batches twice as large as
    the discriminator's, both have the same here.
    """

    recipe: ClassVar[dict[str, Any]] = {
        "epochs": 400, "batch_size": 64, "load_size": 32, "crop_size": 32, "max_grad_norm": 5.0,
        "ema_half_life": 500.0, "ema_ramp_up": 0.1,
    }  # fmt: skip
    defaults: ClassVar[dict[str, Any]] = {
        "size": 32, "latent": 256, "generator": "transgan",
        "discriminator": {"name": "transgan", "augment": "diffaugment"},
        "gan_loss": {"name": "wgangp", "drift": 0.001}, "discriminator_steps": 4,
        "learning_rate": 1e-4, "betas": [0.0, 0.99],
    }  # fmt: skip
    fixed: ClassVar[dict[str, Any]] = {"progressive": 0.0}
    tiny_options: ClassVar[dict[str, Any]] = {
        "size": 16, "latent": 4, "gan_loss": "hinge",  # whose scores say to an adaptive augmentation what is real
        "generator": {
            "name": "transgan", "width": 16, "depths": [1, 1], "heads": 2, "mlp": 2, "window": 8, "grid_from": 16,
        },
        "discriminator": {
            "name": "transgan", "width": 16, "depths": [1, 1], "heads": 2, "mlp": 2, "window": 4, "grid_from": 8,
        },
    }  # fmt: skip
    tiny_variants: ClassVar[dict[str, dict[str, Any]]] = {"classes": {"classes": ["round", "square", "long"]}}
