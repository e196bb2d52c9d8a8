"""The banner lies over the page: it moves nothing, and a note does not vanish from under the pointer."""

from PySide6.QtCore import QEvent, QPointF
from PySide6.QtGui import QEnterEvent
from PySide6.QtWidgets import QApplication, QWidget

from gui.widgets.banner import Banner, UnderBanner


def shown(qtbot, width=900):
    page, banner = QWidget(), Banner()
    over = UnderBanner(page, banner)
    qtbot.addWidget(over)
    over.resize(width, 500)
    over.show()
    return over, page, banner


def test_it_moves_nothing_and_lies_in_the_lower_right_corner(qtbot):
    over, page, banner = shown(qtbot)
    before = page.geometry()
    banner.say("A sentence.")
    assert page.geometry() == before == over.rect()
    assert over.rect().contains(banner.geometry())
    assert (over.width() - banner.geometry().right(), over.height() - banner.geometry().bottom()) == (13, 13)
    banner.dismiss.click()
    assert page.geometry() == before


def test_a_long_text_makes_it_higher_and_it_follows_the_corner(qtbot):
    over, _, banner = shown(qtbot)
    banner.say("A sentence.")
    low = banner.height()
    banner.say("A long sentence about what happened. " * 10)
    QApplication.processEvents()
    assert banner.height() > low
    over.resize(400, 500)
    assert over.rect().contains(banner.geometry())
    assert banner.height() >= banner.heightForWidth(banner.width())


def test_a_note_does_not_vanish_from_under_the_pointer(qtbot):
    _over, _, banner = shown(qtbot)
    banner.note("Saved.")
    banner._timer.setInterval(50)
    point = QPointF(5, 5)
    QApplication.sendEvent(banner, QEnterEvent(point, point, point))
    qtbot.wait(150)
    assert banner.isVisible()
    QApplication.sendEvent(banner, QEvent(QEvent.Type.Leave))
    qtbot.waitUntil(banner.isHidden)


def test_whatever_is_said_no_other_button_comes_to_where_dismiss_was(qtbot):
    banner = Banner()
    qtbot.addWidget(banner)
    banner.resize(600, 60)
    banner.say("One")
    banner.layout().activate()
    before = banner.dismiss.geometry()
    banner.offer("Two", "Resume training", lambda: None, lambda: None)
    banner.layout().activate()
    assert banner.dismiss.geometry() == before
    assert not banner.action.geometry().intersects(before)
