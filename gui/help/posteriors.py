"""The report's Figure 1, interactive: two posteriors in one latent, and how beta affects them."""

from math import exp, pi, sqrt

from PySide6.QtCore import QPointF, QRectF, Qt, Slot
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QHBoxLayout,
    QPushButton,
    QSizePolicy,
    QSlider,
    QVBoxLayout,
    QWidget,
)

from engine.methods.posterior_width import Posterior, best_posterior, divergence, overlap, reconstruction_loss
from gui.widgets.layouts import label
from gui.widgets.theme import px, tokens

TARGETS = (-0.8, 0.8)
"""Latent values that would reproduce the two images exactly."""

PRECISION = 12.0
"""The decoder's a^2 / v: with beta = 1 the posteriors are about as narrow as an active latent's in a real VAE."""

BETAS = tuple(10 ** (n / 40) for n in range(-40, 81))
"""Values of the slider: 0.1 to 100, geometrically spaced."""

DRAWN = -1.2
"""Position of the dot, in standard deviations from its posterior's mean."""

SPAN = 2.6
"""The plot's half width, in standard deviations of the prior."""

POSTERIORS = "q(z\N{NO-BREAK SPACE}|\N{WORD JOINER}\N{NO-BREAK SPACE}x)"
ABOUT = (
    f"Two images, x₁ and x₂, are encoded into a single latent z. The solid curves are their posteriors {POSTERIORS}; "
    "the dashed curve is the prior N(0, 1). The dot x̃ is a sample of z from the posterior of x₂."
)
ASSUMPTION = (
    "Computed, not sketched, for a linear decoder x = a z with Gaussian noise of variance v and a²/v = 12. "
    "Reconstruction + β · KL is then minimised by a variance of β / (β + a²/v) and by means shrunk by the factor "
    "a²/v / (β + a²/v)."
)


