"""The trained models of this package; torch-free, since listing reads it."""

from i2izoo.contracts.pretrained import PretrainedEntry

LICENCE = "Apache-2.0"  # of the weights; the CMP facades they learned from are for research use

PIX2PIX_FACADES = PretrainedEntry(
    method="pix2pix",
    licence=LICENCE,
    description="Facade label maps to photographs, 256 x 256.",
    bundled="i2izoo_facades/entries/pix2pix-facades",
    domains=("photo",),
)

CYCLEGAN_FACADES = PretrainedEntry(
    method="cyclegan",
    licence=LICENCE,
    description="Facade label maps to photographs and back, learned without pairs.",
    bundled="i2izoo_facades/entries/cyclegan-facades",
    domains=("photo", "label"),
)

CUT_FACADES = PretrainedEntry(
    method="cut",
    licence=LICENCE,
    description="Facade label maps to photographs, learned without pairs and one way only.",
    bundled="i2izoo_facades/entries/cut-facades",
    domains=("photo",),
)

BICYCLEGAN_FACADES = PretrainedEntry(
    method="bicyclegan",
    licence=LICENCE,
    description="Facade label maps to many photographs each.",
    bundled="i2izoo_facades/entries/bicyclegan-facades",
    domains=("photo",),
)

UNIT_FACADES = PretrainedEntry(
    method="unit",
    licence=LICENCE,
    description="Facade label maps to photographs and back, by a shared latent space, learned without pairs.",
    bundled="i2izoo_facades/entries/unit-facades",
    domains=("photo", "label"),
)

PIX2PIX_FACADES_COLORIZATION = PretrainedEntry(
    method="colorization",
    licence=LICENCE,
    description="Grey facade photographs to colour, 256 x 256.",
    bundled="i2izoo_facades/entries/pix2pix-facades-colorization",
    domains=("colour",),
)

CVAE_FACADES = PretrainedEntry(
    method="cvae",
    licence=LICENCE,
    description="Facade label maps to soft photographs, several each.",
    bundled="i2izoo_facades/entries/cvae-facades",
    domains=("photo",),
)

DDIM_FACADES = PretrainedEntry(
    method="ddim",
    licence=LICENCE,
    description="Facade label maps to photographs by denoising, 64 x 64.",
    bundled="i2izoo_facades/entries/ddim-facades",
    domains=("photo",),
)

PALETTE_FACADES = PretrainedEntry(
    method="restoration",
    licence=LICENCE,
    description="Facades restored by Palette, 64 x 64: grey, with holes, cut off or after JPEG to whole photographs.",
    bundled="i2izoo_facades/entries/palette-facades",
    domains=("photo",),
)

SEGMENTER_FACADES = PretrainedEntry(
    method="segmenter",
    licence=LICENCE,
    description="Photographs of facades to label maps of twelve classes, 256 x 256; the reader of fcn_score.",
    bundled="i2izoo_facades/entries/segmenter-facades",
    domains=("label",),
)
