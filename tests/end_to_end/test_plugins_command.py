"""The command `plugins`, and what every other command says of plug-ins that wait for an answer."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from engine.cli.progress import shown, stop_on_interrupt
from engine.jobs.events import Finished, Idle, Request, Unanswered
from engine.plugins.registering import PLUGINS, unregister
from engine.runs.run import Run
from engine.system.paths import RESOURCES, plugins_folder

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = RESOURCES / "examples" / "plugins" / "free_bits_vae.py"
SMALL = (
    "--dataset", "digits", "--objective", "free-bits-vae", "--set", "network=mlp", "--set", "batch_size=16",
    "--set", "log_steps=5", "--set", "checkpoint_steps=5", "--threads", 1, "--steps", 10,
)  # fmt: skip


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setattr("engine.jobs.processes._preparation", [])
    yield
    for name in list(PLUGINS):
        unregister(name)


def test_a_plug_in_is_added_allowed_used_refused_and_removed(run_main):
    assert run_main("plugins") == (0, "", f"There are no plug-ins. Put a file into {plugins_folder()}, or add one: "
                                   "python main.py plugins add FILE\n")  # fmt: skip
    status, out, err = run_main("plugins", "add", EXAMPLE)
    place = plugins_folder() / EXAMPLE.name
    assert (status, out.strip(), place.read_bytes()) == (0, str(place), EXAMPLE.read_bytes())
    allow = f"python main.py plugins allow {EXAMPLE.name}"
    assert f"not loaded until you allow it: {allow}" in err

    status, out, err = run_main("train", *SMALL)
    assert (status, out) == (2, "")
    note, wrong = err.splitlines()
    assert note == f"Note: The plug-in {EXAMPLE.name} is not loaded until you allow it: {allow}"
    assert "objective is 'free-bits-vae'; it must be one of" in wrong

    status, out, _ = run_main("plugins", "allow", EXAMPLE.stem)
    assert (status, out) == (0, f"free-bits 1.0 is loaded: method free-bits-vae  ({place})\n")
    status, out, err = run_main("train", *SMALL)
    assert status == 0
    assert "Note" not in err
    run = Run.open(Path(out.strip()))
    assert (run.config.objective, run.state().state) == ("free-bits-vae", "finished")
    assert [use.name for use in run.plugins] == ["free-bits"]

    assert run_main("plugins", "refuse", "free-bits")[0] == 0
    status, out, _ = run_main("plugins", "list")
    assert (status, out.split()[:2]) == (0, [EXAMPLE.name, "refused"])
    status, _, err = run_main("resume", run.path, "--steps", 20)
    assert status == 1
    assert "needs the plug-in free-bits 1.0, which is not loaded" in err
    assert run_main("plugins", "remove", EXAMPLE.name)[0] == 0
    assert not place.exists()


@pytest.mark.parametrize(
    ("words", "status", "sentence"),
    [
        (("allow",), 2, "plugins allow needs a name, e.g. plugins allow sparse_vae.py."),
        (("allow", "nothing"), 1, "There is no plug-in nothing in "),
        (("add", "nothing.py"), 1, "nothing.py cannot be read: No such file or directory."),
        (("add", "notes.txt"), 1, "notes.txt is not a plug-in: a plug-in is a Python file, name.py."),
        (("list", "it"), 2, "plugins list takes no name."),
        (("list", "--network", "linear"), 2, "arguments: --network linear. See main.py plugins --help."),
    ],
)
def test_wrong_usage_is_one_line(run_main, words, status, sentence):
    found, out, err = run_main("plugins", *words)
    assert (found, out, err.count("\n")) == (status, "", 1)
    assert sentence in err


def test_one_that_cannot_be_loaded_fails_with_its_line_and_every_command_says_so(run_main, tmp_path):
    (tmp_path / "odd.py").write_text("import json\nimport nothing_like_this\n")
    run_main("plugins", "add", tmp_path / "odd.py")
    status, out, err = run_main("plugins", "allow", "odd")
    raised = "ModuleNotFoundError: No module named 'nothing_like_this'"
    words = f"odd.py cannot be loaded: it raised {raised} (odd.py, line 2)."
    assert (status, out, err) == (1, "", f"main.py: {words}\n")
    assert f"Note: {words}\n" in run_main("evaluate", "nothing")[2]


def test_a_file_that_was_edited_replaces_the_former_one_when_that_is_asked_for(run_main, tmp_path):
    own = tmp_path / "mine.py"
    own.write_text(EXAMPLE.read_text("utf-8"))
    run_main("plugins", "add", own)
    status, _, err = run_main("plugins", "allow", "free-bits")  # its name, which nobody knows yet
    assert (status, "There are: mine.py. Until it is loaded, a plug-in goes by the name of its file." in err) == (
        1,
        True,
    )
    assert run_main("plugins", "allow", "mine")[0] == 0
    status, _, err = run_main("plugins", "add", own)
    assert (status, err) == (0, "mine.py was added. It is allowed already.\n")
    own.write_text(own.read_text("utf-8").replace('version="1.0"', 'version="1.1"'))
    status, out, err = run_main("plugins", "add", own)
    assert (status, out) == (1, "")
    assert "with other content. Remove it first, or replace it: plugins add --replace" in err
    status, _, err = run_main("plugins", "add", own, "--replace")
    assert (status, "mine.py was added. It is not loaded until you allow it" in err) == (0, True)
    assert run_main("plugins", "allow", "mine")[1].startswith("free-bits 1.1 is loaded")
    assert run_main("plugins", "allow", "mine", "--replace")[0] == 2


@pytest.mark.parametrize(("name", "unattended"), [("SIGTERM", True), ("SIGHUP", True), ("SIGINT", False)])
def test_what_does_not_answer_a_signal_that_nobody_can_follow_up_is_ended(capsys, name, unattended):
    if not hasattr(signal, name):
        pytest.skip(f"this system has no {name}")

    def hanging():
        os.kill(os.getpid(), getattr(signal, name))
        requests = [(yield Idle()), (yield Unanswered("sparse does not answer.")), (yield Idle())]
        assert requests == [Request.STOP, Request.END if unattended else Request.STOP, Request.STOP]
        yield Finished()

    with stop_on_interrupt() as control:
        assert Finished() in list(shown(hanging(), control))
    assert ("sparse does not answer. Ctrl-C ends it." in capsys.readouterr().err) is not unattended


def test_help_of_a_command_names_what_plug_ins_bring(run_main):
    run_main("plugins", "add", EXAMPLE)
    run_main("plugins", "allow", EXAMPLE.name)
    assert "free-bits-vae" in " ".join(run_main("train", "--help")[1].split())


@pytest.mark.skipif(os.name == "nt", reason="Windows sends no SIGINT to another process")
def test_a_second_ctrl_c_ends_a_step_that_never_ends(run_main, tmp_path):
    code = EXAMPLE.read_text("utf-8").replace("        kl = kl_per", "        endless(settings)\n        kl = kl_per")
    code += "\n\nsteps = []\n\n\ndef endless(settings):\n    steps.append(1)\n    while len(steps) > 8:\n        pass\n"
    (tmp_path / "endless.py").write_text(code)
    run_main("plugins", "add", tmp_path / "endless.py")
    assert run_main("plugins", "allow", "endless")[0] == 0
    command = [sys.executable, ROOT / "main.py", "train", *map(str, SMALL), "--runs", tmp_path / "runs"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    weights = tmp_path / "runs" / "free-bits-vae-digits-0" / "checkpoint" / "model.safetensors"
    while process.poll() is None and not weights.exists():
        time.sleep(0.05)
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    last = code.splitlines().index("    while len(steps) > 8:") + 1
    assert process.returncode == 130
    places = [f"(endless.py, line {line})" for line in (last, last + 1)]
    kept = "The run keeps its checkpoint at step 5."
    assert err.splitlines()[-1] in [f"free-bits did not answer {place} and was ended. {kept}" for place in places]
    assert Path(out.strip()) == weights.parents[1]
    assert Run.open(weights.parents[1]).state().state == "failed"
