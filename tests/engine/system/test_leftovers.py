"""Temporary files of killed processes are removed at the next start; files that may still be written stay."""

import os
import subprocess
import sys
import tempfile
import time

import pytest

from engine.system import leftovers
from engine.system.files import machine, replacing, scratch_folder, temporary_file
from engine.system.leftovers import clear_leftovers, folders_of_run, folders_to_clear, run_folders_to_clear

DAY = 24 * 3600


@pytest.fixture
def dead():
    """The id of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def made(path, age=0.0):
    """A file of a given age in seconds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    os.utime(path, (time.time() - age,) * 2)
    return path


def test_the_file_of_a_killed_process_is_removed_at_the_next_start(tmp_path):
    code = (
        "import pathlib, time\nfrom engine.system.files import replacing\n"
        f"with replacing(pathlib.Path({str(tmp_path / 'a.bits')!r})) as file:\n"
        "    file.write_bytes(b'half')\n    print(flush=True)\n    time.sleep(60)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    process.stdout.readline()
    [left] = tmp_path.iterdir()
    assert clear_leftovers([tmp_path]) == []  # it is being written
    process.kill()
    process.communicate()
    assert clear_leftovers([tmp_path]) == [left]
    assert list(tmp_path.iterdir()) == []


def test_files_that_this_process_is_writing_stay(tmp_path):
    with replacing(tmp_path / "a") as file, scratch_folder(tmp_path / "b") as folder:
        file.write_bytes(b"x")
        os.utime(file, (0, 0))
        assert clear_leftovers([tmp_path]) == []
        assert file.exists()
        assert folder.exists()


@pytest.mark.parametrize("writer", ["0123abcd-", ""], ids=["another machine", "version 1.0.0"])
def test_a_file_of_an_unknown_writer_is_removed_after_a_day_without_changes(tmp_path, dead, writer):
    young = made(tmp_path / f".a.bits.{writer}{dead}-00112233.part", DAY - 60)
    old = made(tmp_path / f".b.bits.{writer}{dead}-00112233.part", DAY + 60)
    assert clear_leftovers([tmp_path]) == [old]
    assert young.exists()


def test_the_age_of_a_folder_is_that_of_its_newest_file(tmp_path, dead):
    old, young = (tmp_path / f".{name}.{dead}-00112233.part" for name in "ab")
    for folder, age in ((old, DAY + 60), (young, 60)):
        made(folder / "checkpoint" / "weights", age)
        for path in (folder / "checkpoint", folder):
            os.utime(path, (0, 0))
    assert clear_leftovers([tmp_path]) == [old]
    assert young.exists()


def test_nothing_else_is_touched(tmp_path, dead):
    names = ("file.gz.part", f"a.{machine()}-{dead}-00112233.part", f".a.{machine()}-{dead}-00112233", ".part", "a.csv")
    kept = [made(tmp_path / name, 99 * DAY) for name in names]
    inner = made(tmp_path / "folder" / f".a.{machine()}-{dead}-00112233.part", 99 * DAY)
    assert clear_leftovers([tmp_path, tmp_path / "nowhere"]) == []
    assert all(path.exists() for path in (*kept, inner))


def test_a_link_is_removed_but_its_target_is_not(tmp_path, dead):
    if sys.platform == "win32":
        pytest.skip("links need rights there")
    made(tmp_path / "own" / "a")
    (tmp_path / f".x.{machine()}-{dead}-00112233.part").symlink_to(tmp_path / "own")
    assert len(clear_leftovers([tmp_path])) == 1
    assert (tmp_path / "own" / "a").exists()


def test_the_cache_the_runs_and_the_temporary_folder_are_cleared(tmp_path, dead, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    name = f".x.{machine()}-{dead}-00112233.part"
    cache, runs = tmp_path / "cache", tmp_path / "runs"
    here = [made(cache / where / name) for where in ("", "prepared", "downloads/mnist")]
    here += [made(folder / name) for folder in (runs, tmp_path / "tmp")]
    within = [made(runs / "a" / where / name) for where in ("", "checkpoint", "previews")]
    assert sorted(clear_leftovers(folders_to_clear(cache, runs))) == sorted(here)
    assert sorted(run_folders_to_clear(runs)) == sorted(folders_of_run(runs / "a"))
    assert sorted(clear_leftovers(run_folders_to_clear(runs))) == sorted(within)


def test_a_temporary_file_of_a_process_that_is_gone_is_left_over(tmp_path, dead, monkeypatch):
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    ours = temporary_file("studio-dump")
    with monkeypatch.context() as patch:
        patch.setattr(os, "getpid", lambda: dead)
        theirs = temporary_file("studio-dump")
    assert clear_leftovers(folders_to_clear(tmp_path / "cache", tmp_path / "runs")) == [theirs]
    assert ours.exists()


def test_a_process_of_another_user_counts_as_alive(monkeypatch):
    def kill(process, signal):
        raise PermissionError

    monkeypatch.setattr(os, "kill", kill)
    assert leftovers._is_alive(1)
