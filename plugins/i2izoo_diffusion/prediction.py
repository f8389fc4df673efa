"""What a denoising network predicts, and how one prediction becomes another (Salimans and Ho 2022, section 4 and D).

With y the clean image, e the noise and x = alpha y + sigma e the noisy one (alpha^2 + sigma^2 = 1), a network
predicts e ("epsilon"), y ("sample") or v = alpha e - sigma y ("v_prediction").
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from torch import Tensor

Prediction: TypeAlias = Literal["epsilon", "sample", "v_prediction"]
Level: TypeAlias = float | Tensor
"""alpha or sigma: a number, or a tensor that broadcasts over the images."""


def target(kind: str, clean: Tensor, noise: Tensor, alpha: Level, sigma: Level) -> Tensor:
    """What a network of this kind is trained to predict."""
    return {"epsilon": lambda: noise, "sample": lambda: clean, "v_prediction": lambda: alpha * noise - sigma * clean}[
        kind
    ]()


def clean_of(kind: str, prediction: Tensor, noisy: Tensor, alpha: Level, sigma: Level) -> Tensor:
    """The clean image that a prediction means; of "epsilon" it is undefined where alpha is 0."""
    if kind == "sample":
        return prediction
    return (noisy - sigma * prediction) / alpha if kind == "epsilon" else alpha * noisy - sigma * prediction


def noise_of(kind: str, prediction: Tensor, noisy: Tensor, alpha: Level, sigma: Level) -> Tensor:
    """The noise that a prediction means; of "sample" it is undefined where sigma is 0."""
    if kind == "epsilon":
        return prediction
    return (noisy - alpha * prediction) / sigma if kind == "sample" else sigma * noisy + alpha * prediction


def prediction_of(kind: str, clean: Tensor, noisy: Tensor, alpha: Level, sigma: Level) -> Tensor:
    """The prediction that means this clean image: the inverse of `clean_of`.

    >>> import torch
    >>> prediction_of("v_prediction", torch.tensor(1.0), torch.tensor(1.4), 0.8, 0.6)  # e = 1: v = 0.8 - 0.6
    tensor(0.2000)
    """
    if kind == "sample":
        return clean
    noise = (noisy - alpha * clean) / sigma
    return target(kind, clean, noise, alpha, sigma)
