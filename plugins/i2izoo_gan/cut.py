"""CUT and FastCUT: unpaired translation in one direction (Park et al., ECCV 2020, arXiv 2007.15651)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from i2izoo.contracts.checkpoints import Checkpoints
from i2izoo.contracts.one_way import OneWayMethod
from i2izoo.contracts.ranges import Betas, Channels, Gain, Number, Range, Rate, Weight
from i2izoo.errors import ConfigError
from i2izoo.interfaces import AdversarialLoss, Batch, Discriminator, Generator, Part, PartSpec, Update
from i2izoo.nn.init import Init, init_weights
from i2izoo.nn.modes import dropouts, modes_kept
from i2izoo.nn.optim import adam
from i2izoo_gan.import_cut import ROLES, cut_from_original
from i2izoo_gan.patchnce import Negatives, PatchSampler, patch_nce, random_positions

ANTIALIASED_RESNET: PartSpec = {"name": "resnet_9blocks", "antialias": True}
ANTIALIASED_PATCHGAN: PartSpec = {"name": "patchgan", "antialias": True}


class CUT(OneWayMethod):
    """Learns one direction from unpaired images: every patch of a translation is told by its place in the source.

    L_GAN(G, D, X, Y) + lambda_X L_PatchNCE(G, H, X) + lambda_Y L_PatchNCE(G, H, Y) (eq. 5).

    The second term ties every patch of G(x) to its place in x; the third does so for G(y) and y, the identity loss.

    Args:
        domains: source and target, by the names that the data gives them.
        channels: channels of the images of both; the generator encodes its own output too, so they are equal. A label
            map has one for each class instead, and the domain that has fewer then comes with empty ones beside its own.
        generator: any generator with a method `features(image, names)`; the paper's is an anti-aliased ResNet.
        discriminator: any discriminator, unconditional; the paper's is an anti-aliased PatchGAN.
        gan_loss: any adversarial loss; the paper's is "lsgan".
        gan_weight: weight of the adversarial term; 0 trains without a discriminator.
        nce_weight: lambda_X, 1 (CUT) or 10 (FastCUT). The authors' code halves both terms of CUT, which the paper does
            not: for that, set this and `identity_weight` to 0.5.
        identity_weight: lambda_Y, 1 (CUT) or 0 (FastCUT), which switches it off.
        flip_equivariance: mirror every second image on its way into the generator, at random, and its features back
            before they are compared; FastCUT does.
        layers: names of the generator's layers whose features are compared. The default are those of the paper: the
            pixels, both downsampling convolutions, and the first and the fifth residual block.
        patches: number of positions of each layer, drawn anew in each step.
        projection: length of the vectors that are compared.
        temperature: tau of the contrastive loss.
        negatives: "image": patches are told from others of the same image; "batch": also from those of other
            images of the batch.
        discriminator_steps: discriminator updates for each generator update.
        init: initialisation of the weights.
        init_gain: its standard deviation or gain.
        learning_rate: of Adam, for all.
        betas: of Adam.

    >>> method = CUT(generator={"name": "resnet_6blocks", "width": 4})
    >>> method(torch.zeros(1, 3, 20, 9), to="target").shape
    torch.Size([1, 3, 20, 9])
    """

    data = "unpaired"
    recipe: ClassVar[dict[str, Any]] = {
        "epochs": 200, "decay_epochs": 200, "batch_size": 1, "load_size": 286, "crop_size": 256,
        "jitter_until": "decay",  # as the authors' code does it, which the paper does not say
    }  # fmt: skip
    tiny_options: ClassVar[dict[str, Any]] = {
        "generator": {"name": "resnet_9blocks", "width": 4, "blocks": 1},
        "discriminator": {"name": "patchgan", "width": 4, "layers": 2},
        "layers": ["pad_in", "down1", "block1"],
        "patches": 16,
        "projection": 8,
    }

    def __init__(
        self,
        *,
        domains: list[str] = ["source", "target"],
        channels: Channels = 3,
        generator: Part[Generator] = ANTIALIASED_RESNET,
        discriminator: Part[Discriminator] = ANTIALIASED_PATCHGAN,
        gan_loss: Part[AdversarialLoss] = "lsgan",
        gan_weight: Weight = 1.0,
        nce_weight: Weight = 1.0,
        identity_weight: Weight = 1.0,
        flip_equivariance: bool = False,
        layers: list[str] = ["pad_in", "down1", "down2", "block1", "block5"],
        patches: Number = 256,
        projection: Channels = 256,
        temperature: Annotated[float, Range(0, 1e6, without="low")] = 0.07,
        negatives: Negatives = "image",
        discriminator_steps: Number = 1,
        init: Init = "xavier",
        init_gain: Gain = 0.02,
        learning_rate: Rate = 2e-4,
        betas: Betas = [0.5, 0.999],
    ) -> None:
        super().__init__()
        self.set_domains(domains)
        if not layers or len(set(layers)) < len(layers):
            raise ConfigError(f"CUT compares features of one or more different layers; found {layers}.")
        if not (gan_weight or nce_weight or identity_weight):
            raise ConfigError("gan_weight, nce_weight and identity_weight are all 0: there is nothing to learn from.")
        self.seen = max(self.channels.values())
        made = self.channels[self.target]
        self.generator = self.part("generator", in_channels=self.seen, out_channels=made)
        self.discriminator = self.part("discriminator", in_channels=made)
        self.sampler = PatchSampler(_feature_channels(self.generator, layers, self.seen), projection)
        self.gan_loss = self.part("gan_loss")
        self.gan_weight, self.nce_weight, self.identity_weight = gan_weight, nce_weight, identity_weight
        self.flip_equivariance, self.discriminator_steps = flip_equivariance, discriminator_steps
        self.layers, self.patches, self.temperature, self.negatives = layers, patches, temperature, negatives
        self.learning_rate, self.betas = learning_rate, betas
        for network in (self.generator, self.discriminator, self.sampler):
            init_weights(network, init, init_gain)

    @property
    def channels(self) -> dict[str, int]:
        maps = self.label_maps
        return {d: len(maps[d]) if d in maps else self.config["channels"] for d in (self.source, self.target)}

    def encoder_input(self, image: Tensor) -> Tensor:
        """Images of either domain, with as many channels as the generator sees."""
        return F.pad(image, (0, 0, 0, 0, 0, self.seen - image.shape[1]))

    def training_step(self, batch: Batch) -> Iterator[Update]:
        D = self.discriminator
        x, y = batch[self.source], batch[self.target]
        mirrored = self.flip_equivariance and bool(torch.rand(()) < 0.5)
        (fake, keys), *same = self._translated([x, y] if self.identity_weight else [x], mirrored)

        if self.gan_weight:
            weight = 0.5 * self.gan_weight
            yield Update("discriminator", self.gan_loss.discriminator_losses(D, y, fake, weight=weight))

        def losses() -> dict[str, Tensor]:
            terms = {}
            if self.gan_weight:
                terms["gan"] = self.gan_weight * self.gan_loss.generator(D(fake))
            if self.nce_weight:
                terms["nce"] = self.nce_weight * self._patch_nce(fake, x, mirrored, keys)
            if self.identity_weight:
                terms["identity"] = self.identity_weight * self._patch_nce(same[0][0], y, mirrored, same[0][1])
            return terms

        learners = ("generator", "sampler") if self._contrasts else "generator"
        yield Update(learners, losses, every=self.discriminator_steps if self.gan_weight else 1)

    def _translated(self, images: list[Tensor], mirrored: bool) -> list[tuple[Tensor, list[Tensor]]]:
        """G of each, in one batch if they are of one size, so that a batch norm sees all, as in the authors' code.

        And what its encoder made of each on the way, as PatchNCE compares it, where encoding it once more would give
        the same; else nothing.
        """
        images = [self.encoder_input(image.flip(3) if mirrored else image) for image in images]
        batches = [images] if len({image.shape[1:] for image in images}) == 1 else [[image] for image in images]
        reused = self._contrasts and not mirrored and _same_twice(self.generator)
        found: list[tuple[Tensor, list[Tensor]]] = []
        for batch in batches:
            joined, sizes = torch.cat(batch), [len(image) for image in batch]
            if not reused:
                found += [(output, []) for output in self.generator(joined).split(sizes)]
                continue
            output, encoded = self.generator.with_features(joined, self.layers)
            parts = zip(*(encoded[name].detach().split(sizes) for name in self.layers), strict=True)
            found += list(zip(output.split(sizes), map(list, parts), strict=True))
        return found

    def _patch_nce(self, translation: Tensor, source: Tensor, mirrored: bool, keys: Sequence[Tensor] = ()) -> Tensor:
        """L_PatchNCE (eq. 4): the mean over layers and positions, a scalar; `keys` of the source, if there are some."""
        encoded = self.generator.features(self.encoder_input(translation), self.layers)
        queries = [encoded[name].flip(3) if mirrored else encoded[name] for name in self.layers]
        with torch.no_grad():
            if not keys:
                encoded = self.generator.features(self.encoder_input(source), self.layers)
                keys = [encoded[name] for name in self.layers]
            positions = random_positions(keys, self.patches)
            keys = self.sampler(keys, positions)
        queries = self.sampler(queries, positions)
        terms = [
            patch_nce(query, key, self.temperature, self.negatives).mean()
            for query, key in zip(queries, keys, strict=True)
        ]
        return torch.stack(terms).mean()

    @property
    def _contrasts(self) -> bool:
        return bool(self.nce_weight or self.identity_weight)

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        networks = {"generator": self.generator}
        if self._contrasts:
            networks["sampler"] = self.sampler
        if self.gan_weight:
            networks["discriminator"] = self.discriminator
        return {name: adam(network.parameters(), self.learning_rate, self.betas) for name, network in networks.items()}

    def translate(self, image: Tensor, *, to: str, seeds: list[int]) -> Tensor:
        """N x C x H x W of the source to the target."""
        return self.generator(self.encoder_input(image))

    @classmethod
    def checkpoint_roles(cls, options: Mapping[str, Any]) -> tuple[str, ...]:
        return ROLES

    @classmethod
    def read_checkpoints(cls, files: Mapping[str, Mapping[str, Tensor]], options: Mapping[str, Any]) -> Checkpoints:
        """What the authors' `latest_net_G.pth` and, if given, `..._F.pth` (the MLPs) and `..._D.pth` say."""
        return cut_from_original(files, options)


