"""CUT and FastCUT: parity with the public code, what a step does, import of its checkpoints, and what they learn."""

import copy
import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from golden import Golden, assert_equal
from i2izoo_gan.cut import CUT, FastCUT
from i2izoo_gan.patchnce import PatchSampler, patch_nce, random_positions
from steps import batch, train
from torch import Tensor, nn

import i2izoo
from i2izoo.cli.main import main
from i2izoo.contracts.registry import registry
from i2izoo.errors import ConfigError, I2IZooError
from i2izoo.interfaces import AdversarialLoss, Batch
from i2izoo.models.foreign import read_state_dict
from i2izoo.testing.training import stepper_of
from i2izoo.training.config import TrainingOptions
from i2izoo.training.schedule import Schedule

RESNET = {"name": "resnet_6blocks", "width": 2, "blocks": 1}
TINY = {
    "generator": RESNET, "discriminator": {"name": "patchgan", "width": 2, "layers": 1},
    "layers": ["pad_in", "down1", "block1"], "patches": 8, "projection": 4,
}  # fmt: skip
PAPER_LAYERS = ["pad_in", "down1", "down2", "block1", "block5"]
ORIGINAL_PLACES = (0, 4, 8, 12, 16)


def parameters(module):
    return {name: p.detach().clone() for name, p in module.named_parameters()}


# ---------------------------------------------------------------------------------------------- the paper's settings


@pytest.mark.parametrize(
    ("kind", "nce", "identity", "flip", "epochs"),
    [(CUT, 1.0, 1.0, False, (200, 200)), (FastCUT, 10.0, 0.0, True, (150, 50))],
)
def test_the_two_settings_of_the_paper(kind, nce, identity, flip, epochs):
    small = {"generator": {"name": "resnet_6blocks", "width": 2}, "discriminator": {"name": "patchgan", "width": 2}}
    config = kind(**small).config
    found = [config[k] for k in ("nce_weight", "identity_weight", "flip_equivariance", "patches", "temperature")]
    assert found == [nce, identity, flip, 256, 0.07]
    assert config["layers"] == PAPER_LAYERS
    assert (kind.recipe["epochs"], kind.recipe["decay_epochs"]) == epochs
    assert kind(**small, nce_weight=0.5).config["nce_weight"] == 0.5


@pytest.mark.parametrize("kind", [CUT, FastCUT])
@pytest.mark.parametrize("steps_per_epoch", [1, 7])
def test_a_training_that_says_nothing_stops_jittering_with_the_first_epoch_of_the_fall(kind, steps_per_epoch):
    """As the authors' unaligned_dataset.py: load size = crop size where the epoch, from 1, is above n_epochs. That is
    the epoch whose rate is the first below 1."""
    options = TrainingOptions.of(kind.recipe, {})
    schedule = Schedule.of(options, steps_per_epoch)
    until = [schedule.progress(step) < options.jitter_share for step in range(schedule.total)]
    assert until == [step < kind.recipe["epochs"] * steps_per_epoch for step in range(schedule.total)]
    assert until == [schedule.factor(step) == 1 for step in range(schedule.total)]


def test_the_papers_networks_are_antialiased():
    config = CUT().config
    assert config["generator"]["name"] == "resnet_9blocks"
    assert config["generator"]["antialias"]
    assert config["discriminator"]["antialias"]
    assert config["gan_loss"] == {"name": "lsgan"}


