"""What the window costs: frames while a run trains, redrawing long curves, memory, and the time to the first paint."""

import gc
import os
import statistics
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QElapsedTimer, QEventLoop, QPointF, QSettings, Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QApplication

from engine.runs.metrics_file import MetricsReader, header
from engine.runs.previews import save_preview
from engine.runs.run import Run, RunState
from engine.settings.run_config import RunConfig
from engine.training.previewer import Previewer
from gui.widgets import theme
from gui.window.main_window import MainWindow

pytestmark = pytest.mark.benchmark

PROJECT = Path(__file__).resolve().parents[2]
FRAME = 1 / 60


def write_rows(path: Path, rows: int) -> None:
    """A metrics.csv of that many rows of an annealed run with ten latents, every step recorded."""
    rng = np.random.default_rng(0)
    with path.open("w") as file:
        file.write(header(10) + "\n")
        for first in range(1, rows + 1, 10_000):
            step = np.arange(first, min(first + 10_000, rows + 1))
            t = step / rows
            capacity = np.minimum(20, 40 * t)
            kl = capacity + rng.normal(0, 0.3, len(t))
            reconstruction = 700 * np.exp(-20 * t) + 80 + rng.normal(0, 5, len(t))
            each = np.abs(capacity[:, None] * np.linspace(0.3, 0, 10) + rng.normal(0, 0.05, (len(t), 10)))
            loss = reconstruction + 100 * np.abs(kl - capacity)
            table = np.column_stack([step, step / 938, step * 0.02, loss, reconstruction, kl, capacity, each])
            np.savetxt(file, table, fmt=["%d"] + ["%.6g"] * 16, delimiter=",")


@pytest.fixture
def open_window(qapp, tmp_path):
    """Open a window of 1440 x 900 over a folder of runs; closed at the end."""
    opened = []

    def make(runs: Path) -> MainWindow:
        theme.choose_scheme(qapp, "light")
        window = MainWindow(runs, QSettings(str(tmp_path / "settings.ini"), QSettings.Format.IniFormat))
        window.resize(1440, 900)
        window.show()
        qapp.processEvents()
        opened.append(window)
        return window

    yield make
    for window in opened:
        window.training.stop()
        window.training.wait()
        qapp.processEvents()
        window.close()


def long_run(folder: Path, rows: int) -> Run:
    run = Run.create(folder, RunConfig(dataset="mnist", objective="annealed-abs", steps=rows, log_steps=1))
    write_rows(run.metrics_file, rows)
    run.write_state(RunState("finished", rows, rows))
    return run


def read_all(qapp, window: MainWindow) -> tuple[float, float]:
    """Let the window read its runs; return how long that took, and the longest it was busy at once."""
    clock, longest = QElapsedTimer(), 0.0
    clock.start()
    while any(item.metrics.behind for item in window.store.items):
        started = time.perf_counter()
        qapp.processEvents()
        longest = max(longest, time.perf_counter() - started)
        time.sleep(0.001)
    return clock.elapsed() / 1000, longest


def point(window: MainWindow, share: float) -> None:
    """Move the pointer over the first plot."""
    canvas = window.training_page.curves.kl.canvas
    area = canvas.area()
    place = QPointF(area.left() + share * area.width(), area.center().y())
    event = QMouseEvent(
        QMouseEvent.Type.MouseMove,
        place,
        canvas.viewport().mapToGlobal(place),
        Qt.MouseButton.NoButton,
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
    )
    QApplication.sendEvent(canvas.viewport(), event)


def resident() -> float:
    """Memory of this process, in MB."""
    status = Path("/proc/self/status")
    if not status.exists():
        pytest.skip("memory is read from /proc")
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1e3


def percentiles(seconds: list[float]) -> str:
    ms = 1e3 * np.array(seconds)
    return f"median {np.median(ms):.1f} ms, 99th percentile {np.percentile(ms, 99):.1f} ms, worst {ms.max():.1f} ms"


@pytest.mark.parametrize("dataset", ["digits", "dsprites"])
def test_frame_time_while_training(qapp, open_window, tmp_path, dataset):
    """A hand moves over the curves at 60 frames a second while a run trains: from when a frame is due to its end."""
    for seed in (1, 2):
        run = long_run(tmp_path / "runs", 3000)
        run.write_marks({"name": f"earlier {seed}"})
    window = open_window(tmp_path / "runs")
    config = RunConfig(dataset=dataset, objective="annealed-relu", capacity_epochs=0.05, log_steps=10, steps=1_000_000)
    window._start(config)
    window.run_list.view.selectAll()
    while window.training.progress is None or window.training.progress.what != "Training":
        qapp.processEvents(QEventLoop.ProcessEventsFlag.AllEvents, 50)
    frames, began = [], time.perf_counter()
    first_step = window.training.progress.done
    for number in range(1800):
        due = began + number * FRAME
        while time.perf_counter() < due:
            left = due - time.perf_counter()
            QApplication.processEvents(QEventLoop.ProcessEventsFlag.AllEvents, max(0, int(1000 * left)))
            time.sleep(min(0.001, max(0.0, due - time.perf_counter())))
        point(window, 0.1 + 0.8 * abs((number % 240) / 120 - 1))
        qapp.processEvents()
        ended = time.perf_counter()
        frames.append(ended - due)
        began += max(0.0, ended - due - FRAME)  # frames that were missed are not made up for
    steps = window.training.progress.done - first_step
    print(f"\n{dataset}, 30 s, 3 runs, {steps} steps meanwhile: {percentiles(frames)} (load {os.getloadavg()[0]:.1f})")
    window.training.stop()
    while window.training.active:
        qapp.processEvents(QEventLoop.ProcessEventsFlag.AllEvents, 50)


