"""Pix2pix and CycleGAN: what they learn from, in which order, and that it is what plain torch code does."""

import copy
import itertools

import pytest
import torch
from i2izoo_gan.cyclegan import CycleGAN
from i2izoo_gan.pix2pix import Pix2Pix
from steps import batch
from torch import nn

from i2izoo.contracts.registry import registry
from i2izoo.errors import ConfigError
from i2izoo.interfaces import AdversarialLoss
from i2izoo.testing.training import stepper_of
from i2izoo.training.config import TrainingOptions
from i2izoo.training.schedule import Schedule

UNET = {"name": "unet_256", "width": 2, "depth": 3}
RESNET = {"name": "resnet_6blocks", "width": 2, "blocks": 1}
DISCRIMINATOR = {"name": "patchgan", "width": 2, "layers": 1}


def parameters(module):
    return {name: p.detach().clone() for name, p in module.named_parameters()}


def moved(before, module):
    return {name for name, p in module.named_parameters() if not torch.equal(p, before[name])}


# ------------------------------------------------------------------------------------------- the length of a training


@pytest.mark.parametrize(
    ("name", "at_the_beginning"),
    [("pix2pix", True), ("cyclegan", True), ("cut", False), ("fastcut", False), ("bicyclegan", False)],
)
def test_the_learning_rate_of_each_epoch_is_the_authors(name, at_the_beginning):
    """torch's LambdaLR with the authors' rule, stepped when an epoch begins or when it ends, as their train.py does."""
    options = TrainingOptions.of(registry("methods").get(name).recipe, {})
    constant, fall = options.epochs, options.decay_epochs
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    rule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda e: 1.0 - max(0, e + 1 - constant) / float(fall + 1))
    schedule = Schedule.of(options, steps_per_epoch=3)
    optimizer.step()
    for epoch in range(constant + fall):
        if at_the_beginning:
            rule.step()
        for step in range(3):
            assert schedule.factor(3 * epoch + step) == pytest.approx(optimizer.param_groups[0]["lr"], abs=1e-12)
        if not at_the_beginning:
            rule.step()
    assert schedule.total == 3 * (constant + fall)
    short = Schedule.of(TrainingOptions.of(registry("methods").get(name).recipe, {"epochs": 1}), steps_per_epoch=3)
    assert [short.factor(step) for step in range(3)] == [1, 1, 1]  # there is no fall


# ------------------------------------------------------------- against a plain implementation of the papers' steps


def set_trainable(network, flag):
    for p in network.parameters():
        p.requires_grad_(flag)


def close(ours, theirs):
    """To 1e-5. Both sides run in float64: a bias before an instance norm has no gradient but rounding, and Adam would
    blow that up to whole steps."""
    assert ours.keys() == theirs.keys()
    for name, value in theirs.items():
        difference = (ours[name] - value).abs()
        assert (difference <= 1e-5 + 1e-5 * value.abs()).all(), (name, difference.max())


def test_two_steps_of_pix2pix_against_plain_torch():
    torch.manual_seed(0)
    method = Pix2Pix(
        generator=UNET | {"dropout": 0.0}, discriminator=DISCRIMINATOR | {"norm": "batch"}, reconstruction_weight=100.0,
        init_gain=0.2,
    ).double()  # fmt: skip
    G, D = copy.deepcopy(method.generator), copy.deepcopy(method.discriminator)
    g_step = torch.optim.Adam(G.parameters(), lr=2e-4, betas=(0.5, 0.999))
    d_step = torch.optim.Adam(D.parameters(), lr=2e-4, betas=(0.5, 0.999))
    bce, l1 = nn.BCEWithLogitsLoss(), nn.L1Loss()
    ours = stepper_of(method)
    for step in range(2):
        data = batch(method.channels, step, dtype=torch.float64)
        a, b = data["source"], data["target"]
        logged = ours.run([data])

        fake = G(a)
        set_trainable(D, True)
        d_step.zero_grad()
        pred_fake = D(torch.cat((a, fake), 1).detach())[0]
        pred_real = D(torch.cat((a, b), 1))[0]
        d_loss = 0.5 * (bce(pred_fake, torch.zeros_like(pred_fake)) + bce(pred_real, torch.ones_like(pred_real)))
        d_loss.backward()
        d_step.step()
        set_trainable(D, False)
        g_step.zero_grad()
        pred = D(torch.cat((a, fake), 1))[0]
        gan, reconstruction = bce(pred, torch.ones_like(pred)), 100 * l1(fake, b)
        (gan + reconstruction).backward()
        g_step.step()

        close(logged, {"d_gan": d_loss.detach(), "gan": gan.detach(), "reconstruction": reconstruction.detach()})
        close(parameters(method.generator), parameters(G))
        close(parameters(method.discriminator), parameters(D))


