"""One line of text below the curves that assesses the first selected run."""

import numpy as np
from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from engine.runs.health import CurveData, health
from gui.runs.store import RunItem
from gui.widgets.plain import tip
from gui.widgets.theme import px, tokens


class HealthLine(QWidget):
    """Sentences in one line, elided to its width; the tooltip has the full text."""

    def __init__(self) -> None:
        super().__init__()
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.text = ""

    def sizeHint(self) -> QSize:
        """Return the height of a line."""
        return QSize(100, px(18))

    def show_run(self, item: RunItem | None, *, named: bool) -> None:
        """Show the assessment of a run; `named` adds its name, if others are shown too."""
        text = ""
        if item is not None and len(item.metrics):
            failed = [item.state.message] if item.state.state == "failed" and item.state.message else []
            damaged = [item.metrics.problem] if item.metrics.problem else []
            text = " ".join([*damaged, *failed, *health(_curves(item))])
            if text and named:
                text = f"{item.name}: {text}"
        if text != self.text:
            self.text = text
            self.setToolTip(tip(text) if text else "")
            self.setAccessibleName(text)
            self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the line."""
        painter = QPainter(self)
        font = self.font()
        font.setPixelSize(px(12))
        painter.setFont(font)
        painter.setPen(QColor(tokens().muted))
        words = painter.fontMetrics().elidedText(self.text, Qt.TextElideMode.ElideRight, self.width() - 4)
        painter.drawText(self.rect().adjusted(2, 0, 0, 0), Qt.AlignmentFlag.AlignVCenter, words)


def _curves(item: RunItem) -> CurveData:
    column, config = item.metrics.column, item.run.config
    newest = [item.last(f"kl_{latent}") for latent in range(item.metrics.latents)]
    return CurveData(
        step=column("step"),
        epoch=column("epoch"),
        loss=column("loss"),
        reconstruction=column("reconstruction"),
        kl=_number(item.last("kl")),
        capacity=_number(item.last("capacity")),
        kl_per_latent=np.array([_number(value) for value in newest]),
        steps=int(item.last("step") or 0) % config.log_steps or config.log_steps,
    )


def _number(value: float | None) -> float:
    return float("nan") if value is None else value
