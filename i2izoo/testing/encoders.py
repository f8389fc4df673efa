"""Rules for encoders."""

from __future__ import annotations

import torch

from i2izoo.testing.networks import run
from i2izoo.testing.subject import Subject, inputs, require


def gives_mean_and_log_variance(subject: Subject) -> None:
    """`forward` gives mean and log variance of one shape, N x latent or N x latent x h x w, finite."""
    network = subject.network()
    outputs = run(network, *inputs(network))
    require(len(outputs) == 2, f"found {len(outputs)} outputs")
    mean, log_variance = outputs
    require(mean.shape == log_variance.shape, f"shapes are {tuple(mean.shape)} and {tuple(log_variance.shape)}")
    wanted = (2, network.config["latent"])
    require(tuple(mean.shape[:2]) == wanted and mean.ndim in (2, 4), f"found {tuple(mean.shape)}, not {wanted}")
    require(torch.isfinite(mean).all() and torch.isfinite(log_variance).all(), "found values that are not finite")


RULES = (gives_mean_and_log_variance,)
