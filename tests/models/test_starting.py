"""A training that starts with the weights of a model: those that translate, and those that only training needs."""

import pytest
import torch
from safetensors.torch import load_file
from tiny import TinyMethod, tiny_method

import i2izoo
from i2izoo.contracts.registry import registry
from i2izoo.errors import ConfigError, StorageError
from i2izoo.files import formats
from i2izoo.interfaces import Generator, Part
from i2izoo.models.starting import Start
from i2izoo.models.storage import method_config, save_folder, training_weights
from i2izoo.models.translator import Translator
from i2izoo.testing.subject import NotApplicable, Subject

OURS = [
    Subject("methods", entry)
    for entry in registry("methods").entries()
    if entry.target is None and entry.name not in formats.foreign().values()
]
TINY = {
    "generator": {"name": "resnet_9blocks", "width": 2, "blocks": 1},
    "discriminator": {"name": "patchgan", "width": 2, "layers": 1},
}


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


def cyclegan(**options):
    return i2izoo.create("cyclegan", domains=["horse", "zebra"], **TINY, **options)


@pytest.mark.parametrize("subject", OURS, ids=lambda subject: subject.entry.name)
def test_every_method_starts_with_all_that_was_saved(subject, tmp_path):
    try:
        method = subject.build()
    except NotApplicable as reason:
        pytest.skip(str(reason))
    model = Translator(method, method_config(method, subject.entry.name))
    model.save_pretrained(tmp_path, training=True)
    torch.manual_seed(1)
    started = i2izoo.create(subject.entry.name, pretrained=tmp_path)
    assert started.method.config == method.config
    assert same(started.method.state_dict(), method.state_dict())


def test_what_translates_gets_no_heavier(tmp_path):
    plain, whole = (
        cyclegan().save_pretrained(tmp_path / "plain"),
        cyclegan().save_pretrained(tmp_path / "whole", training=True),
    )
    assert sorted(p.name for p in plain.iterdir()) == ["README.md", "config.json", "model.safetensors"]
    kept = load_file(whole / "training" / "state.safetensors")
    assert all(name.startswith("method/discriminator.of_") for name in kept)
    assert load_file(whole / "model.safetensors").keys() == load_file(plain / "model.safetensors").keys()


def test_half_precision_is_for_both(tmp_path):
    cyclegan().save_pretrained(tmp_path, training=True, dtype=torch.float16)
    assert {v.dtype for v in load_file(tmp_path / "training/state.safetensors").values()} == {torch.float16}
    assert {v.dtype for v in i2izoo.create("cyclegan", pretrained=tmp_path).method.state_dict().values()} == {
        torch.float32
    }


def test_options_are_laid_over_those_of_the_model(tmp_path):
    cyclegan(cycle_weight=3.0).save_pretrained(tmp_path)
    options = i2izoo.create("cyclegan", pretrained=tmp_path, generator={"dropout": 0.5}, pool_size=7).method.config
    assert options["generator"] == i2izoo.load(tmp_path).method.config["generator"] | {"dropout": 0.5}
    assert (options["cycle_weight"], options["pool_size"]) == (3.0, 7)


def test_another_part_has_none_of_the_options_of_the_former(tmp_path):
    """A discriminator of another kind, trained from its beginning, beside a generator that goes on."""
    model = cyclegan()
    model.save_pretrained(tmp_path)
    judge = {"name": "vision_aided", "extractor": {"name": "pixels", "size": 4}, "maps": [-1], "width": 3}
    started = i2izoo.create("cyclegan", pretrained=tmp_path, discriminator=judge)
    found = started.method.config["discriminator"]
    assert (found["name"], found["width"], found["discriminator"]["layers"]) == ("vision_aided", 3, 3)
    for name, value in model.method.generator.state_dict().items():
        assert torch.equal(value, started.method.generator.state_dict()[name])


def test_what_the_folder_lacks_is_said_and_stays(tmp_path):
    saved = cyclegan()
    saved.save_pretrained(tmp_path, training=["discriminator.of_zebra"])
    fresh = cyclegan().method
    before = {k: v.clone() for k, v in fresh.state_dict().items()}
    assert Start(tmp_path).load_into(fresh) == ["discriminator.of_horse"]
    for name, tensor in fresh.state_dict().items():
        lacks = name.startswith("discriminator.of_horse.")
        assert torch.equal(tensor, (before if lacks else saved.method.state_dict())[name])


