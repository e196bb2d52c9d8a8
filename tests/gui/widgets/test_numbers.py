"""Numbers typed and pasted in the window, under locales that write them differently."""

from pathlib import Path

import pytest
from PySide6.QtCore import QEvent, QLocale, Qt
from PySide6.QtGui import QGuiApplication, QKeyEvent
from PySide6.QtWidgets import QAbstractSpinBox, QApplication

from engine.methods.latents import Latent
from gui.app import use_one_locale
from gui.training.editors import WeightField
from gui.training.form import ConfigForm
from gui.traversal.grid_card import GridCard
from gui.traversal.latent_row import LatentRow
from gui.traversal.picture_dialog import PictureDialog
from gui.widgets.number_box import NumberBox, WholeNumberBox
from gui.widgets.number_question import NumberQuestion

GUI = Path(__file__).resolve().parents[3] / "gui"


@pytest.fixture(params=["de_DE", "fr_FR", "tr_TR", "ar_EG", "fa_IR", "en_US"], autouse=True)
def language(request):
    """The desktop's language, as Qt knows it."""
    before = QLocale()
    QLocale.setDefault(QLocale(request.param))
    yield
    QLocale.setDefault(before)


def typed(qtbot, box, text):
    """Replace the text by typing, and press Return."""
    box.setFocus()
    box.selectAll()
    for character in text:
        if character.isascii():
            qtbot.keyClicks(box, character)
        else:  # QTest knows no keys for them
            press = QKeyEvent(QEvent.Type.KeyPress, 0, Qt.KeyboardModifier.NoModifier, character)
            QApplication.sendEvent(box, press)
    qtbot.keyClick(box, Qt.Key.Key_Return)
    return box


def pasted(qtbot, box, text):
    QGuiApplication.clipboard().setText(text)
    box.setFocus()
    box.selectAll()
    qtbot.keyClick(box, Qt.Key.Key_V, Qt.KeyboardModifier.ControlModifier)
    qtbot.keyClick(box, Qt.Key.Key_Return)
    return box


@pytest.mark.parametrize("enter", [typed, pasted])
@pytest.mark.parametrize(
    ("text", "value", "shown"),
    [
        ("0.8", 0.8, "+0.80"),
        ("0,8", 0.8, "+0.80"),
        ("-1.5", -1.5, "-1.50"),
        ("-1,5", -1.5, "-1.50"),
        ("1.25", 1.25, "+1.25"),
        ("1,250", 1.25, "+1.25"),
        ("1.237", 1.24, "+1.24"),
        ("٠٫٨", 0.8, "+0.80"),
        ("-۱٫۵", -1.5, "-1.50"),
        (".5", 0.5, "+0.50"),
        ("-3", -3, "-3.00"),
    ],
)
def test_the_value_of_a_latent(qtbot, enter, text, value, shown):
    row = LatentRow(0, Latent.gaussian())
    qtbot.addWidget(row)
    row.show()
    enter(qtbot, row.value, text)
    assert row.number == value
    assert row.value.text() == shown


def test_invalid_numbers_are_refused_and_the_value_stays(qtbot):
    row = LatentRow(0, Latent.gaussian())
    qtbot.addWidget(row)
    row.show()
    typed(qtbot, row.value, "0.8")
    for text in ("x", "-", "25", "1.000,5"):
        pasted(qtbot, row.value, text)
        assert (row.number, row.value.text()) == (0.8, "+0.80")


@pytest.mark.parametrize("enter", [typed, pasted])
def test_the_range_of_a_traversal(qtbot, settings, enter):
    card = GridCard(settings)
    qtbot.addWidget(card)
    card.show()
    assert [box.text() for box in (card.low, card.high, card.steps)] == ["-3.0", "3.0", "9"]
    for low, high in (("-1.5", "2.25"), ("-1,5", "2,25"), ("-١٫٥", "۲٫۲۵"), ("−1.5", "2.250")):
        enter(qtbot, card.low, low)
        enter(qtbot, card.high, high)
        enter(qtbot, card.steps, "۷")
        assert (card.range.low, card.range.high, card.range.steps) == (-1.5, 2.25, 7)
        assert [box.text() for box in (card.low, card.high, card.steps)] == ["-1.5", "2.25", "7"]
    enter(qtbot, card.latents.min_kl, "0,1")
    assert card.latents.min_kl.value() == 0.1


