"""The conformance kit catches what it says it catches: each class breaks one rule, and that rule alone must notice."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar

import pytest
import torch
from torch import Tensor, nn

from i2izoo.contracts.entrypoints import Entry
from i2izoo.contracts.ranges import Channels, Number, Range, Share, Side
from i2izoo.contracts.registry import registry
from i2izoo.errors import UnknownNameError
from i2izoo.interfaces import (
    AdversarialLoss,
    Batch,
    Dataset,
    Discriminator,
    Generator,
    Method,
    Part,
    ReconstructionLoss,
    Update,
)
from i2izoo.nn.random import randn
from i2izoo.testing.conformance import RULES, Check, checks
from i2izoo.testing.subject import NotApplicable, Subject


class Good(Generator):
    """Keeps every rule. Options: in_channels, out_channels."""

    def __init__(self, *, in_channels: Channels = 3, out_channels: Channels = 3) -> None:
        super().__init__()
        self.layer = nn.Conv2d(in_channels, out_channels, 3, padding=1)

    def forward(self, image: Tensor, *conditions: Tensor) -> Tensor:
        return torch.tanh(self.layer(image))


class TakesAnything(Generator):
    """Options: in_channels, out_channels, and whatever else."""

    def __init__(self, in_channels: Channels = 3, out_channels: Channels = 3, **more: Any) -> None:
        super().__init__()
        self.layer = nn.Conv2d(in_channels, out_channels, 1)

    def forward(self, image: Tensor, *conditions: Tensor) -> Tensor:
        return self.layer(image)


class Silent(Good):
    def __init__(self, *, in_channels: Channels = 3, out_channels: Channels = 3, mystery: Number = 1) -> None:
        super().__init__(in_channels=in_channels, out_channels=out_channels)


class Boundless(Good):
    """Options: in_channels, out_channels, width."""

    def __init__(self, *, in_channels: Channels = 3, out_channels: Channels = 3, width: int = 1) -> None:
        super().__init__(in_channels=in_channels, out_channels=out_channels)


class Breaks(Good):
    """Options: in_channels, out_channels, depth; at a depth of 9 the sides of its kernel are negative."""

    def __init__(
        self, *, in_channels: Channels = 3, out_channels: Channels = 3, depth: Annotated[int, Range(0, 9)] = 0
    ) -> None:
        super().__init__(in_channels=in_channels, out_channels=out_channels)
        self.register_buffer("window", torch.zeros(8 - depth))


class Draws(Good):
    """Draws from the global random state in eval mode."""

    def forward(self, image: Tensor, *conditions: Tensor) -> Tensor:
        return super().forward(image) + torch.randn(())


class InPlace(Good):
    """Its first layer writes into the input."""

    def forward(self, image: Tensor, *conditions: Tensor) -> Tensor:
        return super().forward(image if image.requires_grad else image.clamp_(min=0))


class Unused(Good):
    """Has a layer that no gradient reaches."""

    def __init__(self, *, in_channels: Channels = 3, out_channels: Channels = 3) -> None:
        super().__init__(in_channels=in_channels, out_channels=out_channels)
        self.idle = nn.Conv2d(1, 1, 1)


class Shared(Good):
    """Its copies share their weights with it."""

    def __deepcopy__(self, memo: dict[int, Any]) -> Shared:
        return self


class Hidden(Good):
    """Has state that is neither a parameter nor a buffer."""

    offset = 0.0

    def forward(self, image: Tensor, *conditions: Tensor) -> Tensor:
        if self.training:
            self.offset += 1.0
        return super().forward(image) + self.offset


class LayoutDependent(Good):
    """Reads the memory order."""

    def forward(self, image: Tensor, *conditions: Tensor) -> Tensor:
        return super().forward(image) * (1 if image.is_contiguous() else 2)


class Overflows(Good):
    """Is not finite in half precision."""

    def forward(self, image: Tensor, *conditions: Tensor) -> Tensor:
        output = super().forward(image)
        return output if output.dtype == torch.float32 and not torch.is_autocast_enabled("cpu") else output / 0


class Shrinks(Good):
    """Gives a smaller image."""

    def forward(self, image: Tensor, *conditions: Tensor) -> Tensor:
        return super().forward(image)[..., ::2, :]


class AlwaysColour(Good):
    """Takes out_channels and gives three."""

    def __init__(self, *, in_channels: Channels = 3, out_channels: Channels = 3) -> None:
        super().__init__(in_channels=in_channels, out_channels=3)
        self.config["out_channels"] = out_channels


class Mixes(Good):
    """Normalises over the batch in eval mode."""

    def forward(self, image: Tensor, *conditions: Tensor) -> Tensor:
        output = super().forward(image)
        return output - output.mean()


class OneTensor(Discriminator):
    """Gives a tensor where a list is due. Option: in_channels."""

    def __init__(self, *, in_channels: Channels = 3) -> None:
        super().__init__()
        self.layer = nn.Conv2d(in_channels, 1, 1)

    def forward(self, image: Tensor) -> list[Tensor]:
        return self.layer(image)  # type: ignore[no-any-return]


class Once(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, x: Tensor) -> Tensor:
        return x.clone()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(context: Any, gradient: Tensor) -> Tensor:
        return gradient.clone()


class DerivesOnce(OneTensor):
    """Has no second derivative, as fused attention."""

    def forward(self, image: Tensor) -> list[Tensor]:
        return [self.layer(Once.apply(image)).square()]


class NotADistance(ReconstructionLoss):
    """Is lower for different images."""

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        return 9 - (prediction - target).float().abs().mean()


class Detached(ReconstructionLoss):
    """Looks at the prediction through a constant, so its gradient leads away."""

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        distance = (prediction - target).float().abs().mean()
        return 2 * distance.detach() - distance


class Adversarial(AdversarialLoss):
    """The Wasserstein losses; keeps every rule."""

    def discriminator(self, real: list[Tensor], fake: list[Tensor]) -> Tensor:
        return torch.stack([f.float().mean() - r.float().mean() for r, f in zip(real, fake, strict=True)]).sum()

    def generator(self, fake: list[Tensor]) -> Tensor:
        return torch.stack([-f.float().mean() for f in fake]).sum()


class Saturates(Adversarial):
    """Takes the logarithm of a sigmoid that rounds to 0."""

    def generator(self, fake: list[Tensor]) -> Tensor:
        return torch.stack([-torch.log(torch.sigmoid(f.float())).mean() for f in fake]).sum()


class AveragesScales(Adversarial):
    """Averages over scales where they are summed."""

    def generator(self, fake: list[Tensor]) -> Tensor:
        return super().generator(fake) / len(fake)


class WrongWay(Adversarial):
    """Lets the generator help the discriminator."""

    def generator(self, fake: list[Tensor]) -> Tensor:
        return -super().generator(fake)


class LeakyPenalty(Adversarial):
    """Sends the gradient of its penalty into the generator."""

    def penalty(self, discriminator: nn.Module, real: Tensor, fake: Tensor) -> Tensor | None:
        return torch.stack([s.square().mean() for s in discriminator(fake)]).sum()


class GoodMethod(Method):
    """Keeps every rule."""

    def __init__(self) -> None:
        super().__init__()
        self.generator = Good()

    @property
    def directions(self) -> dict[str, str]:
        return {"b": "a"}

    @property
    def channels(self) -> dict[str, int]:
        return {"a": 3, "b": 3}

    def translate(self, image: Tensor, *, to: str, seeds: list[int]) -> Tensor:
        return self.generator(image)

    def training_step(self, batch: Batch) -> Iterator[Update]:
        yield Update("all", {"l1": (self.generator(batch["a"]) - batch["b"]).abs().mean()})

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        return {"all": torch.optim.Adam(self.parameters(), 1e-3)}


class PastAugmentation(GoodMethod):
    """Shows its discriminator images past the augmentation. Options: discriminator, gan_loss."""

    def __init__(self, *, discriminator: Part[Discriminator] = "patchgan", gan_loss: Part[AdversarialLoss] = "lsgan"):
        super().__init__()
        self.discriminator, self.gan_loss = self.part("discriminator", in_channels=3), self.part("gan_loss")

    def training_step(self, batch: Batch) -> Iterator[Update]:
        fake = self.generator(batch["a"])
        yield Update("all", self.gan_loss.discriminator_losses(self.discriminator, batch["b"], fake))
        yield Update("all", {"gan": self.gan_loss.generator(self.discriminator.forward(fake))})


class UnknownChannels(GoodMethod):
    """Says nothing about the channels of its source."""

    @property
    def channels(self) -> dict[str, int]:
        return {"b": 3}


class OwnSteps(GoodMethod):
    """Has an option that is the trainer's."""

    def __init__(self, *, steps: Number = 50) -> None:
        super().__init__()


