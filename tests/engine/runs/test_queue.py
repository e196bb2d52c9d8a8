"""The queue of runs keeps its order and outlives the window."""

import json

import pytest

from engine.errors import RunError
from engine.runs.queue import FILE, QueuedRun, RunQueue


@pytest.fixture
def root(tmp_path):
    """A runs folder with four run folders."""
    for name in "abcd":
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text("{}")
    return tmp_path


def names(queue):
    return [entry.run for entry in queue.waiting]


def test_runs_are_taken_in_the_order_they_were_added(root):
    queue = RunQueue(root)
    for name in "bad":
        queue.add(root / name)
    assert [queue.take().run for _ in range(3)] == ["b", "a", "d"]
    assert queue.take() is None


def test_the_order_outlives_the_window(root):
    queue = RunQueue(root)
    queue.add(root / "a")
    queue.add(root / "b", more=20)
    queue.add(root / "c", first=True)
    assert RunQueue(root).waiting == (QueuedRun("c"), QueuedRun("a"), QueuedRun("b", 20))


def test_an_empty_queue_leaves_no_file(root):
    queue = RunQueue(root)
    queue.add(root / "a")
    queue.remove(root / "a")
    assert not (root / FILE).exists()


@pytest.mark.parametrize(
    ("name", "by", "order"),
    [("a", 1, "bacd"), ("d", -1, "abdc"), ("a", -1, "abcd"), ("d", 9, "abcd"), ("x", 1, "abcd")],
)
def test_a_run_is_moved(root, name, by, order):
    queue = RunQueue(root)
    for each in "abcd":
        queue.add(root / each)
    queue.move(root / name, by)
    assert names(queue) == names(RunQueue(root)) == list(order)


def test_sorting_keeps_runs_that_are_not_named(root):
    queue = RunQueue(root)
    for each in "abcd":
        queue.add(root / each)
    queue.order(["c", "a", "gone"])
    assert names(queue) == list("cabd")


def test_a_run_is_queued_only_once(root):
    queue = RunQueue(root)
    for each in "aba":
        queue.add(root / each, more=3 if each == "b" else 0)
    assert names(queue) == list("ba")
    queue.add(root / "b")
    assert queue.waiting == (QueuedRun("a"), QueuedRun("b", 3))


def test_a_run_whose_folder_is_gone_is_skipped(root):
    queue = RunQueue(root)
    for each in "abc":
        queue.add(root / each)
    (root / "a" / "config.json").unlink()
    assert queue.take() == QueuedRun("b")
    assert names(RunQueue(root)) == ["c"]


def test_a_run_of_another_folder_has_no_position(root, tmp_path):
    queue = RunQueue(root)
    queue.add(root / "a")
    assert queue.position(root / "a") == 0
    assert queue.position(tmp_path / "other" / "a") is None


@pytest.mark.parametrize(
    "text",
    ["", "{", "7", '{"a": 1}', '[{"run": "../a"}]', '[{"run": "a", "more": "x"}]', "[" * 100_000, "[null]"],
)
def test_a_damaged_file_is_an_empty_queue(root, text):
    (root / FILE).write_text(text)
    assert RunQueue(root).waiting == ()


def test_a_queue_that_cannot_be_saved_gets_a_message(root, monkeypatch):
    queue = RunQueue(root)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("engine.runs.queue.write_json", full)
    with pytest.raises(RunError, match=r"queue cannot be saved.*No space left"):
        queue.add(root / "a")


def test_the_file_is_readable_json(root):
    RunQueue(root).add(root / "a", more=5)
    assert json.loads((root / FILE).read_text()) == [{"run": "a", "more": 5}]