class FastCUT(CUT):
    """CUT without the identity loss, which makes it faster and lighter (section 4.1).

    The contrastive loss weighs more instead, and images are mirrored for flip equivariance.
    """

    recipe: ClassVar[dict[str, Any]] = CUT.recipe | {"epochs": 150, "decay_epochs": 50}
    defaults: ClassVar[dict[str, Any]] = {"nce_weight": 10.0, "identity_weight": 0.0, "flip_equivariance": True}


def _feature_channels(generator: Generator, layers: list[str], channels: int) -> list[int]:
    """Channels of the named layers, found with an image of the smallest size."""
    if not callable(getattr(generator, "features", None)):
        raise ConfigError(
            f"CUT compares features of its generator, and {type(generator).__name__} has no method "
            "features(image, names); take 'resnet_9blocks', or give it one."
        )
    side = generator.min_size + -generator.min_size % generator.size_multiple
    with modes_kept(generator), torch.no_grad():
        features = generator.eval().features(torch.zeros(1, channels, side, side), layers)  # type: ignore[operator]
    return [features[name].shape[1] for name in layers]


def _same_twice(generator: Generator) -> bool:
    """Can it give features on the way, and are they what it gives of an image by itself, and again?"""
    if not hasattr(generator, "with_features") or getattr(generator, "latent", False):
        return False
    if generator._compiled_call_impl is not None:  # which is faster
        return False
    return not dropouts(generator) and not any(
        isinstance(m, nn.modules.batchnorm._BatchNorm) for m in generator.modules()
    )
