"""Networks of spandrel as translators: its real architectures at random weights, as files of their authors' code."""

from __future__ import annotations

import json
import pickle
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import i2izoo
from i2izoo.cli.main import main
from i2izoo.contracts.registry import registry
from i2izoo.errors import ConfigError, StorageError
from i2izoo.nn.random import seeded

spandrel = pytest.importorskip("spandrel")

SWIN: dict[str, Any] = {
    "embed_dim": 12, "depths": [2, 2], "num_heads": [2, 2], "window_size": 8, "img_size": 48, "upscale": 2,
    "mlp_ratio": 2.0, "upsampler": "pixelshuffle", "resi_connection": "1conv",
}  # fmt: skip
NETWORKS: dict[str, tuple[str, str, dict[str, Any], int]] = {
    "ESRGAN x4": ("ESRGAN", "RRDBNet", {"num_filters": 8, "num_blocks": 1, "scale": 4}, 4),
    "ESRGAN x1": ("ESRGAN", "RRDBNet", {"num_filters": 8, "num_blocks": 1, "scale": 1}, 1),
    "Real-ESRGAN x2": ("ESRGAN", "RRDBNet", {"in_nc": 12, "num_filters": 8, "num_blocks": 1, "scale": 4,
                                            "shuffle_factor": 2}, 2),
    "SwinIR x2": ("SwinIR", "SwinIR", SWIN, 2),
    "SwinIR x3": ("SwinIR", "SwinIR", SWIN | {"upscale": 3, "upsampler": "pixelshuffledirect"}, 3),
    "Swin2SR x2": ("Swin2SR", "Swin2SR", SWIN, 2),
    "HAT x4": ("HAT", "HAT", {"embed_dim": 12, "depths": [2], "num_heads": [2], "window_size": 8, "img_size": 32,
                              "upscale": 4, "upsampler": "pixelshuffle", "compress_ratio": 3, "squeeze_factor": 4}, 4),
    "Compact x2": ("Compact", "SRVGGNetCompact", {"num_feat": 8, "num_conv": 2, "upscale": 2}, 2),
    "SPAN x2": ("SPAN", "SPAN", {"num_in_ch": 3, "num_out_ch": 3, "feature_channels": 8, "upscale": 2}, 2),
    "SAFMN x2": ("SAFMN", "SAFMN", {"dim": 8, "n_blocks": 2, "upscaling_factor": 2}, 2),
    "OmniSR x2": ("OmniSR", "OmniSR", {"num_feat": 16, "res_num": 1, "up_scale": 2, "window_size": 8}, 2),
    "RCAN x2": ("RCAN", "RCAN", {"n_feats": 8, "n_resgroups": 1, "n_resblocks": 1, "reduction": 4, "scale": 2}, 2),
    "RealCUGAN x3": ("RealCUGAN", "UpCunet3x", {}, 3),
    "NAFNet": ("NAFNet", "NAFNet", {"width": 8, "enc_blk_nums": [1], "middle_blk_num": 1, "dec_blk_nums": [1]}, 1),
    "Uformer": ("Uformer", "Uformer", {"embed_dim": 4, "img_size": 128, "win_size": 8, "depths": [1] * 9,
                                       "num_heads": [1] * 9, "modulator": True}, 1),
    "DnCNN, grey": ("DnCNN", "DnCNN", {"in_nc": 1, "out_nc": 1, "nc": 8, "nb": 4}, 1),
    "DRUNet": ("DRUNet", "DRUNet", {"in_nc": 4, "out_nc": 3, "nc": [4, 4, 4, 4], "nb": 4}, 1),
}  # fmt: skip


def network(architecture: str, name: str, arguments: dict[str, Any]) -> nn.Module:
    """One of spandrel's own, at random weights that keep its output in sight."""
    module = __import__(f"spandrel.architectures.{architecture}", fromlist=[name])
    kind = next(one for one in vars(module).values() if isinstance(one, type) and one.__name__ == name)
    with seeded(3):
        return kind(**arguments).eval()  # type: ignore[no-any-return]