def test_two_steps_of_cyclegan_against_plain_torch():
    torch.manual_seed(0)
    method = CycleGAN(domains=["a", "b"], generator=RESNET, discriminator=DISCRIMINATOR, pool_size=50, init_gain=0.2)
    method.double()
    G, F = (copy.deepcopy(method.generator[f"to_{d}"]) for d in "ba")  # G_A: a to b
    D_A, D_B = (copy.deepcopy(method.discriminator[f"of_{d}"]) for d in "ba")  # D_A judges b
    g_step = torch.optim.Adam(itertools.chain(G.parameters(), F.parameters()), lr=2e-4, betas=(0.5, 0.999))
    d_step = torch.optim.Adam(itertools.chain(D_A.parameters(), D_B.parameters()), lr=2e-4, betas=(0.5, 0.999))
    mse, l1 = nn.MSELoss(), nn.L1Loss()
    ours = stepper_of(method)
    for step in range(2):
        data = batch(method.channels, step, dtype=torch.float64)
        a, b = data["a"], data["b"]
        logged = ours.run([data])

        fake_b, fake_a = G(a), F(b)
        for discriminator in (D_A, D_B):
            set_trainable(discriminator, False)
        g_step.zero_grad()
        judged_b, judged_a = D_A(fake_b)[0], D_B(fake_a)[0]
        losses = {
            "gan_b": mse(judged_b, torch.ones_like(judged_b)),
            "gan_a": mse(judged_a, torch.ones_like(judged_a)),
            "cycle_a": 10 * l1(F(fake_b), a),
            "cycle_b": 10 * l1(G(fake_a), b),
            "identity_b": 10 * 0.5 * l1(G(b), b),
            "identity_a": 10 * 0.5 * l1(F(a), a),
        }
        sum(losses.values()).backward()
        g_step.step()
        for discriminator in (D_A, D_B):
            set_trainable(discriminator, True)
        d_step.zero_grad()
        for name, discriminator, real, fake in (("d_b", D_A, b, fake_b), ("d_a", D_B, a, fake_a)):
            good, bad = discriminator(real)[0], discriminator(fake.detach())[0]
            losses[name] = 0.5 * (mse(good, torch.ones_like(good)) + mse(bad, torch.zeros_like(bad)))
            losses[name].backward()
        d_step.step()

        close(logged, {name: loss.detach() for name, loss in losses.items()})
        for domain, generator, discriminator in (("b", G, D_A), ("a", F, D_B)):
            close(parameters(method.generator[f"to_{domain}"]), parameters(generator))
            close(parameters(method.discriminator[f"of_{domain}"]), parameters(discriminator))


# ------------------------------------------------------------------------------------------------- both, by property


@pytest.mark.parametrize("kind", [Pix2Pix, CycleGAN])
@pytest.mark.parametrize("gan_loss", ["vanilla", "wgangp"])
def test_an_update_gives_a_gradient_to_its_own_networks_only(kind, gan_loss):
    method = kind(generator=RESNET, discriminator=DISCRIMINATOR, gan_loss=gan_loss)
    ours, order = stepper_of(method), []
    for update in method.training_step(batch(method.channels)):
        order.append(update.optimizers)
        ours._backward(update, 1)
        for name in ("generator", "discriminator"):
            grads = [p.grad for p in getattr(method, name).parameters()]
            if name == update.optimizers:
                assert any(g is not None and g.any() for g in grads), name
            else:
                assert all(g is None for g in grads), name
        method.zero_grad()
    assert order == (["discriminator", "generator"] if kind is Pix2Pix else ["generator", "discriminator"])


@pytest.mark.parametrize("kind", [Pix2Pix, CycleGAN])
def test_several_discriminator_steps_for_one_of_the_generator(kind):
    method = kind(generator=RESNET, discriminator=DISCRIMINATOR, gan_loss="wgangp", discriminator_steps=3)
    ours = stepper_of(method)
    turns = []
    for step in range(6):
        before = parameters(method)
        ours.run([batch(method.channels, step)])
        names = {name.split(".")[0] for name in moved(before, method)}
        assert "discriminator" in names
        turns.append("generator" in names)
    assert turns == [False, False, True, False, False, True]


