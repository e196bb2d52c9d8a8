"""The commands `scheduler` and `worker`, and the example with four terminals."""

import gc
import os
import signal
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

import main

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def command(capsys):
    """Run a command in this process; return status, stdout and stderr."""

    def call(*arguments):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            try:
                status = main.main(list(arguments))
            except SystemExit as stop:
                status = int(stop.code or 0)
            gc.collect()  # a server of the library that could not start leaves its sockets to the collector
        return status, *capsys.readouterr()

    return call


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("scheduler", "--port", "x"), "--port is 'x'; it must be a whole number from 0 to 65,535."),
        (("worker", "tcp://127.0.0.1:9", "--slots", "0"), "--slots is '0'; it must be a whole number from 1 to 256."),
        (("scheduler", "--tls-ca", "a.pem"), "--tls-ca, --tls-cert and --tls-key are given together or not at all."),
        (
            ("worker", "tls://127.0.0.1:9", "--tls-ca", "a", "--tls-cert", "b", "--tls-key", "c"),
            "a is not a file.",
        ),
        (("worker",), "The following arguments are required: ADDRESS."),
    ],
)
def test_wrong_usage_is_one_line_with_exit_status_2(command, arguments, words):
    status, out, err = command(*arguments)
    assert (status, out) == (2, "")
    assert words in err
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "nowhere", "nonsense://x"])
def test_a_worker_without_a_scheduler_is_one_line_with_exit_status_1(command, address, monkeypatch):
    monkeypatch.setattr("engine.cli.cluster.CONNECT_SECONDS", 1)
    status, out, err = command("worker", address, "--slots", "1")
    assert (status, out) == (1, "")
    assert f"There is no scheduler at {address}." in err
    assert len(err.splitlines()) == 1


def test_a_port_in_use_is_one_line_with_exit_status_1(command):
    import socket

    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        status, _, err = command("scheduler", "--port", str(other.getsockname()[1]))
    assert status == 1
    assert "cannot be used" in err
    assert len(err.splitlines()) == 1


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="a shell script")
def test_the_example_with_four_terminals(tmp_path, study_file):
    """A study on two workers in processes of their own ends with its table, and nothing is left running."""
    script = ROOT / "resources" / "examples" / "cluster" / "two-terminals"
    done = subprocess.run(
        [script, study_file(tmp_path), "--quick", "--runs", tmp_path / "runs"],
        cwd=ROOT, capture_output=True, text=True, env=os.environ | {"PYTHON": sys.executable}, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("| Method |")
    assert "2 of 2 runs are trained and evaluated." in done.stderr


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_a_worker_that_is_asked_to_end_and_one_whose_scheduler_is_gone(tmp_path):
    """The first ends with 0; the second with 1 and a sentence."""

    def start(*arguments):
        command = [sys.executable, "main.py", *arguments]
        return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    scheduler = start("scheduler", "--port", "0")
    try:
        address = scheduler.stdout.readline().strip()
        workers = [start("worker", address, "--slots", "1") for _ in range(2)]
        for worker in workers:
            assert worker.stderr.readline() == f"Connected to {address} with 1 slot.\n"
        workers[0].send_signal(signal.SIGTERM)
        assert workers[0].wait(30) == 0
        scheduler.kill()
        assert workers[1].wait(60) == 1
        assert f"The scheduler at {address} is gone." in workers[1].communicate()[1]
    finally:
        scheduler.kill()
        scheduler.communicate()
        for worker in workers:
            worker.kill()
            worker.communicate()
