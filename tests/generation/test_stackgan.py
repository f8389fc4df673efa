"""`stackgan`: its networks against the authors' sizes, its losses against plain rewrites, its stages and messages."""

from __future__ import annotations

import copy
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from i2izoo_generation.conditioning import ConditioningAugmentation
from i2izoo_generation.joint_embedding import joint_embedding_loss
from i2izoo_generation.stackgan import StackGAN, mismatching
from i2izoo_generation.stackgan_generator import StackGANGenerator
from text_encoding import clip_folder
from torch import Tensor, nn

import i2izoo
from i2izoo.contracts.registry import registry
from i2izoo.errors import ConfigError
from i2izoo.images.reading import to_tensor
from i2izoo.interfaces import AdversarialLoss, Batch
from i2izoo.nn.random import seeded
from i2izoo.nn.shapes import only_shapes
from i2izoo.testing.training import stepper_of
from i2izoo.training.samples import sample_grid

TINY = StackGAN.tiny_options
TEXTS = ["red brick", "white stone", "red brick", "grey plaster"]


def tiny(seed: int = 0, **options: Any) -> StackGAN:
    with seeded(seed):
        return StackGAN(**{**TINY, **options}).train()


def batch(progress: float, step: int = 0, texts: list[str] | None = TEXTS) -> Batch:
    images = torch.rand(4, 3, 16, 16, generator=torch.Generator().manual_seed(step)) * 2 - 1
    return Batch({"image": images}, step, progress, texts=texts)


# --------------------------------------------------------------------------------------------------------- networks


def weights_of(module: nn.Module) -> list[tuple[int, ...]]:
    return [tuple(p.shape) for name, p in module.named_parameters() if p.ndim > 1 and name.endswith("weight")]


def norms_of(module: nn.Module) -> list[int]:
    return [m.num_features for m in module.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]


def conv3(*channels: int) -> list[tuple[int, ...]]:
    return [(after, before, 3, 3) for before, after in pairwise(channels)]


@pytest.fixture(scope="module")
def of_the_papers_size() -> StackGANGenerator:
    """Texts of 1024, z of 100, conditions of 128; 192 channels and four residual blocks: 64 x 64, then 256 x 256."""
    with only_shapes():
        return StackGANGenerator(condition=1024)


def test_the_first_stage_has_the_authors_layers(of_the_papers_size: StackGANGenerator) -> None:
    """`STAGE1_G` of the authors' PyTorch code with GF_DIM 192, that is 1536 at 4 x 4."""
    first = of_the_papers_size.first
    wanted = [(256, 1024), (1536 * 16, 228), *conv3(1536, 768, 384, 192, 96, 3)]
    assert weights_of(first) == wanted
    assert norms_of(first) == [1536 * 16, 768, 384, 192, 96]
    assert sum(p.numel() for p in first.parameters()) == 20_020_832


def test_the_second_stage_has_the_authors_layers(of_the_papers_size: StackGANGenerator) -> None:
    """`STAGE2_G`: 64 x 64 down to 16 x 16 with 768 channels, the text beside them, and up to 256 x 256."""
    second = of_the_papers_size.second
    down = [(192, 3, 3, 3), (384, 192, 4, 4), (768, 384, 4, 4)]
    wanted = [(256, 1024), *down, (768, 768 + 128, 3, 3), *[(768, 768, 3, 3)] * 8, *conv3(768, 384, 192, 96, 48, 3)]
    assert weights_of(second) == wanted
    assert norms_of(second) == [384, 768, 768, *[768] * 8, 384, 192, 96, 48]
    assert sum(p.numel() for p in second.parameters()) == 58_370_288


def test_the_first_discriminator_has_the_authors_layers() -> None:
    """`STAGE1_D` with DF_DIM 96, and the joint layer of 1 x 1 that the paper has (section 3.3), 3 x 3 in that code."""
    with only_shapes():
        method = StackGAN(text_encoder={"name": "cnn_rnn", "length": 1024})
    wanted = [(96, 3, 4, 4), (192, 96, 4, 4), (384, 192, 4, 4), (768, 384, 4, 4)]
    found = weights_of(method.first_discriminator)
    assert [shape for shape in found if len(shape) == 4 and shape[-1] == 4] == wanted
    rest = [(128, 1024), (768, 768 + 128, 1, 1), (1, 768 * 16)]
    assert sorted(map(len, rest)) == sorted(len(shape) for shape in found if shape not in wanted)
    assert {*rest} == {*found} - {*wanted}