class BareOption(GoodMethod):
    """Its `translate` requires more than the translator knows."""

    def translate(self, image: Tensor, *, to: str, seeds: list[int], strength: Share) -> Tensor:  # type: ignore[override]
        return self.generator(image)


class TakenOption(GoodMethod):
    """Its `translate` has an option that the translator keeps for itself."""

    def translate(self, image: Tensor, *, to: str, seeds: list[int], size: float = 1.0) -> Tensor:
        return self.generator(image)


class NoCrop(GoodMethod):
    """Gives back the padding."""

    def forward(self, image: Tensor, *, to: str, seeds: list[int] | None = None, **options: Any) -> Tensor:
        return self.generator(nn.functional.pad(image, (0, 1)))


class GlobalNoise(GoodMethod):
    """Draws from the global random state instead of the seeds."""

    def translate(self, image: Tensor, *, to: str, seeds: list[int]) -> Tensor:
        return self.generator(image + torch.randn_like(image))


class FirstSeedOnly(GoodMethod):
    """Seeds the whole batch with the first row's seed."""

    def translate(self, image: Tensor, *, to: str, seeds: list[int]) -> Tensor:
        noise = torch.randn(image.shape, generator=torch.Generator().manual_seed(seeds[0]))
        return self.generator(image + noise)


