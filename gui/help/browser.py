"""Shows one help topic in the window's colours, in lines of readable length."""

from typing import Any

from PySide6.QtCore import QEvent, QTimer, QUrl, Slot
from PySide6.QtGui import QColor, QResizeEvent, QTextCharFormat, QTextCursor
from PySide6.QtWidgets import QTextBrowser, QTextEdit, QWidget

from gui.help.formulas import formula
from gui.help.gallery_pictures import gallery_picture
from gui.help.illustrations import FIGURES
from gui.help.topics import Topic
from gui.widgets.theme import Tokens, tokens

LINE = 52
"""Width of a line in ems: 80 to 90 characters."""

MARGIN = 8


class HelpBrowser(QTextBrowser):
    """A page of the help. It emits clicked links as `anchorClicked`; its owner follows them."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("help")
        self.setOpenLinks(False)
        self.setFrameShape(QTextBrowser.Shape.NoFrame)
        self.setAccessibleName("Help text")
        self._topic: Topic | None = None
        self._marks: list[tuple[int, int]] = []
        self._current = -1
        self._read = 0.0
        self._late = QTimer(self)
        self._late.setSingleShot(True)
        self._late.timeout.connect(self._render_again)

    @property
    def topic(self) -> Topic | None:
        """The current topic."""
        return self._topic

    @property
    def em(self) -> int:
        """Size of an em in pixels."""
        return self.fontInfo().pixelSize() + 1

    def show_topic(self, topic: Topic, anchor: str = "") -> None:
        """Show a topic from its beginning, or from a section."""
        if topic is not self._topic or self._late.isActive():
            self._late.stop()
            self._topic = topic
            self._marks, self._current = [], -1
            self._render()
        if anchor:
            self.scrollToAnchor(anchor)
            bar = self.verticalScrollBar()
            bar.setValue(bar.value() - self.em)  # leave some space above the heading
        else:
            self.verticalScrollBar().setValue(0)

    def mark(self, spans: list[tuple[int, int]], current: int) -> None:
        """Highlight these spans of the text and scroll to the one numbered `current`; -1 scrolls to none."""
        self._marks, self._current = spans, current
        self._paint_marks()
        if current >= 0:
            cursor = QTextCursor(self.document())
            cursor.setPosition(spans[current][0])
            place = self.cursorRect(cursor)
            if not self.viewport().rect().adjusted(0, 20, 0, -20).contains(place):
                bar = self.verticalScrollBar()
                bar.setValue(bar.value() + place.top() - self.viewport().height() // 3)

    def loadResource(self, type: int, name: QUrl | str) -> Any:
        """Draw a formula, an illustration or a model of the gallery; no other file is ever loaded."""
        kind, _, what = (name if isinstance(name, str) else name.toString()).partition(":")
        colours, ratio = tokens(), self.devicePixelRatioF()
        if kind == "formula":
            return formula(what, colours.text, self.em + 2, ratio)
        if kind == "figure":
            return FIGURES[what](colours, self.font(), ratio)
        if kind == "gallery":
            return gallery_picture(what, colours, self.font(), ratio)
        return None

    def changeEvent(self, event: QEvent) -> None:
        """Apply a new theme or font, and keep the reading position."""
        super().changeEvent(event)
        if event.type() in (QEvent.Type.StyleChange, QEvent.Type.PaletteChange, QEvent.Type.FontChange):
            self._render_later()

    def event(self, event: QEvent) -> bool:
        """Redraw formulas for a screen with another scale factor."""
        if event.type() == QEvent.Type.DevicePixelRatioChange:
            self._render_later()
        return super().event(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Keep lines short in a wide window."""
        self._keep_lines_short()
        super().resizeEvent(event)

    def _keep_lines_short(self) -> None:
        spare = self.width() - self.verticalScrollBar().sizeHint().width() - LINE * self.em - 32
        side = max(MARGIN, spare // 2)
        self.setViewportMargins(min(side, 2 * MARGIN), 0, max(MARGIN, spare - 2 * MARGIN) if spare > 0 else MARGIN, 0)

    def _render_later(self) -> None:
        """Render again once all changes of a theme have arrived, each of which may briefly change the height."""
        if self._topic is not None and not self._late.isActive():
            self._read = self.verticalScrollBar().value() / max(1.0, self.document().size().height())
            self._late.start()

    @Slot()
    def _render_again(self) -> None:
        self._keep_lines_short()
        self._render()
        self.verticalScrollBar().setValue(round(self._read * self.document().size().height()))

    def _render(self) -> None:
        assert self._topic is not None
        document = self.document()
        document.clear()  # also drops images drawn in the old colours
        document.setDefaultStyleSheet(style_sheet(tokens(), self.em))
        document.setDocumentMargin(16)
        document.setHtml(self._topic.html)
        self.setTextCursor(QTextCursor(document))
        self._paint_marks()

    def _paint_marks(self) -> None:
        colours = tokens()
        selections = []
        for number, (start, end) in enumerate(self._marks):
            here = number == self._current
            selection = QTextEdit.ExtraSelection()
            look = QTextCharFormat()
            look.setBackground(QColor(colours.accent if here else colours.accent_soft))
            look.setForeground(QColor(colours.on_accent if here else colours.text))
            selection.format = look
            selection.cursor = QTextCursor(self.document())
            selection.cursor.setPosition(start)
            selection.cursor.setPosition(end, QTextCursor.MoveMode.KeepAnchor)
            selections.append(selection)
        self.setExtraSelections(selections)


def style_sheet(t: Tokens, em: int) -> str:
    """Return the style sheet of the help texts, for Qt's rich text."""
    return f"""
    body {{ color: {t.text}; font-size: {em}px; }}
    p, li {{ line-height: 140%; font-size: {em}px; }}
    p {{ margin-top: 0; margin-bottom: {em * 2 // 3}px; }}
    p.picture {{ line-height: 100%; margin-top: {em // 3}px; margin-bottom: {em}px; }}
    li {{ margin-bottom: {em // 3}px; }}
    h1 {{ font-size: {round(em * 1.65)}px; font-weight: 600; margin-top: {em}px; margin-bottom: {em}px; }}
    h2 {{ font-size: {round(em * 1.2)}px; font-weight: 600; margin-top: {round(em * 1.6)}px;
        margin-bottom: {em // 2}px; }}
    h3 {{ font-size: {em}px; font-weight: 600; color: {t.muted}; margin-top: {em * 2}px; margin-bottom: 0; }}
    a {{ color: {t.accent}; text-decoration: none; }}
    code, pre {{ font-family: monospace; font-size: {em - 1}px; background-color: {t.field}; }}
    pre {{ margin-bottom: {em}px; }}
    .muted, .note {{ color: {t.muted}; }}
    th {{ color: {t.muted}; text-align: left; font-weight: 600; }}
    td, th {{ padding: 5px 14px 5px 0; border-bottom: 1px solid {t.faint}; font-size: {em}px; }}
    table {{ margin-bottom: {em}px; border-collapse: collapse; }}
    """
