"""What the window costs a training run that is watched in it. Run with `make bench`.

One process, alternating: a run trains in the real window, with its curves and pictures in front, for some seconds;
it is paused, and a second run of the same settings trains without a window.
"""

import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.benchmark
ROOT = Path(__file__).resolve().parents[2]
PAIRS = 20
SECONDS = 2.0


@pytest.mark.parametrize("dataset", ["digits", "dsprites"])
def test_training_in_the_window_against_headless(tmp_path: Path, dataset: str) -> None:
    """Print the ratio of a step's time, by the clock and of processors, and how busy the window's own thread was."""
    command = [sys.executable, __file__, dataset, str(tmp_path)]
    environment = os.environ | {"QT_QPA_PLATFORM": "offscreen"}
    if shutil.which("xvfb-run"):
        command = ["xvfb-run", "-a", "-s", "-screen 0 1440x900x24", *command]
        environment["QT_QPA_PLATFORM"] = "xcb"
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    print(f"\n{done.stdout.strip()}")


class Stopwatch:
    """When each step of a trainer ended: on the clock, and in processor time of the whole process."""

    def __init__(self) -> None:
        self.clock: list[float] = []
        self.processor: list[float] = []

    def start(self) -> None:
        """Forget the steps so far."""
        self.clock.clear()
        self.processor.clear()

    def tick(self) -> None:
        """Note the end of a step."""
        self.clock.append(time.perf_counter())
        self.processor.append(time.process_time())

    def step_times(self) -> tuple[float, float]:
        """Milliseconds a step since the start; the first step, which follows a pause, is left out."""
        steps = len(self.clock) - 1
        return 1e3 * (self.clock[-1] - self.clock[0]) / steps, 1e3 * (self.processor[-1] - self.processor[0]) / steps


def measure(dataset: str, folder: Path) -> None:
    """Alternate, and print; called in a process of its own."""
    from PySide6.QtCore import QEventLoop, QSettings, QTimer
    from PySide6.QtWidgets import QApplication

    from engine.runs.run import Run
    from engine.settings.presets import shipped_presets
    from engine.system.memory import keep_freed_memory
    from engine.training.trainer import Trainer, train
    from gui.widgets import theme
    from gui.window.main_window import MainWindow

    keep_freed_memory()
    watch = Stopwatch()
    update = Trainer._update

    def watched(trainer: Trainer) -> None:
        update(trainer)
        watch.tick()

    Trainer._update = watched
    app = QApplication(sys.argv[:1])
    app.setStyle("Fusion")
    theme.choose_scheme(app, "light")
    window = MainWindow(folder / "runs", QSettings(str(folder / "settings.ini"), QSettings.Format.IniFormat))
    window.show()
    config = shipped_presets()[0].config.changed(dataset=dataset, steps=1_000_000)
    window._start(config)

    def run_events(seconds: float) -> None:
        """Run the window for that long."""
        loop = QEventLoop()
        QTimer.singleShot(round(1e3 * seconds), loop.quit)
        loop.exec()

    def watched_for(seconds: float) -> tuple[float, float, float]:
        """Milliseconds a step in the window, of the clock and of processors; the share the window's thread was busy."""
        watch.start()
        busy, start = time.thread_time(), time.perf_counter()
        run_events(seconds)
        share = (time.thread_time() - busy) / (time.perf_counter() - start)
        times = watch.step_times()
        window.training.pause()
        while not window.training.paused:
            run_events(0.01)
        return *times, share

    job = train(Run.create(folder / "headless", config))

    def alone_for(seconds: float) -> tuple[float, float]:
        watch.start()
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            next(job)
        return watch.step_times()

    watch.start()
    while len(watch.clock) < 20:  # the data, the first steps, the first curves and pictures
        run_events(0.1)
    pairs = []
    for _ in range(PAIRS):
        pairs.append((watched_for(SECONDS), alone_for(SECONDS)))
        window.training.resume()
    window.training.stop()
    job.close()
    while window.training.active:
        run_events(0.01)
    window.close()
    clock, processor = ([w[i] / a[i] for w, a in pairs] for i in (0, 1))
    print(
        f"{dataset}, batch {config.batch_size}, {app.platformName()}: "
        f"{statistics.median(w[0] for w, _ in pairs):.2f} ms a step in the window, "
        f"{statistics.median(a[0] for _, a in pairs):.2f} ms headless: {ratio(clock)}; "
        f"of processors {ratio(processor)}; "
        f"the window's thread is busy {100 * statistics.median(w[2] for w, _ in pairs):.1f} % of the time"
    )


def ratio(values: list[float]) -> str:
    """Median and quartiles in words."""
    low, middle, high = statistics.quantiles(values, n=4)
    return f"ratio {middle:.3f} (quartiles {low:.3f}, {high:.3f}, {len(values)} pairs)"


if __name__ == "__main__":
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    sys.path.insert(0, str(ROOT))
    measure(sys.argv[1], Path(sys.argv[2]))
