"""Pictures of the gallery's models in the help: some frames of each traversal, a row for each."""

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QImage, QPainter, QPixmap

from engine.errors import StudioError
from engine.gallery import GALLERY, Model, read_model
from gui.widgets.theme import Tokens

SHOWN = 9
"""Frames of a traversal that are shown."""

SIDE, GAP, WORDS = 48, 4, 130
"""Side of an image, space between two, and width of the words beside them, in pixels."""


def gallery_picture(name: str, colours: Tokens, font: QFont, ratio: float) -> QPixmap | None:
    """Draw the traversals of the model in this folder of the gallery; None if it cannot be read."""
    folder = GALLERY / name
    try:
        model = read_model(folder)
    except StudioError:
        return None  # the page itself says what is wrong with it
    picture = QImage(str(model.strip))
    if picture.isNull():
        return None
    size = QSize(WORDS + SHOWN * (SIDE + GAP), len(model.cells) * (SIDE + GAP))
    drawn = QPixmap(size * ratio)
    drawn.setDevicePixelRatio(ratio)
    drawn.fill(Qt.GlobalColor.transparent)
    painter = QPainter(drawn)
    painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
    _paint(painter, model, picture, colours, font)
    painter.end()
    return drawn


def _paint(painter: QPainter, model: Model, picture: QImage, colours: Tokens, font: QFont) -> None:
    width, height = picture.width() / model.frames, picture.height() / len(model.cells)
    small = QFont(font)
    small.setPixelSize(12)
    painter.setFont(small)
    painter.setPen(QColor(colours.muted))
    for row, cell in enumerate(model.cells):
        top = row * (SIDE + GAP)
        words = f"z{cell.latent} · {cell.words}" if cell.latent is not None else cell.words
        place = QRectF(0, top, WORDS - 10, SIDE)
        text = painter.fontMetrics().elidedText(words, Qt.TextElideMode.ElideRight, int(place.width()))
        painter.drawText(place, int(Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight), text)
        for column in range(SHOWN):
            frame = round(column * (model.frames - 1) / (SHOWN - 1))
            target = QRectF(WORDS + column * (SIDE + GAP), top, SIDE, SIDE)
            painter.drawImage(target, picture, QRectF(frame * width, row * height, width, height))
