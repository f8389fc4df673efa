"""BicycleGAN and its halves: against plain torch code, where gradients go, what is translated, and that it learns."""

import copy
import itertools

import numpy as np
import pytest
import torch
from i2izoo_gan.bicyclegan import CLRGAN, CVAEGAN, BicycleGAN
from i2izoo_gan.pix2pix import Pix2Pix
from i2izoo_metrics.ppl import PerceptualPathLength
from steps import batch, train

from i2izoo.errors import ConfigError, I2IZooError
from i2izoo.models.storage import method_config
from i2izoo.models.translator import Translator
from i2izoo.nn.latent import slerp
from i2izoo.testing.training import stepper_of

SMALL = {
    "generator": {"name": "unet_256", "width": 4, "depth": 3, "norm": "instance", "dropout": 0.0},
    "encoder": {"name": "resnet_encoder", "width": 4, "blocks": 2},
    "discriminator": {"name": "multiscale", "width": 4, "layers": 1},
    "latent": 3,
    "init_gain": 0.5,
}
KINDS = [BicycleGAN, CVAEGAN, CLRGAN]


def make(kind=BicycleGAN, **options):
    torch.manual_seed(0)
    return kind(**{**SMALL, **options})


def gradients(module):
    return {n: None if p.grad is None else p.grad.clone() for n, p in module.named_parameters()}


def close(ours, theirs):
    """To 1e-5, in float64: a bias before an instance norm has no gradient but rounding, which Adam would blow up."""
    assert ours.keys() == theirs.keys()
    for name, value in theirs.items():
        torch.testing.assert_close(
            ours[name].double(), value.double(), rtol=1e-5, atol=1e-5, msg=lambda m, n=name: n + m
        )


# ------------------------------------------------------------------------------- against a plain implementation


class Plain:
    """The authors' training step in the order of their code; the halves set weights to zero, as there."""

    def __init__(self, method, lambda_gan, lambda_gan2, lambda_l1, lambda_kl, lambda_z):
        self.G, self.E = copy.deepcopy(method.generator), copy.deepcopy(method.encoder)
        self.D = {way: copy.deepcopy(discriminator) for way, discriminator in method.discriminator.items()}
        self.step_of = {
            name: torch.optim.Adam(network.parameters(), lr=2e-4, betas=(0.5, 0.999))
            for name, network in {"G": self.G, "E": self.E, **self.D}.items()
        }
        self.gan, self.gan2, self.l1, self.kl, self.z = lambda_gan, lambda_gan2, lambda_l1, lambda_kl, lambda_z

    @staticmethod
    def mse(predictions, target):
        return sum(((p - target) ** 2).mean() for p in predictions)

    def __call__(self, a, b, real_random):
        logged = {}
        for network in (self.G, self.E):
            network.zero_grad()
        losses = {}
        if self.l1:
            mu, logvar = self.E(b)
            fake_encoded = self.G(a, torch.randn_like(mu) * torch.exp(logvar / 2) + mu)
            losses["gan_encoded"] = self.gan * self.mse(self.D["encoded"](fake_encoded), 1)
            losses["reconstruction"] = self.l1 * (fake_encoded - b).abs().mean()
            losses["kl"] = -0.5 * self.kl * (1 + logvar - mu**2 - logvar.exp()).sum()
        if self.z:
            z = torch.randn(len(a), 3, dtype=a.dtype)
            fake_random = self.G(a, z)
            losses["gan_random"] = self.gan2 * self.mse(self.D["random"](fake_random), 1)
            mu2 = self.E(fake_random)[0]
        sum(losses.values()).backward(retain_graph=True)
        if self.z:
            encoder = {n: p.grad for n, p in self.E.named_parameters()}
            if self.l1:
                encoder = {n: g.clone() for n, g in encoder.items()}
            losses["latent"] = self.z * (mu2 - z).abs().mean()
            losses["latent"].backward()
            if self.l1:  # the generator alone: put the encoder's gradient back
                for name, p in self.E.named_parameters():
                    p.grad = encoder[name]
        self.step_of["E"].step()
        self.step_of["G"].step()
        logged |= losses
        for way, real in (("encoded", b), ("random", real_random)):
            if way in self.D:
                fake = (fake_encoded if way == "encoded" else fake_random).detach()
                self.D[way].zero_grad()
                loss = self.mse(self.D[way](fake), 0) + self.mse(self.D[way](real), 1)
                loss.backward()
                self.step_of[way].step()
                logged[f"d_{way}"] = loss
        return {name: value.detach() for name, value in logged.items()}


