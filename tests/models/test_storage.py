"""A pretrained folder: whole or not at all, strict, readable errors, no code and no paths from a config."""

import json

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from tiny import TinyMethod, tiny_method

from i2izoo.errors import StorageError
from i2izoo.files.writing import replace_folder, write_tensors, write_text
from i2izoo.models import storage
from i2izoo.models.storage import load_folder, read_config, save_folder


@pytest.fixture
def folder(tmp_path):
    return save_folder(tiny_method(seed=1), tmp_path / "model", name="tiny-method", card="# Tiny\n")


def edit(folder, **changes):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | changes))


def weights(method):
    return {k: v.clone() for k, v in method.inference_state().items()}


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


# ---------------------------------------------------------------------------------------------------- what is written


def test_round_trip_gives_the_same_tensors_config_and_mode(folder):
    method, config = load_folder(folder)
    assert isinstance(method, TinyMethod)
    assert not method.training
    assert same(weights(method), weights(tiny_method(seed=1)))
    assert config["options"] == {
        "generator": {"name": "tiny-generator", "ballast": 0},
        "learning_rate": 1e-3,
    }
    assert sorted(p.name for p in folder.iterdir()) == ["README.md", "config.json", "model.safetensors"]


def test_weights_carry_the_config(folder):
    with safe_open(folder / "model.safetensors", framework="pt") as file:
        assert json.loads(file.metadata()["i2izoo_config"]) == read_config(folder)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_stored_and_loads_as_float32(tmp_path, dtype):
    method = tiny_method(seed=2)
    save_folder(method, tmp_path, name="tiny-method", dtype=dtype)
    stored = load_file(tmp_path / "model.safetensors")
    assert stored["generator.convolution.weight"].dtype == dtype
    assert stored["generator.steps"].dtype == torch.long
    loaded = weights(load_folder(tmp_path)[0])
    assert loaded["generator.convolution.weight"].dtype == torch.float32
    expected = method.generator.convolution.weight.to(dtype).float()
    assert torch.equal(loaded["generator.convolution.weight"], expected)


def test_a_value_too_large_for_float16_is_refused_and_the_old_folder_stays(folder):
    method = tiny_method(seed=3)
    with torch.no_grad():
        method.generator.convolution.bias[0] = 70000.0  # float16 ends at 65504
    with pytest.raises(StorageError, match=r"generator\.convolution\.bias .*float16; save as torch\.bfloat16"):
        save_folder(method, folder, name="tiny-method", dtype=torch.float16)
    assert same(weights(load_folder(folder)[0]), weights(tiny_method(seed=1)))


def test_channels_last_and_shared_tensors_are_saved(tmp_path):
    weight = torch.arange(2 * 3 * 4 * 4.0).reshape(2, 3, 4, 4)
    write_tensors(
        tmp_path / "x.safetensors", {"a": weight.to(memory_format=torch.channels_last), "b": weight, "c": weight}
    )
    stored = load_file(tmp_path / "x.safetensors")
    assert all(torch.equal(stored[key], weight) for key in "abc")


def test_a_scheduler_is_written_as_diffusers_has_it(tmp_path):
    from diffusers import DDIMScheduler

    method = tiny_method()
    method.scheduler = DDIMScheduler(num_train_timesteps=77)
    save_folder(method, tmp_path, name="tiny-method")
    assert DDIMScheduler.from_pretrained(tmp_path / "scheduler").config.num_train_timesteps == 77


# ------------------------------------------------------------------------------------------------ killed in the middle


class Killed(BaseException):
    """Stands for the end of the process: nothing of the project catches it."""


@pytest.mark.parametrize("file", ["model.safetensors", "config.json"])
def test_killed_while_writing_leaves_the_previous_folder(folder, monkeypatch, file):
    def die(path, *_, **__):
        if path.name.lstrip(".").startswith(file):
            path.write_bytes(b"half")
            raise Killed
        return path

    if file == "model.safetensors":
        monkeypatch.setattr(storage, "save_tensors", die)
    else:
        monkeypatch.setattr("pathlib.Path.write_text", die)
    with pytest.raises(Killed):
        save_folder(tiny_method(ballast=5), folder, name="tiny-method")
    assert same(weights(load_folder(folder)[0]), weights(tiny_method(seed=1)))


def test_killed_between_the_renames_is_reported(folder, tmp_path):
    newer = save_folder(tiny_method(ballast=5), tmp_path / "newer", name="tiny-method")
    (newer / "model.safetensors").replace(folder / "model.safetensors")
    with pytest.raises(StorageError, match=r"another config .*options\.generator.*interrupted.*again"):
        load_folder(folder)


def test_what_a_killed_save_left_is_removed_by_the_next(folder):
    for name in [".config.json.tmp", ".model.safetensors.tmp.d/.tmpXw1"]:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(b"half")
    (folder / ".config.json.bak").write_text("the user's own")
    save_folder(tiny_method(seed=1), folder, name="tiny-method")
    assert sorted(p.name for p in folder.glob(".*")) == [".config.json.bak"]


def test_other_files_in_the_folder_stay(folder):
    (folder / "image.png").write_bytes(b"png")
    save_folder(tiny_method(), folder, name="tiny-method")
    assert (folder / "image.png").read_bytes() == b"png"
    assert (folder / "README.md").read_text() == "# Tiny\n"


def test_failed_text_leaves_the_old_text(tmp_path):
    write_text(tmp_path / "a.txt", "old")
    with pytest.raises(UnicodeEncodeError):
        write_text(tmp_path / "a.txt", "\ud800")  # a lone surrogate has no UTF-8
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]
    assert (tmp_path / "a.txt").read_text() == "old"


