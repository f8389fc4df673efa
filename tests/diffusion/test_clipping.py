"""Clipping the clean image in a step of DDIM, as the authors of guided-diffusion do it, in plain torch."""

import pytest
import torch
from diffusers import DDIMScheduler, DDPMScheduler
from i2izoo_diffusion.distillation.progressive import ProgressiveDistillation
from i2izoo_diffusion.guidance.classifier import ClassifierGuidance
from i2izoo_diffusion.inversion import invert_steps
from i2izoo_diffusion.prediction import clean_of, target
from i2izoo_diffusion.sampling import Sampling

from i2izoo.interfaces import Batch
from i2izoo.nn.random import derive_seed

KINDS = ("epsilon", "sample", "v_prediction")
STEPS = 8


def noise(rows=2):
    return torch.randn(rows, 3, 4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def wild(noisy, alpha, sigma):
    """A clean image that leaves [-1, 1] in many pixels."""
    return 1.6 * torch.sin(2 * noisy) + 0.1 * alpha * noisy


def network(kind):
    def denoise(noisy, run):
        alpha, sigma = run.level
        clean = wild(noisy, alpha, sigma)
        return target(kind, clean, (noisy - alpha * clean) / sigma, alpha, sigma)

    return denoise


def slope(x, alpha, sigma):
    """The gradient of the classifier's log-probability."""
    return torch.cos(2 * x)


def log_probability(x, alpha, sigma):
    return (torch.sin(2 * x) / 2).sum(dim=(1, 2, 3))


def levels(scheduler):
    """alpha-bar of each step and of what it leads to, which "trailing" times of DDIM pass."""
    length = 1000 // STEPS
    kept = scheduler.alphas_cumprod
    here = [kept[999 - length * i] for i in range(STEPS)]
    return list(zip(here, [*here[1:], torch.tensor(1.0, dtype=torch.float64)], strict=True))


def guided_diffusion(x, scheduler, scale, eta, draws):
    """`ddim_sample` of openai/guided-diffusion with `clip_denoised`: x0 is clipped and gives the noise anew; guidance
    moves that noise, and x0 with it, and nothing is clipped after it."""
    for here, there in levels(scheduler):
        alpha, sigma = here.sqrt(), (1 - here).sqrt()
        x0 = wild(x, alpha, sigma).clamp(-1, 1)
        eps = (x - alpha * x0) / sigma
        if scale:
            eps = eps - sigma * scale * slope(x, alpha, sigma)
            x0 = (x - sigma * eps) / alpha
        std = eta * ((1 - there) / (1 - here)).sqrt() * (1 - here / there).sqrt()
        x = there.sqrt() * x0 + (1 - there - std**2).sqrt() * eps
        if eta and there < 1:
            x = x + std * draws.pop(0)
    return x


def ddim(kind, **options):
    scheduler = DDIMScheduler(prediction_type=kind, timestep_spacing="trailing", **options)
    scheduler.alphas_cumprod = scheduler.alphas_cumprod.double()
    return scheduler


@pytest.mark.parametrize("eta", [0.0, 0.7])
@pytest.mark.parametrize("scale", [0.0, 3.0])
@pytest.mark.parametrize("kind", KINDS)
def test_a_clipped_image_gives_its_noise_anew_and_guidance_moves_it_unclipped(kind, scale, eta):
    run = Sampling(network(kind), ddim(kind), noise(), steps=STEPS, seeds=[3, 4])
    rows = [torch.Generator().manual_seed(derive_seed(seed, "steps")) for seed in (3, 4)]
    shape = noise().shape[1:]
    draws = [torch.stack([torch.randn(shape, generator=g, dtype=torch.float64) for g in rows]) for _ in range(STEPS)]
    hooks = [ClassifierGuidance(log_probability, scale=scale)] if scale else []
    found = run.run(eta=eta, hooks=hooks)
    wanted = guided_diffusion(noise(), run.scheduler, scale, eta, draws)
    torch.testing.assert_close(found, wanted, rtol=1e-8, atol=1e-8)
    assert run.scheduler.config.clip_sample  # as it was


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_changes_where_nothing_is_clipped(kind):
    """With clipping at 5, beyond all of it, and without: the same image, under guidance and alone."""
    for hooks in ([], [ClassifierGuidance(log_probability, scale=0.5)]):
        wide, none = (
            Sampling(network(kind), ddim(kind, **options), noise(), steps=STEPS, seeds=[3, 4]).run(hooks=hooks)
            for options in ({"clip_sample_range": 5.0}, {"clip_sample": False})
        )
        torch.testing.assert_close(wide, none, rtol=1e-8, atol=1e-8)


def test_two_hooks_shift_one_clipped_image():
    """Guidance of 1 and of 2 is that of 3: the second does not clip what the first has moved."""
    one, two = (
        Sampling(network("epsilon"), ddim("epsilon"), noise(), steps=STEPS, seeds=[3, 4]).run(
            hooks=[ClassifierGuidance(log_probability, scale=scale) for scale in scales]
        )
        for scales in ([3.0], [1.0, 2.0])
    )
    torch.testing.assert_close(one, two, rtol=1e-8, atol=1e-8)


def test_other_schedulers_that_clip_do_so_before_guidance():
    """DDPM with one step left: the image is the posterior's mean of the moved x0 (Ho et al. 2020, eq. 7)."""
    scheduler = DDPMScheduler(prediction_type="sample", timestep_spacing="trailing")
    seen = []

    class Watch(ClassifierGuidance):
        def after(self, run, x):
            seen.append((run.level, run.noisy, x))
            return x

    Sampling(network("sample"), scheduler, noise(), steps=STEPS, seeds=[3, 4]).run(hooks=[Watch(log_probability)])
    (alpha, sigma), x, found = seen[-1]  # which leads to the clean image, whose mean is x0 itself
    x0 = wild(x, alpha, sigma).clamp(-1, 1) + sigma**2 / alpha * slope(x, alpha, sigma)
    torch.testing.assert_close(found, x0, rtol=1e-5, atol=1e-5)


def test_inversion_undoes_the_step_that_sampling_does():
    """Of a clean image that is always clipped to 1, a step is z_s = alpha_s + sigma_s (z_t - alpha_t) / sigma_t, which
    can be solved for z_t; the last step, to z = 1 whatever it comes from, leaves that as it is."""

    def run():
        def denoise(noisy, state):
            alpha, sigma = state.level
            return (noisy - 3 * alpha) / sigma

        return Sampling(denoise, ddim("epsilon"), noise(), steps=STEPS, seeds=[0, 0])

    found = invert_steps(run(), torch.ones_like(noise()), iterations=100)
    wanted = torch.ones_like(noise())
    for here, there in reversed(levels(run().scheduler)[:-1]):
        wanted = here.sqrt() + ((1 - here) / (1 - there)).sqrt() * (wanted - there.sqrt())
    torch.testing.assert_close(found, wanted, rtol=1e-6, atol=1e-6)


def test_the_teacher_of_a_distillation_is_not_clipped():
    """Two steps of DDIM without clipping, by hand, and the loss that follows, as in the authors' code: `clip_x=False`
    (google-research/diffusion_distillation, `training_losses`)."""
    torch.manual_seed(0)
    teacher = {"name": "ddim", **ProgressiveDistillation.tiny_options["teacher"]}
    method = ProgressiveDistillation(teacher=teacher, student_steps=4).double().train()
    assert method.teacher.scheduler.config.clip_sample
    kept = method.teacher.scheduler.alphas_cumprod.double()

    def predict(noisy, time, *_):
        level = kept[time.long()].view(-1, 1, 1, 1)
        alpha, sigma = level.sqrt(), (1 - level).sqrt()
        clean = wild(noisy, alpha, sigma)
        return alpha * (noisy - alpha * clean) / sigma - sigma * clean

    method.teacher.predict = predict
    method.student.predict = lambda noisy, *_: torch.zeros_like(noisy)
    images = noise().clamp(-1, 1)
    torch.manual_seed(5)
    (update,) = method.training_step(Batch({"source": images, "target": images}))

    torch.manual_seed(5)
    drawn = method.draw(Batch({"source": images, "target": images}))
    index = 2 * torch.randint(4, (2,))
    times = torch.cat([999 - 125 * torch.arange(8), torch.tensor([-1])])
    bars = torch.cat([kept[times[:-1]], torch.ones(1)])
    rows = [bars[index + ahead].view(-1, 1, 1, 1) for ahead in range(3)]
    z = rows[0].sqrt() * images + (1 - rows[0]).sqrt() * drawn.noise
    start = z
    for here, there in ((rows[0], rows[1]), (rows[1], rows[2])):
        x0 = wild(z, here.sqrt(), (1 - here).sqrt())
        z = there.sqrt() * x0 + (1 - there).sqrt() * (z - here.sqrt() * x0) / (1 - here).sqrt()
    ratio = ((1 - rows[2]) / (1 - rows[0])).sqrt()
    wanted = (z - ratio * start) / (rows[2].sqrt() - ratio * rows[0].sqrt())
    said = clean_of("v_prediction", torch.zeros_like(z), start, rows[0].sqrt(), (1 - rows[0]).sqrt())
    snr = (rows[0] / (1 - rows[0])).flatten()
    loss = (snr.clamp_min(1) * (said - wanted).square().mean(dim=(1, 2, 3))).mean()
    torch.testing.assert_close(update.losses["distillation"], loss, rtol=1e-5, atol=1e-6)
