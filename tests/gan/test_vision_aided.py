"""A discriminator with heads on a frozen extractor: what it sees, what learns, what is saved, with whom it works."""

import copy
import gc
import warnings

import pytest
import torch
from i2izoo_gan.patchgan import PatchGAN
from i2izoo_gan.vision_aided import VisionAided
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn
from training_run import trainer

import i2izoo
from i2izoo.contracts.annotations import part_interface
from i2izoo.contracts.config import schema
from i2izoo.contracts.frozen import frozen
from i2izoo.contracts.options import sort_options
from i2izoo.contracts.registry import registry
from i2izoo.errors import ConfigError, I2IZooError, MetricError
from i2izoo.interfaces import AdversarialLoss, Discriminator, FeatureExtractor
from i2izoo.nn.random import seeded

PATCHES = {"name": "patchgan", "width": 4, "layers": 2}
SEEN = []


class Doubled(FeatureExtractor):
    """Two maps of known values: twice the image, and its mean over 2 x 2 cells through weights."""

    tiny_options = {}  # noqa: RUF012

    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.Conv2d(3, 5, 1)
        self.loaded = 0

    def prepare(self, device):
        self.loaded += 1
        super().prepare(device)

    def forward(self, image):
        return self.maps(image)[1].mean((2, 3))

    def maps(self, image):
        SEEN.append(image.detach().clone())
        return [2 * image, self.mix(nn.functional.avg_pool2d(image, 2))]


class Rounding(FeatureExtractor):
    def forward(self, image):
        return image.round().mean((2, 3))


class Missing(FeatureExtractor):
    def forward(self, image):
        return image.mean((2, 3))

    def prepare(self, device):
        raise MetricError("needs missing.pth, which nobody has")


@pytest.fixture(autouse=True)
def extractors(monkeypatch):
    monkeypatch.setattr(registry("extractors"), "_registered", {})
    for part in (Doubled, Rounding, Missing):
        i2izoo.register("extractors", part.__name__.lower())(part)
    SEEN.clear()
    yield
    gc.collect()


def build(seed=0, **options):
    with seeded(seed):
        return VisionAided(**{"extractor": "doubled", "maps": [0, 1], "width": 4, "discriminator": PATCHES, **options})


def image(channels=3, seed=1, side=32, batch=2):
    with seeded(seed):
        return torch.rand(batch, channels, side, side) * 2 - 1


def test_logits_are_those_of_the_patches_then_of_the_heads():
    """Bit for bit the logits of the PatchGAN alone; each head is its three layers on its map, put together by hand."""
    judge = build().eval()
    alone = PatchGAN(**{k: v for k, v in PATCHES.items() if k != "name"}).eval()
    alone.load_state_dict(judge.discriminator.state_dict())
    x = image().requires_grad_()
    patches, *heads = judge(x)
    assert torch.equal(patches, alone(x)[0])
    mix = judge.extractor.extractor.mix
    maps = [2 * x, mix(x.unfold(2, 2, 2).unfold(3, 2, 2).mean((4, 5)))]
    assert [head.shape for head in heads] == [(2, 1, 32, 32), (2, 1, 16, 16)]
    for logits, layers, each in zip(heads, judge.heads, maps, strict=True):
        first, _, last = layers
        hidden = nn.functional.conv2d(each, first.weight, first.bias, padding=1)
        wanted = nn.functional.conv2d(torch.where(hidden > 0, hidden, 0.2 * hidden), last.weight, last.bias)
        torch.testing.assert_close(logits, wanted)
        found, expected = (torch.autograd.grad(out.square().sum(), x, retain_graph=True) for out in (logits, wanted))
        torch.testing.assert_close(found, expected)


def test_heads_have_spectral_norm():
    for layer in (m for m in build().train().heads.modules() if isinstance(m, nn.Conv2d)):
        assert 0.999 < torch.linalg.svdvals(layer.weight.detach().flatten(1))[0] < 1.1