@pytest.mark.parametrize(("antialias", "fields"), [(True, [1, 9, 15, 35, 99]), (False, [1, 9, 13, 29, 93])])
def test_default_layers_see_what_the_papers_do(antialias, fields):
    """Side of the square of pixels that one feature depends on; the names mean the same places in both networks."""
    sizes = {"width": 1, "norm": "none", "antialias": antialias}
    generator = registry("generators").build({"name": "resnet_6blocks", **sizes}).double()
    for p in generator.parameters():
        nn.init.constant_(p, 0.1)
    image = torch.ones(1, 3, 160, 160, dtype=torch.double, requires_grad=True)
    for name, field in zip(PAPER_LAYERS, fields, strict=True):
        feature = generator.features(image, [name])[name]
        middle = feature[0, 0, feature.shape[2] // 2, feature.shape[3] // 2]
        (reach,) = torch.autograd.grad(middle, image)
        assert int(reach[0, 0].any(0).sum()) == field, name


# ------------------------------------------------------------------------------------- parity with the public code


def golden_cut(tmp_path):
    golden = Golden("cut_resnet_9blocks_patchnce")
    files = {}
    for name, prefix in (("latest_net_G.pth", "state.generator."), ("latest_net_F.pth", "state.patch_sampler.")):
        torch.save(Golden("cut_resnet_9blocks_patchnce", prefix).state, tmp_path / name)
        files[name] = read_state_dict(tmp_path / name)
    return golden, CUT.import_checkpoints(files).eval()


@torch.inference_mode()
def test_features_sampler_and_loss_of_every_patch(tmp_path):
    golden, method = golden_cut(tmp_path)
    assert method.layers == PAPER_LAYERS
    positions = [golden[f"input.patch_ids_{i}"] for i in ORIGINAL_PLACES]
    image = method(golden["input.source"], to="target")
    assert_equal(image, golden["output.image"])

    encoded = method.generator.features(golden["input.source"], method.layers)
    for place, name in zip(ORIGINAL_PLACES, method.layers, strict=True):
        assert_equal(encoded[name], golden[f"output.feature_{place}"])
    keys = method.sampler(list(encoded.values()), positions)
    encoded = method.generator.features(golden["input.target"], method.layers)
    queries = method.sampler(list(encoded.values()), positions)
    for place, query, key in zip(ORIGINAL_PLACES, queries, keys, strict=True):
        assert_equal(key.flatten(0, 1), golden[f"output.key_{place}"])
        assert_equal(query.flatten(0, 1), golden[f"output.query_{place}"])
        assert_equal(patch_nce(query, key, 0.07).flatten(), golden[f"output.nce_{place}"])


# ------------------------------------------------------------------------------------------------ PatchNCE by itself


def original_nce(query, key, rows, temperature):
    """The public code's loss: the positive beside all similarities, with the diagonal at -10. (rows x P) x D each;
    `rows` is 1 for negatives from the whole batch."""
    positive = (query * key).sum(1, keepdim=True)
    query, key = query.view(rows, -1, query.shape[1]), key.view(rows, -1, key.shape[1])
    negative = torch.bmm(query, key.transpose(2, 1))
    negative.masked_fill_(torch.eye(query.shape[1], dtype=torch.bool)[None], -10.0)
    logits = torch.cat([positive, negative.view(-1, query.shape[1])], dim=1) / temperature
    return F.cross_entropy(logits, torch.zeros(len(logits), dtype=torch.long), reduction="none")


@pytest.mark.parametrize(("negatives", "rows"), [("image", 3), ("batch", 1)])
def test_patch_nce_against_the_public_code(negatives, rows):
    torch.manual_seed(0)
    query, key = (F.normalize(torch.randn(3, 5, 4, dtype=torch.double), dim=2) for _ in range(2))
    found = patch_nce(query, key, 0.07, negatives)
    assert found.shape == (3, 5)
    torch.testing.assert_close(found.flatten(), original_nce(query.flatten(0, 1), key.flatten(0, 1), rows, 0.07))


@pytest.mark.parametrize(("negatives", "others"), [("image", 4), ("batch", 14)])
def test_patch_nce_counts_its_negatives(negatives, others):
    alike = torch.ones(3, 5, 1)
    torch.testing.assert_close(patch_nce(alike, alike, 0.07, negatives), torch.full((3, 5), math.log(1 + others)))


def test_no_gradient_reaches_the_keys():
    query, key = (torch.rand(1, 4, 3, requires_grad=True) for _ in range(2))
    patch_nce(query, key).sum().backward()
    assert query.grad.any()
    assert key.grad is None


def test_patch_nce_is_single_precision_under_autocast():
    torch.manual_seed(0)
    query, key = (F.normalize(torch.randn(1, 6, 8), dim=2) for _ in range(2))
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(patch_nce(query, key), patch_nce(query.float(), key.float()))
        found = patch_nce(query, key)
    torch.testing.assert_close(found, patch_nce(query, key))


def test_positions_are_drawn_without_repetition():
    torch.manual_seed(0)
    few, all_of_them = random_positions([torch.zeros(2, 3, 8, 8), torch.zeros(2, 3, 3, 3)], 16)
    assert len(few) == len(few.unique()) == 16
    assert few.max() < 64
    assert sorted(all_of_them.tolist()) == list(range(9))
    assert not torch.equal(few, random_positions([torch.zeros(2, 3, 8, 8)], 16)[0])


def test_the_sampler_takes_the_named_positions():
    sampler = PatchSampler([1], projection=2)
    for linear in (sampler.heads[0][0], sampler.heads[0][2]):
        nn.init.eye_(linear.weight)
        nn.init.zeros_(linear.bias)
    sampler.heads[0][0].bias.data[1] = 1.0  # a position with feature f becomes (f, 1), normalised
    feature = torch.arange(6.0).view(1, 1, 2, 3)
    (vectors,) = sampler([feature], [torch.tensor([5, 0])])
    torch.testing.assert_close(vectors[0], torch.tensor([[5 / 26**0.5, 1 / 26**0.5], [0.0, 1.0]]))


def test_a_patch_without_features_has_a_gradient():
    """The public code's norm, a square root, gives NaN for a vector of zeros."""
    sampler = PatchSampler([2], projection=3)
    nn.init.zeros_(sampler.heads[0][2].bias)
    nn.init.constant_(sampler.heads[0][0].bias, -9.0)
    (vectors,) = sampler([torch.zeros(1, 2, 2, 2)], [torch.arange(4)])
    patch_nce(vectors, torch.rand(1, 4, 3)).sum().backward()
    assert not vectors.any()
    assert all(torch.isfinite(p.grad).all() for p in sampler.parameters())


# ------------------------------------------------------------------------------ against a plain form of the public code


def plain_nce(G, heads, names, target, source, mirrored, patches):
    """calculate_NCE_loss of the public code, less its weight."""
    queries, keys = G.features(target, names), G.features(source, names)
    ids = [torch.randperm(keys[n].shape[2] * keys[n].shape[3])[:patches] for n in names]
    total = 0.0
    for name, head, index in zip(names, heads, ids, strict=True):
        pooled = []
        for feature in (torch.flip(queries[name], [3]) if mirrored else queries[name], keys[name]):
            rows = head(feature.permute(0, 2, 3, 1).flatten(1, 2)[:, index, :].flatten(0, 1))
            pooled.append(rows / (rows.pow(2).sum(1, keepdim=True).pow(0.5) + 1e-7))
        total = total + original_nce(pooled[0], pooled[1].detach(), len(source), 0.07).mean()
    return total / len(names)


@pytest.mark.parametrize(("kind", "norm"), [(CUT, "instance"), (CUT, "batch"), (FastCUT, "instance")])
def test_five_steps_against_plain_torch(kind, norm):
    """The public code translates x and y in one batch, which a batch norm notices."""
    torch.manual_seed(0)
    # as wide that no patch has a vector of zeros, where the public code's norm has no gradient
    generator = TINY["generator"] | {"norm": norm}
    method = kind(**TINY | {"projection": 16, "generator": generator}, init_gain=0.5).double()
    G, D, H = (copy.deepcopy(n) for n in (method.generator, method.discriminator, method.sampler.heads))
    g_step, d_step, h_step = (torch.optim.Adam(n.parameters(), lr=2e-4, betas=(0.5, 0.999)) for n in (G, D, H))
    mse, names = nn.MSELoss(), TINY["layers"]
    ours, coins = stepper_of(method), []
    for step, seed in enumerate(range(5)):  # their coins fall differently
        data = batch(step=step, dtype=torch.float64)
        x, y = data["source"], data["target"]
        logged = ours.run([data], lambda micro, seed=seed: torch.manual_seed(seed))

        torch.manual_seed(seed)
        mirrored = kind is FastCUT and torch.rand(()).item() < 0.5
        coins.append(mirrored)
        real = torch.cat((x, y), dim=0) if kind is CUT else x
        translated = G(torch.flip(real, [3]) if mirrored else real)
        fake, same = translated[: len(x)], translated[len(x) :]
        d_step.zero_grad()
        real, false = D(y)[0], D(fake.detach())[0]
        d_loss = 0.5 * (mse(false, torch.zeros_like(false)) + mse(real, torch.ones_like(real)))
        d_loss.backward()
        d_step.step()
        g_step.zero_grad()
        h_step.zero_grad()
        judged = D(fake)[0]
        losses = {"gan": mse(judged, torch.ones_like(judged))}
        losses["nce"] = (1 if kind is CUT else 10) * plain_nce(G, H, names, fake, x, mirrored, 8)
        if kind is CUT:
            losses["identity"] = plain_nce(G, H, names, same, y, False, 8)
        sum(losses.values()).backward()
        g_step.step()
        h_step.step()

        losses["d_gan"] = d_loss
        assert logged.keys() == losses.keys()
        for name, loss in losses.items():
            torch.testing.assert_close(logged[name], loss.detach().float(), rtol=1e-5, atol=1e-5)
        for own, plain in ((method.generator, G), (method.discriminator, D), (method.sampler.heads, H)):
            torch.testing.assert_close(own.state_dict(), plain.state_dict(), rtol=1e-7, atol=1e-8)
    assert set(coins) == ({True, False} if kind is FastCUT else {False})


# -------------------------------------------------------------------------------------------------------- the method


def test_each_update_gives_a_gradient_to_its_own_networks_only():
    method = CUT(**TINY)
    ours, order = stepper_of(method), []
    for update in method.training_step(batch()):
        order.append(update.receivers)
        ours._backward(update, 1)
        for name in ("generator", "sampler", "discriminator"):
            grads = [p.grad for p in getattr(method, name).parameters()]
            if name in update.receivers:
                assert any(g is not None and g.any() for g in grads), name
            else:
                assert all(g is None for g in grads), name
        method.zero_grad()
    assert order == [("discriminator",), ("generator", "sampler")]


def test_the_sampler_is_there_before_the_first_batch():
    method = CUT(**TINY)
    held = {id(p) for group in method.optimizers()["sampler"].param_groups for p in group["params"]}
    assert held == {id(p) for p in method.sampler.parameters()}
    assert [head[0].in_features for head in method.sampler.heads] == [3, 4, 8]
    assert "sampler.heads.2.0.weight" in method.state_dict()
    assert not any(name.startswith("sampler") for name in method.inference_state())


def test_mirrored_images_give_the_same_contrast():
    """Of an encoder that commutes with mirroring: whether the image was mirrored must not show."""
    torch.manual_seed(0)
    method = FastCUT(**TINY | {"layers": ["pad_in", "conv_in"]}, init_gain=0.5).double()
    weight = method.generator.layers.conv_in.weight.data
    weight += weight.flip(3)
    x = batch(dtype=torch.float64)["source"]
    values = []
    for mirrored in (False, True):
        torch.manual_seed(1)
        image = x.flip(3) if mirrored else x
        values.append(method._patch_nce(image, x, mirrored))
    torch.testing.assert_close(values[0], values[1])


def test_terms_can_be_switched_off():
    data = batch()
    assert stepper_of(CUT(**TINY)).run([data]).keys() == {"d_gan", "gan", "nce", "identity"}
    assert stepper_of(CUT(**TINY, identity_weight=0.0)).run([data]).keys() == {"d_gan", "gan", "nce"}
    alone = CUT(**TINY, nce_weight=0.0, identity_weight=0.0)
    assert list(alone.optimizers()) == ["generator", "discriminator"]
    assert stepper_of(alone).run([data]).keys() == {"d_gan", "gan"}
    contrast = CUT(**TINY, gan_weight=0.0)
    assert list(contrast.optimizers()) == ["generator", "sampler"]
    assert stepper_of(contrast).run([data]).keys() == {"nce", "identity"}


def adversarial_losses():
    losses = registry("losses")
    ours = [n for n in losses.names() if losses.find(n).distribution == "i2izoo"]
    return [n for n in ours if issubclass(losses.get(n), AdversarialLoss)]


@pytest.mark.parametrize("gan_loss", adversarial_losses())
@pytest.mark.parametrize("kind", [CUT, FastCUT])
def test_every_gan_loss_trains(kind, gan_loss):
    torch.manual_seed(0)
    method = kind(**TINY, gan_loss=gan_loss, discriminator_steps=2)
    ours, before = stepper_of(method), parameters(method)
    first = ours.run([batch(step=0)])
    assert "gan" not in first
    assert ("d_penalty" in first) == (gan_loss == "wgangp")
    second = ours.run([batch(step=1)])
    assert {"d_gan", "gan", "nce"} <= second.keys()
    assert all(torch.isfinite(loss) for loss in second.values())
    assert not [n for n, p in method.named_parameters() if n.endswith("weight") and torch.equal(p, before[n])]


def test_images_of_the_two_domains_may_differ_in_size():
    data = Batch({"source": torch.zeros(1, 3, 16, 24), "target": torch.zeros(1, 3, 20, 16)})
    assert all(torch.isfinite(loss) for loss in stepper_of(CUT(**TINY)).run([data]).values())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"domains": ["a", "a"]}, "different names"),
        ({"layers": []}, "one or more different layers"),
        ({"layers": ["down1", "down1"]}, "one or more different layers"),
        ({"layers": ["donw1"]}, "did you mean 'down1'"),
        ({"layers": ["block5"]}, "no layer 'block5'"),  # the tiny generator has one block
        ({"generator": {"name": "unet_256", "width": 2, "depth": 3}}, "no layer 'pad_in'. Layers: e1, e2, e3"),
        ({"temperature": 0.0}, "above 0 to 1e6"),
        ({"gan_weight": 0.0, "nce_weight": 0.0, "identity_weight": 0.0}, "nothing to learn"),
        ({"negatives": "all"}, "one of 'image', 'batch'"),
    ],
)
def test_mistakes_are_named(options, words):
    with pytest.raises(I2IZooError, match=words):
        CUT(**{**TINY, **options})


