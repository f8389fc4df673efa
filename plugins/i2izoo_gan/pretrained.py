"""Trained models that ship with the package; torch-free, since listing reads it."""

from i2izoo.pretrained import PretrainedEntry

LICENCE = "Apache-2.0"  # of the weights; the CMP facades they learned from are for research use

PIX2PIX_FACADES = PretrainedEntry(
    method="pix2pix",
    licence=LICENCE,
    description="Facade label maps to photographs, 256 x 256.",
    bundled="i2izoo/zoo/pix2pix-facades",
    domains=("photo",),
)

CYCLEGAN_FACADES = PretrainedEntry(
    method="cyclegan",
    licence=LICENCE,
    description="Facade label maps to photographs and back, learned without pairs.",
    bundled="i2izoo/zoo/cyclegan-facades",
    domains=("photo", "label"),
)

CUT_FACADES = PretrainedEntry(
    method="cut",
    licence=LICENCE,
    description="Facade label maps to photographs, learned without pairs and one way only.",
    bundled="i2izoo/zoo/cut-facades",
    domains=("photo",),
)

BICYCLEGAN_FACADES = PretrainedEntry(
    method="bicyclegan",
    licence=LICENCE,
    description="Facade label maps to many photographs each.",
    bundled="i2izoo/zoo/bicyclegan-facades",
    domains=("photo",),
)

UNIT_FACADES = PretrainedEntry(
    method="unit",
    licence=LICENCE,
    description="Facade label maps to photographs and back, by a shared latent space, learned without pairs.",
    bundled="i2izoo/zoo/unit-facades",
    domains=("photo", "label"),
)

PIX2PIX_FACADES_COLORIZATION = PretrainedEntry(
    method="colorization",
    licence=LICENCE,
    description="Grey facade photographs to colour, 256 x 256.",
    bundled="i2izoo/zoo/pix2pix-facades-colorization",
    domains=("colour",),
)
