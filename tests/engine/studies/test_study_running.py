"""The job of a study gives the same table however it is interrupted and whatever fails."""

import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from engine.errors import ConfigError, DataError, RunLockedError
from engine.evaluation.table_formats import comma_separated
from engine.jobs.control import Control, drive
from engine.jobs.events import Finished, Paused, Request, Unanswered, Warned
from engine.runs.checkpoints import checkpoint_step
from engine.runs.run import Run
from engine.studies import (
    CellFinished,
    CellStarted,
    cell_states,
    load_study,
    missing_cells,
    run_study,
    study_table,
)
from engine.studies.machine import plan_for

ROOT = Path(__file__).resolve().parents[3]
LONG = ("steps = 60", "steps = 100_000")


def finished(events):
    return [event.state for event in events if isinstance(event, CellFinished)]


def table_text(study, folder):
    return comma_separated(study_table(study, folder))


def curves(run):
    """Rows of the curves without the seconds."""
    lines = [line.split(",") for line in (run / "metrics.csv").read_text().splitlines()]
    return [line[:2] + line[3:] for line in lines]


def test_a_study_ends_with_every_cell_evaluated_and_its_table(study, study_runs, study_events):
    assert [state.state for state in cell_states(study, study_runs)] == ["evaluated"] * 4
    assert [state.cell for state in finished(study_events)] == list(study.cells)
    assert study_events[-1] == Finished(message="4 of 4 runs are trained and evaluated.")
    table = study_table(study, study_runs)
    assert [line.title for line in table.lines] == ["VAE", "Annealed, γ = 10"]
    values = [json.loads((state.run / "evaluation.json").read_text())["metrics"]["reconstruction"]["value"]
              for state in cell_states(study, study_runs)]  # fmt: skip
    cell = table.lines[0].cells[table.index("reconstruction")]
    assert cell.value == pytest.approx((values[0] + values[2]) / 2)  # cells come seed by seed
    assert cell.deviation == pytest.approx(abs(values[0] - values[2]) / 2**0.5)
    assert table.lines[0].cells[table.index("n")].value == 2
    assert "Digits has no ground-truth factors" in table.lines[0].cells[table.index("mig")].note
    assert {path.name for path in study_runs.glob("tiny-*")} == {
        f"tiny-{objective}-seed-{seed}" for objective in ("vae", "annealed-relu") for seed in (0, 1)
    }


def test_two_workers_give_the_same_table_as_one(study, study_runs, tmp_path):
    events = list(run_study(study, tmp_path, workers=2, threads=1))
    assert len(finished(events)) == 4
    running = 0
    for event in events:
        running += isinstance(event, CellStarted) - isinstance(event, CellFinished)
        if running == 2:
            break
    assert running == 2  # side by side
    assert table_text(study, tmp_path) == table_text(study, study_runs)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs kill -9")
