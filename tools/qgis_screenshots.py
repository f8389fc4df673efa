"""The images of docs/aerial.md, taken of QGIS with the plugin of examples/qgis_i2izoo.

    export QGIS_PLUGINPATH=$PWD/examples I2IZOO_EXECUTABLE=$(which i2izoo)
    export SCAN=sheet.tif COLOUR=colour.tif MODEL=pix2pix-aerial-colorization OUT=shots
    qgis_process plugins enable qgis_i2izoo
    xvfb-run -s "-screen 0 1280x800x24" qgis --nologo --code tools/qgis_screenshots.py

`COLOUR` is the scan's eastern half translated, so that both can be seen. QGIS writes PNG; WebP is made of it by Pillow.
"""

import os

import processing
from qgis.core import QgsApplication, QgsContrastEnhancement, QgsProject, QgsRasterLayer
from qgis.PyQt.QtCore import QSize, QTimer
from qgis.PyQt.QtWidgets import QComboBox, QDockWidget, QLineEdit
from qgis.utils import iface

WAIT = 5000
"""Milliseconds until a window is drawn."""


def save(widget, name):
    widget.grab().save(os.path.join(os.environ["OUT"], f"{name}.png"))


def layers():
    window = iface.mainWindow()
    for dock in window.findChildren(QDockWidget):
        dock.setVisible(dock.objectName() in ("Layers", "ProcessingToolbox"))
    window.resize(QSize(1100, 640))
    for name, variable in (("scan", "SCAN"), ("colour", "COLOUR")):
        layer = QgsProject.instance().addMapLayer(QgsRasterLayer(os.environ[variable], name))
        layer.setContrastEnhancement(QgsContrastEnhancement.NoEnhancement)
    for search in window.findChild(QDockWidget, "ProcessingToolbox").findChildren(QLineEdit):
        search.setText("translate raster")
    iface.zoomFull()
    QTimer.singleShot(WAIT // 2, lambda: (iface.mapCanvas().zoomByFactor(0.6), iface.mapCanvas().refresh()))
    QTimer.singleShot(WAIT, lambda: (save(window, "layers"), dialog()))


def dialog():
    shown = processing.createAlgorithmDialog("i2izoo:translate", {"INPUT": "scan"})
    shown.resize(QSize(760, 560))
    shown.show()
    for box in shown.findChildren(QComboBox):
        if (index := box.findText(os.environ["MODEL"])) >= 0:
            box.setCurrentIndex(index)
    QTimer.singleShot(WAIT, lambda: (save(shown, "dialog"), QgsApplication.instance().exit(), os._exit(0)))


QTimer.singleShot(WAIT, layers)
