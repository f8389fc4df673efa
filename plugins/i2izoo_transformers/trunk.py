"""The Vision Transformer of timm as a trunk: images to a token for each patch and one for all (arXiv 2010.11929)."""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, TypeAlias

import torch
from torch import Tensor, nn

from i2izoo.errors import ConfigError, I2IZooError
from i2izoo.files.writing import read_tensors

Statistics: TypeAlias = Literal["half", "imagenet", "clip"]
"""What pixels are normalised with: "half" leaves [-1, 1] as it is; or the mean and standard deviation of a data set."""

NAMES = {"IMAGENET_INCEPTION": "half", "IMAGENET_DEFAULT": "imagenet", "OPENAI_CLIP": "clip"}
"""What timm calls these statistics -> what they are called here."""


class Trunk(nn.Module):
    """A network of timm's class `VisionTransformer` without its classifier, for images of any size.

    Images are padded with zeros to whole patches, and positions interpolated to their number.

    Args:
        in_channels: channels of the image.
        model: a name of timm, whose sizes hold where no others are given.
        dim: length of a token.
        depth: blocks.
        heads: of attention; divide `dim`.
        patch: side of a patch.
        positions: side of the images that there is a learned position for each patch of.
        weights: a file of weights of the network `model`, `.safetensors` or `.pth`; "": they are drawn.
        statistics: see `Statistics`; None: those of the pretrained weights, or "half" where there are none.
        dropout: behind position embedding, attention and each layer of the MLPs.
        explicit: compute attention in steps: torch's fused attention has no second derivatives.

    Raises:
        ConfigError: timm has no such Vision Transformer, the sizes do not go together, or the weights do not fit.

    >>> trunk = Trunk(model="vit_tiny_patch16_224", dim=8, depth=1, heads=2, patch=8)
    >>> [tuple(tokens.shape) for tokens in trunk(torch.zeros(2, 3, 20, 32))]
    [(2, 8), (2, 8, 3, 4)]
    """

    vit: Any  # timm's types say little
    mean: Tensor
    std: Tensor

    def __init__(
        self,
        *,
        model: str,
        in_channels: int = 3,
        dim: int | None = None,
        depth: int | None = None,
        heads: int | None = None,
        patch: int | None = None,
        positions: int | None = None,
        weights: str = "",
        statistics: Statistics | None = None,
        dropout: float = 0.0,
        explicit: bool = False,
    ) -> None:
        import timm.data
        from timm.models.vision_transformer import VisionTransformer

        super().__init__()
        if not timm.is_model(model):
            raise ConfigError(
                f"timm has no network {model!r}; take a Vision Transformer such as 'vit_small_patch16_224'."
            )
        own = {"embed_dim": dim, "depth": depth, "num_heads": heads, "patch_size": patch, "img_size": positions}
        settings: dict[str, Any] = {name: value for name, value in own.items() if value is not None}
        settings |= dict.fromkeys(("drop_rate", "pos_drop_rate", "proj_drop_rate"), dropout) if dropout else {}
        settings |= {
            "weight_init": "jax",
            "in_chans": in_channels,
            "num_classes": 0,
            "dynamic_img_size": True,
            "dynamic_img_pad": True,
        }
        self.keeps_weights = bool(weights) and not torch.empty(0).is_meta
        if self.keeps_weights:  # before all places that timm would look in
            settings |= {"pretrained": True, "pretrained_cfg_overlay": {"state_dict": read_weights(weights)}}
        try:
            self.vit = timm.create_model(model, **settings)
        except Exception as error:  # timm raises anything
            first = str(error).strip().partition("\n")[0] or type(error).__name__
            raise ConfigError(
                f"weights={weights!r} are no weights for timm's {model!r} of these sizes ({first})."
                if self.keeps_weights
                else f"timm's {model!r} has no such sizes ({first}); heads divide dim, and positions hold a patch."
            ) from error
        if not issubclass(type(self.vit), VisionTransformer):
            raise ConfigError(f"{model!r} is a {type(self.vit).__name__}, and not timm's VisionTransformer.")
        if self.vit.attn_pool is not None:  # a head of its own, in place of a class token
            self.vit.attn_pool = None
        cfg: Mapping[str, Any] = self.vit.pretrained_cfg if weights else {}
        self.statistics: Statistics = statistics or _statistics(cfg)
        prefix = next(name for name, ours in NAMES.items() if ours == self.statistics)
        for name in ("mean", "std"):  # of values in [0, 1], once for each image in the channels
            three = torch.tensor(getattr(timm.data.constants, f"{prefix}_{name.upper()}"))
            channels = three[torch.arange(in_channels) % 3].view(-1, 1, 1)
            self.register_buffer(name, channels, persistent=False)
        if explicit:
            for block in self.vit.blocks:
                block.attn.fused_attn = False

    @property
    def dim(self) -> int:
        """Length of a token."""
        return int(self.vit.embed_dim)

    @property
    def patch(self) -> int:
        """Side of a patch."""
        return int(self.vit.patch_embed.patch_size[0])

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Map N x C x H x W in [-1, 1] to the class token, N x dim, and patches, N x dim x ceil(H / p) x ceil(W / p).

        Of a network without a class token it is the mean over the patches.
        """
        if self.statistics != "half":
            image = ((image + 1) / 2 - self.mean.to(image.dtype)) / self.std.to(image.dtype)
        tokens = self.vit.forward_features(image)
        patches = tokens[:, self.vit.num_prefix_tokens :].transpose(1, 2)
        grid = [-(-side // self.patch) for side in image.shape[-2:]]  # timm's own rounds by floats, as no export can
        told = tokens[:, 0] if self.vit.has_class_token else patches.mean(dim=2)
        return told, patches.unflatten(2, grid)

    @contextmanager
    def attention(self) -> Iterator[list[Tensor]]:
        """What attends to what in the passes inside: N x heads x tokens x tokens of each block, in order."""
        found: list[Tensor] = []
        layers = [block.attn for block in self.vit.blocks]
        fused = [layer.fused_attn for layer in layers]
        hooks = [layer.attn_drop.register_forward_hook(lambda *given: found.append(given[1][0])) for layer in layers]
        for layer in layers:
            layer.fused_attn = False
        try:
            yield found
        finally:
            for layer, before, hook in zip(layers, fused, hooks, strict=True):
                layer.fused_attn = before
                hook.remove()


def read_weights(path: str) -> Mapping[str, Tensor]:
    """The tensors of a file, `.safetensors` or `.pth`; nothing else in it is unpickled.

    Raises:
        ConfigError: it cannot be read.
    """
    try:
        if path.endswith(".safetensors"):
            return read_tensors(Path(path))
        return torch.load(path, map_location="cpu", weights_only=True)
    except (I2IZooError, OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise ConfigError(
            f"weights={path!r} cannot be read ({type(error).__name__}); give a file of weights of timm's, "
            ".safetensors or .pth."
        ) from error


def _statistics(cfg: Mapping[str, Any]) -> Statistics:
    """What the statistics of timm's config are called, "half" where it says none."""
    import timm.data

    for name, ours in NAMES.items():
        if tuple(cfg.get("mean", ())) == tuple(getattr(timm.data.constants, f"{name}_MEAN")):
            return ours  # type: ignore[return-value]
    return "half"