def test_the_extractor_is_no_weight_of_the_discriminator():
    judge = build()
    assert not any("mix" in name or "extractor" in name for name in judge.state_dict())
    assert not any(isinstance(m, FeatureExtractor) for m in judge.modules())
    twin = copy.deepcopy(judge)
    assert twin.extractor is judge.extractor is build(seed=1).extractor  # one for all
    assert judge.extractor.extractor.loaded == 1
    judge.train()
    judge.double().float()
    assert not judge.extractor.extractor.training
    assert not any(p.requires_grad for p in judge.extractor.extractor.parameters())


def test_extractors_of_other_options_are_others():
    assert frozen({"name": "pixels", "size": 4})[0] is frozen({"name": "pixels", "size": 4})[0]
    assert frozen({"name": "pixels", "size": 4})[0] is not frozen({"name": "pixels", "size": 5})[0]


def test_grey_is_seen_as_rgb_and_a_condition_is_not_seen():
    grey = image(1)
    build(in_channels=1)(grey)
    assert torch.equal(SEEN[-1], grey.expand(-1, 3, -1, -1))
    pair = image(7)
    judge = build(in_channels=7)
    judge.condition_channels = 4
    assert len(judge(pair)) == 3
    assert torch.equal(SEEN[-1], pair[:, 4:])


def test_planes_of_classes_are_left_to_the_patches():
    judge = build(in_channels=12)
    with pytest.warns(UserWarning, match="images of 12 channels by patches alone: the extractor 'doubled'"):
        (logits,) = judge(image(12))
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # said once
        assert torch.equal(judge(image(12))[0], logits)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"extractor": "rounding"}, "'rounding' .* so no generator can learn from it"),
        ({"extractor": "missing"}, "the extractor 'missing' needs missing.pth, which nobody has"),
        ({"maps": [2]}, r"'doubled' has 2 maps, and maps=\[2\] asks for others"),
        ({"maps": [-3, 0]}, r"'doubled' has 2 maps, and maps=\[-3, 0\]"),
        ({"channels": [3]}, r"a number for each of maps, \[0, 1\]; found \[3\]"),
        ({"extractor": "nobody"}, "no extractor named 'nobody'"),
        ({"extractor": {"name": "pixels", "sise": 3}}, "no option 'sise'"),
    ],
)
def test_what_cannot_be_says_why(options, words):
    with pytest.raises(I2IZooError, match=words):
        build(**options)


def test_maps_of_another_network_are_refused():
    with pytest.raises(ConfigError, match=r"have \[3, 5\] channels, and the heads are for \[3, 6\]"):
        build(channels=[3, 6])(image())


