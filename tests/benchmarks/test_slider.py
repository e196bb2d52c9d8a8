"""From a latent's slider to the pixels of the picture, alone and while a run trains in the same window."""

import time

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QObject, QSettings
from PySide6.QtWidgets import QApplication

from engine.runs.run import Run
from engine.settings.run_config import RunConfig
from engine.training.trainer import train
from gui.widgets import theme
from gui.window.main_window import MainWindow

pytestmark = pytest.mark.benchmark

MOVES = 400
INTERVAL = 1 / 60
"""Seconds between two moves: the mouse's own pace."""


class Painted(QObject):
    """Remembers when a widget was painted last."""

    def __init__(self) -> None:
        super().__init__()
        self.when = 0.0

    def eventFilter(self, thing: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Paint:
            self.when = time.perf_counter()
        return False


def config(**settings: object) -> RunConfig:
    """Settings of a run on dSprites, 64 x 64, ten latents."""
    return RunConfig.parse({"dataset": "dsprites", "objective": "vae", "device": "cpu", "log_steps": 50} | settings)


@pytest.fixture
def window(qapp, tmp_path):
    theme.choose_scheme(qapp, "light")
    run = Run.create(tmp_path / "runs", config(steps=20))
    for _ in train(run):
        pass
    made = MainWindow(tmp_path / "runs", QSettings(str(tmp_path / "settings.ini"), QSettings.Format.IniFormat))
    made.resize(1440, 900)
    made.show()
    yield made
    made.training.stop()
    made.training.wait()
    qapp.processEvents()
    made.close()


def wait_until(condition, seconds: float = 120.0) -> None:
    end = time.perf_counter() + seconds
    while not condition():
        assert time.perf_counter() < end
        QApplication.processEvents()
        time.sleep(0.0005)


def times_to_pixels(page) -> np.ndarray:
    """Move a slider again and again, each time waiting until the picture of that value is painted; in milliseconds."""
    row = page.sliders.rows[page.sliders.order[0]]
    painted = Painted()
    pictures = page.source.pictures
    pictures.installEventFilter(painted)
    found = []
    for move in range(MOVES):
        QApplication.processEvents()
        started = time.perf_counter()
        row.track.setValue((100 + move % 150) * (-1) ** move)
        wait_until(lambda started=started: painted.when > started)
        found.append(1000 * (painted.when - started))
        while time.perf_counter() < started + INTERVAL:
            QApplication.processEvents()
            time.sleep(0.0005)
    pictures.removeEventFilter(painted)
    return np.array(found[10:])


def report(what: str, times: np.ndarray) -> None:
    print(f"\n{what}: median {np.median(times):.1f} ms, 99th percentile {np.percentile(times, 99):.1f} ms")


def test_slider_to_pixels(qapp, window):
    [item] = window.store.items
    window.run_list.select(item.path)
    window.header.tabs.button(1).click()
    page = window.traversal_page
    wait_until(lambda: page.answer is not None)
    report("slider to pixels", times_to_pixels(page))

    window.training.start(config(steps=1_000_000, checkpoint_steps=1_000_000))
    wait_until(lambda: window.training.progress is not None and window.training.progress.done > 20)
    window.run_list.select(item.path)
    wait_until(lambda: page.answer is not None and page.request == page._asked)
    report("slider to pixels while training", times_to_pixels(page))