# ---------------------------------------------------------------------------------------------- original checkpoints


class Blur(nn.Module):
    """The original's antialiased downsampling, which stores its fixed filter in the state dict."""

    def __init__(self, channels):
        super().__init__()
        row = torch.tensor([1.0, 2.0, 1.0])
        self.register_buffer("filt", (row[:, None] * row / 16).expand(channels, 1, 3, 3).clone())

    def forward(self, x):
        return F.conv2d(F.pad(x, (1, 1, 1, 1), mode="reflect"), self.filt, stride=2, groups=len(self.filt))


def original_discriminator(width=2):
    layers = [nn.Conv2d(3, width, 4, 1, 1), nn.LeakyReLU(0.2), Blur(width)]
    for before, after in ((width, 2 * width), (2 * width, 4 * width)):
        layers += [nn.Conv2d(before, after, 4, 1, 1), nn.InstanceNorm2d(after), nn.LeakyReLU(0.2), Blur(after)]
    layers += [nn.Conv2d(4 * width, 8 * width, 4, 1, 1), nn.InstanceNorm2d(8 * width), nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers, nn.Conv2d(8 * width, 1, 4, 1, 1)).eval()


@torch.inference_mode()
@pytest.mark.parametrize("name", ["cut", "fastcut"])
def test_checkpoints_are_imported_by_the_command_line(tmp_path, name, capsys):
    golden = Golden("cut_resnet_9blocks_patchnce")
    torch.save(Golden("cut_resnet_9blocks_patchnce", "state.generator.").state, tmp_path / "latest_net_G.pth")
    torch.save(Golden("cut_resnet_9blocks_patchnce", "state.patch_sampler.").state, tmp_path / "latest_net_F.pth")
    discriminator = original_discriminator()
    torch.save({f"model.{k}": v for k, v in discriminator.state_dict().items()}, tmp_path / "latest_net_D.pth")
    files = [str(tmp_path / f"latest_net_{role}.pth") for role in "DFG"]
    assert main(["import", name, *files, "--out", str(tmp_path / "out"), "domains=horse,zebra"]) == 0
    method = i2izoo.load(str(tmp_path / "out")).method
    assert method.config["projection"] == 16
    assert method.config["nce_weight"] == {"cut": 1.0, "fastcut": 10.0}[name]
    assert_equal(method(golden["input.source"], to="zebra"), golden["output.image"])