def test_a_killed_and_restarted_study_ends_with_the_same_table(study, study_runs, tmp_path):
    command = [sys.executable, ROOT / "main.py", "study", study.path, "--workers", "1", "--threads", "1"]
    process = subprocess.Popen([*command, "--runs", tmp_path], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    second = tmp_path / "tiny-annealed-relu-seed-0" / "checkpoint" / "model.safetensors"
    while process.poll() is None and not second.exists():
        time.sleep(0.01)
    process.kill()
    process.wait()
    before = [state.state for state in cell_states(study, tmp_path)]
    assert before[0] == "evaluated"
    assert before[1] != "evaluated"
    assert before[2:] == ["waiting", "waiting"]
    events = list(run_study(study, tmp_path, workers=1, threads=1))
    assert {state.cell for state in finished(events)} == set(study.cells[1:])  # the first is not done again
    assert table_text(study, tmp_path) == table_text(study, study_runs)
    # The run that was cut in two has the curves of the one that was not.
    for name in ("tiny-annealed-relu-seed-0", "tiny-vae-seed-1"):
        assert curves(tmp_path / name) == curves(study_runs / name)


def test_finished_cells_are_skipped(study, study_copy):
    before = {path: path.stat().st_mtime_ns for path in study_copy.rglob("*.json")}
    events = list(run_study(study, study_copy, workers=1, threads=1))
    assert not [event for event in events if isinstance(event, CellStarted)]
    assert {path: path.stat().st_mtime_ns for path in study_copy.rglob("*.json")} == before
    assert multiprocessing.active_children() == []


def test_a_stop_saves_checkpoints_within_two_seconds(tmp_path, study_file):
    study = load_study(study_file(tmp_path, LONG), seeds=1)
    control = Control()
    events = []
    for event in drive(run_study(study, tmp_path / "runs", workers=2, threads=1), control):
        events.append(event)
        if not control.request and all(state.step >= 10 for state in cell_states(study, tmp_path / "runs")):
            asked = time.monotonic()
            control.stop()
    assert time.monotonic() - asked < 2  # the project's own limit
    assert events[-1] == Finished(stopped=True, message="0 of 2 runs are trained and evaluated.")
    assert multiprocessing.active_children() == []
    for state in cell_states(study, tmp_path / "runs"):
        assert state.state == "paused"
        assert checkpoint_step(state.run / "checkpoint") == state.step


def test_a_pause_saves_a_checkpoint_and_then_continues(tmp_path, study_file):
    study = load_study(study_file(tmp_path, LONG), seeds=1)
    job = run_study(study, tmp_path / "runs", workers=1, threads=1)
    event, request = next(job), None
    reached = None
    while reached is None or cell_states(study, tmp_path / "runs")[0].step <= reached:
        event = job.send(request)
        state = cell_states(study, tmp_path / "runs")[0]
        if isinstance(event, Paused):
            assert state.state == "paused"
            assert checkpoint_step(state.run / "checkpoint") == state.step
            reached, request = state.step, None
        elif reached is None and state.step >= 20:
            request = Request.PAUSE
    asked = time.monotonic()
    job.close()
    assert time.monotonic() - asked < 2
    assert cell_states(study, tmp_path / "runs")[0].state == "paused"


def test_a_failed_run_does_not_affect_others_and_its_cell_says_why(tmp_path, study_file):
    study = load_study(study_file(tmp_path, broken=True), seeds=1)
    events = list(run_study(study, tmp_path / "runs", workers=1, threads=1))
    assert [state.state for state in finished(events)] == ["evaluated", "evaluated", "failed"]
    states = cell_states(study, tmp_path / "runs")
    assert [state.state for state in states] == ["evaluated", "evaluated", "failed"]
    assert "The loss became NaN or infinite" in states[2].message
    table = study_table(study, tmp_path / "runs")
    broken = table.lines[2]
    assert (broken.title, broken.cells[table.index("n")].text) == ("Broken", "0")
    assert broken.cells[table.index("reconstruction")].text == "–"
    assert "loss became NaN" in broken.cells[table.index("reconstruction")].note
    assert missing_cells(states)[0].startswith("Broken, seed 0: failed at step")
    assert table.lines[0].cells[table.index("reconstruction")].value is not None


def test_a_row_lists_the_seeds_missing_from_its_mean_with_reasons(study, study_copy):
    shutil.rmtree(study_copy / "tiny-vae-seed-1")
    table = study_table(study, study_copy)
    assert [line.cells[table.index("n")].value for line in table.lines] == [1, 2]
    cell = table.lines[0].cells[table.index("kl")]
    assert cell.note.startswith("Over 1 of 2 runs: mean ")
    assert "VAE, seed 1: not trained yet" in cell.note
    assert missing_cells(cell_states(study, study_copy)) == ["VAE, seed 1: not trained yet."]


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs kill -9")
def test_a_worker_killed_by_the_system_affects_only_its_cell(tmp_path, study_file):
    first_long = ('objective = "vae"', 'objective = "vae"\nsteps = 100_000')
    study = load_study(study_file(tmp_path, first_long), seeds=1)
    job = run_study(study, tmp_path / "runs", workers=1, threads=1)
    events = []
    for event in job:
        events.append(event)
        if not finished(events) and cell_states(study, tmp_path / "runs")[0].step >= 10:
            [worker] = multiprocessing.active_children()
            os.kill(worker.pid, signal.SIGKILL)
            events += list(job)
    first, second = finished(events)
    assert (first.state, second.state) == ("failed", "evaluated")
    assert "ended by the system" in first.message
    assert cell_states(study, tmp_path / "runs")[0].state == "paused"  # and can be resumed


def test_a_study_runs_only_once_at_a_time_in_a_folder(study, tmp_path):
    job = run_study(study, tmp_path, workers=1, threads=1)
    next(job)
    with pytest.raises(RunLockedError, match=r"Tiny is running in .* in another window or process"):
        next(run_study(study, tmp_path, workers=1))
    job.close()


def test_missing_data_get_a_message_and_create_no_runs(tmp_path, study_file):
    study = load_study(study_file(tmp_path, ('"digits"', '"mnist"')), data_folder=tmp_path / "nowhere")
    with pytest.raises(DataError, match="nowhere"):
        list(run_study(study, tmp_path / "runs", workers=1))
    assert list((tmp_path / "runs").glob("tiny*")) == []


def test_the_threads_of_a_study_do_not_depend_on_memory_or_remaining_cells(monkeypatch):
    monkeypatch.setattr("engine.studies.machine._cores", lambda: 8)
    monkeypatch.setattr("engine.studies.machine.available_memory", lambda: 4_000_000_000)
    plan = plan_for(12, "cpu")
    assert (plan.workers, plan.threads) == (3, 1)
    monkeypatch.setattr("engine.studies.machine.available_memory", lambda: 40_000_000_000)
    assert (plan_for(12, "cpu").workers, plan_for(12, "cpu").threads) == (8, 1)
    assert (plan_for(4, "cpu").workers, plan_for(4, "cpu").threads) == (4, 2)
    with pytest.raises(ConfigError, match="workers is 0"):
        plan_for(4, "cpu", workers=0)


# A plug-in's method among the cells

ODD = ('objective = "vae"', 'objective = "odd-vae"')


def ended_by(study, folder, ask):
    """Run a study; when its first cell hangs, `ask(control)`. What does not answer is ended when that is said."""
    control, events = Control(), []
    saved = folder / "tiny-odd-vae-seed-0" / "checkpoint" / "model.safetensors"
    for event in drive(run_study(study, folder, workers=1, threads=1), control):
        events.append(event)
        if saved.exists() and not finished(events) and not control.request:
            time.sleep(1)  # it hangs at step 15
            ask(control)
        if isinstance(event, Unanswered) and event.message:
            control.end()
    return events


def test_a_cell_whose_step_never_ends_can_be_ended_and_the_others_continue(tmp_path, study_file, odd_plugin):
    odd_plugin("while True: pass")
    study = load_study(study_file(tmp_path, ODD), seeds=1)
    events = ended_by(study, tmp_path / "runs", Control.pause)
    said = [event.message for event in events if isinstance(event, Unanswered)]
    assert said == ["odd does not answer (odd.py, line 12).", ""]
    first, second = finished(events)
    assert (first.state, second.state) == ("failed", "evaluated")
    words = "odd did not answer (odd.py, line 12) and was ended. The run keeps its checkpoint at step 10."
    assert first.message == words
    assert cell_states(study, tmp_path / "runs")[0].message == words


def test_a_stop_ends_what_does_not_answer_and_says_so(tmp_path, study_file, odd_plugin):
    odd_plugin("while True: pass")
    study = load_study(study_file(tmp_path, ODD), seeds=1)
    events = ended_by(study, tmp_path / "runs", Control.stop)
    words = "odd did not answer (odd.py, line 12) and was ended. The run keeps its checkpoint at step 10."
    assert Warned(words) in events
    assert events[-1].stopped
    assert multiprocessing.active_children() == []
    assert Run.open(tmp_path / "runs" / "tiny-odd-vae-seed-0").state().message == words


def test_a_process_in_which_a_plug_ins_code_ran_does_no_other_cell(tmp_path, study_file, odd_plugin):
    """It may have changed anything there: here the type of all new weights."""
    odd_plugin("import torch; torch.set_default_dtype(torch.float64)")
    study = load_study(study_file(tmp_path, ODD), seeds=1)
    _, second = finished(run_study(study, tmp_path / "runs", workers=1, threads=1))
    assert (second.cell.config.objective, second.state, second.message) == ("annealed-relu", "evaluated", "")


def test_a_cell_whose_plug_in_ends_its_process_costs_that_cell_only(tmp_path, study_file, odd_plugin):
    odd_plugin("import os; os._exit(5)")
    study = load_study(study_file(tmp_path, ODD), seeds=1)
    first, second = finished(run_study(study, tmp_path / "runs", workers=1, threads=1))
    assert (first.state, second.state) == ("failed", "evaluated")
    assert first.message == (
        "odd ended its process with exit status 5 (odd.py, line 12). The run keeps its checkpoint at step 10."
    )
