"""Illustrations of the help texts in the window's colours: a VAE, and the report's Figure 6 redrawn."""

from collections.abc import Callable, Sequence
from math import cos, exp, pi, sin

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QPainter, QPainterPath, QPen, QPixmap, QPolygonF

from gui.widgets.theme import Tokens

TILE = 58.0
"""Side of a drawn image, in units."""

SPRITES: tuple[tuple[tuple[str, float, float, float], tuple[str, float, float, float]], ...] = (
    (("heart", 0.35, 0.4, 0.3), ("square", 2.2, 0.62, 0.66)),
    (("ellipse", 1.1, 0.66, 0.34), ("heart", 4.0, 0.34, 0.62)),
    (("square", 0.4, 0.3, 0.68), ("ellipse", 2.7, 0.66, 0.4)),
)
"""Pairs of shape, angle, x and y. Both images of a pair share a scale from `SCALES`."""

SCALES = (1.0, 0.55, 0.78)
CODES = (
    ((-1.1, 0.4, 1.3, -0.7, 0.2), (0.9, 1.2, 1.2, 0.5, -1.0)),
    ((0.8, -0.9, -1.2, 0.9, 1.1), (-0.7, 0.8, -1.3, -0.6, 0.1)),
    ((-0.9, 1.0, 0.1, 0.3, -0.8), (1.0, -0.5, 0.2, 1.2, 0.7)),
)
"""Made-up posterior means of each pair: the third latent encodes the scale."""

CARRIER = 2
FACTORS = ("shape", "scale", "orientation", "x", "y")


def vae_figure(colours: Tokens, font: QFont, ratio: float) -> QPixmap:
    """Draw the path of an image through a VAE."""
    return _drawn(QSize(660, 138), _paint_vae, colours, font, ratio)


def score_figure(colours: Tokens, font: QFont, ratio: float) -> QPixmap:
    """Draw how the report's disentanglement score is computed (its Figure 6, after Higgins et al. 2017)."""
    return _drawn(QSize(660, 264), _paint_score, colours, font, ratio)


FIGURES: dict[str, Callable[[Tokens, QFont, float], QPixmap]] = {"vae": vae_figure, "score": score_figure}


class Pen:
    """A painter with the theme's colours that draws tiles, bars, boxes, arrows and text."""

    def __init__(self, painter: QPainter, colours: Tokens, font: QFont) -> None:
        self.painter, self.colours = painter, colours
        self.font = QFont(font)

    def words(self, box: QRectF, text: str, colour: str, *, bold: bool = False, size: int = 12) -> None:
        """Write text in the centre of a box."""
        self.font.setPixelSize(size)
        self.font.setBold(bold)
        self.painter.setFont(self.font)
        self.painter.setPen(QColor(colour))
        self.painter.drawText(box, int(Qt.AlignmentFlag.AlignCenter) | int(Qt.TextFlag.TextWordWrap), text)

    def arrow(self, start: QPointF, end: QPointF) -> None:
        """Draw a straight arrow to the right or down."""
        self.painter.setPen(QPen(QColor(self.colours.muted), 1.4))
        self.painter.drawLine(start, end)
        across = end.x() - start.x() > abs(end.y() - start.y())
        for side in (-4, 4):
            tip = QPointF(-5, side) if across else QPointF(side, -5)
            self.painter.drawLine(end, end + tip)

    def box(self, rect: QRectF, text: str) -> None:
        """Draw a labelled component."""
        self.painter.setPen(QPen(QColor(self.colours.accent), 1.2))
        self.painter.setBrush(QColor(self.colours.accent_soft))
        self.painter.drawRoundedRect(rect, 6, 6)
        self.painter.setBrush(Qt.BrushStyle.NoBrush)
        self.words(rect, text, self.colours.text, size=11)

    def tile(self, left: float, top: float, shape: QPainterPath, *, soft: bool = False) -> None:
        """Draw a dSprites image, white on black; `soft` blurs it like a reconstruction."""
        rect = QRectF(left, top, TILE, TILE)
        self.painter.fillRect(rect, QColor("black"))
        self.painter.setPen(QPen(QColor(self.colours.border), 1))
        self.painter.drawRect(rect)
        middle = shape.translated(left, top)
        for width, alpha in ((6, 50), (3.5, 70), (1.5, 90)) if soft else ():
            self.painter.setPen(QPen(QColor(255, 255, 255, alpha), width))
            self.painter.drawPath(middle)
        self.painter.fillPath(middle, QColor(235, 235, 235) if soft else QColor("white"))

    def bars(self, rect: QRectF, values: Sequence[float], highest: float, *, marked: int | None = None) -> None:
        """Draw values as bars, from the bottom if none is negative, else from the middle."""
        signed = min(values) < 0
        zero = rect.center().y() if signed else rect.bottom()
        reach = rect.height() / (2 if signed else 1)
        step = rect.width() / len(values)
        for number, value in enumerate(values):
            height = reach * value / highest
            bar = QRectF(rect.left() + number * step + 1.5, zero - height, step - 3, height).normalized()
            self.painter.fillRect(bar, QColor(self.colours.runs[0] if number == marked else self.colours.runs[1]))
        self.painter.setPen(QPen(QColor(self.colours.muted), 1))
        self.painter.drawLine(QPointF(rect.left(), zero), QPointF(rect.right(), zero))


