"""The Vision Transformer as encoder and discriminator: against timm's own, a plain rewrite, and published sizes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from i2izoo_gan.losses import WGANGP, Hinge, Vanilla
from i2izoo_transformers.classifier import ViT
from i2izoo_transformers.discriminator import ViTDiscriminator
from i2izoo_transformers.encoder import ViTEncoder
from i2izoo_transformers.trunk import Trunk
from torch import Tensor

import i2izoo
from i2izoo.errors import ConfigError
from i2izoo.files.writing import write_tensors
from i2izoo.nn.init import init_weights
from i2izoo.nn.random import seeded
from i2izoo.nn.shapes import only_shapes
from i2izoo.nn.slopes import slopes

TINY: dict[str, Any] = {"model": "vit_tiny_patch16_224", "dim": 12, "depth": 2, "heads": 3, "patch": 8, "positions": 32}


@pytest.mark.parametrize(
    ("name", "count"),  # of timm's table of results, with a linear head of 1000 classes; the paper says 86M and 307M
    [("tiny", 5_717_416), ("small", 22_050_664), ("base", 86_567_656), ("large", 304_326_632)],
)
def test_sizes_are_the_published_ones(name: str, count: int) -> None:
    with only_shapes():
        method = ViT(model=f"vit_{name}_patch16_224", head="linear", classes=[str(n) for n in range(1000)])
    assert sum(p.numel() for p in method.parameters()) == count


@pytest.fixture(scope="module")
def timms(tmp_path_factory: pytest.TempPathFactory) -> tuple[torch.nn.Module, Path]:
    """timm's smallest Vision Transformer with weights of all layers drawn, and a file of them."""
    with seeded(0):
        network = timm.create_model("vit_tiny_patch16_224", depth=1, num_classes=10).eval()
        for parameter in network.parameters():
            torch.nn.init.normal_(parameter, 0, 0.1)
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    write_tensors(path, network.state_dict())
    return network, path


def test_with_its_weights_it_is_timms_own(timms: tuple[torch.nn.Module, Path]) -> None:
    network, path = timms
    trunk = Trunk(model="vit_tiny_patch16_224", depth=1, weights=str(path)).eval()
    image = torch.rand(1, 3, 224, 224, generator=torch.Generator().manual_seed(0)) * 2 - 1
    with torch.no_grad():
        told, patches = trunk(image)
        tokens = network.forward_features(image)  # type: ignore[operator]
    torch.testing.assert_close(told, tokens[:, 0])
    torch.testing.assert_close(patches, tokens[:, 1:].transpose(1, 2).reshape(1, 192, 14, 14))


def test_loaded_weights_are_kept_and_saved_with_the_model(timms: tuple[torch.nn.Module, Path], tmp_path: Path) -> None:
    """A method draws weights anew after its parts are built; what was loaded stays, and the file is needed once."""
    network, path = timms
    copied = tmp_path / "copy.safetensors"
    copied.write_bytes(path.read_bytes())
    judge = {"name": "vit", "depth": 1, "weights": str(copied)}
    model = i2izoo.create("pix2pix", discriminator=judge, generator={"name": "unet_256", "width": 4, "depth": 3})
    found = model.method.discriminator
    blocks = dict(network.named_parameters())
    torch.testing.assert_close(found.trunk.vit.blocks[0].mlp.fc1.weight, blocks["blocks.0.mlp.fc1.weight"])
    assert found.trunk.vit.patch_embed.proj.weight.shape == (192, 6, 16, 16)  # source and target
    assert not torch.equal(found.patches.weight, ViTDiscriminator(depth=1).patches.weight)
    assert model.method.config["discriminator"]["weights"] == ""

    classifier = i2izoo.create("vit", depth=1, weights=str(copied))
    classifier.save_pretrained(tmp_path / "model")
    copied.unlink()
    again = i2izoo.load(tmp_path / "model").method
    torch.testing.assert_close(again.trunk.vit.blocks[0].mlp.fc1.weight, blocks["blocks.0.mlp.fc1.weight"])


