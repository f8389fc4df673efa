"""Rules for schedulers and pretrained entries."""

from __future__ import annotations

import functools
import subprocess
import sys
import tempfile

import torch

from i2izoo.contracts.config import check_options
from i2izoo.contracts.pretrained import PretrainedEntry
from i2izoo.contracts.registry import registry
from i2izoo.errors import I2IZooError, listing
from i2izoo.models.storage import load_folder
from i2izoo.nn.random import seeded
from i2izoo.testing.subject import NotApplicable, Subject, require
from i2izoo.training.recipe import read_recipe


def scheduler_adds_and_removes_noise(subject: Subject) -> None:
    """`add_noise` and every `step` keep the shape and stay finite; `save_config` and `from_config` rebuild it."""
    scheduler = subject.build()
    scheduler.set_timesteps(3)
    with seeded(12):
        sample, noise = torch.randn(2, 3, 8, 8), torch.randn(2, 3, 8, 8)
        noisy = scheduler.add_noise(sample, noise, scheduler.timesteps[:1].repeat(2))
        require(noisy.shape == sample.shape and torch.isfinite(noisy).all(), "add_noise does not")
        for timestep in scheduler.timesteps:
            noisy = scheduler.step(noise, timestep, noisy).prev_sample
            require(noisy.shape == sample.shape and torch.isfinite(noisy).all(), "step does not")
    with tempfile.TemporaryDirectory() as folder:
        scheduler.save_config(folder)
        again = type(scheduler).from_pretrained(folder)
    options, rebuilt = dict(scheduler.config), dict(again.config)
    differ = [n for n, v in options.items() if n[:1] != "_" and rebuilt.get(n) != v]
    require(not differ, f"the rebuilt config has other values of {listing(differ)}")


def entry_is_listed_without_torch(subject: Subject) -> None:
    """The module of a pretrained entry does not import torch."""
    found = _wrong_with_module(subject.entry.value.partition(":")[0].strip())
    require(not found, found)


@functools.cache
def _wrong_with_module(module: str) -> str:
    """What hinders listing in a module, which may hold many entries; "" where nothing does."""
    code = f"import sys, {module}; print('torch' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    if ran.returncode:
        return f"{module} cannot be imported: {ran.stderr.strip().rpartition(chr(10))[2]}"
    return "" if ran.stdout.strip() == "False" else f"{module} imports torch"


def bundled_entry_loads(subject: Subject) -> None:
    """A bundled entry lies in its package, is of its method, translates to its domains, and says its licence."""
    entry: PretrainedEntry = subject.part
    require(entry.licence.strip(), "it has no licence")
    if entry.bundled is None:
        raise NotApplicable("it is not bundled")
    method, config = load_folder(entry.folder())
    told = config.get("directions")
    require(told == dict(method.directions), f"config.json has the directions {told}, not {dict(method.directions)}")


def published_entry_can_be_converted(subject: Subject) -> None:
    """An entry of checkpoints names a method that imports their roles, options that it has, domains and a citation."""
    entry: PretrainedEntry = subject.part
    if entry.checkpoints is None:
        raise NotApplicable("it is no entry of checkpoints")
    try:
        method = registry("methods").get(entry.method)
        check_options(method, dict(entry.options))
    except I2IZooError as error:
        raise AssertionError(str(error)) from error
    roles = method.checkpoint_roles(entry.options)
    unknown = [role for role in entry.checkpoints if role not in roles]
    require(not unknown, f"{entry.method!r} imports {listing(roles)}, not {listing(unknown)}")
    require(entry.domains, "it does not say what it translates to: remote_domains=('photo',)")
    require(str(entry.facts.get("citation", "")).strip(), "it does not say whom to cite: facts={'citation': ...}")


def recipe_is_of_its_method(subject: Subject) -> None:
    """The recipe of a pretrained entry can be read, and trains its method."""
    entry: PretrainedEntry = subject.part
    if entry.recipe_file() is None:
        raise NotApplicable("it has no recipe")
    recipe = read_recipe(subject.entry.name)
    require(recipe.method == entry.method, f"the recipe is of {recipe.method!r}, the entry of {entry.method!r}")


SCHEDULER_RULES = (scheduler_adds_and_removes_noise,)
PRETRAINED_RULES = (
    entry_is_listed_without_torch,
    bundled_entry_loads,
    published_entry_can_be_converted,
    recipe_is_of_its_method,
)
