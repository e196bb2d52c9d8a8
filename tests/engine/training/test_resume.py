"""Resuming a run: on another machine, from damaged files, and what a refused resume leaves behind."""

import json
import shutil

import numpy as np
import pytest
import torch

from engine.errors import CheckpointError, ConfigError, DataError, RunError, RunLockedError, StudioError
from engine.evaluation.evaluate import evaluate
from engine.jobs.events import Evaluated, Finished, Progress, Request, Warned
from engine.runs.checkpoints import load_weights
from engine.runs.metrics_file import MetricsReader
from engine.runs.run import Run
from engine.settings.run_config import RunConfig
from engine.system.files import write_json
from engine.training.lengthening import lengthen, lengthen_by
from engine.training.trainer import train

CUDA_STATE = torch.arange(16, dtype=torch.uint8)
"""A CUDA generator's state is its seed and its offset, 8 bytes each."""

needs_no_gpu = pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a GPU")


def trainer_file(run):
    return run.checkpoint_folder / f"trainer-{load_weights(run.checkpoint_folder).step}.pt"


def change_trainer(run, change):
    """Replace the content of the trainer file by the result of `change`."""
    path = trainer_file(run)
    torch.save(change(torch.load(path, weights_only=True)), path)


def change_config(run, **changes):
    path = run.path / "config.json"
    write_json(path, json.loads(path.read_text()) | changes)


def files(run):
    """Everything in the run's folder except the lock."""
    found = (path for path in run.path.rglob("*") if path.is_file() and path.name != "lock")
    return {path.relative_to(run.path).as_posix(): path.read_bytes() for path in found}


def refused(run, error, match):
    """Check that resuming a run, to a new length, is refused and leaves the run unchanged."""
    before = files(run)
    with pytest.raises(error, match=match) as raised:
        resume(Run.open(run.path))
    assert str(raised.value).count("\n") == 0
    assert files(run) == before


def resume(run):
    lengthen_by(run, 20)
    list(train(run))


def stop_at(run, step):
    job = train(run)
    while not (isinstance(event := next(job), Progress) and event.what == "Training" and event.done == step):
        pass
    return [job.send(Request.STOP), *job]


def on_a_gpu(run):
    """Make a run look like one trained by version 1.0.0 on a GPU."""
    change_config(run, resolved={"device": "cuda", "threads": 64}, device="cuda")
    change_trainer(run, lambda state: {k: v for k, v in state.items() if k != "device"} | {"noise": CUDA_STATE})


# From a GPU to a machine without one


@needs_no_gpu
def test_a_run_started_on_a_gpu_resumes_without_one_with_a_note(tiny_copy):
    on_a_gpu(tiny_copy)
    before = json.loads((tiny_copy.path / "config.json").read_text())
    threads = torch.get_num_threads()
    run = Run.open(tiny_copy.path)
    lengthen(run, None, 80)
    events = list(train(run))
    [note] = [event.message for event in events if isinstance(event, Warned)]
    assert "PyTorch finds no GPU (CUDA) on this machine" in note
    assert "continues on CPU" in note
    assert "no longer, bit for bit" in note
    assert events[-1] == Finished(run.path, 80, stopped=False)
    assert torch.get_num_threads() == threads  # the 64 were the other machine's
    # The original device stays recorded: back on that machine, the run continues on the GPU.
    assert json.loads((run.path / "config.json").read_text()) == before | {"steps": 80}


@needs_no_gpu
def test_the_optimiser_is_restored_and_the_noise_depends_on_seed_and_step(tmp_path, tiny_run):
    copies = []
    for name in ("first", "second", "no-momentum"):
        run = Run.open(shutil.copytree(tiny_run.path, tmp_path / name))
        on_a_gpu(run)
        copies.append(Run.open(run.path))

    def forget(state):
        for moments in state["optimisers"]["all"]["state"].values():
            moments["exp_avg"].zero_()
        return state

    change_trainer(copies[2], forget)
    weights = []
    for run in copies:
        lengthen(run, None, 65)
        list(train(run))
        weights.append(load_weights(run.checkpoint_folder).tensors["encoder.features.0.weight"])
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


