"""ADA: its controller by hand, its transformations in closed form, and its place in a training."""

import csv
import math
from pathlib import Path

import pytest
import torch
from i2izoo_gan import ada, ada_colour, ada_geometry
from i2izoo_gan.ada import ADA
from i2izoo_gan.losses import LSGAN, WGANGP, Hinge, Vanilla
from i2izoo_gan.patchgan import PatchGAN

from i2izoo import create
from i2izoo.errors import ConfigError
from i2izoo.testing.training import data_for
from i2izoo.training.trainer import Trainer

# ------------------------------------------------------------------------------------------------------ controller


def judged(share, images=2):
    """Logits of which this share of every image's eight patches is above 0."""
    signs = torch.where(torch.arange(8) < 8 * share, 1.0, -1.0)
    return [signs.reshape(1, 1, 2, 4).repeat(images, 1, 1, 1)]


def test_p_by_hand():
    """Four batches of two images are 8 of 1000 x kimg = 80 images: p moves by 0.1 towards r_t = 0.6, from 0 up."""
    augment = ADA(kimg=0.08)
    seen = []
    for share in [1.0] * 4 + [0.75] * 4 + [1.0, 1.0, 0.5, 0.75] + [0.5] * 3 + [1.0] * 5:
        augment.observe(judged(share))
        seen.append((round(augment.p, 9), augment.training_log()["r_t"].item()))
    p, r_t = zip(*seen, strict=True)
    assert r_t == (*[1.0] * 4, *[0.5] * 4, 1.0, 1.0, 0.0, 0.5, *[0.0] * 3, *[1.0] * 5)
    # r_t of the fours: 1 > 0.6; 0.5 < 0.6; 0.625 > 0.6; (0 + 0 + 0 + 1) / 4 < 0.6; 1
    assert p == (0, 0, 0, 0.1, 0.1, 0.1, 0.1, 0, 0, 0, 0, 0.1, 0.1, 0.1, 0.1, 0, 0, 0, 0, 0.1)


def test_p_stays_a_probability_and_images_count_not_batches():
    augment = ADA(kimg=0.02, interval=2)
    for _ in range(2):
        augment.observe(judged(0.0, images=3))
    assert augment.p == 0
    for images in (9, 3):
        augment.observe(judged(1.0, images=images))
    assert augment.p == pytest.approx(12 / 20)
    for _ in range(2):
        augment.observe(judged(1.0, images=9))
    assert augment.p == 1
    with pytest.raises(ConfigError, match="wants float above 0"):
        ADA(kimg=0.0)


def test_scales_count_alike():
    augment = ADA()
    augment.observe([torch.ones(1, 1, 8, 8), -torch.ones(1, 1, 2, 2)])
    assert augment.training_log()["r_t"].item() == 0


def test_processes_share_one_p(monkeypatch):
    """Another saw as many images, and took none of them for real: r_t is 0 for both, and 4 of 10 images have passed."""
    monkeypatch.setattr(ada.dist, "is_initialized", lambda: True)
    monkeypatch.setattr(ada.dist, "all_reduce", lambda seen: seen.add_(torch.tensor([-2.0, 2.0])))
    augment = ADA(kimg=0.01, interval=1, p=0.9)
    augment.observe(judged(1.0))
    assert augment.p == pytest.approx(0.9 - 4 / 10)


@pytest.mark.parametrize(
    ("loss", "logit"), [(Vanilla, 0.0), (Hinge, 0.0), (LSGAN, 0.5)], ids=["vanilla", "hinge", "lsgan"]
)
def test_the_sign_is_that_of_being_taken_for_real(loss, logit):
    """Where the loss puts what is as often real as fake: the middle of the scores that it likes best."""
    scores = torch.arange(-3000, 3001) / 1000
    values = torch.stack([loss().discriminator([s.reshape(1, 1)], [s.reshape(1, 1)]) for s in scores])
    best = scores[values <= values.min() + 1e-7]
    assert best.mean().item() == pytest.approx(logit, abs=2e-3)
    judge = PatchGAN(width=2, layers=1, augment={"name": "ada", "p": 0.0})
    for value, sign in ((logit + 0.01, 1), (logit - 0.01, -1)):
        judge.forward = lambda image, value=value: [torch.full((len(image), 1, 3, 3), value)]
        loss().discriminator_losses(judge, torch.zeros(2, 3, 16, 16), torch.zeros(2, 3, 16, 16))
        assert judge.augment.training_log()["r_t"].item() == sign