def test_conditioning_augmentation_is_a_draw_from_its_distribution() -> None:
    torch.manual_seed(0)
    augmentation = ConditioningAugmentation(5, 3)
    embedding = torch.randn(4, 5)
    hidden = embedding @ augmentation.layer.weight.T + augmentation.layer.bias
    hidden = torch.where(hidden > 0, hidden, 0.2 * hidden)
    normal = torch.distributions.Normal(hidden[:, :3], (hidden[:, 3:] / 2).exp())
    prior = torch.distributions.Normal(torch.zeros(3), torch.ones(3))
    wanted = torch.distributions.kl_divergence(normal, prior).mean()
    torch.testing.assert_close(augmentation.divergence(embedding), wanted)
    noise = torch.randn(4, 3)
    torch.testing.assert_close(augmentation(embedding, noise), normal.loc + normal.scale * noise)


def test_without_a_text_the_condition_is_a_draw_from_the_prior() -> None:
    generator = StackGANGenerator(**StackGANGenerator.tiny_options, condition=3).eval()
    latent = torch.randn(2, 4)
    z, noise = latent[:, :2], latent[:, 2:]
    with torch.no_grad():
        x = generator.first.project(torch.cat([z, noise], dim=1)).view(2, -1, 4, 4)
        wanted = generator.second(generator.first.image(generator.first.blocks(x)), noise)
        torch.testing.assert_close(generator(latent), wanted)


def test_a_second_stage_that_adds_detail_begins_with_the_small_image() -> None:
    generator = StackGANGenerator(**StackGANGenerator.tiny_options, condition=3, detail=True).eval()
    latent, told = torch.randn(2, 4), torch.randn(2, 3)
    with torch.no_grad():
        high = generator(latent, told)
        generator.stage.fill_(1)
        wanted = nn.functional.interpolate(generator(latent, told), (16, 16), mode="bilinear")
    torch.testing.assert_close(high, wanted, atol=1e-3, rtol=0)


# ----------------------------------------------------------------------------------------------------------- losses


ADVERSARIAL = [
    name
    for name in registry("losses").names()
    if isinstance(part := registry("losses").get(name), type) and issubclass(part, AdversarialLoss)
]


@pytest.mark.parametrize("name", ADVERSARIAL)
def test_a_matching_aware_loss_is_real_and_half_of_either_kind_of_fake(name: str) -> None:
    """L_D = L(real, right text) + 1/2 (L(fake, right text) + L(real, wrong text))."""
    torch.manual_seed(0)
    loss = registry("losses").get(name)()
    logits = {key: [torch.randn(6, 1), torch.randn(6, 1, 2, 2)] for key in ("real", "fake", "wrong")}
    images = {key: torch.full((6, 3, 2, 2), float(place)) for place, key in enumerate(("real", "fake"))}

    class Judge(nn.Module):
        def __init__(self, of_real: str) -> None:
            super().__init__()
            self.of_real = of_real

        def forward(self, image: Tensor) -> list[Tensor]:
            kind = "fake" if image.mean() > 0.5 else self.of_real
            return [each + 0 * image.mean() for each in logits[kind]]

    loss.penalty = lambda *_: None
    found = loss.discriminator_losses(Judge("real"), *images.values(), mismatched=Judge("wrong"))

    def alone(key: str) -> Tensor:
        """What the loss takes of generated images, but for a number that is the same for all."""
        return loss.discriminator(logits["real"], logits[key])

    assert found.keys() == {"d_gan"}
    torch.testing.assert_close(found["d_gan"], (alone("fake") + alone("wrong")) / 2)
    if name == "vanilla":
        bce = nn.functional.binary_cross_entropy_with_logits
        wanted = sum(
            bce(r, torch.ones_like(r)) + (bce(w, torch.zeros_like(w)) + bce(f, torch.zeros_like(f))) / 2
            for r, w, f in zip(logits["real"], logits["wrong"], logits["fake"], strict=True)
        )
        torch.testing.assert_close(found["d_gan"], wanted)


def test_the_joint_embedding_is_the_double_loop_of_the_authors_code() -> None:
    torch.manual_seed(0)
    images, texts, kinds = torch.randn(5, 4), torch.randn(5, 4), [0, 1, 0, 2, 1]
    wanted = 0.0
    for one, other in ((images, texts), (texts, images)):
        for i in range(5):
            for j in range(5):
                if kinds[i] != kinds[j]:
                    wanted += max(0.0, float(one[i] @ other[j] - one[i] @ other[i]) + 1)
    found = joint_embedding_loss(images, texts, torch.tensor(kinds))
    torch.testing.assert_close(found, torch.tensor(wanted / 25))