class Forgets(GoodMethod):
    """Translates with a weight that is not saved."""

    def __init__(self) -> None:
        super().__init__()
        self.last = nn.Parameter(torch.rand(()))

    def translate(self, image: Tensor, *, to: str, seeds: list[int]) -> Tensor:
        return self.generator(image) * self.last

    def training_step(self, batch: Batch) -> Iterator[Update]:
        yield Update("all", {"l1": (self.generator(batch["a"]) * self.last - batch["b"]).abs().mean()})


class GoodGenerator(Method):
    """Keeps every rule, and makes images from nothing."""

    data = "single"

    def __init__(self) -> None:
        super().__init__()
        self.generator = Good()

    @property
    def directions(self) -> dict[str, str | None]:
        return {"b": None}

    @property
    def channels(self) -> dict[str, int]:
        return {"b": 3}

    def generate(self, *, to: str, seeds: list[int], size: tuple[int, int]) -> Tensor:
        return self.generator(randn((3, *size), seeds))

    def training_step(self, batch: Batch) -> Iterator[Update]:
        fake = self.generator(torch.randn_like(batch["b"]))
        yield Update("all", {"mean": (fake.mean(dim=0) - batch["b"].mean(dim=0)).abs().mean()})

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        return {"all": torch.optim.Adam(self.parameters(), 1e-3)}


class OnlyTranslates(GoodGenerator):
    """Says that it needs no source, but has no way to do without."""

    generate = Method.generate

    def translate(self, image: Tensor, *, to: str, seeds: list[int]) -> Tensor:
        return self.generator(image)


class Glaring(GoodGenerator):
    """Leaves the range of images."""

    def generate(self, *, to: str, seeds: list[int], size: tuple[int, int]) -> Tensor:
        return 3 * randn((3, *size), seeds)


