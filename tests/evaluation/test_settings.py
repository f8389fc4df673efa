"""The one settings object of evaluate and compare, and that nothing is opened or written twice."""

from __future__ import annotations

import pytest
from evaluating import make_pairs, register_all

import i2izoo
from i2izoo.cli.main import main
from i2izoo.evaluation import compare as comparing
from i2izoo.evaluation.result import Result
from i2izoo.evaluation.settings import EvaluationSettings


@pytest.fixture(autouse=True)
def toys(monkeypatch, tmp_path):
    register_all(monkeypatch, tmp_path)


@pytest.fixture
def pairs(tmp_path):
    return make_pairs(tmp_path / "pairs")


def test_settings_and_keywords_say_the_same(pairs):
    model, settings = i2izoo.create("offset", levels=51), EvaluationSettings(metrics=["psnr"], seed=3, limit=2)
    by_object = i2izoo.evaluate(model, pairs, settings=settings)
    assert by_object == i2izoo.evaluate(model, pairs, metrics=["psnr"], seed=3, limit=2)
    assert i2izoo.evaluate(model, pairs, settings=settings, limit=4).protocol.n == 4  # a keyword goes before it
    assert i2izoo.compare([model], pairs, settings=settings).protocol == by_object.protocol


def test_every_model_of_a_comparison_is_set_up_and_saved_once(pairs, tmp_path, monkeypatch):
    calls = {"set_up": 0, "save": 0}
    set_up, save = comparing.set_up, Result.save

    def counted(name, function):
        def call(*args, **options):
            calls[name] += 1
            return function(*args, **options)

        return call

    monkeypatch.setattr(comparing, "set_up", counted("set_up", set_up))
    monkeypatch.setattr(Result, "save", counted("save", save))
    models = {"a": i2izoo.create("offset", levels=51), "b": i2izoo.create("offset", levels=5), "c": "copy-input"}
    found = i2izoo.compare(models, pairs, metrics=["psnr"], costs=False, out=tmp_path / "out")
    assert [result.problem for result in found.results] == [None] * 3
    assert calls == {"set_up": 3, "save": 3}


def test_an_option_of_the_translation_loads_no_model_twice(pairs, tmp_path, monkeypatch, capsys):
    model = str(i2izoo.create("offset", levels=51).save_pretrained(tmp_path / "model"))
    loaded = []
    load = i2izoo.load

    def counted(*args, **options):
        loaded.append(args)
        return load(*args, **options)

    for place in ("i2izoo.models.translator", "i2izoo.evaluation.setup", "i2izoo.evaluation.compared"):
        monkeypatch.setattr(f"{place}.load", counted)
    for command in (["evaluate", model, "more=1"], ["compare", model, "more=1", "--no-costs"]):
        loaded.clear()
        assert main([*command, "--data", str(pairs), "--metrics", "psnr"]) == 0
        assert len(loaded) == 1
