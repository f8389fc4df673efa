"""Layers of a WMTS as addresses of web tiles; owslib reads the capabilities."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from i2izoo.errors import ConfigError, DataError, listing, printable
from i2izoo_geo.tiles.matrices import PIXEL, MatrixGrid, matrices_of
from i2izoo_geo.tiles.secret import PLACE

WORLD = 2 * math.pi * 6378137
"""Side of the world in EPSG:3857, in metres."""
FORMATS = ("image/png", "image/jpeg", "image/jpg", "image/webp")


def wmts_templates(
    capabilities: bytes, address: str, layer: str | None, zooms: Sequence[int], grid: MatrixGrid | None = None
) -> tuple[dict[int, str], dict[str, Any]]:
    """The address of a layer's tiles for each zoom of a grid, and what the service says about itself.

    Args:
        capabilities: XML of version 1.0.0.
        address: that they came from, whose own parameters, such as a key, are those of the tiles, too.
        layer: its identifier; None where there is one only.
        zooms: wanted.
        grid: of the tiles; None: that of web maps.

    Raises:
        DataError: this is no WMTS, or the layer is not offered in the grid at such a zoom.
        ConfigError: the layer has to be named, or is not there.
    """
    service, layer = _parsed(capabilities, address, layer)
    found, where = service.contents[layer], f"the layer {layer!r} of {address}"
    if grid is None:
        names, matrices = _matrices(service, found, zooms, where)
    else:
        names, matrices = _of_grid(service, found, grid, where)
    style = next(
        (name for name, one in found.styles.items() if one.get("isDefault")), next(iter(found.styles), "default")
    )
    form = next((form for form in FORMATS if form in found.formats), None)
    values = {
        "Style": style or "default",
        "TileMatrixSet": names,
        **{k: v["default"] for k, v in found.dimensions.items()},
    }
    template = _template(service, found, form, address, layer, values)
    own = _own_parameters(address, template)
    templates = {z: _filled(template, {**values, "TileMatrix": matrix}) + own for z, matrix in matrices.items()}
    said = {"title": service.identification.title, "fees": service.identification.fees}
    said["access"] = service.identification.accessconstraints
    return templates, {name: printable(str(text)) for name, text in said.items() if text}


def wmts_grid(
    capabilities: bytes, address: str, layer: str | None, matrix_set: str, bbox: Sequence[float], zooms: Sequence[int]
) -> MatrixGrid:
    """The tiles of an area in a tile matrix set of a layer.

    Raises:
        DataError: this is no WMTS, or the coordinate system of the set is not known.
        ConfigError: the layer or the set is not there, or has no such zoom, or does not cover the area.
    """
    service, layer = _parsed(capabilities, address, layer)
    where = f"the layer {layer!r} of {address}"
    return MatrixGrid(matrix_set, *matrices_of(service, service.contents[layer], matrix_set, where), bbox, zooms)


def _parsed(capabilities: bytes, address: str, layer: str | None) -> tuple[Any, str]:
    """The service, and the name of the layer."""
    from owslib.wmts import WebMapTileService

    try:
        if b"<!DOCTYPE" in capabilities or b"<!ENTITY" in capabilities:  # which expand to anything
            raise ValueError("it declares entities")
        service = WebMapTileService(urlsplit(address)._replace(query="", fragment="").geturl(), xml=capabilities)
    except Exception as error:  # owslib raises whatever comes from XML that is something else
        raise DataError(
            f"{address} sent no capabilities of a WMTS ({printable(str(error), 120)}); an address of tiles holds "
            "{z}, {x} and {y}."
        ) from error
    if layer is None and len(service.contents) == 1:
        layer = next(iter(service.contents))
    if layer is None or layer not in service.contents:
        asked = "say which layer, behind #" if layer is None else f"there is no layer {layer!r}"
        raise ConfigError(f"{address}: {asked}; it has {listing(map(printable, service.contents))}.")
    return service, layer


def _of_grid(service: Any, layer: Any, grid: MatrixGrid, where: str) -> tuple[str, dict[int, str]]:
    """The set of the grid's name, and the name of its matrix of each zoom, where it has the tiles of the grid."""
    _, matrices = matrices_of(service, layer, grid.name, where)
    for zoom, matrix in grid.matrices.items():
        if zoom >= len(matrices) or not matrices[zoom].matches(matrix):
            raise DataError(f"{where} has other tiles at zoom {zoom} of the grid {grid.name!r} than the first layer.")
    return grid.name, {zoom: matrices[zoom].name for zoom in grid.zooms}


