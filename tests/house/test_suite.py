"""How the suite runs itself: in parallel or not, and the table of the tests that learn."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from scripts import script

ROOT = Path(__file__).parents[2]


def test_folders_run_in_parallel_and_single_files_in_this_process(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYTEST_XDIST_AUTO_NUM_WORKERS", raising=False)

    def workers(*words: str) -> int:
        return request.config.hook.pytest_xdist_auto_num_workers(config=SimpleNamespace(args=list(words)))

    assert workers(f"{__file__}::test_one", __file__) == 0
    assert workers(str(ROOT / "tests"), __file__) in {0, *range(2, 17)}  # 0 on a machine of one core


def test_workers_keep_to_their_share_of_the_cores(request: pytest.FixtureRequest) -> None:
    worker = getattr(request.config, "workerinput", None)
    if worker is None:
        pytest.skip("this process is no worker")
    (conftest,) = [p for p in request.config.pluginmanager.get_plugins() if hasattr(p, "MOST_WORKERS")]
    assert torch.get_num_threads() <= max(1, conftest.CORES // worker["workercount"])


def test_room_is_what_is_left_to_the_bound() -> None:
    """Errors of 0.2 and 0.3, 0.4 allowed, 0.9 without learning: a fifth. Shares of 0.7 and 0.9, above 0.6: a sixth."""
    tool = script("tools/learning_table.py")
    runs = {
        ("gan::test", "error"): [{"value": v, "below": 0.4, "above": None, "untrained": 0.9} for v in (0.2, 0.3)],
        ("vae::test", "share"): [{"value": v, "below": None, "above": 0.6, "untrained": 0.0} for v in (0.7, 0.9)],
    }
    _, _, error, share = tool.table(runs).splitlines()
    assert error == "| `gan::test` | error | 0.9 | < 0.4 | 0.25 | 0.3 | 2 | 20% |"
    assert share == "| `vae::test` | share | 0 | > 0.6 | 0.8 | 0.7 | 2 | 17% |"
