"""The window's view of the runs: kept up to date cheaply, however many there are and however they change."""

import io
import os
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from engine.runs.metrics_file import MetricsReader, newest_row
from engine.runs.run import Run, RunState
from gui.runs import store
from gui.runs.store import RunStore
from gui.training.page import MOST_SHOWN
from gui.training.view_options import ViewOptions

TURN = 20
LONG_AGO = 1_600_000_000


@pytest.fixture
def runs(tmp_path, tiny_run, monkeypatch):
    """Create a folder of finished runs with old time stamps: `runs(number)`."""
    monkeypatch.setattr(store, "TURN", TURN)

    def make(number):
        root = tmp_path / f"{number} runs"
        for n in range(number):
            run = root / f"tiny-{n:03}"
            shutil.copytree(tiny_run.path, run)
            os.utime(run, (LONG_AGO, LONG_AGO))
        os.utime(root, (LONG_AGO, LONG_AGO))
        return root

    return make


@pytest.fixture
def touched(monkeypatch):
    """Count file system calls by file name."""
    counted = Counter()

    def count(module, name):
        real = getattr(module, name)

        def counting(path, *arguments, **options):
            counted["open file" if isinstance(path, int) else Path(path).name] += 1
            return real(path, *arguments, **options)

        monkeypatch.setattr(module, name, counting)

    for module, name in ((os, "stat"), (os, "scandir"), (os, "listdir"), (os, "open"), (io, "open")):
        count(module, name)
    return counted


def store_over(root):
    store = RunStore(root)
    store.refresh()
    return store


def round_of_polls(store):
    """Poll often enough to check each run, and once more because of their order."""
    for _ in range(len(store.items) // TURN + 2):
        store._poll()


def test_a_poll_costs_no_more_for_many_finished_runs_than_for_few(runs, touched):
    asked = []
    for number in (40, 130):
        store = store_over(runs(number))
        assert len(store.items) == number
        touched.clear()
        for _ in range(4):
            store._poll()
        asked.append(sum(touched.values()) / 4)
    assert asked[0] == asked[1]
    assert asked[0] <= TURN + 1  # one call for each folder in the rotation, and one for the runs folder


def test_curves_of_runs_that_are_not_shown_are_not_read(runs, touched):
    root = runs(40)
    touched.clear()
    store = store_over(root)
    assert touched["metrics.csv"] == 40  # existence and time stamp
    round_of_polls(store)
    assert touched["metrics.csv"] == 40


def test_the_latest_values_match_the_full_curve(tiny_run):
    full = MetricsReader(tiny_run.metrics_file)
    full.refresh()
    found = newest_row(tiny_run.metrics_file)
    assert list(found) == list(full.names)
    for name in full.names:
        np.testing.assert_equal(found[name], full.column(name)[-1])


@pytest.mark.parametrize("text", ["", "step,kl\n", "step,kl\n1,2", "step,kl\n1,2,3\n"])
def test_without_a_complete_row_there_are_no_latest_values(tmp_path, text):
    (tmp_path / "metrics.csv").write_text(text)
    assert newest_row(tmp_path / "metrics.csv") == newest_row(tmp_path / "none.csv") == {}


def test_changes_made_outside_appear(qtbot, runs, tiny_run):
    """Marks, evaluation and lengthening in a terminal; runs that are resumed, copied in, removed."""
    store = store_over(runs(50))
    reported = []
    store.updated.connect(reported.append)
    by_name = {item.path.name: item for item in store.items}
    root = store.root

    Run.open(root / "tiny-007").write_marks({"name": "thick", "tags": ["good"]})
    before = by_name["tiny-031"].evaluation_stamp
    Run.open(root / "tiny-031").write_evaluation({"step": 60, "metrics": {}})
    longer = Run.open(root / "tiny-044")
    longer.lengthen(None, 99)
    longer.keep_length()
    round_of_polls(store)
    assert (by_name["tiny-007"].name, by_name["tiny-007"].tags) == ("thick", ["good"])
    assert by_name["tiny-031"].evaluation_stamp != before
    assert by_name["tiny-044"].run.config.steps == 99
    assert {path.name for path in reported} == {"tiny-007", "tiny-031", "tiny-044"}

    run = Run.open(root / "tiny-049")
    with run.locked():
        run.write_state(RunState("running", 60, 90))
        round_of_polls(store)
        assert by_name["tiny-049"].state.state == "running"
        with run.metrics_file.open("ab") as file:
            file.write(run.metrics_file.read_bytes().splitlines(keepends=True)[-1].replace(b"60,", b"70,", 1))
        store._poll()  # a run in training is checked in every poll
        assert by_name["tiny-049"].last("step") == 70
    store._poll()
    assert by_name["tiny-049"].state.state == "interrupted"

    shutil.copytree(tiny_run.path, root / "new")
    shutil.rmtree(root / "tiny-000")
    store._poll()
    names = {item.path.name for item in store.items}
    assert "new" in names
    assert "tiny-000" not in names
    (root / "tiny-001" / "config.json").unlink()
    round_of_polls(store)
    assert store.find(root / "tiny-001") is None


def test_a_second_change_within_the_time_stamp_resolution_is_found(runs):
    """Some file systems have a resolution of two seconds: two changes may leave the same time stamp."""
    store = store_over(runs(1))
    [item] = store.items
    item.run.write_marks({"name": "first"})
    store._poll()
    assert item.name == "first"
    status = item.path.stat()
    item.run.write_marks({"name": "other"})
    os.utime(item.path, ns=(status.st_atime_ns, status.st_mtime_ns))
    store._poll()
    assert item.name == "other"


def test_a_folder_becomes_a_run_once_it_is_complete(runs, tiny_run):
    store = store_over(runs(1))
    reported = []
    store.unreadable.connect(lambda broken, damaged: reported.append(broken))
    late = store.root / "late"
    late.mkdir()
    store._poll()
    assert len(store.items) == 1
    whole = (tiny_run.path / "config.json").read_text()
    (late / "config.json").write_text(whole[: len(whole) // 2])
    store._poll()
    store._poll()
    assert len(reported) == 1
    assert "config.json is damaged" in reported[0]["late"]
    (late / "config.json").write_text(whole)
    store._poll()
    assert store.find(late) is not None
    assert len(reported) == 1


def test_of_many_selected_runs_the_first_are_drawn_with_a_note(qtbot, window, make_run):
    root = window.store.root
    for seed in range(MOST_SHOWN + 4):
        run = make_run(root, seed=seed)
        run.metrics_file.write_text("step,epoch,seconds,loss,reconstruction,kl,capacity,kl_0\n10,1,1,5,4,1,,1\n")
        run.write_marks({"name": f"run {seed}"})
    window.store.refresh()
    window.run_list.view.selectAll()
    page = window.training_page
    page.options.show_options(ViewOptions(spread=""))
    page.show_runs(window.run_list.items())
    assert len(window.run_list.items()) == MOST_SHOWN + 4
    first = {f"kl {item.path}" for item in window.run_list.items()[:MOST_SHOWN]}
    qtbot.waitUntil(lambda: {key for key in page.curves.kl.drawn if not key.startswith("raw ")} == first)
    assert page.not_all.isVisible()
    assert page.not_all.text() == f"Showing the curves of the first {MOST_SHOWN} of {MOST_SHOWN + 4} selected runs."
    window.run_list.select(window.store.items[0].path)
    assert not page.not_all.isVisible()