class OwnSize(GoodGenerator):
    """Knows one size only, and does not say so."""

    def generate(self, *, to: str, seeds: list[int], size: tuple[int, int]) -> Tensor:
        return super().generate(to=to, seeds=seeds, size=(8, 8))


class NotItsSize(GoodGenerator):
    """Its own size is one that its layers cannot make."""

    native_size = (30, 30)

    def size_multiple(self, to: str) -> int:
        return 4


class OneImage(GoodGenerator):
    """Makes the same image for all seeds."""

    def generate(self, *, to: str, seeds: list[int], size: tuple[int, int]) -> Tensor:
        return super().generate(to=to, seeds=[0] * len(seeds), size=size)


class GlobalDraw(GoodGenerator):
    """Draws from the global random state instead of the seeds."""

    def generate(self, *, to: str, seeds: list[int], size: tuple[int, int]) -> Tensor:
        return self.generator(torch.randn(len(seeds), 3, *size))


class Neighbours(GoodGenerator):
    """Normalises by the whole batch."""

    def generate(self, *, to: str, seeds: list[int], size: tuple[int, int]) -> Tensor:
        made = super().generate(to=to, seeds=seeds, size=size)
        return made - made.mean()


class Lazy(GoodMethod):
    """Has an optimiser that never steps."""

    def training_step(self, batch: Batch) -> Iterator[Update]:
        yield Update("all", {"l1": (self.generator(batch["a"]) - batch["b"]).abs().mean()}, step=False)


class Partial(GoodMethod):
    """Trains only some of what translates."""

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        return {"all": torch.optim.Adam([self.generator.layer.weight], 1e-3)}


class HalfNan(GoodMethod):
    """Its loss is not finite in half precision."""

    def training_step(self, batch: Batch) -> Iterator[Update]:
        fake = self.generator(batch["a"])
        yield Update("all", {"l1": (fake - batch["b"]).abs().mean() / (0 if torch.is_autocast_enabled("cpu") else 1)})


class GoodData(Dataset):
    """Keeps every rule. Options: flip, crop_size, split."""

    domains = ("a", "b")
    kind = "paired"
    classes = ("even", "odd")

    def __init__(self, *, flip: bool = True, crop_size: Side = 8, split: str = "train") -> None:
        self.flip, self.crop_size, self.split = flip, crop_size, split

    def __len__(self) -> int:
        return 4

    def name(self, index: int) -> str:
        return f"{self.split}-{index}"

    def label(self, index: int) -> int | None:
        return index % 2

    def sample(self, index: int, seed: int | None) -> dict[str, Tensor]:
        generator = torch.Generator().manual_seed(index + (0 if seed is None else 100 * seed + 17))
        image = torch.rand(3, self.crop_size, self.crop_size, generator=generator) * 2 - 1
        flipped = self.flip and seed is not None and bool(torch.rand((), generator=generator) < 0.5)
        return {domain: image.flip(2) if flipped else image for domain in self.domains}


class OwnCrop(GoodData):
    """Takes a crop and does not crop."""

    def sample(self, index: int, seed: int | None) -> dict[str, Tensor]:
        return {domain: torch.zeros(3, 20, 20) for domain in self.domains}


class OneDomain(GoodData):
    """Forgets a domain."""

    def sample(self, index: int, seed: int | None) -> dict[str, Tensor]:
        return {"a": super().sample(index, seed)["a"]}


class GlobalJitter(GoodData):
    """Draws from the global random state."""

    def sample(self, index: int, seed: int | None) -> dict[str, Tensor]:
        return {domain: image * torch.rand(()) for domain, image in super().sample(index, seed).items()}


class AlwaysFlips(GoodData):
    """Mirrors what is held out."""

    def sample(self, index: int, seed: int | None) -> dict[str, Tensor]:
        return {d: image.flip(2) if self.flip else image for d, image in super().sample(index, seed).items()}


class OneName(GoodData):
    """Calls all of its items the same."""

    def name(self, index: int) -> str:
        return self.split