@pytest.mark.parametrize(
    ("kind", "weights"),
    [(BicycleGAN, (1, 1, 10, 0.01, 0.5)), (CVAEGAN, (1, 0, 10, 0.01, 0)), (CLRGAN, (0, 1, 0, 0, 0.5))],
)
@pytest.mark.parametrize("pairs", [1, 3])
def test_five_steps_against_plain_torch(kind, weights, pairs):
    """Half of the batch for each way; all of it for the halves alone."""
    method = make(kind).double()
    plain, ours = Plain(method, *weights), stepper_of(method)
    for step in range(5):
        whole = batch(step=step, rows=2 * pairs if kind is BicycleGAN else pairs, dtype=torch.float64)
        torch.manual_seed(100 + step)
        logged = ours.run([whole])
        torch.manual_seed(100 + step)
        close(logged, plain(whole["source"][:pairs], whole["target"][:pairs], whole["target"][-pairs:]))
        close(method.generator.state_dict(), plain.G.state_dict())
        close(method.encoder.state_dict(), plain.E.state_dict())
        for way, discriminator in method.discriminator.items():
            close(discriminator.state_dict(), plain.D[way].state_dict())


# ------------------------------------------------------------------------------------------------------ gradients


def test_the_latent_term_never_reaches_the_encoder():
    method = make().double()
    ours, data = stepper_of(method), batch(dtype=torch.float64)
    updates = method.training_step(data)

    torch.manual_seed(1)
    first = next(updates)
    assert (first.receivers, first.steppers) == (("encoder", "generator"), ())
    assert first.losses.keys() == {"gan_encoded", "reconstruction", "kl"}
    encoder = dict(method.encoder.named_parameters())
    expected = torch.autograd.grad(sum(first.losses.values()), encoder.values(), retain_graph=True)
    generator = dict(method.generator.named_parameters())
    share = torch.autograd.grad(sum(first.losses.values()), generator.values(), retain_graph=True)
    ours._backward(first, 1)
    close(gradients(method.encoder), dict(zip(encoder, expected, strict=True)))

    second = next(updates)
    assert (second.receivers, second.steppers) == (("generator",), ("encoder", "generator"))
    assert second.losses.keys() == {"gan_random", "latent"}
    more = torch.autograd.grad(sum(second.losses.values()), generator.values(), retain_graph=True)
    would_be = torch.autograd.grad(second.losses["latent"], encoder.values(), retain_graph=True, allow_unused=True)
    assert any(g is not None and g.abs().max() > 1e-6 for g in would_be)  # there is one to be kept out
    before = gradients(method.encoder)
    ours._backward(second, 1)
    assert all(torch.equal(g, before[n]) for n, g in gradients(method.encoder).items())
    assert all(torch.equal(before[n], expected[i]) for i, n in enumerate(encoder))
    close(gradients(method.generator), {n: a + b for n, a, b in zip(generator, share, more, strict=True)})
    assert all(g is None for g in gradients(method.discriminator).values())

    method.zero_grad()
    third = next(updates)
    assert third.receivers == ("discriminator",)
    ours._backward(third, 1)
    assert all(g is not None for g in gradients(method.discriminator).values())
    assert all(g is None for part in (method.encoder, method.generator) for g in gradients(part).values())
    assert next(updates, None) is None


def test_the_encoder_of_clr_gan_learns_from_the_latent_term():
    method = make(CLRGAN)
    ours = stepper_of(method)
    (update, _) = method.training_step(batch())
    assert update.receivers == update.steppers == ("encoder", "generator")
    ours._backward(update, 1)
    found = gradients(method.encoder)
    assert {n.split(".")[0] for n, g in found.items() if g is None} == {"log_variance"}
    assert found["mean.weight"].abs().max() > 0