@needs_no_gpu
def test_once_on_the_cpu_it_resumes_exactly(tmp_path, tiny_run):
    whole, parts = (Run.open(shutil.copytree(tiny_run.path, tmp_path / name)) for name in ("whole", "parts"))
    for run in (whole, parts):
        on_a_gpu(run)
    whole, parts = Run.open(whole.path), Run.open(parts.path)
    for run in (whole, parts):
        lengthen(run, None, 90)
    list(train(whole))
    stop_at(parts, 73)
    list(train(Run.open(parts.path)))
    one, two = (load_weights(run.checkpoint_folder).tensors for run in (whole, parts))
    assert all(torch.equal(one[name], two[name]) for name in one)


@needs_no_gpu
def test_a_run_started_on_a_gpu_is_evaluated_without_one(tiny_copy):
    on_a_gpu(tiny_copy)
    *_, last = evaluate(Run.open(tiny_copy.path), ("kl",))
    assert isinstance(last, Evaluated)
    assert last.result["metrics"]["kl"]["value"] > 0


@needs_no_gpu
def test_returning_to_the_first_device_gets_a_note(tiny_copy):
    change_trainer(tiny_copy, lambda state: state | {"device": "cuda", "noise": CUDA_STATE})
    lengthen(tiny_copy, None, 65)
    [note] = [event.message for event in train(tiny_copy) if isinstance(event, Warned)]
    assert "trained on GPU (CUDA) so far and continues on CPU" in note


@needs_no_gpu
@pytest.mark.parametrize("device", ["cuda", "mps"])
def test_a_new_run_on_a_missing_device_is_refused(tmp_path, make_run, device):
    run = make_run(tmp_path, device=device)
    with pytest.raises(ConfigError, match=f"device is {device}, and PyTorch finds none on this machine.*cpu or auto"):
        list(train(run))
    assert run.state().state == "failed"
    assert "device is" in run.state().message


def test_a_run_whose_device_is_not_known_resumes_with_a_note(tiny_copy):
    path = tiny_copy.path / "config.json"
    write_json(path, {name: value for name, value in json.loads(path.read_text()).items() if name != "resolved"})
    run = Run.open(tiny_copy.path)
    lengthen(run, None, 65)
    [note] = [event.message for event in train(run) if isinstance(event, Warned)]
    assert "does not say on which device" in note
    assert Run.open(run.path).resolved["device"] == run.resolved["device"]


@pytest.mark.parametrize(
    ("resolved", "words"),
    [
        ({"device": "cpu", "threads": 10**9}, r"threads is 1000000000; it must be a whole number from 0 to 1,024"),
        ({"device": "cpu", "threads": -1}, "threads is -1"),
        ({"device": "cpu", "threads": 1e999}, "threads is inf"),
        ({"device": "cpu", "threads": [2]}, r"threads is \[2\]"),
        ({"device": "banana", "threads": 2}, "device is 'banana'; it must be one of auto, cpu, cuda, mps"),
        ({"device": {"a": 1}}, "device is {'a': 1}"),
    ],
)
def test_device_and_threads_in_config_json_are_checked(tiny_copy, resolved, words):
    """10^9 threads crashed version 1.0.0."""
    change_config(tiny_copy, resolved=resolved)
    with pytest.raises(RunError, match=words):
        Run.open(tiny_copy.path)


# A trainer's file of wrong content


def without(name):
    return lambda state: {key: value for key, value in state.items() if key != name}


def with_moment(name, change):
    def make(state):
        state["optimisers"]["all"]["state"][0][name] = change(state["optimisers"]["all"]["state"][0][name])
        return state

    return make


