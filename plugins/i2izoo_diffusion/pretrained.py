"""Trained models that ship with the package; torch-free, since listing reads it."""

from i2izoo.pretrained import PretrainedEntry

LICENCE = "Apache-2.0"  # of the weights; the CMP facades they learned from are for research use

DDIM_FACADES = PretrainedEntry(
    method="ddim",
    licence=LICENCE,
    description="Facade label maps to photographs by denoising, 64 x 64.",
    bundled="i2izoo/zoo/ddim-facades",
    domains=("photo",),
)

PALETTE_FACADES = PretrainedEntry(
    method="restoration",
    licence=LICENCE,
    description="Facades restored by Palette, 64 x 64: grey, with holes, cut off or after JPEG to whole photographs.",
    bundled="i2izoo/zoo/palette-facades",
    domains=("photo",),
)