def test_the_special_text_for_the_minimum_stays(qtbot, settings):
    card = GridCard(settings)
    qtbot.addWidget(card)
    card.show()
    box = card.latents.min_kl
    assert box.text() == "any"
    qtbot.keyClick(box, Qt.Key.Key_Up)
    assert (box.text(), box.value()) == ("0.10", 0.1)
    qtbot.keyClick(box, Qt.Key.Key_Down)
    assert (box.text(), box.value()) == ("any", 0.0)


def test_a_number_with_its_unit(qtbot, settings):
    dialog = PictureDialog(None, settings)
    qtbot.addWidget(dialog)
    dialog.show()
    typed(qtbot, dialog.width_box, "8,5")
    assert (dialog.width_cm, dialog.width_box.text()) == (8.5, "8.5 cm")
    typed(qtbot, dialog.dpi_box, "1,200")
    assert (dialog.dpi, dialog.dpi_box.text()) == (1200, "1200")


def test_a_whole_number(qtbot):
    box = WholeNumberBox()
    qtbot.addWidget(box)
    box.setRange(0, 10_000_000)
    box.show()
    for enter, refused in ((typed, 1), (pasted, 12345)):
        for text, value in (("737279", 737279), ("737,279", 737279), ("٤٢", 42), ("12,345", 12345)):
            enter(qtbot, box, text)
            assert (box.value(), box.text()) == (value, str(value))
        enter(qtbot, box, "1,5")  # not 15: text typed before the comma stays, pasted text is refused
        assert (box.value(), box.text()) == (refused, str(refused))


def test_a_number_asked_for_in_a_dialog(qtbot):
    question = NumberQuestion(None, "Train longer", "Steps to add", 20, 1, 100_000)
    qtbot.addWidget(question)
    question.show()
    typed(qtbot, question.box, "1,000")
    assert question.number == 1000


@pytest.mark.parametrize("enter", [typed, pasted])
def test_the_form(qtbot, enter):
    form = ConfigForm()
    qtbot.addWidget(form)
    form.show()
    form.set_values(objective="beta-vae")
    for name, text, value, shown in (
        ("beta", "0,8", 0.8, "0.8"),
        ("beta", "4.1234567", 4.1234567, "4.1234567"),
        ("learning_rate", "0,0005", 0.0005, "0.0005"),
        ("steps", "12,500", 12500, "12500"),
        ("seed", "۷", 7, "7"),
    ):
        line = form.findChild(object, f"field-{name}")
        line = line.end if isinstance(line, WeightField) else line
        enter(qtbot, line, text)
        assert form.config().value(name) == value
        assert line.text() == shown


def test_the_window_has_no_other_number_fields(window):
    """All number fields in the window follow this rule."""
    window.pages.build_all()
    boxes = window.findChildren(QAbstractSpinBox)
    assert boxes
    assert all(isinstance(box, NumberBox | WholeNumberBox) for box in boxes)
    for file in GUI.rglob("*.py"):
        text = file.read_text(encoding="utf-8")
        assert "SpinBox(" not in text.replace("(QDoubleSpinBox)", "").replace("(QSpinBox)", ""), file
        assert not any(word in text for word in ("QDoubleValidator", "QIntValidator", "getInt", "getDouble")), file


def test_the_application_has_one_locale_in_every_language():
    """QProgressBar, and libraries that parse numbers with the C library, use the locale."""
    import locale

    before = locale.setlocale(locale.LC_NUMERIC)
    try:
        use_one_locale()
        assert QLocale().toString(1234.5, "f", 1) == "1,234.5"
        assert locale.localeconv()["decimal_point"] == "."
    finally:
        locale.setlocale(locale.LC_NUMERIC, before)