@pytest.mark.parametrize(
    ("options", "rows", "first", "second"),
    [
        ({}, 2, [0], [1]),
        ({}, 4, [0, 1], [2, 3]),
        ({}, 3, [0], [2]),
        ({}, 1, [0], [0]),
        ({"half_batch": False}, 2, [0, 1], [0, 1]),
    ],
)
@pytest.mark.parametrize("conditional", [False, True])
def test_what_each_way_gets_of_the_batch(options, rows, first, second, conditional):
    """z off the first half, both ways translate the first half, random ones stand beside the other half."""
    method = make(**options, conditional=conditional)
    seen, encoded, translated = {}, [], []
    for way, discriminator in method.discriminator.items():
        discriminator.register_forward_pre_hook(
            lambda m, inputs, w=way: seen.setdefault(w, []).append(inputs[0].detach())
        )
    method.encoder.register_forward_pre_hook(lambda m, inputs: encoded.append(inputs[0].detach()))
    method.generator.register_forward_pre_hook(lambda m, inputs: translated.append(inputs[0].detach()))
    data = batch(rows=rows)
    stepper_of(method).run([data])
    x, y = data["source"], data["target"]
    assert torch.equal(encoded[0], y[first])
    assert all(torch.equal(image, x[first]) for image in translated)
    for way, part in (("encoded", first), ("random", second)):
        judged, real, fake = seen[way]  # by the generator; then the discriminator's real and fake
        assert torch.equal(judged, fake)
        assert torch.equal(real, torch.cat([x[part], y[part]], dim=1) if conditional else y[part])
        assert not conditional or torch.equal(fake[:, :3], x[first])
    assert not torch.equal(seen["encoded"][2], seen["random"][2])


# -------------------------------------------------------------------------------------------------------- options


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("gan_loss", ["lsgan", "vanilla", "wgangp", "hinge"])
def test_every_gan_loss(kind, gan_loss):
    method = make(kind, gan_loss=gan_loss)
    before = copy.deepcopy(method.state_dict())
    logged = stepper_of(method).run([batch()])
    assert all(torch.isfinite(loss) for loss in logged.values())
    ways = list(method.discriminator)
    assert [name for name in logged if "penalty" in name] == [f"d_penalty_{w}" for w in ways if gan_loss == "wgangp"]
    still = {n for n, v in method.state_dict().items() if torch.equal(v, before[n])}
    assert not [n for n in still if n.endswith("weight") and not (kind is CLRGAN and "log_variance" in n)]


@pytest.mark.parametrize("latent", [2, 8, 256])
@pytest.mark.parametrize("latent_at", ["input", "all", "bottleneck"])
@pytest.mark.parametrize("generator", [SMALL["generator"], {"name": "resnet_6blocks", "width": 4, "blocks": 1}])
@pytest.mark.parametrize("encoder", [SMALL["encoder"], {"name": "cnn_encoder", "width": 4, "layers": 3}])
def test_every_place_size_and_encoder_of_the_latent(latent, latent_at, generator, encoder):
    method = make(latent=latent, generator={**generator, "latent_at": latent_at}, encoder=encoder)
    logged = stepper_of(method).run([batch()])
    assert logged.keys() >= {"gan_encoded", "gan_random", "reconstruction", "kl", "latent", "d_encoded", "d_random"}
    assert all(torch.isfinite(loss) for loss in logged.values())
    image = torch.rand(1, 3, 20, 9) * 2 - 1
    out = method.eval()(image.expand(2, -1, -1, -1), to="target", seeds=[1, 2])
    assert out.shape == (2, 3, 20, 9)
    assert not torch.equal(out[0], out[1])


def test_terms_follow_their_weights():
    data = batch()
    torch.manual_seed(1)
    first = stepper_of(make()).run([data])
    torch.manual_seed(1)
    weights = {"gan_weight": 2.0, "random_gan_weight": 3.0, "reconstruction_weight": 40.0, "kl_weight": 0.05}
    other = stepper_of(make(**weights, latent_weight=3.0)).run([data])
    factors = {"gan_encoded": 2, "gan_random": 3, "reconstruction": 4, "kl": 5, "latent": 6}
    for name, factor in factors.items():
        torch.testing.assert_close(other[name], factor * first[name])
    without = stepper_of(make(gan_weight=0.0, random_gan_weight=0.0, kl_weight=0.0)).run([data])
    assert without.keys() == {"reconstruction", "latent"}


@pytest.mark.parametrize("kind", KINDS)
def test_several_discriminator_steps_for_one_of_the_generator(kind):
    method = make(kind, discriminator_steps=3)
    ours, turns = stepper_of(method), []
    for step in range(6):
        before = copy.deepcopy(method.state_dict())
        ours.run([batch(step=step)])
        moved = {n.split(".")[0] for n, v in method.state_dict().items() if not torch.equal(v, before[n])}
        assert "discriminator" in moved
        turns.append(moved == {"discriminator", "generator", "encoder"})
    assert turns == [False, False, True, False, False, True]


