"""Widgets are freed in the window's thread, whichever thread triggers a garbage collection."""

import gc
import threading
from weakref import finalize

from PySide6.QtWidgets import QWidget

from gui.window import garbage


def test_a_widget_in_a_cycle_is_freed_in_the_windows_thread(qtbot):
    where = []
    widget = QWidget()
    widget.itself = widget
    finalize(widget, lambda: where.append(threading.current_thread()))
    del widget

    def allocate():
        kept = [[] for _ in range(200_000)]  # many times Python's threshold: it would collect here
        kept.append(kept)

    worker = threading.Thread(target=allocate)
    worker.start()
    worker.join()
    assert not where
    gc.collect()
    assert where == [threading.main_thread()]


def test_the_collector_collects_and_restores_automatic_collection(qtbot, monkeypatch):
    monkeypatch.setattr(garbage, "INTERVAL_MS", 10)
    collector = garbage.Collector()
    freed = []
    widget = QWidget()
    widget.itself = widget
    finalize(widget, lambda: freed.append(True))
    del widget
    filler = [[] for _ in range(gc.get_threshold()[0] * 3)]
    qtbot.waitUntil(lambda: bool(freed), timeout=5000)
    assert filler
    assert not gc.isenabled()
    collector.close()
    assert gc.isenabled()
    gc.disable()  # the session's collector remains active
