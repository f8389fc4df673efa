"""Tables of `datasets` and shards of WebDataset: what their own libraries read, in any place, exact to resume."""

from __future__ import annotations

import io
import os
import pickle
import tarfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader

import i2izoo
from i2izoo.cli.main import main
from i2izoo.contracts.dataset import Dataset
from i2izoo.data.loader import Loader
from i2izoo.errors import DataError, ImageError
from i2izoo.files.download import DownloadError, fetching_nothing

hf = pytest.importorskip("datasets")
wds = pytest.importorskip("webdataset")

COUNT, SHARDS, SIDE = 23, 4, 18
COLOURS = [[0, 0, 0], [250, 0, 0], [0, 250, 0]]


def images() -> dict[str, list[np.ndarray]]:
    rng = np.random.default_rng(0)
    labels = [rng.choice(np.array(COLOURS, np.uint8), size=(SIDE, SIDE)) for _ in range(COUNT)]
    return {"label": labels, "photo": [rng.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8) for _ in range(COUNT)]}


def png(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four shards of six pairs each but the last, by WebDataset's own writer."""
    folder, found = tmp_path_factory.mktemp("shards"), images()
    with wds.ShardWriter(str(folder / "%03d.tar"), maxcount=6, verbose=0) as writer:
        for k in range(COUNT):
            pair = {"label.png": png(found["label"][k]), "photo.png": png(found["photo"][k])}
            writer.write({"__key__": f"{k:04d}", **pair, "txt": f"house {k}", "cls": str(k % 3)})
    return folder


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table of the same, by the library's own `save_to_disk`."""
    folder = tmp_path_factory.mktemp("table") / "saved"
    as_table().save_to_disk(str(folder))
    return folder


def as_table() -> Any:
    found = images()
    features = hf.Features({"label": hf.Image(), "photo": hf.Image(), "text": hf.Value("string"),
                            "kind": hf.ClassLabel(names=["house", "barn", "tower"])})  # fmt: skip
    rows: dict[str, Any] = {
        name: [{"bytes": png(one), "path": None} for one in arrays] for name, arrays in found.items()
    }
    rows |= {"text": [f"house {k}" for k in range(COUNT)], "kind": [k % 3 for k in range(COUNT)]}
    return hf.Dataset.from_dict(rows, features=features)


@pytest.fixture(params=["webdataset", "huggingface"])
def data(request: pytest.FixtureRequest) -> Dataset:
    place = request.getfixturevalue("shards" if request.param == "webdataset" else "table")
    return i2izoo.open_dataset({"name": request.param, "root": str(place), "domains": ["label", "photo"]})


def pixels(sample: dict[str, torch.Tensor], domain: str) -> np.ndarray:
    return ((sample[domain] + 1) * 127.5).round().byte().permute(1, 2, 0).numpy()


def drawn(data: Dataset, steps: range, **options: Any) -> list[torch.Tensor]:
    """The batches of these steps."""
    with Loader(data, options.pop("batch_size", 2), seed=5, start_step=steps.start, **options) as loader:
        return [next(loader)["photo"] for _ in steps]


def same(one: list[torch.Tensor], other: list[torch.Tensor]) -> bool:
    return len(one) == len(other) and all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_every_item_is_what_was_stored(data: Dataset) -> None:
    found = images()
    assert (len(data), data.domains, data.kind) == (COUNT, ("label", "photo"), "paired")
    for k in range(COUNT):
        sample = data.sample(k, None)
        assert all(np.array_equal(pixels(sample, domain), found[domain][k]) for domain in found)
        assert (data.text(k), data.label(k)) == (f"house {k}", k % 3)
    assert len({data.name(k) for k in range(COUNT)}) == COUNT
    assert len(data.classes) == 3


def test_a_run_goes_on_in_the_middle_of_a_shard_with_the_same_samples(data: Dataset) -> None:
    """Ten steps of two are less than an epoch of eleven; twenty-five reach into the third."""
    data = data.with_options(load_size=20, crop_size=16)
    whole = drawn(data, range(25))
    for start in (1, 7, 10, 11, 18):
        again = i2izoo.open_dataset({"name": _name(data), **data.config})  # another process opens it anew
        assert same(drawn(again, range(start, 25)), whole[start:])
    assert not same(drawn(data, range(11)), drawn(data, range(11, 22)))  # each epoch has its own order and jitter


def _name(data: Dataset) -> str:
    return "webdataset" if type(data).__name__ == "WebDataset" else "huggingface"


def test_several_processes_see_what_one_would(data: Dataset) -> None:
    whole = drawn(data, range(8), batch_size=4)
    ranks = [drawn(data, range(8), batch_size=2, rank=rank, world_size=2) for rank in (0, 1)]
    assert same([torch.cat(rows) for rows in zip(*ranks, strict=True)], whole)


def test_an_epoch_has_every_item_once(data: Dataset) -> None:
    order = [index for step in range(COUNT) for index, _ in Loader(data, 1, seed=3)._epochs.rows(step)]
    assert sorted(order) == list(range(COUNT))
    assert order != list(range(COUNT))


class Sums:
    """What torch's DataLoader takes."""

    def __init__(self, data: Dataset) -> None:
        self.data = data

    def __len__(self) -> int:
        return COUNT

    def __getitem__(self, k: int) -> float:
        return float(self.data.sample(k, k)["photo"].double().sum())


def _sums(data: Dataset) -> list[float]:
    return [float(data.sample(k, k)["photo"].double().sum()) for k in range(COUNT)]


def test_threads_and_workers_read_the_same(data: Dataset) -> None:
    """Several threads at once, processes that have it by forking, and one that it would be sent to."""
    expected = _sums(data)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda k: float(data.sample(k % COUNT, k % COUNT)["photo"].double().sum()), range(92)))
    assert found == expected * 4
    assert _sums(pickle.loads(pickle.dumps(data))) == expected
    workers = DataLoader(Sums(data), batch_size=None, num_workers=2)  # type: ignore[arg-type, var-annotated]
    assert [float(one) for one in workers] == expected


