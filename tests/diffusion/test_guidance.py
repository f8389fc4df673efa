"""Guidance without training: against closed forms for Gaussian images, Pillow's filter and diffusers' own rules."""

import math

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler, DDPMScheduler, EulerDiscreteScheduler
from i2izoo_diffusion.ddim import DDIM
from i2izoo_diffusion.guidance.blending import Blending
from i2izoo_diffusion.guidance.classifier import ClassifierGuidance
from i2izoo_diffusion.guidance.ilvr import ILVR, low_pass
from i2izoo_diffusion.guidance.noisy_classifier import NoisyClassifier
from i2izoo_diffusion.guidance.sdedit import SDEdit
from i2izoo_diffusion.guidance.semantic import SemanticGuidance
from i2izoo_diffusion.sampling import Sampling
from PIL import Image

from i2izoo.errors import ConfigError, OptionTypeError

KINDS = ("epsilon", "sample", "v_prediction")


def gaussian(mean=0.0, variance=1.0):
    """The exact denoiser of pixels from N(mean, variance): what a perfect network would predict."""

    def denoise(noisy, run):
        alpha, sigma = run.level
        clean = mean + alpha * variance / (alpha**2 * variance + sigma**2) * (noisy - alpha * mean)
        noise = (noisy - alpha * clean) / sigma
        return {"epsilon": noise, "sample": clean, "v_prediction": alpha * noise - sigma * clean}[run.kind]

    return denoise


def likelihood(seen, blur, mean, variance):
    """log p(seen | noisy) of a measurement N(clean, blur) of pixels from N(mean, variance), up to a constant."""

    def log_probability(noisy, alpha, sigma):
        total = alpha**2 * variance + sigma**2
        posterior = mean + alpha * variance / total * (noisy - alpha * mean)
        return -((seen - posterior) ** 2).sum(dim=(1, 2, 3)) / (2 * (variance * sigma**2 / total + blur))

    return log_probability


def ddim(kind="epsilon", **options):
    options = {"timestep_spacing": "trailing", "rescale_betas_zero_snr": kind != "epsilon", **options}
    return DDIMScheduler(prediction_type=kind, clip_sample=False, **options)


def ddpm(**options):
    return DDPMScheduler(clip_sample=False, timestep_spacing="trailing", **options)


def sample(denoise, scheduler, noise, hooks, steps=100, **options):
    with torch.inference_mode():
        run = Sampling(denoise, scheduler, noise, steps=steps, seeds=list(range(len(noise))))
        return run.run(hooks=hooks, **options)


def tiny(**options):
    torch.manual_seed(0)
    return DDIM(**{**DDIM.tiny_options, "task": "generation", "domains": ["photo"], **options}).eval()


def images(count, height=16, width=16, channels=3, seed=0):
    return torch.rand(count, channels, height, width, generator=torch.Generator().manual_seed(seed)) * 2 - 1


# ------------------------------------------------------------------------------------------- classifier guidance


@pytest.mark.parametrize("kind", KINDS)
def test_classifier_guidance_reaches_the_conditional_distribution(kind):
    """Pixels from N(0.2, 0.25), of which N(x, 0.25) showed 0.8: they are from N(0.5, 0.125) (product of Gaussians).

    DDIM with eta 0 follows the probability flow, under which noise z becomes mean + z * deviation; its error shrinks
    with the steps (it is of first order), so 500 steps are at least twice as good as 100.
    """
    z = torch.tensor([-1.0, 0.0, 1.0], dtype=torch.float64).view(1, 1, 1, 3)
    hook = ClassifierGuidance(likelihood(0.8, 0.25, 0.2, 0.25))
    wanted = 0.5 + z * math.sqrt(0.125)
    errors = [
        (sample(gaussian(0.2, 0.25), ddim(kind), z, [hook], steps) - wanted).abs().max().item() for steps in (100, 500)
    ]
    assert errors[1] < min(0.01, errors[0] / 2), errors
    free = sample(gaussian(0.2, 0.25), ddim(kind), z, [], 500)
    assert (free - (0.2 + z * 0.5)).abs().max() < 0.01


