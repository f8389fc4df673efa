"""`i2izoo import`: the originals' checkpoints to folders that translate, and from which a training goes on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from originals import PatchGAN, Resnet, Unet, drawn
from safetensors.torch import load_file
from torch import nn

import i2izoo
from i2izoo.cli.main import main

Capture = pytest.CaptureFixture[str]
TRAINING = [
    "steps=1", "batch_size=1", "load_size=32", "crop_size=32", "device=cpu", "tensorboard=false", "sample_every=0",
]  # fmt: skip


def fails(capsys: Capture, *argv: str) -> str:
    """Run a command that must fail as a user's mistake does, and give its one sentence."""
    capsys.readouterr()
    assert main(argv) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    return err


def saved(folder: Path, **networks: nn.Module) -> list[str]:
    """Files as the original code names them; weights of different roles differ."""
    paths = []
    for number, (role, network) in enumerate(networks.items()):
        paths.append(str(folder / f"latest_net_{role}.pth"))
        torch.save(drawn(network, seed=number).float().state_dict(), paths[-1])
    return paths


def state(path: str | Path) -> dict[str, Any]:
    return torch.load(path, weights_only=True)


def mlps() -> nn.Module:
    sampler = nn.Module()
    for number, channels in enumerate((3, 8, 16, 16, 16)):
        setattr(sampler, f"mlp_{number}", nn.Sequential(nn.Linear(channels, 8), nn.ReLU(), nn.Linear(8, 8)))
    return sampler


@pytest.fixture
def data(tmp_path: Path) -> Path:
    place = tmp_path / "data"
    assert main(["data", "make", "synthetic-facades", str(place), "--count", "2", "--size", "32"]) == 0
    return place


def test_import_writes_a_folder_that_loads(tmp_path: Path, capsys: Capture) -> None:
    file = tmp_path / "latest_net_G.pth"
    state = drawn(Unet(depth=8)).float().state_dict()
    torch.save({"state_dict": {f"module.{k}": v for k, v in state.items()}}, file)
    out = tmp_path / "model"
    argv = ["import", "pix2pix", str(file), "--out", str(out), "domains=label,photo"]
    assert main(argv) == 0
    model = i2izoo.load(out)
    assert model.directions == {"photo": "label"}
    first = model.method.state_dict()["generator.down.0.1.weight"]
    torch.testing.assert_close(first, state["model.model.0.weight"], rtol=0, atol=0)
    assert "already holds a model" in fails(capsys, *argv)
    assert "did you mean 'domains'" in fails(capsys, *argv, "--force", "domain=a,b")


class Code:
    def __reduce__(self) -> tuple[object, ...]:
        return (print, ("this must never run",))


def test_import_runs_no_code_and_names_bad_files(tmp_path: Path, capsys: Capture) -> None:
    file = tmp_path / "latest_net_G.pth"
    argv = ["import", "pix2pix", str(file), "--out", str(tmp_path / "model")]
    assert "there is no checkpoint" in fails(capsys, *argv)
    torch.save(Code(), file)
    message = fails(capsys, *argv)
    assert "print" in message
    assert "runs no code" in message
    assert "weights_only" not in message
    file.write_bytes(b"nothing of the kind")
    assert "is damaged, or no checkpoint" in fails(capsys, *argv)
    torch.save({"x.weight": torch.zeros(1)}, file)
    assert "is not a generator of pix2pix" in fails(capsys, *argv)
    torch.save({"epoch": 3, "weights": torch.zeros(1)}, file)
    assert "epoch" in fails(capsys, *argv)
    assert not (tmp_path / "model").exists()


# ------------------------------------------------------------------------------------------------- what is kept of it