class OwnCount(GoodData):
    """Has a number where there should be a method."""

    def __init__(self, *, flip: bool = True, crop_size: Side = 8, split: str = "train") -> None:
        super().__init__(flip=flip, crop_size=crop_size, split=split)
        self.count = 4  # type: ignore[method-assign, assignment]


class OneBuffer(GoodData):
    """Reads every item into the same memory."""

    def sample(self, index: int, seed: int | None) -> dict[str, Tensor]:
        if not hasattr(self, "buffer"):
            self.buffer = torch.zeros(3, self.crop_size, self.crop_size)
        self.buffer.copy_(super().sample(index, seed)["a"])
        return dict.fromkeys(self.domains, self.buffer)


class OneSplit(GoodData):
    """Gives the images of the training, whatever the split."""

    def name(self, index: int) -> str:
        return f"item-{index}"


class StrangeClass(GoodData):
    """Has a label beyond its classes."""

    def label(self, index: int) -> int | None:
        return index


class ShrinksData(GoodData):
    """Becomes smaller on the way."""

    def at(self, progress: float) -> Dataset:
        return self if progress < 0.5 else ShrinksData(crop_size=4)


class Counts(GoodMethod):
    """Has a counter that no checkpoint knows."""

    count = 0

    def training_step(self, batch: Batch) -> Iterator[Update]:
        self.count += 1
        yield Update("all", {"l1": self.count * (self.generator(batch["a"]) - batch["b"]).square().mean()})

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        return {"all": torch.optim.SGD(self.parameters(), 1e-3)}


BROKEN = [
    ("generators", TakesAnything, "options_are_keyword_only"),
    ("generators", Silent, "is_documented"),
    ("generators", Boundless, "numbers_have_a_range"),
    ("generators", Breaks, "ends_of_ranges_build_or_are_refused"),
    ("generators", AlwaysColour, "channels_are_options"),
    ("generators", Draws, "is_deterministic_in_eval"),
    ("generators", InPlace, "leaves_its_input_alone"),
    ("generators", Unused, "gradient_reaches_everything"),
    ("generators", Shared, "copies_are_independent"),
    ("generators", Hidden, "weights_reload_strictly"),
    ("generators", LayoutDependent, "channels_last_changes_nothing"),
    ("generators", Overflows, "bfloat16_is_finite"),
    ("generators", Shrinks, "output_has_the_size_of_the_input"),
    ("generators", Mixes, "rows_are_independent"),
    ("discriminators", OneTensor, "logits_come_as_a_list"),
    ("discriminators", DerivesOnce, "has_a_second_derivative"),
    ("losses", NotADistance, "distance_is_a_scalar"),
    ("losses", Detached, "distance_can_be_minimised"),
    ("losses", Saturates, "adversarial_losses_are_scalars"),
    ("losses", AveragesScales, "scales_are_summed_and_patches_averaged"),
    ("losses", WrongWay, "adversarial_losses_pull_the_right_way"),
    ("losses", LeakyPenalty, "penalty_is_the_discriminators"),
    ("methods", UnknownChannels, "describes_itself"),
    ("methods", OwnSteps, "options_are_not_the_trainers"),
    ("methods", BareOption, "options_of_translate_have_defaults"),
    ("methods", TakenOption, "options_of_translate_are_not_the_calls"),
    ("methods", NoCrop, "any_size_translates"),
    ("methods", GlobalNoise, "seeds_decide_everything"),
    ("methods", FirstSeedOnly, "rows_are_independent"),
    ("methods", Forgets, "saved_is_loaded"),
    ("methods", OnlyTranslates, "describes_itself"),
    ("methods", OwnSize, "any_size_translates"),
    ("methods", OneImage, "seeds_decide_everything"),
    ("methods", GlobalDraw, "seeds_decide_everything"),
    ("methods", Neighbours, "rows_are_independent"),
    ("methods", Glaring, "generates_images"),
    ("methods", NotItsSize, "generates_images"),
    ("methods", Lazy, "every_optimizer_learns"),
    ("methods", Partial, "what_translates_is_trained"),
    ("methods", HalfNan, "trains_in_bfloat16"),
    ("methods", PastAugmentation, "discriminators_are_augmented"),
    ("methods", Counts, "resumes_exactly"),
    ("datasets", OwnCrop, "opens_as_the_trainer_opens_it"),
    ("datasets", OneDomain, "samples_are_images_of_every_domain"),
    ("datasets", GlobalJitter, "samples_are_functions_of_the_seed"),
    ("datasets", AlwaysFlips, "validation_has_no_jitter"),
    ("datasets", OneName, "names_are_unique"),
    ("datasets", OwnCount, "counts_its_images"),
    ("datasets", OneBuffer, "threads_read_the_same"),
    ("datasets", OneSplit, "splits_are_apart"),
    ("datasets", StrangeClass, "labels_are_of_its_classes"),
    ("datasets", ShrinksData, "stays_a_data_set_to_the_end"),
]


