"""The generators that the authors of CycleGAN publish, a file for each direction (Zhu et al., ICCV 2017).

Names and address are those of `scripts/download_cyclegan_model.sh` in their repository. All are ResNets of nine blocks
that were trained at 256 x 256.
"""

from __future__ import annotations

from i2izoo.contracts.pretrained import PretrainedEntry
from i2izoo.contracts.published import CheckpointFile
from i2izoo_originals.declaring import HOST, declared

CODE = "https://github.com/junyanz/pytorch-CycleGAN-and-pix2pix"
CITATION = """@inproceedings{CycleGAN2017,
  title = {Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial Networks},
  author = {Zhu, Jun-Yan and Park, Taesung and Isola, Phillip and Efros, Alexei A},
  booktitle = {IEEE International Conference on Computer Vision (ICCV)},
  year = {2017}
}"""
FRUIT, ANIMALS = "apples and oranges of ImageNet", "horses and zebras of ImageNet"
YOSEMITE, FLOWERS = "photographs of Yosemite from Flickr", "photographs of flowers from Flickr"
PAINTINGS = "paintings of WikiArt and photographs of landscapes from Flickr"
MAPS, CITYSCAPES, FACADES = "Google Maps", "Cityscapes", "CMP Facade Database"


def _one(file: str, source: str, target: str, data: str, *, description: str) -> PretrainedEntry:
    files = {"G_A": CheckpointFile(f"{HOST}/cyclegan/pretrained_models/{file}.pth", about=45_600_000)}
    return declared(
        "cyclegan", source, target, files, code=CODE, citation=CITATION, data=data, description=description,
        only_to=target,
    )  # fmt: skip


# fmt: off
APPLE2ORANGE = _one("apple2orange", "apple", "orange", FRUIT, description="Authors' weights: apples to oranges.")
ORANGE2APPLE = _one("orange2apple", "orange", "apple", FRUIT, description="Authors' weights: oranges to apples.")
SUMMER2WINTER_YOSEMITE = _one("summer2winter_yosemite", "summer", "winter", YOSEMITE,
    description="Authors' weights: landscapes in summer to winter.")
WINTER2SUMMER_YOSEMITE = _one("winter2summer_yosemite", "winter", "summer", YOSEMITE,
    description="Authors' weights: landscapes in winter to summer.")
HORSE2ZEBRA = _one("horse2zebra", "horse", "zebra", ANIMALS, description="Authors' weights: horses to zebras.")
ZEBRA2HORSE = _one("zebra2horse", "zebra", "horse", ANIMALS, description="Authors' weights: zebras to horses.")
MONET2PHOTO = _one("monet2photo", "monet", "photo", PAINTINGS,
    description="Authors' weights: paintings by Monet to photographs.")
STYLE_MONET = _one("style_monet", "photo", "monet", PAINTINGS,
    description="Authors' weights: photographs to the style of Monet.")
STYLE_CEZANNE = _one("style_cezanne", "photo", "cezanne", PAINTINGS,
    description="Authors' weights: photographs to the style of Cezanne.")
STYLE_UKIYOE = _one("style_ukiyoe", "photo", "ukiyoe", PAINTINGS,
    description="Authors' weights: photographs to the style of Ukiyo-e.")
STYLE_VANGOGH = _one("style_vangogh", "photo", "vangogh", PAINTINGS,
    description="Authors' weights: photographs to the style of Van Gogh.")
SAT2MAP = _one("sat2map", "satellite", "map", MAPS, description="Authors' weights: aerial photographs to maps.")
MAP2SAT = _one("map2sat", "map", "satellite", MAPS, description="Authors' weights: maps to aerial photographs.")
CITYSCAPES_PHOTO2LABEL = _one("cityscapes_photo2label", "photo", "label", CITYSCAPES,
    description="Authors' weights: photographs of streets to label maps.")
CITYSCAPES_LABEL2PHOTO = _one("cityscapes_label2photo", "label", "photo", CITYSCAPES,
    description="Authors' weights: label maps of streets to photographs.")
FACADES_PHOTO2LABEL = _one("facades_photo2label", "photo", "label", FACADES,
    description="Authors' weights: photographs of facades to label maps.")
FACADES_LABEL2PHOTO = _one("facades_label2photo", "label", "photo", FACADES,
    description="Authors' weights: label maps of facades to photographs.")
IPHONE2DSLR_FLOWER = _one("iphone2dslr_flower", "iphone", "dslr", FLOWERS,
    description="Authors' weights: flowers by a phone to flowers with a shallow depth of field.")
