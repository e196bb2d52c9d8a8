"""What the tests of the command line share."""

import sys

import pytest

import main


@pytest.fixture
def run_main(tmp_path, monkeypatch, capsys):
    """Run a command in this process over a folder of runs of its own; return status, stdout and stderr."""
    monkeypatch.setattr(sys, "path", list(sys.path))

    def call(*arguments: object) -> tuple[int, str, str]:
        try:
            status = main.main([str(a) for a in arguments] + ["--runs", str(tmp_path / "runs")])
        except SystemExit as stop:
            status = int(stop.code or 0)
        out, err = capsys.readouterr()
        return status, out, err

    return call