@pytest.mark.parametrize("texts", [["a", "b"], ["a", "a", "b", "a"], ["a", "b", "c", "c"], ["b", "a", "a", "a", "a"]])
def test_every_row_gets_a_text_that_is_not_its_own(texts: list[str]) -> None:
    others = mismatching(texts)
    assert others is not None
    assert all(texts[other] != text for text, other in zip(texts, others, strict=True))
    assert mismatching(["a"] * 3) is None


# ----------------------------------------------------------------------------------------------------------- stages


@pytest.mark.parametrize(("progress", "stage"), [(0.3, 1), (0.7, 2)])
def test_a_step_of_a_stage(progress: float, stage: int) -> None:
    """Discriminator and generator of the stage learn, as written out here; of the first one at 8 x 8."""
    method, twin = tiny().double(), tiny().double()  # Adam's first step is nearly the sign of a gradient
    given = batch(progress)
    given.images["image"] = given["image"].double()
    with seeded(1):
        stepper_of(method).run([given])

    generator = twin.generator
    generator.stage.fill_(stage)
    G, D = (generator.first, twin.first_discriminator) if stage == 1 else (generator.second, twin.discriminator)
    generator.first.train(stage == 1)
    adams = [torch.optim.Adam(network.parameters(), 2e-4, betas=(0.5, 0.999)) for network in (D, G)]
    text = twin.text_encoder(TEXTS).detach()
    scale = (text.var(dim=0, unbiased=False) if stage == 1 else 1) + 1e-5  # no statistics yet: mean 0, variance 1
    text = (text - (text.mean(dim=0) if stage == 1 else 0)) / scale**0.5
    wrong = text[[1, 2, 3, 0]]
    real = given["image"]
    real = real if stage == 2 else real.view(4, 3, 8, 2, 8, 2).mean((3, 5))
    with seeded(1):
        latent = torch.randn(4, 6, dtype=torch.double)
    bce, one, zero = nn.BCEWithLogitsLoss(), torch.ones(4, 1).to(real), torch.zeros(4, 1).to(real)

    fake = generator(latent, text)
    (bce(D(real, text)[0], one) + (bce(D(fake.detach(), text)[0], zero) + bce(D(real, wrong)[0], zero)) / 2).backward()
    adams[0].step()
    mean, log_variance = nn.functional.leaky_relu(G.augmentation.layer(text), 0.2).chunk(2, dim=1)
    divergence = 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance).mean()
    (bce(D(fake, text)[0], one) + 2 * divergence).backward()
    adams[1].step()

    for name, value in twin.state_dict().items():
        if name.startswith("standard."):
            continue
        torch.testing.assert_close(method.state_dict()[name], value, atol=1e-7, rtol=1e-5, msg=name)


def test_the_stages_follow_one_another_and_leave_one_another_alone() -> None:
    """With a quarter for the text encoder and half of the rest for the first stage: from 0.25 and from 0.625 on."""
    method = tiny()
    stepper = stepper_of(method)
    parts = {
        "text": ["text_encoder", "image_embedding"], "first": ["generator.first", "first_discriminator", "standard"],
        "second": ["generator.second", "discriminator"],
    }  # fmt: skip
    learning = []
    for step, progress in enumerate((0, 0.24, 0.25, 0.62, 0.625, 0.99)):
        before = copy.deepcopy(method.state_dict())
        stepper.run([batch(progress, step)])
        changed = {name for name, value in method.state_dict().items() if not torch.equal(value, before[name])}
        changed -= {"generator.stage"}
        found = {
            part for part, places in parts.items() if any(n.startswith(tuple(p + "." for p in places)) for n in changed)
        }
        learning.append(found)
    assert learning == [{"text"}] * 2 + [{"first"}] * 2 + [{"second"}] * 2  # batch norm's statistics are looked at, too


def test_a_text_encoder_without_anything_to_learn_gives_its_time_to_the_stages() -> None:
    method = tiny(text_share=0)
    assert (method.text_until, method.first_until) == (0, 0.5)
    assert set(method.optimizers()) == {"first_stage", "first_discriminator", "second_stage", "discriminator"}
    assert not any(p.requires_grad for p in method.text_encoder.parameters())


def test_a_model_of_the_first_stage_makes_its_images_large() -> None:
    method = tiny().eval()
    method.generator.stage.fill_(1)
    low = method.generate(to="image", seeds=[3], size=(8, 8), text=["red"])
    high = method.generate(to="image", seeds=[3], size=(16, 16), text=["red"])
    torch.testing.assert_close(high, nn.functional.interpolate(low, (16, 16), mode="bilinear"), atol=1e-5, rtol=0)


def captions(folder: Path) -> Path:
    from PIL import Image

    folder.mkdir()
    lines = ["file_name,text"]
    for index, text in enumerate(TEXTS * 2):
        Image.new("RGB", (16, 16), (30 * index, 90, 60)).save(folder / f"{index}.png")
        lines.append(f"{index}.png,{text}")
    (folder / "metadata.csv").write_text("\n".join(lines) + "\n")
    return folder


