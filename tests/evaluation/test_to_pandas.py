"""Results as data frames of pandas, and the sentence where it is not installed."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import pytest

from i2izoo.contracts.metric import Score
from i2izoo.errors import ConfigError
from i2izoo.evaluation.protocol import Protocol
from i2izoo.evaluation.result import Comparison, Result
from i2izoo.sweeps.sweep import SweepResult
from i2izoo.sweeps.table import Row

PROTOCOL = Protocol(
    data="houses", data_sha256="", source="label", to="photo", metrics={}, n=2, split="val", size=[64, 96]
)


def result(model: str, psnr: float) -> Result:
    scores = {
        "psnr": Score(psnr, psnr - 1, psnr + 1, n=2, unit="dB"),
        "fid": Score(None, reason="needs a file", higher_is_better=False),
    }
    return Result(model, PROTOCOL, scores, ["a", "b"], {"psnr": [psnr - 2, psnr + 2]})


def test_a_result_has_a_row_for_each_metric() -> None:
    frame = result("ours", 20.0).to_pandas()
    assert list(frame["metric"]) == ["psnr", "fid"]
    psnr, fid = frame.to_dict("records")
    assert (psnr["value"], psnr["low"], psnr["high"], psnr["unit"], psnr["n"]) == (20.0, 19.0, 21.0, "dB", 2)
    assert (psnr["model"], psnr["source"], psnr["to"], psnr["data"], psnr["split"]) == (
        "ours", "label", "photo", "houses", "val",
    )  # fmt: skip
    assert (psnr["height"], psnr["width"], psnr["samples"]) == (64, 96, 1)
    assert bool(psnr["higher_is_better"]) is True
    assert math.isnan(fid["value"])
    assert (bool(fid["higher_is_better"]), fid["reason"]) == (False, "needs a file")
    assert {str(frame[name].dtype) for name in ("value", "low", "high", "reference")} == {"float64"}


def test_images_have_a_row_each() -> None:
    comparison = Comparison(PROTOCOL, [result("ours", 20.0), result("theirs", 30.0)])
    frame = comparison.to_pandas(per_image=True)
    assert frame.to_dict("list") == {
        "model": ["ours", "ours", "theirs", "theirs"],
        "name": ["a", "b", "a", "b"],
        "psnr": [18.0, 22.0, 28.0, 32.0],
    }
    bare = Result("ours", PROTOCOL, {}, ["a", "b"]).to_pandas(per_image=True)
    assert bare.to_dict("list") == {"model": ["ours", "ours"], "name": ["a", "b"]}
    assert result("ours", 20.0).to_pandas(per_image=True)["psnr"].tolist() == [18.0, 22.0]


def test_a_comparison_is_pivoted_as_users_do() -> None:
    frame = Comparison(PROTOCOL, [result("ours", 20.0), result("theirs", 30.0)]).to_pandas()
    wide = frame.pivot(index="model", columns="metric", values="value")
    assert wide.loc["theirs", "psnr"] == 30.0
    assert len(frame) == 4


def test_a_sweep_has_its_options_and_the_spread(tmp_path: Path) -> None:
    row = Row(
        "b", ["b,seed=0", "b,seed=1"], {"generator.width": 8}, {"psnr": Score(20.0, n=2)}, {"psnr": 0.5}, 100, 200, 3.5,
        {},
    )  # fmt: skip
    (found,) = SweepResult([row], None, tmp_path).to_pandas().to_dict("records")
    assert (found["cell"], found["generator.width"], found["metric"], found["value"]) == ("b", 8, "psnr", 20.0)
    assert (found["spread"], found["seeds"], found["parameters"], found["training_seconds"]) == (0.5, 2, 100, 3.5)


def test_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ConfigError, match=r"pip install 'i2izoo\[pandas\]'"):
        result("ours", 20.0).to_pandas()


def test_pandas_is_imported_only_when_called() -> None:
    code = "import i2izoo.evaluation.result, i2izoo.sweeps.sweep, sys; sys.exit('pandas' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
