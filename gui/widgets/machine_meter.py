"""Processor, memory, GPU and disk with a minute's history, for the status bar."""

from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, QTimer, Slot
from PySide6.QtGui import QColor, QFont, QFontMetrics, QHideEvent, QPainter, QPaintEvent, QPen, QPolygonF, QShowEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from engine.system.machine import Sample, Sampler
from gui.bridge import LatestWorker
from gui.widgets.plain import tip
from gui.widgets.theme import px, tokens
from gui.widgets.words import room

INTERVAL_MS, KEPT = 1000, 60
"""Time between two samples, and number of samples shown: a minute."""

CURVE, GAP = 34, 12
"""Width of a history and distance between two of them, in pixels at 100 %."""

HIGH = 0.9
"""Share from which a value is drawn as a warning."""


class MachineMeter(QWidget):
    """Samples the machine once a second in a thread, and not at all while it is hidden.

    The owner calls `close_worker` at the end.
    """

    def __init__(self, folder: Path, sampler: Callable[[], Sample] | None = None) -> None:
        super().__init__()
        self._folder, self._sampler = folder, sampler
        self.history: deque[Sample] = deque(maxlen=KEPT)
        self._timer = QTimer(self)
        self._timer.setInterval(INTERVAL_MS)
        self._timer.timeout.connect(self._ask)
        self._worker = LatestWorker(self)
        self._worker.answered.connect(self._answered)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Expanding)
        self.setAccessibleName("The machine")

    def showEvent(self, event: QShowEvent) -> None:
        """Begin sampling; what was known is old."""
        super().showEvent(event)
        self.history.clear()
        self._ask()
        self._timer.start()

    def hideEvent(self, event: QHideEvent) -> None:
        """Stop sampling."""
        super().hideEvent(event)
        self._timer.stop()

    def close_worker(self) -> None:
        """End the thread."""
        self._timer.stop()
        self._worker.close()

    @Slot()
    def _ask(self) -> None:
        if not self.window().isMinimized():
            self._worker.ask(None, self._sample)

    def _sample(self) -> Sample:
        if self._sampler is None:
            self._sampler = Sampler(self._folder)
        return self._sampler()

    @Slot(object, object)
    def _answered(self, key: object, sample: Sample) -> None:
        before = len(self._meters())
        self.history.append(sample)
        self.setToolTip(self._tip())
        self.setAccessibleDescription(", ".join(f"{title} {words}" for title, words, _ in self._meters()))
        if len(self._meters()) != before:
            self.updateGeometry()
        self.update()

    def _meters(self) -> list[tuple[str, str, Sequence[float]]]:
        """Return title, value and history of each quantity."""
        if not self.history:
            return []
        now = self.history[-1]
        found: list[tuple[str, str, Sequence[float]]] = [
            ("CPU", f"{100 * now.processor:.0f} %", [s.processor for s in self.history]),
            ("Memory", room(now.memory), [s.memory / max(1, s.memory_total) for s in self.history]),
        ]
        if now.gpu is not None:
            found.append(("GPU", f"{100 * now.gpu:.0f} %", [s.gpu or 0.0 for s in self.history]))
        free = now.disk_total - now.disk
        found.append(("Disk", f"{room(free)} free", [s.disk / max(1, s.disk_total) for s in self.history]))
        return found

    def _tip(self) -> str:
        now = self.history[-1]
        busy = [100 * s.processor for s in self.history]
        lines = [
            f"Processor: {busy[-1]:.0f} % of all cores; in the last minute {sum(busy) / len(busy):.0f} % on average, "
            f"{max(busy):.0f} % at most",
            f"Memory: {room(now.memory)} of {room(now.memory_total)} in use",
        ]
        if now.gpu is not None:
            memory = f"{room(now.gpu_memory)} of {room(now.gpu_memory_total)} of its memory in use"
            lines.append(f"GPU, the busiest: {100 * now.gpu:.0f} %; {memory}")
        lines.append(f"Disk of the runs: {room(now.disk_total - now.disk)} free of {room(now.disk_total)}")
        return tip(*lines, title="The machine, with the last minute")

    def _font(self) -> QFont:
        font = QFont(self.font())
        font.setPixelSize(px(11))
        return font

    def _widths(self) -> list[int]:
        """Return the width of each meter: title, history, and the widest value there may be."""
        metrics = QFontMetrics(self._font())
        widest = {"CPU": "100 %", "GPU": "100 %", "Memory": "88.8 GB", "Disk": "888 GB free"}
        return [
            metrics.horizontalAdvance(title)
            + px(CURVE)
            + max(metrics.horizontalAdvance(widest[title]), metrics.horizontalAdvance(words))
            + 10
            for title, words, _ in self._meters()
        ]

    def sizeHint(self) -> QSize:
        """Return the room for all meters."""
        widths = self._widths()
        return QSize(sum(widths) + px(GAP) * max(0, len(widths) - 1), px(24))

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw title, history and value of each."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(self._font())
        metrics, left = painter.fontMetrics(), 0
        middle = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        for (title, words, values), width in zip(self._meters(), self._widths(), strict=True):
            box = QRectF(left, 0, width, self.height())
            painter.setPen(QColor(tokens().muted))
            painter.drawText(box, middle, title)
            at = left + metrics.horizontalAdvance(title) + 5
            self._paint_history(painter, QRectF(at, self.height() / 2 - px(8), px(CURVE), px(16)), values)
            painter.setPen(QColor(tokens().warning if values[-1] >= HIGH else tokens().text))
            painter.drawText(box.adjusted(at - left + px(CURVE) + 5, 0, 0, 0), middle, words)
            left += width + px(GAP)

    def _paint_history(self, painter: QPainter, box: QRectF, values: Sequence[float]) -> None:
        """Draw shares as a curve over a minute, the latest on the right."""
        colours = tokens()
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(colours.faint))
        painter.drawRect(box)
        step, first = box.width() / (KEPT - 1), KEPT - len(values)
        points = [
            QPointF(box.left() + (first + number) * step, box.bottom() - min(1.0, max(0.0, value)) * box.height())
            for number, value in enumerate(values)
        ]
        painter.setPen(QPen(QColor(colours.accent), 1))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawPolyline(QPolygonF(points))