def test_a_run_that_is_stopped_after_any_step_ends_as_one_that_was_not(tmp_path: Path) -> None:
    data = captions(tmp_path / "data")

    def trainer(name: str, resume: Any = None) -> i2izoo.Trainer:
        with seeded(0):
            return i2izoo.Trainer(
                {"name": "stackgan", "domains": ["image"], **TINY}, data, out=tmp_path / name, resume=resume, steps=6,
                decay_steps=0, batch_size=4, ema=0.9, load_size=16, crop_size=16, sample_every=0, checkpoint_every=1,
                keep_last=9, tensorboard=False, progress=False, device="cpu",
            )  # fmt: skip

    whole = trainer("run")
    whole.fit()
    wanted = {name: value.clone() for name, value in whole.method.state_dict().items()}
    for step in range(1, 6):
        resumed = trainer(f"after-{step}", tmp_path / "run" / "checkpoints" / f"step-{step:08d}")
        assert resumed.step == step
        while resumed.step < 6:
            resumed.train_step()
        resumed.loader.close()
        assert resumed.ema is not None
        resumed.ema.copy_to(resumed.method)
        differ = [n for n, value in resumed.method.state_dict().items() if not torch.equal(value, wanted[n])]
        assert not differ, f"resumed after step {step}"


# ------------------------------------------------------------------------------------------------------- generation


def test_a_text_decides_and_is_read_for_each_image_alone() -> None:
    model = i2izoo.create("stackgan", domains=["image"], **TINY)
    both = model.generate(2, text=["red brick", "white stone"], output="tensor")
    for place, text in enumerate(("red brick", "white stone")):
        alone = model.generate(2, text=text, output="tensor")[place]
        torch.testing.assert_close(alone, both[place], atol=1e-4, rtol=0)
    assert not torch.equal(model.generate(2, text="white stone", output="tensor")[0], both[0])
    latent = torch.zeros(6).tolist()
    same = model.generate(2, text="red brick", latent=latent, output="tensor")
    torch.testing.assert_close(same[0], same[1])


def test_samples_in_training_are_of_the_captions_of_the_data(tmp_path: Path) -> None:
    model = i2izoo.create("stackgan", domains=["image"], **TINY)
    data = i2izoo.open_dataset(captions(tmp_path / "data"), domains=["image"], kind="single")
    sample_grid(model, data, 3, tmp_path / "grid.png")
    grid = to_tensor(tmp_path / "grid.png")
    for place, wanted in enumerate(model.generate(3, text=TEXTS[:3], output="tensor")):
        found = [grid[:, :, x : x + 16] for x in range(grid.shape[-1] - 15)]
        assert min(float((f[:, :16] - wanted).abs().max()) for f in found) < 0.01, place


def test_a_saved_model_opens_without_clip_and_reads_texts_where_clip_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip_folder(tmp_path / "weights")
    monkeypatch.setenv("I2IZOO_WEIGHTS", str(tmp_path / "weights"))
    made = i2izoo.create("stackgan", **{**TINY, "text_encoder": {"name": "clip", "model": "somebody/tiny-clip"}})
    assert made.method.image_embedding is None
    before = made.generate(2, text="a red house", output="tensor")
    made.save_pretrained(tmp_path / "model")
    assert not any("text_encoder" in name for name in made.method.inference_state())
    torch.testing.assert_close(i2izoo.load(tmp_path / "model").generate(2, text="a red house", output="tensor"), before)

    monkeypatch.setenv("I2IZOO_WEIGHTS", str(tmp_path))
    elsewhere = i2izoo.load(tmp_path / "model")
    assert len(elsewhere.generate(2)) == 2
    with pytest.raises(ConfigError, match="text encoder 'clip' needs"):
        elsewhere.generate(2, text="a red house")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"generator": "dcgan"}, "trains a generator of two stages"),
        ({"latent": 3}, "its length is 3; give a longer latent"),
        ({"size": 8}, "the second stage enlarges what the first one makes; found low_size 8 for images of 8"),
        ({"generator": {**TINY["generator"], "middle": 16}}, "halves 8 x 8 down to its middle; found 16"),
        ({"text_encoder": "unet_256"}, "no text encoder named 'unet_256'"),
    ],
)
def test_what_cannot_be_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(i2izoo.errors.I2IZooError, match=message):
        tiny(**options)


def test_images_without_captions_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"the data has none; give them a metadata\.csv"):
        stepper_of(tiny()).run([batch(0.5, texts=None)])