@pytest.mark.parametrize("rows", [1_000, 1_000_000])
def test_redraw_of_long_curves(qapp, open_window, tmp_path, rows):
    long_run(tmp_path / "runs", rows)
    window = open_window(tmp_path / "runs")
    took, longest = read_all(qapp, window)
    page = window.training_page
    page.show_runs(window.run_list.items())
    qapp.processEvents()
    names = ("new points", "crosshair", "zoom", "smoothing")
    times: dict[str, list[float]] = {name: [] for name in names}
    processor: dict[str, list[float]] = {name: [] for name in names}
    for number in range(40):
        for name in times:
            started, used = time.perf_counter(), time.thread_time()
            if name == "new points":
                page.show_runs(window.run_list.items())
            elif name == "crosshair":
                point(window, 0.1 + 0.02 * number)
            elif name == "zoom":
                page.curves.kl.canvas.zoomed.emit(rows * 0.01 * number, rows * (1 - 0.01 * number))
            else:
                page.options.smoothing.setValue(10 + number % 20)
            qapp.processEvents()
            times[name].append(time.perf_counter() - started)
            processor[name].append(time.thread_time() - used)
    print(f"\n{rows:,} rows: all read after {took:.1f} s, busy at most {1e3 * longest:.0f} ms at once")
    for name, seconds in times.items():
        print(f"  {name}: {percentiles(seconds)}; of the processor's time {percentiles(processor[name])}")


def test_memory_of_a_million_steps(tmp_path):
    """Of the reader alone, row by row as they come: it must not grow with the run."""
    path = tmp_path / "metrics.csv"
    write_rows(path, 1_000_000)
    tracemalloc.start()
    try:
        reader = MetricsReader(path)
        lines = []
        while True:
            reader.refresh(200_000)
            lines.append(tracemalloc.get_traced_memory()[0] / 1e6)
            if not reader.behind:
                break
        peak = tracemalloc.get_traced_memory()[1] / 1e6
    finally:
        tracemalloc.stop()
    print(
        f"\n{path.stat().st_size / 1e6:.0f} MB of rows: {lines[-1]:.0f} MB kept ({len(reader):,} rows, each of "
        f"{reader.stride}), at most {max(lines):.0f} MB on the way, peak {peak:.0f} MB"
    )


def test_memory_of_the_window_over_a_million_steps(qapp, open_window, tmp_path):
    long_run(tmp_path / "runs", 1_000_000)
    gc.collect()
    before = resident()
    window = open_window(tmp_path / "runs")
    read_all(qapp, window)
    for smoothing in (5, 20, 40):
        window.training_page.options.smoothing.setValue(smoothing)
        qapp.processEvents()
    gc.collect()
    print(f"\nwindow over a million rows: {resident() - before:.0f} MB more than before it was opened")


def test_window_visible_after_start(tmp_path):
    """From the start of the process to the end of the first paint, with one run in the list."""
    long_run(tmp_path / "runs", 2000)
    script = (
        "import os, sys, time\n"
        "from gui.window.main_window import MainWindow\n"
        "from PySide6.QtCore import QTimer\n"
        "shown = MainWindow.paintEvent\n"
        "def paint(self, event):\n"
        "    shown(self, event)\n"
        "    QTimer.singleShot(0, lambda: (print(time.time(), flush=True), self.close()))\n"
        "MainWindow.paintEvent = paint\n"
        "from main import main\n"
        "sys.exit(main(['--theme', 'light', '--runs', sys.argv[1]]))\n"
    )
    seconds = []
    for _ in range(7):
        started = time.time()
        done = subprocess.run(
            [sys.executable, "-c", script, str(tmp_path / "runs")],
            cwd=PROJECT,
            capture_output=True,
            text=True,
            check=True,
        )
        seconds.append(float(done.stdout.split()[0]) - started)
    print(f"\nwindow visible after {statistics.median(seconds):.2f} s (median of 7; the first {seconds[0]:.2f} s)")


@pytest.mark.parametrize("dataset", ["digits", "dsprites"])
def test_cost_of_live_pictures(tmp_path, dataset):
    """What a preview and the held-out row cost, as a share of the steps between two of them."""
    import torch

    from engine.training.held_out import HeldOut
    from engine.training.trainer import Trainer

    run = Run.create(tmp_path, RunConfig(dataset=dataset, objective="annealed-relu"))
    trainer = Trainer(run)
    trainer.model.train()
    for _ in range(5):
        trainer._update()
    steps, pictures = [], []
    previewer = Previewer(run.config, trainer.dataset, torch.device("cpu"))
    held_out = HeldOut(run, trainer.dataset, torch.device("cpu")) if "test" in trainer.dataset.splits else None
    for number in range(10):
        started = time.perf_counter()
        for _ in range(5):
            trainer._update()
        steps.append((time.perf_counter() - started) / 5)
        started = time.perf_counter()
        save_preview(run.previews_folder, previewer(trainer.model, number + 1, trainer._kl_means()))
        if held_out:
            held_out.record(trainer.model, number + 1, 0.0, 0.0)
        pictures.append(time.perf_counter() - started)
    step, picture = statistics.median(steps), statistics.median(pictures)
    share = 100 * picture / (run.config.preview_steps * step)
    print(
        f"\n{dataset}: {1e3 * picture:.1f} ms for pictures and held-out row every {run.config.preview_steps} steps of "
        f"{1e3 * step:.1f} ms: {share:.2f} %"
    )
