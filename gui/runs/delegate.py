"""Paints a run in the list."""

from typing import Protocol

from PySide6.QtCore import QAbstractItemModel, QEvent, QPoint, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFontMetrics, QMouseEvent, QPainter, QPen
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from engine.evaluation.rows import dataset_title
from engine.methods.base import Supervision
from engine.runs.run import short_method_title
from engine.settings.run_config import DATASET_TITLES
from gui.runs.groups import Group
from gui.runs.model import Index, RunFilter
from gui.runs.store import RunItem, state_text
from gui.widgets.theme import faint, px, tokens
from gui.widgets.words import duration

HEIGHT = 70
HEADING = 26
UNSELECTED = 0.5
"""Share of its colour in the dot of a run that is not selected: its colour may be that of one that is."""

LEFT, RIGHT = Qt.AlignmentFlag.AlignLeft, Qt.AlignmentFlag.AlignRight
TEXT_LEFT = 23


class RunDelegate(QStyledItemDelegate):
    """Paints a run: colour, name, data set, method, supervision and seed, state, tags, reconstruction, KL, progress.

    Where there is no room for it, "unsupervised" is left out; other supervision costs the seed, and is then shortened.

    The first run of a group is below its heading, which is all that is painted of a folded group.

    Emits `dot_clicked(index)` after a click on the colour.
    """

    dot_clicked = Signal(object)

    def __init__(self, parent: QWidget, shown: RunFilter) -> None:
        super().__init__(parent)
        self._shown = shown

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        """Return the height of three lines and of a heading, or of the heading of a folded group."""
        group = self._shown.heading(index)
        heading = px(HEADING) if group is not None else 0
        return QSize(120, heading + (0 if group is not None and group.folded else px(HEIGHT)))

    def setEditorData(self, editor: QWidget, index: Index) -> None:
        """Fill the editor only once, since a run in training changes while its name is being edited."""
        if not editor.property("filled"):
            editor.setProperty("filled", True)
            super().setEditorData(editor, index)

    def updateEditorGeometry(self, editor: QWidget, option: QStyleOptionViewItem, index: Index) -> None:
        """Place the editor over the name."""
        box = self._run_box(option.rect, index)
        editor.setGeometry(box.left() + TEXT_LEFT - 1, box.top() + 2, box.width() - TEXT_LEFT - 3, px(28))

    def editorEvent(self, event: QEvent, model: QAbstractItemModel, option: QStyleOptionViewItem, index: Index) -> bool:
        """Emit a click on the dot."""
        if isinstance(event, QMouseEvent) and event.type() == QEvent.Type.MouseButtonPress:
            at = event.position()
            box = self._run_box(option.rect, index)
            on_dot = at.x() < box.left() + TEXT_LEFT and box.top() <= at.y() < box.top() + px(30)
            if on_dot and event.button() == Qt.MouseButton.LeftButton:
                self.dot_clicked.emit(index)
                return True
        return bool(super().editorEvent(event, model, option, index))

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """Draw one run."""
        item: RunItem = index.data(Qt.ItemDataRole.UserRole)
        group = self._shown.heading(index)
        colours, box, state = tokens(), self._run_box(option.rect, index), option.state
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if group is not None:
            selected = group.folded and bool(state & QStyle.StateFlag.State_Selected)
            self._paint_heading(painter, group, option.rect, selected=selected)
            if group.folded:
                painter.restore()
                return
        if state & QStyle.StateFlag.State_Selected:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(colours.accent_soft))
            painter.drawRoundedRect(QRectF(box).adjusted(0, 1, 0, -1), 6, 6)
        if state & QStyle.StateFlag.State_HasFocus:
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(QColor(colours.accent), 1))
            painter.drawRoundedRect(QRectF(box).adjusted(0.5, 1.5, -0.5, -1.5), 6, 6)
        if item.hidden:
            painter.setOpacity(0.5)
        colour = QColor(run_colour(item))
        if not state & QStyle.StateFlag.State_Selected:
            colour = QColor(faint(run_colour(item), UNSELECTED))
        painter.setPen(QPen(colour, 2))
        painter.setBrush(colour if item.state.state == "finished" or item.state.active else Qt.BrushStyle.NoBrush)
        painter.drawEllipse(QPoint(box.left() + 11, box.top() + px(16)), 4, 4)
        self._paint_text(painter, item, box)
        if item.state.step and item.state.total and item.state.state != "finished":
            self._paint_progress(painter, item, box, colour)
        painter.restore()

    def _run_box(self, box: QRect, index: Index) -> QRect:
        """The part of a row that shows the run: what is below the heading of its group."""
        return box.adjusted(0, px(HEADING), 0, 0) if self._shown.heading(index) is not None else box

    def _paint_heading(self, painter: QPainter, group: Group, box: QRect, *, selected: bool) -> None:
        colours = tokens()
        line = QRect(box.left() + 4, box.top() + 2, box.width() - 12, px(HEADING) - 4)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(colours.accent_soft if selected else colours.faint))
        painter.drawRoundedRect(QRectF(line).adjusted(-4, 0, 8, 0), 5, 5)
        font = painter.font()
        font.setPixelSize(px(11))
        font.setBold(True)
        painter.setFont(font)
        number = str(len(group.members))
        left, right = (side | Qt.AlignmentFlag.AlignVCenter for side in (LEFT, RIGHT))
        painter.setPen(QColor(colours.muted))
        painter.drawText(line, right, number)
        painter.drawText(line, left, "▸" if group.folded else "▾")
        metrics, indent = QFontMetrics(font), px(14)
        room = line.width() - indent - metrics.horizontalAdvance(number) - 8
        painter.setPen(QColor(colours.text))
        words = metrics.elidedText(group.title, Qt.TextElideMode.ElideRight, room)
        painter.drawText(line.adjusted(indent, 0, 0, 0), left, words)
        font.setBold(False)
        painter.setFont(font)

    def _paint_text(self, painter: QPainter, item: RunItem, box: QRect) -> None:
        colours, config = tokens(), item.run.config
        reconstruction, kl = item.last("reconstruction"), item.last("kl")
        left, width = box.left() + TEXT_LEFT, box.width() - TEXT_LEFT - 8
        state_colour = {"failed": colours.error, "interrupted": colours.warning}.get(item.state.state, colours.muted)
        kind = f"{dataset_title(config) if item.untrainable else DATASET_TITLES[config.dataset]}"
        kind += f" · {short_method_title(config)}"
        label, seed = config.supervision, f"seed {config.seed}"
        kinds = [f"{kind} · {label} · {seed}"]
        if item.untrainable:
            kinds = [kind]
        elif label is Supervision.NONE:
            kinds.append(f"{kind} · {seed}")
        else:
            kinds += [f"{kind} · {words}" for words in (f"{label.short} · {seed}", label, label.short)]
        values = " · ".join(
            words.format(value)
            for words, value in (("{:,.1f}", reconstruction), ("KL {:,.1f}", kl))
            if value is not None and value == value  # some methods have neither
        )
        lines = [
            (5, 20, 13, colours.text, [item.name], ""),
            (25, 16, 11, colours.muted, kinds, ""),
            (41, 16, 11, state_colour, _state_lines(item), values),
        ]
        font = painter.font()
        for top, height, size, colour, texts, value in lines:
            line = QRect(left, box.top() + px(top), width, px(height))
            font.setPixelSize(px(size))
            painter.setFont(font)
            metrics = QFontMetrics(font)
            painter.setPen(QColor(colours.muted))
            painter.drawText(line, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, value)
            painter.setPen(QColor(colour))
            room = line.width() - (metrics.horizontalAdvance(value) + 8 if value else 0)
            text = next((text for text in texts if metrics.horizontalAdvance(text) <= room), texts[-1])
            mode = Qt.TextElideMode.ElideMiddle if text == item.name else Qt.TextElideMode.ElideRight
            painter.drawText(
                line,
                Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter,
                metrics.elidedText(text, mode, room),
            )

    def _paint_progress(self, painter: QPainter, item: RunItem, box: QRect, colour: QColor) -> None:
        track = QRectF(box.left() + TEXT_LEFT, box.bottom() - 8, box.width() - TEXT_LEFT - 8, 3)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(tokens().faint))
        painter.drawRoundedRect(track, 1.5, 1.5)
        painter.setBrush(colour)
        track.setWidth(track.width() * min(1.0, item.state.step / item.state.total))
        painter.drawRoundedRect(track, 1.5, 1.5)


class Coloured(Protocol):
    """What has the number of a colour: a run, or several as one."""

    @property
    def colour(self) -> int:
        """The number."""


def run_colour(item: Coloured) -> str:
    """Return the colour that a run has everywhere in the window."""
    palette = tokens().all_runs
    return palette[item.colour % len(palette)]


def _state_lines(item: RunItem) -> list[str]:
    """Return a run's state with and without the training time, which is dropped first when space is short."""
    words = state_text(item)
    if item.state.state not in ("new", "finished") and item.state.total and item.place is None:
        words += f" {100 * item.state.step / item.state.total:.0f} %"
    time = f" · {duration(item.seconds)}" if item.seconds and item.place is None else ""
    tags = "".join(f"  #{tag}" for tag in item.tags)
    return [words + time + tags, words + tags]
