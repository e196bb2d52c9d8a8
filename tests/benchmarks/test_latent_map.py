"""The latent map with 10,000 points: frames while zooming and panning, hovering, and changing colours."""

import time

import numpy as np
import pytest
from PySide6.QtCore import QPointF
from PySide6.QtWidgets import QApplication

from gui.traversal.map_colours import class_colours
from gui.traversal.map_plot import MapPlot
from gui.widgets import theme

pytestmark = pytest.mark.benchmark

POINTS, FRAMES = 10_000, 200
FRAME = 1000 / 60
"""Milliseconds in which a frame must be drawn."""


@pytest.fixture
def plot(qapp):
    theme.choose_scheme(qapp, "light")
    made = MapPlot()
    made.resize(700, 620)
    made.show()
    rng = np.random.default_rng(0)
    made.show_points(rng.normal(size=(POINTS, 2)))
    colours = class_colours(10)
    made.paint_in([colours[number] for number in rng.integers(10, size=POINTS)], np.ones(POINTS, bool))
    QApplication.processEvents()
    yield made
    made.close()


def report(what: str, times: list[tuple[float, float]]) -> None:
    """Print milliseconds of the processor and by the clock, which also counts what else the machine does."""
    for unit, found in zip(("of the processor", "by the clock"), np.array(times).T, strict=True):
        print(
            f"\n{what}, {unit}: median {np.median(found):.1f} ms, 99th percentile {np.percentile(found, 99):.1f} ms, "
            f"{(found <= FRAME).mean():.0%} within {FRAME:.1f} ms"
        )


def timed(work) -> tuple[float, float]:
    """Return the time of some work in milliseconds: of this thread on the processor, and by the clock."""
    clock, processor = time.perf_counter(), time.thread_time()
    work()
    return 1000 * (time.thread_time() - processor), 1000 * (time.perf_counter() - clock)


def drawn(plot: MapPlot, change) -> tuple[float, float]:
    """Return the time of one frame, from a change to the painted pixels."""
    return timed(lambda: (change(), plot.viewport().repaint()))


@pytest.mark.parametrize("manifold", [False, True])
def test_frames_while_zooming_and_panning(plot, manifold):
    if manifold:
        from PySide6.QtCore import QRectF

        plot.show_manifold(np.zeros((9, 9, 64, 64, 1), np.uint8), QRectF(-3, -3, 6, 6))
    behind = " before the manifold" if manifold else ""
    zooms = [0.99] * (FRAMES // 2) + [1 / 0.99] * (FRAMES // 2)
    report(f"zooming{behind}", [drawn(plot, lambda z=zoom: plot.box.scaleBy((z, z))) for zoom in zooms])
    steps = 0.05 * np.sin(np.linspace(0, 6 * np.pi, FRAMES))
    report(f"panning{behind}", [drawn(plot, lambda s=step: plot.box.translateBy(x=s)) for step in steps])


def test_finding_the_point_under_the_pointer_and_new_colours(plot):
    report("point under the pointer", [timed(lambda: plot.point_at(QPointF(350, 300))) for _ in range(FRAMES)])
    one = ["#D55E00"] * POINTS
    everything = np.ones(POINTS, bool)
    report("new colours", [drawn(plot, lambda: plot.paint_in(one, everything)) for _ in range(20)])
