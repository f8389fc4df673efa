"""The classifier of noisy images: it learns, is honest about pure noise, and what is saved guides."""

import pytest
import torch
from diffusers import DDIMScheduler
from i2izoo_diffusion.guidance.classifier import ClassifierGuidance
from i2izoo_diffusion.guidance.noisy_classifier import NoisyClassifier
from i2izoo_diffusion.sampling import Sampling

import i2izoo
from i2izoo.contracts.dataset import Dataset
from i2izoo.errors import ConfigError

TINY = {**NoisyClassifier.tiny_options, "learning_rate": 3e-3}
LEVELS = {"light": 0.4, "dark": -0.4, "red": 0.0}


class Shades(Dataset):
    """Images of a few flat shades with grain; those of domain "red" have more red."""

    kind = "unpaired"

    def __init__(self, *, domains: list[str], seed: int = 0) -> None:
        self.domains, self.seed = tuple(domains), seed

    def __len__(self):
        return 64

    def name(self, index):
        return str(index)

    def sample(self, index, seed):
        generator = torch.Generator().manual_seed(100_000 * self.seed + 1000 * index + (seed or 0) % 1000)
        return {d: self.image(d, generator) for d in self.domains}

    def image(self, domain, generator):
        image = LEVELS[domain] + 0.2 * torch.randn(3, 16, 16, generator=generator)
        if domain == "red":
            image[0] += 0.8
        return image.clamp(-1, 1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, learning_seed):
    out = tmp_path_factory.mktemp("run")
    torch.manual_seed(learning_seed)
    model = i2izoo.create("noisy_classifier", domains=list(LEVELS), **TINY)
    i2izoo.Trainer(
        model, Shades(domains=list(LEVELS), seed=learning_seed), out=out, steps=150, batch_size=16, warmup_steps=0,
        sample_every=0, tensorboard=False, progress=False, seed=learning_seed,
    ).fit()  # fmt: skip
    return out / "model"


def noised(label, alpha, count=32):
    generator = torch.Generator().manual_seed(5)
    clean = torch.stack([Shades(domains=[label]).image(label, generator) for _ in range(count)])
    return alpha * clean + (1 - alpha**2) ** 0.5 * torch.randn(clean.shape, generator=generator)


def probabilities(method, noisy, alpha):
    with torch.inference_mode():
        logs = [method.log_probability(noisy, alpha, (1 - alpha**2) ** 0.5, d) for d in LEVELS]
    return torch.stack(logs, dim=1).exp()


@pytest.mark.parametrize("label", LEVELS)
def test_it_learns_to_tell_noisy_images_apart(folder, label, learned):
    """At a signal of 0.7 the means of 256 pixels differ by some ten standard errors: nearly all can be told."""
    method = i2izoo.load(folder).method
    found = probabilities(method, noised(label, 0.7), 0.7)
    torch.testing.assert_close(found.sum(dim=1), torch.ones(32))
    right = (found.argmax(dim=1) == list(LEVELS).index(label)).float().mean()
    learned("accuracy", right, above=0.8, untrained=1 / 3)


def test_of_almost_pure_noise_it_knows_less(folder, learned):
    """With a signal of 0.01 the means differ by a tenth of a standard error: nobody can tell."""
    method = i2izoo.load(folder).method
    sure, unsure = (probabilities(method, noised("light", a), a)[:, 0].mean() for a in (0.9, 0.01))
    learned("probability of the right domain without noise", sure, above=0.55, untrained=1 / 3)
    learned("probability of the right domain in noise", unsure, below=0.6, untrained=1.0)


def test_what_is_saved_guides_a_model(folder, learned):
    """Of flat images, shade N(0, 0.16) and grain N(0, 0.04), it makes light or dark ones, as told, in inference."""
    classifier = i2izoo.load(folder)
    noise = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))

    def exact(noisy, run):
        alpha, sigma = run.level
        shade = noisy.mean(dim=(1, 2, 3), keepdim=True)
        # the covariance's eigenvectors: all pixels alike, and what sums to 0
        parts = ((shade.expand_as(noisy), 0.04 + 0.16 * noisy[0].numel()), (noisy - shade, 0.04))
        return sum(sigma * part / (alpha**2 * variance + sigma**2) for part, variance in parts)

    def shades(*hooks):
        scheduler = DDIMScheduler(clip_sample=False, timestep_spacing="trailing")
        with torch.inference_mode():
            return Sampling(exact, scheduler, noise, steps=20, seeds=[0, 1]).run(hooks=hooks).mean(dim=(1, 2, 3))

    light, dark = (shades(ClassifierGuidance(classifier, label=label, scale=3.0)) for label in ("light", "dark"))
    plain = shades()
    learned("how much lighter", (light - plain).min(), above=0.1, untrained=0.0)
    learned("how much darker", (plain - dark).min(), above=0.2, untrained=0.0)


def test_alone_it_climbs_from_one_domain_to_another(folder, learned):
    model = i2izoo.load(folder)
    assert model.directions == {"red": "dark", "dark": "light", "light": "red"}
    dark = noised("dark", 1.0, 1)[0]
    light = model(dark, to="light", steps=40, step_size=0.1)
    before, after = (probabilities(model.method, x[None], 1.0)[0, 0] for x in (dark, light))
    learned("probability of light before", before, below=0.5, untrained=1.0)
    learned("probability of light after", after, above=0.5, untrained=0.0)
    # each of the steps has a root mean square of 0.05 before it is cut to [-1, 1]
    near = model(dark, to="light", steps=3, step_size=0.05)
    assert 0 < (near - dark).square().mean().sqrt() <= 3 * 0.05 + 1e-5


def test_each_level_of_noise_has_its_own_time():
    """The time whose alpha^2 is the image's, as diffusers' table has it; in between, in between."""
    method = NoisyClassifier(**TINY)
    kept = method.scheduler.alphas_cumprod.double()
    for time in (0, 1, 500, 999):
        assert method._time(kept[time].sqrt().item()) == pytest.approx(time, abs=1e-6)
    assert method._time(((kept[500] + kept[501]) / 2).sqrt().item()) == pytest.approx(500.5, abs=1e-3)
    assert method._time(1.0) == 0
    assert method._time(0.0) == 999


@pytest.mark.parametrize("options", [{"steps": 0}, {"steps": -1}, {"step_size": 0.0}, {"step_size": float("nan")}])
def test_climbing_goes_somewhere(options):
    model = i2izoo.create("noisy_classifier", **NoisyClassifier.tiny_options)
    with pytest.raises(ConfigError, match=r"wants (int from 1|float above 0) to .*, found"):
        model(torch.zeros(1, 3, 8, 8), **options)


@pytest.mark.parametrize("domains", [["A"], ["A", "A"], []])
def test_labels_are_two_or_more(domains):
    with pytest.raises(ConfigError, match="two domains or more"):
        NoisyClassifier(domains=domains, **NoisyClassifier.tiny_options)


def test_heads_fill_the_widths():
    with pytest.raises(ConfigError, match=r"head_channels divides .* found 64 and 16"):
        NoisyClassifier(**{**NoisyClassifier.tiny_options, "head_channels": 64})