def test_scores_without_a_zero_are_refused():
    judge = PatchGAN(width=2, layers=1, augment="ada")
    with pytest.raises(ConfigError, match=r"the scores of WGANGP have no zero; take another gan_loss"):
        WGANGP().discriminator_losses(judge, torch.zeros(2, 3, 16, 16), torch.zeros(2, 3, 16, 16))


# -------------------------------------------------------------------------------------------------------- geometry


def test_the_symlet_is_orthogonal_to_its_even_shifts_and_has_six_vanishing_moments():
    """What defines the family (Daubechies 1992, chapter 6); its least asymmetric member has its power in the middle."""
    h = torch.tensor(ada_geometry.SYM6, dtype=torch.float64)
    for shift in range(6):
        overlap = (h[2 * shift :] * h[: 12 - 2 * shift]).sum().item()
        assert overlap == pytest.approx(float(shift == 0), abs=1e-10)
    assert h.sum().item() == pytest.approx(math.sqrt(2))
    k = torch.arange(12, dtype=torch.float64) - 5.5
    for moment in range(6):
        assert ((-1) ** torch.arange(12) * k**moment * h).sum().item() == pytest.approx(0, abs=1e-6)
    assert (k * h**2).sum().abs().item() < 1


def smooth(y, x):
    """An image without fine detail, at any place in pixels from the centre."""
    return torch.stack([(0.15 * x + 0.1 * y).sin(), (0.12 * x - 0.2 * y + 1).cos(), 0.02 * x - 0.01 * y])


def placed(*placements, size=(40, 48)):
    """The image of `smooth`, and what `moved` makes of it."""
    centres = [torch.arange(side) + 0.5 - side / 2 for side in size]
    y, x = torch.meshgrid(*centres, indexing="ij")
    image = smooth(y, x)[None]
    return y, x, ada_geometry.moved(image, list(placements))[0]


ANGLE = 0.4


@pytest.mark.parametrize(
    ("placement", "came_from"),
    [
        (ada_geometry._shift(torch.tensor([3.0]), torch.tensor([-2.0])), lambda y, x: (y + 2, x - 3)),
        (ada_geometry._shift(torch.tensor([0.3]), torch.tensor([0.0])), lambda y, x: (y, x - 0.3)),
        (ada_geometry._scaling(torch.tensor([-1.0]), torch.tensor([1.0])), lambda y, x: (y, -x)),
        (ada_geometry._scaling(torch.tensor([1.3]), torch.tensor([1 / 1.3])), lambda y, x: (y * 1.3, x / 1.3)),
        (
            ada_geometry._rotation(torch.tensor([ANGLE])),
            lambda y, x: (-x * math.sin(ANGLE) + y * math.cos(ANGLE), x * math.cos(ANGLE) + y * math.sin(ANGLE)),
        ),
    ],
    ids=["pixels", "part of a pixel", "mirror", "stretch", "rotation"],
)
def test_an_image_is_where_its_placement_puts_it(placement, came_from):
    """Right and down count; the function that the image samples says what should be there."""
    y, x, found = placed(placement)
    wanted = smooth(*came_from(y, x))
    inner = (slice(None), slice(12, 28), slice(12, 36))
    torch.testing.assert_close(found[inner], wanted[inner], atol=0.01, rtol=0)


def test_placements_apply_in_their_order():
    """Shifted right, then turned by a quarter: what was right of the centre is below or above it, and not beside it."""
    steps = (
        ada_geometry._shift(torch.tensor([8.0]), torch.zeros(1)),
        ada_geometry._rotation(torch.tensor([math.pi / 2])),
    )
    dot = torch.zeros(1, 1, 41, 41)
    dot[:, :, 19:22, 19:22] = 1
    output = ada_geometry.moved(dot, list(steps))[0, 0]
    y, x = torch.meshgrid(torch.arange(41), torch.arange(41), indexing="ij")
    centre = [((places * output).sum() / output.sum()).item() for places in (y, x)]
    assert centre == pytest.approx([28, 20], abs=0.2)


