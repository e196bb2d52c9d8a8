"""Run folders: names, states, locks, and what happens when their files are damaged."""

import json
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import RunError, RunLockedError
from engine.runs.run import Run, RunState, find_run, list_runs
from engine.runs.small_files import STATES
from engine.settings.run_config import RunConfig
from engine.system.plain_text import slug

CONFIG = RunConfig(dataset="mnist", objective="beta-vae", seed=3)
PROJECT = Path(__file__).resolve().parents[3]


@pytest.fixture
def run(tmp_path):
    return Run.create(tmp_path / "runs", CONFIG, "first")


@pytest.fixture
def holder():
    """Start a process that locks a run as if it trained it; it ends with the test."""
    processes = []

    def start(path):
        program = (
            "import sys; from pathlib import Path; from engine.runs.run import Run, RunState\n"
            "run = Run.open(Path(sys.argv[1]))\n"
            "with run.locked():\n"
            "    run.write_state(RunState('running', 7, 100))\n"
            "    print('held', flush=True)\n"
            "    sys.stdin.read()\n"
        )
        process = subprocess.Popen(
            [sys.executable, "-c", program, str(path)], cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        processes.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def test_a_name_that_is_taken_gets_a_number(tmp_path):
    # The contract: the suffix -2; then counting on.
    paths = [Run.create(tmp_path, CONFIG, "same").path.name for _ in range(3)]
    assert paths == ["same", "same-2", "same-3"]


def test_without_a_name_the_folder_is_named_by_method_data_and_seed(tmp_path):
    names = [Run.create(tmp_path, CONFIG).path.name for _ in range(2)]
    assert names == ["beta-vae-mnist-3", "beta-vae-mnist-3-2"]
    conditional = Run.create(tmp_path, CONFIG.changed(conditional=True))
    assert conditional.path.name.startswith("conditional-")


def test_runs_without_names_have_different_titles(tmp_path):
    first, second = (Run.create(tmp_path, CONFIG) for _ in range(2))
    assert first.name != second.name
    assert "β-VAE" in first.name
    assert "3" in first.name


def test_a_name_that_is_not_a_valid_folder_name_is_kept_in_the_marks(tmp_path):
    run = Run.create(tmp_path, CONFIG, "γ = 1000: a/b?")
    assert run.name == "γ = 1000: a/b?"
    assert run.path.parent == tmp_path
    assert Run.open(run.path).name == "γ = 1000: a/b?"


@given(st.text(max_size=200))
def test_any_name_gives_a_folder_name_valid_on_every_system(name):
    folder = slug(name)
    assert folder
    assert not set(folder) & set('/\\:*?"<>|\0 \n')
    assert not folder.startswith(".")
    assert not folder.endswith(".")  # Windows drops it, and then does not find the folder
    assert len(f"{folder}-99".encode()) <= 255  # what file systems allow


@pytest.mark.parametrize("name", ["𐌰" * 80, "a" * 79 + ".b", "漢" * 300], ids=["gothic", "dot", "long"])
def test_long_names_give_valid_folder_names(tmp_path, name):
    run = Run.create(tmp_path, CONFIG, name)
    assert run.path.is_dir()
    assert not run.path.name.endswith(".")
    assert run.name == name


@pytest.mark.parametrize("name", ["plain", "ünïcode", "v1.2", "a_b-c"])
def test_a_valid_folder_name_is_used_unchanged(name):
    assert slug(name) == name


def test_a_new_run_records_its_settings_time_and_versions(run):
    values = json.loads((run.path / "config.json").read_text(encoding="utf-8"))
    assert values["schema"] == 2
    assert values["objective"] == "beta-vae"
    assert {"disentangle-studio", "torch", "numpy"} <= set(values["versions"])
    assert Run.open(run.path).config == CONFIG
    assert run.state() == RunState("new")


def test_device_and_threads_at_the_start_are_recorded(run):
    run.resolve("cpu", 2)
    again = Run.open(run.path)
    assert again.resolved == {"device": "cpu", "threads": 2}
    assert again.config == CONFIG
    again.lengthen(None, 5000)
    again.keep_length()
    assert Run.open(run.path).resolved == {"device": "cpu", "threads": 2}


def test_a_new_length_changes_nothing_else(run):
    before = json.loads((run.path / "config.json").read_text(encoding="utf-8"))
    run.lengthen(epochs=7, steps=None)
    assert Run.open(run.path).config == CONFIG  # until training begins
    run.keep_length()
    after = json.loads((run.path / "config.json").read_text(encoding="utf-8"))
    assert {key for key in after if after[key] != before.get(key)} == {"epochs"}
    assert Run.open(run.path).config == CONFIG.changed(epochs=7)


def test_a_length_in_epochs_replaces_one_in_steps(tmp_path):
    run = Run.create(tmp_path, CONFIG.changed(steps=10))
    run.lengthen(epochs=2, steps=None)
    assert run.config.total_steps(6400) == 2 * 100  # 100 batches of 64


@pytest.mark.parametrize("name", [state for state in STATES if state not in ("running", "paused", "interrupted")])
def test_a_state_is_read_as_written(run, name):
    state = RunState(name, 20, 100, "Why.")
    run.write_state(state)
    assert Run.open(run.path).state() == state


@pytest.mark.parametrize("name", ["running", "paused"])
def test_an_active_run_that_is_not_locked_was_interrupted(run, name):
    with run.locked():
        run.write_state(RunState(name, 20, 100))
        assert Run.open(run.path).state() == RunState(name, 20, 100)
        assert run.state().active
    state = run.state()
    assert (state.state, state.step, state.total) == ("interrupted", 20, 100)
    assert state.message
    assert state.unfinished
    assert not state.active


def test_a_run_trained_by_another_process_is_running_until_that_is_killed(run, holder):
    process = holder(run.path)
    assert run.state() == RunState("running", 7, 100)
    assert run.is_locked()
    process.kill()
    process.wait()
    assert not run.is_locked()
    assert run.state().state == "interrupted"
    with run.locked():  # it can be resumed at once
        assert run.is_locked()


def test_a_run_locked_elsewhere_is_refused_by_name(run):
    with (
        run.locked(),
        pytest.raises(RunLockedError, match="first is being trained by another window, process or machine"),
        Run.open(run.path).locked(),
    ):
        pass


def test_a_run_locked_by_another_process_is_refused(run, holder):
    holder(run.path)
    with pytest.raises(RunLockedError, match="first"), run.locked():
        pass


def test_a_lock_is_released_after_an_error(run):
    with pytest.raises(KeyError), run.locked():
        raise KeyError
    assert not run.is_locked()
    with Run.open(run.path).locked():
        pass


def test_checking_the_lock_does_not_hold_it(run):
    with run.locked():
        pass
    assert not run.is_locked()
    with run.locked():
        assert Run.open(run.path).is_locked()
        assert Run.open(run.path).is_locked()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b'{"schema": 1, "dataset": "mn', "not valid JSON"),
        (b"", "not valid JSON"),
        (b"\xff\xfe\x00", "not valid JSON"),
        (b"[" * 100_000, "nested more than 32 levels deep"),
        (b"[]", "JSON object"),
        (b'{"schema": 1, "dataset": "cifar"}', "dataset is 'cifar'"),
        (b'{"schema": 99}', "schema 99"),
        (b'{"schema": 1, "betta": 4}', "no setting 'betta'"),
    ],
)
def test_damaged_settings_are_rejected_naming_the_file(run, content, words):
    (run.path / "config.json").write_bytes(content)
    with pytest.raises(RunError, match=words) as error:
        Run.open(run.path)
    assert str(run.path / "config.json") in str(error.value)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b'{"state": "runn',
        b"[1, 2]",
        b"null",
        b"\xff\xfe",
        b'{"state": "dancing", "step": 5}',
        b'{"state": "stopped", "step": "many"}',
        b'{"state": "stopped", "step": [1]}',
        b'{"state": "stopped", "step": NaN}',
        b'{"state": "stopped", "step": 1e999}',
        b'{"state": "stopped", "total": -Infinity}',
    ],
)
def test_a_damaged_state_is_reported_and_the_run_can_be_resumed(run, content):
    (run.path / "state.json").write_bytes(content)
    state = run.state()
    assert (state.state, state.step, state.unfinished) == ("failed", 0, True)
    assert state.message.startswith("state.json is damaged: ")
    run.write_state(RunState("stopped", 5, 10))
    assert (run.state(), run.problems) == (RunState("stopped", 5, 10), {})


