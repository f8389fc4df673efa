"""CVAE: its bound is that of the paper, its step that of plain torch code, and it learns that there are two answers."""

import copy

import pytest
import torch
from i2izoo_vae.cvae import CVAE, gaussian_kl
from i2izoo_vae.losses import BCE
from steps import batch, train
from torch import nn
from torch.distributions import Bernoulli, Laplace, Normal, kl_divergence

import i2izoo
from i2izoo.contracts.registry import registry
from i2izoo.errors import ConfigError
from i2izoo.interfaces import Batch
from i2izoo.testing.training import stepper_of

UNET = {"name": "unet_128", "width": 2, "depth": 3, "norm": "instance", "dropout": 0.0}
ENCODER = {"name": "cnn_encoder", "width": 2, "layers": 2}


def cvae(**options):
    torch.manual_seed(0)
    return CVAE(**{"generator": UNET, "encoder": ENCODER, "latent": 3, "init_gain": 0.3, "warmup": 0.0, **options})


def losses(method, data, seed=0):
    torch.manual_seed(seed)
    (update,) = method.training_step(data)
    return {name: loss.detach() for name, loss in update.losses.items()}


# ------------------------------------------------------------------------------------------------------ closed forms


def test_divergence_against_torch_distributions():
    generator = torch.Generator().manual_seed(0)
    mean, log_variance, prior_mean, prior_log_variance = torch.randn(4, 5, 7, generator=generator, dtype=torch.float64)
    q, p = Normal(mean, (log_variance / 2).exp()), Normal(prior_mean, (prior_log_variance / 2).exp())
    expected = kl_divergence(q, p).sum(dim=1).mean()
    torch.testing.assert_close(gaussian_kl(mean, log_variance, prior_mean, prior_log_variance), expected)
    zeros = torch.zeros_like(mean)
    expected = kl_divergence(q, Normal(0.0, 1.0)).sum(dim=1).mean()
    torch.testing.assert_close(gaussian_kl(mean, log_variance, zeros, zeros), expected)
    wide = torch.full((2, 3), 12.0, dtype=torch.float16)  # e^12 is past the largest number in half precision
    assert torch.isfinite(gaussian_kl(wide, wide, 0 * wide, 0 * wide))


def test_bce_is_the_bernoulli_likelihood():
    prediction, target = torch.rand(2, 2, 3, 4, 4, generator=torch.Generator().manual_seed(0)) * 2 - 1
    expected = -Bernoulli((prediction + 1) / 2, validate_args=False).log_prob((target + 1) / 2).mean()
    torch.testing.assert_close(BCE()(prediction, target), expected)


def test_bce_behind_tanh_has_the_gradient_of_a_logistic_regression():
    """tanh(a) in [-1, 1] is sigmoid(2a) in [0, 1], so the slope in a is 2 (p - t), and never vanishes where p errs."""
    a = torch.linspace(-4, 4, 9, dtype=torch.float32).requires_grad_()
    target = torch.tensor([-1.0, 1.0, 0.5] * 3)
    BCE()(a.tanh(), target).backward()
    expected = 2 * ((2 * a).sigmoid() - (target + 1) / 2) / 9
    torch.testing.assert_close(a.grad, expected.detach(), rtol=1e-3, atol=1e-4)


def test_bce_at_and_beyond_the_ends():
    black, white = -torch.ones(1, 1, 2, 2), torch.ones(1, 1, 2, 2)
    assert BCE()(black, black) == BCE()(1.5 * white, white) == 0
    assert BCE()(black, white) == 100  # torch's floor of the logarithm
    with torch.autocast("cpu", torch.bfloat16):
        assert BCE()(black.bfloat16(), white.bfloat16()) == 100


# ------------------------------------------------------------------------------------------------------- the bound


@pytest.mark.parametrize(
    ("name", "likelihood"),
    [
        ("l1", lambda y: Laplace(y, 1.0)),
        ("l2", lambda y: Normal(y, 0.5**0.5)),
        ("bce", lambda y: Bernoulli((y + 1) / 2, validate_args=False)),
    ],
)
def test_the_sum_is_the_bound_of_the_paper(name, likelihood):
    """-log p(y | x, z) summed over an image, but for a constant, and the divergence, each averaged over the batch."""
    method, data = cvae(reconstruction_loss=name), batch()
    x, y = data["source"], data["target"]
    found = losses(method, data, seed=5)
    torch.manual_seed(5)
    mean, log_variance = method.encoder(torch.cat([x, y], 1))
    q = Normal(mean, (log_variance / 2).exp())
    prediction = method.generator(x, mean + q.stddev * torch.randn(2, 3)).detach()
    observed = (y + 1) / 2 if name == "bce" else y
    best = torch.zeros(()) if name == "bce" else -likelihood(y).log_prob(y)  # the constant
    expected = (-likelihood(prediction).log_prob(observed) - best).sum(dim=(1, 2, 3)).mean()
    torch.testing.assert_close(found["reconstruction"], expected, rtol=1e-4, atol=0)
    torch.testing.assert_close(found["kl"], kl_divergence(q, Normal(0.0, 1.0)).sum(1).mean().detach())


