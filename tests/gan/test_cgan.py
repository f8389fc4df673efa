"""CGAN: its step is that of plain torch code, its noise is where it should be, a discriminator alone teaches it."""

import copy

import pytest
import torch
from i2izoo_gan.cgan import CGAN
from steps import batch, train
from torch import nn

import i2izoo
from i2izoo.errors import ConfigError
from i2izoo.testing.training import stepper_of

UNET = {"name": "unet_128", "width": 2, "depth": 3, "norm": "instance", "dropout": 0.0}
DISCRIMINATOR = {"name": "patchgan", "width": 2, "layers": 1}


def cgan(**options):
    torch.manual_seed(0)
    return CGAN(**{"generator": UNET, "discriminator": DISCRIMINATOR, "latent": 3, "init_gain": 0.3, **options})


# --------------------------------------------------------------------------------------- against a plain implementation


@pytest.mark.parametrize(("conditional", "weight"), [(True, 0.0), (False, 0.0), (False, 10.0)])
def test_two_steps_against_plain_torch(conditional, weight):
    """In float64: a bias before an instance norm has no gradient but rounding, which Adam blows up to whole steps."""
    method = cgan(conditional=conditional, reconstruction_weight=weight).double()
    G, D = copy.deepcopy(method.generator), copy.deepcopy(method.discriminator)
    g_step = torch.optim.Adam(G.parameters(), lr=2e-4, betas=(0.5, 0.999))
    d_step = torch.optim.Adam(D.parameters(), lr=2e-4, betas=(0.5, 0.999))
    bce = nn.BCEWithLogitsLoss()
    ours = stepper_of(method)
    for step in range(2):
        data = batch(step=step, dtype=torch.float64)
        x, y = data["source"], data["target"]
        torch.manual_seed(100 + step)
        logged = ours.run([data])

        torch.manual_seed(100 + step)
        fake = G(x, torch.randn(2, 3, dtype=torch.float64))

        def judge(image, x=x):
            return D(torch.cat((x, image), 1) if conditional else image)[0]

        d_step.zero_grad()
        pred_real, pred_fake = judge(y), judge(fake.detach())
        d_loss = 0.5 * (bce(pred_real, torch.ones_like(pred_real)) + bce(pred_fake, torch.zeros_like(pred_fake)))
        d_loss.backward()
        d_step.step()
        g_step.zero_grad()
        pred = judge(fake)
        g_loss = bce(pred, torch.ones_like(pred))
        l1 = (fake - y).abs().mean()
        (g_loss + weight * l1).backward()
        g_step.step()

        assert logged.keys() == {"d_gan", "gan"} | ({"reconstruction"} if weight else set())
        assert logged.get("reconstruction", torch.tensor(0.0)).item() == pytest.approx(weight * l1.item(), rel=1e-5)
        assert logged["d_gan"].item() == pytest.approx(d_loss.item(), rel=1e-5)
        assert logged["gan"].item() == pytest.approx(g_loss.item(), rel=1e-5)
        for mine, plain in ((method.generator, G), (method.discriminator, D)):
            for (name, p), q in zip(mine.named_parameters(), plain.parameters(), strict=True):
                torch.testing.assert_close(p, q, rtol=1e-5, atol=1e-5, msg=name)


@pytest.mark.parametrize("gan_loss", ["vanilla", "lsgan", "wgangp", "hinge"])
def test_trains_with_every_gan_loss(gan_loss):
    method = cgan(gan_loss=gan_loss, discriminator_steps=3)
    ours, turns = stepper_of(method), []
    for step in range(6):
        logged = ours.run([batch(step=step)])
        assert all(torch.isfinite(loss) for loss in logged.values())
        assert ("d_penalty" in logged) == (gan_loss == "wgangp")
        turns.append("gan" in logged)
    assert turns == [False, False, True, False, False, True]


def test_the_penalty_keeps_its_weight_beside_the_halved_loss():
    method = cgan(gan_loss="wgangp")
    method.gan_loss.penalty = lambda discriminator, real, fake: discriminator(real)[0].mean() * 0 + 7.0
    assert stepper_of(method).run([batch()])["d_penalty"].item() == 3.5


# ----------------------------------------------------------------------------------------------------------- noise