@pytest.mark.parametrize("variance_type", ["fixed_small", "fixed_large"])
def test_the_mean_shift_of_ddpm_reaches_it_too(variance_type):
    """The mean of 64 x 64 pixels has a standard error of 0.0055; four of them, and 0.008 for the 1000 steps' own."""
    hook = ClassifierGuidance(likelihood(0.8, 0.25, 0.2, 0.25), form="mean")
    noise = torch.randn(1, 1, 64, 64, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    found = sample(gaussian(0.2, 0.25), ddpm(variance_type=variance_type), noise, [hook], 1000)
    assert abs(found.mean().item() - 0.5) < 0.03
    assert abs(found.std().item() - math.sqrt(0.125)) < 0.03


def test_the_mean_shift_is_the_variance_of_the_step_as_diffusers_has_it():
    scheduler, seen = ddpm(variance_type="fixed_small"), []

    class Watch(ClassifierGuidance):
        def after(self, run, x):
            seen.append(((super().after(run, x) - x).item(), float(run.scheduler._get_variance(run.timestep))))
            return x

    hook = Watch(lambda x, alpha, sigma: 3 * x.sum(dim=(1, 2, 3)), scale=0.5, form="mean")
    sample(gaussian(), scheduler, torch.zeros(1, 1, 1, 1, dtype=torch.float64), [hook], 10)
    assert len(seen) == 10
    for shift, variance in seen[:-1]:
        assert shift == pytest.approx(0.5 * 3 * variance, rel=1e-5)


def test_a_part_of_the_run_is_guided():
    calls = []

    def log_probability(noisy, alpha, sigma):
        calls.append(alpha)
        return noisy.sum(dim=(1, 2, 3))

    hook = ClassifierGuidance(log_probability, start=0.2, end=0.5)
    sample(gaussian(), ddim(), torch.zeros(1, 1, 1, 1), [hook], 10)
    assert len(calls) == 3  # steps 2, 3 and 4 of 10, as control_guidance_start and _end of diffusers count


@pytest.mark.parametrize("scheduler", [ddim(), EulerDiscreteScheduler()])
def test_the_classifier_sees_the_level_of_the_image(scheduler):
    """At each step of any scheduler alpha^2 + sigma^2 = 1, and the classifier's own time is the scheduler's."""
    method, times = NoisyClassifier(**NoisyClassifier.tiny_options), []

    def log_probability(noisy, alpha, sigma):
        assert alpha**2 + sigma**2 == pytest.approx(1)
        times.append(method._time(alpha))
        return noisy.sum(dim=(1, 2, 3))

    # the two have other betas, so the levels of the one fall between the times of the other; of equal betas they do not
    sample(gaussian(), scheduler, torch.zeros(1, 1, 1, 1), [ClassifierGuidance(log_probability)], 5)
    if type(scheduler) is DDIMScheduler:
        assert times == pytest.approx(scheduler.timesteps.tolist(), abs=1e-3)
    else:
        assert times == pytest.approx(
            scheduler.timesteps.tolist(), abs=0.6
        )  # sigma in between is interpolated linearly


# --------------------------------------------------------------------------------------------- semantic guidance


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("through_network", [False, True])
def test_semantic_guidance_of_unit_gaussian_pixels_by_hand(kind, through_network):
    """Of N(0, 1) the clean image is alpha x, with the Jacobian alpha: it moves by sigma^2 s F'(alpha x), either way.

    F = -(x0 - 3)^2 / 2, so F' = 3 - alpha x.
    """
    seen = []

    class Watch(SemanticGuidance):
        def guide(self, run, prediction):
            guided = super().guide(run, prediction)
            (alpha, sigma), x = run.level, run.noisy
            seen.append((run.clean_of(guided), alpha * x + sigma**2 * 0.7 * (3 - alpha * x)))
            return guided

    hook = Watch(lambda x0: -((x0 - 3) ** 2).sum(dim=(1, 2, 3)) / 2, 0.7, through_network=through_network)
    noise = torch.tensor([[[[-1.0, 0.5]]]], dtype=torch.float64)
    sample(gaussian(), ddim(kind, rescale_betas_zero_snr=False), noise, [hook], 5)
    assert len(seen) == 5
    for found, wanted in seen:
        torch.testing.assert_close(found, wanted, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("through_network", [False, True])
def test_semantic_guidance_raises_the_score(through_network):
    model, image = tiny(prediction="sample"), images(2)

    def redness(x0):
        return x0[:, 0].mean(dim=(1, 2)) - x0[:, 1:].mean(dim=(1, 2, 3))

    hook = SemanticGuidance(redness, 200.0, through_network=through_network)
    with torch.inference_mode():
        plain, led = (model(image, to="photo", seeds=[0, 1], steps=5, hooks=hooks) for hooks in ([], [hook]))
    assert (redness(led) > redness(plain) + 0.02).all()


@pytest.mark.parametrize(
    ("score", "message"),
    [(lambda x: x.mean(), "one number for each of 1"), (lambda x: x.detach().sum(dim=(1, 2, 3)), "differentiated")],
)
def test_a_score_that_cannot_lead_is_refused(score, message):
    with pytest.raises(ConfigError, match=message):
        sample(gaussian(), ddim(), torch.zeros(1, 1, 2, 2), [SemanticGuidance(score)], 2)


# ---------------------------------------------------------------------------------------------------------- ILVR


def pillow_low_pass(planes, factor):
    """Down and up by Pillow's bicubic, which is antialiased, of planes whose edges are mirrored, as the resizer of the
    authors' code mirrors them: 2 1 0 | 0 1 2."""
    height, width = planes.shape[-2:]
    edge = 8 * factor  # beyond what the filters see, and a whole number of pixels of the small image
    done = []
    for plane in planes.reshape(-1, height, width).numpy():
        large = Image.fromarray(np.pad(plane, edge, mode="symmetric").astype(np.float32))
        small = large.resize((large.width // factor, large.height // factor), Image.Resampling.BICUBIC)
        back = np.array(small.resize(large.size, Image.Resampling.BICUBIC))
        done.append(back[edge:-edge, edge:-edge])
    return torch.from_numpy(np.stack(done)).view_as(planes)


@pytest.mark.parametrize("factor", [2, 4, 8])
def test_the_low_pass_is_pillows_with_mirrored_edges(factor):
    image = images(2, 16, 24)
    torch.testing.assert_close(low_pass(image, factor), pillow_low_pass(image, factor), rtol=0, atol=1e-5)


def test_the_low_pass_of_sides_that_the_factor_does_not_divide():
    """Of a constant that constant; of a ramp, away from the edges, almost that ramp."""
    ramp = torch.arange(22.0).expand(1, 1, 13, 22)
    assert low_pass(torch.full((1, 2, 13, 22), 0.3), 4).sub(0.3).abs().max() < 1e-6
    assert low_pass(ramp, 4).sub(ramp)[..., 8:-8].abs().max() < 0.1
    assert low_pass(ramp.half(), 4).dtype == torch.float16


def test_ilvr_puts_the_low_pass_of_the_reference_in():
    """Each step by Pillow: x' - phi(x') + phi(y(t-1)); and the result has the reference's low frequencies.

    The bicubic phi is no exact projection: the low pass of the result differs from the reference's by phi (1 - phi) of
    the difference, which is what the last line allows.
    """
    reference, image, steps = images(1, seed=5), images(1), []

    class Watch(ILVR):
        def after(self, run, x):
            done = super().after(run, x)
            noisy = run.with_noise(self.image, run.next_level, "ilvr", run.index, run.again)
            steps.append((done, x - pillow_low_pass(x, 4) + pillow_low_pass(noisy, 4), x))
            return done

    with torch.inference_mode():
        found = tiny()(image, to="photo", seeds=[0], steps=4, hooks=[Watch(reference, 4)])
    for done, wanted, _ in steps:
        torch.testing.assert_close(done, wanted, rtol=0, atol=1e-5)
    done, _, before = steps[-1]
    assert torch.equal(found, done.clamp(-1, 1))
    difference = reference - before
    residue = pillow_low_pass(difference - pillow_low_pass(difference, 4), 4)
    torch.testing.assert_close(pillow_low_pass(done, 4), pillow_low_pass(reference, 4) - residue, rtol=0, atol=1e-5)
    assert residue.abs().max() < 0.25 * pillow_low_pass(difference, 4).abs().max()


def test_ilvr_level_of_the_paper_and_of_the_public_code():
    """What a step gives has the mean of the reference, with the noise of the one level or of the other."""
    for level in ("next", "current"):
        found = []

        class Watch(ILVR):
            def after(self, run, x, found=found):
                done = super().after(run, x)
                found.append((done.mean().item(), run.level[0], run.next_level[0]))
                return done

        # a factor of the whole side: phi is the mean; that of 64 x 64 pixels of noise is within 0.08 of 0
        hook = Watch(torch.full((1, 1, 64, 64), 5.0), 64, level=level)
        sample(gaussian(), ddim(), torch.zeros(1, 1, 64, 64), [hook], 4)
        for mean, alpha, next_alpha in found:
            assert mean == pytest.approx(5 * (next_alpha if level == "next" else alpha), abs=0.08)


# ------------------------------------------------------------------------------------------------------ blending


@pytest.mark.parametrize("scheduler", ["ddim", "ddpm", "dpmsolver++", "unipc", "euler", "euler_ancestral", "lcm"])
def test_known_pixels_come_back_bit_exact(scheduler):
    """Also where the size has to be padded, and where the mask has three channels."""
    known, image = images(2, 17, 9, seed=3), images(2, 17, 9)
    mask = torch.full((2, 3, 17, 9), -1.0)
    mask[0, :, 4:9, 2:7] = 1
    mask[1, :, :, 5:] = 1
    with torch.inference_mode():
        found = tiny()(image, to="photo", seeds=[0, 1], steps=3, scheduler=scheduler, mask=mask, start=known)
    kept = (mask < 0)[:, :1].expand_as(known)
    assert torch.equal(found[kept], known[kept])
    assert not torch.isclose(found[~kept], known[~kept], atol=1e-3).all()


def test_mask_defaults_to_the_input_and_shares_count_from_mid_grey():
    image = images(1)
    mask = torch.full((1, 1, 16, 16), 1.0)
    mask[..., :8] = 0.0  # mid-grey as an image, 0 as a share: known
    with torch.inference_mode():
        model = tiny()
        found = model(image, to="photo", seeds=[0], steps=3, mask=mask)
        alpha = model(torch.cat([image, -image[:, :1]], dim=1), to="photo", seeds=[0], steps=3, mask=mask)
    assert torch.equal(found[..., :8], image[..., :8])
    assert not torch.equal(found[..., 8:], image[..., 8:])
    assert torch.equal(alpha, found)


def correlated(weight):
    """The exact denoiser of pairs of pixels of unit variance and correlation `weight` (side by side)."""
    covariance = torch.tensor([[1.0, weight], [weight, 1.0]], dtype=torch.float64)

    def denoise(noisy, run):
        alpha, sigma = run.level
        gain = alpha * covariance @ torch.linalg.inv(alpha**2 * covariance + sigma**2 * torch.eye(2))
        return (noisy - alpha * noisy @ gain.T) / sigma

    return denoise


def test_repeats_bring_what_is_found_to_what_is_known():
    """Pairs of correlation 0.9, the left pixel known to be 1: the right one is from N(0.9, 0.19).

    Blending alone falls short (what is found has not yet seen what is known); RePaint's repeats mend that.
    The mean of 2000 pairs has a standard error of 0.01.
    """
    known = torch.tensor([1.0, 0.0], dtype=torch.float64).expand(1, 1, 2000, 2)
    mask = torch.tensor([0.0, 1.0], dtype=torch.float64).expand(1, 1, 2000, 2)
    noise = torch.randn(1, 1, 2000, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    errors = {}
    for repeats in (1, 20):
        found = sample(correlated(0.9), ddpm(), noise, [Blending(known, mask, repeats=repeats)], 50)
        assert (found[..., 0] == 1).all()
        errors[repeats] = abs(found[..., 1].mean().item() - 0.9)
    assert errors[20] < min(0.05, errors[1] / 2), errors


def test_repeats_are_for_schedulers_that_look_at_no_other_step():
    hook = Blending(torch.zeros(3, 16, 16), torch.zeros(1, 16, 16), repeats=2)
    with pytest.raises(ConfigError, match="repeated with the schedulers 'ddim' and 'ddpm' only"):
        tiny()(images(1), to="photo", steps=2, scheduler="unipc", hooks=[hook])


# -------------------------------------------------------------------------------------------------------- SDEdit


@pytest.mark.parametrize("strength", [0.05, 0.3, 0.5, 0.99, 1.0])
@pytest.mark.parametrize("scheduler", [ddim(), ddpm(), EulerDiscreteScheduler(timestep_spacing="trailing")])
def test_sdedit_starts_as_the_pipelines_of_diffusers_do(scheduler, strength):
    """Step and noise level of `StableDiffusionImg2ImgPipeline.get_timesteps` and `add_noise` (at least one step)."""
    image = images(1)
    steps, noise = 20, torch.zeros(1, 3, 16, 16)
    run = Sampling(gaussian(), scheduler, noise, steps=steps, seeds=[7])
    SDEdit(image, strength).begin(run)
    initial = min(int(steps * strength), steps)
    first = max(steps - initial, 0)
    assert run.first == first
    step = scheduler.timesteps[first : first + 1]
    wanted = scheduler.add_noise(image, run.draw("noise"), step)
    torch.testing.assert_close(run.x, wanted)


# ---------------------------------------------------------------------------------------------------- all of them


def hooks_of(count):
    torch.manual_seed(1)
    classifier = NoisyClassifier(**NoisyClassifier.tiny_options).eval()
    mask = torch.zeros(1, 16, 16)
    mask[:, 3:9] = 1
    return {
        "classifier": ClassifierGuidance(classifier, "B", 20.0),
        "mean shift": ClassifierGuidance(classifier, "B", 20.0, form="mean"),
        "semantic": SemanticGuidance(lambda x0: x0[:, 0].mean(dim=(1, 2)), 50.0),
        "through": SemanticGuidance(lambda x0: x0[:, 0].mean(dim=(1, 2)), 50.0, through_network=True),
        "ilvr": ILVR(images(count, seed=8), 4),
        "ilvr one": ILVR(images(1, seed=8), 4),
        "blending": Blending(images(count, seed=8), mask, repeats=2),
        "sdedit": SDEdit(images(count, seed=8), 0.7),
    }


@pytest.mark.parametrize("name", hooks_of(1))
def test_a_row_is_a_function_of_its_image_and_seed(name):
    """To the 1e-5 by which one batch size differs from another in float32; and the hook does something."""
    model, hook = tiny(scheduler="ddpm", prediction="sample"), hooks_of(3)[name]
    with torch.inference_mode():
        batch = model(images(3), to="photo", seeds=[3, 4, 5], steps=4, hooks=[hook])
        if len(getattr(hook, "image", ())) == 3:
            hook.image = hook.image[1:2]
        alone = model(images(3)[1:2], to="photo", seeds=[4], steps=4, hooks=[hook])
        plain = model(images(3)[1:2], to="photo", seeds=[4], steps=4)
    torch.testing.assert_close(batch[1:2], alone, rtol=0, atol=1e-5)
    assert (alone - plain).abs().max() > 1e-3


def test_hooks_of_the_translations_own_size_are_padded_with_it():
    """17 x 9 pixels become 18 x 10 for a network of two levels; the hooks' images follow."""
    image = images(1, 17, 9)
    hooks = [ILVR(image, 4), Blending(image[0], torch.ones(1, 17, 9)), SDEdit(image, 0.5)]
    with torch.inference_mode():
        assert tiny()(images(1, 17, 9), to="photo", steps=2, hooks=hooks).shape == (1, 3, 17, 9)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: ILVR(torch.zeros(3, 16, 16), 1), ConfigError, "factor of ILVR .* from 2 .* 16; found 1"),
        (lambda: ILVR(torch.zeros(3, 16, 16), 32), ConfigError, "found 32"),
        (lambda: ILVR(torch.zeros(3, 16, 16), 2.5), ConfigError, "whole number"),
        (lambda: ILVR(torch.zeros(3, 16, 16), 4, level="last"), ConfigError, "'next' or 'current'"),
        (lambda: ILVR(torch.zeros(3, 16, 16), 4, start=0.5, end=0.5), ConfigError, "start < end"),
        (lambda: ILVR("a.png", 4), OptionTypeError, "float tensor .* found str"),
        (lambda: ILVR(torch.zeros(16, 16), 4), OptionTypeError, r"found torch.float32 \(16, 16\)"),
        (lambda: SDEdit(torch.zeros(3, 16, 16), 0.0), ConfigError, "strength is above 0"),
        (lambda: Blending(torch.zeros(3, 16, 16), torch.ones(1, 16, 16), repeats=0), ConfigError, "repeats"),
        (lambda: SemanticGuidance(3), ConfigError, "score is a function"),
        (lambda: SemanticGuidance(torch.sum, float("nan")), ConfigError, "scale of a hook is a finite .* found nan"),
        (lambda: ClassifierGuidance(lambda x, a, s: x, scale="3"), ConfigError, "a finite number; found '3'"),
        (lambda: ILVR(torch.zeros(3, 16, 16), 4, end="1"), ConfigError, "end of a hook is a finite number; found '1'"),
        (lambda: ClassifierGuidance(tiny(), "photo"), ConfigError, "noisy_classifier"),
        (lambda: ClassifierGuidance(lambda x, a, s: x, form="median"), ConfigError, "'noise' or 'mean'"),
        (lambda: ClassifierGuidance(NoisyClassifier(domains=["ink", "photo"], **NoisyClassifier.tiny_options), "foto"),
         ConfigError, "no label 'foto'; did you mean 'photo'"),
    ],
)  # fmt: skip
def test_wrong_options_are_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ilvr": 4, "start": torch.zeros(1, 3, 8, 8)}, "ILVR is 8 x 8, the translation 16 x 16"),
        ({"hooks": [ILVR(torch.zeros(3, 8, 8), 4)]}, "8 x 8"),
        ({"hooks": [ILVR(torch.zeros(1, 16, 16), 4)]}, "3 channels; found 1"),
        ({"hooks": [ILVR(torch.zeros(3, 3, 16, 16), 4)]}, "each of the 2 rows; found 3"),
        ({"mask": torch.zeros(1, 1, 8, 8)}, "the mask is 8 x 8"),
        ({"ilvr": 1}, "factor"),
        ({"start": torch.zeros(1, 3, 16, 16)}, "strength, ilvr or mask"),
        ({"hooks": [ClassifierGuidance(lambda x, a, s: x.sum((1, 2, 3)), form="mean")]}, "found DDIMScheduler"),
        ({"hooks": [ClassifierGuidance(NoisyClassifier(in_channels=1, **NoisyClassifier.tiny_options), "A")]},
         "of 1 channels, the model makes 3"),
    ],
)  # fmt: skip
def test_what_does_not_fit_the_translation_is_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        tiny()(images(2), to="photo", steps=2, **options)
