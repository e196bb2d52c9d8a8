"""The self-test: a user's complete workflow in the window, on real data, in a temporary folder.

`main.py --selftest` prints a line for each step with its time and exits with 0; or it names the step that failed and
why, and exits with 1.
"""

import math
import os
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import numpy as np
from PySide6.QtCore import QEventLoop, QSettings, QTimer, qVersion

from engine.gallery import GALLERY
from engine.jobs.events import Finished, Job
from engine.settings.run_config import RunConfig
from engine.system.log_file import about, end_log, start_log
from engine.system.paths import APP, log_file
from gui.app import make_app
from gui.runs.store import RunItem
from gui.widgets import theme
from gui.window.errors import Catcher, Problem
from gui.window.garbage import Collector
from gui.window.main_window import MainWindow

LIMIT = 240.0
"""Seconds after which a step counts as hung; the longest takes 30 on two busy cores."""

STEPS, EVERY = 60, 5
"""Length of each run and steps between two points of its curves."""

SHORT = RunConfig(steps=STEPS, log_steps=EVERY, preview_steps=20, batch_size=32)
DIGITS = SHORT.changed(dataset="digits")
DSPRITES = SHORT.changed(dataset="dsprites")
GRID = (3, 2, 4, 4, 4)
"""Numbers of shapes, scales, orientations and positions of the images used in the evaluation."""

SPRITES = math.prod(GRID)


class FailedError(Exception):
    """A step failed; the message says what was expected."""


def run_selftest() -> int:
    """Run the self-test; return the exit status."""
    folder = Path(tempfile.mkdtemp(prefix="disentangle-studio-"))
    # platformdirs reads these before the system's own user folders; child processes inherit them.
    for name in ("CACHE", "CONFIG", "DATA", "STATE"):
        os.environ[f"XDG_{name}_HOME"] = str(folder / name.lower())
    for name in ("APPDATA", "LOCAL_APPDATA"):
        os.environ[f"WIN_PD_OVERRIDE_{name}"] = str(folder)
    os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(folder / "torch")
    logged = start_log(log_file())
    try:
        return SelfTest(folder).carry_out()
    finally:
        end_log(logged)
        shutil.rmtree(folder, ignore_errors=True)


