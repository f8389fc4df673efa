"""Damaged photographs: drawn damage and its mask, lightness kept where something is left, damage found or shown."""

import numpy as np
import pytest
import torch
from i2izoo_tasks.damage import COUNTS, damage
from i2izoo_tasks.photo_restoration import PhotoRestoration, PhotoRestorationDataset
from steps import train

import i2izoo
from i2izoo.errors import ConfigError, ImageError
from i2izoo.interfaces import Batch
from i2izoo.nn.colour import srgb_to_lab
from i2izoo.testing.training import stepper_of

TINY = PhotoRestoration.tiny_options
DRAWN = {"root": {"name": "synthetic-facades", "count": 4, "size": 32}, "domains": ["damaged", "photo"]}
EIGHT_BITS = 0.26
"""Greatest error of L* that rounding to 8 bits can make; tests/nn/test_colour.py derives it."""


def model(seed=0, gain=8.0, **options):
    torch.manual_seed(seed)
    made = i2izoo.create("photo_restoration", **{**TINY, **options})
    with torch.no_grad():
        for parameter in made.method.base.parameters():
            parameter.mul_(gain)
    return made


def lightness(pixels):
    stacked = np.dstack([pixels] * 3) if pixels.ndim == 2 else pixels
    return srgb_to_lab(torch.from_numpy(stacked / 255).permute(2, 0, 1)[None])[0, 0].numpy()


def image(height=21, width=34):
    draw = np.random.default_rng(0)
    return draw.integers(0, 256, (height, width), dtype=np.uint8), draw.random((height, width)) < 0.3


# ---------------------------------------------------------------------------------------------------------- damage


@pytest.mark.parametrize("shape", [(64, 48), (1, 1), (3, 200)])
def test_damage_is_a_pure_function_of_the_seed_and_stands_in_its_mask(shape):
    grey = np.random.default_rng(0).random(shape, dtype=np.float32)
    before = grey.copy()
    for seed in range(5):
        damaged, mask = damage(grey, 2.0, seed)
        again, same = damage(grey, 2.0, seed)
        assert np.array_equal(damaged, again)
        assert np.array_equal(mask, same)
        assert np.array_equal(damaged[~mask], grey[~mask])
        assert damaged.dtype == np.float32
        assert 0 <= damaged.min() <= damaged.max() <= 1
    assert np.array_equal(grey, before)
    whole, nothing = damage(grey, 0.0, 0)
    assert np.array_equal(whole, grey)
    assert not nothing.any()


@pytest.mark.parametrize("kind", COUNTS)
def test_each_kind_of_damage_shows_and_is_as_large_as_it_is_said_to_be(kind, monkeypatch):
    monkeypatch.setattr("i2izoo_tasks.damage.COUNTS", {kind: 1.0})
    grey, shares, corners = np.full((256, 256), 0.5, np.float32), [], []
    for seed in range(60):
        damaged, mask = damage(grey, 1.0, seed)
        shares.append(mask.mean())
        corners.append(mask[[0, 0, -1, -1], [0, -1, 0, -1]].any())
        assert (np.abs(damaged - 0.5)[mask] > 0).all()
    # once on average: sizes are those of the docstring, half of what is drawn near an edge is outside
    low, high = {
        "speck": (1e-5, 2e-3), "hole": (5e-3, 0.08), "corner": (5e-3, 0.09), "crack": (1e-3, 0.03),
        "scratch": (1e-3, 0.03),
    }[kind]  # fmt: skip
    assert low < np.mean(shares) < high
    assert min(shares) == 0  # a third of the images has none
    if kind == "corner":
        assert sum(corners) == sum(share > 0 for share in shares)


# ------------------------------------------------------------------------------------------------------------ data


def test_colours_lie_on_the_lightness_of_the_film_and_alpha_marks_the_damage():
    data = PhotoRestorationDataset(**DRAWN, degrade="film", damage=2.0)
    plain = PhotoRestorationDataset(**DRAWN, damage=2.0)
    for index in range(2):
        sample = data.sample(index, 5)
        left = sample["damaged"][3] == 1
        assert 0 < left.float().mean() < 1
        grey, colour = (srgb_to_lab((each[None, :3].double() + 1) / 2)[0] for each in sample.values())
        assert (grey[0] - colour[0]).abs()[left].max() < 0.1
        assert (grey[0] - colour[0]).abs()[~left].max() > 5
        assert not torch.equal(sample["photo"], plain.sample(index, 5)["photo"])
        assert torch.equal(data.sample(index, None)["photo"], plain.sample(index, None)["photo"])
        assert torch.equal(data.sample(index, None)["damaged"], data.sample(index, None)["damaged"])


def test_unmarked_damage_is_the_same_damage():
    marked, unmarked = (PhotoRestorationDataset(**DRAWN, damage=3.0, marked=m) for m in (True, False))
    for index in range(2):
        one, other = (data.sample(index, None)["damaged"] for data in (marked, unmarked))
        assert torch.equal(one[:3], other[:3])
        assert (other[3] == 1).all()
        assert (one[3] == -1).any()


# ----------------------------------------------------------------------------------------------------- translation


