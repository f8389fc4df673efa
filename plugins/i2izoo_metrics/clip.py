"""How well images fit a text."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from i2izoo.errors import MetricError
from i2izoo.files.weights import find, find_repo
from i2izoo.interfaces import ImageMetric, Score, Weights
from i2izoo_metrics.resizing import to_bytes
from i2izoo_metrics.rgb import rgb

DEFAULT = "openai/clip-vit-large-patch14"
REVISION = "32bd64288804d66eefd0ccbe215aa642df71cc41"
FILES = ("config.json", "preprocessor_config.json", "tokenizer.json", "model.safetensors")
WEIGHTS = Weights(
    FILES[-1],
    f"https://huggingface.co/{DEFAULT}/resolve/{REVISION}/{FILES[-1]}",
    sha256="a2bf730a0c7debf160f7a6b50b3aaf3703e7e88ac73de7a314903141db026dcb",
    licence="MIT, of CLIP's repository",
    size=1_710_540_580,
)


class CLIPScore(ImageMetric):
    """max(100 cos(image, text), 0) of CLIP embeddings (Radford et al. 2021; Hessel et al. 2021), 0 to 100.

    transformers computes the embeddings; it comes with `pip install "i2izoo[eval]"`. Images go to its preprocessing
    in 8 bits, and grey ones are repeated to RGB.

    Args:
        text: what every image should show: "a photo of a house front".
        model: a CLIP model in the format of transformers: `"OWNER/NAME"` on the Hub, or a folder.
    """

    higher_is_better = True
    bounds = (0.0, 100.0)
    inputs = ("prediction",)
    qualifier = "text"

    def __init__(self, *, text: str = "", model: str = DEFAULT) -> None:
        self.text, self.model = text, model
        self.cut = 0

    def weights(self) -> tuple[Weights, ...]:
        return (WEIGHTS,) if self.model == DEFAULT else ()

    def prepare(self, device: torch.device) -> None:
        if not self.text.strip():
            raise MetricError("needs the option text, such as clip_score[a photo of a house front]")
        try:
            from transformers import AutoTokenizer, CLIPImageProcessor, CLIPModel
        except ImportError as error:
            raise MetricError('needs the package transformers; install it with pip install "i2izoo[eval]"') from error
        folder = self._folder()
        try:
            network = CLIPModel.from_pretrained(folder, use_safetensors=True, local_files_only=True)
            self.preprocess = CLIPImageProcessor.from_pretrained(folder, local_files_only=True)
            tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        except (OSError, ValueError) as error:
            reason = str(error).splitlines()[0]
            raise MetricError(f"needs a CLIP model that transformers can read in {folder} ({reason})") from error
        self.device, self.network = device, network.eval().requires_grad_(False).to(device)
        self.direction = self._text(tokenizer)

    @torch.no_grad()
    def score(self, *, prediction: Tensor) -> Tensor:
        images = to_bytes(rgb(prediction, "clip_score")).to("cpu", torch.uint8)
        pixels = self.preprocess(images=list(images), return_tensors="pt")["pixel_values"]
        return (100 * _unit(self.network.get_image_features(pixels.to(self.device))) @ self.direction).relu()

    def compute(self) -> Score:
        score = super().compute()
        if not self.cut:
            return score
        return replace(score, notes=(*score.notes, f"The text is cut to the {self.cut} tokens that the model reads."))

    def _folder(self) -> Path:
        if Path(self.model).is_dir():
            return Path(self.model)
        if self.model != DEFAULT:
            return find_repo(self.model, None, FILES)
        folder = find_repo(DEFAULT, REVISION, FILES, size=WEIGHTS.size, licence=WEIGHTS.licence)
        find(WEIGHTS)  # it is there: this checks it
        return folder

    @torch.no_grad()
    def _text(self, tokenizer: Any) -> Tensor:
        most = self.network.config.text_config.max_position_embeddings
        whole = tokenizer([self.text], return_tensors="pt")["input_ids"]
        self.cut = most if whole.shape[1] > most else 0
        # the tokenizer's own truncation keeps the end of text, whose embedding is the text's
        tokens = tokenizer([self.text], return_tensors="pt", truncation=True, max_length=most).to(self.device)
        return _unit(self.network.get_text_features(tokens["input_ids"], tokens["attention_mask"]))[0]


def _unit(features: Any) -> Tensor:
    """Embeddings of length 1; transformers 5 hands them out inside an output object, transformers 4 bare."""
    features = getattr(features, "pooler_output", features)
    return features / features.norm(dim=-1, keepdim=True)
