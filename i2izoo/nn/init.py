"""Weight initialisation of the GAN papers."""

from __future__ import annotations

from typing import Literal, TypeAlias

from torch import nn

from i2izoo.nn.spectral import raw_weight, settle

Init: TypeAlias = Literal["normal", "xavier", "kaiming", "orthogonal"]


def init_weights(module: nn.Module, kind: Init = "normal", gain: float = 0.02, zero_bias: bool = True) -> None:
    """Initialise all convolutions, linear layers and batch norms in place, but those of weights that were loaded.

    `normal` with gain 0.02 is pix2pix and CycleGAN; `xavier` with gain 0.02 is CUT and BicycleGAN. Batch norm gains are
    N(1, gain). Of a layer with a spectral norm the weight behind it is drawn.

    Args:
        module: searched with all its children; what is in one with a true attribute `keeps_weights` is left as it is.
        kind: distribution of convolution and linear weights.
        gain: standard deviation (`normal`) or gain (`xavier`, `orthogonal`); `kaiming` ignores it.
        zero_bias: biases of convolutions and linear layers are 0; False leaves those that they have.
    """
    kept = {part for owner in module.modules() if getattr(owner, "keeps_weights", False) for part in owner.modules()}
    for layer in module.modules():
        if layer in kept:
            continue
        if isinstance(layer, (nn.modules.conv._ConvNd, nn.Linear)):
            weight = raw_weight(layer)
            if kind == "normal":
                nn.init.normal_(weight, 0.0, gain)
            elif kind == "xavier":
                nn.init.xavier_normal_(weight, gain)
            elif kind == "kaiming":
                nn.init.kaiming_normal_(weight, a=0, mode="fan_in")
            else:
                nn.init.orthogonal_(weight, gain)
            settle(layer)
            if layer.bias is not None and zero_bias:
                nn.init.zeros_(layer.bias)
        elif isinstance(layer, nn.modules.batchnorm._BatchNorm) and layer.affine:
            nn.init.normal_(layer.weight, 1.0, gain)
            nn.init.zeros_(layer.bias)
