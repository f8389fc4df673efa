"""The trained models of this package; torch-free, since listing reads it."""

from i2izoo.contracts.pretrained import PretrainedEntry

LICENCE = "Apache-2.0"  # of the weights; the cards have the terms of the images that they learned from

PIX2PIX_AERIAL_COLORIZATION = PretrainedEntry(
    licence=LICENCE,
    description="Grey photographs from the air, also old scans, to colour.",
    bundled="i2izoo_aerial/entries/pix2pix-aerial-colorization",
    examples="i2izoo_aerial/examples",
)

CUT_AERIAL_COLORIZATION = PretrainedEntry(
    licence=LICENCE,
    description="Historical scans from the air to colour, learned without pairs; their lightness stays.",
    bundled="i2izoo_aerial/entries/cut-aerial-colorization",
    examples="i2izoo_aerial/examples",
)

RESTORATION_AERIAL = PretrainedEntry(
    licence=LICENCE,
    description="Scratched and torn grey photographs from the air: found, filled and coloured in one go.",
    bundled="i2izoo_aerial/entries/restoration-aerial",
    examples="i2izoo_aerial/examples",
)