def test_another_direction_may_be_added(tmp_path):
    cyclegan(only_to="zebra").save_pretrained(tmp_path, training=True)
    both = cyclegan().method
    assert Start(tmp_path).load_into(both) == []  # F is what only training needs
    cyclegan(only_to="zebra").save_pretrained(tmp_path, training=[])
    assert Start(tmp_path).load_into(both) == ["generator.to_horse", "discriminator.of_zebra", "discriminator.of_horse"]


def test_a_checkpoint_is_such_a_folder(tmp_path):
    data = {"name": "synthetic-facades", "count": 2, "size": 16}
    spec = {"name": "cyclegan", "domains": ["label", "photo"], **TINY}
    options = {"steps": 1, "load_size": 16, "crop_size": 16, "progress": False, "tensorboard": False, "sample_every": 0}
    for ema in (0.0, 0.9):
        trainer = i2izoo.Trainer(spec, data, out=tmp_path / str(ema), ema=ema, **options)
        trainer.fit()
        started = i2izoo.create("cyclegan", pretrained=tmp_path / str(ema) / "checkpoints" / "step-00000001")
        # with an average of the weights it is the average that translates
        assert same(started.method.state_dict(), trainer.method.state_dict())


def test_a_discriminator_that_is_not_trained_is_not_missed(tmp_path):
    options = {"encoder": {"name": "cnn_encoder", "width": 2, "layers": 2}, "latent": 2}
    options["generator"] = {"name": "unet_256", "width": 2, "depth": 3, "norm": "instance"}
    options["discriminator"] = {"name": "multiscale", "width": 2, "layers": 1}
    saved = i2izoo.create("bicyclegan", **options)
    saved.save_pretrained(tmp_path, training=True)
    started = i2izoo.create("bicyclegan", pretrained=tmp_path, random_gan_weight=0.0)
    assert same(
        started.method.state_dict(), {k: v for k, v in saved.method.state_dict().items() if ".random." not in k}
    )


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"generator": {"width": 4}}, r"do not fit the method with these options: .* of another shape"),
        ({"generator": {"blocks": 2}}, r"\d+ missing \(generator.to_horse.layers.block2"),
        ({"domains": ["a", "b"]}, r"\d+ unexpected \(generator.to_horse"),
    ],
)
def test_tensors_that_do_not_fit(tmp_path, options, words):
    cyclegan().save_pretrained(tmp_path, training=True)
    with pytest.raises(StorageError, match=words):
        i2izoo.create("cyclegan", pretrained=tmp_path, **options)


def test_a_model_of_another_method(tmp_path):
    cyclegan().save_pretrained(tmp_path)
    with pytest.raises(ConfigError, match="is a model of 'cyclegan', so a training of 'pix2pix' cannot start with it"):
        i2izoo.create("pix2pix", pretrained=tmp_path)


def test_a_folder_of_another_library(tmp_path):
    index, name = next(iter(formats.foreign().items()))
    (tmp_path / index).write_text("{}")
    with pytest.raises(ConfigError, match="is a folder of another library"):
        i2izoo.create(name, pretrained=tmp_path)


def test_a_damaged_file_is_named(tmp_path):
    cyclegan().save_pretrained(tmp_path, training=True)
    path = tmp_path / "training/state.safetensors"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(StorageError, match=r"state\.safetensors is damaged"):
        i2izoo.create("cyclegan", pretrained=tmp_path)
    i2izoo.load(tmp_path)  # which does not read it


def test_saving_again_keeps_what_training_needs(tmp_path):
    cyclegan().save_pretrained(tmp_path, training=True)
    before = load_file(tmp_path / "training/state.safetensors")
    i2izoo.load(tmp_path).save_pretrained(tmp_path)
    assert same(load_file(tmp_path / "training/state.safetensors"), before)
    i2izoo.load(tmp_path).save_pretrained(tmp_path, training=[])
    assert not (tmp_path / "training/state.safetensors").exists()


class Scaled(TinyMethod):
    """With a parameter that belongs to no sub-module."""

    def __init__(self, *, generator: Part[Generator] = "tiny-generator", learning_rate: float = 1e-3):
        super().__init__(generator=generator, learning_rate=learning_rate)
        self.scale = torch.nn.Parameter(torch.zeros(()))


def test_tensors_of_the_method_itself(tmp_path):
    save_folder(tiny_method(seed=1), tmp_path, name="tiny-method")
    scaled = Scaled()
    assert Start(tmp_path).load_into(scaled) == ["scale"]
    with torch.no_grad():
        scaled.scale.fill_(3)
    save_folder(scaled, tmp_path, name="tiny-method", training=training_weights(scaled))
    other = Scaled()
    assert Start(tmp_path).load_into(other) == []
    assert other.scale == 3
    assert Start(tmp_path).load_into(tiny_method(seed=2)) == []  # which has no use for it
