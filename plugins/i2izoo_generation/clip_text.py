"""The text side of CLIP as a frozen text encoder (Radford et al., ICML 2021, arXiv 2103.00020)."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, ClassVar

import torch
from safetensors import SafetensorError
from torch import Tensor

from i2izoo.contracts.ranges import Length
from i2izoo.errors import ConfigError, MetricError
from i2izoo.files.weights import find_repo
from i2izoo.interfaces import TextEncoder

FILES = ("config.json", "tokenizer.json", "model.safetensors")


class CLIPText(TextEncoder):
    """CLIP's embedding of a text, by transformers, which comes with `pip install "i2izoo[text]"`.

    Its weights are frozen, and are not saved with a model: a saved model names them, and finds them on whatever
    machine it is opened on, when it first reads a text. So `model` is the name of a repository on the Hub, which is
    looked for in a folder of that name (without the owner) in the folder that the environment variable I2IZOO_WEIGHTS
    names, in the Hub's cache, and on the Hub; or the name of such a folder of yours. A text is cut to the tokens that
    the model reads.

    Args:
        model: `"OWNER/NAME"`, or `"NAME"`.
        length: of an embedding; None: found out, which wants the model at hand. A saved model has it.

    Raises:
        ConfigError: the model cannot be had, or is none that transformers can read, or has embeddings of another
            length.
    """

    tiny_options: ClassVar[dict[str, Any] | None] = None
    place: Tensor

    def __init__(self, *, model: str = "openai/clip-vit-base-patch32", length: Length | None = None) -> None:
        super().__init__()
        if not re.fullmatch(r"\w[\w.-]*(/\w[\w.-]*)?", model):
            raise ConfigError(
                f"model is the name of a CLIP model, OWNER/NAME or NAME, and found {model!r}; put a folder of yours "
                "into another one, name that in the environment variable I2IZOO_WEIGHTS, and give the folder's name."
            )
        self.register_buffer("place", torch.empty(0), persistent=False)  # it is where the rest of the method is
        self.frozen = _Frozen(model)
        self.length = self.config["length"] = self.frozen.length() if length is None else length

    def forward(self, texts: list[str]) -> Tensor:
        embeddings = self.frozen.embed(texts, self.place.device)
        if embeddings.shape[1] != self.length:
            raise ConfigError(
                f"the CLIP model {self.frozen.model!r} has embeddings of length {embeddings.shape[1]}, and length is "
                f"{self.length}; leave length out, or name the model that was meant."
            )
        return embeddings


class _Frozen:
    """The network and its tokenizer, loaded when they are first needed.

    It is no module: nothing trains, saves, averages or compiles its weights; a copy of its owner shares it.
    """

    def __init__(self, model: str) -> None:
        self.model = model
        self.network: Any = None

    def __deepcopy__(self, memo: dict[int, Any]) -> _Frozen:
        return self

    def folder(self) -> Path:
        try:
            return find_repo(self.model, None, FILES)
        except MetricError as error:
            raise ConfigError(f"the text encoder 'clip' {error}.") from error

    def length(self) -> int:
        """The length of its embeddings, as its config says."""
        config = json.loads((self.folder() / FILES[0]).read_text(encoding="utf-8"))
        return int(config.get("projection_dim") or config["text_config"]["projection_dim"])

    @torch.compiler.disable  # type: ignore[untyped-decorator]
    @torch.no_grad()
    def embed(self, texts: list[str], device: torch.device) -> Tensor:
        if self.network is None:
            self._load()
        self.network.to(device)
        tokens = self.tokenizer(
            list(texts), return_tensors="pt", padding=True, truncation=True,
            max_length=self.network.config.max_position_embeddings,
        ).to(device)  # fmt: skip
        with torch.autocast(device.type, enabled=False):
            return self.network(tokens["input_ids"], tokens["attention_mask"]).text_embeds

    def _load(self) -> None:
        folder = self.folder()
        try:
            from transformers import AutoTokenizer, CLIPTextModelWithProjection
        except ImportError as error:
            raise ConfigError(
                "the text encoder 'clip' needs the package transformers; install it with pip install \"i2izoo[text]\"."
            ) from error
        try:
            with torch.inference_mode(False):  # whose tensors would never take part in training
                network = CLIPTextModelWithProjection.from_pretrained(
                    folder, use_safetensors=True, local_files_only=True
                )
            self.tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        except (OSError, ValueError, RuntimeError, SafetensorError) as error:
            reason = str(error).splitlines()[0]
            raise ConfigError(
                f"transformers cannot read the CLIP model in {folder} ({reason}); fetch it again, or name another one."
            ) from error
        self.network = network.eval().requires_grad_(False)
