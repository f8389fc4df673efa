"""Where a tile lies, in the file beside it that GDAL and QGIS read: `NAME.png.aux.xml`."""

from __future__ import annotations

from pathlib import Path
from xml.sax.saxutils import escape

from i2izoo.files.writing import write_text


def write_georeference(image: Path, crs: str | None, transform: tuple[float, ...]) -> None:
    """Write GDAL's auxiliary file (PAM).

    Args:
        image: the file that it is about.
        crs: an authority's code or WKT; None: not known.
        transform: GDAL's six numbers: left, width of a pixel, rotation, top, rotation, height of a pixel (negative).
    """
    lies = "" if crs is None else f"  <SRS>{escape(crs)}</SRS>\n"
    numbers = ", ".join(f"{number:.17g}" for number in transform)
    text = f"<PAMDataset>\n{lies}  <GeoTransform>{numbers}</GeoTransform>\n</PAMDataset>\n"
    write_text(image.with_name(f"{image.name}.aux.xml"), text)