@torch.inference_mode()
def test_an_antialiased_discriminator_is_the_originals():
    discriminator = original_discriminator()
    files = {
        "latest_net_G.pth": Golden("cut_resnet_9blocks_patchnce", "state.generator.").state,
        "latest_net_D.pth": {f"model.{k}": v for k, v in discriminator.state_dict().items()},
    }
    method = CUT.import_checkpoints(files).eval()
    image = torch.randn(1, 3, 64, 64)
    assert_equal(method.discriminator(image)[0], discriminator(image))


def test_without_antialiasing_the_originals_places_are_other_layers():
    plain = Golden("generator_resnet_9blocks_instance").state
    mlps = nn.ModuleDict(
        {
            f"mlp_{i}": nn.Sequential(nn.Linear(c, 6), nn.ReLU(), nn.Linear(6, 6))
            for i, c in enumerate((3, 8, 16, 16, 16))
        }
    )
    files = {"latest_net_G.pth": plain, "latest_net_F.pth": mlps.state_dict()}
    method = CUT.import_checkpoints(files)
    assert method.layers == ["pad_in", "down1", "down2_relu", "block3", "block7"]  # 8 is a norm, with a ReLU behind it
    assert method.config["generator"]["antialias"] is False
    assert torch.equal(method.sampler.heads[4][2].bias, mlps["mlp_4"][2].bias)
    two = {k: v for k, v in mlps.state_dict().items() if k[4] in "01"}
    named = CUT.import_checkpoints({**files, "latest_net_F.pth": two}, layers=["pad_in", "down1"])
    assert torch.equal(named.sampler.heads[1][0].weight, mlps["mlp_1"][0].weight)
    with pytest.raises(ConfigError, match="MLPs for 2 layers, not 5; name the layers"):
        CUT.import_checkpoints({**files, "latest_net_F.pth": two})


