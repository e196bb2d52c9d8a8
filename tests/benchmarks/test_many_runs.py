"""What a folder of 300 or 2,000 runs costs the window: opening it, doing nothing, selecting, grouping and scrolling.

Processor time of the whole process, since the clock says little on a busy machine.
"""

import json
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QEventLoop, QSettings, QTimer

from engine.runs.metrics_file import header
from engine.runs.run import RunState
from engine.settings.run_config import RunConfig
from gui.runs.groups import NO_GROUPS, SEEDS
from gui.training.estimator import Estimator
from gui.widgets import theme
from gui.window.main_window import MainWindow

pytestmark = pytest.mark.benchmark

SIZES = (0, 300, 2000)
"""Numbers of runs; opening without any is the window itself."""

ROWS = 2000
IDLE_SECONDS = 20.0


def many_runs(folder: Path, runs: int) -> None:
    """Write finished runs of 100,000 steps with curves of 2,000 points, weights and an evaluation."""
    numbers = np.random.default_rng(0).random((ROWS, 15)) * 100
    lines = [
        ",".join([str(50 * (i + 1)), f"{i / 200:.4g}", f"{i}", *(f"{v:.9g}" for v in row[:14])])
        for i, row in enumerate(numbers)
    ]
    curves = "\n".join([header(10), *lines, ""])
    settings = RunConfig(steps=50 * ROWS).to_json()
    state = RunState("finished", 50 * ROWS, 50 * ROWS).values()
    metrics = {"reconstruction": {"value": 90.5, "unit": "nats", "protocol": {}}}
    folder.mkdir(exist_ok=True)
    for number in range(runs):
        run = folder / f"annealed-relu-dsprites-{number}"
        (run / "checkpoint").mkdir(parents=True)
        created = f"2026-01-{1 + number % 28:02}T00:{number % 60:02}:00.000+00:00"
        (run / "config.json").write_text(json.dumps(settings | {"seed": number, "created": created}))
        (run / "state.json").write_text(json.dumps(state))
        (run / "marks.json").write_text(json.dumps({"colour": number % 8}))
        (run / "metrics.csv").write_text(curves)
        (run / "checkpoint" / "model.safetensors").write_bytes(b"none")
        evaluation = {"run": run.name, "name": run.name, "step": 50 * ROWS, "metrics": metrics}
        (run / "evaluation.json").write_text(json.dumps(evaluation))


def run_events(seconds: float) -> None:
    """Run the window for that long."""
    loop = QEventLoop()
    QTimer.singleShot(round(1e3 * seconds), loop.quit)
    loop.exec()


def cost(what: str, act, qapp) -> None:
    """Print the processor time of something that is done in the window, and of what it paints."""
    before = time.thread_time()
    act()
    qapp.processEvents()
    print(f"{what}: {1e3 * (time.thread_time() - before):.0f} ms")


@pytest.mark.parametrize("runs", SIZES)
def test_the_window_over_many_runs(qapp, tmp_path, monkeypatch, runs):
    monkeypatch.setattr(Estimator, "_measure", lambda self: None)  # steps tried beside the window are another cost
    many_runs(tmp_path / "runs", runs)
    qapp.setStyle("Fusion")
    theme.choose_scheme(qapp, "light")
    theme.apply(qapp)
    print()
    made = []

    def open_window() -> None:
        settings = QSettings(str(tmp_path / "settings.ini"), QSettings.Format.IniFormat)
        made.append(MainWindow(tmp_path / "runs", settings))
        made[0].resize(1440, 900)
        made[0].show()

    cost(f"opening over {runs:,} runs", open_window, qapp)
    [window] = made
    run_events(3)
    if not runs:
        window.close()
        return
    for what in ("idle", "idle, all selected"):
        clock, processor = time.perf_counter(), time.process_time()
        run_events(IDLE_SECONDS)
        share = (time.process_time() - processor) / (time.perf_counter() - clock)
        longest = longest_block(IDLE_SECONDS / 4)  # its timers cost as much again
        print(f"{what}: {100 * share:.2f} % of a core over {IDLE_SECONDS:.0f} s, longest block {1e3 * longest:.0f} ms")
        if what == "idle":
            cost("selecting all", window.run_list.view.selectAll, qapp)
            run_events(1)
    cost("selecting none", window.run_list.view.clearSelection, qapp)
    for grouping in (SEEDS, "Data set"):
        cost(f"grouping by {grouping.lower()}", partial(window.run_list._group, grouping), qapp)
        cost("selecting all", window.run_list.view.selectAll, qapp)
        group = window.run_list.shown.heading(window.run_list.shown.index(0, 0))
        cost("folding", partial(window.run_list._fold, group), qapp)
        run_events(2)
    window.run_list._group(NO_GROUPS)
    bar = window.run_list.view.verticalScrollBar()
    longest = 0.0
    for value in range(0, bar.maximum(), max(1, bar.maximum() // 200)):
        before = time.thread_time()
        bar.setValue(value)
        qapp.processEvents()
        longest = max(longest, time.thread_time() - before)
    print(f"scrolling through the list: longest step {1e3 * longest:.0f} ms")
    cost("filtering", lambda: window.run_list.filter.setText("seed 1"), qapp)
    cost("filter removed", lambda: window.run_list.filter.setText(""), qapp)
    for tab in ("Traversal", "Metrics", "Data", "Training"):
        button = next(b for b in window.header.tabs.buttons() if b.text().replace("&", "") == tab)
        cost(f"the page {tab}, all selected", button.click, qapp)
        run_events(0.5)
    for time_ in ("first", "second"):
        cost(f"opening the command palette, the {time_} time", window.palette_.open, qapp)
        run_events(1)
        for words in ("s", "se", "seed 1999"):
            cost(f"typing {words!r}", lambda words=words: window.palette_.line.setText(words), qapp)
        window.palette_.close_again()
    cost("selecting none", window.run_list.view.clearSelection, qapp)
    window.close()


def longest_block(seconds: float) -> float:
    """Run the window for that long; return the longest processor time that its thread took in one go."""
    longest, end = 0.0, time.perf_counter() + seconds
    loop = QEventLoop()
    while time.perf_counter() < end:
        QTimer.singleShot(20, loop.quit)
        before = time.thread_time()
        loop.exec()
        longest = max(longest, time.thread_time() - before)
    return longest
