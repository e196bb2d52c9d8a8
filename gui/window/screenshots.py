"""Takes the README's screenshots: `make screenshots RUNS=DIR`, with a folder of evaluated runs on dSprites.

They show the real window with real runs. Use a real screen (xcb) for its fonts; "offscreen" also works.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QEventLoop, QSettings, QTimer
from PySide6.QtWidgets import QWidget

from engine.system.paths import RESOURCES
from gui.app import make_app
from gui.widgets import theme
from gui.window.garbage import Collector
from gui.window.header import TABS
from gui.window.main_window import MainWindow

FOLDER = RESOURCES / "screenshots"
SIZE = 1440, 900
SETTLED = 1.5
"""Seconds for the last images and layouts to settle."""


class Photographer:
    """Opens the window on a runs folder and takes a screenshot of each page."""

    def __init__(self, runs: Path, settings: Path) -> None:
        self._app = make_app()
        self._collector = Collector(self._app)
        theme.choose_scheme(self._app, "light")
        kept = QSettings(str(settings), QSettings.Format.IniFormat)
        kept.setValue("metrics/study", "table-2")
        self._window = MainWindow(runs, kept)
        self._window.resize(*SIZE)
        self._window.show()
        self._until(lambda: bool(self._window.store.items))
        self._window.banner.hide()

    def take_all(self) -> None:
        """Take a screenshot of every page; the last one uses the dark theme."""
        dsprites = [item.path for item in self._window.store.items if item.run.config.dataset == "dsprites"]
        if not dsprites:
            raise SystemExit("This folder has no runs on dSprites.")
        self._select(dsprites[:3])
        self._page("Training")
        self._take("training", self._window)
        self._select(dsprites[:1])
        self._page("Traversal")
        self._take_traversal("traversal")
        metrics = self._window.metrics_page
        self._page("Metrics")
        self._take("metrics", self._window)
        metrics.options.segments.button(2).click()
        self._until(lambda: metrics.study.study is not None)
        self._take("study", self._window)
        self._page("Data")
        self._until(self._window.data_page.images.samples.isVisible)
        self._take("data", self._window)
        self._window.help.show_topic("methods")
        shown = self._window.help.shown
        assert shown is not None
        self._take("help", shown)
        shown.close()
        self._page("Traversal")
        self._select(dsprites[-1:])
        theme.choose_scheme(self._app, "dark")
        self._window.apply_theme()
        self._take_traversal("dark")
        self._window.close()
        self._collector.close()

    def _take_traversal(self, name: str) -> None:
        card = self._window.traversal_page.card
        self._until(lambda: not card.message.isVisible())
        self._take(name, self._window)

    def _select(self, paths: list[Path]) -> None:
        self._window.run_list.select(*paths)

    def _page(self, name: str) -> None:
        self._window.header.tabs.button(TABS.index(name)).click()

    def _take(self, name: str, widget: QWidget) -> None:
        self._wait(SETTLED)
        widget.grab().save(str(FOLDER / f"{name}.png"))

    def _until(self, true: Callable[[], bool], seconds: float = 60) -> None:
        end = time.monotonic() + seconds
        while not true():
            if time.monotonic() > end:
                raise SystemExit("The page did not finish loading.")
            self._wait(0.05)

    def _wait(self, seconds: float) -> None:
        loop = QEventLoop()
        QTimer.singleShot(round(1000 * seconds), loop.quit)
        loop.exec()


def main() -> None:
    """Take a screenshot of every page with the runs folder given on the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", type=Path)
    with tempfile.TemporaryDirectory() as folder:
        Photographer(parser.parse_args().runs, Path(folder) / "settings.ini").take_all()


if __name__ == "__main__":
    main()
