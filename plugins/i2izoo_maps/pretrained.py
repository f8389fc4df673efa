"""The trained models of this package; torch-free, since listing reads it."""

from i2izoo.contracts.pretrained import PretrainedEntry

LICENCE = "Apache-2.0"  # of the weights; the images that they learned from are CC0

PIX2PIX_MAPS = PretrainedEntry(
    licence=LICENCE,
    description="Satellite photographs to land-cover maps of five classes, 256 x 256.",
    bundled="i2izoo_maps/entries/pix2pix-maps",
    examples="i2izoo_maps/examples",
)

CYCLEGAN_MAPS = PretrainedEntry(
    licence=LICENCE,
    description="Satellite photographs to land-cover maps and back, learned without pairs, 256 x 256.",
    bundled="i2izoo_maps/entries/cyclegan-maps",
    examples="i2izoo_maps/examples",
)