def test_replace_folder_puts_the_new_in_the_place_of_the_old(tmp_path):
    for name in ["old", "new"]:
        (tmp_path / name).mkdir()
        (tmp_path / name / name).touch()
    replace_folder(tmp_path / "new", tmp_path / "old")
    assert [p.name for p in tmp_path.rglob("*")] == ["old", "new"]


# --------------------------------------------------------------------------------------------------- damaged folders


def test_a_folder_without_config_is_no_pretrained_folder(tmp_path):
    with pytest.raises(StorageError, match=r"not a pretrained folder: it has no config\.json"):
        load_folder(tmp_path)


@pytest.mark.parametrize("text", ['{"method": "tiny-meth', "", "\x00", "[" * 100_000])
def test_damaged_json(folder, text):
    (folder / "config.json").write_text(text)
    with pytest.raises(StorageError, match=r"config\.json is not JSON"):
        load_folder(folder)


@pytest.mark.parametrize("text", ["[]", "{}", '{"method": 3}', '"pix2pix"'])
def test_json_of_something_else(folder, text):
    (folder / "config.json").write_text(text)
    with pytest.raises(StorageError, match="names no method"):
        load_folder(folder)


def test_newer_format(folder):
    edit(folder, i2izoo_format=storage.FORMAT + 1)
    with pytest.raises(StorageError, match="format 2, this i2izoo reads up to 1: upgrade"):
        load_folder(folder)


def test_format_that_is_no_number(folder):
    edit(folder, i2izoo_format="new")
    with pytest.raises(StorageError, match="whole number; found 'new'"):
        load_folder(folder)


def test_missing_weights(folder):
    (folder / "model.safetensors").unlink()
    with pytest.raises(StorageError, match=r"model\.safetensors is missing; fetch or save"):
        load_folder(folder)


@pytest.mark.parametrize("size", [0, 7, 100, -1])
def test_truncated_weights(folder, size):
    content = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(content[:size])
    with pytest.raises(StorageError, match=r"model\.safetensors is damaged or incomplete"):
        load_folder(folder)


def test_missing_unexpected_and_misshapen_tensors_are_named(folder):
    tensors = load_file(folder / "model.safetensors")
    tensors["generator.extra"] = tensors.pop("generator.steps")
    tensors["generator.convolution.bias"] = torch.zeros(4)
    save_file(tensors, folder / "model.safetensors")
    with pytest.raises(StorageError) as caught:
        load_folder(folder)
    assert "1 missing (generator.steps)" in str(caught.value)
    assert "1 unexpected (generator.extra)" in str(caught.value)
    assert "1 of another shape (generator.convolution.bias: (4,) for (3,))" in str(caught.value)


def test_whole_numbers_are_not_taken_for_weights(folder):
    tensors = load_file(folder / "model.safetensors")
    tensors["generator.convolution.bias"] = torch.zeros(3, dtype=torch.long)
    save_file(tensors, folder / "model.safetensors")
    with pytest.raises(StorageError, match=r"1 of another kind \(generator\.convolution\.bias: torch\.int64"):
        load_folder(folder)


def test_weights_without_our_metadata_load(folder):
    save_file(load_file(folder / "model.safetensors"), folder / "model.safetensors")
    assert same(weights(load_folder(folder)[0]), weights(tiny_method(seed=1)))


# --------------------------------------------------------------------------------------------------- unsafe configs


@pytest.mark.parametrize(
    "options",
    [
        {"generator": "os:system"},
        {"generator": "os.path.join"},
        {"generator": {"name": "evil.module:Net"}},
        {"generator": {"name": "evil.module.Net"}},
        {"generator": {"name": "tiny-generator", "auto_map": {"AutoModel": "net.Net"}}},
        {"trust_remote_code": True},
        {"deep": [{"_target_": "os.system"}]},
    ],
)
def test_a_config_that_asks_for_code_is_refused(folder, options):
    edit(folder, options=options)
    with pytest.raises(StorageError, match="asks for code"):
        load_folder(folder)


def test_a_method_by_import_path_is_refused(folder):
    edit(folder, method="tiny:TinyMethod")
    with pytest.raises(StorageError, match="asks for code by its import path"):
        load_folder(folder)


@pytest.mark.parametrize(
    "path",
    ["/etc/passwd", "../secret.safetensors", "a/../../b", "..", "C:\\secret", "\\\\host\\share", "~/x", "a\\..\\b"],
)
def test_a_config_that_leaves_its_folder_is_refused(folder, path):
    edit(folder, options={"generator": {"name": "tiny-generator", "weights": path}})
    with pytest.raises(StorageError, match="names a place outside its folder"):
        load_folder(folder)
    edit(folder, options={}, weights=[path])
    with pytest.raises(StorageError, match="names a place outside its folder"):
        load_folder(folder)


def test_provenance_is_text_and_may_name_any_place(tmp_path):
    facts = {"command": "i2izoo train tiny-method --data ../facades", "notes": "see /home/me/notes", "name": "a.b:c"}
    save_folder(tiny_method(), tmp_path, name="tiny-method", facts={"provenance": facts})
    assert load_folder(tmp_path)[1]["provenance"] == facts


def test_a_qualified_name_that_a_plugin_registered_is_allowed(folder):
    edit(folder, method="this-program:tiny-method")
    assert read_config(folder)["method"] == "this-program:tiny-method"
    edit(folder, method="elsewhere:tiny-method")
    with pytest.raises(StorageError, match="asks for code"):
        read_config(folder)


def test_what_load_would_refuse_is_not_saved(tmp_path):
    with pytest.raises(StorageError, match="'place': '/tmp/x'"):
        save_folder(tiny_method(), tmp_path / "model", name="tiny-method", facts={"place": "/tmp/x"})
    assert not (tmp_path / "model" / "config.json").exists()
