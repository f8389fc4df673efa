"""Parts by name: lazy, isolating, clash-reporting. Distributions are faked as `*.dist-info` folders on sys.path."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor

from i2izoo.contracts import registry as module
from i2izoo.contracts.pretrained import PretrainedEntry
from i2izoo.contracts.registry import KINDS, kind_of, natural_key, part_kind, registry
from i2izoo.errors import ConfigError, PluginConflictError, PluginError, UnknownNameError
from i2izoo.interfaces import AdversarialLoss, Batch, Generator, Method, Part, ReconstructionLoss, Scheduler, Update

Install = Callable[..., Path]

GENERATOR = """
from i2izoo.interfaces import Generator
class Same(Generator):
    def __init__(self, *, in_channels: int = 3, out_channels: int = 3, width: int = 4):
        super().__init__()
    def forward(self, image):
        return image
class Unfinished(Generator):
    pass
instance = Same()
text = "no class"
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Put a fake distribution on sys.path; its modules are forgotten afterwards."""
    before = set(sys.modules)

    def install(
        name: str,
        entry_points: str | bytes,
        version: str = "1.0",
        folder: str = "site",
        metadata: bool = True,
        **code: str,
    ) -> Path:
        site = tmp_path / folder
        info = site / f"{name.replace('-', '_')}-{version}.dist-info"
        info.mkdir(parents=True)
        if metadata:
            (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        text = entry_points.encode() if isinstance(entry_points, str) else entry_points
        (info / "entry_points.txt").write_bytes(text)
        for stem, source in code.items():
            (site / f"{stem}.py").write_text(source)
        if str(site) not in sys.path:
            monkeypatch.syspath_prepend(str(site))
        module.refresh()
        return site

    yield install
    monkeypatch.undo()
    for name in set(sys.modules) - before:
        if not name.startswith(("i2izoo", "torch", "diffusers", "numpy")):
            sys.modules.pop(name, None)
    module.refresh()


def test_a_plugin_is_listed_without_being_imported_and_loaded_on_get(install: Install) -> None:
    install("good", "[i2izoo.generators]\nsame_net = good_mod:Same\n", good_mod=GENERATOR)
    assert "same_net" in registry("generators").names()
    assert "same_net" in registry("generators")
    assert "good_mod" not in sys.modules
    cls = registry("generators").get("same_net")
    assert cls.__name__ == "Same"
    assert registry("generators").get("good:same_net") is cls
    assert registry("generators").build({"name": "same_net", "width": 2}, in_channels=1).config["width"] == 2


def test_names_are_sorted_naturally_and_filtered(install: Install) -> None:
    install("sorted", "[i2izoo.encoders]\nnet_128 = a:B\nnet_64 = a:B\nnet² = a:B\nother = a:B\n")
    names = registry("encoders").names("net*")
    assert [n for n in names if n != "net²"] == ["net_64", "net_128"]
    assert "net²" in names
    assert sorted(["unet_128", "unet_64", "a10b", "a9b"], key=natural_key) == ["a9b", "a10b", "unet_64", "unet_128"]


BROKEN = """[console_scripts]
no equals sign here
[i2izoo.generators]
a line without the sign
= nothing:before
after_is_nothing =
with:colon = good_mod:Same
fine = good_mod:Same
fine = good_mod:Unfinished
extras = good_mod:Same [cuda]
; comment
[i2izoo.generatorz]
misplaced = good_mod:Same
"""


def test_a_malformed_line_hides_only_itself_and_is_reported(install: Install) -> None:
    install("broken-lines", BROKEN, good_mod=GENERATOR)
    install("good", "[i2izoo.generators]\nsame_net = good_mod:Same\n")
    names = registry("generators").names()
    assert {"fine", "extras", "same_net"} <= set(names)
    assert not {"", "with:colon", "misplaced", "after_is_nothing"} & set(names)
    assert registry("generators").get("fine").__name__ == "Same"
    assert registry("generators").get("extras").__name__ == "Same"
    reasons = [m.reason for m in module.malformed() if m.distribution == "broken-lines"]
    for words in ("a line without the sign", "nothing:before", "after_is_nothing", "colon", "'fine' is twice"):
        assert sum(words in r for r in reasons) == 1, words
    assert any(("misplaced" in r and "did you mean 'i2izoo.generators'" in r) or "'generators'" in r for r in reasons)
    assert not any("no equals sign here" in r for r in reasons)  # not our group, not our business


def test_an_undecodable_file_and_missing_metadata_break_nothing(install: Install) -> None:
    install("bytes", b"[i2izoo.generators]\n\xff\xfe = x:y\n", metadata=False)
    install("no-metadata", "[i2izoo.generators]\nkept = good_mod:Same\n", "2.5", metadata=False, good_mod=GENERATOR)
    entry = registry("generators").find("kept")
    assert (entry.distribution, entry.version) == ("no_metadata", "2.5")  # from the folder's name
    assert registry("generators").get("no-metadata:kept").__name__ == "Same"
    assert any(m.distribution == "bytes" and "cannot be read" in m.reason for m in module.malformed())


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("absent_module:X", "ModuleNotFoundError"),
        ("good_mod:Absent", "AttributeError"),
        ("good_mod", "not a class"),
        ("good_mod:text", "not a class"),
        ("good_mod:instance", "not a class"),
        ("good_mod:Unfinished", "Unfinished lacks forward"),
        ("collections:OrderedDict", "not a subclass"),
        ("not a module!:X", "ModuleNotFoundError"),
        ("exits:X", "SystemExit: 3"),
        ("raises:X", "RuntimeError: no licence"),
        ("syntax:X", "SyntaxError"),
    ],
)
def test_a_broken_part_names_the_plugin_and_harms_nobody(install: Install, value: str, reason: str) -> None:
    install(
        "sick-plugin",
        f"[i2izoo.generators]\nsick = {value}\nwell = good_mod:Same\n",
        "0.3",
        good_mod=GENERATOR,
        exits="import sys\nsys.exit(3)",
        raises="raise RuntimeError('no licence')",
        syntax="def f(:",
    )
    generators = registry("generators")
    assert {"sick", "well"} <= set(generators.names())
    with pytest.raises(PluginError, match=r"generator 'sick' of plugin sick-plugin 0.3") as caught:
        generators.get("sick")
    assert reason in str(caught.value)
    if "Error" in reason or "Exit" in reason:
        assert type(caught.value.__cause__).__name__ == reason.partition(":")[0]
    assert generators.check(generators.find("sick")) == str(caught.value)
    assert generators.check(generators.find("well")) is None


def test_ctrl_c_during_an_import_is_not_swallowed(install: Install) -> None:
    install("slow", "[i2izoo.generators]\nslow = interrupted:X\n", interrupted="raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        registry("generators").get("slow")


def test_two_distributions_that_claim_one_name_clash_only_on_use(install: Install) -> None:
    install("first-plugin", "[i2izoo.generators]\nshared = good_mod:Same\n", "1.1", good_mod=GENERATOR)
    install("Second_Plugin", "[i2izoo.generators]\nshared = good_mod:Same\nfree = good_mod:Same\n", "2.2")
    generators = registry("generators")
    assert generators.names().count("shared") == 1
    with pytest.raises(PluginConflictError) as caught:
        generators.get("shared")
    for words in ("first-plugin 1.1", "Second_Plugin 2.2", "'first-plugin:shared'", "'Second_Plugin:shared'"):
        assert words in str(caught.value)
    assert generators.get("second-plugin:shared").__name__ == "Same"  # names of distributions are normalised
    assert generators.get("free").__name__ == "Same"
    with pytest.raises(UnknownNameError, match="'third' has no generator named 'shared'; Second_Plugin, first-plugin"):
        generators.get("third:shared")


def test_a_second_copy_on_the_path_is_one_plugin_the_first(install: Install) -> None:
    install("twin", "[i2izoo.generators]\ntwin = good_mod:Same\n", "1.0", folder="a", good_mod=GENERATOR)
    install("twin", "[i2izoo.generators]\ntwin = good_mod:Same\n", "2.0", folder="b", good_mod=GENERATOR)
    assert registry("generators").find("twin").version == "2.0"  # the later one was put before the other


def test_unknown_names_suggest(install: Install) -> None:
    install("good", "[i2izoo.encoders]\nsame_net = good_mod:Same\n")
    with pytest.raises(UnknownNameError, match="no encoder named 'sane_net'; did you mean 'same_net'"):
        registry("encoders").get("sane_net")
    with pytest.raises(UnknownNameError, match="did you mean 'generators'"):
        registry("generator")
    with pytest.raises(UnknownNameError, match="there is no loss named"):
        registry("losses").find("no such loss")


def test_refresh_forgets_what_is_gone(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    site = install("good", "[i2izoo.generators]\nsame_net = good_mod:Same\n", good_mod=GENERATOR)
    assert "same_net" in registry("generators")
    monkeypatch.setattr(sys, "path", [p for p in sys.path if p != str(site)])
    module.refresh()
    assert "same_net" not in registry("generators")


def test_listing_imports_no_torch() -> None:
    code = (
        "import sys; from i2izoo.contracts.registry import KINDS, malformed, registry\n"
        "print([registry(k).names() for k in KINDS], malformed())\n"
        "heavy = {'torch', 'numpy', 'PIL', 'diffusers', 'huggingface_hub', 'typer'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_parts_can_be_imported_while_networks_are_built_without_memory() -> None:
    """As in a new process whose first use of a generator is to see whether it fits."""
    code = (
        "from i2izoo.contracts.registry import registry\n"
        "from i2izoo.nn.shapes import only_shapes\n"
        "with only_shapes():\n"
        "    for kind in ('generators', 'discriminators', 'losses', 'methods'):\n"
        "        [registry(kind).get(name) for name in registry(kind).names()]\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_registered_in_the_program_goes_first_and_can_be_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    generators = registry("generators")
    monkeypatch.setattr(generators, "_registered", {})

    class One(Generator):
        def forward(self, image: Tensor, *conditions: Tensor) -> Tensor:
            return image

    class Two(One):
        pass

    module.register("generators", "unet_256")(One)
    assert generators.get("unet_256") is One  # though a plugin has that name
    module.register("generators", "unet_256")(Two)
    assert generators.get("unet_256") is Two


# ------------------------------------------------------------------------------------------------------------ build


def test_build_checks_the_spec(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    install("good", "[i2izoo.generators]\nsame_net = good_mod:Same\n", good_mod=GENERATOR)
    generators = registry("generators")
    with pytest.raises(ConfigError, match="did you mean 'width'"):
        generators.build({"name": "same_net", "widht": 3})
    with pytest.raises(ConfigError, match="in_channels of 'same_net' follow from the method's own options"):
        generators.build({"name": "same_net", "in_channels": 3}, in_channels=1)
    with pytest.raises(ConfigError, match="needs a 'name'"):
        generators.build({"width": 3})
    spec = {"name": "same_net", "width": 3}
    generators.build(spec)
    assert spec == {"name": "same_net", "width": 3}

    class Distance(ReconstructionLoss):
        def __init__(self, *, power: int) -> None:
            super().__init__()

        def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
            return (prediction - target).abs().mean()

    losses = registry("losses")
    monkeypatch.setattr(losses, "_registered", {})
    losses.register("distance", Distance)
    with pytest.raises(ConfigError, match="Distance needs the options power"):
        losses.build("distance")

    with pytest.raises(ConfigError, match="loss 'distance' is not the AdversarialLoss needed here"):
        losses.build({"name": "distance", "power": 1}, AdversarialLoss)
    assert losses.build({"name": "distance", "power": 1}, ReconstructionLoss).config == {"power": 1}


class Noising(Method):
    """A method with a scheduler of diffusers, as a diffusion plugin would have."""

    inference_parts = ()

    def __init__(self, *, scheduler: Part[Scheduler] = "ddim", steps: int = 100) -> None:
        super().__init__()
        self.scheduler = self.part("scheduler", num_train_timesteps=steps)

    directions = {"clean": "noisy"}  # noqa: RUF012
    channels = {"clean": 3, "noisy": 3}  # noqa: RUF012

    def translate(self, image: Tensor, *, to: str, seeds: list[int]) -> Tensor:
        return image

    def training_step(self, batch: Batch) -> Iterator[Update]:
        yield Update("all", {})

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        return {}


def test_the_annotation_of_an_option_says_which_part_it_is() -> None:
    assert [kind_of(x) for x in (Generator, AdversarialLoss, Scheduler, Noising)] == [
        "generators", "losses", "schedulers", "methods",
    ]  # fmt: skip
    assert part_kind(Part[Scheduler] | None) == "schedulers"
    assert part_kind(str | dict) is None
    with pytest.raises(ConfigError, match="int is the interface of no part"):
        kind_of(int)

    class Careless(Noising):
        def __init__(self, *, scheduler: str = "ddim") -> None:
            Noising.__init__(self)

    with pytest.raises(ConfigError, match=r"Careless builds a part of its option 'scheduler', whose annotation"):
        Careless(scheduler="ddim")


@pytest.fixture
def ddim(monkeypatch: pytest.MonkeyPatch) -> type:
    from diffusers import DDIMScheduler

    monkeypatch.setattr(registry("schedulers"), "_registered", {})
    module.register("schedulers", "ddim")(DDIMScheduler)
    return DDIMScheduler


def test_a_diffusers_scheduler_is_a_part(ddim: type) -> None:
    built = registry("schedulers").build({"name": "ddim", "beta_schedule": "scaled_linear", "beta_end": 0.012})
    assert isinstance(built, ddim)
    own = ddim(beta_schedule="scaled_linear", beta_end=0.012)
    torch.testing.assert_close(built.alphas_cumprod, own.alphas_cumprod, rtol=0, atol=0)
    with pytest.raises(ConfigError, match="DDIMScheduler has no option 'beta_shedule'; did you mean 'beta_schedule'"):
        registry("schedulers").build({"name": "ddim", "beta_shedule": "linear"})  # diffusers itself only warns
    with pytest.raises(ConfigError, match="wants int"):
        registry("schedulers").build({"name": "ddim", "num_train_timesteps": "many"})


def test_a_method_records_its_scheduler_and_rebuilds_it(ddim: type) -> None:
    method = Noising(scheduler={"name": "ddim", "beta_end": 0.012, "prediction_type": "v_prediction"}, steps=50)
    config = json.loads(json.dumps(method.config))
    assert config["scheduler"]["name"] == "ddim"
    assert config["scheduler"]["beta_start"] == 0.0001  # defaults are recorded too
    assert "num_train_timesteps" not in config["scheduler"]  # it follows from the method's own option
    again = Noising(**config)
    assert again.config == method.config
    assert dict(again.scheduler.config) | {"_use_default_values": 0} == dict(method.scheduler.config) | {
        "_use_default_values": 0
    }
    torch.testing.assert_close(again.scheduler.alphas_cumprod, method.scheduler.alphas_cumprod, rtol=0, atol=0)
    assert len(again.scheduler.alphas_cumprod) == 50


@pytest.mark.parametrize("name", ["DPMSolverMultistepScheduler", "UniPCMultistepScheduler", "DDPMScheduler"])
def test_schedulers_with_odd_defaults_round_trip_too(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The DPM solver has a default of -inf, which JSON cannot hold, and UniPC one of None for a scheduler."""
    import diffusers

    monkeypatch.setattr(registry("schedulers"), "_registered", {})
    module.register("schedulers", "odd")(getattr(diffusers, name))
    method = Noising(scheduler={"name": "odd", "beta_end": 0.012}, steps=30)
    again = Noising(**json.loads(json.dumps(method.config, allow_nan=False)))
    assert again.config == method.config
    torch.testing.assert_close(again.scheduler.alphas_cumprod, method.scheduler.alphas_cumprod, rtol=0, atol=0)