def original_encoder(width, blocks):
    """The public code's generator up to its residual blocks, without anti-aliasing: its ReLUs work in place."""

    class Block(nn.Module):
        def __init__(self, channels):
            super().__init__()
            layers = [
                nn.ReflectionPad2d(1),
                nn.Conv2d(channels, channels, 3),
                nn.InstanceNorm2d(channels),
                nn.ReLU(True),
            ]
            layers += [nn.ReflectionPad2d(1), nn.Conv2d(channels, channels, 3), nn.InstanceNorm2d(channels)]
            self.conv_block = nn.Sequential(*layers)

        def forward(self, x):
            return x + self.conv_block(x)

    layers = [nn.ReflectionPad2d(3), nn.Conv2d(3, width, 7), nn.InstanceNorm2d(width), nn.ReLU(True)]
    for before in (width, 2 * width):
        after = 2 * before
        layers += [nn.Conv2d(before, after, 3, 2, 1), nn.InstanceNorm2d(after), nn.ReLU(True)]
    return nn.Sequential(*layers, *(Block(4 * width) for _ in range(blocks)))


@torch.no_grad()
@pytest.mark.parametrize("places", [(0, 4, 8, 12, 16), (0, 2, 5, 8)])
def test_what_the_original_compares_without_antialiasing(places, monkeypatch):
    """Features as its `forward(encode_only=True)` collects them: the last of (0, 2, 5, 8) is a norm that no ReLU has
    touched, and 2 and 5 are norms that one has."""
    state = Golden("generator_resnet_9blocks_instance").state
    plain = original_encoder(4, 9)
    plain.load_state_dict({k[6:]: v for k, v in state.items() if k[6:] in plain.state_dict()})
    image, feats = torch.rand(1, 3, 32, 32) * 2 - 1, []
    x = image
    for index, layer in enumerate(plain):
        x = layer(x)
        if index in places:
            feats.append(x)
        if index == places[-1]:
            break
    monkeypatch.setattr("i2izoo_gan.import_cut.ORIGINAL_LAYERS", places)
    method = CUT.import_checkpoints({"latest_net_G.pth": state})
    found = method.generator.features(image, method.layers)
    for name, feature in zip(method.layers, feats, strict=True):
        assert_equal(found[name], feature)


