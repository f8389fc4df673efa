"""UNIT: its networks, one set of shared layers wherever tensors are counted, its step, and that it learns."""

import copy
import itertools

import pytest
import torch
from i2izoo_gan.unit import UNIT, UNITLater
from i2izoo_gan.unit_nets import UNITDiscriminator, UNITGenerator, UNITPublic, UNITPublicDiscriminator
from steps import batch, train
from torch import nn

import i2izoo
from i2izoo.errors import ConfigError
from i2izoo.nn.random import randn
from i2izoo.testing.training import stepper_of
from i2izoo.training.ema import EMA

VAE = {"name": "unit", "width": 4, "blocks": 2, "dropout": 0.0}
DISCRIMINATOR = {"name": "unit", "width": 4, "layers": 2, "scales": 2}
PAIR = {"a": 3, "b": 3}
TINY = {"domains": ["a", "b"], "generator": VAE, "discriminator": DISCRIMINATOR}


def unit(**options):
    torch.manual_seed(0)
    return UNIT(**TINY | {"init": "kaiming"} | options)


def size(module):
    return sum(p.numel() for p in module.parameters())


# -------------------------------------------------------------------------------------------------------- networks


def convolution(before, after, kernel):
    return before * after * kernel**2 + after


def test_parameters_of_the_paper_s_networks():
    """By the table of layers: four residual blocks of 256 channels on each side of the code."""
    block = 2 * convolution(256, 256, 3)
    ends = convolution(3, 64, 7) + convolution(64, 128, 3) + convolution(128, 256, 3)
    ends += convolution(256, 128, 3) + convolution(128, 64, 3) + convolution(64, 3, 1)
    assert size(UNITGenerator()) == ends + 8 * block
    assert size(UNITGenerator(shared_blocks=1)) == ends + 6 * block
    ends = convolution(3, 64, 7) + convolution(64, 128, 4) + convolution(128, 256, 4)
    ends += convolution(256, 128, 5) + 256 + convolution(128, 64, 5) + 128 + convolution(64, 3, 7)
    assert size(UNITPublic()) == ends + 8 * block
    scale = sum(itertools.starmap(convolution, ((3, 64, 3), (64, 128, 3), (128, 256, 3), (256, 512, 3), (512, 1, 1))))
    assert size(UNITDiscriminator()) == 3 * scale


