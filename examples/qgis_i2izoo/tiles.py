"""Algorithm: cut a raster into tiles that a model learns from."""

from __future__ import annotations

from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsProcessingParameterBand,
    QgsProcessingParameterExtent,
    QgsProcessingParameterFolderDestination,
    QgsProcessingParameterNumber,
    QgsProcessingParameterRasterLayer,
    QgsProcessingParameterString,
)

from . import child
from .algorithm import Algorithm

HELP = """Cuts a raster into a data set for `i2izoo train`: whole tiles, each with its place, divided into training \
and validation by area, so that no tile of the one touches a tile of the other."""


class Tiles(Algorithm):
    """`i2izoo tiles`, of a raster."""

    def name(self):
        return "tiles"

    def displayName(self):
        return "Cut raster into training tiles"

    def shortHelpString(self):
        return HELP

    def initAlgorithm(self, configuration=None):
        text, number = QgsProcessingParameterString, QgsProcessingParameterNumber
        self.add(QgsProcessingParameterRasterLayer("INPUT", "Raster"), "A file that GDAL reads.")
        self.add(text("LICENCE", "Licence and source of the images"), "It is stored with the tiles.")
        self.add(text("NAME", "Name of the domain", optional=True), "Such as scan or colour; a folder of that name.")
        self.add(QgsProcessingParameterExtent("EXTENT", "Only this part", optional=True), "In any CRS.")
        self.add(
            QgsProcessingParameterBand(
                "BANDS", "Bands", parentLayerParameterName="INPUT", optional=True, allowMultiple=True
            ),
            "Otherwise all but opacity.",
        )
        self.add(number("SIZE", "Side of a tile, pixels", number.Integer, 256, minValue=16, maxValue=4096))
        self.add(number("BLOCK", "Tiles along a block of the division", number.Integer, 8, minValue=1), advanced=True)
        self.add(
            number("VALIDATION", "Share of validation", number.Double, 0.1, minValue=0, maxValue=0.9), advanced=True
        )
        self.addParameter(QgsProcessingParameterFolderDestination("OUTPUT", "Data set"))

    def prepareAlgorithm(self, parameters, context, feedback):
        _, source = self.file_of(parameters, "INPUT", context)
        degrees = QgsCoordinateReferenceSystem("EPSG:4326")
        box = self.parameterAsExtent(parameters, "EXTENT", context, degrees)
        self.command = child.tiles_command(
            self.program(), source, self.parameterAsString(parameters, "OUTPUT", context),
            licence=self.parameterAsString(parameters, "LICENCE", context),
            name=self.parameterAsString(parameters, "NAME", context).strip(),
            bbox=[] if box.isNull() else [box.xMinimum(), box.yMinimum(), box.xMaximum(), box.yMaximum()],
            bands=self.parameterAsInts(parameters, "BANDS", context),
            size=self.parameterAsInt(parameters, "SIZE", context),
            block=self.parameterAsInt(parameters, "BLOCK", context),
            validation=self.parameterAsDouble(parameters, "VALIDATION", context),
        )  # fmt: skip
        return True

    def processAlgorithm(self, parameters, context, feedback):
        folder = self.parameterAsString(parameters, "OUTPUT", context)
        return {"OUTPUT": folder} if self.run_child(self.command, feedback) else {}
