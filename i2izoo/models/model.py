"""A method with its name, domains and provenance: moved to a device, saved to a folder, pushed to the Hub."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Self

import torch

from i2izoo.contracts.listing import ways
from i2izoo.contracts.method import Method
from i2izoo.errors import ConfigError, UnknownNameError, listing, suggest
from i2izoo.models import notebook, storage
from i2izoo.models.config_file import trained_at
from i2izoo.models.module_like import ModuleLike
from i2izoo.models.running import device_of, dtype_of
from i2izoo.nn.device import find_device, find_dtype


class Model(ModuleLike):
    """What a `Translator` is, where it is and how it is kept, before anything is run.

    Attributes:
        method: the torch module.
        config: what config.json holds: method, options, provenance.
        backend: what computes the networks, as `load` was told; None: PyTorch as it is.
    """

    backend: str | None = None

    def __init__(self, method: Method, config: dict[str, Any]) -> None:
        self.method = method
        self.config = config

    def __repr__(self) -> str:
        kind = type(self).__name__
        return f"{kind}({self.name!r}, {ways(self.directions)}, {self.num_parameters:,} parameters, {self.device})"

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        said = self.config.get("provenance")
        known = said if isinstance(said, Mapping) else {}
        size = self.native_size
        rows = {
            "translates": ways(self.directions),
            "learned from": known.get("data"),
            "at": f"{size[1]} x {size[0]} pixels" if size else None,
            "for": f"{known['steps']} steps" if known.get("steps") else None,
            "parameters": f"{self.num_parameters:,}",
            "licence": known.get("licence"),
            "on": f"{self.device}, {str(self.dtype).removeprefix('torch.')}",
        }
        return notebook.card(f"{type(self).__name__}: {self.name}", notebook.facts(rows))

    @property
    def name(self) -> str:
        """The method's name in the registry."""
        return str(self.config["method"])

    @property
    def directions(self) -> Mapping[str, str | None]:
        """Target domain -> the domain that it is translated from, or None where `generate` makes it from nothing.

        The first is the default of `to`.
        """
        return self.method.directions

    @property
    def domains(self) -> tuple[str, ...]:
        """All domains, sources first."""
        return self.method.domains

    @property
    def native_size(self) -> tuple[int, int] | None:
        """Height and width that `generate` has by itself: the network's own, or those that it was trained at."""
        return self.method.native_size or trained_at(self.config)

    @property
    def num_parameters(self) -> int:
        """Number of parameters that translation needs."""
        needed = self.method.inference_state()
        return sum(p.numel() for name, p in self.method.named_parameters() if name in needed)

    @property
    def fingerprint(self) -> str:
        """Of the method, its options and the weights that translating needs: 16 digits of a SHA-256."""
        digest = hashlib.sha256(repr((self.name, self.method.config)).encode())
        for name, tensor in sorted(self.method.inference_state().items()):
            digest.update(name.encode())
            digest.update(tensor.detach().float().cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()[:16]

    @property
    def device(self) -> torch.device:
        return device_of(self.method)

    @property
    def dtype(self) -> torch.dtype:
        return dtype_of(self.method)

    def to(self, device: str | torch.device | None = None, dtype: str | torch.dtype | None = None) -> Self:
        """Move the method to a device ("auto": the fastest there is) or a type ("fp16", "bf16"); returns itself."""
        if isinstance(device, torch.dtype):  # as torch has it: model.to(torch.float16)
            device, dtype = None, device
        device, dtype = None if device is None else find_device(device), find_dtype(dtype)
        dtype = None if dtype == self.dtype else dtype  # a part that was loaded in float32 on purpose stays so
        try:
            self.method.to(device=device, dtype=dtype)
        except (RuntimeError, TypeError) as error:
            reason = str(error).splitlines()[0].rstrip(".")
            raise ConfigError(f"cannot use device {device!s} with dtype {dtype}: {reason}.") from error
        return self

    def target(self, to: str | None) -> str:
        """The target domain that `to` names; None: the first.

        Raises:
            UnknownNameError: it translates to no such domain.

        >>> import i2izoo
        >>> i2izoo.load("cyclegan-facades").target(None)
        'photo'
        """
        if to is None:
            return next(iter(self.directions))
        if to not in self.directions:
            allowed = listing(f"{to!r} (from {source or 'nothing'!r})" for to, source in self.directions.items())
            raise UnknownNameError(
                f"{self.name!r} does not translate to {to!r}{suggest(to, self.directions) or ';'} Allowed: {allowed}."
            )
        return to

    def _target(self, to: str | None, *, from_nothing: bool) -> str:
        """`target`, of the directions with a source or of those without.

        Raises:
            ConfigError: it has none of these, and the other call is meant.
        """
        can = [target for target, source in self.directions.items() if (source is None) == from_nothing]
        target = can[0] if to is None and can else self.target(to)
        if target in can:
            return target
        if from_nothing:
            raise ConfigError(
                f"{self.name!r} makes {target!r} of an image of {self.directions[target]!r}, and nothing from nothing: "
                "call model(image), or `i2izoo translate`."
            )
        raise ConfigError(
            f"{self.name!r} makes {target!r} from nothing and translates no image: call model.generate(4), or "
            "`i2izoo generate`; an image to start from, where the method can, is an option of that."
        )

    def save_pretrained(
        self,
        folder: str | os.PathLike[str],
        *,
        dtype: str | torch.dtype | None = None,
        card: str | None = None,
        training: bool | Collection[str] = False,
    ) -> Path:
        """Write config.json, model.safetensors and README.md, which `load` and the Hub understand.

        Args:
            folder: created if missing.
            dtype: store weights as this ("fp16" halves the file); None keeps them.
            card: text of README.md; None renders it from the config.
            training: write `training/` as well, the weights that only training needs (a discriminator's), with which
                `create(..., pretrained=folder)` and `i2izoo train --from` start; names: those of these sub-modules
                of the method alone, and nothing else stays there.
        """
        places = None if isinstance(training, bool) else training
        kept = None if training is False else storage.training_weights(self.method, places)
        return self._save(folder, find_dtype(dtype), card, Path(folder).resolve().name, kept)

    def push_to_hub(
        self,
        repo_id: str,
        *,
        private: bool | None = None,
        token: str | bool | None = None,
        revision: str | None = None,
        create_pr: bool = False,
        commit_message: str | None = None,
    ) -> str:
        """Upload to the Hub repository `repo_id`, created if missing; returns the address of the commit.

        Args:
            repo_id: `"user/repo"`.
            private: of a repository that is created; None: the account's default.
            token: None uses the one that `hf auth login` stored.
            revision: branch; None: main.
            create_pr: open a pull request instead of committing.
            commit_message: None: says what was uploaded.

        Raises:
            HubError: the Hub refuses or cannot be reached.
        """
        from i2izoo.files import hub

        with tempfile.TemporaryDirectory() as folder:
            self._save(folder, None, None, repo_id)
            return hub.push_folder(
                folder,
                repo_id,
                method=self.name,
                private=private,
                token=token,
                revision=revision,
                create_pr=create_pr,
                commit_message=commit_message,
            )

    def _save(
        self,
        folder: str | os.PathLike[str],
        dtype: torch.dtype | None,
        card: str | None,
        name: str,
        training: Mapping[str, torch.Tensor] | None = None,
    ) -> Path:
        from i2izoo.models import cards

        base = storage.method_config(self.method, self.name)
        facts = {k: v for k, v in self.config.items() if k not in base}
        if card is None:
            card = cards.render_card({**base, **facts}, name=name)
        return storage.save_folder(
            self.method, folder, name=self.name, card=card, dtype=dtype, training=training, facts=facts
        )
