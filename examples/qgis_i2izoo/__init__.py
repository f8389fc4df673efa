"""A QGIS Processing provider that translates rasters with i2izoo, which runs in a Python environment of its own."""


def classFactory(iface):  # the name that QGIS looks for
    """The plugin; QGIS calls this, and nothing of QGIS is imported before."""
    from .provider import Plugin

    return Plugin()
