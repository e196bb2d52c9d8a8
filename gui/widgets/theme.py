"""Colours and style sheet of the window: light, dark and high contrast."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from PySide6.QtCore import Qt
from PySide6.QtGui import QAccessibilityHints, QColor, QFontInfo, QPalette
from PySide6.QtWidgets import QApplication

from engine.runs.colours import FURTHER, PALETTE
from engine.system.paths import RESOURCES

SCHEMES = {
    "light": Qt.ColorScheme.Light,
    "dark": Qt.ColorScheme.Dark,
    "contrast": Qt.ColorScheme.Dark,
    "system": Qt.ColorScheme.Unknown,
}

CHOSEN, ZOOM, STILL = "disentangle-scheme", "disentangle-zoom", "disentangle-still"

EFFECTS = (
    Qt.UIEffect.UI_General,
    Qt.UIEffect.UI_AnimateMenu,
    Qt.UIEffect.UI_FadeMenu,
    Qt.UIEffect.UI_AnimateCombo,
    Qt.UIEffect.UI_AnimateTooltip,
    Qt.UIEffect.UI_FadeTooltip,
)
"""What Qt animates where the desktop wants it."""

TEXT = 13
"""Default text size in pixels; a larger one set on the desktop takes precedence."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """All colours used in the window."""

    window: str
    card: str
    field: str
    border: str
    text: str
    muted: str
    faint: str
    accent: str
    on_accent: str
    accent_soft: str
    warning: str
    error: str
    runs: tuple[str, ...]
    further: tuple[str, ...]

    @property
    def all_runs(self) -> tuple[str, ...]:
        """The colours of runs, with those lent to runs that are shown beside another one of the same colour."""
        return self.runs + self.further


LIGHT = Tokens(
    window="#f2f3f5",
    card="#ffffff",
    field="#f7f8fa",
    border="#dfe2e7",
    text="#1b1e23",
    muted="#5f6671",
    faint="#e7e9ed",
    accent="#1f5fc8",
    on_accent="#ffffff",
    accent_soft="#e8effb",
    warning="#8a5a00",
    error="#b3261e",
    runs=PALETTE,
    further=FURTHER,
)
DARK = Tokens(
    window="#16181c",
    card="#202329",
    field="#191b20",
    border="#363a42",
    text="#e9ebee",
    muted="#a0a6b0",
    faint="#2c3037",
    accent="#5c9bff",
    on_accent="#0d1320",
    accent_soft="#28344a",
    warning="#f0b849",
    error="#ff8a80",
    runs=("#F08030", "#4BA3DB", "#2CC295", "#E09AC4", "#E6B93D", "#8CCDF5", "#B48BD0", "#A8A8A8"),
    further=("#C98F75", "#8FA8E0", "#A9C45B", "#F06595", "#4DD0E1", "#CE70E0", "#FFAB91", "#CFD8DC"),
)
"""Run colours after Okabe & Ito (2008), the dark ones lightened for the dark background."""


CONTRAST = Tokens(
    window="#000000",
    card="#000000",
    field="#000000",
    border="#c8c8c8",
    text="#ffffff",
    muted="#e6e6e6",
    faint="#3c3c3c",
    accent="#ffd400",
    on_accent="#000000",
    accent_soft="#4d4000",
    warning="#ffc966",
    error="#ffa8a0",
    runs=DARK.runs,
    further=DARK.further,
)
"""High contrast: text has at least 7 to 1 (WCAG 2.1, AAA), lines at least 3 to 1."""


def tokens() -> Tokens:
    """Return the colours of the current scheme; high contrast also if the desktop asks for it."""
    chosen = _chosen()
    wanted = accessibility_hints().contrastPreference()
    if chosen == "contrast" or (chosen not in ("light", "dark") and wanted == Qt.ContrastPreference.HighContrast):
        return CONTRAST
    return DARK if is_dark() else LIGHT


def faint(colour: str, share: float) -> str:
    """Return a colour blended with the card's, of which it keeps `share`: faster to draw than a transparent one."""
    front, back = QColor(colour), QColor(tokens().card)
    pairs = ((front.red(), back.red()), (front.green(), back.green()), (front.blue(), back.blue()))
    return "#{:02x}{:02x}{:02x}".format(*(round(share * f + (1 - share) * b) for f, b in pairs))


@cache
def accessibility_hints() -> QAccessibilityHints:
    """Return what the desktop tells about contrast. Kept, since Qt's binding loses track of it otherwise."""
    hints = QApplication.styleHints()
    found = hints.accessibility()
    _kept.extend((hints, found))
    return found