def test_something_else_is_no_scheduler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry("schedulers"), "_registered", {})
    module.register("schedulers", "dict")(dict)
    with pytest.raises(PluginError, match="dict lacks set_timesteps, step"):
        registry("schedulers").get("dict")


# ------------------------------------------------------------------------------------------------------- pretrained


def test_a_pretrained_entry_is_an_instance(install: Install) -> None:
    code = "from i2izoo.contracts.pretrained import PretrainedEntry\n"
    code += "GOOD = PretrainedEntry('MIT', bundled='zoomod/zoo/x')"
    install("zoo", "[i2izoo.pretrained]\ngood = zoomod:GOOD\nclass = zoomod:PretrainedEntry\n", zoomod=code)
    assert registry("pretrained").get("good").licence == "MIT"
    with pytest.raises(PluginError, match=r"pretrained entry 'class' of plugin zoo 1.0 .* not an instance"):
        registry("pretrained").get("class")


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ({}, "either bundled"),
        ({"bundled": "a/b", "repo": "a/b", "revision": "0" * 40}, "either bundled"),
        ({"bundled": "../secret"}, "package/folder"),
        ({"bundled": "pkg/../../secret"}, "package/folder"),
        ({"bundled": "/etc/x"}, "package/folder"),
        ({"bundled": "pkg"}, "package/folder"),
        ({"repo": "a/b", "revision": "main"}, "40-hex"),
        ({"repo": "a/b"}, "40-hex"),
        ({"repo": "a", "revision": "0" * 40}, "owner/name"),
    ],
)
def test_places_of_entries_are_checked(place: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        PretrainedEntry("MIT", **place)


def test_folder_of_a_bundled_entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from i2izoo.errors import StorageError

    place = tmp_path / "zoo_package" / "zoo" / "x"
    place.mkdir(parents=True)
    (tmp_path / "zoo_package" / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    entry = PretrainedEntry("MIT", bundled="zoo_package/zoo/x")
    with pytest.raises(StorageError, match="not in the installed package"):
        entry.folder()
    (place / "config.json").write_text("{}")
    assert entry.folder() == place
    with pytest.raises(StorageError, match="not in the installed package"):
        PretrainedEntry("MIT", bundled="no.such.package/x").folder()


def test_every_kind_has_an_interface() -> None:
    for path in KINDS.values():
        assert isinstance(module.resolve(path), type)