def check_of(kind: str, part: type, rule: str) -> Check:
    registry(kind).register(part.__name__, part)
    subject = Subject(kind, Entry(part.__name__, f"{__name__}:{part.__name__}", "this-program", "0", part))
    return Check(subject, next(r for r in RULES[kind] if r.__name__ == rule))


@pytest.fixture(autouse=True)
def forget(monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in ("generators", "discriminators", "losses", "methods", "datasets"):
        monkeypatch.setattr(registry(kind), "_registered", dict(registry(kind)._registered))


@pytest.mark.parametrize(("kind", "part", "rule"), BROKEN, ids=lambda v: getattr(v, "__name__", str(v)))
def test_a_part_that_breaks_a_rule_is_found_by_it(kind: str, part: type, rule: str) -> None:
    with pytest.raises(AssertionError) as caught:
        check_of(kind, part, rule)()
    assert f"{part.__name__!r} of plugin this-program" in str(caught.value)
    assert f"breaks the rule {rule!r}" in str(caught.value)


GOOD = {"generators": Good, "losses": Adversarial, "methods": GoodMethod, "datasets": GoodData}


@pytest.mark.parametrize(
    ("kind", "part", "rule"),
    [(k, part, r.__name__) for k, part in [*GOOD.items(), ("methods", GoodGenerator)] for r in RULES[k]],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_a_part_that_keeps_the_rules_passes(kind: str, part: type, rule: str) -> None:
    try:
        check_of(kind, part, rule)()
    except NotApplicable as reason:
        pytest.skip(str(reason))


def test_every_rule_about_networks_losses_methods_and_data_has_a_part_that_breaks_it() -> None:
    kinds = ("generators", "losses", "methods", "datasets")
    shown = {rule for _, _, rule in BROKEN}
    everyones = {"options_rebuild_the_part", "unknown_options_are_refused"}  # Configurable sees to these by itself
    assert {r.__name__ for k in kinds for r in RULES[k]} - shown == everyones


def test_a_variant_that_breaks_a_rule_is_named() -> None:
    class Varied(GoodMethod):
        """Options: off."""

        tiny_variants: ClassVar = {"off": {"off": True}}

        def __init__(self, *, off: bool = False) -> None:
            super().__init__()
            self.off = off

        def translate(self, image: Tensor, *, to: str, seeds: list[int]) -> Tensor:
            return image[..., 1:, :] if self.off else image

    with pytest.raises(AssertionError, match=r"method 'Varied' \(off\) of plugin this-program 0 breaks the rule"):
        check_of("methods", Varied, "any_size_translates")()


def test_checks_of_a_distribution_without_parts_say_so() -> None:
    with pytest.raises(UnknownNameError, match=r"no distribution 'no-such-distribution' .* is installed.*i2izoo"):
        checks("no-such-distribution")


def test_a_scheduler_of_diffusers_keeps_the_rules() -> None:
    from diffusers import DDIMScheduler

    check_of("schedulers", DDIMScheduler, "scheduler_adds_and_removes_noise")()
