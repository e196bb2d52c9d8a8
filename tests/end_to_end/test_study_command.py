"""`study`, as scripts use it: the list, the estimate, the table, and what an end before its time says."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from engine.runs.checkpoints import checkpoint_step
from engine.runs.run import Run, list_runs

ROOT = Path(__file__).resolve().parents[2]

ONE = ("--workers", 1, "--threads", 1)


@pytest.fixture
def tiny(tmp_path, study_file):
    return study_file(tmp_path)


def test_without_a_name_it_lists_what_there_is(run_main):
    status, out, _ = run_main("study")
    assert status == 0
    about, methods = out.splitlines()[::2], out.splitlines()[1::2]
    assert [line.split()[0] for line in about] == [
        "table-1", "table-1-conditional", "table-2", "table-2-conditional", "lambda-beta", "methods-dsprites",
        "normalisation",
    ]  # fmt: skip
    assert methods[1].strip().startswith("supervised: Conditional VAE · ")
    assert "; weakly supervised: Ada-GVAE" in methods[5]


def test_a_study_ends_in_its_table_in_any_format_and_is_not_done_twice(run_main, tiny, tmp_path):
    status, out, err = run_main("study", tiny, "--quick", *ONE)
    assert status == 0
    assert out.splitlines()[0].startswith(
        "| Method | Supervision | Data set | n | Reconstruction ↓ (nats) | KL (nats) |"
    )
    assert [line.split("|")[1].strip() for line in out.splitlines()[2:4]] == ["VAE", "Annealed, γ = 10"]
    assert "VAE, seed 0: training" in err
    assert err.splitlines()[-1] == "2 of 2 runs are trained and evaluated."

    status, out, err = run_main("study", tiny, "--quick", *ONE, "--format", "json")
    assert "training" not in err
    kept = json.loads((tmp_path / "runs" / "tiny-vae-seed-0" / "evaluation.json").read_text())
    value = json.loads(out)["rows"][0][5]["value"]
    assert value == pytest.approx(kept["metrics"]["kl"]["value"], abs=0.005)

    table = tmp_path / "out" / "table.tex"
    status, out, _ = run_main("study", tiny, "--quick", *ONE, "--output", table)
    assert (status, out.strip()) == (0, str(table))
    assert r"\toprule" in table.read_text(encoding="utf-8")

    status, out, _ = run_main("study", tiny, "--quick", *ONE, "--methods-text")
    assert status == 0
    assert "for 1 epoch (51 steps)" in out
    assert "γ = 10" in out

    picture = tmp_path / "kl.svg"
    drawn = ("--figure", picture, "--score", "kl", "--against", "processor-hours")
    status, out, _ = run_main("study", tiny, "--quick", *drawn, "--dry-run")
    assert (status, out) == (0, f"{picture}\n")
    words = picture.read_text(encoding="utf-8")
    assert all(word in words for word in ("Processor hours", "KL (nats)", "unsupervised", "Annealed, γ = 10"))
    status, _, err = run_main("study", tiny, "--quick", "--figure", picture, "--against", "gpu-hours", "--dry-run")
    assert (status, err.count("\n")) == (2, 1)
    assert "has both" in err

    status, out, err = run_main("study", tiny, "--quick", "--select", "udr_lasso", "--dry-run")
    runs = sorted(list_runs(tmp_path / "runs"))
    values = {str(run): Run.open(run).evaluation()["metrics"]["udr_lasso"]["value"] for run in runs}
    assert (status, out.strip()) == (0, max(values, key=values.get))
    assert err.splitlines()[-1].startswith("Best of 2 runs by UDR (Lasso): tiny-")
    status, out, _ = run_main("study", tiny, "--quick", *ONE)
    assert "| UDR ↑ |" in out.splitlines()[0]
    status, _, err = run_main("study", tiny, "--quick", "--select", "sap", "--dry-run")
    assert (status, "cannot choose the best run of this study" in err) == (2, True)


def test_a_dry_run_says_what_is_left_and_how_long_it_takes_and_does_nothing(run_main, tiny, tmp_path):
    status, out, _ = run_main("study", tiny, "--seeds", 2, *ONE, "--dry-run")
    assert status == 0
    *cells, last = out.splitlines()
    assert [line.split("  ")[0] for line in cells] == [
        "VAE, seed 0", "Annealed, γ = 10, seed 0", "VAE, seed 1", "Annealed, γ = 10, seed 1",
    ]  # fmt: skip
    assert all("  unsupervised  " in line for line in cells)
    assert last.startswith("4 of 4 runs remain: about ")
    assert last.endswith("1 at a time, 1 thread each.")
    assert list_runs(tmp_path / "runs") == []


def test_a_failed_cell_is_a_line_after_the_table_and_exit_status_1(run_main, study_file, tmp_path):
    status, out, err = run_main("study", study_file(tmp_path, broken=True), "--seeds", 1, *ONE)
    assert status == 1
    assert [line.split("|")[1].strip() for line in out.splitlines()[2:5]] == ["VAE", "Annealed, γ = 10", "Broken"]
    last = err.splitlines()[-1]
    assert last.startswith("main.py: Broken, seed 0: failed at step ")
    assert "The loss became NaN or infinite" in last


def test_ctrl_c_saves_a_checkpoint_says_how_to_continue_and_exits_130(study_file, tmp_path):
    tiny = study_file(tmp_path, ("steps = 60", "steps = 1_000_000"))
    command = [sys.executable, ROOT / "main.py", "study", tiny, "--workers", "1", "--runs", tmp_path / "runs"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8")
    folder = tmp_path / "runs" / "tiny-vae-seed-0"
    while process.poll() is None and not (folder / "checkpoint" / "model.safetensors").exists():
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert out == ""
    again = f"python main.py study {tiny} --workers 1 --runs {tmp_path / 'runs'}"
    assert err.splitlines()[-1] == f"Stopped; continue with: {again}"
    assert "Traceback" not in err
    run = Run.open(folder)
    assert run.state().state == "stopped"
    assert checkpoint_step(run.checkpoint_folder) == run.state().step


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["table-9"], "There is no study 'table-9'"),
        (["table-1", "--seeds", "none"], "--seeds is 'none'; it must be a whole number"),
        (["table-1", "--seeds", "0"], "the number of seeds is 0"),
        (["table-1", "--workers", "0"], "workers is 0"),
        (["table-1", "--threads", "-1"], "threads is -1"),
        (["table-1", "--device", "abacus"], "device is 'abacus'"),
        (["table-1", "--output", "table.doc"], "--output ends in '.doc'"),
        (["table-1", "--figure", "a.doc"], "a.doc does not end in a known format"),
        (["table-1", "--figure", "a.png", "--score", "beauty"], "There is no metric 'beauty'"),
        (["table-1", "--figure", "a.png", "--score", "mig"], "--score mig is not a metric of this study"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_status_2(run_main, arguments, words):
    status, out, err = run_main("study", *arguments)
    assert (status, out) == (2, "")
    assert words in err
    assert err.count("\n") == 1