HOSTILE = {
    "not a dict": lambda state: [state],
    "a number": lambda state: 3,
    "empty": lambda state: {},
    "no optimiser": without("optimisers"),
    "no noise": without("noise"),
    "no sums": without("sums"),
    "another step": lambda state: state | {"step": 59},
    "step as a text": lambda state: state | {"step": "60"},
    "huge step": lambda state: state | {"step": 10**400},
    "optimiser a list": lambda state: state | {"optimisers": {"all": []}},
    "optimiser without a state": lambda state: state | {"optimisers": {"all": {"state": {}, "param_groups": []}}},
    "another optimiser": lambda state: (
        state | {"optimisers": {"all": {"state": {0: {"momentum_buffer": torch.zeros(3)}}}}}
    ),
    "moments of another shape": with_moment("exp_avg", lambda m: m.flatten()[:3]),
    "moments of another type": with_moment("exp_avg", lambda m: m.double()),
    "moments that are numbers": with_moment("exp_avg", lambda m: 1.0),
    "moments that are NaN": with_moment("exp_avg", lambda m: m * float("nan")),
    "negative squares": with_moment("exp_avg_sq", lambda m: m - 1e9),
    "no steps of Adam": with_moment("step", lambda m: m * 0),
    "Adam's step a number": with_moment("step", lambda m: 60),
    "huge step of Adam": with_moment("step", lambda m: m * float("inf") * 0),
    "noise cut": lambda state: state | {"noise": state["noise"][:100]},
    "noise of nothing": lambda state: state | {"noise": torch.zeros_like(state["noise"])},
    "noise of floats": lambda state: state | {"noise": state["noise"].float()},
    "noise a text": lambda state: state | {"noise": "noise"},
    "sums too short": lambda state: state | {"sums": state["sums"][:4]},
    "sums of integers": lambda state: state | {"sums": state["sums"].long()},
    "sums that are infinite": lambda state: state | {"sums": state["sums"] + float("inf")},
    "summed a huge number": lambda state: state | {"summed": 10**300},
    "summed negative": lambda state: state | {"summed": -1},
    "summed a float": lambda state: state | {"summed": 2.5},
    "seconds a text": lambda state: state | {"seconds": "long"},
    "seconds NaN": lambda state: state | {"seconds": float("nan")},
    "seconds negative": lambda state: state | {"seconds": -3.0},
    "device a number": lambda state: state | {"device": 3},
}


@pytest.mark.parametrize("change", HOSTILE.values(), ids=HOSTILE)
def test_a_trainer_file_with_wrong_content_gets_a_message_and_changes_nothing(tiny_copy, change):
    change_trainer(tiny_copy, change)
    refused(
        tiny_copy,
        CheckpointError,
        r"trainer-60\.pt is damaged or belongs to another run: .*\. The weights are intact, so the run can be viewed",
    )


def test_optimiser_settings_come_from_the_run_and_not_from_the_file(tmp_path, tiny_run):
    runs = [Run.open(shutil.copytree(tiny_run.path, tmp_path / name)) for name in ("plain", "changed")]

    def faster(state):
        state["optimisers"]["all"]["param_groups"][0]["lr"] = 10.0
        return state

    change_trainer(runs[1], faster)
    for run in runs:
        lengthen(run, None, 65)
        list(train(run))
    one, two = (load_weights(run.checkpoint_folder).tensors for run in runs)
    assert all(torch.equal(one[name], two[name]) for name in one)


@pytest.mark.parametrize("step", [-1, 10**400, 10**13])
def test_weights_that_name_an_impossible_step_are_damaged(tiny_copy, step):
    path = tiny_copy.checkpoint_folder / "model.safetensors"
    from safetensors.torch import load_file, save_file

    save_file(load_file(path), path, metadata={"step": str(step), "trainer": f"trainer-{step}.pt"})
    refused(tiny_copy, CheckpointError, r"model\.safetensors is damaged")


# What a refusal leaves


@pytest.mark.parametrize("state", ["finished", "stopped", "interrupted"])
def test_a_refused_resume_leaves_the_run_unchanged(tmp_path, tiny_copy, digits_folder, state):
    values = json.loads((tiny_copy.path / "state.json").read_text())
    write_json(tiny_copy.path / "state.json", values | {"state": "running" if state == "interrupted" else state})

    change_config(tiny_copy, data_folder=str(tmp_path / "nowhere"))
    refused(tiny_copy, DataError, "does not exist")
    change_config(tiny_copy, data_folder=str(digits_folder), latents=9)
    refused(tiny_copy, CheckpointError, "do not fit its settings")
    change_config(tiny_copy, latents=10)
    with Run.open(tiny_copy.path).locked():
        refused(tiny_copy, RunLockedError, "another window, process or machine")
    trainer_file(tiny_copy).unlink()
    refused(tiny_copy, CheckpointError, r"trainer-60\.pt cannot be read")
    assert tiny_copy.state().state == state


def test_a_resume_stopped_while_preparing_data_leaves_the_run_unchanged(tiny_copy, monkeypatch):
    monkeypatch.setattr("engine.training.trainer.prepare", lambda *_: iter([Progress(0, 10, "Drawing", "images")]))
    before = files(tiny_copy)
    job = train(Run.open(tiny_copy.path))
    next(job)
    assert job.send(Request.STOP) == Finished(tiny_copy.path, stopped=True)
    job.close()
    assert files(tiny_copy) == before