@pytest.mark.parametrize("size", [(21, 34), (1, 7), (16, 16)])
def test_lightness_is_kept_where_something_is_left(size):
    pixels, mask = image(*size)
    found = model()(pixels, mask=mask)
    assert found.shape == (*size, 3)
    apart = np.abs(lightness(found) - lightness(pixels))
    assert apart[~mask].max() < EIGHT_BITS
    assert mask.sum() < 5 or apart[mask].max() > 5
    assert np.ptp(found.astype(int), axis=2)[~mask].mean() > 5  # and it is coloured


def test_mask_and_alpha_agree_and_what_lies_under_does_not_count():
    pixels, mask = image()
    restored = model()
    found = restored(pixels, mask=mask)
    alpha = np.where(mask, 0, 255).astype(np.uint8)
    for hidden in (pixels, np.where(mask, 255, pixels).astype(np.uint8)):
        assert np.array_equal(restored(np.dstack([hidden] * 3 + [alpha])), found)


def test_damage_is_looked_for_unless_it_is_shown():
    pixels, mask = image()
    none = np.zeros_like(mask)
    restored = model()
    logits = torch.where(torch.from_numpy(pixels > 200), 9.0, -9.0)
    found_mask = pixels > 200
    restored.method.logits = lambda grey: torch.where(grey > _lightness_of(200.5), 9.0, -9.0)
    assert logits.shape == found_mask.shape
    by_itself = restored(pixels)
    assert np.array_equal(by_itself, restored(pixels, mask=found_mask))
    assert not np.array_equal(by_itself, restored(pixels, mask=none))
    assert np.array_equal(restored(pixels, detect=False), restored(pixels, mask=none))
    assert np.array_equal(restored(pixels, mask=mask, detect=True), restored(pixels, mask=mask | found_mask))
    assert np.array_equal(restored(pixels, threshold=1.0), restored(pixels, mask=none))


def _lightness_of(level):
    return float(srgb_to_lab(torch.full((1, 3, 1), level / 255))[0, 0, 0]) / 50 - 1


def test_a_mask_of_another_size_is_refused():
    pixels, mask = image()
    with pytest.raises(ImageError, match="they must agree"):
        model()(pixels, mask=mask[:, :-1])


def test_it_is_saved_and_loaded(tmp_path):
    pixels, _ = image()
    made = model()
    with torch.no_grad():
        made.method.head.bias.fill_(0.0)
    made.save_pretrained(tmp_path / "model")
    assert np.array_equal(i2izoo.load(str(tmp_path / "model"))(pixels), made(pixels))


# -------------------------------------------------------------------------------------------------------- training


def test_a_step_trains_the_detector_and_the_base_on_their_own():
    method = model(gain=1.0).method
    data = PhotoRestorationDataset(root=DRAWN["root"], domains=["damaged", "photo"], damage=3.0)
    images = [data.sample(index, 1) for index in range(2)]
    images = {
        "damaged": torch.stack([i["damaged"] for i in images]),
        "image": torch.stack([i["photo"] for i in images]),
    }
    before = {key: value.clone() for key, value in method.named_parameters()}
    stepper_of(method).run([Batch(images)])
    moved = {key.split(".")[0] for key, value in method.named_parameters() if not torch.equal(value, before[key])}
    assert moved == {"base", "detector", "head"}
    assert set(method.optimizers()) > {"detector"}


def test_the_detector_learns_where_damage_is(learned, learning_seed):
    y, x = torch.meshgrid(torch.linspace(0, 6, 32), torch.linspace(0, 6, 32), indexing="ij")

    def draw(generator):
        rows = []
        for _ in range(4):
            phase, seed = torch.rand(2, generator=generator) * 6, int(torch.randint(2**31, (), generator=generator))
            grey = (0.45 + 0.15 * torch.sin(x + phase[0]) * torch.sin(y + phase[1])).numpy().astype(np.float32)
            damaged, mask = damage(grey, 2.0, seed)
            alpha = np.where(mask, -1, 1).astype(np.float32)[None]
            rows.append(np.concatenate([np.repeat(damaged[None] * 2 - 1, 3, 0), alpha]))
        source = torch.from_numpy(np.stack(rows))
        return {"damaged": source, "image": source[:, :3]}

    method = train(
        lambda: PhotoRestoration(**{**TINY, "detector": {"name": "resnet_6blocks", "width": 8, "blocks": 1}},
                                 detector_learning_rate=5e-3),
        draw, steps=60, seed=learning_seed,
    )  # fmt: skip
    source = draw(torch.Generator().manual_seed(1234))["damaged"]
    hole = source[:, 3:] < 0
    with torch.no_grad():
        lab = srgb_to_lab((source[:, :3] + 1) / 2)[:, :1] / 50 - 1
        found = method.logits(lab)
    share = hole.float().mean()
    constant = -(share * share.log() + (1 - share) * (1 - share).log())  # the best that knows how much is damaged
    entropy = torch.nn.functional.binary_cross_entropy_with_logits(found, hole.float())
    learned("cross-entropy, of that of the best constant", float(entropy / constant), below=0.88, untrained=1.0)


def test_mistakes():
    with pytest.raises(ConfigError, match="wants one of 'none', 'light', 'strong', 'film'"):
        PhotoRestorationDataset(**DRAWN, degrade="filn")
    with pytest.raises(ConfigError, match="paired method"):
        PhotoRestoration(base="cyclegan")