@pytest.mark.parametrize(
    ("kind", "options", "words"),
    [
        (BicycleGAN, {"domains": ["a", "a"]}, "two domains"),
        (BicycleGAN, {"latent": 0}, "from 1 to 65536, found 0"),
        (BicycleGAN, {"generator": "unet_265"}, "unet_256"),
        (CVAEGAN, {"gan_weight": 0.0, "reconstruction_weight": 0.0}, "nothing trains the encoder"),
        (CLRGAN, {"latent_weight": 0.0}, "nothing trains the encoder"),
        (CVAEGAN, {"latent_weight": 1.0}, "no option 'latent_weight'"),
        (CLRGAN, {"kl_weight": 1.0}, "no option 'kl_weight'"),
    ],
)
def test_impossible_options(kind, options, words):
    with pytest.raises(I2IZooError, match=words):
        make(kind, **options)


# ---------------------------------------------------------------------------------------------------- translating


@pytest.fixture
def model():
    method = make().eval()
    return Translator(method, method_config(method, "bicyclegan"))


def test_samples_differ_and_follow_the_seed(model):
    image = np.full((18, 21, 3), 99, np.uint8)
    first = model(image, samples=4, seed=1)
    again = model([image, image], samples=2, seed=1, batch_size=1)[0]
    assert all((a == b).all() for a, b in zip(first, again, strict=False))
    assert len({sample.tobytes() for sample in first}) == 4
    assert not (model(image, seed=2) == model(image, seed=1)).all()


def test_a_latent_decides_whatever_the_seed(model):
    image = np.full((16, 16, 3), 99, np.uint8)
    z = [1.0, -2.0, 0.5]
    assert (model(image, latent=z, seed=1) == model(image, latent=z, seed=2)).all()
    other = model([image, image], latent=[z, [0.0, 0.0, 0.0]])
    assert (other[0] == model(image, latent=z)).all()
    assert (other[1] == model(image, mode="zero")).all()
    assert not (other[0] == other[1]).all()
    with pytest.raises(ConfigError, match=r"latent of shape \(N, 3\)"):
        model(image, latent=[1.0, 2.0])
    with pytest.raises(ConfigError, match="'sample', 'zero' or None, found 'zeor'"):
        model(image, mode="zeor")


def test_zero_can_be_the_recorded_mode():
    method = make(inference="zero").eval()
    image = torch.rand(2, 3, 16, 16)
    assert torch.equal(method(image, to="target", seeds=[1, 2]), method(image, to="target", latent=torch.zeros(2, 3)))
    assert not torch.equal(method(image, to="target", seeds=[1, 2]), method(image, to="target", mode="sample"))


@pytest.mark.parametrize("size", [(18, 21), (18, 20), (64, 48), (5, 5)])
def test_the_style_of_a_reference_image(model, size):
    """It is what the encoder reads off it, as it is, at any size, also that of the image that is padded."""
    image, reference = (
        np.full((18, 21, 3), 99, np.uint8),
        np.random.default_rng(0).integers(0, 255, (*size, 3), np.uint8),
    )
    with torch.inference_mode():
        z = model.method.encoder(torch.as_tensor(reference).permute(2, 0, 1)[None] / 127.5 - 1)[0][0]
    styled = model(image, style=reference)
    assert np.abs(styled.astype(int) - model(image, latent=z.tolist())).max() <= 1
    assert not (styled == model(image, mode="zero")).all()


def test_styles_of_several_images(model):
    rng = np.random.default_rng(0)
    image = rng.integers(0, 255, (16, 16, 3), np.uint8)
    references = [rng.integers(0, 255, (s, s, 3), np.uint8) for s in (16, 40)]
    both = model([image, image], style=references)
    for got, reference in zip(both, references, strict=True):
        assert np.abs(got.astype(int) - model(image, style=reference)).max() <= 1
    grey = references[0][..., 0]
    assert (model(image, style=grey) == model(image, style=np.stack([grey] * 3, -1))).all()
    with pytest.raises(ConfigError, match="give one of them"):
        model(image, style=references[0], latent=[0.0, 0.0, 0.0])
    with pytest.raises(ConfigError, match="'target', 3 channels; found 2"):
        model.method(torch.zeros(1, 3, 16, 16), to="target", style=torch.zeros(1, 2, 16, 16))


def test_the_way_between_two_latents_is_gradual(model):
    """Each step changes less than the whole way, and the ends are the ends."""
    start, end = torch.tensor([2.0, 0.0, 0.0]), torch.tensor([0.0, 0.0, -2.0])
    image = torch.rand(3, 16, 16) * 2 - 1
    way = [model(image, latent=slerp(start, end, step / 8)) for step in range(9)]
    steps = [(a - b).abs().mean() for a, b in itertools.pairwise(way)]
    assert max(steps) < 0.5 * (way[0] - way[-1]).abs().mean()
    assert torch.equal(way[0], model(image, latent=start))