def _drawn(size: QSize, paint: Callable[[Pen], None], colours: Tokens, font: QFont, ratio: float) -> QPixmap:
    pixmap = QPixmap(size * ratio)
    pixmap.setDevicePixelRatio(ratio)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    paint(Pen(painter, colours, font))
    painter.end()
    return pixmap


def sprite(kind: str, scale: float, angle: float, x: float, y: float) -> QPainterPath:
    """Return a dSprites shape in a tile, with its centre at fractions x and y of the side."""
    unit = 0.15 * TILE * 1.25 * scale
    if kind == "square":
        points = [(-unit, -unit), (unit, -unit), (unit, unit), (-unit, unit)]
    elif kind == "ellipse":
        turn = [2 * pi * k / 60 for k in range(60)]
        points = [(1.33 * unit * cos(t), unit / 1.33 * sin(t)) for t in turn]
    else:
        turn = [2 * pi * k / 80 for k in range(80)]
        points = [
            (unit * sin(t) ** 3, -unit * (2 / 29 * (13 * cos(t) - 5 * cos(2 * t) - 2 * cos(3 * t) - cos(4 * t)) + 0.15))
            for t in turn
        ]
    turned = [
        QPointF(x * TILE + cos(angle) * a + sin(angle) * b, y * TILE - sin(angle) * a + cos(angle) * b)
        for a, b in points
    ]
    path = QPainterPath()
    path.addPolygon(QPolygonF(turned))
    path.closeSubpath()
    return path


def _paint_vae(pen: Pen) -> None:
    t = pen.colours
    top = 40.0
    middle = top + TILE / 2
    shape = sprite("heart", 1.3, 0.35, 0.5, 0.5)
    pen.tile(4, top, shape)
    pen.words(QRectF(0, top + TILE + 4, TILE + 8, 20), "x", t.muted)
    pen.arrow(QPointF(70, middle), QPointF(92, middle))
    pen.box(QRectF(100, top + 4, 86, TILE - 8), "encoder")
    pen.arrow(QPointF(194, middle), QPointF(216, middle))
    _paint_posterior(pen, QRectF(226, 22, 190, 78))
    pen.words(QRectF(216, 0, 210, 20), "posterior q(z | x), prior dashed", t.muted, size=11)
    pen.arrow(QPointF(426, middle), QPointF(448, middle))
    pen.words(QRectF(424, middle - 22, 26, 18), "z", t.runs[0], bold=True)
    pen.box(QRectF(456, top + 4, 86, TILE - 8), "decoder")
    pen.arrow(QPointF(550, middle), QPointF(572, middle))
    pen.tile(584, top, shape, soft=True)
    pen.words(QRectF(560, top + TILE + 4, TILE + 48, 20), "reconstruction", t.muted)