@pytest.mark.parametrize("kind", [Pix2Pix, CycleGAN])
def test_the_penalty_keeps_its_weight_beside_the_halved_loss(kind):
    """WGAN-GP's lambda is relative to the discriminator's loss, which both methods halve."""
    method = kind(generator=RESNET, discriminator=DISCRIMINATOR, gan_loss="wgangp")
    method.gan_loss.penalty = lambda discriminator, real, fake: discriminator(real)[0].mean() * 0 + 7.0
    logged = stepper_of(method).run([batch(method.channels)])
    penalties = [loss.item() for name, loss in logged.items() if "penalty" in name]
    assert penalties == [3.5] * (1 if kind is Pix2Pix else 2)


# --------------------------------------------------------------------------------------------------------- pix2pix

GENERATORS = {
    "resnet_6blocks": {"width": 2, "blocks": 1},
    "resnet_9blocks": {"width": 2, "blocks": 1},
    "unet_128": {"width": 2, "depth": 3},
    "unet_256": {"width": 2, "depth": 3},
}
"""The shipped generators at test size."""


def test_no_shipped_generator_is_forgotten():
    assert {n for n in registry("generators").names() if n.startswith(("resnet_", "unet_"))} == set(GENERATORS)


def adversarial_losses():
    losses = registry("losses")
    ours = [n for n in losses.names() if losses.find(n).distribution == "i2izoo"]
    return [n for n in ours if issubclass(losses.get(n), AdversarialLoss)]


@pytest.mark.parametrize("conditional", [True, False])
@pytest.mark.parametrize("gan_loss", adversarial_losses())
@pytest.mark.parametrize("generator", GENERATORS)
def test_pix2pix_trains_with_every_generator_and_loss(generator, gan_loss, conditional):
    torch.manual_seed(0)
    method = Pix2Pix(
        in_channels=1, out_channels=2, generator={"name": generator, **GENERATORS[generator]},
        discriminator=DISCRIMINATOR, gan_loss=gan_loss, conditional=conditional,
    )  # fmt: skip
    before = parameters(method)
    logged = stepper_of(method).run([batch(method.channels)])
    assert {"d_gan", "gan", "reconstruction"} <= logged.keys()
    assert ("d_penalty" in logged) == (gan_loss == "wgangp")
    assert all(torch.isfinite(loss) for loss in logged.values())
    still = {n for n in before if n.endswith("weight")} - moved(before, method)
    assert not still
    assert method.discriminator.config["in_channels"] == (3 if conditional else 2)


def test_pix2pix_ablations():
    source = {"generator": RESNET, "discriminator": DISCRIMINATOR}
    regression = Pix2Pix(**source, gan_weight=0.0, reconstruction_loss="l2", reconstruction_weight=3.0)
    data = batch(regression.channels)
    expected = 3 * (regression.generator(data["source"]) - data["target"]).square().mean()
    assert list(regression.optimizers()) == ["generator"]
    logged = stepper_of(regression).run([data])
    assert logged.keys() == {"reconstruction"}
    torch.testing.assert_close(logged["reconstruction"], expected)
    assert stepper_of(Pix2Pix(**source, reconstruction_weight=0.0)).run([data]).keys() == {"d_gan", "gan"}
    with pytest.raises(ConfigError, match="both 0"):
        Pix2Pix(**source, gan_weight=0.0, reconstruction_weight=0.0)


def test_a_conditional_critic_sees_source_then_target():
    method = Pix2Pix(in_channels=1, out_channels=2, generator=RESNET, discriminator=DISCRIMINATOR)
    seen = []
    method.discriminator.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0].detach()))
    data = batch(method.channels)
    stepper_of(method).run([data])
    real, fake, again = seen
    assert torch.equal(real, torch.cat([data["source"], data["target"]], 1))
    assert torch.equal(fake[:, :1], data["source"])
    assert torch.equal(fake, again)  # the same fake, judged anew after the discriminator's step


@pytest.fixture
def unet():
    torch.manual_seed(0)
    method = Pix2Pix(generator=UNET, discriminator="pixel", init_gain=0.5).eval()
    for module in method.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean)
            nn.init.uniform_(module.running_var, 0.5, 2)
    return method


@torch.inference_mode()
def test_deterministic_mode_has_no_dropout_and_running_statistics(unet):
    image = torch.rand(2, 3, 16, 16)
    first = unet(image, to="target", seeds=[0, 1])
    assert torch.equal(first, unet(image, to="target", seeds=[5, 6]))
    assert torch.equal(first, unet.generator.eval()(image))


