"""A dot in a run's colour, or another shape, for tables and menus."""

from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QColor, QIcon, QPainter, QPixmap, QPolygonF

CORNERS = (
    (),
    ((0.08, 0.08), (0.92, 0.08), (0.92, 0.92), (0.08, 0.92)),
    ((0.5, 0.04), (1.0, 0.94), (0.0, 0.94)),
    ((0.5, 0.0), (1.0, 0.5), (0.5, 1.0), (0.0, 0.5)),
)
"""The corners of the shapes of looks, as shares of their size; none for the disc."""


def dot(colour: str, shape: int = 0, size: int = 11) -> QIcon:
    """Return a disc, square, triangle or diamond in a transparent square of `size` pixels.

    It is sharp on dense screens, and not tinted when selected.
    """
    picture = QPixmap(2 * size, 2 * size)
    picture.setDevicePixelRatio(2)
    picture.fill(Qt.GlobalColor.transparent)
    painter = QPainter(picture)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(colour))
    if corners := CORNERS[shape]:
        painter.drawPolygon(QPolygonF([QPointF(x * (size - 1), y * (size - 1)) for x, y in corners]))
    else:
        painter.drawEllipse(0, 0, size - 1, size - 1)
    painter.end()
    icon = QIcon(picture)
    icon.addPixmap(picture, QIcon.Mode.Selected)
    return icon
