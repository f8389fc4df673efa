"""The sampling loop is diffusers' own, its predictions mean what the papers say, and its mistakes are one sentence."""

from functools import partial

import diffusers
import pytest
import torch
from i2izoo_diffusion.guidance.classifier_free import classifier_free
from i2izoo_diffusion.prediction import clean_of, noise_of, prediction_of, target
from i2izoo_diffusion.schedulers import completed, sampler

import i2izoo
from i2izoo.contracts.registry import registry
from i2izoo.errors import ConfigError, UnknownNameError
from i2izoo.nn.random import derive_seed

UNET = {"name": "unet2d", "channels": [8, 16], "attention": [1], "layers": 1, "norm_groups": 4}
CLASSES = {
    "ddim": diffusers.DDIMScheduler,
    "ddpm": diffusers.DDPMScheduler,
    "dpmsolver++": diffusers.DPMSolverMultistepScheduler,
    "unipc": diffusers.UniPCMultistepScheduler,
    "euler": diffusers.EulerDiscreteScheduler,
    "euler_ancestral": diffusers.EulerAncestralDiscreteScheduler,
    "lcm": diffusers.LCMScheduler,
}
PREDICTIONS = ("epsilon", "sample", "v_prediction")
ALLOWED = [(name, kind) for name in CLASSES for kind in PREDICTIONS if (name, kind) != ("euler_ancestral", "sample")]


def model(name="ddim", **options):
    torch.manual_seed(0)
    return i2izoo.create(name, **{"generator": UNET, "sampling_steps": 3, **options})


def images(rows=3, size=8):
    return torch.rand(rows, 3, size, size, generator=torch.Generator().manual_seed(1)) * 2 - 1


def one_generator_a_row(seeds, purpose):
    return [torch.Generator().manual_seed(derive_seed(seed, purpose)) for seed in seeds]


def plain_loop(net, scheduler, source, seeds, steps, guidance=None, **options):
    """As a user of diffusers writes it; two passes for guidance."""

    def see(noisy, time, flag):
        plane = torch.full_like(source[:, :1], flag)
        return net(torch.cat([noisy, flag * source, plane], dim=1), time).sample

    scheduler.set_timesteps(steps)
    rows = [torch.randn(source.shape[1:], generator=g) for g in one_generator_a_row(seeds, "noise")]
    x = torch.stack(rows).to(source.dtype) * scheduler.init_noise_sigma
    if not isinstance(scheduler, diffusers.UniPCMultistepScheduler):
        options["generator"] = one_generator_a_row(seeds, "steps")
    if isinstance(scheduler, diffusers.DDIMScheduler) and scheduler.config.clip_sample:
        options["use_clipped_model_output"] = True  # the noise follows from the clipped image
    for time in scheduler.timesteps:
        noisy = scheduler.scale_model_input(x, time)
        said = see(noisy, time, 1.0)
        if guidance is not None:
            without = see(noisy, time, 0.0)
            said = without + guidance * (said - without)
        x = scheduler.step(said, time, x, **options).prev_sample
    return x


def both(ours, scheduler, steps=4, guidance=None, **options):
    """Our loop and the plain one, before values are clamped to [-1, 1]."""
    method, source, seeds = ours.method.eval().double(), images().double(), [3, 4, 5]
    with torch.inference_mode():
        run = method.sampling(method.draw_noise(source, seeds), source, seeds, steps=steps, guidance=guidance or 1.0)
        found = run.run(**options)
        wanted = plain_loop(method.generator.net, scheduler, source, seeds, steps, guidance, **options)
        shown = method(source, to="target", seeds=seeds, steps=steps, guidance=guidance or 1.0, **options)
    torch.testing.assert_close(shown, found.clamp(-1, 1))
    return found, wanted


def close(found, wanted):
    torch.testing.assert_close(found, wanted, rtol=1e-6, atol=1e-6)


# ------------------------------------------------------------------------------------------------- diffusers' own loop


def test_the_names_stand_for_the_classes_of_diffusers():
    assert {name: registry("schedulers").get(name) for name in CLASSES} == CLASSES