class FigureOneDialog(QDialog):
    """Explains why a larger beta makes neighbours in latent space look alike."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("What β does")
        self.setProperty("helpTopic", "methods#beta-vae")
        self.setMinimumWidth(px(560))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(18, 16, 18, 14)
        layout.setSpacing(8)
        layout.addWidget(label("Why a larger β makes neighbours look alike", "title"))
        layout.addWidget(label(ABOUT, wrap=True))
        self.plot = PosteriorPlot()
        layout.addWidget(self.plot, 1)
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(0, len(BETAS) - 1)
        self.slider.setPageStep(12)
        self.slider.setAccessibleName("beta")
        self.slider.setToolTip("Weight of the KL term, from 0.1 to 100; also with the arrow keys")
        self.beta = label("", "title")
        self.beta.setMinimumWidth(px(70))
        row = QHBoxLayout()
        row.setSpacing(10)
        row.addWidget(self.beta)
        row.addWidget(self.slider, 1)
        layout.addLayout(row)
        self.numbers = label("", "muted")
        self.words = label("", wrap=True)
        self.words.setMinimumHeight(px(58))
        self.words.setAlignment(Qt.AlignmentFlag.AlignTop)
        layout.addWidget(self.numbers)
        layout.addWidget(self.words)
        layout.addWidget(label(ASSUMPTION, "muted", wrap=True))
        buttons = QDialogButtonBox()
        buttons.addButton(QPushButton("Close"), QDialogButtonBox.ButtonRole.RejectRole)
        buttons.rejected.connect(self.reject)
        layout.addWidget(buttons)
        self.slider.valueChanged.connect(self._moved)
        self.slider.setValue(40)
        self._moved()
        self.slider.setFocus()
        self.resize(px(620), px(520))

    @Slot()
    def _moved(self) -> None:
        beta = BETAS[self.slider.value()]
        one, other = (best_posterior(target, beta, PRECISION) for target in TARGETS)
        shared = overlap(one, other)
        loss = reconstruction_loss(one, TARGETS[0], PRECISION)
        self.plot.show_posteriors(one, other)
        self.beta.setText(f"β = {beta:.2g}" if beta < 10 else f"β = {beta:.0f}")
        self.numbers.setText(
            f"standard deviation {one.deviation:.2f} · overlap {100 * shared:.0f} % · KL {divergence(one):.2f} nats · "
            f"reconstruction {loss:.2f} nats"
        )
        self.words.setText(sentence(shared))


def sentence(shared: float) -> str:
    """Return what an overlap, from 0 to 1, means for the decoder."""
    wrong = 100 * shared / 2
    if wrong < 2:
        return (
            "The posteriors hardly overlap. A z drawn from one is almost never mistaken for one from the other, so the "
            "two images can be neighbours in latent space and look nothing alike."
        )
    if wrong < 20:
        return (
            f"The posteriors overlap: {wrong:.0f} of 100 draws of z look as if they came from the other image. "
            "Confusing the two costs little only if they look alike, so similar images become neighbours."
        )
    if wrong < 42:
        return (
            f"They overlap widely: {wrong:.0f} of 100 draws look as if they came from the other image. Neighbours must "
            "look alike, and this latent carries only coarse information: reconstructions blur."
        )
    return (
        f"Both have almost collapsed to the prior: {wrong:.0f} of 100 draws look as if they came from the other image, "
        "where 50 is pure chance. The latent no longer carries information; its KL is near 0."
    )


class PosteriorPlot(QWidget):
    """Two densities over one latent with their overlap shaded, and the prior dashed."""

    def __init__(self) -> None:
        super().__init__()
        self._posteriors: tuple[Posterior, Posterior] | None = None
        self.setMinimumHeight(px(190))
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAccessibleName("Two posteriors and the prior over one latent")

    def show_posteriors(self, one: Posterior, other: Posterior) -> None:
        """Draw these two posteriors."""
        self._posteriors = one, other
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the curves, scaled so that the highest peak reaches the top."""
        if self._posteriors is None:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        colours = tokens()
        box = QRectF(self.rect()).adjusted(6, px(24), -6, -px(24))
        values = [SPAN * (2 * n / 240 - 1) for n in range(241)]
        one, other = self._posteriors
        curves = [[_density(p, z) for z in values] for p in (one, other)]
        prior = [_density(Posterior(0, 1), z) for z in values]
        highest = max(*curves[0], *curves[1], *prior)
        lowest = [min(pair) for pair in zip(*curves, strict=True)]
        shade = QColor(colours.accent)
        shade.setAlpha(90)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(shade)
        painter.drawPolygon(_line([0, *lowest, 0], [values[0], *values, values[-1]], highest, box))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(QColor(colours.muted), 1, Qt.PenStyle.DashLine))
        painter.drawPolyline(_line(prior, values, highest, box))
        for number, (posterior, curve) in enumerate(zip((one, other), curves, strict=True)):
            colour = QColor(colours.runs[number])
            painter.setPen(QPen(colour, 2))
            painter.drawPolyline(_line(curve, values, highest, box))
            x, top = _x(posterior.mean, box), box.bottom() - max(curve) / highest * box.height()
            beside = -34 if number == 0 else -4
            name = ("x₁", "x₂")[number]
            painter.drawText(QRectF(x + beside, top - px(22), 38, px(18)), Qt.AlignmentFlag.AlignCenter, name)
        z = other.mean + DRAWN * other.deviation
        dot = QPointF(_x(z, box), box.bottom() - _density(other, z) / highest * box.height())
        painter.setBrush(QColor(colours.runs[1]))
        painter.drawEllipse(dot, 4, 4)
        painter.drawText(QPointF(dot.x() - 18, dot.y() - 4), "x̃")
        self._paint_axis(painter, box)

    def _paint_axis(self, painter: QPainter, box: QRectF) -> None:
        colours = tokens()
        painter.setPen(QColor(colours.border))
        painter.drawLine(box.bottomLeft(), box.bottomRight())
        painter.setPen(QColor(colours.muted))
        font = self.font()
        font.setPixelSize(px(11))
        painter.setFont(font)
        for z in (-2, -1, 0, 1, 2):
            x = _x(z, box)
            text = "z = 0" if z == 0 else f"{z:+d}".replace("-", "−")
            painter.drawText(QRectF(x - px(25), box.bottom() + 4, px(50), px(16)), Qt.AlignmentFlag.AlignCenter, text)


def _x(z: float, box: QRectF) -> float:
    return box.center().x() + z * box.width() / (2 * SPAN)


def _density(posterior: Posterior, z: float) -> float:
    distance = (z - posterior.mean) / posterior.deviation
    return exp(-(distance**2) / 2) / (posterior.deviation * sqrt(2 * pi))


def _line(heights: list[float], values: list[float], highest: float, box: QRectF) -> QPolygonF:
    """Return a curve in the coordinates of the plot's box."""
    return QPolygonF(
        [
            QPointF(_x(z, box), box.bottom() - height / highest * box.height())
            for z, height in zip(values, heights, strict=True)
        ]
    )