def test_label_maps_channels_and_sizes_are_those_of_other_data(data: Dataset, tmp_path: Path) -> None:
    """The same images as files, opened by the data set of files, give the same samples to the last bit."""
    for domain, arrays in images().items():
        (tmp_path / domain).mkdir()
        for k, array in enumerate(arrays):
            Image.fromarray(array).save(tmp_path / domain / f"{k:04d}.png")
    options = {"load_size": 20, "crop_size": 16, "channels": {"photo": 1, "label": 3}, "label_maps": {"label": COLOURS}}
    files = i2izoo.open_dataset({"root": str(tmp_path), "domains": ["label", "photo"], **options})
    other = data.with_options(**options)
    for k in range(0, COUNT, 5):
        one, two = files.sample(k, 7 * k), other.sample(k, 7 * k)
        assert one.keys() == two.keys()
        assert all(torch.equal(one[domain], two[domain]) for domain in one)
    unpaired = data.with_options(kind="unpaired")
    assert unpaired.kind == "unpaired"
    assert len(unpaired.with_options(limit=5)) == 5
    with pytest.raises(ImageError, match="is no label map in the palette"):
        data.with_options(label_maps={"photo": COLOURS}).sample(0, None)


# --------------------------------------------------------------------------------------------------------- shards


def test_shards_are_read_as_webdataset_reads_them(shards: Path) -> None:
    data = i2izoo.open_dataset(f"webdataset:{shards}")
    theirs = wds.WebDataset([str(path) for path in sorted(shards.glob("*.tar"))], shardshuffle=False)
    for k, sample in enumerate(theirs):
        assert data.name(k).endswith(sample["__key__"])
        assert data.text(k) == sample["txt"].decode()
        assert png(pixels(data.sample(k, None), "photo")) == sample["photo.png"]


def test_an_epoch_goes_through_the_shards_one_after_another(shards: Path) -> None:
    """Within a window of one sample, nothing but shards is shuffled; a larger one mixes only what is near."""
    data = i2izoo.open_dataset({"name": "webdataset", "root": str(shards), "window": 1})
    shard_of = [data.name(k).split("-")[0] for k in range(COUNT)]
    runs = []
    for seed in range(3):
        order = data.order(torch.Generator().manual_seed(seed))
        assert order is not None
        visited = [shard_of[k] for k in order]
        changes = [name for k, name in enumerate(visited) if k == 0 or visited[k - 1] != name]
        assert len(changes) == SHARDS  # each shard once, from its beginning to its end
        runs.append(tuple(changes))
    assert len(set(runs)) > 1
    near = data.with_options(window=8).order(torch.Generator().manual_seed(0))
    assert near is not None
    assert len({shard_of[k] for k in near[:8]}) <= 3
    assert data.with_options(window=0).order(torch.Generator()) is None