_kept: list[object] = []


def _chosen() -> object:
    app = QApplication.instance()
    return app.property(CHOSEN) if app is not None else None


def is_dark() -> bool:
    """Return whether the current scheme is dark, by the user's choice or the system's."""
    chosen = _chosen()
    if chosen in ("light", "dark", "contrast"):
        return bool(chosen != "light")
    return QApplication.styleHints().colorScheme() == Qt.ColorScheme.Dark


def px(size: int) -> int:
    """Scale a length in pixels from the default text size (13 pixels) to the size set on the desktop, and by the zoom.

    Unless the user zooms out, text is never smaller than the default, which most desktops use.
    """
    wanted = QFontInfo(QApplication.font()).pixelSize() if QApplication.instance() is not None else TEXT
    return round(size * zoom() * max(1.0, wanted / TEXT))


def reduced_motion() -> bool:
    """Return whether the user wants nothing to move that need not."""
    app = QApplication.instance()
    return bool(app.property(STILL)) if app is not None else False


def reduce_motion(app: QApplication, reduced: bool) -> None:
    """Set whether anything may move that need not. Qt 6.10 does not tell what the desktop prefers, beyond its effects.

    Applied by `apply`, as far as the style sheet is concerned.
    """
    app.setProperty(STILL, reduced)
    for effect in EFFECTS if reduced else ():
        app.setEffectEnabled(effect, False)


def zoom() -> float:
    """Return the zoom of the window that the user has chosen."""
    app = QApplication.instance()
    chosen = app.property(ZOOM) if app is not None else None
    return float(chosen) if chosen else 1.0


def remember_zoom(app: QApplication, factor: float) -> None:
    """Set the zoom without applying it."""
    app.setProperty(ZOOM, factor)


def choose_scheme(app: QApplication, name: str) -> None:
    """Set the scheme to "light", "dark", "contrast", or "system" to follow the system, and apply it."""
    remember_scheme(app, name)
    apply(app)


def remember_scheme(app: QApplication, name: str) -> None:
    """Set the scheme without applying it: creating a window takes half the time without a style sheet.

    The choice is stored on the application, since not every desktop lets Qt change the scheme.
    """
    app.setProperty(CHOSEN, name)
    app.styleHints().setColorScheme(SCHEMES[name])


def toggle_scheme(app: QApplication) -> str:
    """Switch between light and dark, preferring "system" if that has the wanted look; return the scheme's name."""
    dark = is_dark()
    if app.property(CHOSEN) != "system":
        choose_scheme(app, "system")
    if is_dark() == dark:
        choose_scheme(app, "light" if dark else "dark")
    return str(app.property(CHOSEN))


def apply(app: QApplication, meanwhile: Callable[[], object] | None = None) -> None:
    """Apply palette and style sheet of the current scheme to the application.

    `meanwhile` is called while widgets have no style sheet, and so no sizes but those that were set.
    """
    t = tokens()
    palette = QPalette()
    for role, colour in (
        (QPalette.ColorRole.Window, t.window),
        (QPalette.ColorRole.Base, t.card),
        (QPalette.ColorRole.AlternateBase, t.field),
        (QPalette.ColorRole.Button, t.card),
        (QPalette.ColorRole.Text, t.text),
        (QPalette.ColorRole.WindowText, t.text),
        (QPalette.ColorRole.ButtonText, t.text),
        (QPalette.ColorRole.ToolTipBase, t.card),
        (QPalette.ColorRole.ToolTipText, t.text),
        (QPalette.ColorRole.PlaceholderText, t.muted),
        (QPalette.ColorRole.Highlight, t.accent),
        (QPalette.ColorRole.HighlightedText, t.on_accent),
        (QPalette.ColorRole.Mid, t.border),
    ):
        palette.setColor(role, QColor(colour))
    for role in (QPalette.ColorRole.Text, QPalette.ColorRole.WindowText, QPalette.ColorRole.ButtonText):
        palette.setColor(QPalette.ColorGroup.Disabled, role, QColor(t.muted))
    app.setStyleSheet("")  # replacing one style sheet by another takes a window three times as long
    if meanwhile is not None:
        meanwhile()
    app.setPalette(palette)
    app.setStyleSheet(style_sheet(t))