@torch.inference_mode()
def test_paper_mode(unet):
    image, before = torch.rand(3, 3, 16, 16), copy.deepcopy(unet.state_dict())
    torch.manual_seed(5)
    state = torch.random.get_rng_state()
    first = unet(image, to="target", seeds=[7, 8, 9], mode="paper")
    assert torch.equal(torch.random.get_rng_state(), state)
    # a function of the image and its seed, whatever stands beside it
    assert torch.equal(first, unet(image, to="target", seeds=[7, 8, 9], mode="paper"))
    assert torch.equal(first[1:2], unet(image[1:2], to="target", seeds=[8], mode="paper"))
    assert not torch.equal(first[1:2], unet(image[1:2], to="target", seeds=[9], mode="paper"))
    assert not torch.equal(first, unet(image, to="target", mode="deterministic"))
    # and nothing of it stays
    assert not unet.generator.training
    assert all(torch.equal(v, before[k]) for k, v in unet.state_dict().items())


@torch.inference_mode()
def test_paper_mode_uses_the_statistics_of_the_image(unet):
    for module in unet.generator.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    image = torch.rand(1, 3, 16, 16)
    expected = copy.deepcopy(unet.generator).train()(image)
    torch.testing.assert_close(unet(image, to="target", mode="paper"), expected)


def test_mode_is_an_option_and_is_checked(unet):
    assert Pix2Pix(generator=UNET, discriminator="pixel", inference="paper").inference == "paper"
    assert {n: o.default for n, o in unet.translate_options().items()} == {"mode": None}
    with pytest.raises(ConfigError, match="'deterministic' or 'paper'; found 'papre'"):
        unet(torch.zeros(1, 3, 16, 16), to="target", mode="papre")
    with pytest.raises(ConfigError, match="one of 'deterministic', 'paper'"):
        Pix2Pix(inference="papre")


# -------------------------------------------------------------------------------------------------------- CycleGAN


def cyclegan(**options):
    torch.manual_seed(0)
    return CycleGAN(**{"domains": ["a", "b"], "generator": RESNET, "discriminator": DISCRIMINATOR, **options})


def test_cyclegan_terms_can_be_switched_off():
    data = batch({"a": 3, "b": 3})
    always = {"gan_a", "gan_b", "d_a", "d_b"}
    both = {"cycle_a", "cycle_b", "identity_a", "identity_b"}
    assert stepper_of(cyclegan()).run([data]).keys() == always | both
    assert stepper_of(cyclegan(identity_weight=0.0)).run([data]).keys() == always | {"cycle_a", "cycle_b"}
    assert stepper_of(cyclegan(identity_weight=0.0, cycle_weight=0.0)).run([data]).keys() == always


def test_cyclegan_translates_both_ways_between_unequal_channels():
    method = cyclegan(channels=[1, 4], identity_weight=0.0).eval()
    assert method.directions == {"b": "a", "a": "b"}
    assert method(torch.zeros(2, 1, 9, 14), to="b").shape == (2, 4, 9, 14)
    assert method(torch.zeros(2, 4, 9, 14), to="a").shape == (2, 1, 9, 14)
    logged = stepper_of(method).run([batch({"a": 1, "b": 4})])
    assert all(torch.isfinite(loss) for loss in logged.values())


def test_domains_named_as_methods_of_a_module():
    method = cyclegan(domains=["forward", "keys"])
    assert method(torch.zeros(1, 3, 16, 16), to="keys").shape == (1, 3, 16, 16)


@pytest.mark.parametrize("pool_size", [0, 1])
def test_cyclegan_shows_its_discriminators_the_pool(pool_size):
    """With a full pool of one and a coin of heads, the discriminator sees the last step's fake; without, this one's."""
    method = cyclegan(pool_size=pool_size)
    ours, seen = stepper_of(method), []
    method.discriminator["of_b"].register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0].detach()))
    for step in range(8):
        torch.manual_seed(step)
        ours.run([batch(method.channels, step, rows=1)])
    fakes, judged = seen[0::3], seen[2::3]  # fake for G; real, then pooled fake for D
    same = [torch.equal(f, j) for f, j in zip(fakes, judged, strict=True)]
    if pool_size == 0:
        assert all(same)
    else:
        assert same[0]
        assert not all(same)
        for now, ok in enumerate(same):
            assert ok or any(torch.equal(judged[now], fake) for fake in fakes[:now])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"domains": ["a"]}, "two domains"),
        ({"domains": ["a", "a"]}, "two domains"),
        ({"channels": [3, 1]}, "identity_weight=0"),
        ({"discriminator_steps": 0}, "from 1 to 1e9, found 0"),
        ({"generator": "unet_265"}, "unet_256"),
        ({"gan_loss": "l1"}, "l1"),
    ],
)
def test_impossible_options_of_cyclegan(options, words):
    with pytest.raises((ConfigError, ValueError, ImportError), match=words):
        cyclegan(**options)
