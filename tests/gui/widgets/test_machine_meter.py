"""The machine in the status bar: a minute's history, taken only while it is seen, and never in the window's thread."""

import threading

import pytest
from PySide6.QtCore import Qt

from engine.jobs.events import Progress
from engine.system.machine import Sample
from gui.widgets import machine_meter
from gui.widgets.machine_meter import KEPT, MachineMeter

SAMPLE = Sample(0.34, 5 * 10**9, 16 * 10**9, 80 * 10**9, 100 * 10**9)


@pytest.fixture
def threads(monkeypatch):
    monkeypatch.setattr(machine_meter, "INTERVAL_MS", 10)
    return []


@pytest.fixture
def meter(qtbot, tmp_path, threads):
    def sample():
        threads.append(threading.current_thread())
        return SAMPLE

    made = MachineMeter(tmp_path, sample)
    qtbot.addWidget(made, before_close_func=lambda widget: widget.close_worker())
    return made


def test_it_samples_in_a_thread_and_only_while_it_is_visible(qtbot, meter, threads):
    assert threads == []
    meter.show()
    qtbot.waitUntil(lambda: len(meter.history) >= 3)
    assert threading.main_thread() not in threads
    meter.hide()
    qtbot.wait(50)
    taken = len(threads)
    qtbot.wait(100)
    assert len(threads) == taken
    meter.show()
    assert not meter.history


def test_it_says_what_it_draws(qtbot, meter):
    meter.show()
    qtbot.waitUntil(lambda: bool(meter.history))
    assert meter.accessibleDescription() == "CPU 34 %, Memory 5 GB, Disk 20 GB free"
    assert "34 % of all cores" in meter.toolTip()
    assert "5 GB of 16 GB" in meter.toolTip()


def test_a_gpu_is_shown_where_there_is_one_and_a_minute_is_kept(meter):
    with_gpu = Sample(*[getattr(SAMPLE, name) for name in list(Sample.__slots__)[:5]], 0.5, 10**9, 80 * 10**9)
    for _ in range(2 * KEPT):
        meter._answered(None, with_gpu)
    assert len(meter.history) == KEPT
    assert [title for title, _, _ in meter._meters()] == ["CPU", "Memory", "GPU", "Disk"]
    assert "1 GB of 80 GB of its memory" in meter.toolTip()


def test_a_full_minute_reaches_from_edge_to_edge(qtbot, meter):
    """The curve of a busy processor is drawn along the top of its box, from its left to its right end."""
    for _ in range(KEPT):
        meter._answered(None, Sample(1.0, 0, 1, 0, 1))
    meter.resize(meter.sizeHint())
    picture = meter.grab().toImage()
    top = round(picture.height() / 2 - 8)
    line = [picture.pixelColor(x, top) for x in range(picture.width() // 3)]
    accent = [x for x, colour in enumerate(line) if colour.blue() - colour.red() > 30]
    assert max(accent) - min(accent) == pytest.approx(machine_meter.CURVE, abs=2)


def test_what_evaluates_and_downloads_is_seen_beside_a_study(window):
    class Study:
        progress, stopping, paused, study = Progress(1, 4, "Study"), False, False, None

    window.status.show_study(Study())
    window.status.show_job("Evaluating", Progress(1, 2, "Evaluating"))
    window.status.show_job("Preparing data", Progress(1, 4, "Downloading"))
    assert window.status.task.text() == "Study"
    assert window.status.beside.text() == "Evaluating 50 % · Preparing data 25 %"
    window.status.show_job("Evaluating", None)
    assert window.status.beside.text() == "Preparing data 25 %"
    for number in range(4):
        window._show_page(number)
        assert window.status.beside.isVisible()
    assert window.status.beside.textFormat() == Qt.TextFormat.PlainText