@pytest.mark.parametrize("pattern", ["{000..003}.tar", "*.tar", "00{0,1,2,3}.tar", "", "003.tar"])
def test_a_folder_a_file_or_a_pattern(shards: Path, pattern: str) -> None:
    data = i2izoo.open_dataset(f"webdataset:{shards / pattern}")
    assert len(data) == (5 if pattern == "003.tar" else COUNT)


def test_splits_are_folders_or_names(shards: Path, tmp_path: Path) -> None:
    for name, source in (("train-0.tar", "000.tar"), ("val-0.tar", "003.tar"), ("training.tar", "001.tar")):
        (tmp_path / name).write_bytes((shards / source).read_bytes())
    sizes = {split: len(i2izoo.open_dataset(f"webdataset:{tmp_path}", split=split)) for split in ("train", "val")}
    assert sizes == {"train": 6, "val": 5}
    with pytest.raises(DataError, match=r"no \.tar files of the split 'test'"):
        i2izoo.open_dataset(f"webdataset:{tmp_path}", split="test")
    with pytest.raises(DataError, match="not divided into splits"):
        i2izoo.open_dataset(f"webdataset:{shards}", split="val")


def written(path: Path, members: dict[str, bytes], mode: str = "w") -> Path:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def test_a_lone_image_is_of_one_domain_and_classes_have_names(tmp_path: Path) -> None:
    image = png(images()["photo"][0])
    members = {"a/1.jpg": image, "a/1.cls": b"barn\n", "a/2.jpg": image, "a/2.cls": b"house", "a/.hidden.jpg": b"x"}
    data = i2izoo.open_dataset(f"webdataset:{written(tmp_path / 'one.tar', members)}")
    assert (data.domains, data.kind, list(data.classes)) == (("image",), "single", ["barn", "house"])
    assert [data.label(k) for k in (0, 1)] == [0, 1]
    assert data.name(1) == "one-a-2"
    other = data.with_options(classes=["tower", "house", "barn"])
    assert [other.label(k) for k in (0, 1)] == [2, 1]


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({"1.label.png": b"", "1.photo.png": b"", "2.label.png": b""}, r"sample '2' in .* has no image of photo"),
        ({"1.txt": b"a"}, "holds no images"),
        ({}, "has no samples"),
        ({"1.jpg": b"", "1.cls": b"3", "2.jpg": b""}, "has no label, and others have one"),
    ],
)
def test_what_is_wrong_in_a_shard_is_said(tmp_path: Path, members: dict[str, bytes], said: str) -> None:
    with pytest.raises(DataError, match=said):
        i2izoo.open_dataset(f"webdataset:{written(tmp_path / 'x.tar', members)}")


def test_shards_that_cannot_be_read(shards: Path, tmp_path: Path) -> None:
    image = png(images()["photo"][0])
    with pytest.raises(DataError, match=r"not\s+compressed"):
        i2izoo.open_dataset(f"webdataset:{written(tmp_path / 'z.tar', {'1.jpg': image}, 'w:gz')}")
    with pytest.raises(DataError, match=r"there is no shard .*004\.tar"):
        i2izoo.open_dataset(f"webdataset:{shards}/{{000..007}}.tar")
    place = written(tmp_path / "bad.tar", {"1.jpg": b"no image"})
    with pytest.raises(ImageError, match=r"1\.jpg in .*bad\.tar is no image that can be read"):
        i2izoo.open_dataset(f"webdataset:{place}").sample(0, None)
    cut = written(tmp_path / "cut.tar", {"1.jpg": image})
    data = i2izoo.open_dataset(f"webdataset:{cut}")
    os.truncate(cut, 600)
    with pytest.raises(DataError, match="shorter than it was"):
        data.sample(0, None)


# --------------------------------------------------------------------------------------------------------- tables


def test_parquet_files_and_folders_with_splits(tmp_path: Path) -> None:
    table = as_table()
    (tmp_path / "data").mkdir()
    table.select(range(8)).to_parquet(str(tmp_path / "data/train-00000-of-00001.parquet"))
    table.select(range(8, 12)).to_parquet(str(tmp_path / "data/validation-00000-of-00001.parquet"))
    root = f"huggingface:{tmp_path}"
    assert {split: len(i2izoo.open_dataset(root, split=split)) for split in ("train", "val")} == {"train": 8, "val": 4}
    with pytest.raises(DataError, match="has no split 'test'"):
        i2izoo.open_dataset(root, split="test")
    with pytest.raises(DataError, match=r"divided into train, validation; choose one with split='train'"):
        i2izoo.open_dataset(root)
    file = i2izoo.open_dataset(f"huggingface:{tmp_path}/data/train-00000-of-00001.parquet")
    assert np.array_equal(pixels(file.sample(7, None), "photo"), images()["photo"][7])


