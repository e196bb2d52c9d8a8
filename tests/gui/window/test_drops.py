"""What is dragged over the window: it says what a drop would do, until the drag leaves or ends."""

from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDragLeaveEvent, QDropEvent, QImage
from PySide6.QtWidgets import QApplication

COPY, LEFT, NONE = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier


def dragged(*paths):
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    return data


def enter(widget, data):
    event = QDragEnterEvent(QPoint(50, 50), COPY, data, LEFT, NONE)
    event.ignore()
    QApplication.sendEvent(widget, event)
    return event.isAccepted()


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["images/"], "Drop the folder to use its images as data"),
        (["images.npz"], "Drop the file to use its images as data"),
        (["method.py"], "Drop the plug-in to review it"),
        (["method.py", "metric.py"], "Drop the plug-ins to review them"),
        (["one.npz", "two.npz"], ""),
        (["notes.txt"], ""),
    ],
)
def test_the_window_says_what_a_drop_would_do(window, tmp_path, names, words):
    for name in names:
        path = tmp_path / name
        path.mkdir() if name.endswith("/") else path.touch()
    data = dragged(*(tmp_path / name for name in names))
    assert enter(window, data) == bool(words)
    assert window.hint.isVisible() == bool(words)
    assert window.hint.text() == words
    QApplication.sendEvent(window, QDragLeaveEvent())
    assert window.hint.isHidden()


def test_the_hint_disappears_with_the_drop(window, tmp_path):
    data = dragged(tmp_path)
    enter(window, data)
    window.dropEvent(QDropEvent(QPointF(50, 50), COPY, data, LEFT, NONE))
    assert window.hint.isHidden()


def test_the_traversal_page_takes_pictures_and_leaves_folders_to_the_window(window, tmp_path):
    window._show_page(1)
    page = window.traversal_page
    picture = Path(tmp_path / "digit.png")
    QImage(8, 8, QImage.Format.Format_Grayscale8).save(str(picture))
    assert enter(page, dragged(picture))
    assert page.hint.isVisible()
    QApplication.sendEvent(page, QDragLeaveEvent())
    assert page.hint.isHidden()
    assert not page.incoming.welcomes(dragged(tmp_path))
    assert enter(page, dragged(tmp_path)) == window.hint.isVisible()
    assert page.hint.isHidden()