def style_sheet(t: Tokens) -> str:
    """Return the style sheet for these colours."""
    still = "widget-animation-duration: 0;" if reduced_motion() else ""
    icons, scheme = (RESOURCES / "icons").as_posix(), "light" if t is LIGHT else "dark"
    return f"""
    QWidget {{ color: {t.text}; font-size: {px(13)}px; {still} }}
    QMainWindow, QDialog, QMessageBox {{ background: {t.window}; }}
    QToolTip {{ background: {t.card}; color: {t.text}; border: 1px solid {t.border}; padding: 5px; }}
    QScrollArea, QScrollArea > QWidget > QWidget {{ background: transparent; border: none; }}
    QScrollArea#scrolled {{ border: 1px solid transparent; border-radius: 4px; }}
    QScrollArea#scrolled:focus {{ border-color: {t.accent}; }}
    QFrame#card {{ background: {t.card}; border: 1px solid {t.border}; border-radius: 8px; }}
    QFrame#header, QFrame#footer {{ background: {t.card}; border: none; }}
    QFrame#header {{ border-bottom: 1px solid {t.border}; }}
    QFrame#footer {{ border-top: 1px solid {t.border}; }}
    QFrame#banner {{ background: {t.card}; border: 1px solid {t.error}; border-radius: 8px; }}
    QLabel#drop {{ background: #e6{t.accent_soft[1:]}; border: 2px dashed {t.accent}; border-radius: 10px;
        color: {t.accent}; font-size: {px(18)}px; font-weight: 600; padding: 20px; }}
    QWidget#large {{ background: {t.window}; }}
    QToolButton#small {{ background: transparent; border: 1px solid transparent; border-radius: 4px; padding: 0 3px;
        color: {t.muted}; }}
    QToolButton#small:hover {{ color: {t.accent}; }}
    QToolButton#small:focus {{ border-color: {t.accent}; }}
    QFrame#palette {{ background: {t.card}; border: 1px solid {t.muted}; border-radius: 8px; }}
    QFrame#banner[kind="note"] {{ border-color: {t.warning}; }}
    QFrame#banner[kind="offer"] {{ border-color: {t.accent}; }}
    QLabel#title {{ font-weight: 600; }}
    QLabel#headline {{ font-weight: 600; font-size: {px(19)}px; }}
    QLabel#lead {{ color: {t.muted}; }}
    QFrame#model {{ background: {t.card}; border: 1px solid {t.border}; border-radius: 8px; }}
    QFrame#model[live="true"] {{ border-color: {t.accent}; }}
    QPushButton#fold {{ background: transparent; border: 1px solid transparent; border-radius: 5px; text-align: left;
        padding: 4px 6px; font-weight: 600; font-size: {px(12)}px; color: {t.muted}; }}
    QPushButton#fold:hover {{ color: {t.text}; }}
    QPushButton#fold:focus {{ border-color: {t.accent}; }}
    QLabel#app {{ font-weight: 600; font-size: {px(14)}px; }}
    QLabel#group {{ font-weight: 600; color: {t.muted}; font-size: {px(12)}px; padding-top: 6px; }}
    QLabel[changed="true"] {{ color: {t.accent}; }}
    QLabel#muted {{ color: {t.muted}; font-size: {px(12)}px; }}
    QLabel#warning {{ color: {t.warning}; font-size: {px(12)}px; }}
    QLabel#error {{ color: {t.error}; font-size: {px(12)}px; }}
    QLabel#empty {{ color: {t.muted}; font-size: {px(14)}px; }}
    QLabel#pill {{ border: 1px solid {t.border}; border-radius: 5px; padding: 2px 8px; font-size: {px(12)}px;
        color: {t.muted}; }}

    QPushButton, QToolButton#button {{ background: {t.card}; border: 1px solid {t.border}; border-radius: 6px;
        padding: 6px 12px; }}
    QToolButton#button::menu-indicator {{ image: none; }}
    QToolButton#button {{ padding: 5px 7px; }}
    QToolButton#button:checked {{ background: {t.accent_soft}; color: {t.accent}; border-color: {t.accent}; }}
    QPushButton:hover, QToolButton#button:hover {{ border-color: {t.muted}; }}
    QPushButton:pressed {{ background: {t.faint}; }}
    QPushButton:focus, QToolButton#button:focus {{ border-color: {t.accent}; }}
    QPushButton:disabled {{ color: {t.muted}; background: {t.field}; }}
    QPushButton#primary {{ background: {t.accent}; border-color: {t.accent}; color: {t.on_accent};
        font-weight: 600; }}
    QPushButton#primary:hover {{ background: {t.accent}; border-color: {t.text}; }}
    QPushButton#primary:disabled {{ background: {t.faint}; border-color: {t.faint}; color: {t.muted}; }}
    QPushButton#tab {{ background: transparent; border: 1px solid transparent; padding: 7px 15px;
        color: {t.muted}; font-weight: 600; }}
    QPushButton#tab:hover {{ color: {t.text}; }}
    QPushButton#tab:checked {{ background: {t.accent_soft}; color: {t.accent}; }}
    QPushButton#tab:focus {{ border-color: {t.accent}; }}
    QPushButton#segment {{ padding: 4px 9px; border-radius: 0; margin-right: -1px; font-size: {px(12)}px;
        color: {t.muted}; }}
    QPushButton#segment:checked {{ background: {t.accent_soft}; color: {t.accent}; }}
    QPushButton#link {{ background: transparent; border: none; color: {t.muted}; text-align: left; padding: 6px 0; }}
    QPushButton#inline {{ background: transparent; border: none; color: {t.accent}; padding: 0; }}
    QPushButton#inline:hover, QPushButton#inline:focus {{ text-decoration: underline; }}
    QPushButton#followed {{ background: transparent; border: none; color: {t.muted}; padding: 0;
        font-size: {px(12)}px; }}
    QPushButton#followed:hover, QPushButton#followed:focus {{ color: {t.accent}; text-decoration: underline; }}
    QPushButton#followed:disabled {{ background: transparent; }}
    QPushButton#link:hover, QPushButton#link:focus {{ color: {t.accent}; }}

    QLineEdit, QComboBox, QSpinBox, QDoubleSpinBox {{ background: {t.field}; border: 1px solid {t.border};
        border-radius: 5px; padding: 4px 7px; min-height: {px(18)}px; selection-background-color: {t.accent};
        selection-color: {t.on_accent}; }}
    QLineEdit:focus, QComboBox:focus, QSpinBox:focus, QDoubleSpinBox:focus {{ border-color: {t.accent}; }}
    QLineEdit#inplace, QDoubleSpinBox#inplace {{ background: transparent; border: 1px solid transparent;
        padding: 1px 3px; }}
    QLineEdit#inplace:hover, QDoubleSpinBox#inplace:hover {{ border-color: {t.border}; }}
    QLineEdit#inplace:focus, QDoubleSpinBox#inplace:focus {{ background: {t.field}; border-color: {t.accent}; }}
    QPushButton#small {{ background: transparent; border: 1px solid transparent; padding: 3px 2px; color: {t.muted};
        font-size: {px(10)}px; }}
    QPushButton#small:hover {{ color: {t.accent}; }}
    QPushButton#small:focus {{ border-color: {t.accent}; }}
    QPushButton#segment[tight="true"] {{ padding: 4px 5px; }}
    QPushButton#segment[last="true"] {{ margin-right: 0; }}
    QPushButton#compact {{ padding: 4px 9px; font-size: {px(12)}px; }}
    QPushButton#compact:checked {{ background: {t.accent_soft}; color: {t.accent}; border-color: {t.accent}; }}
    #plot {{ border: 1px solid transparent; border-radius: 4px; }}
    #plot:focus {{ border-color: {t.accent}; }}
    QLineEdit[invalid="true"] {{ border-color: {t.error}; }}
    QLineEdit:disabled, QComboBox:disabled {{ color: {t.muted}; }}
    QComboBox {{ combobox-popup: 0; }}
    QComboBox::drop-down {{ border: none; width: 18px; }}
    QComboBox::down-arrow {{ image: url("{icons}/chevron-{scheme}.svg"); width: 10px; height: 10px; }}
    QCheckBox::indicator {{ width: 15px; height: 15px; border: 1px solid {t.muted}; border-radius: 4px;
        background: {t.field}; }}
    QCheckBox::indicator:checked {{ background: {t.accent}; border-color: {t.accent};
        image: url("{icons}/check-{scheme}.svg"); }}
    QCheckBox::indicator:indeterminate {{ background: {t.accent}; border-color: {t.accent};
        image: url("{icons}/partial-{scheme}.svg"); }}
    QCheckBox::indicator:focus {{ border-color: {t.accent}; }}
    QRadioButton::indicator {{ width: 14px; height: 14px; border: 1px solid {t.muted}; border-radius: 8px;
        background: {t.field}; }}
    QRadioButton::indicator:checked {{ width: 6px; height: 6px; border: 5px solid {t.accent};
        background: {t.on_accent}; }}
    QRadioButton::indicator:focus {{ border-color: {t.accent}; }}
    QRadioButton::indicator:disabled {{ border-color: {t.border}; }}
    QSpinBox::up-button, QDoubleSpinBox::up-button, QSpinBox::down-button, QDoubleSpinBox::down-button {{
        border: none; background: transparent; width: 16px; }}
    QSpinBox::up-arrow, QDoubleSpinBox::up-arrow {{ image: url("{icons}/up-{scheme}.svg"); width: 8px; height: 8px; }}
    QSpinBox::down-arrow, QDoubleSpinBox::down-arrow {{ image: url("{icons}/chevron-{scheme}.svg");
        width: 8px; height: 8px; }}
    QComboBox QAbstractItemView {{ background: {t.card}; border: 1px solid {t.border}; outline: none;
        selection-background-color: {t.accent_soft}; selection-color: {t.text}; padding: 3px; }}
    QComboBox QAbstractItemView::item {{ padding: 4px 6px; }}
    QMenu {{ background: {t.card}; border: 1px solid {t.border}; padding: 4px; }}
    QMenu::item {{ padding: 5px 22px 5px 12px; border-radius: 4px; }}
    QMenu::item:selected {{ background: {t.accent_soft}; }}
    QMenu::item:disabled {{ color: {t.muted}; }}
    QMenu::separator {{ height: 1px; background: {t.border}; margin: 4px 6px; }}

    QWidget#help-window {{ background: {t.window}; }}
    QTextBrowser#help {{ background: {t.card}; border-left: 1px solid {t.border}; }}
    QTextBrowser#notes, QPlainTextEdit#notes {{ background: {t.field}; border: 1px solid {t.border};
        border-radius: 5px; }}
    QTextBrowser#notes:focus, QPlainTextEdit#notes:focus {{ border-color: {t.accent}; }}
    QTreeView#contents {{ background: transparent; }}
    QTreeView#contents::item {{ padding: 4px 2px; }}
    QTreeView#contents::item:selected {{ background: {t.accent_soft}; color: {t.text}; }}
    QTreeView#plugins {{ border: 1px solid {t.border}; border-radius: 6px; }}
    QTreeView#plugins::item {{ padding: 5px 10px; }}
    QTreeView#plugins::item:selected {{ background: {t.accent_soft}; color: {t.text}; }}

    QListWidget::item {{ padding: 7px 8px; border-radius: 6px; color: {t.text}; }}
    QListWidget#grouped::item {{ padding: 0 8px; }}
    QListWidget::item:selected {{ background: {t.accent_soft}; color: {t.text}; }}
    QSlider::groove:horizontal {{ height: 4px; background: {t.faint}; border-radius: 2px; }}
    QSlider::sub-page:horizontal {{ background: {t.accent}; border-radius: 2px; }}
    QSlider::handle:horizontal {{ width: 14px; height: 14px; margin: -5px 0; border-radius: 7px;
        background: {t.accent}; }}
    QSlider::handle:horizontal:focus {{ border: 2px solid {t.text}; width: 10px; height: 10px; }}
    QListView, QTreeView, QTableView {{ background: {t.card}; border: none; outline: none; }}
    QFileDialog QListView, QFileDialog QTreeView {{ border: 1px solid {t.border};
        selection-background-color: {t.accent_soft}; selection-color: {t.text}; }}
    QTableView {{ gridline-color: {t.faint}; selection-background-color: {t.accent_soft};
        selection-color: {t.text}; }}
    QHeaderView, QHeaderView::section {{ background: {t.card}; border: none; }}
    QHeaderView::section {{ padding: 6px 10px; border-bottom: 1px solid {t.border}; font-weight: 600; }}
    QTableView::item {{ padding: 4px 10px; }}
    QTableCornerButton::section {{ background: {t.card}; border: none; }}
    QAbstractScrollArea::corner {{ background: transparent; border: none; }}

    QProgressBar {{ background: {t.faint}; border: none; border-radius: 3px; max-height: 6px; min-height: 6px; }}
    QProgressBar::chunk {{ background: {t.accent}; border-radius: 3px; }}
    QScrollBar:vertical {{ background: transparent; width: 10px; margin: 0; }}
    QScrollBar:horizontal {{ background: transparent; height: 10px; margin: 0; }}
    QScrollBar::handle {{ background: {t.border}; border-radius: 4px; min-height: 28px; min-width: 28px; margin: 1px; }}
    QScrollBar::handle:hover {{ background: {t.muted}; }}
    QScrollBar::add-line, QScrollBar::sub-line {{ width: 0; height: 0; }}
    QScrollBar::add-page, QScrollBar::sub-page {{ background: transparent; }}
    QSplitter::handle {{ background: transparent; }}
    QCheckBox, QRadioButton {{ spacing: 7px; }}
    """
