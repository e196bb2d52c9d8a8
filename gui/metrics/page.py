"""The Metrics page: evaluate the selected runs, read and export the table, view charts and images."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import QModelIndex, QSettings, Qt, Signal, Slot
from PySide6.QtGui import QCursor, QGuiApplication, QKeySequence, QShowEvent
from PySide6.QtWidgets import (
    QMenu,
    QPushButton,
    QStackedLayout,
    QVBoxLayout,
    QWidget,
)

from engine.errors import StudioError
from engine.evaluation.catalogue import COMPARED, quick_metrics
from engine.evaluation.grouping import ALIKE, sorted_rows
from engine.evaluation.rows import NOT_YET, Row, read_row
from engine.evaluation.table import Line, Table, table_of
from engine.evaluation.table_formats import latex, markdown, tabbed
from engine.figures.looks import look, looks_of
from engine.jobs.events import Progress
from gui.metrics.chart_card import ChartCard
from gui.metrics.chooser import MetricChooser
from gui.metrics.exports import reasons, save_picture, save_table
from gui.metrics.options import TableOptions
from gui.metrics.study_panel import StudyPanel
from gui.metrics.study_session import StudySession
from gui.metrics.subject_card import SubjectCard
from gui.metrics.table_model import MetricsModel
from gui.metrics.table_view import MetricsView
from gui.runs.store import RunItem
from gui.widgets.keys import add_shortcut
from gui.widgets.layouts import Card, JobFoot, empty_state
from gui.widgets.notes import Notes
from gui.widgets.plain import for_button, tip
from gui.widgets.splitter import Splitter
from gui.widgets.theme import tokens
from gui.widgets.words import count, duration

NO_RUNS = (
    "No runs have been evaluated.\n\nSelect runs on the left (Ctrl or Shift for several) and press Evaluate (F5).\n"
    "Or drop an .npz file with codes and factors here to score them."
)
NO_STUDY = "This study cannot be used.\n\nChoose another one, or open a study file."
SHORT = 2.0
"""Seconds after which the time left of a part of the evaluation is estimated."""

NONE_SELECTED = "No runs are selected.\n\nSelect runs on the left, or clear “Selected only”."


class MetricsPage(QWidget):
    """Shows a table of evaluated runs or of a study, with charts.

    Emits `evaluate(metrics)`, `open_asked` to score a representation from elsewhere, `cancel`, `open_run(path)`,
    `select_runs(paths)`, and `compare(paths, metric)` for runs of a study that are to be compared.
    """

    evaluate = Signal(object)
    open_asked = Signal()
    cancel = Signal()
    open_run = Signal(object)
    compare = Signal(object, str)
    select_runs = Signal(object)

    def __init__(self, settings: QSettings, studies: StudySession) -> None:
        super().__init__()
        self._settings = settings
        self.setProperty("helpTopic", "table")
        self._items: list[RunItem] = []
        self._selected: list[RunItem] = []
        self._read: dict[object, tuple[object, Row]] = {}
        self._known: list[tuple[Row, int, dict[int, str]]] = []
        self._busy = False
        self._part, self._since, self._done = "", 0.0, 0
        """The part of the evaluation that is shown, when it began (seconds), and how far it is."""
        self.full = Table((), ())
        """The table with all columns, in the displayed order."""
        self.displayed = self.full
        """The same, with the runs of the rows that are opened."""
        self._opened: set[object] = set()
        self.model = MetricsModel(self)
        self.chooser = MetricChooser(settings)
        self.options = TableOptions(settings)
        self.options.changed.connect(self._show)
        self.chooser.setProperty("helpTopic", "metrics")
        self.study = StudyPanel(settings, studies)
        self.study.changed.connect(self._show)
        self.study.select.connect(self._select_best)
        self.study.chosen.connect(self._show_best)
        self._chosen_by = ""
        """The metric by which the best run of the study is to be chosen once its runs are compared."""
        self._best: object = None
        """The folder of the run that is the best one and becomes the current row."""
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        self.charts, self.subject = ChartCard(settings), SubjectCard()
        for card in (self.charts, self.subject):
            card.setProperty("helpTopic", "table#pictures")
            card.group = (self.charts, self.subject)
        self.charts.picked.connect(self._pick)
        self.charts.export.connect(self._save_chart)
        self.charts.settings.brushed.connect(self.select_runs)
        self.subject.export.connect(self._save_subject)
        self.subject.open_run.connect(self.open_run)
        across, down = Qt.Orientation.Horizontal, Qt.Orientation.Vertical
        pictures = Splitter(across, (self.charts, self.subject), (500, 500), (1, 1), settings, "metrics/pictures")
        parts = (self._table_card(), pictures)
        layout.addWidget(Splitter(down, parts, (500, 330), (1, 1), settings, "metrics/halves"))
        self.show_idle()
        self._show()

    def _table_card(self) -> Card:
        card = Card("Metrics")
        card.title.hide()  # the page's tab says it, and the controls need the room
        self.copy = QPushButton("Copy")
        self.copy.setToolTip("Copy the table to the clipboard as displayed")
        menu = QMenu(self.copy)
        menu.addAction("As tab-separated text", self._copy_text)
        menu.addAction("As Markdown", self._copy_markdown)
        menu.addAction("As LaTeX", self._copy_latex)
        self.copy.setMenu(menu)
        self.export = QPushButton("Export…")
        self.export.setToolTip("Save the table as displayed, as CSV, Markdown, LaTeX or JSON (Ctrl+E)")
        self.export.setShortcut("Ctrl+E")
        self.export.clicked.connect(self._export)
        card.head.takeAt(card.head.count() - 1)
        card.head.addWidget(self.options, 1)
        for widget in (self.study.each, self.study.best, self.study.text, self.copy, self.export):
            card.head.addWidget(widget)
        card.body.addWidget(self.study.top)
        self.view = MetricsView()
        self.view.setModel(self.model)
        self.view.sort_asked.connect(self._sort)
        self.view.hide_asked.connect(self.options.hide_column)
        self.view.columns_asked.connect(self.options.columns.open)
        self.view.usual_asked.connect(self.options.usual_columns)
        self.view.fold_asked.connect(self._fold)
        for view in (self.view, self.view.frozen):
            view.doubleClicked.connect(self._open_line)
        self.view.selectionModel().currentRowChanged.connect(self._row_changed)
        add_shortcut(self.view, "Copy the table", QKeySequence.StandardKey.Copy, self._copy_text, within=True)
        self._message = empty_state(NO_RUNS)
        self._stack = QStackedLayout()
        card.body.addLayout(self._stack, 1)
        self._stack.addWidget(self._message)
        self._stack.addWidget(self.view)
        self.notes = Notes()
        card.body.addWidget(self.notes)
        self._foot = self._evaluate_foot()
        for foot in (self._foot, self.study.foot):
            card.body.addWidget(foot)
        return card

    def _evaluate_foot(self) -> JobFoot:
        self.cancel_button = QPushButton("Cancel")
        self.cancel_button.setToolTip("Cancel the evaluation; metrics computed so far are kept")
        self.cancel_button.clicked.connect(self._cancel)
        self.evaluate_button = QPushButton("Evaluate")
        self.evaluate_button.setObjectName("primary")
        self.evaluate_button.clicked.connect(lambda: self.evaluate.emit(self.chooser.metrics))
        self.quick_button = QPushButton("Quick look")
        self.quick_button.setToolTip(
            tip(
                "Compute what takes seconds: reconstruction loss, KL, active latents and, for data with factors, a "
                "FactorVAE score from a tenth of the votes and MIG without its interval. The columns say so.",
                "Keyboard: Shift+F5",
            )
        )
        self.quick_button.setShortcut("Shift+F5")
        self.quick_button.clicked.connect(lambda: self.evaluate.emit(quick_metrics()))
        self.chooser.changed.connect(self._say_button)
        self.open_button = QPushButton("Open representation…")
        self.open_button.setToolTip("Score codes that any program computed: an .npz file, which you can also drop here")
        self.open_button.setProperty("helpTopic", "representations")
        self.open_button.clicked.connect(self.open_asked)
        foot = JobFoot(self.cancel_button, self.open_button, self.quick_button, self.chooser, self.evaluate_button)
        self.bar, self.words = foot.bar, foot.words
        return foot

    # Displaying

    def show_runs(self, items: Sequence[RunItem], selected: Sequence[RunItem]) -> None:
        """Show the evaluations of all runs, given which ones are selected in the list."""
        chosen = [item.path for item in selected]
        moved = chosen != [item.path for item in self._selected]
        self._items, self._selected = list(items), list(selected)
        known = [(self._row_of(item), item.colour, item.latent_names) for item in items]
        colours = {item.path: item.colour for item in items}
        self.charts.settings.show_runs([row for row, _, _ in known], colours, chosen)
        if known != self._known or moved:
            self._known = known
            self._show()
        self.study.refresh()
        if moved and chosen:
            self._follow(chosen[0])

    def show_study(self, path: Path) -> None:
        """Show the study in a file; while another one is running, only list it."""
        self.options.show_study()
        self.study.choice.open_file(path)
        if self.study.session.active:
            self.study.say("The study has been saved; it can be chosen once this one has ended.")

    def take_plugins(self) -> None:
        """Offer the available metrics and studies, and read all rows again."""
        self.chooser.take_plugins()
        self._read.clear()
        self._known = []
        self.study.choice.take_plugins()
        self._show()

    def apply_theme(self) -> None:
        """Apply the current colour scheme."""
        self.charts.apply_theme()
        self.subject.apply_theme()
        self._show()

    def close_worker(self) -> None:
        """End the threads that draw images and read studies."""
        self.subject.close_worker()
        self.charts.settings.close_worker()
        self.study.close()

    def showEvent(self, event: QShowEvent) -> None:
        """Read the study, if one is shown, now that the page is visible."""
        super().showEvent(event)
        self._show()

    @Slot()
    def _show(self) -> None:
        study = self.options.study
        self.study.show_controls(shown=study and self.isVisible())
        self._show_foot()
        table = self.study.table if study else self._table_of_runs()
        sorting = self.options.sorting
        self.full = table.sorted_by(sorting[0], descending=sorting[1]) if sorting else table
        current = self._current_key()
        self.displayed = self.full.opened(lambda line: self._key(line) in self._opened)
        shown = self.displayed if study else self.options.visible(self.displayed)
        self.model.show_table(shown, [look(number, tokens().all_runs) for number in self._looks(self.displayed)])
        self.view.show_sorting(sorting)
        self._message.setText(self._nothing())
        self._stack.setCurrentIndex(1 if table.lines else 0)
        self.copy.setEnabled(bool(table.lines))
        self.export.setEnabled(bool(table.lines))
        self.notes.show_notes([*shown.notes(), *([] if study else reasons(self.full, self.chooser.metrics))])
        self.charts.show_table(self.full, self._looks(self.full))
        self._select_line(next((n for n, line in enumerate(self.displayed.lines) if self._key(line) == current), 0))
        if study and self._best is not None:
            self._follow(self._best)
        self._show_subject()
        self._say_button()

    def _table_of_runs(self) -> Table:
        """Return the table of all evaluated runs, or of the selected ones, with the rows chosen."""
        only = self.options.selected_only.isChecked()
        items = self._selected if only else self._items
        rows = sorted_rows([row for row in map(self._row_of, items) if only or row.note != NOT_YET])
        self.options.show_rows(rows)
        return table_of(rows, self.options.by, report=self.options.report, spread=self.options.spread)

    def _looks(self, table: Table) -> list[int]:
        """Return the number of a look for each row."""
        of_runs = {item.path: item.colour for item in self._items}
        methods = self.options.by not in (None, (ALIKE,))
        lines = [line for line in table.lines if not line.member]
        closed = replace(table, lines=tuple(lines))
        selected = {item.path for item in self._selected}
        rows = (
            self.study.looks(closed)
            if self.options.study
            else looks_of(closed, of_runs, methods=methods, selected=selected)
        )
        found = iter(rows)
        return [of_runs.get(line.rows[0].path or Path(), 0) if line.member else next(found, 0) for line in table.lines]

    def _nothing(self) -> str:
        """Return what to do while the table is empty."""
        if self.options.study:
            return "Loading the study…" if self.study.study else NO_STUDY
        return NONE_SELECTED if self.options.selected_only.isChecked() and not self._selected else NO_RUNS

    def _row_of(self, item: RunItem) -> Row:
        """Return a run's row; it is read again only if its files have changed."""
        stamp = item.evaluation_stamp
        kept = self._read.get(item.path)
        if kept is None or kept[0] != stamp:
            kept = stamp, read_row(item.run)
            self._read[item.path] = kept
        return kept[1]

    # The current row

    @Slot(QModelIndex, QModelIndex)
    def _row_changed(self, current: QModelIndex, previous: QModelIndex) -> None:
        self._show_subject()

    @Slot(int)
    def _pick(self, line: int) -> None:
        key = self._key(self.full.lines[line])
        self._select_line(next(n for n, shown in enumerate(self.displayed.lines) if self._key(shown) == key))

    @Slot(int)
    def _fold(self, row: int) -> None:
        """Show the runs of a row of several below it, or no longer."""
        key = self._key(self.displayed.lines[row])
        self._opened ^= {key}
        self._show()

    def _follow(self, path: object) -> None:
        """Go to the row of a run that has been selected in the list."""
        for number, line in enumerate(self.displayed.lines):
            if path in [row.path for row in line.rows]:
                self._select_line(number)

    def _select_line(self, line: int) -> None:
        if line < self.model.rowCount() and self.view.currentIndex().row() != line:
            self.view.setCurrentIndex(self.model.index(line, 0))

    def _current_key(self) -> object:
        line = self.view.currentIndex().row()
        lines = self.model.table.lines
        return self._key(lines[line]) if 0 <= line < len(lines) else None

    def _key(self, line: Line) -> object:
        """Return what identifies a row while the table is sorted and refreshed; a study's rows gain runs meanwhile."""
        if self.options.study and not line.member:
            return line.title
        return tuple(row.path for row in line.rows)

    @Slot(QModelIndex)
    def _open_line(self, index: QModelIndex) -> None:
        """Open the run of a row; if there are several, let the user choose one in a menu."""
        rows = [row for row in self.displayed.lines[index.row()].rows if row.path is not None]
        if len(rows) == 1:
            self.open_run.emit(rows[0].path)
        elif rows:
            menu = self.runs_menu(rows)
            menu.exec(QCursor.pos())

    def runs_menu(self, rows: Sequence[Row]) -> QMenu:
        """Return a menu that opens one of these runs."""
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        for row in rows:
            words = f"Open seed {row.seed}: {row.name}" + (f" ({row.note})" if row.note else "")
            menu.addAction(for_button(words), lambda path=row.path: self.open_run.emit(path))
        return menu

    def _show_subject(self) -> None:
        line = self.view.currentIndex().row()
        lines = self.displayed.lines
        beside = [row for other in self.full.lines for row in other.rows[:1]]
        rows = lines[line].rows if 0 <= line < len(lines) else ()
        if rows:
            self.charts.show_data(rows[0].data)
        names = {item.path: item.latent_names for item in self._items}
        self.subject.show_rows(rows, beside, names)

    # The best run of a study

    @Slot(str)
    def _select_best(self, metric: str) -> None:
        """Choose the best run of the study by a metric; if that compares runs, once they are compared."""
        if metric not in COMPARED:
            self.study.choose_best(metric)
        elif self._busy:
            self.study.say("Another evaluation is running. Select the best run when it has ended.")
        else:
            self._chosen_by = metric
            self.compare.emit(self.study.evaluated, metric)

    @Slot(object)
    def _show_best(self, path: object) -> None:
        """Show each run of the study, and make the best one the current row."""
        self._best = path
        self.study.each.setChecked(True)
        self._show()
        self._best = None

    def _show_foot(self) -> None:
        """Below a study, show only the progress of the comparison of its runs."""
        study = self.options.study
        self._foot.setVisible(not study or self._busy)
        for widget in (self.open_button, self.quick_button, self.chooser, self.evaluate_button):
            widget.setVisible(not study)

    @Slot(str, bool)
    def _sort(self, key: str, descending: bool) -> None:
        self.options.sorting = (key, descending)
        self._show()

    # Evaluating

    def show_progress(self, progress: Progress) -> None:
        """Show the progress of the evaluation."""
        self._busy = True
        self._show_foot()
        self.bar.show()
        self.cancel_button.show()
        if progress.what != self._part or progress.done < self._done:
            self._part, self._since = progress.what, time.monotonic()
        self._done = progress.done
        self.bar.setMaximum(progress.total)
        self.bar.setValue(progress.done)
        if self.cancel_button.isEnabled():
            words = f"{progress.what} · {progress.done:,} of {progress.total:,} {progress.unit}"
            taken, left = time.monotonic() - self._since, progress.total - progress.done
            if taken >= SHORT and progress.done > 0:
                words += f" · about {duration(taken * left / progress.done)} left"
            self.words.setText(words)
        self._say_button()

    def show_idle(self, words: str = "") -> None:
        """Show that nothing is being evaluated."""
        self._busy = False
        self.bar.hide()
        self.cancel_button.hide()
        self.cancel_button.setEnabled(True)
        self.words.setText(words)
        self._show_foot()
        self._say_button()
        metric, self._chosen_by = self._chosen_by, ""
        if metric and not words.startswith("Evaluated"):
            self.study.say(words)  # cancelled, or failed
        elif metric:
            self.study.choose_best(metric)

    @Slot()
    def _cancel(self) -> None:
        self.cancel_button.setEnabled(False)
        self.words.setText("Cancelling…")
        self.cancel.emit()

    @Slot()
    def _say_button(self) -> None:
        """Make the button say what it would do."""
        number, metrics = len(self._selected), len(self.chooser.metrics)
        self.evaluate_button.setText(f"Evaluate {count(number, 'run')}" if number else "Evaluate")
        self.evaluate_button.setShortcut("F5")  # setText clears it
        self.evaluate_button.setEnabled(not self._busy and metrics > 0)
        self.quick_button.setEnabled(not self._busy)
        self.evaluate_button.setToolTip(
            f"Compute {count(metrics, 'metric')} for the runs selected on the left (F5)"
            if metrics
            else "Choose metrics first"
        )

    # Saving

    @Slot()
    def _copy_text(self) -> None:
        self._copy(tabbed)

    @Slot()
    def _copy_markdown(self) -> None:
        self._copy(markdown)

    @Slot()
    def _copy_latex(self) -> None:
        self._copy(latex)

    def _copy(self, written: Callable[[Table], str]) -> None:
        if self.model.table.lines:
            QGuiApplication.clipboard().setText(written(self.model.table))
            self._say(f"Copied {count(self.model.rowCount(), 'row')}.")

    @Slot()
    def _export(self) -> None:
        self._save(lambda: save_table(self, self._settings, self.model.table))

    @Slot()
    def _save_chart(self) -> None:
        self._save(lambda: save_picture(self, self._settings, self.charts.file_name, self.charts.figure))

    @Slot()
    def _save_subject(self) -> None:
        self._save(lambda: save_picture(self, self._settings, self.subject.file_name, self.subject.figure))

    def _save(self, save: Callable[[], str]) -> None:
        try:
            words = save()
        except StudioError as error:
            words = str(error)
        if words:
            self._say(words)

    def _say(self, words: str) -> None:
        """Show a message below the table."""
        if self.options.study:
            self.study.say(words)
        else:
            self.words.setText(words)