def test_the_mean_is_the_sum_over_the_number_of_values():
    data = batch()
    total, mean = (losses(cvae(reduction=r), data) for r in ("sum", "mean"))
    torch.testing.assert_close(total["reconstruction"], mean["reconstruction"] * 3 * 16 * 16)
    torch.testing.assert_close(total["kl"], mean["kl"])


def test_beta_rises_linearly_over_a_share_of_the_run():
    method = cvae(beta=8.0, warmup=0.4)
    full = losses(cvae(), batch())["kl"]
    for progress, beta in ((0.0, 0.0), (0.1, 2.0), (0.4, 8.0), (0.9, 8.0)):
        torch.testing.assert_close(losses(method, batch(progress=progress))["kl"], beta * full)


@pytest.mark.parametrize("prior", ["normal", "learned"])
@pytest.mark.parametrize("posterior", ["both", "target"])
def test_two_steps_against_plain_torch(posterior, prior):
    """In float64: a bias before an instance norm has no gradient but rounding, which Adam blows up to whole steps."""
    method = cvae(posterior=posterior, prior=prior, beta=0.5).double()
    G, E, P = copy.deepcopy(method.generator), copy.deepcopy(method.encoder), copy.deepcopy(method.prior)
    step_all = torch.optim.Adam([*G.parameters(), *E.parameters(), *P.parameters()], lr=2e-4)
    ours = stepper_of(method)
    for step in range(2):
        data = batch(step=step, dtype=torch.float64)
        x, y = data["source"], data["target"]
        torch.manual_seed(100 + step)
        logged = ours.run([data])

        torch.manual_seed(100 + step)
        mean, log_variance = E(torch.cat((x, y), 1) if posterior == "both" else y)
        q = Normal(mean, torch.exp(log_variance / 2))
        p = Normal(torch.zeros_like(mean), torch.ones_like(mean))
        if prior == "learned":
            prior_mean, prior_log_variance = P(x)
            p = Normal(prior_mean, torch.exp(prior_log_variance / 2))
        reconstruction = nn.L1Loss(reduction="sum")(G(x, mean + q.stddev * torch.randn_like(mean)), y) / 2
        kl = 0.5 * kl_divergence(q, p).sum() / 2
        step_all.zero_grad()
        (reconstruction + kl).backward()
        step_all.step()

        assert logged["reconstruction"].item() == pytest.approx(reconstruction.item(), rel=1e-5)
        assert logged["kl"].item() == pytest.approx(kl.item(), rel=1e-4)
        for mine, plain in ((method.generator, G), (method.encoder, E), (method.prior, P)):
            for (name, a), b in zip(mine.named_parameters(), plain.parameters(), strict=True):
                torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-5, msg=name)


@pytest.mark.parametrize("latent_at", ["input", "all", "bottleneck"])
def test_trains_wherever_the_latent_enters_and_with_unequal_channels(latent_at):
    method = cvae(in_channels=1, out_channels=2, latent=64, generator=UNET | {"latent_at": latent_at})
    before = {name: p.detach().clone() for name, p in method.named_parameters()}
    data = Batch({"source": torch.rand(2, 1, 16, 16), "target": torch.rand(2, 2, 16, 16)})
    assert all(torch.isfinite(loss) for loss in stepper_of(method).run([data]).values())
    assert not [n for n, p in method.named_parameters() if n.endswith("weight") and torch.equal(p, before[n])]


# ----------------------------------------------------------------------------------------------------- translating


def model(**options):
    torch.manual_seed(0)
    options = {"generator": UNET, "encoder": ENCODER, "latent": 3, "init_gain": 0.5, **options}
    return i2izoo.create("cvae", **options)


def test_modes_of_translation():
    cvae = model()
    image = torch.rand(3, 16, 16)
    zero = cvae(image, mode="zero")
    assert torch.equal(zero, cvae(image, mode="zero", seed=9))
    torch.testing.assert_close(zero, cvae(image, latent=torch.zeros(3)))
    first, second = cvae(image, samples=2, seed=1)
    assert not torch.equal(first, second)
    torch.testing.assert_close(first, cvae(image, seed=1))
    torch.testing.assert_close(model(inference="zero")(image, seed=1), zero)
    torch.testing.assert_close(model(inference="zero")(image, seed=1, mode="sample"), first)


def test_the_learned_prior_is_drawn_from_and_its_mode_is_its_mean():
    method = model(prior="learned").method
    image = torch.rand(2, 3, 16, 16)
    with torch.inference_mode():
        mean, log_variance = method.prior(image)
        zero = method(image, to="target", mode="zero")
        torch.testing.assert_close(zero, method.generator(image, mean))
        assert not torch.allclose(mean[0], mean[1])  # it looks at the source
        drawn = []
        method.generator.register_forward_pre_hook(lambda module, inputs: drawn.append(inputs[1]))
        method(image[:1].expand(2000, -1, -1, -1), to="target", seeds=list(range(2000)))
    torch.testing.assert_close(drawn[0].mean(0), mean[0], atol=0.1, rtol=0)
    torch.testing.assert_close(drawn[0].var(0).log(), log_variance[0], atol=0.15, rtol=0)


