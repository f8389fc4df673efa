"""Trained models that metrics read pictures with; torch-free, since listing reads it."""

from i2izoo.pretrained import PretrainedEntry

SEGMENTER_FACADES = PretrainedEntry(
    method="segmenter",
    licence="Apache-2.0",  # of the weights; the CMP facades they learned from are for research use
    description="Photographs of facades to label maps of twelve classes, 256 x 256; the reader of fcn_score.",
    bundled="i2izoo/zoo/segmenter-facades",
    domains=("label",),
)
