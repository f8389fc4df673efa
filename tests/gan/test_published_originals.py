"""Every entry of the originals' own weights, loaded from its address over loopback, from files of the real layout."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from golden import Golden
from i2izoo_originals import bicyclegan, cut, cyclegan, pix2pix
from originals import LatentUnet, Resnet, Unet, drawn
from publishing import cached, published, tar
from torch import nn
from web_server import WebServer, web

import i2izoo
from i2izoo.contracts.pretrained import PretrainedEntry
from i2izoo.contracts.registry import registry
from i2izoo.models.published import fetched

ENTRIES = {
    entry.name: registry("pretrained").get(entry.name)
    for entry in registry("pretrained").entries()
    if entry.value.startswith("i2izoo_originals.")
}
LATENT = 8
"""Of the authors' BicycleGANs."""
SCRIPTS = {
    "cyclegan": "apple2orange, orange2apple, summer2winter_yosemite, winter2summer_yosemite, horse2zebra, zebra2horse, "
    "monet2photo, style_monet, style_cezanne, style_ukiyoe, style_vangogh, sat2map, map2sat, cityscapes_photo2label, "
    "cityscapes_label2photo, facades_photo2label, facades_label2photo, iphone2dslr_flower",
    "pix2pix": "edges2shoes, sat2map, map2sat, facades_label2photo, day2night",
    "bicyclegan": "edges2shoes, edges2handbags, night2day, maps, facades",
}
"""What the authors' download scripts say that there is."""


def network(method: str, entry: PretrainedEntry) -> nn.Module:
    """The generator that the authors' code builds, narrow."""
    if method == "bicyclegan":
        return LatentUnet(depth=8, latent=LATENT, channels=1 if entry.options["domains"][0] == "edges" else 3)
    blurs = method in ("cut", "fastcut")
    return Unet(depth=8) if method == "pix2pix" else Resnet(blocks=9, blur_down=blurs, blur_up=blurs)


def encoder() -> bytes:
    """The authors' `resnet_256`, as it was recorded, with the statistics that old instance norms left."""
    state = dict(Golden("bicyclegan_encoder_resnet_256").state)
    for name in [name for name in state if name.endswith(".conv.2.weight")]:
        for norm in ("0", "3"):
            place = f"{name.removesuffix('2.weight')}{norm}"
            state[f"{place}.running_mean"] = torch.zeros(state[name].shape[1])
            state[f"{place}.running_var"] = torch.ones(state[name].shape[1])
    file = io.BytesIO()
    torch.save(state, file, _use_new_zipfile_serialization=False)
    return file.getvalue()


def unsized(entry: PretrainedEntry) -> PretrainedEntry:
    """The entry without the exact sizes of files that are larger than those here."""
    files = {role: replace(file, size=None) for role, file in (entry.checkpoints or {}).items()}
    return replace(entry, checkpoints=files)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[WebServer]:
    monkeypatch.setenv("I2IZOO_CACHE", str(tmp_path / "cache"))
    with web(monkeypatch) as server:
        yield server


def publish(server: WebServer, entry: PretrainedEntry) -> nn.Module:
    """Put an entry's files where it says that they are, and return the generator in them."""
    generator = drawn(network(entry.method, entry), spread=0.1)
    archived: dict[str, dict[str, bytes]] = {}
    for role, file in (entry.checkpoints or {}).items():
        body = encoder() if role == "E" else published(generator)
        if file.member:
            archived.setdefault(file.url, {})[file.member] = body
        else:
            server.files[file.url] = body
    server.files |= {url: tar(members) for url, members in archived.items()}
    return generator.float()


@pytest.mark.parametrize("name", ENTRIES)
@torch.inference_mode()
def test_an_entry_translates_as_the_published_generator(server: WebServer, tmp_path: Path, name: str) -> None:
    entry = unsized(ENTRIES[name])
    generator = publish(server, entry)
    model = i2izoo.load(fetched(name, entry))
    assert (model.name, dict(model.directions)) == (entry.method, entry.directions)
    source = entry.directions[entry.domains[0]]
    side = 64 if isinstance(generator, Resnet) else 256
    image = torch.rand(1, model.method.channels[source], side, side, generator=torch.manual_seed(0)) * 2 - 1
    options: dict[str, Any] = {}
    if entry.method == "bicyclegan":
        latent = torch.linspace(-1, 1, LATENT)[None]
        options, expected = {"latent": latent}, generator(image, latent)
    else:
        options = {"mode": "deterministic"} if entry.method == "pix2pix" else {}
        expected = generator(image)
    torch.testing.assert_close(model(image, **options), expected, rtol=1e-3, atol=1e-3)
    provenance = model.config["provenance"]
    assert provenance["licence"] == "BSD-2-Clause"
    assert provenance["citation"].startswith("@")
    assert all(file.url in provenance["notes"] for file in (entry.checkpoints or {}).values())
    assert sum(path.endswith("model.safetensors") for path in cached(tmp_path)) == 1


@torch.inference_mode()
def test_pix2pix_translates_as_its_code_does_without_eval(server: WebServer) -> None:
    """By the image's own statistics and with dropout, by the seed."""
    entry = unsized(ENTRIES["pix2pix-facades_label2photo"])
    generator = publish(server, entry)
    model = i2izoo.load(fetched("x", entry))
    image = torch.rand(1, 3, 256, 256, generator=torch.manual_seed(0)) * 2 - 1
    one, again, other = (model(image, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)
    for module in model.method.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    torch.testing.assert_close(model(image, seed=1), generator.train()(image), rtol=1e-3, atol=1e-3)


def test_they_are_all_that_the_authors_publish() -> None:
    found = {
        method: {file.file.removesuffix(".pth").removesuffix("_net_G").removesuffix("_net_E")
                 for entry in ENTRIES.values() if entry.method == method for file in entry.checkpoints.values()}
        for method in SCRIPTS
    }  # fmt: skip
    assert found == {method: set(names.split(", ")) for method, names in SCRIPTS.items()}
    members = {file.member for entry in ENTRIES.values() for file in entry.checkpoints.values() if file.member}
    assert members == {
        f"checkpoints/{data}_{method}_pretrained/latest_net_G.pth"
        for data in ("horse2zebra", "cat2dog", "cityscapes")
        for method in ("cut", "fastcut")
    }
    declared = [v for module in (bicyclegan, cut, cyclegan, pix2pix) for v in vars(module).values()]
    assert sum(isinstance(value, PretrainedEntry) for value in declared) == len(ENTRIES)


def test_an_entry_is_called_by_its_method_and_its_file() -> None:
    other = {"bicyclegan-map2sat": "maps", "bicyclegan-facades_label2photo": "facades"}  # whose names say no direction
    for name, entry in ENTRIES.items():
        method, _, data = name.partition("-")
        file = next(iter(entry.checkpoints.values()))
        said = file.member or file.file
        assert method == entry.method
        assert other.get(name, data) in said
