"""The formulas of the help texts, as images in any colour and at any scale."""

import tomllib

from PySide6.QtCore import QByteArray, QRectF, QSize, Qt
from PySide6.QtGui import QPainter, QPixmap
from PySide6.QtSvg import QSvgRenderer

from engine.system.paths import RESOURCES

FOLDER = RESOURCES / "help" / "formulas"

SIZE = 20
"""Size of an em in the files, in pixels."""


def sources() -> dict[str, str]:
    """Return the TeX source of every formula by name."""
    return tomllib.loads((RESOURCES / "help" / "formulas.toml").read_text(encoding="utf-8"))


def formula(name: str, colour: str, pixels: int, ratio: float) -> QPixmap:
    """Return a formula in a colour, with an em of `pixels`, for a screen with device pixel ratio `ratio`."""
    content = (FOLDER / f"{name}.svg").read_text(encoding="utf-8").replace("currentColor", colour)
    renderer = QSvgRenderer(QByteArray(content.encode()))
    exact = renderer.viewBoxF().size() * (pixels / SIZE)
    size = QSize(round(exact.width()), round(exact.height()))
    pixmap = QPixmap(size * ratio)
    pixmap.setDevicePixelRatio(ratio)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    renderer.render(painter, QRectF(0, 0, size.width(), size.height()))
    painter.end()
    return pixmap
