"""The generators that the authors of pix2pix publish in their PyTorch code (Isola et al., CVPR 2017).

Names and address are those of `scripts/download_pix2pix_model.sh` in their repository. All are U-Nets of eight levels
with batch norm, trained at 256 x 256. They translate as that code does unless it is told `--eval`: with dropout and the
statistics of the image; `mode="deterministic"` is the other way.
"""

from __future__ import annotations

from i2izoo.contracts.pretrained import PretrainedEntry
from i2izoo.contracts.published import CheckpointFile
from i2izoo_originals.declaring import HOST, declared

CODE = "https://github.com/junyanz/pytorch-CycleGAN-and-pix2pix"
CITATION = """@inproceedings{isola2017image,
  title = {Image-to-Image Translation with Conditional Adversarial Networks},
  author = {Isola, Phillip and Zhu, Jun-Yan and Zhou, Tinghui and Efros, Alexei A},
  booktitle = {IEEE Conference on Computer Vision and Pattern Recognition (CVPR)},
  year = {2017}
}"""


def _one(
    file: str, source: str, target: str, data: str, *, description: str, size: int | None = None
) -> PretrainedEntry:
    url = f"{HOST}/pix2pix/models-pytorch/{file}.pth"
    files = {"G": CheckpointFile(url, size=size, about=217_700_000)}
    return declared(
        "pix2pix", source, target, files, code=CODE, citation=CITATION, data=data, description=description,
        inference="paper",
    )  # fmt: skip


# fmt: off
EDGES2SHOES = _one("edges2shoes", "edges", "shoes", "UT Zappos50K",
    description="Authors' weights: edges to photographs of shoes.")
SAT2MAP = _one("sat2map", "satellite", "map", "Google Maps", size=217_704_720,  # as a public record of 2023 has it
    description="Authors' weights: aerial photographs to maps.")
MAP2SAT = _one("map2sat", "map", "satellite", "Google Maps",
    description="Authors' weights: maps to aerial photographs.")
FACADES_LABEL2PHOTO = _one("facades_label2photo", "label", "photo", "CMP Facade Database",
    description="Authors' weights: label maps of facades to photographs.")
DAY2NIGHT = _one("day2night", "day", "night", "Transient Attributes, photographs of webcams",
    description="Authors' weights: scenes by day to night.")
