"""A study on the Metrics page: the choice, the estimate, the status, and the job."""

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QObject, QSettings, Signal, Slot
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QMenu, QPushButton, QVBoxLayout, QWidget

from engine.errors import DataError
from engine.evaluation.catalogue import COMPARED, METRICS
from engine.evaluation.rows import Row, read_row
from engine.evaluation.table import Table
from engine.figures.looks import looks_of
from engine.runs.run import Run
from engine.studies import (
    DataOnDisk,
    Study,
    StudyEstimate,
    best_runs,
    check_cells,
    methods_text,
    selection_text,
    selectors,
)
from engine.system.plain_text import one_line
from engine.system.program import COMMAND
from gui.bridge import LatestWorker
from gui.metrics.study_choice import StudyChoice
from gui.metrics.study_estimator import StudyEstimator
from gui.metrics.study_foot import HERE, StudyFoot
from gui.metrics.study_session import StudySession
from gui.metrics.study_standing import Standing, read_standing
from gui.metrics.study_text import estimate_text, summary_text
from gui.settings.preferences import KEYS, read_preferences
from gui.widgets.layouts import label
from gui.widgets.plain import ask_text, for_button

EACH = "metrics/study-each"
WHERE = "metrics/study-where"


class StudyPanel(QObject):
    """Connects the controls above the table (`top`), those below it (`foot`) and the session.

    Emits `changed` when the table has changed, and `no_data(data set, message)` instead of starting a study whose data
    are missing; `select(metric)` to choose the best run by a metric, and `chosen(path)`
    with its folder.
    """

    changed = Signal()
    no_data = Signal(str, str)
    select = Signal(str)
    chosen = Signal(object)

    def __init__(self, settings: QSettings, session: StudySession) -> None:
        super().__init__()
        self._settings, self.session = settings, session
        self.shown = False
        self.standing: Standing | None = None
        self._data = DataOnDisk()
        self._needed: StudyEstimate | None = None
        self._measuring = False
        self._said = ""
        """The last message about the chosen study: how it ended, or what was copied."""
        self.choice, self.foot = StudyChoice(settings), StudyFoot()
        self.choice.changed.connect(self._choice_changed)
        self.choice.failed.connect(self._choice_failed)
        self.summary = label("", "muted", wrap=True)
        self.warnings = label("", "warning", wrap=True)
        self.error = label("", "error", wrap=True)
        self.top = QWidget()
        column = QVBoxLayout(self.top)
        column.setContentsMargins(0, 0, 0, 2)
        column.setSpacing(4)
        row = QHBoxLayout()
        row.setSpacing(10)
        row.addWidget(self.choice)
        row.addWidget(self.summary, 1)
        column.addLayout(row)
        for line in (self.warnings, self.error):
            column.addWidget(line)
        self.each = QCheckBox("&Each run")
        self.each.setToolTip("Show a row for each run with its state, instead of one for each method")
        self.each.setChecked(str(settings.value(EACH, "false")) == "true")
        self.each.toggled.connect(self._each_toggled)
        self.text = QPushButton("Copy methods text")
        self.text.setToolTip(
            "Copy a paragraph for a paper's methods section: data, network, settings, seeds, protocols, versions"
        )
        self.text.clicked.connect(self._copy_text)
        self.foot.where.setCurrentIndex(max(0, self.foot.where.findData(str(settings.value(WHERE, HERE)))))
        self.foot.where.activated.connect(self._where_chosen)
        self.best = QPushButton("Select best")
        self.best.setToolTip(
            "Choose the best run of this study by a metric; UDR and ModelCentrality compare runs and need no factors"
        )
        self.best.setMenu(QMenu(self.best))
        self.best.menu().aboutToShow.connect(self._fill_selectors)
        self.foot.start.clicked.connect(self._start)
        self.foot.pause.clicked.connect(self._pause)
        self.foot.stop.clicked.connect(session.stop)
        self.estimator = StudyEstimator(session.root, self)
        self.estimator.estimated.connect(self._estimated)
        self.estimator.ended.connect(self._measured)
        self.worker = LatestWorker(self)
        self.worker.answered.connect(self._answered)
        self.worker.failed.connect(self._failed)
        self.reader = LatestWorker(self)
        self.reader.answered.connect(self._rows_read)
        self.reader.failed.connect(self._not_read)
        session.changed.connect(self._show)
        session.moved.connect(self.refresh)
        session.ended.connect(self._ended)
        self.show_controls(shown=False)

    @property
    def study(self) -> Study | None:
        """The chosen study."""
        return self.choice.study

    @property
    def table(self) -> Table:
        """The table by methods or by runs, as chosen; empty until it has been read."""
        if self.standing is None:
            return Table((), ())
        return self.standing.runs if self.each.isChecked() else self.standing.methods

    def looks(self, table: Table) -> list[int]:
        """Return the number of a look for each row: that of its method."""
        if self.standing is None:
            return []
        methods = self.standing.methods
        numbers = looks_of(methods, {}, methods=True)
        of_method = {line.rows[0].method: number for line, number in zip(methods.lines, numbers, strict=True)}
        return [of_method[line.rows[0].method] for line in table.lines]

    def show_controls(self, *, shown: bool) -> None:
        """Show or hide the study; while it is hidden nothing is read or timed."""
        for widget in (self.top, self.foot, self.each, self.best, self.text):
            widget.setVisible(shown)
        if shown and not self.shown:
            self.shown = True
            self._data = DataOnDisk()
            self.choice.load()
            self.refresh()
            self._estimate()
            self._show()
        elif not shown:
            self.shown = False
            self.estimator.forget()

    def close(self) -> None:
        """End the threads that read and measure."""
        self.shown = False
        self.estimator.close()
        self.worker.close()
        self.reader.close()

    # Status and estimate

    @Slot()
    def refresh(self) -> None:
        """Read the study's status in the background."""
        study, session = self.study, self.session
        if study is None or not self.shown:
            return
        here = session.study is not None and session.study == study
        failures = tuple(session.failures) if here else ()
        working = tuple(session.working) if here else ()
        root, data = session.root, self._data
        self.worker.ask(study, lambda: read_standing(study, root, failures, working, data))

    @Slot(object, object)
    def _answered(self, study: Study, standing: Standing) -> None:
        if study != self.study or standing == self.standing:
            return
        self.standing = standing
        self._show()
        self.changed.emit()

    @Slot(object, str)
    def _failed(self, study: object, sentence: str) -> None:
        self._choice_failed(sentence)

    @Slot()
    def _choice_changed(self) -> None:
        self.error.setText("")
        self._said = ""
        self._data = DataOnDisk()
        if self.standing is not None and self.standing.study != self.study:
            self.standing = None
            self.changed.emit()
        self.refresh()
        self._estimate()
        self._show()

    @Slot(str)
    def _choice_failed(self, sentence: str) -> None:
        self.error.setText(sentence)
        self._show()

    def _estimate(self) -> None:
        self._needed, self._measuring = None, False
        if self.study is None or not self.shown or self.session.active:
            self.estimator.forget()
            return
        self._measuring = not self.session.blocked_by
        self.estimator.ask(self.study, measure=self._measuring)

    @Slot(object)
    def _estimated(self, needed: StudyEstimate) -> None:
        self._needed = needed
        self._show()

    @Slot()
    def _measured(self) -> None:
        self._measuring = False
        self._show()

    # The job

    @Slot()
    def _start(self) -> None:
        if self.study is None or self.standing is None:
            return
        left = [state for state in self.standing.states if state.state != "evaluated"]
        scheduler = self._scheduler() if self.foot.on_cluster else None
        if self.foot.on_cluster and not scheduler:
            return
        try:
            if scheduler is None:  # a cluster's workers have their own data
                check_cells(left)
        except DataError as error:
            self.no_data.emit(left[0].cell.config.dataset, f"The study was not started. {error}")
            return
        self.estimator.forget()
        self._said = ""
        self.error.setText("")
        self.session.start(self.study, scheduler)

    def _scheduler(self) -> str:
        """The scheduler's address, which is asked for and remembered if it is not known; empty on Cancel."""
        known = read_preferences(self._settings).scheduler
        return known or self._ask_scheduler(known)

    def _ask_scheduler(self, known: str) -> str:
        words = f"Address of the cluster's scheduler. Start one with: {COMMAND} scheduler"
        typed, accepted = ask_text(self.top, "Train on a cluster", words, known or "tcp://")
        address = one_line(typed) if accepted else ""
        if address:
            self._settings.setValue(KEYS["scheduler"], address)
        return address

    @Slot()
    def _where_chosen(self) -> None:
        """Remember where studies are trained; ask for the cluster's address, with the known one to confirm."""
        known = read_preferences(self._settings).scheduler
        if self.foot.on_cluster and not self._ask_scheduler(known):
            self.foot.where.setCurrentIndex(self.foot.where.findData(HERE))
        self._settings.setValue(WHERE, self.foot.where.currentData())
        self._show()

    @Slot()
    def _pause(self) -> None:
        if self.session.paused:
            self.session.resume()
        else:
            self.session.pause()

    @Slot(object, str)
    def _ended(self, study: Study, words: str) -> None:
        self._said = words
        self._data = DataOnDisk()
        self.refresh()
        self._estimate()
        self._show()

    # Display

    @Slot()
    def _show(self) -> None:
        if not self.shown:
            return
        study, session, standing = self.study, self.session, self.standing
        self.choice.lock(session.active)
        self.text.setEnabled(study is not None)
        self.best.setEnabled(standing is not None and standing.done > 0)
        self.each.setEnabled(study is not None)
        self.summary.setText(self._summary())
        warnings = "" if study is None or session.active else " ".join(study.warnings())
        self.warnings.setText(warnings)
        for line in (self.warnings, self.error):
            line.setVisible(bool(line.text()))
        if session.active:
            self.foot.show_running(session)
            return
        left = standing is not None and standing.done < len(standing.states)
        started = standing is not None and standing.done + standing.started > 0
        self.foot.show_idle(
            session.blocked_by if session.blocked_by and left else self._said,
            "Resume" if started and left else "Start",
            enabled=study is not None and left and not session.blocked_by,
        )
        self.foot.start.setToolTip(
            "Train and evaluate the remaining runs, several at a time; you can stop and resume at any time"
            if left
            else "Every run of this study has been trained and evaluated"
        )
        self.foot.start.setShortcut("Ctrl+Return")

    def _summary(self) -> str:
        """Return how many runs there are, how many are done, and how long the rest will take."""
        if self.study is None or self.standing is None:
            return ""
        words = summary_text(self.standing, self.session)
        if self.session.active or self.standing.done == len(self.standing.states):
            return words
        if self.foot.on_cluster:
            return f"{words} On the cluster at {read_preferences(self._settings).scheduler}."
        return f"{words} {estimate_text(self._needed, self.session.root, measuring=self._measuring)}".strip()

    @Slot()
    def _each_toggled(self) -> None:
        self._settings.setValue(EACH, "true" if self.each.isChecked() else "false")
        self.changed.emit()

    @Slot()
    def _fill_selectors(self) -> None:
        """Offer the metrics by which the best run can be chosen."""
        menu = self.best.menu()
        menu.clear()
        menu.setToolTipsVisible(True)
        for metric in selectors(self.study) if self.study is not None else ():
            if metric not in COMPARED and menu.actions() and menu.actions()[-1].data() in COMPARED:
                menu.addSeparator()
            column = METRICS[metric]
            action = menu.addAction(for_button(f"By {column.name}"))
            action.setData(metric)
            action.setToolTip(column.about)
            action.triggered.connect(lambda _, metric=metric: self.select.emit(metric))

    @property
    def evaluated(self) -> list[Path]:
        """The folders of the evaluated runs of the study."""
        states = self.standing.states if self.standing is not None else ()
        return [state.run for state in states if state.state == "evaluated" and state.run is not None]

    def choose_best(self, metric: str) -> None:
        """Find the best run by a metric in the background, say which it is, and emit `chosen`."""
        paths = self.evaluated
        self.reader.ask(metric, lambda: [read_row(Run.open(path)) for path in paths])

    @Slot(object, str)
    def _not_read(self, metric: str, sentence: str) -> None:
        self.say(sentence)

    @Slot(object, object)
    def _rows_read(self, metric: str, rows: Sequence[Row]) -> None:
        self.say(selection_text(rows, metric))
        self.refresh()
        if best := best_runs(rows, metric):
            self.chosen.emit(best[0].path)

    @Slot()
    def _copy_text(self) -> None:
        if self.study is not None:
            QGuiApplication.clipboard().setText(methods_text(self.study, self.session.root))
            self.say("Copied the methods text.")

    def say(self, words: str) -> None:
        """Show a message about the table."""
        self._said = words
        self._show()