def test_perceptual_path_length_measures_it(model):
    """The metric walks through `latent_size` numbers and asks `translate` with `latent`."""
    metric = PerceptualPathLength(pairs=1, net="alex")
    metric.device, metric.distance = torch.device("cpu"), lambda a, b: (a - b).square().mean(dim=(1, 2, 3))
    value = metric.update(source=torch.rand(2, 3, 64, 64) * 2 - 1, model=model)
    assert value.shape == (2,)
    assert (value > 0).all()


# ------------------------------------------------------------------------------------------------------- learning

HALVES = torch.full((1, 1, 16, 16), 0.8)
HALVES[..., 8:] = -0.8


def two_modes(draw, rows=8):
    """Targets are bright on the left or bright on the right, by a coin that the source, noise, knows nothing of."""
    mode = torch.randint(0, 2, (rows, 1, 1, 1), generator=draw) * 2.0 - 1
    return {"source": torch.rand(rows, 1, 16, 16, generator=draw) * 2 - 1, "target": mode * HALVES}


def source(seed, rows=1):
    """Not seen in training."""
    return two_modes(torch.Generator().manual_seed(12345 + seed), rows)["source"]


def trained(kind, steps, seed, **options):
    return train(
        lambda: kind(
            in_channels=1, out_channels=1, learning_rate=2e-3, init_gain=0.5,
            generator={"name": "unet_256", "width": 8, "depth": 3, "norm": "instance", "dropout": 0.0},
            discriminator={"name": "patchgan", "width": 8, "layers": 1}, **options,
        ),
        two_modes, steps=steps, seed=seed,
    )  # fmt: skip


ENCODED = {"latent": 2, "encoder": {"name": "resnet_encoder", "width": 8, "blocks": 2}}


def translations(method, image, count=64):
    """Of one image with many seeds, and how much of each mode is in them: 1 is the left, -1 the right."""
    with torch.inference_mode():
        out = method(image.expand(count, -1, -1, -1), to="target", seeds=list(range(count)))
    return out, (out * HALVES).mean(dim=(1, 2, 3)) / 0.64


@pytest.mark.parametrize("kind", [BicycleGAN, CVAEGAN])
def test_both_modes_are_learned(kind, learned, learning_seed):
    """Seeds give both, each in its full strength; the encoder tells them apart, and z moves one to the other."""
    encoded = 4 if kind is BicycleGAN else 8  # rows, over which the divergence is summed; the paper's batch has one
    method = trained(kind, 150, learning_seed, **ENCODED, kl_weight=0.01 / encoded)
    data = source(learning_seed)
    out, mode = translations(method, data)
    left, right = (mode > 0.7).sum().item(), (mode < -0.7).sum().item()
    learned("translations to the rarer mode", min(left, right), above=11, untrained=0)
    learned("translations to one of the modes", left + right, above=40, untrained=0)
    learned("distance to the left mode", (out[mode > 0.7] - HALVES).abs().mean(), below=0.4, untrained=0.8)
    learned("distance to the right mode", (out[mode < -0.7] + HALVES).abs().mean(), below=0.4, untrained=0.8)
    with torch.inference_mode():
        styled = [sign * method(data, to="target", style=sign * HALVES) for sign in (1.0, -1.0)]
    learned("strength of a given style", min((s * HALVES).mean() / 0.64 for s in styled), above=0.7, untrained=0.0)


def test_pix2pix_has_one_answer(learned, learning_seed):
    """Without z there is one translation for all seeds: half of the pairs are far from it."""
    out, _ = translations(trained(Pix2Pix, 100, learning_seed), source(learning_seed), count=8)
    assert (out == out[:1]).all()
    far = max((out[0] - sign * HALVES).abs().mean() for sign in (1.0, -1.0))
    learned("distance to the farther mode", far, above=0.7, untrained=0.0)


def test_clr_gan_keeps_z_readable(learned, learning_seed):
    """The encoder reads z off translations with a random z; of an untrained pair it knows nothing.

    The weight of its term is above the paper's 0.5, at which z and the discriminator, for which there are two images
    only, fight for hundreds of steps.
    """
    method = trained(CLRGAN, 150, learning_seed, latent_weight=10.0, **ENCODED)
    z = torch.randn(64, 2, generator=torch.Generator().manual_seed(5 + learning_seed))
    with torch.inference_mode():
        read = method.encode(method(source(learning_seed, rows=64), to="target", latent=z))
    # nothing known is 0.8, sqrt(2 / pi)
    learned("mean error of z", (read - z).abs().mean(), below=0.45, untrained=z.abs().mean())
