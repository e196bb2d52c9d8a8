"""The main window: tabs, the run list on every tab, the status bar; and what is done with runs."""

from pathlib import Path

from PySide6.QtCore import QObject, QSettings, Qt, QTimer, QUrl, Slot
from PySide6.QtGui import QCloseEvent, QDesktopServices, QDragEnterEvent, QDropEvent, QIcon, QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QApplication,
    QButtonGroup,
    QFrame,
    QHBoxLayout,
    QLabel,
    QMainWindow,
    QMessageBox,
    QPushButton,
    QSplitter,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from engine.config import RunConfig
from engine.errors import StudioError
from engine.events import Progress
from engine.paths import APP, RESOURCES
from engine.runs import Run
from gui import theme
from gui.data.page import DataPage
from gui.metrics.page import MetricsPage
from gui.metrics.session import EvaluationSession
from gui.run_store import RunStore
from gui.training.page import TrainingPage
from gui.training.session import TrainingSession
from gui.traversal.page import TraversalPage
from gui.widgets.banner import Banner
from gui.widgets.layouts import label
from gui.widgets.run_list import RunList
from gui.widgets.status_bar import StatusBar

TABS = ("Training", "Traversal", "Metrics", "Data")


class MainWindow(QMainWindow):
    """Joins the run list, the pages and the two sessions (training, evaluation)."""

    def __init__(self, runs: Path, settings: QSettings) -> None:
        super().__init__()
        self.setWindowTitle(APP)
        self.setWindowIcon(QIcon(str(RESOURCES / "icons" / "icon.svg")))
        self.setMinimumSize(1020, 640)
        self._runs = runs
        self._settings = settings
        self._closing = False

        self.store = RunStore(runs, self)
        self.training = TrainingSession(self)
        self.evaluation = EvaluationSession(self)
        self.run_list = RunList(self.store)
        self.pages = QStackedWidget()
        self.training_page = TrainingPage(settings)
        self.traversal_page = TraversalPage()
        self.metrics_page = MetricsPage()
        self.data_page = DataPage()
        for page in (self.training_page, self.traversal_page, self.metrics_page, self.data_page):
            self.pages.addWidget(page)
        self.banner = Banner()
        self.status = StatusBar()
        self._lay_out()
        self._connect()
        self._restore_geometry()
        self.store.start()

    def _lay_out(self) -> None:
        header = QFrame()
        header.setObjectName("header")
        header.setFixedHeight(48)
        bar = QHBoxLayout(header)
        bar.setContentsMargins(14, 0, 14, 0)
        bar.setSpacing(4)
        icon = QLabel()
        icon.setPixmap(QIcon(str(RESOURCES / "icons" / "icon.svg")).pixmap(22, 22))
        bar.addWidget(icon)
        bar.addSpacing(6)
        bar.addWidget(label(APP, "app"))
        bar.addSpacing(28)
        self._tabs = QButtonGroup(self)
        for number, title in enumerate(TABS):
            button = QPushButton(title)
            button.setObjectName("tab")
            button.setCheckable(True)
            button.setToolTip(f"{title} (Ctrl+{number + 1})")
            self._tabs.addButton(button, number)
            bar.addWidget(button)
            shortcut = QShortcut(QKeySequence(f"Ctrl+{number + 1}"), self)
            shortcut.activated.connect(button.click)
        bar.addStretch(1)
        self._theme = QPushButton()
        self._theme.setObjectName("tab")
        self._theme.setToolTip("Light, dark, or as the desktop")
        self._theme.clicked.connect(self._next_theme)
        bar.addWidget(self._theme)

        right = QWidget()
        column = QVBoxLayout(right)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addWidget(self.banner)
        column.addWidget(self.pages, 1)
        self._splitter = QSplitter(Qt.Orientation.Horizontal)
        self._splitter.setHandleWidth(8)
        self._splitter.setChildrenCollapsible(False)
        self._splitter.addWidget(self.run_list)
        self._splitter.addWidget(right)
        self._splitter.setStretchFactor(1, 1)
        self._splitter.setSizes([238, 1000])
        self.run_list.setMinimumWidth(180)

        middle = QWidget()
        inner = QHBoxLayout(middle)
        inner.setContentsMargins(10, 10, 10, 10)
        inner.addWidget(self._splitter)
        whole = QWidget()
        rows = QVBoxLayout(whole)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(0)
        rows.addWidget(header)
        rows.addWidget(middle, 1)
        rows.addWidget(self.status)
        self.setCentralWidget(whole)
        self._show_theme()

    def _connect(self) -> None:
        self._tabs.idClicked.connect(self._show_page)
        self.run_list.selected.connect(self._show_runs)
        self.run_list.use_settings.connect(self._use_settings)
        self.run_list.resume.connect(self._resume)
        self.run_list.open_folder.connect(self._open_folder)
        self.store.updated.connect(self._run_updated)
        self.store.unreadable.connect(self.banner.say)
        card = self.training_page.settings
        card.start.connect(self._start)
        card.pause.connect(self.training.pause)
        card.go_on.connect(self.training.resume)
        card.stop.connect(self.training.stop)
        self.training.changed.connect(self._training_changed)
        self.training.failed.connect(self.banner.say)
        self.training.warned.connect(self.banner.note)
        self.training.ended.connect(self._training_ended)
        self.metrics_page.evaluate.connect(self._evaluate)
        self.metrics_page.cancel.connect(self.evaluation.cancel)
        self.evaluation.progressed.connect(self._evaluation_progressed)
        self.evaluation.ended.connect(self._evaluation_ended)
        self.data_page.use.connect(self._use_data)
        self.data_page.failed.connect(self.banner.say)
        self.setAcceptDrops(True)
        self._tabs.button(0).setChecked(True)

    # What is shown

    @Slot(int)
    def _show_page(self, number: int) -> None:
        self._tabs.button(number).setChecked(True)
        self.pages.setCurrentIndex(number)
        self._show_runs()

    @Slot()
    def _show_runs(self) -> None:
        """Show the selected runs on the page in front."""
        items = self.run_list.items()
        page = self.pages.currentWidget()
        if page is self.training_page:
            self.training_page.show_runs(items)
        elif page is self.traversal_page:
            self.traversal_page.show_run(items[0] if items else None)
        elif page is self.metrics_page:
            self.metrics_page.show_runs(self.store.items)

    @Slot(object)
    def _run_updated(self, path: Path) -> None:
        if path in [item.path for item in self.run_list.items()] or self.pages.currentWidget() is self.metrics_page:
            self._show_runs()

    # What is done with runs

    @Slot(object)
    def _start(self, config: RunConfig) -> None:
        self.banner.hide()
        path = self.training.start(self._runs, config)
        if path is not None:
            self.store.refresh()
            self.run_list.select(path)

    @Slot(object)
    def _resume(self, path: Path) -> None:
        if self.training.active:
            self.banner.say("A run is training already. Stop it, or wait for its end, before resuming another.")
            return
        try:
            run = Run.open(path)
        except StudioError as error:
            self.banner.say(str(error))
            return
        self.banner.hide()
        self.run_list.select(self.training.go_on_with(run))

    @Slot(object)
    def _use_settings(self, path: Path) -> None:
        item = self.store.find(path)
        if item is not None:
            self.training_page.settings.show_config(item.run.config)
            self._show_page(0)

    @Slot(str, object)
    def _use_data(self, name: str, path: Path | None) -> None:
        self.training_page.settings.form.set_values(dataset=name, data_folder=path)
        self._show_page(TABS.index("Training"))

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Take a folder, or an .npz file."""
        if _dropped_path(event) is not None:
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        """Open what was dropped on the data page."""
        path = _dropped_path(event)
        if path is not None:
            event.acceptProposedAction()
            self._show_page(TABS.index("Data"))
            self.data_page.open_path(path)

    @Slot(object)
    def _open_folder(self, path: Path) -> None:
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(path)))

    @Slot()
    def _training_changed(self) -> None:
        session = self.training
        self.status.show_session(session)
        if session.active:
            self.training_page.settings.show_training(paused=session.paused, stopping=session.stopping)
        progress = session.progress
        percent = f"{100 * progress.done / max(1, progress.total):.0f} % – " if session.active and progress else ""
        self.setWindowTitle(percent + APP)

    @Slot()
    def _training_ended(self) -> None:
        self.training_page.settings.show_idle()
        self.store.refresh()
        self._close_when_idle()

    @Slot()
    def _evaluate(self) -> None:
        items = self.run_list.items()
        if not items:
            self.metrics_page.show_idle("Select runs at the left first.")
            return
        self.evaluation.start([item.run for item in items])
        self.metrics_page.show_progress(Progress(0, 1, "Loading"))

    @Slot(object)
    def _evaluation_progressed(self, progress: Progress) -> None:
        self.metrics_page.show_progress(progress)

    @Slot(str)
    def _evaluation_ended(self, words: str) -> None:
        self.metrics_page.show_idle(words)
        self.metrics_page.show_runs(self.store.items)
        self._close_when_idle()

    # Theme, geometry, closing

    @Slot()
    def _next_theme(self) -> None:
        names = list(theme.SCHEMES)
        chosen = str(self._settings.value("theme", "system"))
        chosen = names[(names.index(chosen) + 1) % len(names)] if chosen in names else "system"
        self._settings.setValue("theme", chosen)
        app = QApplication.instance()
        assert isinstance(app, QApplication)
        theme.choose_scheme(app, chosen)
        self.apply_theme()
        self._show_theme()

    def _show_theme(self) -> None:
        chosen = str(self._settings.value("theme", "system"))
        self._theme.setText({"light": "Light", "dark": "Dark"}.get(chosen, "System"))

    def apply_theme(self) -> None:
        """Take the colours of the scheme in force."""
        self.training_page.apply_theme()
        self._show_runs()

    def _restore_geometry(self) -> None:
        geometry = self._settings.value("geometry")
        if geometry is None or not self.restoreGeometry(geometry):
            screen = self.screen().availableGeometry()
            self.resize(min(1440, screen.width()), min(900, screen.height()))
        splitter = self._settings.value("splitter")
        if splitter is not None:
            self._splitter.restoreState(splitter)

    def closeEvent(self, event: QCloseEvent) -> None:
        """Ask when a run trains; stop it, keep it, and close when it has ended."""
        if self.training.active or self.evaluation.active:
            event.ignore()
            if not self._closing and (not self.training.active or self._may_stop()):
                self._closing = True
                self.training.stop()
                self.evaluation.cancel()
                self._close_when_idle()
            return
        self.store.close()
        self.training_page.close_worker()
        self.traversal_page.close_worker()
        self.data_page.close_worker()
        self._settings.setValue("geometry", self.saveGeometry())
        self._settings.setValue("splitter", self._splitter.saveState())
        event.accept()

    def _may_stop(self) -> bool:
        box = QMessageBox(QMessageBox.Icon.Question, APP, "A run is training.", parent=self)
        box.setInformativeText("Stop it and close? What it has learned is kept, and it can be resumed later.")
        stop = box.addButton("Stop and close", QMessageBox.ButtonRole.AcceptRole)
        stay = box.addButton("Go on training", QMessageBox.ButtonRole.RejectRole)
        box.setDefaultButton(stay)
        box.exec()
        return box.clickedButton() is stop

    def _close_when_idle(self) -> None:
        if self._closing and not self.training.active and not self.evaluation.active:
            QTimer.singleShot(0, self.close)


def _dropped_path(event: QDropEvent) -> Path | None:
    """Return the folder or .npz file that is dropped; None for anything else, or several."""
    urls = event.mimeData().urls()
    if len(urls) != 1 or not urls[0].isLocalFile():
        return None
    path = Path(urls[0].toLocalFile())
    return path if path.is_dir() or path.suffix.lower() == ".npz" else None


class ThemeFollower(QObject):
    """Applies palette and style sheet when the scheme changes, by choice or by the desktop."""

    def __init__(self, app: QApplication, window: MainWindow) -> None:
        super().__init__(window)
        self._app, self._window = app, window
        app.styleHints().colorSchemeChanged.connect(self._apply)

    @Slot()
    def _apply(self) -> None:
        theme.apply(self._app)
        self._window.apply_theme()