@pytest.mark.parametrize(
    ("method", "networks", "kept"),
    [
        ("pix2pix", {"G": Unet(), "D": PatchGAN(channels=6, norm="batch")}, "discriminator"),
        (
            "cyclegan",
            {"G_A": Resnet(), "G_B": Resnet(), "D_A": PatchGAN(), "D_B": PatchGAN()},
            "discriminator.of_photo, discriminator.of_label",
        ),
        (
            "cut",
            {"G": Resnet(blur_down=True, blur_up=True, blocks=5), "F": mlps(), "D": PatchGAN()},
            "sampler, discriminator",
        ),
    ],
)
def test_a_training_goes_on_from_all_that_was_imported(
    method: str, networks: dict[str, nn.Module], kept: str, data: Path, tmp_path: Path, capsys: Capture
) -> None:
    out, run = tmp_path / "out", tmp_path / "run"
    files = saved(tmp_path, **networks)
    assert main(["import", method, *files, "--out", str(out), "domains=label,photo"]) == 0
    assert f"for training it keeps: {kept}\n" in capsys.readouterr().out
    whole = load_file(out / "model.safetensors") | {
        name.removeprefix("method/"): tensor for name, tensor in load_file(out / "training/state.safetensors").items()
    }
    # nothing of the originals is lost; what is fixed, the filters of the blurs, is not stored
    tensors = {
        t.float().numpy().tobytes() for f in files for n, t in state(f).items() if not n.endswith((".filt", "tracked"))
    }
    assert tensors <= {t.numpy().tobytes() for t in whole.values()}

    argv = ["train", method, "--from", str(out), "--data", str(data), "--out", str(run), *TRAINING]
    assert main([*argv, "learning_rate=0"]) == 0
    printed = capsys.readouterr().out
    assert "untrained" not in printed
    trained = i2izoo.create(method, pretrained=run / "checkpoints/step-00000001").method.state_dict()
    moved = [
        n for n, t in whole.items() if "running" not in n and "tracked" not in n and not torch.equal(trained[n], t)
    ]
    assert moved == []  # at a learning rate of 0 the networks are those that it started with
    provenance = json.loads((run / "model/config.json").read_text())["provenance"]
    assert provenance["start"] == str(out)
    assert f"| Started with | {out} |" in (run / "model/README.md").read_text()


def test_what_was_not_imported_starts_untrained_and_by_the_seed(data: Path, tmp_path: Path, capsys: Capture) -> None:
    out = tmp_path / "out"
    assert (
        main(["import", "cyclegan", *saved(tmp_path, horse2zebra=Resnet()), "--out", str(out), "domains=label,photo"])
        == 0
    )
    assert not (out / "training").exists()
    argv = ["train", "cyclegan", "--from", str(out), "--data", str(data), *TRAINING, "learning_rate=0"]
    states = []
    for number, seed in enumerate((1, 1, 2)):
        run = tmp_path / f"run{number}"
        capsys.readouterr()
        assert main([*argv, "--out", str(run), f"seed={seed}"]) == 0
        lacking = "generator.to_label, discriminator.of_photo, discriminator.of_label"
        assert f"{out} has no weights of {lacking}, which start untrained" in capsys.readouterr().out
        states.append(load_file(run / "checkpoints/step-00000001/training/state.safetensors"))
    name = "method/generator.to_label.layers.conv_in.weight"
    assert torch.equal(states[0][name], states[1][name])
    assert not torch.equal(states[0][name], states[2][name])
    model = i2izoo.load(tmp_path / "run0/model")
    assert model.directions == {"photo": "label"}


def test_a_new_import_leaves_nothing_of_the_one_before(tmp_path: Path) -> None:
    out = tmp_path / "out"
    both = saved(tmp_path, G=Unet(), D=PatchGAN(channels=6))
    argv = ["import", "pix2pix", "--out", str(out)]
    assert main([*argv, *both]) == 0
    assert (out / "training/state.safetensors").exists()
    assert main([*argv, both[0], "--force"]) == 0
    assert not (out / "training/state.safetensors").exists()


def test_from_says_what_it_wants(data: Path, tmp_path: Path, capsys: Capture) -> None:
    out = tmp_path / "out"
    assert main(["import", "pix2pix", *saved(tmp_path, G=Unet()), "--out", str(out), "domains=label,photo"]) == 0
    argv = ["--data", str(data), "--out", str(tmp_path / "run"), *TRAINING]
    assert "is a model of 'pix2pix'" in fails(capsys, "train", "cyclegan", "--from", str(out), *argv)
    assert "there is no pretrained entry" in fails(capsys, "train", "pix2pix", "--from", str(out / "no"), *argv)
    wider = fails(capsys, "train", "pix2pix", "--from", str(out), *argv, "generator.width=4")
    assert "of another shape" in wider
    assert "Allowed: 'photo' (from 'label')" in fails(
        capsys, "train", "pix2pix", "--from", str(out), *argv, "--to", "label"
    )
    resumed = ["train", "pix2pix", *argv, "--to", "photo", "generator.depth=5", "--resume", str(out)]
    assert "start a new run: --from" in fails(capsys, *resumed)
    recipe = fails(capsys, "train", "--recipe", "pix2pix-facades", "--from", str(out), *argv)
    assert "a recipe says itself what --from says" in recipe
    assert not (tmp_path / "run").exists()
    assert main(["train", "pix2pix", "--from", str(out), *argv, "--to", "photo", "--dry-run"]) == 0


def test_a_run_from_a_model_is_resumed(data: Path, tmp_path: Path) -> None:
    out, run = tmp_path / "out", tmp_path / "run"
    files = saved(tmp_path, G=Unet(), D=PatchGAN(channels=6))
    assert main(["import", "pix2pix", *files, "--out", str(out), "domains=label,photo"]) == 0
    argv = ["train", "pix2pix", "--from", str(out), "--data", str(data), *TRAINING[1:]]
    assert main([*argv, "steps=2", "--out", str(tmp_path / "whole")]) == 0
    assert main([*argv, "steps=1", "--out", str(run)]) == 0
    assert main([*argv, "steps=2", "--out", str(run), "--resume", "auto"]) == 0
    once, twice = (load_file(place / "model/model.safetensors") for place in (tmp_path / "whole", run))
    assert all(torch.equal(once[name], twice[name]) for name in once)