def test_only_what_keeps_its_weights_is_passed_over() -> None:
    network = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Sequential(torch.nn.Linear(2, 2)))
    network[1].keeps_weights = True
    kept, drawn = network[1][0].weight.clone(), network[0].weight.clone()
    init_weights(network)
    assert torch.equal(network[1][0].weight, kept)
    assert not torch.equal(network[0].weight, drawn)


def plain(state: dict[str, Tensor], image: Tensor, heads: int, patch: int) -> Tensor:
    """Equations 1 to 4 of the paper for one image, token by token; the class token's end."""

    def norm(x: Tensor, name: str) -> Tensor:
        spread = (x - x.mean()) / (x.var(unbiased=False) + 1e-6).sqrt()
        return spread * state[f"{name}.weight"] + state[f"{name}.bias"]

    def linear(x: Tensor, name: str) -> Tensor:
        return state[f"{name}.weight"] @ x + state[f"{name}.bias"]

    kernel = state["patch_embed.proj.weight"].flatten(1)
    tokens = [state["cls_token"][0, 0]]
    for top in range(0, image.shape[1], patch):
        for left in range(0, image.shape[2], patch):
            pixels = image[:, top : top + patch, left : left + patch].flatten()
            tokens.append(kernel @ pixels + state["patch_embed.proj.bias"])
    tokens = [token + state["pos_embed"][0, place] for place, token in enumerate(tokens)]
    dim = len(tokens[0])
    size = dim // heads
    for block in range(sum(name.endswith("norm1.weight") for name in state)):
        name = f"blocks.{block}"
        asked = [linear(norm(token, f"{name}.norm1"), f"{name}.attn.qkv") for token in tokens]
        after = []
        for place, token in enumerate(tokens):
            heard = []
            for head in range(heads):
                part = slice(head * size, (head + 1) * size)
                query = asked[place][:dim][part]
                scores = torch.stack([query @ other[dim : 2 * dim][part] / size**0.5 for other in asked])
                shares = scores.exp() / scores.exp().sum()
                heard.append(sum(s * other[2 * dim :][part] for s, other in zip(shares, asked, strict=True)))
            after.append(token + linear(torch.cat(heard), f"{name}.attn.proj"))
        tokens = []
        for token in after:
            hidden = linear(norm(token, f"{name}.norm2"), f"{name}.mlp.fc1")
            hidden = hidden * 0.5 * (1 + torch.erf(hidden / 2**0.5))
            tokens.append(token + linear(hidden, f"{name}.mlp.fc2"))
    return norm(tokens[0], "norm")


@pytest.mark.parametrize("explicit", [True, False])
def test_the_trunk_is_that_of_the_equations(explicit: bool) -> None:
    with seeded(0):
        trunk = Trunk(**TINY, explicit=explicit).double().eval()
        for parameter in trunk.parameters():
            torch.nn.init.normal_(parameter, 0, 0.3)
        image = torch.rand(1, 3, 32, 32, dtype=torch.float64) * 2 - 1
    with torch.no_grad():
        told, _ = trunk(image)
        wanted = plain(dict(trunk.vit.state_dict()), image[0], TINY["heads"], TINY["patch"])
    torch.testing.assert_close(told[0], wanted)


def test_images_of_other_sizes_are_padded_to_whole_patches() -> None:
    with seeded(0):
        trunk = Trunk(**TINY).eval()
        image = torch.rand(1, 3, 20, 47)
    with torch.no_grad():
        padded = torch.nn.functional.pad(image, (0, 1, 0, 4))
        for found, wanted in zip(trunk(image), trunk(padded), strict=True):
            torch.testing.assert_close(found, wanted)
        assert trunk(image)[1].shape == (1, 12, 3, 6)