def picture(channels: int = 3, height: int = 21, width: int = 30) -> np.ndarray:
    rng = np.random.default_rng(0)
    small = rng.integers(0, 256, (4, 5, channels), dtype=np.uint8)
    bands = [Image.fromarray(small[..., k]).resize((width, height), Image.Resampling.BICUBIC) for k in range(channels)]
    return np.stack([np.asarray(band) for band in bands], -1)


def imported(folder: Path, net: nn.Module, *words: str, key: str | None = None) -> i2izoo.Translator:
    state = {f"module.{name}": value for name, value in net.state_dict().items()} if key else net.state_dict()
    torch.save({key: state} if key else state, folder / "net.pth")
    assert main(["import", "spandrel", str(folder / "net.pth"), "--out", str(folder / "model"), *words]) == 0
    return i2izoo.load(folder / "model")


@pytest.mark.parametrize("name", NETWORKS)
def test_a_file_translates_as_spandrel_has_it(name: str, tmp_path: Path) -> None:
    architecture, kind, arguments, scale = NETWORKS[name]
    net = network(architecture, kind, arguments)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = imported(tmp_path, net)
        expected = spandrel.ModelLoader().load_from_file(tmp_path / "net.pth")
    assert str(expected.architecture.id) == architecture
    channels = model.method.channels["image"]
    assert channels == expected.input_channels
    image = picture(channels)
    tensor = torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255
    found = model(tensor[0] * 2 - 1)
    assert found.shape == (expected.output_channels, 21 * scale, 30 * scale)
    torch.testing.assert_close((found + 1) / 2, reference(expected, tensor), rtol=0, atol=2e-5)
    both = model(torch.stack([tensor[0], tensor[0].flip(-1)]) * 2 - 1)  # and in a batch
    torch.testing.assert_close(both[0], found, rtol=0, atol=2e-5)
    assert json.loads((tmp_path / "model/config.json").read_text())["options"]["architecture"] == architecture


def reference(expected: Any, tensor: torch.Tensor) -> torch.Tensor:
    """spandrel's own answer to the image, continued as here where the network wants more: by reflection alone."""
    from i2izoo.nn.padding import pad_to_valid

    need, (height, width) = expected.size_requirements, tensor.shape[-2:]
    least = max(need.minimum, height, width) if need.square else need.minimum
    whole = expected(pad_to_valid(tensor, need.multiple_of, least).clone())  # RCAN works in its input
    scale = expected.scale
    return whole[0, :, : height * scale, : width * scale]


@pytest.fixture
def compact(tmp_path: Path) -> nn.Module:
    return network(*NETWORKS["Compact x2"][:3])


def test_images_come_back_larger(tmp_path: Path, compact: nn.Module, capsys: pytest.CaptureFixture[str]) -> None:
    model = imported(tmp_path, compact)
    Image.fromarray(picture()).save(tmp_path / "small.png")
    assert model(tmp_path / "small.png").size == (60, 42)
    assert (
        main(["translate", str(tmp_path / "model"), str(tmp_path / "small.png"), "-o", str(tmp_path / "big.png")]) == 0
    )
    with Image.open(tmp_path / "big.png") as image:
        assert image.size == (60, 42)
    deep = np.full((8, 8, 3), 40_000, np.uint16)
    assert model(deep).dtype == np.uint16
    assert model(deep).shape == (16, 16, 3)
    assert model(picture(), size=16).shape == (42, 60, 3)


def test_opacity_is_left_out_or_goes_through_by_itself(tmp_path: Path, compact: nn.Module) -> None:
    image = picture(4)
    plain = imported(tmp_path, compact)
    assert plain(Image.fromarray(image)).mode == "RGB"
    both = imported(tmp_path, compact, "alpha=true", "--force")
    result = both(Image.fromarray(image))
    assert (result.mode, result.size) == ("RGBA", (60, 42))
    colours, opacity = np.asarray(result)[..., :3], np.asarray(result)[..., 3]
    assert np.array_equal(colours, plain(image[..., :3]))
    grey = torch.from_numpy(np.repeat(image[..., 3], 1)).reshape(1, 1, 21, 30).expand(-1, 3, -1, -1) / 255
    with torch.inference_mode():
        wanted = compact(grey).mean((0, 1)).clamp(0, 1) * 255
    assert (torch.from_numpy(opacity.copy()) - wanted).abs().max() <= 0.51