@pytest.mark.parametrize("content", [b"", b'{"name": "x', b"[1]", b"\xff\xfe", b"[" * 100_000, b'{"name": null}'])
def test_damaged_marks_leave_the_folders_name(run, content):
    (run.path / "marks.json").write_bytes(content)
    assert run.name == "first"
    assert run.marks().get("name") is None


@pytest.mark.parametrize("content", [b"", b'{"step": 1', b"[1]"])
def test_a_damaged_evaluation_counts_as_none(run, content):
    (run.path / "evaluation.json").write_bytes(content)
    assert run.evaluation() == {}


def test_marks_are_read_as_written(run):
    marks = {"name": "Neuer Name ü", "tags": ["a"], "latents": {"3": "size"}}
    run.write_marks(marks)
    assert Run.open(run.path).marks() == marks
    assert Run.open(run.path).name == "Neuer Name ü"


@pytest.mark.parametrize("below", ["", "deeper/runs"])
def test_the_error_for_a_run_that_cannot_be_saved_says_where_and_what_to_do(tmp_path, below):
    # A file stands where the folder should be: not even root can write there.
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(RunError, match=r"cannot be saved in .*file.*--runs"):
        Run.create(tmp_path / "file" / below, CONFIG)


def test_a_run_whose_folder_is_gone_cannot_be_marked_or_locked(run):
    shutil.rmtree(run.path)
    with pytest.raises(RunError, match="cannot be"):
        run.write_marks({"name": "x"})
    with pytest.raises(RunError, match="cannot be"):
        run.write_evaluation({})