@pytest.mark.parametrize(("name", "kind"), ALLOWED)
def test_the_loop_is_that_of_diffusers(name, kind):
    scheduler = CLASSES[name](
        prediction_type=kind, timestep_spacing="trailing", rescale_betas_zero_snr=kind != "epsilon"
    )
    close(*both(model(scheduler=name, prediction=kind), scheduler))


@pytest.mark.parametrize("options", [{"eta": 0.6}, {"eta": 1.0}, {"guidance": 2.5}, {"steps": 7}])
def test_with_noise_guidance_and_odd_steps(options):
    close(*both(model(), diffusers.DDIMScheduler(timestep_spacing="trailing"), **options))


def test_with_options_of_the_scheduler():
    chosen = {"timestep_spacing": "leading", "beta_schedule": "squaredcos_cap_v2", "clip_sample": False}
    close(*both(model(scheduler={"name": "ddim", **chosen}), diffusers.DDIMScheduler(**chosen)))


def test_a_scheduler_cannot_do_every_prediction():
    """So the 20 pairs above are all there are."""
    with pytest.raises(ConfigError, match=r"cannot sample a model that predicts 'sample'; take another"):
        model(scheduler="euler_ancestral", prediction="sample")(images()[0])


# ------------------------------------------------------------------------------------------- what a prediction means


def test_conversions_by_hand():
    """alpha = 0.8, sigma = 0.6, y = 1, e = -2: x = -0.4, v = 0.8 (-2) - 0.6 (1) = -2.2."""
    y, e, x, v = (torch.tensor(value, dtype=torch.float64) for value in (1.0, -2.0, -0.4, -2.2))
    for kind, said in {"epsilon": e, "sample": y, "v_prediction": v}.items():
        torch.testing.assert_close(target(kind, y, e, 0.8, 0.6), said)
        torch.testing.assert_close(clean_of(kind, said, x, 0.8, 0.6), y)
        torch.testing.assert_close(noise_of(kind, said, x, 0.8, 0.6), e)
        torch.testing.assert_close(prediction_of(kind, y, x, 0.8, 0.6), said)


SPREAD = 0.5


def gaussian(kind, scheduler="ddim", **options):
    """A model whose network is the exact answer for y | x ~ N(x / 2, SPREAD^2), each pixel for itself.

    Of alpha y + sigma e it says E[y] = (SPREAD^2 alpha noisy + sigma^2 x / 2) / (alpha^2 SPREAD^2 + sigma^2).
    """
    if scheduler in ("ddim", "ddpm"):
        options["clip_sample"] = False
    method = model(scheduler={"name": scheduler, **options}, prediction=kind, in_channels=1, out_channels=1).method
    kept = method.scheduler.alphas_cumprod.double()

    def exact(noisy, time, source, present):
        low = time.double().floor().long()  # DPM solvers and Euler may stop between two steps of training
        high = (low + 1).clamp(max=len(kept) - 1)
        level = kept[low].lerp(kept[high], time.double() - low).view(-1, 1, 1, 1)
        alpha, sigma = level.sqrt(), (1 - level).sqrt()
        mean = (SPREAD**2 * alpha * noisy + sigma**2 * source / 2) / (level * SPREAD**2 + sigma**2)
        noise = (noisy - alpha * mean) / sigma
        return {"epsilon": noise, "sample": mean, "v_prediction": alpha * noise - sigma * mean}[kind]

    method.predict = exact
    return method


def sampled(method, steps, rows=16, **options):
    """Source, the noise at the start, and the samples, float64."""
    seeds = list(range(rows))
    source = torch.linspace(-0.8, 0.8, rows, dtype=torch.float64).view(-1, 1, 1, 1).expand(-1, 1, 32, 32)
    noise = method.draw_noise(source, seeds)
    return source, noise, method.sampling(noise, source, seeds, steps=steps).run(**options)