@pytest.mark.parametrize("key", ["params_ema", "params-ema", "params", "state_dict", "model", "net"])
def test_what_training_scripts_wrap_it_in_is_taken_off(tmp_path: Path, compact: nn.Module, key: str) -> None:
    plain = imported(tmp_path, compact)
    wrapped = imported(tmp_path, compact, "--force", key=key)
    assert np.array_equal(plain(picture()), wrapped(picture()))


class Evil:
    def __reduce__(self) -> Any:
        return (sys.exit, (3,))


def test_a_file_with_code_is_refused_and_runs_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "evil.pth"
    path.write_bytes(pickle.dumps({"a": Evil()}))
    assert main(["import", "spandrel", str(path), "--out", str(tmp_path / "out")]) == 2
    torch.save({"params": {"a": torch.zeros(1)}, "x": Evil()}, path)
    assert main(["import", "spandrel", str(path), "--out", str(tmp_path / "out")]) == 2
    assert "runs no code from files" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_what_it_cannot_read_is_said(tmp_path: Path, compact: nn.Module, monkeypatch: pytest.MonkeyPatch) -> None:
    kind = registry("methods").get("spandrel")
    with pytest.raises(ConfigError, match=r"spandrel knows no network of these tensors; its first keys are .*'a'"):
        kind.import_checkpoints({"a.pth": {"a": torch.zeros(1)}})
    with pytest.raises(ConfigError, match="one file, which is one network; found a, b"):
        kind.import_checkpoints({"a": compact.state_dict(), "b": compact.state_dict()})
    with pytest.raises(ConfigError, match="no architecture 'ESRGANN'; did you mean 'ESRGAN'"):
        kind(architecture="ESRGANN")
    with pytest.raises(ConfigError, match="'ESRGAN' has no network 'Module'; it has RRDBNet"):  # nothing of torch's
        kind(architecture="ESRGAN", network="Module")
    model = imported(tmp_path, compact)
    monkeypatch.setitem(sys.modules, "spandrel", None)
    with pytest.raises(StorageError, match=r"pip install 'i2izoo\[spandrel\]'"):
        i2izoo.load(tmp_path / "model")
    assert model(picture()).shape == (42, 60, 3)  # what is there goes on


def test_one_that_enlarges_is_trained_on_to_undo_being_made_smaller(tmp_path: Path, compact: nn.Module) -> None:
    """L1 falls on pairs of an image with itself: the network gets it at half its size and has to meet it."""
    imported(tmp_path, compact)
    for domain in ("image", "restored"):
        (tmp_path / "data" / domain).mkdir(parents=True)
        for k in range(2):
            Image.fromarray(np.roll(picture(3, 32, 32), 9 * k, 0)).save(tmp_path / "data" / domain / f"{k}.png")
    words = ["steps=60", "crop_size=32", "load_size=32", "log_every=20", "device=cpu", "tensorboard=false",
             "sample_every=0", "learning_rate=2e-3", "batch_size=2"]  # fmt: skip
    flags = ["--from", str(tmp_path / "model"), "--data", str(tmp_path / "data"), "--out", str(tmp_path / "run")]
    assert main(["train", "spandrel", *flags, *words]) == 0
    lines = (tmp_path / "run/log.csv").read_text().splitlines()
    column = lines[0].split(",").index("l1")
    losses = [float(line.split(",")[column]) for line in lines[1:]]
    assert losses[-1] < 0.7 * losses[0]
    assert i2izoo.load(tmp_path / "run/model")(picture()).shape == (42, 60, 3)
