"""The Vision Transformer as its paper trains it: a classifier of images (arXiv 2010.11929)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from i2izoo.contracts.classifying import Classifying
from i2izoo.contracts.config import schema
from i2izoo.contracts.ranges import Betas, Channels, Layers, Length, Rate, Share, Side
from i2izoo.errors import ConfigError, listing
from i2izoo.interfaces import Batch, Method, Update
from i2izoo_transformers.rollout import rollout
from i2izoo_transformers.trunk import Statistics, Trunk


class ViT(Classifying, Method):
    """Learns the classes of images: cross-entropy of an MLP on what the class token has become.

    Patches are projected to tokens, a class token goes first, positions are added, and blocks of attention and MLPs
    follow (Dosovitskiy et al., ICLR 2021, eq. 1 to 4). `classify` and `log_probabilities` give its answers; as a
    translator it shows the image as far as the class token has looked at it (figure 6).

    Args:
        domains: the name that the data gives the images; the last one alone counts.
        in_channels: channels of the images.
        classes: names of the classes; "data" takes those of the data.
        head: "mlp" has one hidden layer with tanh, as the paper's pre-training; "linear" none, as its fine-tuning.
        model: a Vision Transformer of timm's, whose sizes hold where no others are given.
        dim: length of a token.
        depth: blocks.
        heads: of attention; divide `dim`.
        patch: side of a patch in pixels.
        positions: side of the images that there is a learned position for each patch of; None: that of the model.
            Images of other sizes have interpolated ones.
        weights: a file of timm's weights of `model` to start from; a saved model has its weights and asks for none.
        statistics: what pixels are normalised with: "half" is [-1, 1] as it is; None: what suits the weights.
        dropout: behind position embedding, attention and each layer of the MLPs.
        learning_rate: of AdamW.
        weight_decay: of AdamW; not of biases, norms, positions and the class token.
        betas: of AdamW.

    >>> method = ViT(**ViT.tiny_options)
    >>> method.classify(torch.zeros(2, 3, 20, 33)).shape, method(torch.zeros(2, 3, 20, 33), to="image").shape
    (torch.Size([2]), torch.Size([2, 3, 20, 33]))
    """

    data = "single"
    recipe: ClassVar[dict[str, Any]] = {
        "epochs": 100, "batch_size": 64, "load_size": 256, "crop_size": 224, "warmup_steps": 200, "max_grad_norm": 1.0,
    }  # fmt: skip
    inference_parts = ("trunk", "head")
    tiny_options: ClassVar[dict[str, Any]] = {
        "classes": ["round", "square", "long"], "dim": 8, "depth": 2, "heads": 2, "patch": 8, "positions": 32,
    }  # fmt: skip
    tiny_variants: ClassVar[dict[str, dict[str, Any]]] = {"linear": {"head": "linear", "dropout": 0.1}}

    def __init__(
        self,
        *,
        domains: list[str] = ["image"],
        in_channels: Channels = 3,
        classes: list[str] | Literal["data"] = ["A", "B"],
        head: Literal["mlp", "linear"] = "mlp",
        model: str = "vit_tiny_patch16_224",
        dim: Length | None = None,
        depth: Layers | None = None,
        heads: Layers | None = None,
        patch: Side | None = None,
        positions: Side | None = None,
        weights: str = "",
        statistics: Statistics | None = None,
        dropout: Share = 0.0,
        learning_rate: Rate = 3e-4,
        weight_decay: Rate = 0.1,
        betas: Betas = [0.9, 0.999],
    ) -> None:
        super().__init__()
        if isinstance(classes, str):
            raise ConfigError(
                "classes='data' leaves the names of the classes to be found in data, which only training can do; give "
                "them: classes=['cat', 'dog']."
            )
        if len(classes) < 2 or len(set(classes)) < len(classes):
            raise ConfigError(f"a classifier has two classes or more, of different names; found {listing(classes, 5)}.")
        if not domains:
            raise ConfigError("the images need a name; domains is empty.")
        self.target, self.classes = domains[-1], classes
        self.learning_rate, self.weight_decay, self.betas = learning_rate, weight_decay, betas
        self.trunk = Trunk(
            model=model, in_channels=in_channels, dim=dim, depth=depth, heads=heads, patch=patch, positions=positions,
            weights=weights, statistics=statistics, dropout=dropout,
        )  # fmt: skip
        self.config |= {"weights": "", "statistics": self.trunk.statistics}
        width = self.trunk.dim
        hidden = [nn.Linear(width, width), nn.Tanh()] if head == "mlp" else []
        self.head = nn.Sequential(*hidden, nn.Linear(width, len(classes)))

    @classmethod
    def recipe_for(cls, options: Mapping[str, Any]) -> dict[str, Any]:
        side = options.get("positions", schema(cls)["positions"].default)
        return cls.recipe if side is None else {**cls.recipe, "load_size": side + side // 8, "crop_size": side}

    @property
    def directions(self) -> dict[str, str]:
        return {self.target: self.target}

    @property
    def channels(self) -> dict[str, int]:
        return {self.target: self.config["in_channels"]}

    @property
    def answers(self) -> Sequence[str]:
        return self.classes

    def logits(self, image: Tensor) -> Tensor:
        """N x C x H x W in [-1, 1], of any size, to N x classes."""
        return self.head(self.trunk(image)[0])

    def log_probabilities(self, image: Tensor) -> Tensor:
        """log p(class | image), N x classes, of N x C x H x W in [-1, 1], of any size."""
        return F.log_softmax(self.logits(image).float(), dim=1)

    def classify(self, image: Tensor) -> Tensor:
        """N x C x H x W in [-1, 1], of any size, to the numbers N of the likeliest classes, int64."""
        return self.logits(image).argmax(dim=1)

    def training_step(self, batch: Batch) -> Iterator[Update]:
        if batch.labels is None:
            raise ConfigError(
                f"the model learns the classes {listing(self.classes, 5)}, and the data has no labels; put the images "
                "of each class into a folder of its own."
            )
        logits = self.logits(batch[self.target]).float()
        yield Update("classifier", {"cross_entropy": F.cross_entropy(logits, batch.labels)})

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        decayed = [p for p in self.parameters() if p.ndim > 1 and len(p) > 1]  # a position is 1 x tokens x dim
        rest = [p for p in self.parameters() if p.ndim <= 1 or len(p) == 1]
        groups = [{"params": decayed, "weight_decay": self.weight_decay}, {"params": rest, "weight_decay": 0.0}]
        adamw = torch.optim.AdamW(groups, self.learning_rate, (self.betas[0], self.betas[1]), fused=True)
        return {"classifier": adamw}

    def translate(self, image: Tensor, *, to: str, seeds: list[int]) -> Tensor:
        """N x C x H x W, each pixel as bright as the class token has attended to its patch; the most is 1, black is 0.

        Attention is rolled out through all blocks; see `i2izoo_transformers.rollout`. Of a model without a class token
        it is that of all patches.

        Args:
            image: the batch.
            to: the domain.
            seeds: do not count.
        """
        with self.trunk.attention() as found:
            _, patches = self.trunk(image)
        prefix = self.trunk.vit.num_prefix_tokens
        seen = rollout(found)[:, :1] if prefix else rollout(found).mean(dim=1, keepdim=True)
        mask = seen[:, :, prefix:].unflatten(2, patches.shape[-2:])
        sides = [self.trunk.patch * side for side in patches.shape[-2:]]
        mask = F.interpolate(mask, sides, mode="bilinear")[..., : image.shape[-2], : image.shape[-1]]
        mask = mask / mask.amax(dim=(1, 2, 3), keepdim=True).clamp_min(torch.finfo(mask.dtype).tiny)
        return ((image + 1) * mask.to(image.dtype)) - 1