@pytest.mark.parametrize("kind", PREDICTIONS)
def test_the_flow_of_a_gaussian(kind):
    """Along the probability flow x_t = alpha m + sqrt(alpha^2 s^2 + sigma^2) z with one z (Song et al. 2021, eq. 13),
    so that y = m + s z: DDIM follows it to the first order of the step, DPM-Solver++ to the second."""
    errors = {}
    for name, steps in (("ddim", 40), ("ddim", 200), ("dpmsolver++", 40)):
        method = gaussian(kind, name)
        source, noise, y = sampled(method, steps, rows=8)
        level = method.scheduler.alphas_cumprod[-1].item()
        z = (noise - level**0.5 * source / 2) / (level * SPREAD**2 + 1 - level) ** 0.5
        errors[name, steps] = (y - (source / 2 + SPREAD * z)).abs().max().item()
    assert errors["ddim", 40] < 0.3
    assert errors["ddim", 200] == pytest.approx(errors["ddim", 40] / 5, rel=0.1)
    assert errors["dpmsolver++", 40] < 0.05 * errors["ddim", 40]


def test_three_parameterisations_of_one_target_are_one_sampler():
    same_levels = {"rescale_betas_zero_snr": False}  # those that epsilon has
    found = [sampled(gaussian(kind, **same_levels), 10, rows=4)[2] for kind in PREDICTIONS]
    torch.testing.assert_close(found[1], found[0], rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(found[2], found[0], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("kind", ["sample", "v_prediction"])
@pytest.mark.parametrize("name", ["ddim", "dpmsolver++", "unipc", "lcm"])
def test_one_step_from_pure_noise_is_the_mean(kind, name):
    """With no signal in the noise, E[y | x_T] = E[y] = x / 2; zero-terminal-SNR makes that exact (2305.08891), but for
    the alpha = 2^-12 that the solvers put in the place of 0."""
    source, _, y = sampled(gaussian(kind, name), 1, rows=4)
    torch.testing.assert_close(y, source / 2, rtol=0, atol=4e-4)


@pytest.mark.parametrize(
    ("name", "kind", "options"),
    [("ddim", "epsilon", {}), ("ddim", "sample", {"eta": 1.0}), ("ddim", "v_prediction", {"eta": 0.5}),
     ("ddpm", "epsilon", {}), ("dpmsolver++", "sample", {}), ("unipc", "v_prediction", {}), ("euler", "epsilon", {}),
     ("euler_ancestral", "v_prediction", {})],
)  # fmt: skip
def test_samples_have_the_distribution_of_the_target(name, kind, options):
    """16 rows of 1024 pixels: the mean of (y - x / 2) / s has a standard error of 1 / 128, its variance one of 0.011.

    Methods of the first order lack a share of the variance that halves when the steps are doubled: what 100 and 200
    steps give is extrapolated to none.
    """
    variance = {}
    for steps in (100, 200):
        source, _, y = sampled(gaussian(kind, name), steps, **options)
        z = (y - source / 2) / SPREAD
        variance[steps] = z.var().item()
        assert abs(z.mean()) < 4 / 128
        slope = (source * y).mean() / source.square().mean()  # the condition is followed: m = x / 2
        assert slope == pytest.approx(0.5, abs=0.04)
    assert 2 * variance[200] - variance[100] == pytest.approx(1, abs=0.08)
    assert variance[200] == pytest.approx(1, abs=0.08)


@pytest.mark.parametrize("kind", ["epsilon", "v_prediction"])
@pytest.mark.parametrize("name", ["ddim", "ddpm", "dpmsolver++", "unipc", "euler", "euler_ancestral"])
def test_61_steps_are_not_62(name, kind):
    """np.arange(1000, 0, -1000 / 61), diffusers' "trailing" times, has one entry too many by rounding, as it has for 62
    numbers of steps up to 1000: the time -1, which as an index is the noisiest. Of the sample of ddim and ddpm nothing
    was left but its mean."""
    method, seen = gaussian(kind, name), []
    exact = method.predict
    method.predict = lambda noisy, time, *rest: seen.append(time[0].item()) or exact(noisy, time, *rest)
    variance = {}
    for steps in (60, 61):
        seen.clear()
        source, _, y = sampled(method, steps)
        variance[steps] = ((y - source / 2) / SPREAD).var().item()
        assert len(seen) == steps
        assert min(seen) >= 0
    assert variance[61] == pytest.approx(variance[60], abs=0.03)


def test_euler_starts_with_the_noise_of_its_first_step():
    """diffusers puts sigma / alpha = 4096 in the place of pure noise; of 300 steps the second has more. The start was
    noise of that: 1.5 times the variance in the end, and 14 times after 1000 steps."""
    source, _, y = sampled(gaussian("v_prediction", "euler"), 300)
    assert ((y - source / 2) / SPREAD).var().item() == pytest.approx(1, abs=0.05)


def test_long_ancestral_steps_are_finite():
    """sigma_down^2 = sigma^4 / sigma_before^2 is a difference of squares that float32 made negative: NaN."""
    source, _, y = sampled(gaussian("epsilon", "euler_ancestral", beta_schedule="squaredcos_cap_v2"), 3)
    wanted = sampled(gaussian("epsilon", "ddpm", beta_schedule="squaredcos_cap_v2"), 3)[2]
    assert (y - source / 2).std().item() == pytest.approx((wanted - source / 2).std().item(), rel=0.05)


# ---------------------------------------------------------------------------------------------------------- guidance


def test_guidance_by_hand():
    """Conditional 3, unconditional 1: w = 1.5 gives 1 + 1.5 (3 - 1) = 4, w = 1 the one, w = 0 the other."""
    for weight, value in ((1.5, 4.0), (1.0, 3.0), (0.0, 1.0)):
        assert classifier_free(torch.tensor(3.0), torch.tensor(1.0), weight) == value


def test_rescale_by_hand():
    """(0, 2) guided away from (0, 0) with w = 3 is (0, 6), three times as wide; half of the way back is 2/3 of it."""
    conditional, unconditional = torch.tensor([[0.0, 2.0], [1.0, -1.0]]), torch.zeros(2, 2)
    found = classifier_free(conditional, unconditional, 3.0, rescale=0.5)
    torch.testing.assert_close(found, torch.tensor([[0.0, 4.0], [2.0, -2.0]]))  # each row by itself
    torch.testing.assert_close(classifier_free(conditional, unconditional, 3.0, rescale=1.0), conditional)


def test_rescale_in_translation():
    ddim, image = model(), images()[0]
    plain, guided, rescaled = (ddim(image, guidance=g, rescale=r) for g, r in ((1.0, 0.0), (3.0, 0.0), (3.0, 1.0)))
    assert not torch.equal(plain, guided)
    assert not torch.equal(guided, rescaled)
    torch.testing.assert_close(plain, ddim(image, rescale=1.0))


def test_weight_zero_does_not_see_the_source():
    ddim, (first, second, _) = model(), images()
    assert torch.equal(ddim(first, guidance=0.0), ddim(second, guidance=0.0))
    assert not torch.equal(ddim(first), ddim(second))


# -------------------------------------------------------------------------------------------------------- randomness


@pytest.mark.parametrize("schedule", ["linear", "scaled_linear", "squaredcos_cap_v2"])
@pytest.mark.parametrize("steps", [4, 5, 8, 10, 20, 25, 40, 50, 100, 125])  # they divide 1000
def test_eta_of_one_is_the_sampler_of_ddpm(steps, schedule):
    """Song et al. 2021, section 4.1. diffusers' DDIM alone gives NaN for half of these, where rounding makes a root's
    argument negative.

    That root is 0 then, and here next to it: the square root of the rounding, some 3e-4, at the noisiest steps. So the
    images differ, but by less than half a grey level, 1 / 255.
    """
    # without clipping, of which the two make different things
    scheduler = {"name": "ddim", "beta_schedule": schedule, "clip_sample": False}
    levels = {"prediction": "v_prediction", "scheduler": scheduler}
    ddim, image = model(**levels), images()[0]
    found, expected = ddim(image, steps=steps, eta=1.0), ddim(image, steps=steps, scheduler="ddpm")
    torch.testing.assert_close(found, expected, rtol=0, atol=1 / 255)


def test_without_eta_it_is_deterministic_but_for_the_start():
    ddim, image = model(), images()[0]
    assert torch.equal(ddim(image, seed=1), ddim(image, seed=1))
    assert not torch.equal(ddim(image, seed=1), ddim(image, seed=2))
    method, source = ddim.method, images()
    noise = method.draw_noise(source, [1, 2, 3])
    with torch.inference_mode():
        first, other = (method.sampling(noise, source, seeds, steps=3) for seeds in ([1, 2, 3], [7, 8, 9]))
        assert torch.equal(first.run(), other.run())  # no noise after the start
        first, other = (method.sampling(noise, source, seeds, steps=3) for seeds in ([1, 2, 3], [7, 8, 9]))
        assert not torch.equal(first.run(eta=1.0), other.run(eta=1.0))


@pytest.mark.parametrize("name", CLASSES)
def test_rows_do_not_know_each_other(name):
    ddim, some = model(), images()
    options = {"scheduler": name, "guidance": 1.5}
    alone = [ddim(image, batch_size=1, **options) for image in some[:1]]
    torch.testing.assert_close(ddim(some, **options)[:1], torch.stack(alone), rtol=0, atol=2e-4)
    method = ddim.method
    with torch.inference_mode():
        together = method(some, to="target", seeds=[4, 5, 6], **options)
        for row in range(3):
            own = method(some[row : row + 1], to="target", seeds=[4 + row], **options)
            torch.testing.assert_close(together[row : row + 1], own, rtol=0, atol=2e-4)


def test_samples_go_through_the_network_together():
    ddim, sizes = model(), []
    ddim.method.generator.register_forward_pre_hook(lambda module, inputs: sizes.append(len(inputs[0])))
    ddim(images()[0], samples=4, steps=2)
    ddim(images()[0], samples=4, steps=2, guidance=1.5)
    assert sizes == [4, 4, 8, 8]


@pytest.mark.parametrize("name", CLASSES)
def test_the_time_is_exact_in_bfloat16(name):
    """Whose numbers near 1000 lie 4 apart."""
    ddim, times = model().to(dtype=torch.bfloat16), []
    ddim.method.generator.register_forward_pre_hook(lambda module, inputs: times.append(inputs[1][0].item()))
    result = ddim(images()[0], scheduler=name, steps=3)
    scheduler = sampler(ddim.method.scheduler, name)
    scheduler.set_timesteps(3)
    assert times == scheduler.timesteps.tolist()
    assert torch.isfinite(result).all()


@pytest.mark.parametrize("name", CLASSES)
def test_autocast_keeps_the_state_in_float32(name):
    """Noise and steps are those of float32; the network alone, 8 bits of precision, may make a difference."""
    ddim, seen = model(), []
    full = ddim(images()[0], scheduler=name, steps=3)
    with torch.autocast("cpu", torch.bfloat16):
        low = ddim(images()[0], scheduler=name, steps=3, preview=lambda run: seen.append(run.x.dtype))
    assert seen == [torch.float32] * 3
    assert (low - full).abs().mean() < 0.05


def test_channels_last_changes_nothing():
    ddim, image = model(), images()[0]
    before = ddim(image, guidance=1.5)
    ddim.method.to(memory_format=torch.channels_last)
    torch.testing.assert_close(ddim(image, guidance=1.5), before, rtol=1e-4, atol=1e-4)


# -------------------------------------------------------------------------------------------------------- schedulers


def test_sampling_starts_at_the_noisiest_step_and_there_is_no_signal():
    scheduler = model(prediction="v_prediction").method.scheduler
    scheduler.set_timesteps(10)
    assert scheduler.timesteps.tolist() == [999, 899, 799, 699, 599, 499, 399, 299, 199, 99]
    assert scheduler.alphas_cumprod[-1] == 0
    epsilon = model().method.scheduler  # prod(1 - beta) over 1000 betas from 1e-4 to 0.02
    assert epsilon.alphas_cumprod[-1].item() == pytest.approx(4.0358e-5, rel=1e-3)


@pytest.mark.parametrize("name", CLASSES)
def test_pure_noise_is_refused_for_epsilon(name):
    with pytest.raises(
        ConfigError, match=r"pure noise, of which epsilon tells nothing; take prediction='v_prediction'"
    ):
        model(scheduler={"name": name, "rescale_betas_zero_snr": True})
    assert completed({"name": name, "rescale_betas_zero_snr": False}, "sample")["rescale_betas_zero_snr"] is False


@pytest.mark.parametrize("kind", ["epsilon", "v_prediction"])
@pytest.mark.parametrize("name", CLASSES)
def test_saved_for_diffusers_alone(name, kind, tmp_path):
    saved = model(scheduler=name, prediction=kind)
    saved.save_pretrained(tmp_path)
    loaded = CLASSES[name].from_pretrained(tmp_path, subfolder="scheduler")
    assert torch.equal(loaded.alphas_cumprod, saved.method.scheduler.alphas_cumprod)
    assert loaded.config.prediction_type == kind
    for scheduler in (loaded, saved.method.scheduler):
        scheduler.set_timesteps(5)
    assert torch.equal(loaded.timesteps, saved.method.scheduler.timesteps)
    again = i2izoo.load(tmp_path)
    public = {k: v for k, v in loaded.config.items() if k[:1] != "_"}
    assert {k: v for k, v in again.method.scheduler.config.items() if k[:1] != "_"} == public
    assert torch.equal(again(images()[0]), saved(images()[0]))


@pytest.mark.parametrize("kind", PREDICTIONS)
@pytest.mark.parametrize("old", ["ddim", "lcm", "euler"])
@pytest.mark.parametrize("new", CLASSES)
def test_another_sampler_has_the_same_noise_levels(old, new, kind):
    scheduler = model(scheduler={"name": old, "beta_end": 0.03}, prediction=kind).method.scheduler
    found = sampler(scheduler, new)
    assert type(found) is CLASSES[new]
    assert found.config.prediction_type == kind
    # some put 2^-24 where others keep 0, so that sigma / alpha is finite
    torch.testing.assert_close(found.alphas_cumprod, scheduler.alphas_cumprod, rtol=1e-6, atol=1e-7)
    assert found.config.timestep_spacing == "trailing"


def test_another_sampler_is_as_good_before_saving_as_after(tmp_path):
    saved = model()
    saved.save_pretrained(tmp_path)
    loaded = i2izoo.load(tmp_path)
    for name in CLASSES:
        assert torch.equal(saved(images()[0], scheduler=name), loaded(images()[0], scheduler=name)), name


# --------------------------------------------------------------------------------------------- previews and progress


def test_a_preview_of_each_step_is_a_clean_image():
    """With the exact network, what is shown is E[y | noisy]: at last the sample itself, at first nearly the mean."""
    frames = []
    method = gaussian("v_prediction")
    source, _, y = sampled(method, 5, rows=2, preview=lambda run: frames.append((run.index, run.clean.clone())))
    assert [index for index, _ in frames] == [0, 1, 2, 3, 4]
    torch.testing.assert_close(frames[0][1], source / 2, rtol=0, atol=1e-4)
    torch.testing.assert_close(frames[-1][1], y, rtol=0, atol=1e-6)


def test_a_preview_through_the_translator():
    shapes = []
    model()(images(1, 7), steps=3, preview=lambda run: shapes.append(tuple(run.clean.shape)))
    assert shapes == [(1, 3, 8, 8)] * 3  # padded to what the network takes


def test_a_progress_bar_of_the_steps_of_one_image_and_of_the_images_of_many(capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")  # as on a terminal, where the bar of the steps is shown until it is full
    ddim = model()
    ddim(images()[0])
    assert capsys.readouterr().err == ""
    ddim(images()[0], progress=True)
    shown = capsys.readouterr().err
    assert "denoising" in shown
    assert "translating" not in shown
    ddim(images(), progress=True)
    shown = capsys.readouterr().err
    assert "translating" in shown
    assert "denoising" not in shown


# ---------------------------------------------------------------------------------------------------------- mistakes


@pytest.mark.parametrize(
    ("created", "options", "error", "words"),
    [
        ({}, {"steps": 0}, ConfigError, "wants int from 1 to 1e9 or None, found 0"),
        ({}, {"steps": 1001}, ConfigError, "from 1 to 1000, the steps of training; found 1001"),
        ({}, {"steps": 2.5}, ConfigError, "found 2.5"),
        ({}, {"steps": True}, ConfigError, "found True"),
        ({}, {"scheduler": "lcm", "steps": 60}, ConfigError, "LCMScheduler cannot do 60 steps"),
        ({"prediction": "v_prediction"}, {"scheduler": "euler_ancestral", "steps": 1000}, ConfigError,
         "EulerAncestralDiscreteScheduler cannot do 1000 steps"),
        ({}, {"eta": 0.5, "scheduler": "unipc"}, ConfigError, "eta is an option of the scheduler 'ddim'"),
        ({}, {"eta": 1.5}, ConfigError, r"float from 0 to 1 or None, found 1.5"),
        ({}, {"rescale": -1.0}, ConfigError, r"wants float from 0 to 1, found -1.0"),
        ({}, {"guidance": float("nan")}, ConfigError, "from -1000 to 1000 or None, found nan"),
        ({}, {"guidance": float("inf")}, ConfigError, "from -1000 to 1000 or None, found inf"),
        ({}, {"scheduler": "unipcc"}, UnknownNameError, "did you mean 'unipc'"),
        ({"condition_dropout": 0.0}, {"guidance": 2.0}, ConfigError, "was trained with condition_dropout=0"),
        ({"task": "generation"}, {"guidance": 2.0}, ConfigError, "this model has none"),
        ({"scheduler": {"name": "ddpm", "beta_schedule": "sigmoid"}}, {"scheduler": "ddim"}, ConfigError,
         "'ddim' cannot take over the noise levels of the model: sigmoid is not implemented"),
    ],
)  # fmt: skip
def test_impossible_translations(created, options, error, words):
    made = model(**created)
    call = partial(made.generate, size=16) if created.get("task") else partial(made, images()[0])
    with pytest.raises(error, match=words) as caught:
        call(**options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"sampling_steps": 0}, "wants int from 1 to 1e9, found 0"),
        ({"condition_dropout": 1.0}, r"wants float from 0 to below 1, found 1.0"),
        ({"prediction": "velocity"}, "one of 'epsilon', 'sample', 'v_prediction'"),
        ({"domains": ["photo"]}, "two domains of different names"),
        ({"domains": ["photo", "photo"]}, "two domains of different names"),
        ({"domains": [], "task": "generation"}, "generation needs the name of its domain"),
        ({"scheduler": {"name": "ddim", "beta_schedule": "linaer"}}, "option 'scheduler': linaer is not implemented"),
        ({"scheduler": {"name": "ddim", "beta_stop": 0.1}}, "has no option 'beta_stop'"),
        ({"scheduler": {"name": "ddim", "beta_end": 2.0}}, "betas of a scheduler lie between 0 and 1"),
        ({"scheduler": {"name": "euler", "beta_start": -1.0}}, "betas of a scheduler lie between 0 and 1"),
        ({"scheduler": {"name": "ddim", "trained_betas": [0.1, 0.2]}}, "2 values and num_train_timesteps is 1000"),
        (
            {"scheduler": {"name": "ddim", "num_train_timesteps": 0}},
            "num_train_timesteps of a scheduler is 1 to 1,000,000",
        ),
        ({"scheduler": {"name": "ddpm", "variance_type": "learned"}}, "'fixed_large'; found 'learned'"),
        ({"scheduler": {"name": "ddpm", "variance_type": "fixed_large_log"}}, "'fixed_large'; found 'fixed_large_log'"),
        ({"scheduler": {"name": "ddim", "prediction_type": "sample"}}, "follow from the method's own options"),
        ({"generator": UNET | {"norm_groups": 3}}, r"multiples of norm_groups \(3\)"),
        ({"generator": UNET | {"attention": [2]}}, "levels from 0 to 1; found 2"),
        ({"generator": UNET | {"norm_groups": 0}}, "from 1 to 65536, found 0"),
        ({"generator": UNET | {"head_channels": 0}}, "from 1 to 65536, found 0"),
        ({"generator": UNET | {"layers": 0}}, "from 1 to 256, found 0"),
        ({"generator": UNET | {"dropout": 2.0}}, r"from 0 to below 1, found 2.0"),
    ],
)
def test_impossible_options(options, words):
    with pytest.raises(ConfigError, match=words):
        model(**options)
