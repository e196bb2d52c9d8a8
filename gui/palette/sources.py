"""What the command palette offers besides commands: runs, presets, help pages and their headings, settings."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from engine.runs.run import short_method_title
from engine.settings.run_config import DATASET_TITLES
from gui.bridge import LatestWorker
from gui.palette.entries import Entry
from gui.runs.store import RunItem
from gui.settings.dialog import PREFERENCES
from gui.training.settings_card import SettingsCard

SETTING, PREFERENCE, PRESET, PAGE, HEADING, RUN = 0.5, 0.4, 0.3, 0.25, 0.1, 0.0
"""Weights of the kinds of entries, which order entries that match equally well."""


def runs(items: Sequence[RunItem], open_run: Callable[[RunItem], object]) -> list[Entry]:
    """Return the runs, each of which is selected in the list."""
    return [
        Entry(
            f"run/{item.path.name}",
            item.name,
            f"Run · {DATASET_TITLES[item.run.config.dataset]} · {short_method_title(item.run.config)}",
            lambda item=item: open_run(item),  # type: ignore[misc]
            weight=RUN,
            listed=False,
        )
        for item in items
    ]


def models(items: Sequence[RunItem], open_model: Callable[[Path], object]) -> list[Entry]:
    """Return the gallery's models, each of which is shown in Traversal."""
    return [
        Entry(
            f"model/{item.path.name}",
            item.name,
            f"Gallery · {DATASET_TITLES[item.run.config.dataset]} · {short_method_title(item.run.config)}",
            lambda item=item: open_model(item.path),  # type: ignore[misc]
            weight=RUN,
            listed=False,
        )
        for item in items
    ]


def presets(card: SettingsCard, use: Callable[[str], object]) -> list[Entry]:
    """Return the presets, each of which fills in the form."""
    return [
        Entry(f"preset/{title}", title, "Preset", lambda title=title: use(title), weight=PRESET)  # type: ignore[misc]
        for title in card.preset_titles
    ]


def settings(card: SettingsCard, show: Callable[[str], object]) -> list[Entry]:
    """Return the settings that the chosen method and data set use, each of which is shown in the form."""
    return [
        Entry(f"setting/{key}", title, f"Setting · {group}", lambda key=key: show(key), weight=SETTING)  # type: ignore[misc]
        for key, title, group in card.offered
    ]


def preferences(show: Callable[[str], object]) -> list[Entry]:
    """Return the application's settings, each of which is shown in the dialog."""
    return [
        Entry(f"preference/{name}", title, "Settings", lambda name=name: show(name), weight=PREFERENCE)  # type: ignore[misc]
        for name, title in PREFERENCES.items()
    ]


class HelpOutline(QObject):
    """Titles of help pages and their headings, which take a moment to generate: a thread does so when first needed.

    Emits `known` when they are. `keys` returns the window's shortcuts; `show` opens the help at "topic#heading".
    """

    known = Signal()

    def __init__(
        self, keys: Callable[[], Mapping[str, str]], show: Callable[[str], object], parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._keys, self._show = keys, show
        self._entries: list[Entry] | None = None
        self._soon = QTimer(self, singleShot=True, interval=50)
        self._soon.timeout.connect(self._ask)
        self._worker = LatestWorker(self)
        self._worker.answered.connect(self._answered)

    def entries(self) -> list[Entry]:
        """Return the help pages and their headings; none until `known` has been emitted."""
        if self._entries is None:
            self._soon.start()  # once the palette is on the screen
        return self._entries or []

    @Slot()
    def _ask(self) -> None:
        keys = dict(self._keys())
        self._worker.ask(None, lambda: _outline(keys))

    @Slot()
    def forget(self) -> None:
        """Generate the titles again when they are next needed, since methods, metrics or data sets have changed."""
        self._entries = None

    def close(self) -> None:
        """End the thread."""
        self._soon.stop()
        self._worker.close()

    @Slot(object, object)
    def _answered(self, key: object, found: list[tuple[str, str, str]]) -> None:
        self._entries = [
            Entry(
                f"help/{where}",
                title,
                f"Help · {place}",
                lambda where=where: self._show(where),  # type: ignore[misc]
                weight=HEADING if "#" in where else PAGE,
                listed=False,
            )
            for where, title, place in found
        ]
        self.known.emit()


def _outline(keys: Mapping[str, str]) -> list[tuple[str, str, str]]:
    from gui.help.topics import outline

    return outline(keys)