def _matrices(service: Any, layer: Any, zooms: Sequence[int], where: str) -> tuple[str, dict[int, str]]:
    """The matrix set in the grid of web maps that has all zooms, and its matrix of each."""
    offered = {}
    for name in layer.tilematrixsetlinks:
        found = {z: matrix.identifier for matrix in service.tilematrixsets[name].tilematrix.values()
                 if (z := _zoom(matrix)) is not None}  # fmt: skip
        if _is_mercator(str(service.tilematrixsets[name].crs)) and found:
            offered[name] = found
            if all(z in found for z in zooms):
                return name, {z: found[z] for z in zooms}
    if offered:
        name, found = max(offered.items(), key=lambda item: len(item[1]))
        raise DataError(f"{where} has zoom {min(found)} to {max(found)}; found {','.join(map(str, zooms))}.")
    raise DataError(
        f"{where} is not offered in the grid of web maps (EPSG:3857), but in {listing(layer.tilematrixsetlinks)}; "
        "name one of them (--matrix-set), and count zoom levels from its coarsest, which is 0."
    )


def _is_mercator(crs: str) -> bool:
    return crs.rpartition(":")[2] in ("3857", "900913", "102100", "102113", "3785")


def _zoom(matrix: Any) -> int | None:
    """The zoom whose tiles a matrix has; None: it has others."""
    span = matrix.scaledenominator * PIXEL * matrix.tilewidth
    z = round(math.log2(WORLD / span))
    left, top = matrix.topleftcorner
    slack = span / matrix.tilewidth / 2  # half a pixel
    apart = max(abs(left + WORLD / 2), abs(top - WORLD / 2), abs(span * 2**z - WORLD))
    return z if apart < slack and matrix.tilewidth == matrix.tileheight else None


def _template(service: Any, layer: Any, form: str | None, address: str, name: str, values: dict[str, str]) -> str:
    """The address of a tile with the words of WMTS in braces: as the layer has it, or of key-value pairs."""
    for resource in sorted(layer.resourceURLs, key=lambda r: r["format"] != form):
        if resource["resourceType"] == "tile":
            return str(resource["template"])
    endpoint = next(
        (str(method["url"]) for operation in service.operations if operation.name == "GetTile"
         for method in operation.methods if str(method.get("type", "")).lower() == "get"), address,
    )  # fmt: skip
    asked = {"SERVICE": "WMTS", "REQUEST": "GetTile", "VERSION": "1.0.0", "LAYER": name, "FORMAT": form or FORMATS[0]}
    fields = {k.upper(): f"{{{k}}}" for k in (*values, "TileMatrix")} | {"TILEROW": "{TileRow}", "TILECOL": "{TileCol}"}
    plain = urlsplit(endpoint)
    kept = [(k, v) for k, v in parse_qsl(plain.query) if k.upper() not in {*asked, *fields}]
    return plain._replace(query=urlencode([*kept, *asked.items(), *fields.items()], safe="{}/")).geturl()


def _own_parameters(address: str, template: str) -> str:
    """What the address of the capabilities says besides being one, for the addresses of tiles that do not say it."""
    known = {"SERVICE", "REQUEST", "VERSION", *(k.upper() for k, _ in parse_qsl(urlsplit(template).query))}
    own = [(k, v) for k, v in parse_qsl(urlsplit(address).query) if k.upper() not in known]
    sign = "&" if "?" in template else "?"
    return sign + urlencode(own, safe=PLACE) if own else ""


def _filled(template: str, values: dict[str, str]) -> str:
    for name, value in values.items():
        for written in (name, name.lower(), name.upper()):
            template = template.replace(f"{{{written}}}", quote(str(value), safe=""))
    return template.replace("{TileRow}", "{y}").replace("{TileCol}", "{x}")
