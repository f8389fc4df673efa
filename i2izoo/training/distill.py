"""Distillation of a trained model: the runs of its stages, and what comes out of them as a model by itself."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import Any, Literal

from i2izoo.contracts.config import schema
from i2izoo.contracts.distillation import Distillation
from i2izoo.contracts.method import Method
from i2izoo.contracts.plain import parse_json
from i2izoo.contracts.registry import registry
from i2izoo.errors import ConfigError, TrainingError, listing
from i2izoo.files.locks import locked
from i2izoo.files.writing import write_text
from i2izoo.models.config_file import CONFIG, read_config
from i2izoo.models.storage import method_config
from i2izoo.models.translator import Translator, create, load
from i2izoo.training.config import TrainingOptions
from i2izoo.training.resume import changed_options
from i2izoo.training.trainer import Trainer

PLAN = "distillation.json"
DECIDED = ("teacher", "student_steps")
"""Options of the methods that distil which follow from the model and the stage."""


def distillation_method(name: str) -> type[Distillation]:
    """The method that distils, by its name with or without "_distillation".

    Raises:
        UnknownNameError: there is none of this name.
        ConfigError: it does not distil.
    """
    kind = registry("methods").get(_full_name(name))
    if not issubclass(kind, Distillation):
        raise ConfigError(f"method {name!r} distils nothing; those that do are {listing(distillations())}.")
    return kind


def distillations() -> list[str]:
    """Names of the methods that distil, without "_distillation"."""
    return [name.removesuffix("_distillation") for name in registry("methods").names("*_distillation")]


def stage_options(method: str, plan: list[tuple[str, int]]) -> dict[str, Any]:
    """The options that a user may give to a distillation: those of all its stages, by name."""
    stages = dict.fromkeys([_full_name(method), *(name for name, _ in plan)])
    found = {k: v for name in stages for k, v in schema(registry("methods").get(name)).items()}
    return {k: v for k, v in found.items() if k not in DECIDED}


def distill(
    model: Translator | str | os.PathLike[str],
    data: Any,
    student_steps: int,
    *,
    method: str = "progressive",
    start: int | None = None,
    val: Any = None,
    out: str | os.PathLike[str] | None = None,
    resume: Literal["auto"] | None = None,
    progress: bool = True,
    **options: Any,
) -> Translator:
    """Teach a student to do in few steps what a trained model does in many.

    Args:
        model: the teacher, or what `i2izoo.load` opens.
        data: what it was trained on, in the forms that `Trainer` takes.
        student_steps: of the student: its default of `steps`.
        method: "progressive", "guidance", "consistency", or another method that distils.
        start: steps of the teacher in the first stage of halving; None: the student's times a power of two, as many as
            the teacher's own or more.
        val: held-out images, as of `Trainer`.
        out: folder of the distillation: a run in `stage-1`, `stage-2`, ..., each with its student in `model`, and the
            last student in `model`; None writes nothing.
        resume: "auto" goes on where a distillation in `out` with the same options was interrupted.
        progress: print the stages, and show a progress bar for each.
        options: of the method (weight, guidance, learning_rate) and of the training; they hold for every stage.

    Returns:
        The last student: a model of the teacher's kind, which knows nothing of its distillation but its provenance.

    Raises:
        ConfigError: an option is unknown or not allowed, or the model cannot be a teacher.
        TrainingError: `out` holds another distillation.
        WriteError: the disk is full, say, or another process is distilling in `out`.

    >>> import i2izoo
    >>> tiny = {"name": "unet2d", "channels": [8, 16], "attention": [], "layers": 1, "norm_groups": 4}
    >>> teacher = i2izoo.create("ddim", domains=["label", "photo"], prediction="v_prediction", generator=tiny)
    >>> data = {"name": "synthetic-facades", "count": 4, "size": 16}
    >>> options = {"steps": 1, "batch_size": 2, "load_size": 18, "crop_size": 16, "progress": False}
    >>> student = i2izoo.distill(teacher, data, 2, start=8, **options)
    >>> student.name, student.config["options"]["sampling_steps"]
    ('ddim', 2)
    """
    teacher = model if isinstance(model, Translator) else load(model)
    plan = distillation_method(method).stages(teacher.method, student_steps, start)
    known = stage_options(method, plan)
    own = {k: v for k, v in options.items() if k in known}
    training = {k: v for k, v in options.items() if k not in known}
    if unknown := training.keys() - schema(TrainingOptions).keys():
        allowed = [*known, *schema(TrainingOptions)]
        raise ConfigError(f"distillation has no option {sorted(unknown)[0]!r}. Options: {listing(allowed)}.")
    folder = None if out is None else Path(out)
    facts = {
        "distilled_from": _called(model),
        "distillation": method,
        "student_steps": student_steps,
        "stages": [{"method": name, "student_steps": steps} for name, steps in plan],
    }
    if folder is None and resume is not None:
        raise ConfigError("resume needs the folder of the distillation: give out=.")
    main = int(os.environ.get("RANK", "0")) == 0
    with contextlib.nullcontext() if folder is None or not main else locked(folder):
        if folder is not None and main:
            _claim(folder, {"plan": facts, "options": own, "training": training, "model": teacher.config}, resume)
        for number, (name, steps) in enumerate(plan, 1):
            place = None if folder is None else folder / f"stage-{number}"
            if progress:
                print(
                    f"stage {number} of {len(plan)}: {name}, a student of {steps} steps"
                    + (f", in {place}" if place else "")
                )
            if place is not None and _finished(place):
                teacher = load(place / "model")
                continue
            learner = _learner(name, steps, teacher, own)
            trainer = Trainer(learner, data, val=val, out=place, resume=resume, progress=progress, **training)
            trainer.fit()
            stage = {"method": name, "student_steps": steps, "steps": trainer.step}
            done = [*((teacher.config.get("provenance") or {}).get("stages", []) if number > 1 else []), stage]
            provenance = {**trainer.provenance(), **facts, "stages": done, "steps": sum(s["steps"] for s in done)}
            teacher = _alone(learner.method, provenance)
            if place is not None and trainer.main:
                teacher.save_pretrained(place / "model")
        if folder is not None and main:
            teacher.save_pretrained(folder / "model")
        return teacher


def _full_name(name: str) -> str:
    return name if name in registry("methods") else f"{name}_distillation"


def _called(model: Any) -> str:
    """How the teacher is named in a card; of a path on this machine only its end."""
    if isinstance(model, Translator):
        return model.name
    path = Path(model)
    return "/".join(path.parts[-2:]) if path.is_absolute() else str(model)


def _claim(folder: Path, facts: dict[str, Any], resume: str | None) -> None:
    """Write down what this distillation is, or see that what is there is the same."""
    place = folder / PLAN
    facts = json.loads(json.dumps(facts))
    if place.is_file():
        if resume is None:
            raise TrainingError(
                f"{folder} already holds a distillation; go on with resume='auto' (--resume auto), or name another "
                "folder."
            )
        try:
            before = dict(parse_json(place.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError) as error:
            raise TrainingError(f"{place} cannot be read ({error}); name another folder.") from error
        if different := changed_options(before, facts):
            raise TrainingError(f"{folder} holds another distillation: {listing(different, 5)}. Name another folder.")
    elif (folder / "run.json").is_file():
        raise TrainingError(f"{folder} holds the run of a training; name another folder.")
    folder.mkdir(parents=True, exist_ok=True)
    write_text(place, json.dumps(facts, indent=2) + "\n")


def _finished(place: Path) -> bool:
    """Has the student of a stage been saved by itself? Until then its `model` is that of the run."""
    model = place / "model"
    return (model / CONFIG).is_file() and not read_config(model, to_build=False)["method"].endswith("_distillation")


def _learner(name: str, steps: int, teacher: Translator, own: dict[str, Any]) -> Translator:
    allowed = schema(registry("methods").get(name))
    learner = create(
        name,
        teacher={"name": teacher.name, **teacher.method.config},
        student_steps=steps,
        **{k: v for k, v in own.items() if k in allowed},
    )
    learner.method.learn_from(teacher.method)  # type: ignore[operator]
    return learner


def _alone(method: Method, provenance: dict[str, Any]) -> Translator:
    """The student as a model by itself."""
    assert isinstance(method, Distillation)  # for the type checker
    student = method.student
    return Translator(student.eval(), method_config(student, method.student_name) | {"provenance": provenance})
