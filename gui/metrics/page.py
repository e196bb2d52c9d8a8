"""The metrics page: evaluate the selected runs, read and export the table."""

from PySide6.QtCore import QSettings, Signal, Slot
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QHeaderView,
    QProgressBar,
    QPushButton,
    QStackedLayout,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from engine.evaluation.table import comma_separated, markdown
from engine.events import Progress
from engine.files import write_bytes
from gui.metrics.table_model import MetricsModel
from gui.run_store import RunItem
from gui.widgets.layouts import Card, empty_state, label
from gui.widgets.save_dialog import CSV, MARKDOWN, ask_file, proposed_name


class MetricsPage(QWidget):
    """Emits `evaluate` and `cancel`; shows progress and the table of all evaluated runs."""

    evaluate = Signal()
    cancel = Signal()

    def __init__(self) -> None:
        super().__init__()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        card = Card("Evaluated runs")
        layout.addWidget(card, 1)
        self.evaluate_button = QPushButton("Evaluate selected runs")
        self.evaluate_button.setObjectName("primary")
        self.evaluate_button.setToolTip(
            "Compute reconstruction loss, KL and sharpness of the runs selected at the left (F5)"
        )
        self.evaluate_button.setShortcut("F5")
        self.evaluate_button.clicked.connect(self.evaluate)
        self.copy = QPushButton("Copy as Markdown")
        self.copy.setToolTip("Put the table on the clipboard")
        self.copy.clicked.connect(self._copy)
        self.export = QPushButton("Export…")
        self.export.setToolTip("Save the table as CSV or Markdown")
        self.export.clicked.connect(self._export)
        for button in (self.copy, self.export, self.evaluate_button):
            card.head.addWidget(button)

        self.model = MetricsModel(self)
        self.table = QTableView()
        self.table.setModel(self.model)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setShowGrid(False)
        self.table.setWordWrap(False)
        self.table.setAccessibleName("Evaluated runs")
        self.table.verticalHeader().hide()
        self.table.verticalHeader().setDefaultSectionSize(36)
        self.table.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        self._stack = QStackedLayout()
        self._stack.addWidget(
            empty_state(
                "No run is evaluated yet.\n\nSelect runs at the left (Ctrl or Shift for several) and press "
                "“Evaluate selected runs”."
            )
        )
        self._stack.addWidget(self.table)
        card.body.addLayout(self._stack, 1)

        foot = QHBoxLayout()
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setFixedWidth(220)
        self.words = label("", "muted", wrap=True)
        self.cancel_button = QPushButton("Cancel")
        self.cancel_button.setToolTip("End the evaluation; what is computed stays")
        self.cancel_button.clicked.connect(self.cancel)
        foot.addWidget(self.bar)
        foot.addWidget(self.words, 1)
        foot.addWidget(self.cancel_button)
        card.body.addLayout(foot)
        self.show_idle()

    def show_runs(self, items: list[RunItem]) -> None:
        """Show the evaluated ones among all runs."""
        self.model.show_runs(items)
        some = bool(self.model.rows)
        self._stack.setCurrentIndex(1 if some else 0)
        self.copy.setEnabled(some)
        self.export.setEnabled(some)

    def show_progress(self, progress: Progress) -> None:
        """Show how far the evaluation is."""
        self.evaluate_button.setEnabled(False)
        for widget in (self.bar, self.cancel_button):
            widget.setVisible(True)
        self.bar.setMaximum(progress.total)
        self.bar.setValue(progress.done)
        self.words.setText(f"{progress.what} · {progress.done:,} of {progress.total:,} {progress.unit}")

    def show_idle(self, words: str = "") -> None:
        """Nothing is evaluated now."""
        self.bar.hide()
        self.cancel_button.hide()
        self.words.setText(words)
        self.evaluate_button.setEnabled(True)

    @Slot()
    def _copy(self) -> None:
        QGuiApplication.clipboard().setText(markdown(self.model.rows))
        self.words.setText("Copied.")

    @Slot()
    def _export(self) -> None:
        name = proposed_name([row.name for row in self.model.rows], "metrics")
        path = ask_file(self, QSettings(), "Save the table", name, (CSV, MARKDOWN))
        if path is None:
            return
        text = markdown(self.model.rows) if path.suffix.lower() == ".md" else comma_separated(self.model.rows)
        try:
            write_bytes(path, text.encode())
        except OSError as error:
            self.words.setText(f"{path} cannot be written: {error.strerror or error}.")
        else:
            self.words.setText(f"Saved as {path}")