@pytest.mark.parametrize("loss", [WGANGP(), Vanilla(r1=1.0, r1_every=1), Hinge(r1=1.0, r1_every=1)])
def test_penalties_have_second_derivatives(loss: Any) -> None:
    """The penalty's slope in the weights is what small steps of them find."""
    with seeded(0):
        judge = ViTDiscriminator(**TINY)
        init_weights(judge, gain=0.2)
        real, fake = (torch.rand(2, 3, 32, 32) * 2 - 1 for _ in range(2))

    def penalty() -> Tensor:
        torch.manual_seed(1)
        losses = loss.discriminator_losses(judge, real, fake)
        return losses.get("d_penalty", losses.get("d_r1"))

    parameters = [p for n, p in judge.named_parameters() if n.endswith("qkv.weight")]
    found = torch.autograd.grad(penalty(), parameters)
    length = torch.stack([slope.square().sum() for slope in found]).sum().sqrt()
    assert length > 0
    values = []
    for step in (0.01, -0.01):
        with torch.no_grad():
            for parameter, slope in zip(parameters, found, strict=True):
                parameter.add_(step * slope / length)
        values.append(penalty().item())
        with torch.no_grad():
            for parameter, slope in zip(parameters, found, strict=True):
                parameter.sub_(step * slope / length)
    assert (values[0] - values[1]) / 0.02 == pytest.approx(length.item(), rel=0.05)


def test_fused_attention_has_none() -> None:
    """Why the discriminator's attention is explicit; where torch learns them, it need not be."""
    trunk = Trunk(**TINY)
    assert trunk.vit.blocks[0].attn.fused_attn
    with pytest.raises(RuntimeError, match=r"not implemented|derivative"):
        torch.stack(
            [s.square().sum() for s in slopes(lambda x: [trunk(x)[0]], torch.rand(1, 3, 32, 32))]
        ).sum().backward()


def test_a_class_is_judged_by_the_class_token() -> None:
    with seeded(0):
        judge = ViTDiscriminator(**TINY, condition=4).eval()
        image = torch.rand(2, 3, 32, 32) * 2 - 1
    one, two = (torch.eye(4)[[place, place]] for place in (0, 1))
    with torch.no_grad():
        (patches, first), (same, second), (told, _) = judge(image, one), judge(image, two), judge.trunk(image)
        assert torch.equal(patches, same)
        weight = judge.projection.weight  # type: ignore[union-attr]
        torch.testing.assert_close(first - second, (told @ (weight[:, 0] - weight[:, 1]))[:, None])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model": "vit_nano"}, "timm has no network 'vit_nano'"),
        ({"model": "resnet18"}, "'resnet18'"),
        ({"heads": 5}, "heads divide dim"),
        ({"weights": "nowhere.safetensors"}, r"weights='nowhere.safetensors' cannot be read"),
        ({"weights": "nowhere.pth"}, r"weights='nowhere.pth' cannot be read"),
    ],
)
def test_what_does_not_fit_is_said(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ViTEncoder(**{**TINY, **options})


def test_weights_of_another_network_are_refused(timms: tuple[torch.nn.Module, Path]) -> None:
    with pytest.raises(ConfigError, match="are no weights for timm's 'vit_tiny_patch16_224' of these sizes"):
        ViTEncoder(**{**TINY, "weights": str(timms[1])})


def test_statistics_of_imagenet_are_those_of_its_images() -> None:
    """A pixel at ImageNet's mean becomes 0, in each of two images side by side in the channels."""
    trunk = Trunk(**TINY, in_channels=6, statistics="imagenet")
    seen = []
    trunk.vit.patch_embed.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    mean = torch.tensor([0.485, 0.456, 0.406] * 2).view(1, 6, 1, 1)
    trunk((2 * mean - 1).expand(1, 6, 32, 32))
    assert seen[0].abs().max() < 1e-5


def test_it_encodes_for_bicyclegan_and_judges_for_gan() -> None:
    from i2izoo.testing.training import batches, stepper_of

    tiny = {name: value for name, value in TINY.items() if name != "model"}
    unet = {"name": "unet_256", "width": 4, "depth": 3}
    dcgan = {"name": "dcgan", "width": 4}
    vit = {"name": "vit", **tiny}
    for method, options in (
        ("bicyclegan", {"encoder": vit, "generator": unet, "discriminator": vit}),
        ("gan", {"size": 16, "generator": dcgan, "discriminator": vit | {"augment": "ada"}, "gan_loss": "hinge"}),
        ("gan", {"size": 16, "generator": dcgan, "discriminator": vit, "classes": ["a", "b"]}),
    ):  # fmt: skip
        model = i2izoo.create(method, **options).method
        stepper = stepper_of(model)
        for batch in batches(model, 2):
            assert all(torch.isfinite(value) for value in stepper.run([batch]).values())