def test_the_latent_is_the_translation():
    model = i2izoo.create("cgan", generator=UNET, discriminator=DISCRIMINATOR, latent=3, init_gain=0.5)
    image = torch.rand(3, 16, 16)
    z = torch.tensor([0.5, -1.0, 2.0])
    with torch.inference_mode():
        expected = model.method.generator(image[None], z[None])[0]
    torch.testing.assert_close(model(image, latent=z, seed=4), expected.clamp(-1, 1))
    assert not torch.equal(model(image, latent=-z), model(image, latent=z))
    first, second = model(image, samples=2, seed=1)
    assert not torch.equal(first, second)
    torch.testing.assert_close(first, model(image, seed=1))
    with pytest.raises(ConfigError, match=r"latent of shape \(N, 3\)"):
        model(image, latent=[1.0, 2.0])


@torch.inference_mode()
def test_dropout_as_noise():
    method = cgan(noise="dropout", generator=UNET | {"dropout": 0.5, "norm": "batch"}).eval()
    image, before = torch.rand(3, 3, 16, 16), copy.deepcopy(method.state_dict())
    torch.manual_seed(5)
    state = torch.random.get_rng_state()
    first = method(image, to="target", seeds=[7, 8, 9])
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.equal(first[1:2], method(image[1:2], to="target", seeds=[8]))  # whatever stands beside it
    assert not torch.equal(first[1:2], method(image[1:2], to="target", seeds=[9]))
    assert not any(module.training for module in method.modules())
    assert all(torch.equal(v, before[k]) for k, v in method.state_dict().items())  # and batch norm has seen nothing
    with pytest.raises(ConfigError, match="no latent; leave latent out"):
        method(image, to="target", latent=torch.zeros(3, 3))


def test_dropout_as_noise_is_drawn_in_training_and_takes_no_latent():
    method = cgan(noise="dropout", generator=UNET | {"dropout": 0.5})
    assert method.latent_size == 0
    losses = []
    for seed in (1, 1, 2):
        data = batch()
        torch.manual_seed(seed)
        losses.append(next(method.train().training_step(data)).losses["d_gan"].item())
    assert losses[0] == losses[1] != losses[2]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"noise": "dropout"}, r"has none; set generator\.dropout=0\.5"),
        ({"noise": "droput"}, "one of 'latent', 'dropout'"),
        ({"latent": 0}, "from 1 to 65536, found 0"),
        ({"discriminator_steps": 0}, "from 1 to 1e9, found 0"),
        ({"domains": ["a", "a"]}, "two domains of different names"),
    ],
)
def test_impossible_options(options, words):
    with pytest.raises(ConfigError, match=words):
        cgan(**options)


# -------------------------------------------------------------------------------------------------------- learning


def colours(rows, generator):
    """Images of 2 x 2 squares of random colours, and the known answer: channels rotated and inverted."""
    x = (torch.rand(rows, 3, 2, 2, generator=generator) * 2 - 1).repeat_interleave(2, 2).repeat_interleave(2, 3)
    return {"source": x, "target": -x[:, [2, 0, 1]]}


def trained(conditional, seed):
    """Its outputs for 64 new images with two draws each, and the true ones."""
    method = train(
        lambda: CGAN(
            generator={"name": "unet_128", "width": 16, "depth": 2, "norm": "none", "dropout": 0.0},
            discriminator={"name": "pixel", "width": 32, "norm": "none"}, conditional=conditional, init="kaiming",
            learning_rate=3e-3,
        ),
        lambda generator: colours(16, generator), steps=200, seed=seed,
    )  # fmt: skip
    x, y = colours(64, torch.Generator().manual_seed(99 + seed)).values()
    with torch.inference_mode():
        draws = [method(x, to="target", seeds=list(range(first, first + 64))) for first in (0, 64)]
    return draws, y


def test_a_conditional_critic_alone_teaches_a_colour_map(learned, learning_seed):
    """The mean distance of a random colour to the best constant is 1/2, to another random colour 2/3."""
    (first, second), y = trained(True, learning_seed)
    learned("distance to the answer", (first - y).abs().mean(), below=0.2, untrained=0.5)
    between = (first - second).abs().mean()  # where there is one answer, the noise hardly matters
    assert between > 0
    learned("distance of two draws", between, below=0.25, untrained=0.667)


def test_without_the_source_in_the_critic_the_source_is_lost(learned, learning_seed):
    (first, _), y = trained(False, learning_seed)
    learned("distance to the answer", (first - y).abs().mean(), above=0.4, untrained=0.0)
