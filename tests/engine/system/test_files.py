"""Files are replaced atomically: readers see the old content or the new, never half of it."""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from engine.system.files import replacing, write_bytes, write_json


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_until_the_block_ends_readers_see_the_old_content(tmp_path):
    path = tmp_path / "state.json"
    path.write_bytes(b"old")
    with replacing(path) as temporary:
        temporary.write_bytes(b"new")
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    assert names(tmp_path) == ["state.json"]


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt(), ValueError("x")])
def test_a_failed_write_keeps_the_old_content_and_leaves_nothing_else(tmp_path, error):
    path = tmp_path / "state.json"
    path.write_bytes(b"old")

    def write_half():
        with replacing(path) as temporary:
            temporary.write_bytes(b"ne")
            raise error

    with pytest.raises(type(error)):
        write_half()
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["state.json"]


def test_a_process_that_dies_while_writing_leaves_the_old_content(tmp_path):
    path = tmp_path / "state.json"
    path.write_bytes(b"old")
    program = (
        "import os, sys; from pathlib import Path; from engine.system.files import replacing\n"
        "with replacing(Path(sys.argv[1])) as temporary:\n"
        "    temporary.write_bytes(b'half of the new')\n"
        "    os._exit(9)\n"
    )
    project = Path(__file__).resolve().parents[3]
    done = subprocess.run([sys.executable, "-c", program, str(path)], cwd=project, check=False)
    assert done.returncode == 9
    assert path.read_bytes() == b"old"


def test_writing_to_a_missing_folder_is_an_os_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        write_bytes(tmp_path / "missing" / "state.json", b"x")


def test_writers_in_several_threads_never_mix_their_content(tmp_path):
    path = tmp_path / "marks.json"
    contents = [bytes([65 + i]) * 50_000 for i in range(4)]
    seen = []

    def write(content):
        for _ in range(10):
            write_bytes(path, content)
            seen.append(path.read_bytes())

    threads = [threading.Thread(target=write, args=(content,)) for content in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 40
    assert set(seen) <= set(contents)
    assert names(tmp_path) == ["marks.json"]


def test_json_is_readable_text_that_reads_back_the_same(tmp_path):
    value = {"name": "β-VAE · ünïcode", "tags": ["a", 1, 0.5, None, True]}
    write_json(tmp_path / "marks.json", value)
    text = (tmp_path / "marks.json").read_bytes().decode("utf-8")
    assert "β-VAE · ünïcode" in text
    assert text.endswith("}\n")
    assert json.loads(text) == value


def test_content_is_flushed_to_disk_before_it_is_moved_into_place(tmp_path, monkeypatch):
    path = tmp_path / "state.json"
    done = []
    flush, replace = os.fsync, Path.replace
    monkeypatch.setattr(os, "fsync", lambda handle: (done.append("flush"), flush(handle))[1])
    monkeypatch.setattr(Path, "replace", lambda *paths: (done.append("replace"), replace(*paths))[1])
    write_bytes(path, b"new")
    assert done[:2] == ["flush", "replace"]
