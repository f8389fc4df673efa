"""Rasters and map tiles: what lies somewhere on the Earth. Needs the extra `geo`."""
