"""The generators that the authors of CUT publish, all in one archive (Park et al., ECCV 2020).

Names and address are those of their repository's README and `experiments/pretrained_launcher.py`. All are ResNets of
nine blocks with anti-aliasing, trained at 256 x 256.
"""

from __future__ import annotations

from i2izoo.contracts.pretrained import PretrainedEntry
from i2izoo.contracts.published import CheckpointFile
from i2izoo_originals.declaring import HOST, declared

CODE = "https://github.com/taesungp/contrastive-unpaired-translation"
CITATION = """@inproceedings{park2020cut,
  title = {Contrastive Learning for Unpaired Image-to-Image Translation},
  author = {Park, Taesung and Efros, Alexei A and Zhang, Richard and Zhu, Jun-Yan},
  booktitle = {European Conference on Computer Vision (ECCV)},
  year = {2020}
}"""
CITYSCAPES, ANIMALS, FACES = "Cityscapes", "horses and zebras of ImageNet", "AFHQ (CC BY-NC 4.0)"


def _one(method: str, file: str, source: str, target: str, data: str, *, description: str) -> PretrainedEntry:
    member = f"checkpoints/{file}_{method}_pretrained/latest_net_G.pth"
    files = {"G": CheckpointFile(f"{HOST}/CUT/pretrained_models.tar", member=member, about=274_000_000)}
    return declared(
        method, source, target, files, code=CODE, citation=CITATION, data=data, description=description
    )  # fmt: skip


# fmt: off
CUT_HORSE2ZEBRA = _one("cut", "horse2zebra", "horse", "zebra", ANIMALS,
    description="Authors' weights: horses to zebras.")
CUT_CAT2DOG = _one("cut", "cat2dog", "cat", "dog", FACES, description="Authors' weights: faces of cats to dogs.")
CUT_CITYSCAPES = _one("cut", "cityscapes", "label", "photo", CITYSCAPES,
    description="Authors' weights: label maps of streets to photographs.")
FASTCUT_HORSE2ZEBRA = _one("fastcut", "horse2zebra", "horse", "zebra", ANIMALS,
    description="Authors' weights: horses to zebras.")
FASTCUT_CAT2DOG = _one("fastcut", "cat2dog", "cat", "dog", FACES,
    description="Authors' weights: faces of cats to dogs.")
FASTCUT_CITYSCAPES = _one("fastcut", "cityscapes", "label", "photo", CITYSCAPES,
    description="Authors' weights: label maps of streets to photographs.")
