"""The trained models of this package; torch-free, since listing reads it."""

from i2izoo.contracts.pretrained import PretrainedEntry

LICENCE = "Apache-2.0"  # of the weights; the CMP facades they learned from are for research use

PIX2PIX_FACADES = PretrainedEntry(
    licence=LICENCE,
    description="Facade label maps to photographs, 256 x 256.",
    bundled="i2izoo_facades/entries/pix2pix-facades",
    examples="i2izoo_facades/examples",
)

CYCLEGAN_FACADES = PretrainedEntry(
    licence=LICENCE,
    description="Facade label maps to photographs and back, learned without pairs.",
    bundled="i2izoo_facades/entries/cyclegan-facades",
    examples="i2izoo_facades/examples",
)

CUT_FACADES = PretrainedEntry(
    licence=LICENCE,
    description="Facade label maps to photographs, learned without pairs and one way only.",
    bundled="i2izoo_facades/entries/cut-facades",
    examples="i2izoo_facades/examples",
)

BICYCLEGAN_FACADES = PretrainedEntry(
    licence=LICENCE,
    description="Facade label maps to many photographs each.",
    bundled="i2izoo_facades/entries/bicyclegan-facades",
    examples="i2izoo_facades/examples",
)

UNIT_FACADES = PretrainedEntry(
    licence=LICENCE,
    description="Facade label maps to photographs and back, by a shared latent space, learned without pairs.",
    bundled="i2izoo_facades/entries/unit-facades",
    examples="i2izoo_facades/examples",
)

PIX2PIX_FACADES_COLORIZATION = PretrainedEntry(
    licence=LICENCE,
    description="Grey facade photographs to colour, 256 x 256.",
    bundled="i2izoo_facades/entries/pix2pix-facades-colorization",
    examples="i2izoo_facades/examples",
)

CVAE_FACADES = PretrainedEntry(
    licence=LICENCE,
    description="Facade label maps to soft photographs, several each.",
    bundled="i2izoo_facades/entries/cvae-facades",
    examples="i2izoo_facades/examples",
)

DDIM_FACADES = PretrainedEntry(
    licence=LICENCE,
    description="Facade label maps to photographs by denoising, 64 x 64.",
    bundled="i2izoo_facades/entries/ddim-facades",
    examples="i2izoo_facades/examples",
)

PALETTE_FACADES = PretrainedEntry(
    licence=LICENCE,
    description="Facades restored by Palette, 64 x 64: grey, with holes, cut off or after JPEG to whole photographs.",
    bundled="i2izoo_facades/entries/palette-facades",
    examples="i2izoo_facades/examples",
)

SEGMENTER_FACADES = PretrainedEntry(
    licence=LICENCE,
    description="Photographs of facades to label maps of twelve classes, 256 x 256; the reader of fcn_score.",
    bundled="i2izoo_facades/entries/segmenter-facades",
    examples="i2izoo_facades/examples",
)