# ------------------------------------------------------------------------------------------------ options, roles, names


def test_dotted_options_add_to_what_was_recognised(tmp_path: Path, capsys: Capture) -> None:
    out = tmp_path / "out"
    argv = ["import", "pix2pix", *saved(tmp_path, G=Resnet(dropout=True)), "--out", str(out)]
    assert main([*argv, "generator.dropout=0.25", "discriminator.layers=2"]) == 0
    options = i2izoo.load(out).method.config
    assert {k: options["generator"][k] for k in ("name", "width", "blocks", "dropout")} == {
        "name": "resnet_9blocks", "width": 4, "blocks": 2, "dropout": 0.25,
    }  # fmt: skip
    assert options["discriminator"] == i2izoo.create("pix2pix").method.config["discriminator"] | {"layers": 2}
    assert "assumed, as" not in capsys.readouterr().out


def test_what_is_assumed_is_said(tmp_path: Path, capsys: Capture) -> None:
    argv = ["import", "pix2pix", *saved(tmp_path, G=Unet()), "--out", str(tmp_path / "out")]
    assert main(argv) == 0
    assert "assumed, as weights do not tell: generator.dropout=0.5; name another" in capsys.readouterr().out
    assert main([*argv, "--force", "generator.dropout=0"]) == 0
    assert "assumed, as" not in capsys.readouterr().out


def test_files_whose_names_say_nothing(tmp_path: Path, capsys: Capture) -> None:
    a, b = saved(tmp_path, A=Resnet(), B=Resnet())
    out = tmp_path / "out"
    argv = ["import", "cyclegan", "--out", str(out), "domains=horse,zebra"]
    unsaid = fails(capsys, *argv, a, b)
    assert "--as ROLE=FILE" in unsaid
    assert "imports the roles G_A, G_B, D_A, D_B; found 'X=" in fails(capsys, *argv, "--as", f"X={a}")
    assert "--as says ROLE=FILE" in fails(capsys, *argv, "--as", a)
    assert "there is no checkpoint" in fails(capsys, *argv, "--as", "G_A=nothing.pth")
    assert main([*argv, "--as", f"G_B={a}", "--as", f"G_A={b}"]) == 0
    weights = load_file(out / "model.safetensors")
    assert torch.equal(weights["generator.to_zebra.layers.conv_in.weight"], state(b)["model.1.weight"])
    assert torch.equal(weights["generator.to_horse.layers.conv_in.weight"], state(a)["model.1.weight"])
    assert "as G_A" in json.loads((out / "config.json").read_text())["provenance"]["notes"]


def test_one_generator_of_two(tmp_path: Path, capsys: Capture) -> None:
    (file,) = saved(tmp_path, x=Resnet())
    file = str(Path(file).rename(tmp_path / "horse2zebra.pth"))
    out = tmp_path / "out"
    assert main(["import", "cyclegan", file, "--out", str(out), "domains=horse,zebra"]) == 0
    model = i2izoo.load(out)
    assert model.directions == {"zebra": "horse"}
    assert model.num_parameters == sum(v.numel() for v in state(file).values())
    image = torch.rand(3, 32, 32) * 2 - 1
    with torch.inference_mode():
        original = drawn(Resnet()).double()
        original.load_state_dict(state(file))
        expected = original(image.double()[None])[0].float()
    torch.testing.assert_close(model(image), expected, rtol=1e-5, atol=1e-4)
    picture = tmp_path / "x.png"
    from PIL import Image

    Image.new("RGB", (32, 32)).save(picture)
    refused = fails(capsys, "translate", str(out), str(picture), "-o", str(tmp_path / "y.png"), "--to", "horse")
    assert "'cyclegan' does not translate to 'horse'; Allowed: 'zebra' (from 'horse')" in refused
    assert main(["translate", str(out), str(picture), "-o", str(tmp_path / "y.png")]) == 0
    again = tmp_path / "again"
    model.save_pretrained(again)
    assert i2izoo.load(again).directions == {"zebra": "horse"}


def test_tensors_that_do_not_fit_the_options_give_one_sentence(tmp_path: Path, capsys: Capture) -> None:
    files = saved(tmp_path, G=Unet())
    message = fails(capsys, "import", "pix2pix", *files, "--out", str(tmp_path / "out"), "generator.width=4")
    assert "the tensors of generator do not fit Pix2Pix with these options" in message
    assert "of another shape" in message
