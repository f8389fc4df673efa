"""Distillation of diffusion models: targets in closed form, a student that learns, and the command from end to end."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import DDIMScheduler, LCMScheduler
from i2izoo_diffusion.ddim import DDIM
from i2izoo_diffusion.distillation.base import DiffusionDistillation, Drawn
from i2izoo_diffusion.distillation.consistency import ConsistencyDistillation
from i2izoo_diffusion.distillation.guided import GuidanceDistillation
from i2izoo_diffusion.distillation.progressive import ProgressiveDistillation
from i2izoo_diffusion.guidance.classifier_free import classifier_free
from i2izoo_diffusion.prediction import clean_of, prediction_of
from torch import Tensor

import i2izoo
from i2izoo.cli.main import main
from i2izoo.errors import ConfigError, TrainingError
from i2izoo.interfaces import Batch

MEAN, STD = 0.1, 0.2
TINY = DDIM.tiny_options
TEACHER: dict[str, Any] = {"name": "ddim", "prediction": "v_prediction", **TINY}
DATA = {"name": "synthetic-facades", "count": 8, "size": 16}
TRAINING: dict[str, Any] = {
    "batch_size": 4, "load_size": 18, "crop_size": 16, "sample_every": 0, "tensorboard": False, "device": "cpu",
}  # fmt: skip


def drawn_for(clean: Tensor, weight: Tensor | None = None, seed: int = 0) -> Drawn:
    generator = torch.Generator().manual_seed(seed)
    source = torch.rand(clean.shape, generator=generator) * 2 - 1
    present = torch.ones(len(clean), dtype=torch.bool)
    return Drawn(clean, torch.randn(clean.shape, generator=generator), source.to(clean.dtype), present, weight)


def gaussian(clean: int = 6) -> Tensor:
    return MEAN + STD * torch.randn(clean, 3, 8, 8, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def said(kind: str, clean: Tensor, noisy: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
    """What a network says that knows the clean values: them, or v = alpha eps - sigma x (Salimans and Ho, 2022)."""
    return clean if kind == "sample" else alpha * (noisy - alpha * clean) / sigma - sigma * clean


def exact_teacher(method: DiffusionDistillation, monkeypatch: pytest.MonkeyPatch) -> None:
    """The teacher says what is best if clean values are N(MEAN, STD^2)."""
    kept = method.teacher.scheduler.alphas_cumprod.double()

    def predict(noisy: Tensor, time: Tensor, *_: Any) -> Tensor:
        level = kept[time.long()].view(-1, 1, 1, 1)
        alpha, sigma = level.sqrt(), (1 - level).sqrt()
        clean = MEAN + alpha * STD**2 / (alpha**2 * STD**2 + sigma**2) * (noisy - alpha * MEAN)
        return said(method.teacher.kind, clean, noisy, alpha, sigma)

    monkeypatch.setattr(method.teacher, "predict", predict)


def ddim(kind: str, **options: Any) -> DDIMScheduler:
    return DDIMScheduler(
        prediction_type=kind, timestep_spacing="trailing", rescale_betas_zero_snr=True, clip_sample=True, **options
    )


@pytest.mark.parametrize("kind", ["v_prediction", "sample"])
@pytest.mark.parametrize("row", [0, 1, 3])
def test_one_step_to_the_progressive_target_is_two_steps_of_the_teacher(
    kind: str, row: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    method = ProgressiveDistillation(teacher={**TEACHER, "prediction": kind}, student_steps=4).double()
    exact_teacher(method, monkeypatch)
    clean = gaussian()
    drawn = drawn_for(clean)
    index = torch.full((len(clean),), 2 * row)
    noisy = method.steps.level(index, clean).noisy(clean, drawn.noise)
    target = method.target(noisy, index, drawn)

    teacher, student = ddim(kind), ddim(kind)
    teacher.set_timesteps(8)
    student.set_timesteps(4)
    two = noisy
    for time in teacher.timesteps[2 * row : 2 * row + 2]:
        prediction = method.teacher.predict(two, time.double().expand(len(clean)), None, drawn.present)
        two = teacher.step(prediction, time, two, return_dict=False)[0]
    kept = student.alphas_cumprod[student.timesteps[row]].double()
    right = said(kind, target, noisy, kept.sqrt(), (1 - kept).sqrt())
    one = student.step(right, student.timesteps[row], noisy, return_dict=False)[0]
    torch.testing.assert_close(one, two, rtol=1e-6, atol=1e-6)


def test_the_progressive_target_of_a_gaussian_in_closed_form(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last student step ends at the clean image, where the target is what two teacher steps make of z.

    A DDIM step between levels is linear here: with V = alpha^2 s^2 + sigma^2 and z - alpha m = u, the teacher's clean
    image is m + alpha s^2 / V u and its noise sigma / V u, so that u goes to (alpha' alpha s^2 + sigma' sigma) / V u.
    """
    method = ProgressiveDistillation(teacher=TEACHER, student_steps=4).double()
    exact_teacher(method, monkeypatch)
    clean = gaussian()
    drawn, index = drawn_for(clean), torch.full((len(clean),), 6)
    noisy = method.steps.level(index, clean).noisy(clean, drawn.noise)
    scheduler = ddim("v_prediction")
    scheduler.set_timesteps(8)
    kept = [*scheduler.alphas_cumprod[scheduler.timesteps[6:]].double().tolist(), 1.0]
    u = noisy - kept[0] ** 0.5 * MEAN
    for now, later in itertools.pairwise(kept):
        u = ((now * later) ** 0.5 * STD**2 + ((1 - now) * (1 - later)) ** 0.5) / (now * STD**2 + 1 - now) * u
    torch.testing.assert_close(method.target(noisy, index, drawn), MEAN + u, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("weight", ["truncated_snr", "snr_plus_one"])
def test_progressive_weights(weight: Any) -> None:
    method = ProgressiveDistillation(teacher=TEACHER, student_steps=2, weight=weight).train()
    clean = gaussian().float()
    batch = Batch({"source": clean, "target": clean})
    torch.manual_seed(3)
    (update,) = method.training_step(batch)
    torch.manual_seed(3)
    drawn = method.draw(batch)
    index = 2 * torch.randint(2, (len(clean),))
    scheduler = ddim("v_prediction")
    kept = scheduler.alphas_cumprod[torch.tensor([999, 749, 499, 249])[index]].view(-1, 1, 1, 1)
    alpha, sigma = kept.sqrt(), (1 - kept).sqrt()
    noisy = alpha * clean + sigma * drawn.noise
    target, predicted = (
        method.target(noisy, index, drawn),
        method.learned(noisy, method.steps.time(index, noisy), drawn),
    )
    if weight == "snr_plus_one":  # equals the plain error of v (Salimans and Ho, section 4)
        error = predicted - prediction_of("v_prediction", target, noisy, alpha, sigma)
        expected = error.square().mean()
    else:
        error = clean_of("v_prediction", predicted, noisy, alpha, sigma) - target
        expected = ((kept / (1 - kept)).clamp_min(1) * error.square()).mean()
    torch.testing.assert_close(update.losses["distillation"], expected, rtol=1e-4, atol=1e-6)


def test_the_guidance_target_is_classifier_free_guidance_of_each_row() -> None:
    torch.manual_seed(0)
    method = GuidanceDistillation(teacher={"name": "ddim", **TINY}, guidance=[1, 3])
    clean = gaussian(3).float()
    weight = torch.tensor([1.0, 1.5, 3.0])
    drawn, time = drawn_for(clean, weight), torch.tensor([0.0, 500.0, 999.0])
    found = method.taught(clean, time, drawn)
    shown = torch.ones(3, dtype=torch.bool)
    with_source = method.teacher.predict(clean, time, drawn.source, shown)
    without = method.teacher.predict(clean, time, drawn.source, ~shown)
    for row in range(3):
        torch.testing.assert_close(found[row], classifier_free(with_source[row], without[row], weight[row].item()))
    # a fresh student says what its teacher says without guidance, whatever weight it is told
    torch.testing.assert_close(method.learned(clean, time, drawn), with_source)
    assert not method.teacher.guided
    assert method.student.guided


@pytest.mark.parametrize("kind", [ProgressiveDistillation, ConsistencyDistillation])
def test_a_teacher_with_guidance_of_its_own_teaches_what_it_says_under_it(kind: Any) -> None:
    torch.manual_seed(0)
    method = kind(teacher={**TEACHER, "sampling_guidance": 3.0}, student_steps=4)
    clean, time = gaussian(3).float(), torch.tensor([0.0, 500.0, 999.0])
    shown = torch.tensor([True, True, False])
    drawn = drawn_for(clean)._replace(present=shown)
    found = method.taught(clean, time, drawn)
    with_source = method.teacher.predict(clean, time, drawn.source, torch.ones_like(shown))
    without = method.teacher.predict(clean, time, drawn.source, torch.zeros_like(shown))
    torch.testing.assert_close(found[:2], (without + 3 * (with_source - without))[:2], rtol=0, atol=1e-5)
    torch.testing.assert_close(found[2], without[2], rtol=0, atol=1e-5)  # a hidden source is not exaggerated
    assert method.teacher.config["sampling_guidance"] == 3
    assert method.student.config["sampling_guidance"] == 1  # or it would be guided twice
    assert not method.student.guided


def test_a_student_told_the_weight_keeps_its_teachers_default() -> None:
    method = GuidanceDistillation(teacher={**TEACHER, "sampling_guidance": 3.0}, student_steps=4)
    assert method.student.config["sampling_guidance"] == 3


def test_a_student_told_the_weight_asks_its_network_once(monkeypatch: pytest.MonkeyPatch) -> None:
    student = GuidanceDistillation(teacher={"name": "ddim", **TINY}).student
    torch.nn.init.normal_(student.generator.net.class_embedding.linear_2.weight)
    calls: list[int] = []
    student.generator.register_forward_pre_hook(lambda _, inputs: calls.append(len(inputs[0])))
    image = torch.zeros(2, 3, 16, 16)
    one = student(image, to="target", steps=2, guidance=1.0)
    three = student(image, to="target", steps=2, guidance=3.0)
    assert calls == [2, 2, 2, 2]
    assert not torch.allclose(one, three)


def test_consistency_at_the_clean_image_is_that_image() -> None:
    method = ConsistencyDistillation(teacher=TEACHER, solver_steps=10)
    clean = gaussian().float()
    drawn, end = drawn_for(clean), torch.full((len(clean),), 10)
    torch.testing.assert_close(method.answer(clean, end, method.steps.level(end, clean), drawn), clean)


def test_consistency_answers_as_the_scheduler_reads_them() -> None:
    """f is what LCMScheduler calls the denoised image, at the steps that it samples at."""
    teacher = {**TEACHER, "scheduler": {"name": "ddim", "clip_sample": False}}
    method = ConsistencyDistillation(teacher=teacher, student_steps=2, solver_steps=10).eval()
    scheduler = method.student.scheduler
    assert isinstance(scheduler, LCMScheduler)
    torch.testing.assert_close(scheduler.alphas_cumprod, method.teacher.scheduler.alphas_cumprod)
    scheduler.set_timesteps(2)
    clean = gaussian().float()
    drawn = drawn_for(clean)
    for step, index in ((0, 0), (1, 5)):
        time = scheduler.timesteps[step]
        assert method.steps.times[index] == time
        at = torch.full((len(clean),), index)
        level = method.steps.level(at, clean)
        noisy = level.noisy(clean, drawn.noise)
        prediction = method.learned(noisy, method.steps.time(at, noisy), drawn)
        denoised = scheduler.step(prediction, time, noisy, return_dict=False)[1]
        torch.testing.assert_close(method.answer(noisy, at, level, drawn), denoised, rtol=1e-4, atol=1e-5)


def test_a_perfect_consistency_function_has_no_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a target of one image every noisy image leads to it: the best student then agrees with itself."""
    method = ConsistencyDistillation(teacher=TEACHER, solver_steps=10)
    clean = gaussian(4).float()

    def perfect(owner: DDIM) -> Any:
        def predict(noisy: Tensor, time: Tensor, *_: Any) -> Tensor:
            kept = method.teacher.scheduler.alphas_cumprod[time.long()].view(-1, 1, 1, 1)
            skip, out = method.student.scheduler.get_scalings_for_boundary_condition_discrete(time.view(-1, 1, 1, 1))
            wanted = clean if owner is method.teacher else (clean - skip * noisy) / out.clamp_min(1e-3)
            return prediction_of("v_prediction", wanted, noisy, kept.sqrt(), (1 - kept).sqrt())

        return predict

    for owner in (method.teacher, method.student):
        monkeypatch.setattr(owner, "predict", perfect(owner))
    torch.manual_seed(0)
    (update,) = method.training_step(Batch({"source": clean, "target": clean}))
    assert update.losses["consistency"] < 1e-6


def test_what_cannot_teach_is_refused() -> None:
    epsilon = {"name": "ddim", **TINY}
    with pytest.raises(ConfigError, match="prediction='v_prediction'"):
        ProgressiveDistillation(teacher=epsilon)
    with pytest.raises(ConfigError, match="condition_dropout above 0"):
        GuidanceDistillation(teacher={**epsilon, "condition_dropout": 0.0})
    with pytest.raises(ConfigError, match="two weights"):
        GuidanceDistillation(teacher=epsilon, guidance=[3, 1])
    with pytest.raises(ConfigError, match="divides the 1000"):
        ConsistencyDistillation(teacher=epsilon, solver_steps=30)
    with pytest.raises(ConfigError, match=r"wants float above 0 to 1e6, found 0.0"):
        ConsistencyDistillation(teacher=epsilon, huber=0.0)
    with pytest.raises(ConfigError, match="a diffusion model teaches"):
        ProgressiveDistillation(teacher={"name": "pix2pix", "generator": {"name": "resnet_6blocks", "width": 4}})
    with pytest.raises(ConfigError, match="obeys a weight"):
        GuidanceDistillation(teacher={**epsilon, "generator": {**TINY["generator"], "guidance_embedding": True}})


def test_the_plan_of_stages() -> None:
    torch.manual_seed(0)
    model = i2izoo.create("ddim", **{**TINY, "sampling_steps": 50}, prediction="v_prediction")
    plan = ProgressiveDistillation.stages
    assert [steps for _, steps in plan(model.method, 4)] == [32, 16, 8, 4]
    assert [steps for _, steps in plan(model.method, 4, 16)] == [8, 4]
    assert [name for name, _ in GuidanceDistillation.stages(model.method, 4, 8)] == [
        "guidance_distillation", "progressive_distillation",
    ]  # fmt: skip
    assert GuidanceDistillation.stages(model.method, 4, 4) == [("guidance_distillation", 4)]
    assert ConsistencyDistillation.stages(model.method, 4) == [("consistency_distillation", 4)]
    with pytest.raises(ConfigError, match="power of two"):
        plan(model.method, 4, 12)
    with pytest.raises(ConfigError, match="nothing to halve"):
        plan(model.method, 4, 4)
    with pytest.raises(ConfigError, match="leave start out"):
        ConsistencyDistillation.stages(model.method, 4, 8)


def teacher_model(steps: int, seed: int = 0, **options: Any) -> Any:
    torch.manual_seed(seed)
    model = i2izoo.create(
        "ddim", domains=["label", "photo"], prediction="v_prediction", learning_rate=3e-3,
        **{**TINY, "sampling_steps": 8, **options},
    )  # fmt: skip
    return i2izoo.Trainer(
        model, DATA, steps=steps, seed=seed, progress=False, max_grad_norm=1.0, ema=0.0, **TRAINING
    ).fit()


def test_a_student_comes_nearer_to_its_teacher_than_the_teacher_in_as_few_steps(
    learned: Callable[..., None], learning_seed: int
) -> None:
    teacher = teacher_model(80, learning_seed)
    student = i2izoo.distill(
        teacher, DATA, 2, start=4, steps=50, decay_steps=50, learning_rate=2e-3, seed=learning_seed, progress=False,
        **TRAINING,
    )  # fmt: skip
    label = torch.rand(16, 3, 16, 16, generator=torch.Generator().manual_seed(2 + learning_seed)) * 2 - 1
    wanted = teacher(label, steps=4)
    untaught = (teacher(label, steps=2) - wanted).square().mean()
    taught = (student(label) - wanted).square().mean()
    learned("squared distance, of the teacher's in as few steps", taught / untaught, below=0.6, untrained=1.0)
    assert student.config["provenance"]["distilled_from"] == "ddim"


def test_distillation_stands_still_and_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A distillation that is cut off in its second stage ends, resumed, as one that was not."""
    teacher = teacher_model(1)
    options: dict[str, Any] = {"start": 8, "steps": 2, "checkpoint_every": 1, "progress": False, **TRAINING}
    whole = i2izoo.distill(teacher, DATA, 2, out=tmp_path / "whole", **options)

    seen: list[int] = []
    step = ProgressiveDistillation.training_step

    def cut(self: ProgressiveDistillation, batch: Batch) -> Any:
        seen.append(self.student_steps)
        if len(seen) == 4:
            raise RuntimeError("cut")
        return step(self, batch)

    monkeypatch.setattr(ProgressiveDistillation, "training_step", cut)
    with pytest.raises(RuntimeError, match="cut"):
        i2izoo.distill(teacher, DATA, 2, out=tmp_path / "parts", **options)
    assert seen == [4, 4, 2, 2]
    with pytest.raises(TrainingError, match="already holds"):
        i2izoo.distill(teacher, DATA, 2, out=tmp_path / "parts", **options)
    with pytest.raises(TrainingError, match="another distillation"):
        i2izoo.distill(teacher, DATA, 2, out=tmp_path / "parts", resume="auto", **{**options, "batch_size": 2})
    resumed = i2izoo.distill(teacher, DATA, 2, out=tmp_path / "parts", resume="auto", **options)
    assert seen == [4, 4, 2, 2, 2]
    for name, value in whole.method.state_dict().items():
        assert torch.equal(value, resumed.method.state_dict()[name])
    assert whole.config["provenance"]["stages"] == resumed.config["provenance"]["stages"]
    once_more = i2izoo.distill(teacher, DATA, 2, out=tmp_path / "parts", resume="auto", **options)
    assert seen == [4, 4, 2, 2, 2]
    assert once_more.config["options"]["sampling_steps"] == 2


@pytest.mark.parametrize(
    ("method", "words", "scheduler"),
    [
        ("progressive", ["weight=snr_plus_one"], "ddim"),
        ("guidance", ["guidance=1,2"], "ddim"),
        ("consistency", ["solver_steps=10"], "lcm"),
    ],
)
def test_the_command_from_end_to_end(
    method: str, words: list[str], scheduler: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.manual_seed(0)
    model = i2izoo.create("ddim", domains=["label", "photo"], prediction="v_prediction", **TINY)
    model.save_pretrained(tmp_path / "teacher")
    assert main(["data", "make", "synthetic-facades", str(tmp_path / "data"), "--count", "2", "--size", "16"]) == 0
    start = [] if method == "consistency" else ["--start", "4"]
    code = main(
        [
            "distill", str(tmp_path / "teacher"), "--student-steps", "2", "--method", method, *start, "--data",
            str(tmp_path / "data"), "--out", str(tmp_path / "out"), "steps=1", "batch_size=2", "crop_size=16",
            "load_size=18", "device=cpu", "tensorboard=false", "sample_every=0", *words,
        ]
    )  # fmt: skip
    said = capsys.readouterr()
    assert code == 0, said.err
    assert "stage 1 of " in said.out
    student = i2izoo.load(tmp_path / "out" / "model")
    config = json.loads((tmp_path / "out" / "model" / "config.json").read_text())
    assert config["method"] == "ddim"
    assert config["options"]["sampling_steps"] == 2
    assert config["options"]["scheduler"]["name"] == scheduler
    assert config["provenance"]["distillation"] == method
    assert student(torch.zeros(1, 3, 16, 16), seed=1).shape == (1, 3, 16, 16)
    if method == "guidance":
        assert [stage["student_steps"] for stage in config["provenance"]["stages"]] == [4, 2]
        assert student(torch.zeros(1, 3, 16, 16), guidance=2.0).shape == (1, 3, 16, 16)


def test_mistakes_at_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    i2izoo.create("ddim", **TINY).save_pretrained(tmp_path / "teacher")
    place = ["distill", str(tmp_path / "teacher"), "--student-steps", "2", "--data", "synthetic-facades", "--out"]
    assert main([*place, str(tmp_path / "out")]) == 2
    assert "prediction='v_prediction'" in capsys.readouterr().err
    assert main([*place, str(tmp_path / "out"), "--method", "ddim"]) == 2
    assert "distils nothing; those that do are consistency, guidance, progressive" in capsys.readouterr().err
    assert main([*place, str(tmp_path / "out"), "--method", "guidance", "wieght=1"]) == 2
    assert "has no option 'wieght'" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