@pytest.mark.parametrize(
    ("golden", "prefix", "layers"),
    [
        ("generator_resnet_9blocks_instance", "state.", ["pad_in", "down1_relu", "down2_relu", "block3", "block7"]),
        ("cut_resnet_9blocks_patchnce", "state.generator.", ["pad_in", "down1_relu", "down2_relu", "block1", "block5"]),
    ],
)
def test_without_norm_a_convolution_is_what_its_relu_leaves(golden, prefix, layers):
    """The original's Identity gives back the tensor that it is given, on which the ReLU then works in place."""
    files = {"latest_net_G.pth": Golden(golden, prefix).state}
    assert CUT.import_checkpoints(files, generator={"norm": "none"}).layers == layers


def test_features_are_those_of_the_layer_that_is_named():
    """What a ReLU that works in place does to it afterwards does not show."""
    for norm in ("instance", "none"):
        generator = registry("generators").build({"name": "resnet_6blocks", "width": 2, "norm": norm})
        image = torch.rand(1, 3, 16, 16)
        together = generator.features(image, ["conv_in", "conv_in_norm", "conv_in_relu", "block1"])
        torch.testing.assert_close(together["conv_in"], generator.layers.conv_in(generator.layers.pad_in(image)))
        assert (together["conv_in_norm"] < 0).any()
        torch.testing.assert_close(together["conv_in_relu"], together["conv_in_norm"].relu())


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["latest_net_F.pth"], r"CUT imports files named \.\.\._G, _F, _D, at most one each"),
        (["a_net_G.pth", "b_net_G.pth"], r"CUT imports files named \.\.\._G, _F, _D, at most one each"),
        (["latest_net_G.pth", "latest_net_F.pth"], "not CUT's patch sampler"),
    ],
)
def test_missing_and_surplus_files_are_named(names, words):
    state = Golden("generator_resnet_9blocks_instance").state
    with pytest.raises(ConfigError, match=words):
        CUT.import_checkpoints(dict.fromkeys(names, state))