@pytest.mark.parametrize(
    ("network", "fields"),
    [
        (UNITDiscriminator(width=2), (31, 63, 127)),
        (UNITDiscriminator(width=2, kernel=4), (46, 93, 187)),
        (UNITPublicDiscriminator(width=2), (46, 93, 187)),
    ],
)
def test_what_a_logit_sees(network, fields):
    network = network.double()
    with torch.no_grad():  # positive throughout: no part of the field cancels out
        for p in network.parameters():
            p.fill_(0.1)
    image = torch.zeros(1, 3, 512, 512, dtype=torch.float64, requires_grad=True)
    for logits, field in zip(network(image), fields, strict=True):
        middle = logits[0, 0, logits.shape[2] // 2, logits.shape[3] // 2]
        (slope,) = torch.autograd.grad(middle, image, retain_graph=True)
        seen = slope[0, 0].abs().amax(0).nonzero().flatten()
        assert seen[-1] - seen[0] + 1 == field


def test_a_generator_can_lack_its_innermost_blocks_only():
    with pytest.raises(ConfigError, match="2 of 1 residual blocks"):
        UNITGenerator(blocks=1, shared_blocks=2)
    whole, outer = UNITGenerator(width=4, blocks=3), UNITGenerator(width=4, blocks=3, shared_blocks=1)
    assert size(whole) - size(outer) == sum(map(size, outer.shared_layers()))
    assert sum(map(size, whole.shared_layers())) == 0


def with_weights_of(plain, network):
    """Plain torch modules with our weights, in the order in which both have them."""
    theirs, ours = list(plain.parameters()), list(network.parameters())
    assert [p.shape for p in theirs] == [p.shape for p in ours]
    with torch.no_grad():
        for p, value in zip(theirs, ours, strict=True):
            p.copy_(value)
    return plain


@torch.no_grad()
@pytest.mark.parametrize("size", [(32, 32), (33, 46)])
def test_the_discriminator_of_the_first_code_in_plain_torch(size):
    """COCOMsDis of version_02: nn.LeakyReLU with its own slope, OpenCV's Gaussian of three taps, replicated edges."""
    network = UNITDiscriminator(width=4).double()
    scale = [nn.Conv2d(3, 4, 3, 2, 1), nn.LeakyReLU(), nn.Conv2d(4, 8, 3, 2, 1), nn.LeakyReLU()]
    scale += [
        nn.Conv2d(8, 16, 3, 2, 1),
        nn.LeakyReLU(),
        nn.Conv2d(16, 32, 3, 2, 1),
        nn.LeakyReLU(),
        nn.Conv2d(32, 1, 1),
    ]
    scales = nn.ModuleList(copy.deepcopy(nn.Sequential(*scale)) for _ in range(3)).double()
    with_weights_of(scales, network)
    taps = torch.tensor([0.25, 0.5, 0.25], dtype=torch.float64)
    kernel = (taps[:, None] * taps).expand(3, 1, 3, 3)
    image = torch.rand(2, 3, *size, dtype=torch.float64) * 2 - 1
    for plain, found in zip(scales, network(image), strict=True):
        torch.testing.assert_close(found, plain(image), rtol=0, atol=1e-12)
        blurred = nn.functional.conv2d(nn.functional.pad(image, (1, 1, 1, 1), mode="replicate"), kernel, groups=3)
        image = blurred[:, :, ::2, ::2]


@torch.no_grad()
@pytest.mark.parametrize("size", [(64, 64), (64, 47)])
def test_the_discriminator_of_the_later_code_in_plain_torch(size):
    """MsImageDis of master."""

    def block(before, after):
        return [nn.ReflectionPad2d(1), nn.Conv2d(before, after, 4, 2), nn.LeakyReLU(0.2)]

    network = UNITPublicDiscriminator(width=4, scales=2).double()
    scale = [*block(3, 4), *block(4, 8), *block(8, 16), *block(16, 32), nn.Conv2d(32, 1, 1)]
    scales = nn.ModuleList(copy.deepcopy(nn.Sequential(*scale)) for _ in range(2)).double()
    with_weights_of(scales, network)
    downsample = nn.AvgPool2d(3, stride=2, padding=1, count_include_pad=False)
    image = torch.rand(2, 3, *size, dtype=torch.float64) * 2 - 1
    for plain, found in zip(scales, network(image), strict=True):
        torch.testing.assert_close(found, plain(image), rtol=0, atol=1e-12)
        image = downsample(image)


class LayerNorm(nn.Module):
    """That of the later code (networks.py), by its equations."""

    def __init__(self, channels):
        super().__init__()
        self.gamma, self.beta = nn.Parameter(torch.zeros(channels)), nn.Parameter(torch.zeros(channels))

    def forward(self, x):
        flat = x.flatten(1)
        mean = flat.mean(1).view(-1, 1, 1, 1)
        deviation = ((flat - flat.mean(1, keepdim=True)).pow(2).sum(1) / (flat.shape[1] - 1)).sqrt().view(-1, 1, 1, 1)
        return (x - mean) / (deviation + 1e-5) * self.gamma.view(1, -1, 1, 1) + self.beta.view(1, -1, 1, 1)


class Residual(nn.Module):
    def __init__(self, channels):
        super().__init__()
        layers = [nn.ReflectionPad2d(1), nn.Conv2d(channels, channels, 3), nn.InstanceNorm2d(channels), nn.ReLU()]
        layers += [nn.ReflectionPad2d(1), nn.Conv2d(channels, channels, 3), nn.InstanceNorm2d(channels)]
        self.model = nn.Sequential(*layers)

    def forward(self, x):
        return x + self.model(x)


@torch.no_grad()
@pytest.mark.parametrize("contrast", [1.0, 1e-5])  # the second, where it matters that eps is added to the deviation
def test_the_generator_of_the_later_code_in_plain_torch(contrast):
    """VAEGen of master: ContentEncoder and Decoder."""
    torch.manual_seed(0)
    network = UNITPublic(width=4, blocks=2).double()

    def block(pad, convolution, norm, activation):
        return [nn.ReflectionPad2d(pad), convolution, norm, activation]

    down = block(3, nn.Conv2d(3, 4, 7), nn.InstanceNorm2d(4), nn.ReLU())
    for before in (4, 8):
        down += block(1, nn.Conv2d(before, 2 * before, 4, 2), nn.InstanceNorm2d(2 * before), nn.ReLU())
    up = []
    for before in (16, 8):
        up += [nn.Upsample(scale_factor=2)]
        up += block(2, nn.Conv2d(before, before // 2, 5), LayerNorm(before // 2), nn.ReLU())
    up += [nn.ReflectionPad2d(3), nn.Conv2d(4, 3, 7), nn.Tanh()]
    encoder = with_weights_of(nn.Sequential(*down, Residual(16), Residual(16)).double(), network.encoder)
    decoder = with_weights_of(nn.Sequential(Residual(16), Residual(16), *up).double(), network.decoder)
    image = torch.rand(2, 3, 16, 24, dtype=torch.float64) * 2 - 1
    code = network.encode(image)
    torch.testing.assert_close(code, encoder(image), rtol=0, atol=1e-9)
    torch.testing.assert_close(network.decode(contrast * code), decoder(contrast * code), rtol=0, atol=1e-9)


def layers_of(*modules):
    return [m for module in modules for m in module.modules() if isinstance(m, (nn.Conv2d, nn.ConvTranspose2d))]


def test_initial_weights_of_each_version():
    """version_02 draws weights from N(0, 0.02) and leaves biases to torch, which draws them evenly from +-1 / sqrt(fan
    in); master draws those of generators by Kaiming's rule, those of discriminators from N(0, 0.02), and biases are 0;
    the gains of its layer norm are from U(0, 1)."""
    torch.manual_seed(0)
    first, later = UNIT(version="first"), UNITLater()
    for layer in layers_of(first):
        fan_in = layer.weight[0].numel()
        bound = fan_in**-0.5
        assert layer.bias.any()
        assert layer.bias.abs().max() <= bound
        if layer.weight.numel() > 1000:
            assert layer.weight.std().item() == pytest.approx(0.02, rel=0.1)
        if layer.bias.numel() > 100:
            assert layer.bias.std().item() == pytest.approx(bound / 3**0.5, rel=0.25)
    for layer in layers_of(later.generator):
        assert layer.weight.std().item() == pytest.approx((2 / layer.weight[0].numel()) ** 0.5, rel=0.1)
        assert not layer.bias.any()
    for layer in layers_of(later.discriminator):
        if layer.weight.numel() > 1000:
            assert layer.weight.std().item() == pytest.approx(0.02, rel=0.1)
        assert not layer.bias.any()
    gains = torch.cat([p for n, p in later.generator.named_parameters() if p.ndim == 1 and n.endswith("weight")])
    assert len(gains) == 2 * (128 + 64)
    assert 0 <= gains.min() < 0.1
    assert 0.9 < gains.max() <= 1
    assert gains.mean().item() == pytest.approx(0.5, abs=0.06)
    assert not any(
        b.any() for b in [layer.bias for layer in layers_of(UNIT(generator=VAE, discriminator=DISCRIMINATOR))]
    )


def test_what_the_later_code_s_settings_are():
    """configs/unit_gta2city_folder.yaml, but for the perceptual loss."""
    config = UNITLater().config
    weights = ("gan_weight", "reconstruction_weight", "cycle_weight", "kl_weight", "kl_cycle_weight")
    assert [config[w] for w in weights] == [1, 10, 10, 0.01, 0.01]
    assert (config["learning_rate"], config["betas"], config["weight_decay"]) == (1e-4, [0.5, 0.999], 1e-4)
    assert (config["gan_loss"]["name"], config["shared"], config["halve_every"]) == ("lsgan", False, 100_000)
    assert config["generator"] == {"name": "unit_public", "width": 64, "blocks": 4}
    assert config["discriminator"] == {"name": "unit_public", "width": 64, "layers": 4, "scales": 3}


# -------------------------------------------------------------------------------------------------- shared, but once


@pytest.mark.parametrize("shared", [True, False])
def test_every_tensor_has_one_name_and_one_optimiser(shared):
    method = unit(shared=shared)
    state = method.state_dict()
    assert len({v.data_ptr() for v in state.values()}) == len(state)
    owned = [p for o in method.optimizers().values() for g in o.param_groups for p in g["params"]]
    assert len(owned) == len({id(p) for p in owned}) == len(list(method.parameters()))
    assert {k.split(".")[0] for k in method.inference_state()} == ({"generator", "shared"} if shared else {"generator"})


def test_what_sharing_saves():
    shared, apart = unit(), unit(shared=False)
    blocks = 2 * 2 * convolution(16, 16, 3)
    assert size(shared.shared) == blocks
    assert size(apart) - size(shared) == blocks


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("domain", ["a", "b"])
def test_each_domain_alone_reaches_the_shared_layers_and_its_own(domain, shared):
    method = unit(shared=shared)
    method.decode(method.encode(batch(PAIR)[domain], domain), domain).square().mean().backward()
    other = {"a": "b", "b": "a"}[domain]
    assert all(p.grad is not None and p.grad.any() for n, p in method.shared.named_parameters() if "weight" in n)
    assert all(p.grad is not None for p in method.vae(domain).parameters())
    assert all(p.grad is None for p in method.vae(other).parameters())


def test_the_average_of_the_shared_layers():
    """The first update of an EMA has weight 0.1 of the old, (1 + 0) / (10 + 0)."""
    method = unit()
    ema, before = EMA(method, 0.9), copy.deepcopy(method.inference_state())
    with torch.no_grad():
        for p in method.parameters():
            p.add_(1)
    ema.update(method)
    assert {k for k in ema.state if k.startswith("shared.")}
    for name, value in ema.state.items():
        torch.testing.assert_close(value, before[name] + 0.9)
    with ema.applied(method):
        torch.testing.assert_close(method.inference_state(), ema.state)
    torch.testing.assert_close(method.shared["encoder"][0].layers[0].weight.detach(),
                               before["shared.encoder.0.layers.0.weight"] + 1)  # fmt: skip


@pytest.mark.parametrize("dtype", [None, torch.float16])
def test_saved_once_and_loaded_into_both_domains(dtype, tmp_path):
    torch.manual_seed(0)
    model = i2izoo.create("unit", **TINY)
    model.save_pretrained(tmp_path, dtype=dtype)
    each = 2 if dtype else 4
    assert (
        model.num_parameters * each
        < (tmp_path / "model.safetensors").stat().st_size
        < model.num_parameters * each + 9000
    )
    loaded = i2izoo.load(tmp_path)
    image = torch.rand(3, 16, 20) * 2 - 1
    before = {to: loaded(image, to=to) for to in "ab"}
    for to in "ab":
        assert (before[to] - model(image, to=to)).abs().max() <= (1e-2 if dtype else 0)
    with torch.no_grad():
        loaded.method.shared["decoder"][0].layers[0].weight.mul_(-3)
    assert all(not torch.equal(before[to], loaded(image, to=to)) for to in "ab")


def test_resumed_with_an_average(tmp_path):
    def trainer(out, steps, **options):
        torch.manual_seed(0)
        model = i2izoo.create("unit", **TINY | {"domains": ["label", "photo"], "generator": VAE | {"dropout": 0.5}})
        return i2izoo.Trainer(
            model, {"name": "synthetic-facades", "count": 4, "size": 18}, out=tmp_path / out, steps=steps,
            decay_steps=0, load_size=18, crop_size=16, ema=0.9, checkpoint_every=2, log_every=1, sample_every=0,
            tensorboard=False, device="cpu", progress=False, **options,
        )  # fmt: skip

    whole = trainer("whole", 4).fit()
    trainer("cut", 2).fit()
    resumed = trainer("cut", 4, resume="auto")
    assert resumed.step == 2
    found, wanted = resumed.fit().method.state_dict(), whole.method.state_dict()
    assert [k for k in wanted if not torch.equal(found[k], wanted[k])] == []


# -------------------------------------------------------------------------------------- training, against plain torch


VERSIONS = {
    "paper": (UNIT, TINY, {"gan": 10, "l1": 100, "kl": 0.1}),
    "paper, apart": (UNIT, TINY | {"shared": False}, {"gan": 10, "l1": 100, "kl": 0.1}),
    "first": (UNIT, TINY | {"version": "first"}, {"gan": 10, "l1": 100, "kl": 0.1}),
    "later": (UNITLater, {"domains": ["a", "b"], **UNITLater.tiny_options}, {"gan": 1, "l1": 10, "kl": 0.01}),
}


@pytest.mark.parametrize("version", VERSIONS)
def test_five_steps_against_plain_torch(version):
    """In float64; the noise is drawn in one order on both sides. `gen_update` and `dis_update` of the authors' trainers
    take the divergence of the code that was drawn (version_02) or of its mean (master), of each code once; the paper's
    equations 3 and 8 take that of the mean, of the first code in both."""
    kind, options, weight = VERSIONS[version]
    torch.manual_seed(0)
    method = kind(**options | {"init": "kaiming"}).double()
    twin, before = copy.deepcopy(method), copy.deepcopy(method.state_dict())
    enc = {d: nn.Sequential(twin.vae(d).encoder, twin.shared["encoder"]) for d in "ab"}
    dec = {d: nn.Sequential(twin.shared["decoder"], twin.vae(d).decoder) for d in "ab"}
    dis = {d: twin.discriminator[f"of_{d}"] for d in "ab"}
    generator = dict.fromkeys(itertools.chain(*(m.parameters() for m in (*enc.values(), *dec.values()))))
    discriminators = list(itertools.chain(*(m.parameters() for m in dis.values())))
    g_step = torch.optim.Adam(list(generator), lr=1e-4, betas=(0.5, 0.999), weight_decay=1e-4)
    d_step = torch.optim.Adam(discriminators, lr=1e-4, betas=(0.5, 0.999), weight_decay=1e-4)
    measure = nn.MSELoss() if version == "later" else nn.BCEWithLogitsLoss()
    l1, ours = nn.L1Loss(), stepper_of(method)

    def noisy(mu):
        return mu + torch.randn_like(mu)

    def kl(mu, drawn):
        return weight["kl"] * ((drawn if version == "first" else mu) ** 2).mean()

    def judge(domain, image, real):
        scales = dis[domain](image)
        assert len(scales) == 2
        return weight["gan"] * sum(measure(x, torch.ones_like(x) if real else torch.zeros_like(x)) for x in scales)

    for step in range(5):
        data = batch(PAIR, step, dtype=torch.float64)
        a, b = data["a"], data["b"]
        torch.manual_seed(step)
        logged = ours.run([data])

        torch.manual_seed(step)
        z_a, z_b = noisy(enc["a"](a)), noisy(enc["b"](b))
        fake_b, fake_a = dec["b"](z_a).detach(), dec["a"](z_b).detach()
        losses = {
            "d_a": judge("a", a, True) + judge("a", fake_a, False),
            "d_b": judge("b", b, True) + judge("b", fake_b, False),
        }
        d_step.zero_grad()
        sum(losses.values()).backward()
        d_step.step()

        mu_a, mu_b = enc["a"](a), enc["b"](b)
        z_a, z_b = noisy(mu_a), noisy(mu_b)
        a_a, b_b = dec["a"](z_a), dec["b"](z_b)
        twice = 1 if version.startswith("paper") else 0
        # in the order of the directions, a to b first: the noise of the codes of translations
        a_b = dec["b"](z_a)
        mu_ab = enc["b"](a_b)
        z_ab = noisy(mu_ab)
        b_a = dec["a"](z_b)
        mu_ba = enc["a"](b_a)
        z_ba = noisy(mu_ba)
        terms = {
            "kl_a": kl(mu_a, z_a),
            "kl_b": kl(mu_b, z_b),
            "reconstruction_a": weight["l1"] * l1(a_a, a),
            "reconstruction_b": weight["l1"] * l1(b_b, b),
            "gan_a": judge("a", b_a, True),
            "gan_b": judge("b", a_b, True),
            "kl_cycle_a": kl(mu_ab, z_ab) + twice * kl(mu_a, z_a),
            "kl_cycle_b": kl(mu_ba, z_ba) + twice * kl(mu_b, z_b),
            "cycle_a": weight["l1"] * l1(dec["a"](z_ab), a),
            "cycle_b": weight["l1"] * l1(dec["b"](z_ba), b),
        }
        g_step.zero_grad()
        sum(terms.values()).backward()
        g_step.step()

        losses = {k: v.detach().float() for k, v in (losses | terms).items()}
        torch.testing.assert_close(logged, losses, rtol=1e-5, atol=1e-5)
        expected = dict(twin.named_parameters())
        for name, value in method.named_parameters():
            torch.testing.assert_close(value, expected[name], rtol=0, atol=1e-6, msg=name)
    assert not any(torch.equal(p, before[n]) for n, p in method.named_parameters() if n.endswith("weight"))


@pytest.mark.parametrize("gan_loss", ["vanilla", "lsgan", "hinge", "wgangp"])
def test_every_gan_loss_and_unequal_channels(gan_loss):
    method = unit(gan_loss=gan_loss, channels=[1, 4], generator={"name": "unit_public", "width": 4, "blocks": 1})
    logged = stepper_of(method).run([batch({"a": 1, "b": 4})])
    names = {f"{term}_{d}" for term in ("d", "kl", "reconstruction", "gan", "kl_cycle", "cycle") for d in "ab"}
    assert logged.keys() == names | ({"d_penalty_a", "d_penalty_b"} if gan_loss == "wgangp" else set())
    assert all(torch.isfinite(loss) for loss in logged.values())
    assert method.eval()(torch.zeros(2, 1, 9, 14), to="b").shape == (2, 4, 9, 14)
    assert method(torch.zeros(2, 4, 9, 14), to="a").shape == (2, 1, 9, 14)
    assert method.reconstruct(torch.zeros(2, 4, 9, 14), "b").shape == (2, 4, 9, 14)


def test_several_discriminator_steps_for_one_of_the_generator():
    ours = stepper_of(unit(discriminator_steps=3))
    assert ["gan_a" in ours.run([batch(PAIR, step)]) for step in range(6)] == [False, False, True] * 2


def test_the_rate_halves():
    assert [unit(halve_every=100).lr_scale(step) for step in (0, 99, 100, 250)] == [1, 1, 0.5, 0.25]
    assert unit().lr_scale(10**6) == 1


# --------------------------------------------------------------------------------------------------------- translating


@torch.inference_mode()
def test_translation_decodes_the_mean():
    method, image = unit().eval(), batch(PAIR)["a"]
    expected = method.decode(method.encode(image, "a"), "b")
    assert torch.equal(method(image, to="b"), expected)
    assert torch.equal(method(image, to="b", seeds=[5, 6]), expected)
    same = method.decode(method.encode(image, "a"), "a")
    assert torch.equal(method.reconstruct(image, "a"), same)
    assert torch.equal(method(image, to="a", source="a"), same)
    assert not torch.equal(method(image, to="a"), same)


@torch.inference_mode()
def test_noise_of_the_code_is_an_option():
    method, image = unit().eval(), batch(PAIR)["a"]
    code = method.encode(image, "a")
    expected = method.decode(code + randn(code.shape[1:], [7, 8]), "b")
    assert torch.equal(method(image, to="b", seeds=[7, 8], mode="sample"), expected)
    assert not torch.equal(method(image, to="b", seeds=[8, 9], mode="sample"), expected)


def test_reconstruction_through_the_translator():
    model = i2izoo.create("unit", **TINY)
    image = torch.rand(3, 9, 14) * 2 - 1
    with torch.inference_mode():
        expected = model.method.reconstruct(image[None], "b")[0]
    torch.testing.assert_close(model(image, to="b", source="b"), expected)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"source": "c"}, "one of 'a', 'b'; found 'c'"),
        ({"mode": "smaple"}, "'mean' or 'sample'; found 'smaple'"),
        ({"source": "b"}, "'b' have 4 channels, found 3"),
    ],
)
def test_impossible_translations(options, words):
    with pytest.raises(ConfigError, match=words):
        unit(channels=[3, 4])(torch.zeros(1, 3, 16, 16), to="b", **options)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"domains": ["a"]}, "two domains"),
        ({"domains": ["a", "a"]}, "two domains"),
        ({"discriminator_steps": 0}, "from 1 to 1e9, found 0"),
        ({"halve_every": -1}, "from 0 to 1e9, found -1"),
        ({"generator": "unet_256"}, "CodeGenerator"),
        ({"generator": VAE | {"blocks": 0}}, "1 of 0 residual blocks"),
        ({"gan_loss": "l1"}, "l1"),
    ],
)
def test_impossible_options(options, words):
    with pytest.raises(ConfigError, match=words):
        unit(**options)


