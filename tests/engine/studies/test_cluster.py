"""Studies on a cluster: files in pieces, cells on workers with and without a shared folder, losses, wrong addresses."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from engine.errors import DataError, RunError
from engine.evaluation.table_formats import comma_separated
from engine.jobs.control import Control, drive
from engine.jobs.events import Finished, Progress, Warned
from engine.runs.run import Run
from engine.studies import CellFinished, CellStarted, cell_states, load_study, run_study, study_table
from engine.studies.cluster import files, host, remote
from engine.studies.cluster.files import Arriving, Changes, Piece, file_names, whole
from engine.studies.cluster.host import ClusterHost

ROOT = Path(__file__).resolve().parents[3]


def contents(folder):
    return {name: (folder / name).read_bytes() for name in file_names(folder)}


# Files


def test_a_run_arrives_as_it_is(tiny_run, tmp_path, monkeypatch):
    monkeypatch.setattr(files, "PIECE", 1000)  # weights and pictures take many pieces
    pieces = whole(tiny_run.path)
    assert max(len(piece.content) for piece in pieces) == 1000
    Arriving(tmp_path).take(pieces)
    assert contents(tmp_path) == contents(tiny_run.path)
    assert Run.open(tmp_path).state() == tiny_run.state()


def test_only_what_is_new_is_sent(tiny_copy, tmp_path):
    """A row of a table costs its own bytes; a table that is cut back is sent again."""
    folder, there = tiny_copy.path, tmp_path / "there"
    there.mkdir()
    arriving, changes = Arriving(there), Changes(folder)
    while pieces := changes.pieces():
        arriving.take(pieces)
    assert changes.pieces() == []
    row = b"99,1,2\n"
    with tiny_copy.metrics_file.open("ab") as file:
        file.write(row)
    [piece] = changes.pieces()
    assert (piece.content, piece.grows) == (row, True)
    arriving.take([piece])
    assert contents(there) == contents(folder)
    tiny_copy.metrics_file.write_bytes(tiny_copy.metrics_file.read_bytes()[: -len(row)])
    [piece] = changes.pieces()
    assert not piece.grows
    arriving.take([piece])
    assert contents(there) == contents(folder)


def test_what_is_known_there_is_not_sent_back(tiny_copy):
    changes = Changes(tiny_copy.path, file_names(tiny_copy.path))
    names = {piece.name for piece in changes.pieces()}
    assert "marks.json" not in names  # the user may rename the run meanwhile
    assert "config.json" not in names


def test_a_new_checkpoint_is_complete_before_its_weights_arrive(tiny_copy, tmp_path):
    """The weights are the commit point: until they are there, the former checkpoint stands."""
    pieces = whole(tiny_copy.path)
    names = [piece.name for piece in pieces if piece.name.startswith("checkpoint/")]
    assert names == ["checkpoint/trainer-60.pt", "checkpoint/model.safetensors"]
    (tmp_path / "checkpoint").mkdir()
    old = tmp_path / "checkpoint" / "trainer-30.pt"
    old.write_bytes(b"old")
    arriving = Arriving(tmp_path)
    arriving.take(pieces[:1])
    assert old.exists()
    arriving.take(pieces[1:])
    assert not old.exists()


@pytest.mark.parametrize("name", ["../x", "/etc/x", "a/b/c", ".hidden", "checkpoint/..", "c:x", "a\\b", ""])
def test_a_name_that_leads_elsewhere_is_refused(tmp_path, name):
    with pytest.raises(RunError, match="not a file of a run"):
        Arriving(tmp_path).take([Piece(name, b"x", 0, 1)])


def test_a_lost_piece_is_noticed(tmp_path):
    with pytest.raises(RunError, match="not arrived completely"):
        Arriving(tmp_path).take([Piece("a.png", b"x", 0, 3), Piece("a.png", b"z", 2, 3)])
    (tmp_path / "metrics.csv").write_bytes(b"step\n")
    with pytest.raises(RunError, match="not arrived completely"):
        Arriving(tmp_path).take([Piece("metrics.csv", b"3\n", 7, 9, grows=True)])


# Cells


@pytest.fixture
def cluster(monkeypatch):
    """A scheduler and two workers with one slot each in this process; cells train in child processes as everywhere."""
    from distributed import LocalCluster

    monkeypatch.setattr(host, "POLL_SECONDS", 0.05)
    with LocalCluster(
        n_workers=2, threads_per_worker=1, processes=False, dashboard_address="127.0.0.1:0", silence_logs=50
    ) as made:
        yield made.scheduler_address
        remote.stop_all(2)


@pytest.mark.parametrize(
    "seeing", [1, pytest.param(0, marks=pytest.mark.slow), pytest.param(2, marks=pytest.mark.slow)]
)
def test_a_study_on_a_cluster_has_the_table_of_one_on_this_machine(
    cluster, study, study_runs, tmp_path, monkeypatch, seeing
):
    """Also without a shared folder, where rows, pictures and checkpoints arrive while runs train; and where one of two
    workers, which the host first sees when a cell waits there, has the folder."""
    seen = []

    def sees(path, content, dask_worker):
        seen.extend({dask_worker.address} - set(seen))
        return seen.index(dask_worker.address) < seeing

    monkeypatch.setattr(remote, "sees", sees)
    look = ClusterHost._look
    monkeypatch.setattr(ClusterHost, "_look", lambda host, *workers: look(host, *workers) if workers else None)
    events = []
    for event in run_study(study, tmp_path, scheduler=cluster):
        events.append(event)
    assert [event for event in events if isinstance(event, Warned)] == []
    assert sum(isinstance(event, CellFinished) for event in events) == 4
    assert events[-1] == Finished(message="4 of 4 runs are trained and evaluated.")
    assert any(isinstance(event, Progress) and 0 < event.done < event.total for event in events)
    table = comma_separated(study_table(study, study_runs))
    assert comma_separated(study_table(study, tmp_path)) == table
    for state in cell_states(study, tmp_path):
        same = study_runs / state.run.name / "checkpoint" / "model.safetensors"
        assert (state.run / "checkpoint" / "model.safetensors").read_bytes() == same.read_bytes()


def test_a_cell_that_the_scheduler_gives_up_fails_with_the_reason_and_the_others_go_on(
    cluster, study, tmp_path, monkeypatch
):
    """The task of every cell raises: none is tried for ever, and each can be resumed."""

    def broken(token, number):
        raise RuntimeError("no such luck")

    monkeypatch.setattr(remote, "run_cell", broken)
    failed = [event.state for event in run_study(study, tmp_path, scheduler=cluster) if isinstance(event, CellFinished)]
    assert [state.state for state in failed] == ["failed"] * 4
    assert {state.message for state in failed} == {"The cluster gave it up (no such luck). It can be resumed."}
    assert not any(Run.open(state.run).is_locked() for state in failed)


def test_a_study_without_a_cluster_says_so(study, tmp_path, monkeypatch):
    monkeypatch.setattr(host, "CONNECT_SECONDS", 1)
    with pytest.raises(RunError, match=r"no scheduler at tcp://127\.0\.0\.1:9"):
        list(run_study(study, tmp_path, scheduler="tcp://127.0.0.1:9"))


@pytest.mark.parametrize("address", ["nonsense://x", "http://", "127.0.0.1:99999999"])
def test_a_wrong_address_is_a_sentence(study, tmp_path, address, monkeypatch):
    monkeypatch.setattr(host, "CONNECT_SECONDS", 2)
    with pytest.raises(RunError, match=f"(?s)at {address}.*\\.$|{address}"):
        list(run_study(study, tmp_path, scheduler=address))


def test_data_that_are_missing_on_a_worker_are_named_before_anything_starts(cluster, tmp_path, study_file):
    study = load_study(study_file(tmp_path, ('dataset = "digits"', 'dataset = "mnist"')), quick=True)
    with pytest.raises(DataError, match="Data are missing on workers"):
        list(run_study(study, tmp_path / "runs", scheduler=cluster))
    assert not list((tmp_path / "runs").glob("tiny*"))


def test_another_version_on_a_worker_is_said(cluster, study, tmp_path, monkeypatch):
    monkeypatch.setattr(remote, "versions", lambda: {"disentangle-studio": "0.1"})
    control, notes = Control(), []
    for event in drive(run_study(study, tmp_path, scheduler=cluster), control):
        if isinstance(event, Warned):
            notes.append(event.message)
            control.stop()
    assert "disentangle-studio 0.1 (here " in notes[0]


def test_a_lost_scheduler_is_a_sentence_whatever_the_library_says(tmp_path, monkeypatch):
    """Found by killing: a client that has given up raised AttributeError from within, also while the host stopped."""
    from distributed import LocalCluster

    monkeypatch.setattr(host, "POLL_SECONDS", 0.05)
    with LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, dashboard_address="127.0.0.1:0", silence_logs=50
    ) as made:
        cells = ClusterHost(made.scheduler_address, tmp_path)
        cells._client.close()
        cells.pause()
        with pytest.raises(
            RunError, match=r"^The cluster at .* is lost \([^']+\)\. Every run of the study can be resumed"
        ):
            cells.receive(20)
        with pytest.raises(RunError, match="is lost"):
            cells.notes()
        assert cells.stop() == []


def test_a_cell_whose_host_is_gone_saves_and_ends(monkeypatch, study, tmp_path):
    """The window was killed: nobody asks any more."""
    monkeypatch.setattr(remote, "PATIENCE", -1)
    remote.run_cell("token", 3)
    assert remote.collect("token") == []


# Losses: real processes


@pytest.fixture
def processes(tmp_path):
    """Start commands of main.py, and end them afterwards."""
    started = []

    def start(*arguments):
        out = (tmp_path / f"out-{len(started)}").open("w")
        started.append(subprocess.Popen([sys.executable, "main.py", *arguments], cwd=ROOT, stdout=out, stderr=out))
        return started[-1], Path(out.name)

    yield start
    for process in started:
        process.kill()
        process.wait()


def wait_for(condition, seconds=60):
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end
        time.sleep(0.1)
    return found


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs kill -9")
@pytest.mark.parametrize("lost", ["worker", "scheduler"])
def test_what_is_killed_costs_nothing_but_time(processes, study_file, tmp_path, lost):
    """kill -9 of a worker: its cell goes on elsewhere. Of the scheduler: the study ends with a sentence and is resumed.

    Weights are those of an undisturbed study.
    """
    study = load_study(study_file(tmp_path, ("steps = 60", "steps = 600"), ("seeds = [0, 1]", "seeds = [0]")))
    list(run_study(study, tmp_path / "undisturbed", workers=2, threads=1))

    def begin():
        scheduler, out = processes("scheduler", "--port", "0")
        address = wait_for(lambda: out.read_text().split("\n")[0] if "\n" in out.read_text() else "")
        return scheduler, address, [processes("worker", address, "--slots", "1")[0] for _ in range(2)]

    scheduler, address, workers = begin()
    runs, killed, failure = tmp_path / "runs", False, ""
    try:
        for event in run_study(study, runs, scheduler=address):
            rows = [path for path in runs.glob("*/metrics.csv") if len(path.read_text().splitlines()) > 3]
            if rows and not killed:
                killed = True
                os.kill((workers[0] if lost == "worker" else scheduler).pid, signal.SIGKILL)
            if isinstance(event, CellStarted):
                assert event.state.run.is_dir()
    except RunError as error:
        failure = str(error)
    assert killed
    assert ("is lost" in failure) == (lost == "scheduler")
    if failure:
        _, address, _ = begin()
        list(run_study(study, runs, scheduler=address))
    assert [state.state for state in cell_states(study, runs)] == ["evaluated"] * 2
    for folder in runs.glob("tiny*"):
        weights = (folder / "checkpoint" / "model.safetensors").read_bytes()
        assert weights == (tmp_path / "undisturbed" / folder.name / "checkpoint" / "model.safetensors").read_bytes()