def test_beyond_its_edges_the_image_is_reflected():
    """A quarter to the right: what comes in from the left is the image, mirrored at its edge."""
    ramp = torch.arange(32.0).repeat(32, 1)[None, None]
    output = ada_geometry.moved(ramp, [ada_geometry._shift(torch.tensor([8.0]), torch.zeros(1))])[0, 0, 16]
    assert output[:5].tolist() == pytest.approx([7, 6, 5, 4, 3], abs=0.5)


def test_moving_nowhere_is_exact():
    image = torch.rand(2, 3, 33, 20)
    nowhere = ada_geometry._shift(torch.tensor([0.0, 1.0]), torch.zeros(2))
    output = ada_geometry.moved(image, [nowhere])
    assert torch.equal(output[0], image[0])
    assert not torch.equal(output[1], image[1])
    inner = (slice(None), slice(8, -8), slice(8, -6))  # by whole pixels nothing is blurred: twice as many, and back
    torch.testing.assert_close(output[1][inner], image[1][:, 8:-8, 7:-7], atol=1e-5, rtol=0)


def test_resampling_has_the_derivatives_of_a_linear_map():
    torch.manual_seed(0)
    grid = torch.rand(1, 5, 4, 2, dtype=torch.float64) * 2 - 1
    image = torch.rand(1, 2, 4, 6, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: ada_geometry._Lookup.apply(x, grid), image)
    assert torch.autograd.gradgradcheck(lambda x: ada_geometry._Lookup.apply(x, grid).square(), image)


# --------------------------------------------------------------------------------------------------------- colours


def colours(monkeypatch, fires, **values):
    """`draw_colours` of one RGB image, where the changes that fire have these values."""
    names = ["brightness", "contrast", "flip", "angle", "saturation"]
    drawn = iter(names)

    def chosen(image, p, value, otherwise):
        name = next(drawn)
        return torch.full_like(value, values[name] if name in fires else otherwise)

    monkeypatch.setattr(ada_colour, "chosen", chosen)
    return ada_colour.draw_colours(torch.zeros(1, 3, 2, 2), 1.0)


RED, GREY = torch.tensor([0.6, 0.0, 0.3]), torch.full((3,), 0.4)


@pytest.mark.parametrize(
    ("change", "value", "of_red", "of_grey"),
    [
        ("brightness", 0.2, [0.8, 0.2, 0.5], [0.6] * 3),
        ("contrast", 1.5, [0.9, 0.0, 0.45], [0.6] * 3),
        ("flip", 1.0, [0.0, -0.6, -0.3], [-0.4] * 3),  # the grey part 0.3 becomes -0.3, the rest stays
        ("angle", 2 * math.pi / 3, [0.3, 0.6, 0.0], [0.4] * 3),  # red to green, green to blue, blue to red
        ("saturation", 2.0, [0.9, -0.3, 0.3], [0.4] * 3),
    ],
)
def test_each_change_of_colour_in_closed_form(change, value, of_red, of_grey, monkeypatch):
    drawn = colours(monkeypatch, [change], **{change: value})
    for colour, wanted in ((RED, of_red), (GREY, of_grey)):
        found = ada_colour.recoloured(colour.reshape(1, 3, 1, 1), drawn).flatten()
        torch.testing.assert_close(found, torch.tensor(wanted), atol=1e-5, rtol=0)


def test_changes_of_colour_follow_one_another(monkeypatch):
    values = {"brightness": 0.1, "contrast": 2.0, "flip": 1.0, "angle": 0.0, "saturation": 0.0}
    drawn = colours(monkeypatch, values, **values)
    found = ada_colour.recoloured(RED.reshape(1, 3, 1, 1), drawn).flatten()
    torch.testing.assert_close(found, torch.full((3,), -2 * (0.3 + 0.1)))


