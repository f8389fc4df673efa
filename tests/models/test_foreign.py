"""Checkpoints of other code bases in all the forms that are found in the wild."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from i2izoo.errors import StorageError
from i2izoo.models.foreign import read_state_dict


def test_read_state_dict_forms(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    want = {"a": torch.tensor([1.0, 2.0]), "b.c": torch.tensor([3])}
    forms = {
        "plain.pth": want,
        "wrapped.ckpt": {"state_dict": want, "epoch": 3},
        "parallel.pt": {f"module.{k}": v for k, v in want.items()},
    }
    for name, content in forms.items():
        torch.save(content, tmp_path / name)
    torch.save(want, tmp_path / "legacy.pth", _use_new_zipfile_serialization=False)
    save_file(want, tmp_path / "x.safetensors")
    for name in (*forms, "legacy.pth", "x.safetensors"):
        found = read_state_dict(tmp_path / name)
        assert found.keys() == want.keys(), name
        assert all(torch.equal(found[k], want[k]) for k in want), name
    torch.save([1, 2], tmp_path / "list.pth")
    (tmp_path / "cut.pth").write_bytes((tmp_path / "plain.pth").read_bytes()[:100])
    (tmp_path / "cut.safetensors").write_bytes((tmp_path / "x.safetensors").read_bytes()[:60])
    (tmp_path / "empty.pth").touch()
    for name in ("list.pth", "cut.pth", "cut.safetensors", "empty.pth"):
        with pytest.raises(StorageError, match=name):
            read_state_dict(tmp_path / name)
