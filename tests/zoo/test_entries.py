"""Every bundled model translates as it did when it was published, whatever has changed in the code since.

`entries.safetensors` of each zoo holds what a model made of the upper left 32 x 32 pixels of an example image with
seed 0, in 8 bits; of one that makes images from nothing, the upper left pixels of its first. Of the facades that was
version 0.1.0; since then the noise of DDIM is derived from the clipped image, which moves the two models that sample
by less than the bound, and `cyclegan-facades` and `cut-facades` were trained again in November 2026.
"""

from pathlib import Path

import pytest
from safetensors.torch import load_file

import i2izoo
from i2izoo.contracts.registry import registry
from i2izoo.images.reading import to_tensor

TESTS = Path(__file__).parents[1]
EXAMPLES = TESTS.parent / "examples" / "images"
STORED = {
    name: pixels for path in sorted(TESTS.glob("*/entries.safetensors")) for name, pixels in load_file(path).items()
}
ENTRIES = [name for name in registry("pretrained").names() if registry("pretrained").get(name).bundled]


def test_every_entry_has_its_pixels():
    assert {name.rpartition(".")[0] for name in STORED} == set(ENTRIES)


@pytest.mark.parametrize(
    "stored", [pytest.param(name, marks=pytest.mark.slow if name.startswith("ddim") else ()) for name in STORED]
)  # fifty calls of a network take a while
def test_an_entry_gives_the_pixels_that_it_gave(stored):
    """Within one grey level on average: a class of the segmenter's label map may change in a pixel of a hundred."""
    name, _, to = stored.rpartition(".")
    model = i2izoo.load(name)
    source = model.directions[to]
    if source is None:
        (made,) = model.generate(1, seed=0, output="tensor")
        found = (made[:, :32, :32] + 1) * 127.5
    else:
        (file,) = EXAMPLES.glob(f"{'photo' if source in ('damaged', 'grey') else source}.*")
        image = to_tensor(file, model.method.image_channels[source])[:, :32, :32]
        found = (model(image, to=to, seed=0) + 1) * 127.5
    assert (found - STORED[stored].float()).abs().mean() < 1