def _paint_posterior(pen: Pen, box: QRectF) -> None:
    """Draw one latent: the prior, a posterior with mean 0.9 and standard deviation 0.35, and a sample from it."""
    mean, deviation, draw = 0.9, 0.35, 1.15
    places = [-3 + 6 * n / 120 for n in range(121)]

    def at(z: float, m: float, s: float) -> QPointF:
        height = exp(-(((z - m) / s) ** 2) / 2) / s
        return QPointF(box.left() + (z + 3) / 6 * box.width(), box.bottom() - height * deviation * box.height())

    painter = pen.painter
    painter.setPen(QPen(QColor(pen.colours.border), 1))
    painter.drawLine(box.bottomLeft(), box.bottomRight())
    painter.setPen(QPen(QColor(pen.colours.muted), 1.2, Qt.PenStyle.DashLine))
    painter.drawPolyline(QPolygonF([at(z, 0, 1) for z in places]))
    painter.setPen(QPen(QColor(pen.colours.runs[1]), 2))
    painter.drawPolyline(QPolygonF([at(z, mean, deviation) for z in places]))
    place = at(draw, mean, deviation)
    painter.setPen(QPen(QColor(pen.colours.runs[0]), 1.2, Qt.PenStyle.DotLine))
    painter.drawLine(place, QPointF(place.x(), box.bottom()))
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(pen.colours.runs[0]))
    painter.drawEllipse(place, 4, 4)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    middle = box.left() + (mean + 3) / 6 * box.width()
    pen.words(QRectF(middle - 60, box.bottom() + 4, 120, 18), "mean μ, width σ", pen.colours.muted, size=11)


def _paint_score(pen: Pen) -> None:
    t = pen.colours
    rows = [36 + 76 * number for number in range(3)]
    differences = [[abs(u - v) for u, v in zip(*pair, strict=True)] for pair in CODES]
    sums = [sum(column) for column in zip(*differences, strict=True)]
    for left, width, text in (
        (0, 126, "pairs of the same scale"),
        (210, 136, "posterior means"),
        (352, 84, "|zᵤ − zᵥ|"),
        (458, 108, "sum over L pairs"),
    ):
        pen.words(QRectF(left, 0, width, 32), text, t.muted, size=11)
    pen.box(QRectF(146, rows[0], 54, rows[2] + TILE - rows[0]), "encoder")
    for number, top in enumerate(rows):
        middle = top + TILE / 2
        for side, (kind, angle, x, y) in enumerate(SPRITES[number]):
            pen.tile(2 + side * (TILE + 6), top, sprite(kind, SCALES[number], angle, x, y))
        pen.arrow(QPointF(130, middle), QPointF(142, middle))
        pen.arrow(QPointF(203, middle), QPointF(213, middle))
        for side, values in enumerate(CODES[number]):
            pen.bars(QRectF(220 + side * 66, top + 4, 56, TILE - 8), values, 1.5, marked=CARRIER)
        pen.arrow(QPointF(346, middle), QPointF(358, middle))
        pen.bars(QRectF(366, top + 8, 56, TILE - 12), differences[number], 2.4, marked=CARRIER)
    pen.words(QRectF(0, rows[2] + TILE + 1, 126, 18), "… for all L pairs", t.muted, size=11)
    middle = rows[1] + TILE / 2
    pen.painter.setPen(QPen(QColor(t.muted), 1.2))
    for top, end in zip(rows, (middle - 10, middle, middle + 10), strict=True):
        pen.painter.drawLine(QPointF(426, top + TILE / 2), QPointF(438, end))
    pen.words(QRectF(436, middle - 12, 24, 24), "Σ", t.text, size=16)
    pen.arrow(QPointF(459, middle), QPointF(471, middle))
    pen.bars(QRectF(478, 46, 84, 104), sums, 1.04 * max(sums), marked=CARRIER)
    pen.arrow(QPointF(520, 156), QPointF(520, 178))
    pen.box(QRectF(478, 184, 84, 46), "linear SVM")
    pen.arrow(QPointF(566, 207), QPointF(580, 207))
    for number, factor in enumerate(FACTORS):
        chosen = factor == "scale"
        colour = t.runs[0] if chosen else t.muted
        pen.words(QRectF(582, 160 + 19 * number, 78, 19), factor, colour, bold=chosen, size=12)
    pen.words(QRectF(572, 128, 88, 24), "which factor?", t.text, size=11)