def test_a_generator_between_unequal_channels_is_refused():
    state = dict(Golden("generator_unet_256_batch").state)
    state["model.model.0.weight"] = state["model.model.0.weight"][:, :1]
    with pytest.raises(ConfigError, match="CUT has a generator of equal channels; found 1 and 3"):
        CUT.import_checkpoints({"latest_net_G.pth": state})


# ---------------------------------------------------------------------------------------------------------- learning

TINT = torch.tensor([0.4, 0.0, -0.4]).view(1, 3, 1, 1)


def blobs(count, generator):
    """Smooth random images N x 1 x 32 x 32 in [-1, 1]."""
    noise = torch.randn(count, 1, 6, 6, generator=generator)
    return F.interpolate(noise, size=(32, 32), mode="bicubic").mul(1.5).tanh()


def grey(shape):
    return 0.5 * shape.expand(-1, 3, -1, -1)


def tinted(shape):
    return TINT + 0.4 * shape.expand(-1, 3, -1, -1)


def trained(kind, steps, seed, norm="none", learning_rate=2e-3, **options):
    """Train on grey images and on tinted ones of other shapes.

    The discriminator has no norm unless asked for: one takes away the mean colour that this is about, and one run in
    ten then learned another.

    Returns:
        For held-out images, the mean correlation with the true partner, and the distance of the mean colours.
    """
    method = train(
        lambda: kind(
            generator={"name": "resnet_6blocks", "width": 8, "blocks": 2},
            discriminator={"name": "patchgan", "width": 16, "layers": 2, "norm": norm},
            layers=["pad_in", "down1", "down2", "block1"], patches=64, projection=32, learning_rate=learning_rate,
            **options,
        ),
        lambda draw: {"source": grey(blobs(4, draw)), "target": tinted(blobs(4, draw))}, steps=steps, seed=seed,
    )  # fmt: skip
    shapes = blobs(16, torch.Generator().manual_seed(99 + seed))
    with torch.inference_mode():
        made, truth = method(grey(shapes), to="target"), tinted(shapes)
    pairs = zip(made.mean(1), truth.mean(1), strict=True)
    correlation = torch.stack([torch.corrcoef(torch.stack([a.flatten(), b.flatten()]))[0, 1] for a, b in pairs])
    return correlation.mean().item(), (made - truth).mean((0, 2, 3)).abs().max().item()


