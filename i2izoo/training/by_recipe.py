"""Training by a recipe: stage after stage, or only looked at."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

from i2izoo.contracts.annotations import PartSpec
from i2izoo.contracts.config import missing_options
from i2izoo.contracts.listing import ways
from i2izoo.data.open import open_dataset
from i2izoo.errors import DataError, I2IZooError, listing
from i2izoo.files.download import DownloadError, fetching_nothing
from i2izoo.files.writing import write_text
from i2izoo.models.starting import Start
from i2izoo.models.translator import Translator, create
from i2izoo.nn.random import derive_seed, seeded
from i2izoo.training.checkpoint import checkpoints
from i2izoo.training.config import TrainingOptions
from i2izoo.training.prepare import check_images
from i2izoo.training.recipe import FILE, Recipe, Stage, read_recipe
from i2izoo.training.run_file import differences
from i2izoo.training.trainer import Trainer


def trainers(
    recipe: Recipe,
    data: Any = None,
    *,
    val: Any = None,
    out: str | os.PathLike[str] | None = None,
    resume: str | os.PathLike[str] | None = None,
    progress: bool = True,
) -> Iterator[Trainer]:
    """The trainer of each stage, to be fitted before the next is asked for; without `out`, only to be looked at.

    Args:
        recipe: what to train.
        data, val: where the images are; see `Recipe.data_at`.
        out: folder of the run; the stages before the last have folders `stage-1`, ... in it.
        resume: "auto" goes on where a run in `out` was interrupted, of a recipe without stages also a checkpoint.
        progress: show progress bars.
    """
    images = recipe.data_at(data)
    held_out = recipe.val if val is None else val
    before: Path | None = None
    for stage in recipe.plan():
        folder = None if out is None else Path(out) / stage.name
        if folder is not None and stage.name and (folder / "model" / "config.json").is_file() and resume == "auto":
            before = checkpoints(folder / "checkpoints")[-1]
            continue
        model: Translator | PartSpec = stage.method
        to, facts = recipe.to, dict[str, Any]()
        if recipe.start is not None:
            begin = functools.partial(_started, stage, recipe.start, to)
            model, facts = begin(stage.training.get("seed") or 0)
            to = None  # it has its domains already
        here = resume
        if before is not None and folder is not None and not (resume == "auto" and checkpoints(folder / "checkpoints")):
            here = before
        try:
            trainer = Trainer(
                model, images, to=to, val=held_out, out=folder, resume=here, progress=progress, **stage.training,
            )  # fmt: skip
        except DownloadError as error:
            raise DataError(f"{error} If you have the data, say where: data= (--data PATH).") from error
        trainer.facts |= facts
        if recipe.start is not None:
            trainer.redraw = lambda seed, begin=begin: begin(seed)[0]
        yield trainer
        if folder is not None:
            before = checkpoints(folder / "checkpoints")[-1]


def train(
    recipe: Recipe | str | os.PathLike[str] | Mapping[str, Any],
    data: Any = None,
    *,
    out: str | os.PathLike[str],
    val: Any = None,
    resume: str | os.PathLike[str] | None = None,
    progress: bool = True,
) -> Translator:
    """Train what a recipe says, to the end; the model is in `out`/model, with the recipe beside it.

    Args:
        recipe: a recipe, or what `read_recipe` reads.
        data, out, val, resume, progress: see `trainers`.

    Raises:
        I2IZooError: the recipe or its data cannot be used; see `Trainer`.

    >>> import tempfile
    >>> parts = {"generator": {"name": "resnet_6blocks", "width": 2, "blocks": 1}}
    >>> data = {"name": "synthetic-facades", "count": 2, "size": 32}
    >>> recipe = {"method": "pix2pix", "to": "photo", "options": parts, "data": data}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     model = train({**recipe, "training": {"steps": 1, "crop_size": 32}}, out=folder, progress=False)
    training label -> photo, in ...
    >>> model.config["provenance"]["steps"]
    1
    """
    recipe = recipe if isinstance(recipe, Recipe) else read_recipe(recipe)
    for trainer in trainers(recipe, data, val=val, out=out, resume=resume, progress=progress):
        trainer.facts |= {"recipe": recipe.source}
        if trainer.main:
            print(f"training {ways(trainer.model.directions)}, in {trainer.out}")
            if lacking := trainer.facts.get("start_lacks"):
                print(f"{trainer.facts['start']} has no weights of {listing(lacking)}, which start untrained")
            for sentence in differences(recipe.run, trainer.run_facts(), resume) if recipe.run else ():
                trainer.warn(f"{trainer.out}: {sentence}")
        trainer.fit()
    if trainer.main:
        write_text(Path(out) / "model" / FILE, recipe.text())
    return trainer.model


def dry_run(recipe: Recipe, data: Any = None, *, val: Any = None) -> Iterator[str]:
    """Check all that can be checked without training, and say what would be trained, a line for each stage and fact.

    Nothing is fetched for that: where the recipe's data is not on this machine, and `data` is None, the method and the
    options are checked without it.

    Raises:
        I2IZooError: the recipe or its data cannot be used; see `Trainer`.

    >>> data = {"name": "synthetic-facades", "count": 2, "size": 32}
    >>> next(dry_run(Recipe(method="pix2pix", to="photo", data=data, training={"steps": 9, "crop_size": 256})))
    'training: pix2pix, label -> photo'
    """
    if data is None and not _at_hand(recipe):
        for stage in recipe.plan():
            yield from _without_data(recipe, stage)
        return
    for stage, trainer in zip(recipe.plan(), trainers(recipe, data, val=val, progress=False), strict=True):
        o, method = trainer.options, trainer.method
        yield f"{stage.name or 'training'}: {recipe.method}, {ways(trainer.model.directions)}"
        images = f"{len(trainer.data)} items, {trainer.data.kind}"
        yield f"  data: {images}; crop {o.crop_size or 'none'}, batch {o.batch_size}"
        yield f"  length: {_length(o, trainer)}"
        trained = sum(parameter.numel() for parameter in method.parameters())
        yield f"  parameters: {trainer.model.num_parameters:,} of the model, {trained:,} in training"
        seeds = f"seed {o.seed}"
        if o.screen_seeds > 1:
            seeds = f"the best of {o.screen_seeds} seeds from {o.seed} on by {o.screen_metric}"
        yield f"  on {trainer.device} in {o.precision}, {seeds}, average of the weights {o.average}"
        trainer.loader.close()


def _started(stage: Stage, start: Start, to: str | None, seed: int) -> tuple[Translator, dict[str, Any]]:
    """The model of a stage with the weights that it starts with, and what the card says of them.

    Those that the start lacks are drawn from the seed.

    Raises:
        UnknownNameError: it does not translate to `to`.
    """
    name, options = stage.method["name"], {k: v for k, v in stage.method.items() if k != "name"}
    with seeded(derive_seed(seed, "weights")):
        model = create(name, **options)
    model.target(to)
    lacking = start.load_into(model.method)
    return model, {"start": start.name} | ({"start_lacks": lacking} if lacking else {})


def _at_hand(recipe: Recipe) -> bool:
    """Does the recipe say where its data is, and is it there? What else is wrong with it the trainer says."""
    try:
        with fetching_nothing():
            open_dataset(recipe.data_at())
    except DownloadError:
        return False
    except I2IZooError:
        return isinstance(recipe.data, str) or bool((recipe.data or {}).keys() & {"name", "root"})
    return True


def _without_data(recipe: Recipe, stage: Stage) -> Iterator[str]:
    o = TrainingOptions.of(recipe.kind.recipe_for(stage.method), stage.training)
    options = {name: value for name, value in stage.method.items() if name != "name"}
    if "domains" not in missing_options(recipe.kind, options):  # which the data has
        model = create(recipe.method, **options)
        if side := o.crop_size:
            images = {d: torch.empty(1, c, side, side) for d, c in model.method.image_channels.items()}
            check_images(model.method, model.name, images)
    yield f"{stage.name or 'training'}: {recipe.method}"
    yield "  data: not looked at, as it is not on this machine; say where it is with data= (--data PATH)"
    yield f"  length: {_length(o)}"


def _length(o: TrainingOptions, trainer: Trainer | None = None) -> str:
    if o.minutes is not None:
        return f"{o.minutes:g} minutes, the learning rate falls over the last {o.decay_share or 0:.0%}"
    if trainer is not None and (total := trainer.schedule.total) is not None:
        unit, fall = "step", total - trainer.schedule.constant * trainer.schedule.unit
    elif o.steps is not None:
        unit, total, fall = "step", o.steps + o.decay_steps, o.decay_steps
    else:
        unit, total, fall = "epoch", o.epochs + o.decay_epochs, o.decay_epochs
    return f"up to {unit} {total}, the learning rate falls over the last {fall}"