def test_a_run_that_was_never_trained_records_why(tmp_path, make_run):
    run = make_run(tmp_path, data_folder=tmp_path / "nowhere")
    with pytest.raises(DataError):
        list(train(run))
    assert run.state().state == "failed"
    assert "does not exist" in run.state().message
    assert run.path.exists()  # it was there before


@pytest.mark.parametrize("settings", [{"data_folder": "/nowhere"}, {"device": "mps"}])
def test_a_new_run_whose_data_or_settings_cannot_be_used_leaves_no_folder(tmp_path, make_run, settings):
    run = make_run(tmp_path / "runs", **settings)
    with pytest.raises((DataError, ConfigError)):
        list(train(run, fresh=True))
    assert list((tmp_path / "runs").iterdir()) == []


def test_a_run_with_training_or_other_files_is_never_removed(tmp_path, make_run, tiny_copy):
    run = make_run(tmp_path / "runs", data_folder="/nowhere")
    (run.path / "notes.txt").write_text("mine")
    with pytest.raises(StudioError):
        list(train(run, fresh=True))
    assert (run.path / "notes.txt").exists()
    before = files(tiny_copy)
    change_config(tiny_copy, data_folder="/nowhere")
    with pytest.raises(StudioError):
        list(train(Run.open(tiny_copy.path), fresh=True))
    assert files(tiny_copy).keys() == before.keys()


# Of version 1.0.0


def as_version_1_wrote_it(run):
    """Make a run's files look like those of version 1.0.0: one optimiser, no terms of the method's own."""

    def older(state):
        shared = [i for i, name in enumerate(state["terms"]) if name != "total_correlation"]
        state |= {"optimiser": state["optimisers"]["all"], "sums": state["sums"][shared]}
        return {key: value for key, value in state.items() if key not in ("optimisers", "terms")}

    change_trainer(run, older)
    rows = [line.split(",") for line in run.metrics_file.read_text().splitlines()]
    place = rows[0].index("total_correlation")
    run.metrics_file.write_text("".join(",".join(row[:place] + row[place + 1 :]) + "\n" for row in rows))


def test_a_run_of_version_1_resumes_bit_for_bit_and_gets_its_terms(tmp_path, digits_folder):
    values = {"dataset": "mnist", "data_folder": digits_folder, "objective": "beta-tcvae", "batch_size": 32}
    config = RunConfig.parse(values | {"steps": 40, "log_steps": 8})
    whole, older = (Run.create(tmp_path, config, name) for name in ("whole", "older"))
    list(train(whole))
    stop_at(older, 20)
    as_version_1_wrote_it(older)
    list(train(Run.open(older.path)))
    expected, found = (load_weights(run.checkpoint_folder).tensors for run in (whole, older))
    for name, tensor in expected.items():
        assert torch.equal(tensor, found[name]), name
    curves = []
    for run in (whole, older):
        reader = MetricsReader(run.metrics_file)
        reader.refresh()
        curves.append(reader)
    assert curves[0].names == curves[1].names
    for name in curves[0].names:
        if name not in ("seconds", "total_correlation"):
            np.testing.assert_array_equal(curves[1].column(name), curves[0].column(name))
    # The rows of steps 8 and 16 lack it, and so does that of 24, which began before the stop.
    assert np.isnan(curves[1].column("total_correlation")).tolist() == [True, True, True, False, False]
    np.testing.assert_array_equal(curves[1].column("total_correlation")[3:], curves[0].column("total_correlation")[3:])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda state: state | {"optimisers": {"other": state["optimisers"]["all"]}}, "'optimisers' must be all"),
        (lambda state: state | {"optimisers": []}, "'optimisers' must be all"),
        (lambda state: state | {"terms": state["terms"][::-1]}, "'terms' are not those of the method"),
        (lambda state: state | {"terms": "loss"}, "'sums' must be"),
        (lambda state: state | {"sums": state["sums"] * float("nan")}, "finite"),
    ],
)
def test_a_state_of_other_optimisers_or_terms_is_rejected(tiny_copy, change, words):
    change_trainer(tiny_copy, change)
    refused(tiny_copy, CheckpointError, words)
