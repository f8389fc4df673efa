"""The plugin and its provider: the list of algorithms, and where the executable is."""

from __future__ import annotations

import os

from processing.core.ProcessingConfig import ProcessingConfig, Setting
from qgis.core import QgsApplication, QgsProcessingProvider
from qgis.PyQt.QtGui import QIcon

from .tiles import Tiles
from .translate import Translate

ICON = os.path.join(os.path.dirname(__file__), "icon.svg")


class Provider(QgsProcessingProvider):
    """The group "i2izoo" of the Processing toolbox."""

    def id(self):
        return "i2izoo"

    def name(self):
        return "i2izoo"

    def icon(self):
        return QIcon(ICON)

    def load(self):
        """QGIS calls this once; it also puts the setting into the dialog of options."""
        ProcessingConfig.settingIcons[self.name()] = self.icon()
        ProcessingConfig.addSetting(Setting(
            self.name(), "I2IZOO_EXECUTABLE", "Executable i2izoo of its own environment", "", valuetype=Setting.FILE
        ))  # fmt: skip
        ProcessingConfig.readSettings()
        self.refreshAlgorithms()
        return True

    def unload(self):
        ProcessingConfig.removeSetting("I2IZOO_EXECUTABLE")

    def loadAlgorithms(self):
        for algorithm in (Translate(), Tiles()):
            self.addAlgorithm(algorithm)

    def supportedOutputRasterLayerExtensions(self):
        return ["tif"]


class Plugin:
    """What QGIS and `qgis_process` load."""

    def __init__(self):
        self.provider = None

    def initProcessing(self):
        self.provider = Provider()
        QgsApplication.processingRegistry().addProvider(self.provider)

    def initGui(self):
        self.initProcessing()

    def unload(self):
        QgsApplication.processingRegistry().removeProvider(self.provider)
