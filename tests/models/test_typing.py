"""What a type checker knows of a translator: a path gives a PIL image, a tensor a tensor, a list a list."""

from __future__ import annotations

from pathlib import Path

import pytest

SNIPPET = """
import i2izoo, numpy as np, torch
from pathlib import Path
model = i2izoo.load("cyclegan-facades")
reveal_type(model("a.png", to="photo"))
reveal_type(model(Path("a.png"), seed=3))
reveal_type(model(np.zeros((4, 4, 3))))
reveal_type(model(torch.zeros(3, 4, 4), mode="paper"))
reveal_type(model(["a.png"]))
reveal_type(model("a.png", samples=4))
reveal_type(model.generate(4))
reveal_type(model.generate(4, size=8, output="array"))
reveal_type(model.generate(output="tensor"))
"""


@pytest.mark.slow
def test_results_have_the_type_of_what_was_given(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    api = pytest.importorskip("mypy.api")
    (tmp_path / "snippet.py").write_text(SNIPPET)
    out, err, _ = api.run([str(tmp_path / "snippet.py"), "--follow-imports=silent"])
    found = [line.partition('"')[2].rstrip('"').rpartition(".")[2] for line in out.splitlines() if "Revealed" in line]
    assert found == [
        "Image", "Image", "dtype[Any]]", "Tensor", "list[Any]", "list[Any]", "Image]", "dtype[Any]]", "Tensor",
    ], out + err  # fmt: skip