def test_a_network_of_timm_judges(tmp_path, monkeypatch):
    """By the registry, with weights that timm would take from a file; random ones here."""
    timm = pytest.importorskip("timm")
    monkeypatch.setenv("I2IZOO_WEIGHTS", str(tmp_path))
    monkeypatch.setenv("I2IZOO_OFFLINE", "1")
    name = "test_resnet.r160_in1k"
    with seeded(0):
        network = timm.create_model(name, pretrained=False).eval()
    save_file(network.state_dict(), tmp_path / f"{name}.safetensors")
    judge = build(extractor={"name": "timm", "model": name}, maps=[-1]).eval()
    size, mean, std = (timm.data.resolve_model_data_config(network)[key] for key in ("input_size", "mean", "std"))
    x = image(side=size[-1])  # at its own size nothing is resized
    shift, scale = (torch.tensor(values).view(1, 3, 1, 1) for values in (mean, std))
    wanted = network.forward_intermediates(((x + 1) / 2 - shift) / scale, intermediates_only=True)[-1]
    torch.testing.assert_close(judge.extractor.maps(x)[-1], wanted, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(judge(x)[1], judge.heads[0](wanted), rtol=1e-4, atol=1e-4)


def test_label_maps_as_classes_are_judged_by_patches_and_photos_by_all():
    palette = [[0, 0, 170], [255, 0, 0], [0, 170, 255], [255, 255, 0], [0, 255, 0]]
    options = {
        "domains": ["label", "photo"],
        "label_maps": {"label": palette},
        "identity_weight": 0.0,
        "generator": {"name": "resnet_6blocks", "width": 4, "blocks": 1},
        "discriminator": {"name": "vision_aided", "extractor": "doubled", "maps": [0], "discriminator": PATCHES},
    }
    model = i2izoo.create("cyclegan", **options)
    with pytest.warns(UserWarning, match="images of 5 channels by patches alone"):
        i2izoo.Trainer(
            model, {"name": "synthetic-facades", "count": 2, "size": 32}, steps=1, load_size=36, crop_size=32,
            progress=False, device="cpu",
        ).fit()  # fmt: skip
    assert {seen.shape[1] for seen in SEEN} == {3}


def test_options_of_its_parts_from_the_command_line():
    """Without a name they are those of the default part inside, as they are one level further out."""
    given = {
        "discriminator": "vision_aided",
        "discriminator.extractor.side": 64,
        "discriminator.discriminator.width": 8,
        "discriminator.discriminator.norm": "none",
        "discriminator.maps": [-1],
    }
    method = registry("methods").get("cyclegan")
    [options] = sort_options(given.items(), schema(method), where="cyclegan")
    assert options["discriminator"] == {
        "name": "vision_aided",
        "extractor": {"name": "efficientnet_lite0", "side": 64},
        "discriminator": {"name": "patchgan", "width": 8, "norm": "none"},
        "maps": [-1],
    }
    [other] = sort_options({**given, "discriminator.extractor": "pixels"}.items(), schema(method), where="cyclegan")
    assert other["discriminator"]["extractor"] == {"name": "pixels", "side": 64}  # which building refuses


def test_min_size_is_that_of_its_patches():
    assert build().min_size == PatchGAN(layers=2).min_size
    assert all(logits.numel() for logits in build()(image(side=build().min_size)))


def test_only_heads_and_patches_learn_and_are_saved(tmp_path):
    """After four steps the extractor is what it was, bit for bit, and no file has it; a resumed run is exact."""
    judge = {"name": "vision_aided", "extractor": "doubled", "maps": [-1], "width": 4, "discriminator": PATCHES}
    options = {"method": {"discriminator": judge, "conditional": True}, "checkpoint_every": 2}
    run = trainer("pix2pix", tmp_path / "whole", steps=4, **options)
    network = run.method.discriminator.extractor.extractor
    before = {name: value.clone() for name, value in network.state_dict().items()}
    heads = copy.deepcopy(run.method.discriminator.heads.state_dict())
    run.fit()
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    learnt = run.method.discriminator.heads.state_dict()
    assert not any(torch.equal(learnt[k], v) for k, v in heads.items() if k.endswith(("original", "bias")))
    trainer("pix2pix", tmp_path / "cut", steps=2, **options).fit()
    trainer("pix2pix", tmp_path / "cut", steps=4, resume="auto", **options).fit()
    files = ["model/model.safetensors", "checkpoints/step-00000004/training/state.safetensors"]
    for file in files:
        with safe_open(tmp_path / "whole" / file, "pt") as a, safe_open(tmp_path / "cut" / file, "pt") as b:
            assert [*a.keys()] == [*b.keys()]
            assert all(torch.equal(a.get_tensor(key), b.get_tensor(key)) for key in a.keys())  # noqa: SIM118
            assert not any("mix" in key for key in a.keys())  # noqa: SIM118
            if file == files[0]:
                assert not any(key.startswith("discriminator") for key in a.keys())  # noqa: SIM118


def test_a_model_opens_without_its_extractors_weights(tmp_path, monkeypatch):
    model = i2izoo.create(
        "pix2pix",
        generator={"name": "unet_256", "width": 4, "depth": 3},
        discriminator={"name": "vision_aided", "extractor": "doubled", "maps": [0], "discriminator": PATCHES},
    )
    model.save_pretrained(tmp_path)
    assert model.method.config["discriminator"]["channels"] == [3]
    monkeypatch.setattr(Doubled, "prepare", Missing.prepare)
    x = torch.rand(3, 16, 16) * 2 - 1
    del SEEN[:]
    loaded = i2izoo.load(tmp_path)
    assert torch.equal(loaded(x), model(x))
    assert not SEEN


def test_the_generator_learns_through_the_extractor_alone():
    """With heads as the only judges the gradient that a generator gets is that of the extractor's maps."""
    model = i2izoo.create(
        "pix2pix",
        generator={"name": "resnet_6blocks", "width": 4, "blocks": 1},
        discriminator={"name": "vision_aided", "extractor": "doubled", "maps": [-1], "discriminator": PATCHES},
    )
    method = model.method.train()
    x = image()
    logits = method.discriminator(torch.cat([x, method.generator(x)], 1))[1]
    slopes = torch.autograd.grad(logits.sum(), [*method.generator.parameters()], allow_unused=True)
    assert any(slope is not None and slope.any() for slope in slopes)


def _methods():
    for name in registry("methods").names():
        part = registry("methods").get(name)
        found = {n: part_interface(o.annotation) for n, o in schema(part).items()}
        judges = [n for n, kind in found.items() if kind is Discriminator]
        losses = [n for n, kind in found.items() if kind is AdversarialLoss]
        small = "text_share" in schema(part)  # its first images, tiny, are smaller than what the heads' patches see
        if judges and part.tiny_options is not None and not small:
            yield pytest.param(name, judges, losses, id=name)


@pytest.mark.filterwarnings("ignore:vision_aided judges")
@pytest.mark.parametrize(("name", "judges", "losses"), list(_methods()))
def test_every_method_trains_with_it(name, judges, losses):
    """One step of each method that has a discriminator, with each adversarial loss; the heads learn in it."""
    from i2izoo.testing.training import batches, stepper_of

    part = registry("methods").get(name)
    judge = {"name": "vision_aided", "extractor": "doubled", "maps": [0, 1], "width": 4, "discriminator": PATCHES}
    adversarial = [n for n in registry("losses").names() if issubclass(registry("losses").get(n), AdversarialLoss)]
    for loss in adversarial:
        with seeded(0):
            built = part(**part.tiny_options | dict.fromkeys(judges, judge) | dict.fromkeys(losses, loss))
        aided = [m for m in built.modules() if isinstance(m, VisionAided)]
        assert aided
        assert len({id(m.extractor) for m in aided}) == 1
        before = [copy.deepcopy(m.heads.state_dict()) for m in aided]
        stepper = stepper_of(built)
        with seeded(1):
            found = stepper.run(batches(built, 1))
        assert all(torch.isfinite(value) for value in found.values())
        assert {s.shape[1] for s in SEEN} == {3}
        for judge_of, heads in zip(aided, before, strict=True):
            now = judge_of.heads.state_dict()
            assert any(not torch.equal(now[k], v) for k, v in heads.items() if k.endswith("original")), (name, loss)


@pytest.mark.parametrize(
    ("extractor", "maps", "channels"),
    [
        ({"name": "efficientnet_lite0", "side": 64}, [-3, -2, -1], [40, 112, 320]),
        ("segmenter", [-1], [512]),
        ({"name": "pixels", "size": 8}, [-1], [192]),
    ],
)
def test_extractors_that_are_there(extractor, maps, channels):
    """Real networks: their maps' channels are found, and a generated image gets a gradient from every head."""
    judge = build(extractor=extractor, maps=maps).eval()
    assert judge.config["channels"] == channels
    x = image().requires_grad_()
    for logits in judge(x)[1:]:
        (slope,) = torch.autograd.grad(logits.sum(), x, retain_graph=True)
        assert torch.isfinite(slope).all()
        assert slope.abs().amax((1, 2, 3)).gt(0).all()
