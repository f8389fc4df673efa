"""Algorithm: translate a raster."""

from __future__ import annotations

import contextlib
import shlex

from qgis.core import (
    QgsProcessingException,
    QgsProcessingParameterBand,
    QgsProcessingParameterBoolean,
    QgsProcessingParameterExtent,
    QgsProcessingParameterNumber,
    QgsProcessingParameterRasterDestination,
    QgsProcessingParameterRasterLayer,
    QgsProcessingParameterString,
)

from . import child
from .algorithm import Algorithm

HELP = """Translates a raster with a trained model: grey aerial photographs to colour, satellite images to maps, \
damaged scans to whole ones.

It runs in tiles without seams, in little memory, and the result is a Cloud Optimized GeoTIFF with the place, type and \
nodata of the source. A run that was cancelled goes on with the same output file and "resume".

Models are those that `i2izoo list --pretrained` has, or your own."""


class Translate(Algorithm):
    """`i2izoo translate`."""

    def __init__(self, models=()):
        super().__init__()
        self.models = models

    def createInstance(self):
        """For a dialog or a run; only then is the program asked for its models, so that QGIS starts at once."""
        with contextlib.suppress(QgsProcessingException, child.ChildError):
            return Translate(child.models(self.program()))
        return Translate()

    def name(self):
        return "translate"

    def displayName(self):
        return "Translate raster"

    def shortHelpString(self):
        return HELP

    def initAlgorithm(self, configuration=None):
        names = [model["name"] for model in self.models]
        domains = sorted({domain for model in self.models for domain in model["directions"]})
        text, number = QgsProcessingParameterString, QgsProcessingParameterNumber
        self.add(QgsProcessingParameterRasterLayer("INPUT", "Raster"), "A file that GDAL reads.")
        self.add(text("MODEL", "Model", optional=True), "A name of `i2izoo list --pretrained`.", hints=names)
        self.add(
            text("OWN_MODEL", "Or a model of your own", optional=True),
            "A folder of your training, or user/repo on the Hub; taken in place of the other.",
        )
        self.add(
            text("TO", "Direction: to", optional=True),
            "The domain to translate to, of models with several; otherwise the model's first.",
            hints=domains,
        )
        self.add(QgsProcessingParameterExtent("EXTENT", "Only this part", optional=True), "In any CRS.")
        self.add(
            QgsProcessingParameterBand(
                "BANDS", "Bands", parentLayerParameterName="INPUT", optional=True, allowMultiple=True
            ),
            "Those that the model sees, in its order; otherwise red, green and blue, or the first.",
        )
        self.add(
            QgsProcessingParameterBoolean("RESUME", "Resume", False),
            "Go on with what a cancelled or killed run of the same output has left.",
        )
        self.add(
            text("VALUES", "Range of values", optional=True),
            "Which values are black and white for the model: dtype, file, model, or LOW,HIGH.",
            advanced=True,
        )
        self.add(
            number("TILE", "Side of a tile, pixels", number.Integer, 512, minValue=64, maxValue=16384),
            "Smaller tiles take less memory.",
            advanced=True,
        )
        self.add(text("DEVICE", "Device", "cpu"), "cpu, cuda, mps or auto.", advanced=True)
        self.add(
            text("OPTIONS", "Further arguments", optional=True),
            "Of `i2izoo translate`, such as --statistics=exact, or option=value of the method.",
            advanced=True,
        )
        self.addParameter(QgsProcessingParameterRasterDestination("OUTPUT", "Translated"))

    def prepareAlgorithm(self, parameters, context, feedback):
        """What is read of layers, which belong to the main thread."""
        layer, source = self.file_of(parameters, "INPUT", context)
        box = self.parameterAsExtent(parameters, "EXTENT", context, layer.crs())
        said = {name: self.parameterAsString(parameters, name.upper(), context).strip()
                for name in ("model", "own_model", "to", "values", "device", "options")}  # fmt: skip
        model = said["own_model"] or said["model"]
        if not model:
            raise QgsProcessingException("Choose a model, or name one of your own.")
        self.command = child.translate_command(
            self.program(), model, source, self.parameterAsOutputLayer(parameters, "OUTPUT", context),
            to=said["to"], values=said["values"], device=said["device"],
            bounds=[] if box.isNull() else [box.xMinimum(), box.yMinimum(), box.xMaximum(), box.yMaximum()],
            bands=self.parameterAsInts(parameters, "BANDS", context),
            tile=self.parameterAsInt(parameters, "TILE", context),
            resume=self.parameterAsBool(parameters, "RESUME", context), options=shlex.split(said["options"]),
        )  # fmt: skip
        return True

    def processAlgorithm(self, parameters, context, feedback):
        target = self.parameterAsOutputLayer(parameters, "OUTPUT", context)
        return {"OUTPUT": target} if self.run_child(self.command, feedback) else {}