# --------------------------------------------------------------------------------------------------- probabilities


def test_p_of_0_is_the_image_itself():
    image = torch.rand(2, 3, 16, 16)
    assert ADA()(image) is image


@pytest.mark.parametrize(("transforms", "changes"), [("blit", 3), ("geometry", 4), ("colour", 5)])
def test_each_of_them_happens_with_the_probability_p(transforms, changes):
    """An image stays as it is where none of the independent changes happens.

    Of them mirroring, lightness and quarter turns draw nothing half, half and a quarter of the time; shifts of 8
    pixels by less than half a pixel half of the time each way.
    """
    p, n = 0.3, 3000
    torch.manual_seed(0)
    image = torch.rand(1, 3, 8, 8).expand(n, -1, -1, -1)
    output = ADA(p=p, transforms=[transforms])(image)
    stays = (output == image).flatten(1).all(1).double().mean().item()
    wanted = {
        "blit": (1 - p / 2) * (1 - p * 3 / 4) * (1 - p * 3 / 4),
        "geometry": (1 - p) ** changes,  # of two rotations one happens with the probability p
        "colour": (1 - p) ** (changes - 1) * (1 - p / 2),
    }[transforms]
    assert stays == pytest.approx(wanted, abs=4 * math.sqrt(0.25 / n))


def test_conditions_move_and_keep_their_colours_and_planes_have_none():
    torch.manual_seed(0)
    planes = torch.rand(8, 1, 16, 16)
    output = ADA(p=1.0)(planes.repeat(1, 5, 1, 1), condition_channels=2)
    torch.testing.assert_close(output[:, 0], output[:, 1])
    assert not torch.allclose(output[:, 0], output[:, 2], atol=0.01)
    output = ADA(p=1.0)(planes.repeat(1, 7, 1, 1), condition_channels=2)
    torch.testing.assert_close(output[:, 0], output[:, 6])  # five channels are no image with colours


# -------------------------------------------------------------------------------------------------------- training


def trainer(out: Path, resume=None, method="cyclegan"):
    torch.manual_seed(0)
    judge = {"name": "patchgan", "width": 4, "layers": 1, "augment": {"name": "ada", "kimg": 0.04}}
    model = create(
        method,
        generator={"name": "unet_256", "width": 4, "depth": 3},
        discriminator=judge,
        gan_loss={"name": "lsgan", "r1": 1.0, "r1_every": 3},
    )
    return Trainer(
        model, data_for(model.method), out=out, resume=resume, progress=False, steps=10, decay_steps=0, batch_size=2,
        log_every=1, sample_every=0, tensorboard=False, device="cpu",
    )  # fmt: skip


def test_a_run_logs_p_and_r_t_and_resumes_exactly(tmp_path):
    """Stopped between two adjustments of p and between two R1s."""
    whole = trainer(tmp_path / "whole")
    whole.fit()
    first = trainer(tmp_path / "parts")
    for _ in range(5):
        first.train_step()
    first.save()
    first.loader.close()
    second = trainer(tmp_path / "parts", resume="auto")
    second.fit()
    wanted, found = whole.method.state_dict(), second.method.state_dict()
    assert all(torch.equal(value, found[name]) for name, value in wanted.items())
    for domain in whole.method.domains:
        augments = [run.method.discriminator[f"of_{domain}"].augment for run in (whole, second)]
        assert augments[0].training_state()["state"].tolist() == augments[1].training_state()["state"].tolist()
    places = [f"discriminator.of_{domain}.augment.{name}" for domain in whole.method.domains for name in ("p", "r_t")]
    rows = [dict(r) for r in whole_rows(tmp_path / "whole")]
    assert set(places) <= rows[0].keys()
    moved = [float(row[places[0]]) for row in rows]
    assert moved[:3] == [0, 0, 0]
    assert all(0 <= p <= 0.4 for p in moved)
    assert sorted(i for i, row in enumerate(rows) if row["d_r1_target"]) == [0, 3, 6, 9]


def whole_rows(folder):
    with (folder / "log.csv").open(newline="") as file:
        return list(csv.DictReader(file))