# ------------------------------------------------------------------------------------------------------------- learning


def squares(count, generator):
    """A reddish rectangle on a dark green ground, most of them very dark.

    Were they as often bright as dark, a map that turns green's scale around would fit the other domain as well.
    """
    images = torch.rand(count, 3, 1, 1, generator=generator) ** 3 * torch.tensor([0.3, 0.8, 0.3]).view(3, 1, 1)
    images = images.repeat(1, 1, 16, 16)
    for image in images:
        sides = torch.randint(4, 10, (2,), generator=generator).tolist()
        top, left = (int(torch.randint(0, 16 - side, (), generator=generator)) for side in sides)
        colour = torch.rand(3, generator=generator) * 0.3 + torch.tensor([0.7, 0.1, 0.0])
        image[:, top : top + sides[0], left : left + sides[1]] = colour[:, None, None]
    return images * 2 - 1


def changed(images):
    """The other domain: channels rotated and inverted."""
    return -images[:, [2, 0, 1]]


def distance(found, true):
    return (found - true).abs().mean().item()


def test_it_finds_an_invertible_change_of_colours_without_pairs(learned, learning_seed):
    method = train(
        lambda: UNIT(
            domains=["a", "b"], generator={"name": "unit", "width": 8, "blocks": 1, "dropout": 0.0},
            discriminator={"name": "unit", "width": 8, "layers": 2, "scales": 1}, init="kaiming", learning_rate=3e-3,
        ),
        lambda draw: {"a": squares(8, draw), "b": changed(squares(8, draw))}, steps=480, seed=learning_seed,
    )  # fmt: skip
    a = squares(32, torch.Generator().manual_seed(99 + learning_seed))  # not seen in training
    b = changed(a)
    with torch.inference_mode():
        for image, true, to, back in ((a, b, "b", "a"), (b, a, "a", "b")):
            found = method(image, to=to)
            assert distance(image, true) > 0.8
            learned(f"distance to {to}", distance(found, true), below=0.32, untrained=0.8)
            learned(f"distance of {to} and back", distance(method(found, to=back), image), below=0.36, untrained=0.8)
            own = distance(method.reconstruct(image, back), image)
            learned(f"distance of {back} reconstructed", own, below=0.32, untrained=0.8)
            # content is kept, and not only colours met: of all 32, most are nearest to their own partner
            gaps = (found[:, None] - true[None]).abs().flatten(2).mean(2)
            share = (gaps.argmin(1) == torch.arange(32)).float().mean()
            learned(f"share nearest to its partner in {to}", share, above=0.5, untrained=1 / 32)