def test_a_folder_without_settings_is_not_a_run(tmp_path):
    with pytest.raises(RunError, match=r"is not a run: it has no config\.json"):
        Run.open(tmp_path)


def test_only_folders_with_settings_are_listed_as_runs(tmp_path):
    paths = [Run.create(tmp_path, CONFIG, name).path for name in ("b", "a", "c")]
    (tmp_path / "not a run").mkdir()
    (tmp_path / "file").write_bytes(b"")
    assert sorted(list_runs(tmp_path)) == sorted(paths)


def test_the_creation_time_does_not_change_with_the_length(run):
    created = json.loads((run.path / "config.json").read_text(encoding="utf-8"))["created"]
    made = datetime.fromisoformat(created)
    assert made.tzinfo is not None  # a run may be viewed in another time zone
    assert abs(datetime.now(UTC) - made) < timedelta(minutes=10)
    run.lengthen(epochs=9, steps=None)
    run.keep_length()
    assert json.loads((run.path / "config.json").read_text(encoding="utf-8"))["created"] == created


def test_a_missing_runs_folder_has_no_runs(tmp_path):
    assert list_runs(tmp_path / "nowhere") == []


def test_a_run_is_found_by_folder_and_by_name(run, monkeypatch):
    root = run.path.parent
    assert find_run(str(run.path), root / "elsewhere").path == run.path
    assert find_run("first", root).path == run.path
    monkeypatch.chdir(root)
    assert find_run("first", root / "elsewhere").path == run.path  # also relative, and then made absolute


def test_the_error_for_a_missing_run_lists_those_there_are(run):
    with pytest.raises(RunError, match=r"no run 'secnd'.*first\.") as error:
        find_run("secnd", run.path.parent)
    assert str(run.path.parent) in str(error.value)


def test_the_error_for_a_missing_run_says_if_there_are_none(tmp_path):
    with pytest.raises(RunError, match="There are none yet"):
        find_run("first", tmp_path)


def test_a_folder_that_is_not_a_run_is_rejected(tmp_path):
    (tmp_path / "pictures").mkdir()
    with pytest.raises(RunError, match="pictures is not a run"):
        find_run(str(tmp_path / "pictures"), tmp_path)


@pytest.mark.parametrize("name", ["x" * 300, "", "a\0b"], ids=["long", "empty", "zero"])
def test_an_impossible_name_is_rejected_like_any_other(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RunError, match="run"):
        find_run(name, tmp_path)


@pytest.mark.parametrize("name", ["checkpoint", "previews", "metrics.csv", "held_out.csv", "lock"])
def test_training_writes_and_removes_nothing_through_a_link(tmp_path, tiny_copy, name):
    from engine.training.trainer import train

    elsewhere = tmp_path / "elsewhere"
    own = tiny_copy.path / name
    if own.exists():
        own.rename(elsewhere)
    else:
        elsewhere.write_text("mine")
    if elsewhere.is_dir():
        (elsewhere / "trainer-7.pt").write_text("of another run")
    own.symlink_to(elsewhere)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(RunError, match=f"{name} is a link to .* must be the run's own"):
        list(train(Run.open(tiny_copy.path)))
    assert not tiny_copy.is_locked()
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_a_run_folder_that_is_itself_a_link_can_be_trained(tmp_path, tiny_copy):
    """A complete run may be on another disk."""
    (tmp_path / "linked").symlink_to(tiny_copy.path)
    with Run.open(tmp_path / "linked").locked():
        pass
