"""Trained models that ship with the package; torch-free, since listing reads it."""

from i2izoo.pretrained import PretrainedEntry

LICENCE = "Apache-2.0"  # of the weights; the CMP facades they learned from are for research use

CVAE_FACADES = PretrainedEntry(
    method="cvae",
    licence=LICENCE,
    description="Facade label maps to soft photographs, several each.",
    bundled="i2izoo/zoo/cvae-facades",
    domains=("photo",),
)
