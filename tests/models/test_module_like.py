"""Habits from torch: devices and types by the names that people write, and what a module would have."""

from __future__ import annotations

import copy
import pickle

import pytest
import tiny
import torch

import i2izoo
from i2izoo.errors import ConfigError, I2IZooError, OptionTypeError
from i2izoo.nn.device import DTYPES, find_device, find_dtype


@pytest.fixture
def model() -> i2izoo.Translator:
    return i2izoo.Translator(tiny.tiny_method(seed=3), {"method": "tiny-method"})


IMAGE = torch.linspace(-1, 1, 3 * 8 * 8).reshape(3, 8, 8)


@pytest.mark.parametrize(
    ("name", "dtype"),
    [
        ("fp16", torch.float16), ("bf16", torch.bfloat16), ("fp32", torch.float32), ("half", torch.float16),
        ("bfloat16", torch.bfloat16), ("torch.float16", torch.float16), (torch.float64, torch.float64),
    ],
)  # fmt: skip
def test_types_have_short_names(model: i2izoo.Translator, tmp_path, name: str, dtype: torch.dtype) -> None:
    assert find_dtype(name) == dtype
    assert model.to(dtype=name).dtype == dtype
    folder = i2izoo.Translator(tiny.tiny_method(), {"method": "tiny-method"}).save_pretrained(tmp_path, dtype=name)
    assert i2izoo.load(folder, dtype=name).dtype == dtype


@pytest.mark.parametrize("name", ["fp8", "int8", "", "float17", torch.int64, torch.bool])
def test_a_type_that_is_none(model: i2izoo.Translator, name: str) -> None:
    for call in (lambda: model.to(dtype=name), lambda: i2izoo.load("pix2pix-facades", dtype=name)):
        with pytest.raises(ConfigError, match=r"there is no dtype .*Known: fp32, fp16, bf16"):
            call()
    with pytest.raises(OptionTypeError, match="dtype is a name such as 'fp16'"):
        model.to(dtype=16)


@pytest.mark.parametrize("name", ["gpu", "GPU", "nvidia", "cudaa", "", "cuda:-1", "meta", "cuda:1000", "xpu", "hpu"])
def test_a_device_that_is_not_here_is_our_own_sentence(model: i2izoo.Translator, name: str) -> None:
    for call in (lambda: model.to(name), lambda: i2izoo.load("pix2pix-facades", device=name)):
        with pytest.raises(ConfigError) as caught:
            call()
        said = str(caught.value)
        assert said.startswith(f"cannot use device {name}: ")
        assert said.endswith("'auto' takes the fastest there is.")
        assert "'cpu'" in said
        for words in ("http", "mkldnn", "compiled", "Expected one of"):
            assert words not in said
        assert len(said) < 250
    if name.lower() in ("gpu", "nvidia"):
        assert "is 'cuda'" in said


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_cuda_without_a_driver(model: i2izoo.Translator) -> None:
    why = "no driver of NVIDIA is found" if torch.backends.cuda.is_built() else "installed without CUDA"
    for call in (lambda: model.to("cuda"), model.cuda, lambda: model.cuda(1), lambda: model.to(torch.device("cuda"))):
        with pytest.raises(ConfigError, match=f"cannot use device cuda(:1)?: .*{why}. Here is 'cpu' alone"):
            call()
    assert model.device.type == "cpu"


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
def test_cuda_with_a_driver(model: i2izoo.Translator) -> None:
    assert model.cuda().device == find_device("cuda:0") == model.cuda(0).device
    with pytest.raises(ConfigError, match=r"there are not so many\. Here are 'cpu', 'cuda:0'"):
        model.cuda(torch.cuda.device_count())
    assert model.half()(IMAGE).dtype == IMAGE.dtype
    assert model.cpu().device.type == "cpu"


def test_habits_that_make_sense(model: i2izoo.Translator) -> None:
    expected = model(IMAGE)
    assert torch.equal(model.eval()(IMAGE), expected)
    assert model.half().dtype == torch.float16
    assert model.bfloat16().dtype == torch.bfloat16
    assert model.to(torch.float64).dtype == torch.float64
    assert model.float().cpu().dtype == torch.float32
    assert [p.shape for p in model.parameters()] == [p.shape for p in model.method.parameters()]
    assert model.state_dict().keys() == model.method.state_dict().keys()


@pytest.mark.parametrize(
    "name", ["generator", "named_parameters", "children", "train", "register_buffer", "learning_rate"]
)
def test_the_rest_is_said_to_be_the_methods(model: i2izoo.Translator, name: str) -> None:
    assert not hasattr(model, name)
    with pytest.raises(AttributeError, match=f"no attribute '{name}', but its torch module has: .*model.method.{name}"):
        getattr(model, name)
    if name == "train":
        with pytest.raises(AttributeError, match=r"i2izoo\.Trainer"):
            model.train()


def test_an_attribute_that_nobody_has(model: i2izoo.Translator) -> None:
    for name in ("tranlate", "_repr_png_", "__array__"):
        with pytest.raises(AttributeError, match=f"a Translator has no attribute '{name}'.$") as caught:
            getattr(model, name)
        assert not isinstance(caught.value, I2IZooError)
        assert caught.value.name == name


def test_a_model_is_copied_and_pickled(model: i2izoo.Translator) -> None:
    for again in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert torch.equal(again(IMAGE), model(IMAGE))


def test_names_of_types_are_torchs() -> None:
    assert all(dtype.is_floating_point for dtype in DTYPES.values())
    assert {str(d).removeprefix("torch.") for d in DTYPES.values()} <= DTYPES.keys()
