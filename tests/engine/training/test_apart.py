"""Runs that use plug-ins are trained in a child process: the same run, and whatever the code does costs no more."""

import json
from dataclasses import replace

import pytest

from engine.errors import PluginError, TrainingDivergedError
from engine.jobs import processes, workers
from engine.jobs.control import Control, drive
from engine.jobs.events import CheckpointSaved, Finished, Idle, Paused, StepMetrics, Unanswered
from engine.runs.run import Run
from engine.training import apart
from engine.training.apart import training
from engine.training.trainer import train

LINE = 12


@pytest.fixture
def odd_run(tmp_path, make_run, odd_plugin):
    """Make a run whose method, a plug-in's, does something at its 15th step: `odd_run("raise ValueError")`."""

    loaded = []

    def make(body, **settings):
        if loaded != [body]:  # loaded again, its classes would be others
            odd_plugin(body)
            loaded[:] = [body]
        settings = {"steps": 30, "checkpoint_steps": 10, "threads": 1} | settings
        return make_run(tmp_path / "runs", objective="odd-vae", **settings)

    return make


def curves(run):
    """Rows without the seconds."""
    lines = [line.split(",") for line in run.metrics_file.read_text().splitlines()]
    return [line[:2] + line[3:] for line in lines]


def weights(run):
    return (run.checkpoint_folder / "model.safetensors").read_bytes()


def essential(events):
    """Events that are the same however the run is trained."""
    seconds = [event for event in events if isinstance(event, StepMetrics | CheckpointSaved | Finished)]
    return [(type(e), getattr(e, "step", None), getattr(e, "loss", None)) for e in seconds]


def test_a_run_in_a_child_process_is_bit_for_bit_the_run_in_this_one(odd_run):
    there, here = odd_run("pass"), odd_run("pass")
    events = list(training(there))
    assert any(isinstance(event, Idle) for event in events)  # it is a child
    assert essential(events) == essential(train(here))
    assert weights(there) == weights(here)
    assert curves(there) == curves(here)
    for name in ("held_out.csv", "state.json"):
        assert (there.path / name).exists() == (here.path / name).exists()
    assert json.loads((there.path / "state.json").read_text())["state"] == "finished"


def test_stopped_and_resumed_in_a_child_it_is_still_that_run(odd_run):
    there, here = odd_run("pass"), odd_run("pass")
    control, seen = Control(), []
    for event in drive(training(there), control):
        seen.append(event)
        if isinstance(event, StepMetrics):
            control.pause()
        if isinstance(event, Paused):
            assert there.state().state == "paused"
            control.resume()
            control.stop()
    assert isinstance(seen[-1], Finished)
    assert seen[-1].stopped
    assert 10 <= there.state().step < 30
    list(training(Run.open(there.path)))
    list(train(here))
    assert weights(there) == weights(here)
    assert curves(there) == curves(here)


def test_a_run_of_ours_needs_no_child(make_run, tmp_path, monkeypatch):
    monkeypatch.setattr(apart, "apart", None)
    run = make_run(tmp_path, steps=5)
    list(training(run))
    assert run.state().state == "finished"


@pytest.mark.parametrize(
    ("body", "line"),
    [("while True: pass", LINE), ("import torch\n            while True: torch.ones(9).sum()", LINE + 1)],
)
def test_a_step_that_never_ends_is_named_and_can_be_ended_and_the_checkpoint_stays(odd_run, monkeypatch, body, line):
    monkeypatch.setattr(workers, "SILENCE", 2.0)
    run = odd_run(body)
    control, said = Control(), []
    job = drive(training(run), control)
    with pytest.raises(PluginError) as raised:
        follow(job, control, said)
    kept = "The run keeps its checkpoint at step 10."
    assert said == [f"odd does not answer (odd.py, line {line}). {kept}"]
    words = f"odd did not answer (odd.py, line {line}) and was ended. {kept}"
    assert str(raised.value) == words
    state = run.state()
    assert (state.state, state.message, state.total) == ("failed", words, 30)
    assert not run.is_locked()


def follow(job, control, said):
    """Ask to stop when the run hangs, after its first checkpoint, and end it when it does not answer."""
    idle, saved = 0, False
    for event in job:
        saved |= isinstance(event, CheckpointSaved)
        idle = idle + 1 if saved and isinstance(event, Idle) else 0
        if idle == 5:
            control.stop()
        if isinstance(event, Unanswered):
            said.append(event.message)
            control.end()


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("raise ValueError('no such thing')", f"odd raised ValueError: no such thing (odd.py, line {LINE})."),
        ("raise SystemExit(1)", f"odd raised SystemExit: 1 (odd.py, line {LINE})."),
        ("import os; os._exit(3)", f"odd ended its process with exit status 3 (odd.py, line {LINE})."),
        ("import ctypes; ctypes.string_at(0)", f"odd crashed with SIGSEGV (odd.py, line {LINE})."),
        (
            "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
            "odd was ended by the system, most likely for lack of memory.",
        ),
        ("open('/nowhere')", "odd raised FileNotFoundError: [Errno 2] No such file or directory: '/nowhere' "
         f"(odd.py, line {LINE})."),
    ],
)  # fmt: skip
def test_what_raises_crashes_or_exits_leaves_the_run_failed_with_its_checkpoint(odd_run, body, words):
    run = odd_run(body)
    with pytest.raises(PluginError) as raised:
        list(training(run))
    expected = f"{words} The run keeps its checkpoint at step 10."
    assert str(raised.value) == expected
    state = run.state()
    assert (state.state, state.message) == ("failed", expected)
    assert state.step >= 10


def test_a_loss_that_is_not_a_number_ends_the_run_as_any_other(odd_run):
    run = odd_run("terms = {name: value * float('nan') for name, value in terms.items()}")
    step = rf"\(odd\.py, line {LINE - 3}\)"
    with pytest.raises(TrainingDivergedError, match=f"The loss with odd {step} became NaN or infinite at step 15"):
        list(training(run))
    assert run.state().state == "failed"


def test_a_plug_in_that_cannot_be_loaded_in_the_child_is_named(odd_run, monkeypatch):
    """Once it was "No module named 'plugin_odd_...'", and the run was left as if it had never been started."""
    run = odd_run("pass")
    [(load, [source])] = processes._preparation
    failing = replace(source, content=b"raise OSError('only once')")
    monkeypatch.setattr(processes, "_preparation", [(load, (failing,))])
    with pytest.raises(PluginError) as raised:
        list(training(run))
    words = "odd.py cannot be loaded: it raised OSError: only once (odd.py, line 1). There is no checkpoint yet."
    assert (str(raised.value), run.state().state) == (words, "failed")


def test_closing_a_run_whose_step_never_ends_ends_it_and_says_so(odd_run, monkeypatch):
    monkeypatch.setattr(workers, "CLOSING", 2.0)
    run = odd_run("while True: pass")
    job = training(run)
    while not isinstance(next(job), CheckpointSaved):
        pass
    for _ in range(20):  # two seconds: it hangs
        next(job)
    with pytest.raises(PluginError, match=r"odd did not answer \(odd.py, line 12\) and was ended"):
        job.close()
    assert run.state().state == "failed"
