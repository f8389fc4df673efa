"""The generators and encoders that the authors of BicycleGAN publish (Zhu et al., NIPS 2017).

Names and address are those of `pretrained_models/download_model.sh` in their repository. All are U-Nets of eight levels
with a latent of length 8 at each, and ResNet encoders, trained at 256 x 256; edges are grey images.
"""

from __future__ import annotations

from i2izoo.contracts.pretrained import PretrainedEntry
from i2izoo.contracts.published import CheckpointFile
from i2izoo_originals.declaring import HOST, declared

CODE = "https://github.com/junyanz/BicycleGAN"
CITATION = """@inproceedings{zhu2017toward,
  title = {Toward Multimodal Image-to-Image Translation},
  author = {Zhu, Jun-Yan and Zhang, Richard and Pathak, Deepak and Darrell, Trevor and Efros, Alexei A and
            Wang, Oliver and Shechtman, Eli},
  booktitle = {Advances in Neural Information Processing Systems},
  year = {2017}
}"""


def _one(file: str, source: str, target: str, data: str, *, description: str) -> PretrainedEntry:
    sizes = {"G": 219_200_000, "E": 10_400_000}
    files = {
        role: CheckpointFile(f"{HOST}/BicycleGAN//models/{file}_net_{role}.pth", about=about)
        for role, about in sizes.items()
    }
    return declared(
        "bicyclegan", source, target, files, code=CODE, citation=CITATION, data=data, description=description
    )  # fmt: skip


# fmt: off
EDGES2SHOES = _one("edges2shoes", "edges", "shoes", "UT Zappos50K",
    description="Authors' weights: edges to many photographs of shoes.")
EDGES2HANDBAGS = _one("edges2handbags", "edges", "handbags", "photographs of handbags from Amazon",
    description="Authors' weights: edges to many photographs of handbags.")
NIGHT2DAY = _one("night2day", "night", "day", "Transient Attributes, photographs of webcams",
    description="Authors' weights: scenes by night to many by day.")
MAP2SAT = _one("maps", "map", "satellite", "Google Maps",
    description="Authors' weights: maps to many aerial photographs.")
FACADES_LABEL2PHOTO = _one("facades", "label", "photo", "CMP Facade Database",
    description="Authors' weights: label maps of facades to many photographs.")
