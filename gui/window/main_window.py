"""The main window: the pages, the run list beside every page, the status bar, and the actions on runs."""

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QByteArray, QSettings, Qt, QUrl, Slot
from PySide6.QtGui import QCloseEvent, QDesktopServices, QDragEnterEvent, QDragLeaveEvent, QDropEvent, QIcon
from PySide6.QtWidgets import (
    QApplication,
    QHBoxLayout,
    QMainWindow,
    QScrollArea,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from engine.data import ENTRIES
from engine.errors import StudioError
from engine.jobs.events import Progress
from engine.runs.queue import QueuedRun
from engine.settings.absent import missing_words
from engine.settings.folders import default_runs_folder, remember_data, remembered_data
from engine.settings.run_config import RunConfig
from engine.studies import Study
from engine.system.paths import APP, RESOURCES
from gui.data.page import DataPage
from gui.desktop.desktop import Desktop
from gui.desktop.notify import ending
from gui.gallery.page import GalleryPage
from gui.gallery.tour import Tour
from gui.help.desk import HelpDesk
from gui.metrics.page import MetricsPage
from gui.metrics.session import EvaluationSession
from gui.metrics.study_builder import StudyBuilder
from gui.metrics.study_session import StudySession
from gui.palette import sources
from gui.palette.commands import commands_of, keys_of
from gui.palette.entries import Entry
from gui.palette.palette import Palette
from gui.plugins.desk import PluginDesk
from gui.plugins.host import PluginHost
from gui.runs.actions import RunActions
from gui.runs.run_list import RunList
from gui.runs.store import RunItem, RunStore, state_text
from gui.runs.unfinished import offer_unfinished
from gui.settings.asking import ask, may
from gui.settings.dialog import SettingsDialog
from gui.settings.preferences import read_preferences
from gui.training.estimator import Estimator
from gui.training.page import TrainingPage
from gui.training.queue_card import QueueCard
from gui.training.session import TrainingSession
from gui.training.settings_card import SettingsCard
from gui.traversal.page import TraversalPage
from gui.widgets import theme
from gui.widgets.banner import Banner, UnderBanner
from gui.widgets.drop_hint import DropHint
from gui.widgets.splitter import Splitter
from gui.widgets.status_bar import StatusBar
from gui.widgets.theme import px
from gui.window.closing import Closing
from gui.window.drops import dropped_paths, invitation, is_plugin
from gui.window.fitting import Fitter, usual_size
from gui.window.header import TABS, Header
from gui.window.in_use import plugins_in_use
from gui.window.left_out import files_left_out, runs_left_out
from gui.window.menu import WindowMenu
from gui.window.theming import ThemeChoice
from gui.window.zooming import Zoom

EVALUATING, PREPARING = "Evaluating", "Preparing data"
"""Names of jobs other than training in the status bar."""

LEAST = 1000, 600
"""Size in pixels at 100 % below which the contents scroll."""

GALLERY_PAGE = len(TABS)
"""The number of the page without a tab."""

GREETING_MS = 4000
"""How long the first measurement of the preset waits while the gallery greets: opening a model comes first."""

COME_WITH_METRICS = "The gallery's models come with their metrics. Copy one to your runs to evaluate it yourself."

TRAINING = "A run is training. A study uses all cores, so it can only start once the run and the queue are done."


class MainWindow(QMainWindow):
    """Connects the run list, the pages and the three sessions (training, evaluation, study).

    With a folder of trained models as `gallery`, it greets a user without runs with them.
    """

    def __init__(self, runs: Path, settings: QSettings, gallery: Path | None = None) -> None:
        super().__init__()
        self.setWindowTitle(APP)
        self.setWindowIcon(QIcon(str(RESOURCES / "icons" / "icon.svg")))
        self.setMinimumSize(1020, 640)
        self._runs = runs
        self._settings = settings
        self._next_runs = default_runs_folder()

        self.plugins = PluginHost(self._uses, self)
        self.plugins.load_known()
        self.gallery = RunStore(gallery, self) if gallery is not None else None
        self.store = RunStore(runs, self, self.gallery)
        self.training = TrainingSession(runs, self)
        self._trained: Path | None = None
        """The run that trained last, in this session."""
        self.evaluation = EvaluationSession(self)
        self.studies = StudySession(runs, self)
        self.closing = Closing(self, self.training, self.evaluation, self.studies, settings)
        self.desktop = Desktop(self, settings)
        self.help = HelpDesk(self, settings)
        self.run_list = RunList(self.store, settings)
        self.actions_of_runs = RunActions(self.run_list, self.store, self.training, settings, self)
        self.queue_card = QueueCard(self.training, self.store, self.actions_of_runs.queue)
        self.estimator = Estimator(self.store, self.training, self)
        self.pages = QStackedWidget()
        self.training_page = TrainingPage(SettingsCard(settings, self.estimator, runs), settings)
        self.traversal_page = TraversalPage(settings)
        self.metrics_page = MetricsPage(settings, self.studies)
        self.data_page = DataPage(settings)
        pages = (self.training_page, self.traversal_page, self.metrics_page, self.data_page)
        for page, title in zip(pages, TABS, strict=True):
            page.setAccessibleName(title)
            self.pages.addWidget(page)
        self.gallery_page = GalleryPage(settings, gallery) if gallery is not None else None
        if self.gallery_page is not None:
            self.gallery_page.setAccessibleName("Gallery")
            self.pages.addWidget(self.gallery_page)
        self.banner = Banner()
        self.plugin_desk = PluginDesk(self.plugins, self.banner, self)
        self.status = StatusBar(runs)
        self.zoom = Zoom(self, settings)
        actions = self.actions_of_runs
        menu = WindowMenu(
            self,
            actions.undo_stack,
            self.help,
            actions.import_runs,
            self._open_runs_folder,
            self._ask_settings,
            self._show_plugins,
            self._open_palette,
            self.zoom,
            self._show_gallery if gallery is not None else None,
            self._begin_tour,
        )
        self.header = Header(menu)
        self.theme = ThemeChoice(self.header, settings, self)
        self._lay_out()
        self.tour = Tour(self, settings, self._show_page)
        self.outline = sources.HelpOutline(lambda: keys_of(self), self.help.show_topic, self)
        self.palette_ = Palette(self, settings, self._gather)
        self.outline.known.connect(self.palette_.gather_again)
        self._connect()
        self._take_preferences()
        self._restore_place()
        if self.gallery is not None:
            self.gallery.refresh()
        self.store.start()
        if self.gallery is not None and self.gallery.items and not self.store.items:
            self._show_gallery()
            self.estimator.hold(GREETING_MS)
        self.banner.say_also(files_left_out(self.training.queue))
        self._show_queue()
        offer_unfinished(self.store, self.training, self.run_list, self.banner, settings)
        self.plugins.start()

    def _lay_out(self) -> None:
        right = UnderBanner(self.pages, self.banner)
        left = QWidget()
        lists = QVBoxLayout(left)
        lists.setContentsMargins(0, 0, 0, 0)
        lists.setSpacing(8)
        lists.addWidget(self.run_list, 1)
        lists.addWidget(self.queue_card)
        left.setMinimumWidth(px(190))
        self._left = left
        sizes = (px(248), 1000)
        splitter = Splitter(Qt.Orientation.Horizontal, (left, right), sizes, (0, 1), self._settings, "splitter")
        middle = QWidget()
        inner = QHBoxLayout(middle)
        inner.setContentsMargins(10, 10, 10, 10)
        inner.addWidget(splitter)
        everything = QWidget()
        rows = QVBoxLayout(everything)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(0)
        rows.addWidget(self.header)
        rows.addWidget(middle, 1)
        rows.addWidget(self.status)
        everything.setMinimumSize(round(LEAST[0] * theme.zoom()), round(LEAST[1] * theme.zoom()))
        area = QScrollArea()  # what the zoom makes larger than the window
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        area.setFrameShape(QScrollArea.Shape.NoFrame)
        area.setWidgetResizable(True)
        area.setWidget(everything)
        self.setCentralWidget(area)

    def _connect(self) -> None:
        self.header.page_chosen.connect(self._show_page)
        self.theme.changed.connect(self.apply_theme)
        self.zoom.changed.connect(self.apply_theme)
        self.run_list.selected.connect(self._show_runs)
        self.run_list.seeds_folded.connect(self.training_page.fold_band)
        self.actions_of_runs.use_settings.connect(self._use_settings)
        self.actions_of_runs.failed.connect(self.banner.say)
        self.actions_of_runs.noted.connect(self.banner.note)
        self.actions_of_runs.undoable.connect(self._offer_undo)
        self.actions_of_runs.undo_stack.indexChanged.connect(self.banner.withdraw_undo)
        self.store.updated.connect(self._run_updated)
        self.store.unreadable.connect(self._say_left_out)
        self.estimator.estimated.connect(self.training_page.take_estimate)
        card = self.training_page.settings
        card.start.connect(self._start)
        card.pause.connect(self.training.pause)
        card.resume.connect(self.training.resume)
        card.stop.connect(self.training.stop)
        card.cancel.connect(self.training.cancel)
        self.training_page.quick.connect(card.start_quick)
        self.training_page.help_asked.connect(self.help.show_topic)
        self.training_page.export.connect(self.actions_of_runs.export_curves)
        self.training.changed.connect(self._training_changed)
        self.training.failed.connect(self.banner.say)
        self.training.resolved.connect(self.banner.withdraw)
        self.training.unanswered.connect(self._offer_end)
        self.training.no_data.connect(self._offer_data)
        self.metrics_page.study.no_data.connect(self._offer_data)
        self.training.warned.connect(self.banner.note)
        self.training.changes_to_accept.connect(self._ask_about_changes)
        self.training.began.connect(self._training_began)
        self.training.ended.connect(self._training_ended)
        self.training.cancelled.connect(self._discard)
        self.training.queue_changed.connect(self._show_queue)
        self.store.listed.connect(self._show_queue)
        self.metrics_page.evaluate.connect(self._evaluate)
        self.metrics_page.cancel.connect(self.evaluation.cancel)
        self.metrics_page.compare.connect(self._compare)
        self.evaluation.progressed.connect(self._evaluation_progressed)
        self.evaluation.warned.connect(self.banner.note)
        self.evaluation.ended.connect(self._evaluation_ended)
        self.metrics_page.open_run.connect(self._open_run)
        self.metrics_page.select_runs.connect(self._select_runs)
        self.studies.changed.connect(self._study_changed)
        self.studies.moved.connect(self.store.refresh)
        self.studies.failed.connect(self.banner.say)
        self.studies.unanswered.connect(self._offer_end_of_cell)
        self.studies.resolved.connect(self.banner.withdraw)
        self.studies.warned.connect(self.banner.note)
        self.studies.ended.connect(self._study_ended)
        for page in (self.training_page, self.traversal_page):
            page.named.connect(self.actions_of_runs.name_latents)
        self.data_page.use.connect(self._use_data)
        self.data_page.failed.connect(self.banner.say)
        self.data_page.resolved.connect(self.banner.withdraw)
        self.data_page.placed.connect(self._data_placed)
        self.metrics_page.study.choice.data_chosen.connect(self._data_placed)
        self.metrics_page.study.choice.new_asked.connect(self._build_study)
        card.study_asked.connect(self._build_study)
        self.data_page.progressed.connect(self._data_progressed)
        self.data_page.ended.connect(self._data_ended)
        self.plugins.registered.connect(self._take_plugins)
        self.plugin_desk.review.connect(self._show_plugin)
        if self.gallery_page is not None:
            self._connect_gallery(self.gallery_page)
        self.hint = DropHint(self)
        self.setAcceptDrops(True)

    def _connect_gallery(self, page: GalleryPage) -> None:
        page.opened.connect(self._open_model)
        page.train_asked.connect(self._train_before_ones_eyes)
        page.tour_asked.connect(self._begin_tour)
        page.help_asked.connect(self.help.show_topic)
        self.estimator.estimated.connect(page.take_estimate)

    # The gallery

    @Slot()
    def _show_gallery(self) -> None:
        if self.gallery_page is not None:
            self._show_page(GALLERY_PAGE)

    @Slot(object)
    def _open_model(self, path: Path) -> None:
        """Show a model of the gallery in Traversal."""
        self.run_list.select(path)
        self._show_page(TABS.index("Traversal"))

    @Slot()
    def _train_before_ones_eyes(self) -> None:
        self._show_page(TABS.index("Training"))
        self.training_page.settings.start_quick()

    @Slot()
    def _begin_tour(self) -> None:
        self.tour.begin()

    # Displaying

    @Slot(int)
    def _show_page(self, number: int) -> None:
        self.header.show_page(number, self.pages.currentIndex())
        self._left.setVisible(number != GALLERY_PAGE)
        self.pages.setCurrentIndex(number)
        self.setProperty("helpTopic", self.pages.currentWidget().property("helpTopic"))
        self._show_runs()

    @Slot()
    def _show_runs(self) -> None:
        """Show the selected runs on the current page."""
        items = self.run_list.items()
        self.store.watch(items)
        page = self.pages.currentWidget()
        if page is self.training_page:
            self.training_page.show_runs(items)
        elif page is self.traversal_page:
            self.traversal_page.show_runs(items)
        elif page is self.metrics_page:
            self._show_metrics()

    def _show_metrics(self) -> None:
        """Show the metrics of the user's runs, and of the gallery's models that are selected."""
        items = self.run_list.items()
        self.metrics_page.show_runs([*self.store.items, *(item for item in items if item.shipped)], items)

    @Slot(object, object)
    def _say_left_out(self, broken: dict[str, str], damaged: list[RunItem]) -> None:
        self.banner.say_also(runs_left_out(broken, damaged))

    @Slot(object)
    def _run_updated(self, path: Path) -> None:
        if self.run_list.is_chosen(path) or self.pages.currentWidget() is self.metrics_page:
            self._show_runs()

    # The command palette

    @Slot()
    def _open_palette(self) -> None:
        self.palette_.open()

    def _gather(self) -> list[Entry]:
        """Return everything that the command palette offers."""
        card = self.training_page.settings
        return [
            *commands_of(self, self.pages, self._show_page),
            *sources.settings(card, self._show_setting),
            *sources.preferences(lambda name: self._open_settings().show_setting(name)),
            *sources.presets(card, self._use_preset),
            *self.outline.entries(),
            *sources.runs(self.store.items, lambda item: self.run_list.select(item.path)),
            *sources.models(self.gallery.items if self.gallery is not None else [], self._open_model),
        ]

    def _show_setting(self, key: str) -> None:
        self._show_page(TABS.index("Training"))
        self.training_page.settings.show_setting(key)

    def _use_preset(self, title: str) -> None:
        self._show_page(TABS.index("Training"))
        self.training_page.settings.use_preset(title)

    # Actions on runs

    @Slot(object)
    def _start(self, config: RunConfig) -> None:
        self.banner.hide()
        if not self._may_repeat(config):
            return
        path = self.actions_of_runs.queue.start(config)
        if path is not None:
            self._remember_data(config)
            if self.store.find(path) is None:  # it is queued; a run that has started is already listed
                self.store.refresh()
            selected = [item.path for item in self.run_list.items()]
            if self.training.run is not None and path == self.training.run.path and selected != [path]:
                self.run_list.select(path)

    def _may_repeat(self, config: RunConfig) -> bool:
        """Ask before training settings, seed included, that a run already has; one that failed does not count."""
        same = next((i for i in self.store.items if i.run.config == config and i.state.state != "failed"), None)
        if same is None:
            return True
        text = f"{same.name} already has these settings, including the seed."
        more = f"It is {state_text(same)}. The same settings train the same run. Another seed shows how results vary."
        return may(self, self._settings, "ask_identical", text, more, "Train anyway", "Cancel")

    # Locations of data sets

    def _remember_data(self, config: RunConfig) -> None:
        """Remember where a run's data set is, for the next preset."""
        if ENTRIES[config.dataset].path_kind and config.data_folder != remembered_data(config.dataset):
            try:
                remember_data(config.dataset, config.data_folder)
            except StudioError as error:
                self.banner.say(str(error))
            self._data_placed()

    @Slot()
    def _data_placed(self) -> None:
        """Update the form, the study and the Data page after a data set's location has changed."""
        self.training_page.settings.take_preferences()
        self.data_page.refresh()
        if not self.studies.active:
            self.metrics_page.study.choice.take_data()

    @Slot(str, str)
    def _offer_data(self, dataset: str, sentence: str) -> None:
        """Show which data are missing, and offer the page where they can be chosen or downloaded."""

        def show() -> None:
            self._show_page(TABS.index("Data"))
            self.data_page.show_entry(dataset)

        self.banner.say_with(sentence, "Open Data page", show)

    @Slot(object)
    def _data_progressed(self, progress: Progress) -> None:
        self.status.show_job(PREPARING, progress)

    @Slot()
    def _data_ended(self) -> None:
        self.estimator.data_prepared()
        self.status.show_job(PREPARING, None)

    @Slot(object, str)
    def _ask_about_changes(self, refused: QueuedRun, sentence: str) -> None:
        """Ask whether to resume a run whose data have changed; the queue continues meanwhile."""

        def resume() -> None:
            path = self._runs / refused.run
            self.training.train_or_queue(path, more=refused.more, accept_changes=True)

        if not self.closing.begun:
            ask(self, sentence, "Resume anyway", resume)

    @Slot(str)
    def _offer_end(self, sentence: str) -> None:
        """Offer to end a run whose plug-in does not respond."""
        if not self.banner.waits:  # else it is offered again in a while
            self.banner.say_with(sentence, "End run", self.training.end)

    @Slot(str)
    def _offer_end_of_cell(self, sentence: str) -> None:
        """Offer to end the runs of a study whose plug-in does not answer; the others continue."""
        if not self.banner.waits:
            self.banner.say_with(sentence, "End it", self.studies.end)

    @Slot()
    def _show_queue(self) -> None:
        """Update each run's position in the queue."""
        for item in self.store.items:
            item.place = self.training.queue.position(item.path)
        self._show_paused()
        self.run_list.repaint_runs()

    def _show_paused(self) -> None:
        """Update in the list whether the current run is paused: on a full disk its files cannot say so."""
        session = self.training
        item = self.store.find(session.run.path) if session.run is not None else None
        if item is not None and item.paused != session.paused:
            item.paused = session.paused
            self.run_list.repaint_runs()

    @Slot(object)
    def _discard(self, path: Path) -> None:
        """Move a cancelled run to the trash."""
        self.store.refresh()
        item = self.store.find(path)
        if item is not None:
            self.actions_of_runs.trash_runs([item])

    @Slot(str)
    def _offer_undo(self, message: str) -> None:
        self.banner.note_undoable(f"{message} Ctrl+Z undoes it.", self.actions_of_runs.undo_stack.undo)

    @Slot(object)
    def _use_settings(self, path: Path) -> None:
        item = self.store.find(path)
        if item is not None and (missing := missing_words(item.run.config)):
            self.banner.say(f"The settings of {item.run.name} cannot be used: {missing}")
        elif item is not None:
            self.training_page.settings.show_config(item.run.config)
            self._show_page(0)

    @Slot(str, object)
    def _use_data(self, name: str, path: Path | None) -> None:
        self.training_page.settings.use_data(name, path)
        self._show_page(TABS.index("Training"))

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Accept a folder, an .npz file or plug-ins, and say what a drop would do."""
        paths = dropped_paths(event)
        if paths:
            event.acceptProposedAction()
            self.hint.invite(invitation(paths))

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        """Withdraw the invitation."""
        self.hint.hide()

    def dropEvent(self, event: QDropEvent) -> None:
        """Open dropped data on the Data page; ask about dropped plug-ins."""
        self.hint.hide()
        paths = dropped_paths(event)
        if not paths:
            return
        event.acceptProposedAction()
        if is_plugin(paths[0]):
            self.plugin_desk.drop(paths)
        else:
            self._show_page(TABS.index("Data"))
            self.data_page.open_path(paths[0])

    @Slot()
    def _open_runs_folder(self) -> None:
        if not QDesktopServices.openUrl(QUrl.fromLocalFile(str(self._runs))):
            self.banner.note(f"The runs folder is {self._runs}")

    @Slot()
    def _training_changed(self) -> None:
        session = self.training
        self.status.show_session(session)
        if session.active:
            self.training_page.settings.show_training(paused=session.paused, stopping=session.stopping)
        self._show_paused()
        self.studies.block(TRAINING if session.active else "")
        self._show_outside(session if session.active else None)

    def _show_outside(self, session: TrainingSession | StudySession | None) -> None:
        """Show the progress of the current job in the window's title and on the desktop."""
        progress = session.progress if session is not None else None
        fraction = progress.done / max(1, progress.total) if progress is not None else None
        self.setWindowTitle(APP if fraction is None else f"{100 * fraction:.0f} % – {APP}")
        self.desktop.show_progress(fraction)
        self.desktop.training(session is not None and not session.paused)

    @Slot(object)
    def _training_began(self, path: Path) -> None:
        """Select a run that has started if its predecessor is watched: a queue must not turn to another run what the
        user is looking at. `_start` selects a run that the user has started.
        """
        self.store.refresh()
        chosen = [item.path for item in self.run_list.items()]
        watched = self.pages.currentWidget() is self.training_page and chosen == [self._trained]
        if watched or not chosen:
            self.run_list.select(path)
        self._trained = path

    @Slot(object)
    def _training_ended(self, path: Path) -> None:
        self.training_page.settings.show_idle(queues=self.training.blocked)
        self.store.refresh()
        item = self.store.find(path)
        if item is not None and not self.closing.begun:
            self.desktop.run_ended(*ending(item))
            if item.state.state == "finished" and read_preferences(self._settings).evaluate_after:
                self.evaluation.start_later(item.run, self.metrics_page.chooser.metrics)
        self.closing.finish()

    @Slot()
    def _evaluate(self) -> None:
        items = self.run_list.items()
        if not items:
            self.metrics_page.show_idle("Select runs on the left first.")
            return
        own = [item for item in items if not item.shipped]
        if not own:
            self.metrics_page.show_idle(COME_WITH_METRICS)
            return
        self.evaluation.start([item.run for item in own], self.metrics_page.chooser.metrics)
        self._evaluation_progressed(Progress(0, 1, "Loading"))

    @Slot(object, str)
    def _compare(self, paths: Sequence[Path], metric: str) -> None:
        """Compare the runs of a study."""
        self.evaluation.start([item.run for item in self.store.items if item.path in paths], [metric])
        self._evaluation_progressed(Progress(0, 1, "Loading"))

    @Slot(object)
    def _evaluation_progressed(self, progress: Progress) -> None:
        self.metrics_page.show_progress(progress)
        self.status.show_job(EVALUATING, progress)

    @Slot(str)
    def _evaluation_ended(self, words: str) -> None:
        self.metrics_page.show_idle(words)
        self.status.show_job(EVALUATING, None)
        self._show_metrics()
        self.closing.finish()

    # Studies

    @Slot()
    def _build_study(self) -> None:
        idle = not (self.training.active or self.studies.active or self.evaluation.active)
        builder = StudyBuilder(self, self._runs, self.training_page.settings.config, measures=idle)
        builder.saved.connect(self._show_study)
        builder.open()

    @Slot(object)
    def _show_study(self, path: Path) -> None:
        """Show a study on the Metrics page."""
        self._show_page(TABS.index("Metrics"))
        self.metrics_page.show_study(path)

    @Slot()
    def _study_changed(self) -> None:
        """Show the running study; runs started meanwhile wait for its end."""
        session = self.studies
        if not session.active:
            return
        if not self.training.blocked:
            self.training.block(True)
            self.training_page.settings.show_idle(queues=True)
        self.status.show_study(session)
        self._show_outside(session)

    @Slot(object, str)
    def _study_ended(self, study: Study, words: str) -> None:
        self.store.refresh()
        self._training_changed()
        if not self.closing.begun:
            self.desktop.run_ended(study.title, words)
            self.training_page.settings.show_idle()
        self.training.block(False)
        self.closing.finish()

    @Slot(object)
    def _select_runs(self, paths: list[Path]) -> None:
        """Select the runs that were brushed in a chart."""
        self.run_list.select(*paths)

    @Slot(object)
    def _open_run(self, path: Path) -> None:
        """Select a run and show its training."""
        self.store.refresh()
        self.run_list.select(path)
        self._show_page(TABS.index("Training"))

    # Plug-ins

    def _uses(self, plugin: str) -> bool:
        """Whether a job is running that uses a plug-in."""
        return plugin in plugins_in_use(self.training, self.evaluation, self.studies, self.data_page)

    @Slot()
    def _take_plugins(self) -> None:
        """Show the available methods, networks, metrics and data sets."""
        self.store.reopen()
        self.training_page.settings.take_plugins()
        self.data_page.list_entries()
        self.metrics_page.take_plugins()
        self.traversal_page.forget_models()
        self.help.forget()
        self.outline.forget()
        self._show_runs()

    # Preferences, geometry, closing

    @Slot()
    def apply_theme(self) -> None:
        """Apply the current colour scheme."""
        self.training_page.apply_theme()
        self.traversal_page.apply_theme()
        self.metrics_page.apply_theme()
        if self.gallery_page is not None:
            self.gallery_page.apply_theme()
        self._show_runs()

    @Slot()
    def _ask_settings(self) -> None:
        self._open_settings()

    @Slot()
    def _show_plugins(self) -> None:
        self._open_settings().show_plugins()

    @Slot(str)
    def _show_plugin(self, key: str) -> None:
        self._open_settings().show_plugins(key)

    def _open_settings(self) -> SettingsDialog:
        dialog = SettingsDialog(self, self._settings, self.plugins)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.theme_chosen.connect(self.theme.choose)
        dialog.accepted.connect(self._settings_changed)
        dialog.open()
        return dialog

    @Slot()
    def _settings_changed(self) -> None:
        self._take_preferences()
        self.training_page.settings.take_preferences()
        self.data_page.refresh()
        folder = default_runs_folder()
        if folder not in (self._runs, self._next_runs):
            self.banner.note(f"From the next start on, the runs folder is {folder}; until then it is {self._runs}.")
        self._next_runs = folder

    def _take_preferences(self) -> None:
        preferences = read_preferences(self._settings)
        app = QApplication.instance()
        if isinstance(app, QApplication) and preferences.reduced_motion != theme.reduced_motion():
            theme.reduce_motion(app, preferences.reduced_motion)
            if self.isVisible():
                theme.apply(app)
        self.training_page.redraw_ms = round(1000 * preferences.redraw_seconds)

    def _restore_place(self) -> None:
        geometry = self._settings.value("geometry")
        if not (isinstance(geometry, QByteArray) and self.restoreGeometry(geometry)):
            usual_size(self)
        Fitter(self)
        tab = str(self._settings.value("tab", 0))
        tabs = [str(number) for number in range(len(TABS))]
        if tab in tabs:
            self._show_page(tabs.index(tab))

    def leave(self) -> None:
        """Stop and save all jobs, and close without asking."""
        if not self.closing.begun:
            self._keep_place()
            self.help.close()
            self.closing.begin()

    def closeEvent(self, event: QCloseEvent) -> None:
        """Close; while a run or a study is running, first ask, then stop and save it."""
        if self.closing.busy:
            event.ignore()
            if self.closing.may_begin():
                self.leave()
            return
        if not self.closing.begun:
            self._keep_place()
        self.desktop.close()
        self.help.close()
        self.outline.close()
        self.plugins.close()
        self.store.close()
        self.actions_of_runs.close_worker()
        if self.gallery_page is not None:
            self.gallery_page.close_worker()
        self.banner.close_timer()
        self.estimator.close()
        self.status.machine.close_worker()
        self.training_page.close_worker()
        self.traversal_page.close_worker()
        self.metrics_page.close_worker()
        self.data_page.close_worker()
        event.accept()
        if self.closing.begun:
            QApplication.quit()  # closing a hidden window does not end the application

    def _keep_place(self) -> None:
        """Save layout, tab and form for the next session."""
        self._settings.setValue("geometry", self.saveGeometry())
        if self.pages.currentIndex() != GALLERY_PAGE:
            self._settings.setValue("tab", self.pages.currentIndex())
        self.training_page.settings.keep()