def test_one_column_is_one_domain(table: Path) -> None:
    data = i2izoo.open_dataset({"name": "huggingface", "root": str(table), "domains": ["photo"]}, rename={"photo": "a"})
    assert (data.domains, data.kind, list(data.classes)) == (("a",), "single", ["house", "barn", "tower"])
    with pytest.raises(DataError, match="has no images 'foto'; did you mean 'photo'"):
        i2izoo.open_dataset({"name": "huggingface", "root": str(table), "domains": ["foto"]})
    with pytest.raises(DataError, match=r"choose one with domains=\['label'\]"):
        i2izoo.open_dataset({"name": "huggingface", "root": str(table)}, kind="single")


def test_no_table(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="on the Hub is hf://owner/name"):
        i2izoo.open_dataset(f"huggingface:{tmp_path}/nothing")
    (tmp_path / "a.parquet").write_bytes(b"no parquet")
    with pytest.raises(DataError, match="is no data set that `datasets` reads"):
        i2izoo.open_dataset(f"huggingface:{tmp_path}/a.parquet")
    hf.Dataset.from_dict({"n": [1, 2]}).save_to_disk(str(tmp_path / "numbers"))
    with pytest.raises(DataError, match="holds no images"):
        i2izoo.open_dataset(f"huggingface:{tmp_path}/numbers")


def test_one_on_the_hub_is_asked_for_by_its_name_and_revision(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library fetches; where nothing is to be fetched, it is not asked."""
    asked: list[Any] = []

    def load(name: str, subset: str | None = None, revision: str | None = None) -> Any:
        asked.append((name, subset, revision))
        return hf.DatasetDict({"train": as_table()})

    monkeypatch.setattr(hf, "load_dataset", load)
    data = i2izoo.open_dataset("huggingface:hf://me/houses@v1")
    assert (len(data), asked) == (COUNT, [("me/houses", None, "v1")])
    i2izoo.open_dataset({"name": "huggingface", "root": "hf://me/houses", "subset": "small"})
    assert asked[1:] == [("me/houses", "small", None)]
    with fetching_nothing(), pytest.raises(DownloadError, match="'me/houses' lies on the Hub"):
        i2izoo.open_dataset("huggingface:hf://me/houses")


# ------------------------------------------------------------------------------------------------------- training


@pytest.mark.slow
def test_training_on_shards_is_repeated_and_goes_on(shards: Path, tmp_path: Path) -> None:
    """By the command line, interrupted after two of four steps; and from run.json."""
    words = [f"{part}.{option}={value}" for part, option, value in (
        ("generator", "name", "resnet_6blocks"), ("generator", "width", 2), ("generator", "blocks", 1),
        ("discriminator", "width", 2), ("discriminator", "layers", 1))]  # fmt: skip
    words += ["load_size=20", "crop_size=16", "batch_size=2", "device=cpu", "tensorboard=false", "sample_every=0"]
    train = ["train", "pix2pix", "--data", f"webdataset:{shards}", "--to", "photo", *words]
    assert main([*train, "--out", str(tmp_path / "a"), "steps=4", "decay_steps=0"]) == 0
    assert main([*train, "--out", str(tmp_path / "b"), "steps=2", "decay_steps=0"]) == 0
    assert main([*train, "--out", str(tmp_path / "b"), "steps=4", "decay_steps=0", "--resume", "auto"]) == 0
    assert main(["train", "--config", str(tmp_path / "a/run.json"), "--out", str(tmp_path / "c")]) == 0
    one, two, three = (i2izoo.load(tmp_path / run / "model").method.inference_state() for run in "abc")
    assert all(torch.equal(one[name], two[name]) and torch.equal(one[name], three[name]) for name in one)


def test_a_task_on_shards_keeps_their_order(shards: Path) -> None:
    images = {"name": "webdataset", "root": str(shards), "window": 1, "rename": {"photo": "colour"}}
    data = {"name": "colorization", "root": images}
    opened = i2izoo.open_dataset(data)
    order = opened.order(torch.Generator().manual_seed(0))
    assert order is not None
    assert Counter(order) == Counter(range(COUNT))
