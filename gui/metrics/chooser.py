"""Chooses the metrics to compute, with a check box for each, in groups; the choice is remembered."""

from PySide6.QtCore import QSettings, Slot

from engine.evaluation.catalogue import GROUPS, METRICS, ON_REQUEST
from gui.metrics.options import metric_choices
from gui.widgets.check_popup import CheckPopup, ChoiceGroup

KEPT = "metrics/chosen"


class MetricChooser(CheckPopup):
    """The button shows how many metrics are selected."""

    def __init__(self, settings: QSettings) -> None:
        super().__init__("Metrics")
        self._settings = settings
        self.setToolTip("Choose the metrics that Evaluate computes")
        self.add_preset("All", "Every metric; DCI, PIPE and ModelCentrality take minutes", ())
        self.add_preset("Usual", "The metrics chosen at first: neither slow nor of other protocols", ())
        self.add_preset("None", "Clear the selection", ())
        usual = self._fill()
        kept = settings.value(KEPT)
        names = [kept] if isinstance(kept, str) else kept
        self.choose([n for n in names if n in METRICS] if isinstance(names, list) and names else usual)
        self.changed.connect(self._changed)
        self._say()

    def take_plugins(self) -> None:
        """Offer the available metrics; new ones are selected."""
        before, chosen = self._offered, self.chosen
        self._fill()
        self.choose(chosen | (self._offered - before))
        self._changed()

    def _fill(self) -> tuple[str, ...]:
        """Offer every metric; return the usual ones."""
        choices = metric_choices()
        usual = tuple(column.metric for column in METRICS.values() if column.group not in ON_REQUEST)
        self.show_groups([ChoiceGroup(group, choices[group], time) for group, time in GROUPS.items() if choices[group]])
        self.change_preset("All", list(METRICS))
        self.change_preset("Usual", usual)
        self._offered = set(METRICS)
        return usual

    @property
    def metrics(self) -> list[str]:
        """Names of the selected metrics, in the order of the table."""
        return [name for name in METRICS if name in self.chosen]

    @Slot()
    def _changed(self) -> None:
        self._settings.setValue(KEPT, self.metrics)
        self._say()

    def _say(self) -> None:
        self.setText(f"Metrics: {len(self.metrics)} of {len(METRICS)} ▾")