class SelfTest:
    """The steps in order. Each returns a short summary."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._settings = QSettings(str(folder / "settings.ini"), QSettings.Format.IniFormat)
        self._problems: list[Problem] = []
        self._step = "start"
        self._watch = threading.Event()

    def carry_out(self) -> int:
        """Run every step and print its outcome."""
        began = time.monotonic()
        self._app = make_app()
        _say(f"{APP} self-test: {about()}; Qt {qVersion()} on {self._app.platformName()}")
        self._catcher, self._collector = Catcher(), Collector(self._app)
        self._catcher.caught.connect(self._problems.append)
        theme.choose_scheme(self._app, "light")
        for name, step in (
            ("window", self._open),
            ("gallery", self._look_at_gallery),
            ("training on digits", self._train_digits),
            ("training on dSprites", self._train_dsprites),
            ("traversal", self._traverse),
            ("evaluation", self._evaluate),
            ("export and import", self._export),
            ("window again", self._reload),
            ("close", self._close),
        ):
            self._step = name
            watch = threading.Timer(LIMIT, self._give_up, [f"it did not finish within {LIMIT:g} seconds"])
            watch.daemon = True
            watch.start()
            started = time.monotonic()
            try:
                words = step()
                self._require_no_problem()
            except Exception as error:  # whatever the cause, the step failed
                self._give_up(str(error) if isinstance(error, FailedError) else f"{type(error).__name__}: {error}")
            watch.cancel()
            _say(f"  {name:<22} {time.monotonic() - started:5.1f} s   {words}")
        self._catcher.close()
        self._collector.close()
        _say(f"All steps passed in {time.monotonic() - began:.0f} s.")
        return 0

    def _give_up(self, why: str) -> NoReturn:
        """Name the failed step and end the process at once, since threads may hang or still be training."""
        _say(f"  {self._step:<22} FAILED: {why}")
        shutil.rmtree(self._folder, ignore_errors=True)
        os._exit(1)

    # The steps

    def _open(self) -> str:
        self._window = MainWindow(self._folder / "runs", self._settings, GALLERY)
        self._window.show()
        self._until(self._window.isVisible)
        picture = self._window.grab().toImage()
        colours = {picture.pixel(x, y) for x in range(0, picture.width(), 7) for y in range(0, picture.height(), 7)}
        _require(len(colours) > 10, "the window to be drawn")
        return f"{self._window.width()} × {self._window.height()} pixels"

    def _look_at_gallery(self) -> str:
        page, traversal = self._window.gallery_page, self._window.traversal_page
        assert page is not None
        self._until(lambda: bool(page.cards) or bool(page.problems.text()))
        _require(not page.problems.text(), f"no damaged models ({page.problems.text()})")
        _require(page.isVisible(), "the gallery to greet a user without runs")
        for card in page.cards:
            card.button.click()
            path = card.model.run.path
            self._until(lambda path=path: traversal.answer is not None and traversal.answer.loaded.weights.run == path)  # type: ignore[misc]
        return f"{len(page.cards)} models opened without data"

    def _train_digits(self) -> str:
        session, card = self._window.training, self._window.training_page.settings
        self._start(DIGITS)
        self._until(lambda: session.progress is not None and session.progress.what == "Training")
        card.pause_button.click()
        self._until(lambda: session.paused)
        assert session.run is not None
        paused = session.run.state()
        _require(paused.state == "paused" and 0 < paused.step < STEPS, "the run to be paused before its end")
        card.pause_button.click()
        item = self._end()
        _require(item.run.state().step == STEPS, "the run to reach its full length after a pause")
        return f"paused at step {paused.step}, resumed; {_words(item)}"

    def _train_dsprites(self) -> str:
        self._start(DSPRITES)
        return _words(self._end())

    def _traverse(self) -> str:
        from gui.traversal.answering import decode_one

        self._window.header.tabs.button(1).click()
        page = self._window.traversal_page
        self._until(lambda: page.answer is not None)
        answer = page.answer
        assert answer is not None
        row = page.sliders.rows[page.sliders.order[0]]
        row.value.setValue(2.5)
        expected = decode_one(answer.loaded, page.sliders.z, answer.label)
        self._until(lambda: np.array_equal(page.source.pictures.rows[0].images[-1], expected))
        rows = page.card.latents.grid.rows
        _require(len(rows) == DSPRITES.latents, "a row of images for every latent")
        return f"{len(rows)} latents; z{row.latent} = 2.5 decoded"

    def _evaluate(self) -> str:
        from engine.evaluation.catalogue import usual_metrics

        config = DIGITS.changed(dataset="arrays", data_folder=_write_sprites(self._folder / "sprites.npz"))
        self._window.header.tabs.button(0).click()
        self._start(config)
        item = self._end()
        self._window.header.tabs.button(2).click()
        page, session = self._window.metrics_page, self._window.evaluation
        page.chooser.choose(usual_metrics())
        page.evaluate_button.click()
        self._until(lambda: not session.active)
        found = item.run.evaluation().get("metrics", {})
        lacking = [name for name in usual_metrics() if not ({"reason", "protocol"} & found.get(name, {}).keys())]
        _require(not lacking, f"a value of {', '.join(lacking)}, or a reason ({page.words.text()})")
        values = {name: entry["value"] for name, entry in found.items() if entry["value"] is not None}
        _require({"kl", "mig", "dci_disentanglement", "info_m"} <= values.keys(), "the scores to have values")
        _require(all(map(math.isfinite, values.values())), "every value to be finite")
        self._until(lambda: page.model.rowCount() == 1)
        return f"{len(values)} metrics on {SPRITES} dSprites images"

    def _export(self) -> str:
        from engine.export.runs import export
        from engine.runs.archive import read_archive

        item, runs = self._window.store.items[0], self._folder / "runs"
        before = set(runs.iterdir())
        sizes = []
        for ending in ("png", "svg", "pdf", "csv", "zip"):
            path = self._folder / f"saved.{ending}"
            _carry_out(export([item.run], path))
            sizes.append(f"{ending} {path.stat().st_size / 1000:.0f} kB")
        _carry_out(read_archive(self._folder / "saved.zip", runs))
        [copy] = set(runs.iterdir()) - before
        weights = [(path / "checkpoint" / "model.safetensors").read_bytes() for path in (item.path, copy)]
        _require(weights[0] == weights[1], "the imported run to have the weights of the exported one")
        return ", ".join(sizes)

    def _reload(self) -> str:
        names = sorted(path.name for path in (self._folder / "runs").iterdir() if path.is_dir())
        self._close()
        self._window = MainWindow(self._folder / "runs", self._settings)
        self._window.show()
        items = self._window.store.items
        _require(sorted(item.path.name for item in items) == names, "all runs to be listed again")
        _require(all(item.state.state == "finished" for item in items), "every run to be finished")
        page = self._window.metrics_page
        self._until(lambda: page.model.rowCount() == 2)
        return f"{len(items)} runs, {page.model.rowCount()} of them evaluated"

    def _close(self) -> str:
        self._window.close()
        self._until(lambda: not self._window.isVisible())
        self._window.deleteLater()
        return ""

    # Building blocks

    def _start(self, config: RunConfig) -> None:
        card = self._window.training_page.settings
        card.show_config(config)
        card.start_button.click()
        self._until(lambda: self._window.training.active)

    def _end(self) -> RunItem:
        """Wait for the current run to end; select and return it."""
        session = self._window.training
        self._until(lambda: not session.active)
        assert session.run is not None
        self._window.store.refresh()
        item = self._window.store.find(session.run.path)
        _require(item is not None and item.state.state == "finished", "the run to finish")
        assert item is not None
        values = [item.last(column) for column in ("loss", "reconstruction", "kl")]
        _require(len(item.metrics) == STEPS // EVERY, "the curves to be complete")
        _require(all(v is not None and math.isfinite(v) for v in values), "loss, reconstruction and KL to be finite")
        self._window.run_list.select(item.path)
        return item

    def _until(self, true: Callable[[], bool]) -> None:
        """Run the event loop until a condition holds. An error shown in the window ends the wait."""
        loop, timer = QEventLoop(), QTimer()
        timer.timeout.connect(lambda: loop.quit() if true() or self._wrong else None)
        timer.start(20)
        loop.exec()
        timer.stop()
        self._require_no_problem()

    @property
    def _wrong(self) -> str:
        banner = self._window.banner
        said = banner.text.text() if banner.isVisible() and banner.property("kind") == "error" else ""
        return self._problems[0].details if self._problems else said

    def _require_no_problem(self) -> None:
        if self._wrong:
            raise FailedError(self._wrong)


def _write_sprites(path: Path) -> Path:
    """Save some dSprites images that vary in every factor as .npz, few enough to compute every metric."""
    from engine.data import dsprites

    shape, scale, orientation, x, y = (a.ravel() for a in np.indices(GRID))
    chosen = np.ravel_multi_index((shape, scale * 5, orientation * 5, x * 10, y * 10), dsprites.SIZES)
    images = np.unpackbits(dsprites.draw(chosen), axis=1).reshape(-1, dsprites.SIDE, dsprites.SIDE)
    factors = np.stack([shape, scale, orientation, x, y], axis=1)
    np.savez(path, images=images * np.uint8(255), factors=factors, factor_names=np.array(dsprites.NAMES))
    return path


def _carry_out(job: Job) -> None:
    if not any(isinstance(event, Finished) for event in job):
        raise FailedError("a job did not finish")


def _words(item: RunItem) -> str:
    return f"reconstruction {item.last('reconstruction'):.1f}, KL {item.last('kl'):.2f} nats at step {item.state.step}"


def _require(true: bool, expected: str) -> None:
    if not true:
        raise FailedError(f"expected {expected}")


def _say(line: str) -> None:
    print(line, file=sys.stdout, flush=True)  # noqa: T201