@pytest.mark.parametrize("posterior", ["both", "target"])
def test_style_is_the_posterior_mean(posterior):
    cvae = model(posterior=posterior)
    image, style = torch.rand(2, 3, 13, 18)
    seen = torch.cat([image, style]) if posterior == "both" else style
    with torch.inference_mode():
        z = cvae.method.encoder(seen[None])[0][0]
    torch.testing.assert_close(cvae(image, style=style), cvae(image, latent=z))
    if posterior == "target":  # of any image, grey ones too
        assert cvae(image, style=torch.rand(1, 40, 24)).shape == image.shape
    else:
        with pytest.raises(ConfigError, match=r"size of the source, \(13, 18\); found \(40, 24\)"):
            cvae(image, style=torch.rand(3, 40, 24))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"mode": "zreo"}, "'sample', 'zero' or None, found 'zreo'"),
        ({"latent": torch.zeros(3), "style": torch.zeros(3, 16, 16)}, "give one of them"),
        ({"latent": torch.zeros(2)}, r"latent of shape \(N, 3\)"),
        ({"style": torch.zeros(2, 16, 16)}, "3 channels; found 2"),
    ],
)
def test_impossible_translations(options, words):
    with pytest.raises(ConfigError, match=words):
        model()(torch.rand(3, 16, 16), **options)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"latent": 0}, "from 1 to 65536, found 0"),
        ({"beta": -1.0}, "from 0 to 1e6, found -1.0"),
        ({"warmup": 1.5}, "from 0 to 1, found 1.5"),
        ({"domains": ["a"]}, "two domains of different names"),
        ({"prior": "flow"}, "one of 'normal', 'learned'"),
        ({"reconstruction_loss": "hinge"}, "ReconstructionLoss"),
    ],
)
def test_impossible_options(options, words):
    with pytest.raises(ConfigError, match=words):
        cvae(**options)


@pytest.mark.parametrize("prior", ["normal", "learned"])
def test_saved_and_loaded(prior, tmp_path):
    saved = model(prior=prior)
    image, style = torch.rand(2, 3, 16, 16)
    saved.save_pretrained(tmp_path)
    loaded = i2izoo.load(tmp_path)
    assert torch.equal(saved(image, seed=3), loaded(image, seed=3))
    assert torch.equal(saved(image, style=style), loaded(image, style=style))


def test_the_parts_are_found_by_name():
    assert registry("losses").get("bce") is BCE
    assert registry("methods").get("cvae") is CVAE


# -------------------------------------------------------------------------------------------------------- learning


def two_answers(rows, generator):
    """A grey x, and one of two images, +-(0.3 + 0.4 x), with equal probability."""
    x = torch.rand(rows, 1, 1, 1, generator=generator).repeat(1, 1, 4, 4)
    sign = torch.where(torch.rand(rows, generator=generator) < 0.5, -1.0, 1.0)[:, None, None, None]
    return {"source": x, "target": sign * (0.3 + 0.4 * x)}


def test_it_learns_both_of_two_answers_and_a_bound_below_that_of_any_single_one(learned, learning_seed):
    method = train(
        lambda: CVAE(
            in_channels=1, out_channels=1, latent=2, reconstruction_loss="l2", init="kaiming", learning_rate=3e-3,
            generator={"name": "unet_128", "width": 8, "depth": 2, "norm": "none", "dropout": 0.0},
            encoder={"name": "cnn_encoder", "width": 8, "layers": 1, "norm": "none"},
        ),
        lambda draw: two_answers(32, draw), steps=300, seed=learning_seed,
    )  # fmt: skip
    data = two_answers(64, torch.Generator().manual_seed(99 + learning_seed))
    x = data["source"]
    with torch.inference_mode():
        draws = torch.stack([method(x, to="target", seeds=list(range(64 * k, 64 * k + 64))) for k in range(32)])
        bound = sum(losses(method, Batch(data, 300, 1.0)).values())
    answer = 0.3 + 0.4 * x
    single = 0.5 * answer.square().sum(dim=(1, 2, 3)).mean()  # the best single answer to x is 0
    assert bound > 0.69  # which of two it is, costs at least log 2 to say
    learned("bound, of that of a single answer", bound / single, below=0.9, untrained=1.0)
    for which, truth in (("lower", -answer), ("upper", answer)):
        near = ((draws - truth).abs().mean(dim=(2, 3, 4)) < 0.2).float().mean(0)  # share of the draws, for each image
        learned(f"share of draws near the {which} answer", near.mean(), above=0.25, untrained=0.0)
        learned(f"share near the {which} answer, least of 64 images", near.min(), above=0.03, untrained=0.0)
