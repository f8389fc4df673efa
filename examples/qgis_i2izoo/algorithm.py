"""What the algorithms share: layers to files, and a child whose progress and errors QGIS shows."""

from __future__ import annotations

from processing.core.ProcessingConfig import ProcessingConfig
from qgis.core import (
    QgsProcessingAlgorithm,
    QgsProcessingException,
    QgsProcessingParameterDefinition,
    QgsProviderRegistry,
)

from . import child


class Algorithm(QgsProcessingAlgorithm):
    """An algorithm that is a command of i2izoo."""

    def createInstance(self):
        return type(self)()

    def group(self):
        return ""

    def groupId(self):
        return ""

    def add(self, parameter, about="", *, hints=(), advanced=False):
        """Declare a parameter: with a help text, texts to choose from, and whether it is an advanced one."""
        parameter.setHelp(about)
        if hints:
            parameter.setMetadata({"widget_wrapper": {"value_hints": list(hints)}})
        if advanced:
            parameter.setFlags(parameter.flags() | QgsProcessingParameterDefinition.FlagAdvanced)
        self.addParameter(parameter)

    def program(self):
        try:
            return child.executable(str(ProcessingConfig.getSetting("I2IZOO_EXECUTABLE") or ""))
        except child.ChildError as error:
            raise QgsProcessingException(str(error)) from error

    def file_of(self, parameters, name, context):
        """The raster layer of a parameter, and the file that it shows."""
        layer = self.parameterAsRasterLayer(parameters, name, context)
        if layer is None:
            raise QgsProcessingException(self.invalidRasterError(parameters, name))
        provider = layer.dataProvider().name()
        found = QgsProviderRegistry.instance().decodeUri(provider, layer.source()).get("path", "")
        if provider != "gdal" or not found:
            raise QgsProcessingException(f"The layer {layer.name()!r} is no file; export it as a GeoTIFF first.")
        return layer, found

    def run_child(self, command, feedback):
        """Run it with progress, and stop it when the user cancels."""
        feedback.pushCommandInfo(" ".join(command))
        stage = ""

        def told(line):
            nonlocal stage
            found = child.progress(line)
            if found is None:
                (feedback.pushWarning if line.startswith("i2izoo: ") else feedback.pushInfo)(line)
                return
            feedback.setProgress(found[0])
            if found[1] != stage:
                stage = found[1]
                feedback.setProgressText(stage)

        try:
            whole = child.run(command, told, feedback.isCanceled)
        except child.ChildError as error:
            raise QgsProcessingException(str(error)) from error
        if not whole:
            feedback.pushInfo("Stopped; run it again with the same output and resume to go on.")
        return whole
