"""The trained models of this package; torch-free, since listing reads it."""

from i2izoo.contracts.pretrained import PretrainedEntry

LICENCE = "Apache-2.0"  # of the weights; the card has the terms of the images that they learned from

BIGGAN_DIGITS = PretrainedEntry(
    licence=LICENCE,
    description="Handwritten digits from nothing, of the class that is asked for, 32 x 32.",
    bundled="i2izoo_digits/entries/biggan-digits",
)