@pytest.mark.parametrize(
    ("kind", "steps", "rate", "gan_loss"), [(CUT, 200, 1e-3, "lsgan"), (FastCUT, 150, 2e-3, "hinge")]
)
def test_it_learns_the_colours_and_keeps_the_structure(kind, steps, rate, gan_loss, learned, learning_seed):
    """Before training, the colours are 0.4 off and the correlation is about 0."""
    correlation, colour = trained(kind, steps, learning_seed, learning_rate=rate, gan_loss=gan_loss)
    learned("correlation", correlation, above=0.75, untrained=0.0)
    learned("distance of mean colours", colour, below=0.28, untrained=0.4)


def test_without_the_contrastive_loss_the_structure_is_lost(learned, learning_seed):
    correlation, _ = trained(CUT, 100, learning_seed, "instance", nce_weight=0.0, identity_weight=0.0)
    learned("correlation", correlation, below=0.6, untrained=1.0)


@pytest.mark.parametrize("generator", [{"name": "resnet_9blocks", "width": 4, "blocks": 2}])
@pytest.mark.parametrize("layers", [["pad_in", "down1", "block1"], ["down1_norm", "up1"]])
def test_the_source_is_encoded_once(generator: dict[str, Any], layers: list[str], monkeypatch: Any) -> None:
    """What the translation encodes on its way is what encoding the source once more gives: the same losses."""
    batch = Batch(images={"A": torch.rand(2, 3, 32, 32) * 2 - 1, "B": torch.rand(2, 3, 32, 32) * 2 - 1})
    found: list[dict[str, Tensor]] = []
    for encodes_again in (False, True):
        torch.manual_seed(0)
        method = CUT(generator=generator, layers=layers, patches=16, domains=["A", "B"])
        seen: list[int] = []
        features = method.generator.features
        monkeypatch.setattr(method.generator, "features", lambda *a, f=features, s=seen: (s.append(1), f(*a))[1])
        if encodes_again:
            monkeypatch.setattr("i2izoo_gan.cut._same_twice", lambda generator: False)
        found.append({k: v for update in method.training_step(batch) for k, v in update.losses.items()})
        assert len(seen) == (4 if encodes_again else 2)
    assert found[0].keys() == found[1].keys()
    for name, value in found[0].items():
        assert torch.allclose(value, found[1][name], rtol=1e-4), name


def test_the_source_is_encoded_again_where_that_would_differ() -> None:
    from i2izoo_gan.cut import _same_twice

    small = {"name": "resnet_9blocks", "width": 4, "blocks": 1}
    assert _same_twice(CUT(generator=small, layers=["down1"]).generator)
    for option in ({"norm": "batch"}, {"dropout": 0.5}):
        assert not _same_twice(CUT(generator={**small, **option}, layers=["down1"]).generator)
