"""Data are prepared only once, by every user of them."""

import pytest

from engine.cli import main as cli
from engine.data import mnist
from engine.evaluation.evaluate import evaluate
from engine.export.traversal import save_latents
from engine.studies import StudyProgress, load_study, run_study
from engine.training.lengthening import lengthen
from engine.training.trainer import train


@pytest.fixture
def prepared(monkeypatch):
    """The folders prepared, once per call."""
    folders, original = [], mnist.prepare

    def counting(name, folder):
        folders.append(folder)
        return original(name, folder)

    monkeypatch.setattr(mnist, "prepare", counting)
    return folders


def longer(run, folder):
    lengthen(run, None, 65)
    return train(run)


JOBS = {
    "training": lambda run, folder: train(run),
    "making longer": longer,
    "evaluation": lambda run, folder: evaluate(run, ["kl"]),
    "latents": lambda run, folder: save_latents(run, folder / "latents.npz"),
}


@pytest.mark.parametrize("job", JOBS)
def test_a_job_prepares_its_data_once(job, tiny_copy, tmp_path, prepared):
    list(JOBS[job](tiny_copy, tmp_path))
    assert prepared == [tiny_copy.config.data_folder]


def test_a_study_reads_the_users_files_once_for_all_cells(study_file, tmp_path, digits_folder, prepared):
    ours = ('dataset = "digits"', f'dataset = "mnist"\ndata_folder = "{digits_folder.as_posix()}"')
    job = run_study(load_study(study_file(tmp_path, ours)), tmp_path / "runs", workers=1, threads=1)
    next(event for event in job if isinstance(event, StudyProgress))
    job.close()
    assert prepared == [digits_folder]


def test_the_command_line_prepares_once_and_checks_that_loading_works(digits_folder, prepared, capsys):
    assert cli.run_command(cli.parse(["datasets", "prepare", "mnist", "--data", str(digits_folder)])) == 0
    assert prepared == [digits_folder]
    assert "MNIST is ready" in capsys.readouterr().out
