"""Runs as one .zip: written from a run folder, also while it trains, and read back on any machine.

An archive comes from anywhere. Only the files a run consists of are taken from it, each under a name made here and up
to a size; an archive that tries to reach outside its run's folder is refused as a whole. None of these files can
execute anything when it is read.
"""

import re
import shutil
import stat
import struct
import time
import zlib
from collections.abc import Container, Iterator, Sequence
from contextlib import suppress
from pathlib import Path, PurePosixPath
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from engine.checkpoints import checkpoint_step, read_files
from engine.errors import ConfigError, RunError
from engine.events import Finished, Imported, Job, Progress
from engine.files import json_bytes, place_folder, replacing, scratch_folder
from engine.kept import kept_file, kept_steps
from engine.metrics_file import MetricsReader, header, whole_lines
from engine.previews import is_preview, list_previews
from engine.reading import DamagedError, is_there, read_limited, reason_of
from engine.run_files import SMALL_FILES
from engine.runs import Run, RunState, new_folder, slug

MB = 1_000_000
LIMITS = {
    r"(config|state|marks)\.json": 1 * MB,
    r"evaluation\.json": 16 * MB,
    r"(metrics|held_out)\.csv": 256 * MB,
    r"checkpoint/(model|kept-[0-9]{1,12})\.safetensors": 1000 * MB,
    r"checkpoint/trainer-[0-9]{1,12}\.pt": 2000 * MB,
    r"previews/[0-9]{1,12}\.png": 64 * MB,
}
"""The files of a run that an archive may hold, and the most bytes that each may have."""

MOST_FILES = 100_000
MOST_BYTES = 20_000 * MB


def write_archive(runs: Sequence[Run], path: Path) -> Job:
    """Write runs into a .zip, each in a folder of its own. Yields Progress and Finished.

    A run that is being trained is taken as it was at its last checkpoint; files that are damaged are left out, and the
    message names them. Raises RunError.
    """
    taken: set[str] = set()
    left_out: list[str] = []
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary, ZipFile(temporary, "w") as archive:
            for run in runs:
                folder = _free_name(run.path.name, taken)
                problems = _problems(run)
                left_out += [f"{run.name}: {name}" for name in problems]
                for progress, name, content in _contents(run, problems):
                    yield progress
                    info = ZipInfo(f"{folder}/{name}", time.localtime()[:6])
                    info.compress_type = ZIP_DEFLATED if name.endswith((".csv", ".json")) else ZIP_STORED
                    info.external_attr = (stat.S_IFREG | 0o644) << 16
                    archive.writestr(info, content)
    except OSError as error:
        raise RunError(f"{path} cannot be written: {error.strerror or error}.") from None
    some = ", ".join(left_out[:3]) + (", ..." if len(left_out) > 3 else "")
    without = f", without damaged files ({len(left_out):,}: {some})" if left_out else ""
    yield Finished(message=f"Saved to {path}{without}")


def read_archive(path: Path, root: Path) -> Job:
    """Make run folders below `root` from an archive. Yields Progress, Imported for each run, and Finished.

    A name that is taken gets the suffix -2. Raises RunError when the archive is damaged, holds no run, or is not safe
    to read; what was imported before stays, and nothing is left of the run at fault.
    """
    count = 0
    try:
        with _opened(path) as archive:
            found = _runs_in(archive, path)
            needed = sum(info.file_size for files in found.values() for info in files.values())
            root.mkdir(parents=True, exist_ok=True)
            if needed > shutil.disk_usage(root).free:
                raise RunError(f"{path.name} needs {needed / MB:,.0f} MB, and the disk of {root} has less free.")
            for prefix, files in found.items():
                base = slug(prefix.rstrip("/") or path.stem)
                with scratch_folder(root / base) as temporary:
                    folder = temporary / "run"  # one level down, where nobody looks for runs
                    for number, (name, info) in enumerate(files.items()):
                        yield Progress(number, len(files), f"Reading {base}", "files")
                        _unpack(archive, info, folder / name)
                    _check(folder, path)
                    run = _place(folder, root, base)
                count += 1
                yield Imported(run)
    except (BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError) as error:
        raise RunError(f"{path.name} is damaged: {error}. Nothing more is imported from it.") from None
    except OSError as error:
        raise RunError(f"{path.name} cannot be imported into {root}: {error.strerror or error}.") from None
    yield Finished(message=f"Imported {count} run{'s' if count != 1 else ''} from {path.name}")


def _contents(run: Run, problems: Container[str]) -> Iterator[tuple[Progress, str, bytes]]:
    """How far one is, name and content of each file of a run but for damaged ones. Raises RunError."""
    try:
        files = _files_of(run, problems)
        for number, (name, content) in enumerate(files.items()):
            data = read_limited(content, _limit(name)) if isinstance(content, Path) else content
            yield Progress(number, len(files), f"Saving {run.name}", "files"), name, data
    except (OSError, DamagedError) as error:
        raise RunError(f"{run.path} {reason_of(error)}.") from None


def _files_of(run: Run, problems: Container[str]) -> dict[str, bytes | Path]:
    """The files of a run by their names in its folder, but for damaged ones; pictures as paths: there may be many."""
    state = run.state()
    files: dict[str, bytes | Path] = {
        name: read_limited(run.path / name, SMALL_FILES[name])
        for name in ("config.json", "evaluation.json", "marks.json")
        if name not in problems and is_there(run.path / name)
    }
    checkpoint = read_files(run.checkpoint_folder)
    step, weights = checkpoint or (0, {})
    files |= {f"checkpoint/{name}": content for name, content in weights.items()}
    # What a run that trains has recorded since its checkpoint will be recorded again by a resume.
    last = step if state.active else None
    if state.active:
        state = RunState("finished" if 0 < state.total <= step else "stopped", step, state.total)
    for kept in kept_steps(run.checkpoint_folder):
        if last is None or kept <= last:
            file = kept_file(run.checkpoint_folder, kept)
            files[f"checkpoint/{file.name}"] = file
    for file in (run.metrics_file, run.held_out_file):
        lines = whole_lines(file, last) if file.name not in problems else []
        if lines:
            files[file.name] = ("\n".join(lines) + "\n").encode()
    files["state.json"] = json_bytes(state.values())
    for picture in list_previews(run.previews_folder):
        name = f"previews/{picture.name}"
        if name not in problems and (last is None or int(picture.stem) <= last):
            files[name] = picture
    return files


def _free_name(name: str, taken: set[str]) -> str:
    free, number = name, 1
    while free in taken:
        number += 1
        free = f"{name}-{number}"
    taken.add(free)
    return free


def _opened(path: Path) -> ZipFile:
    try:
        return ZipFile(path)
    except OSError as error:
        raise RunError(f"{path} cannot be read: {error.strerror or error}.") from None
    except (BadZipFile, NotImplementedError, ValueError, struct.error, IndexError):
        raise RunError(f"{path} is not a .zip file, or it is damaged.") from None


def _unpack(archive: ZipFile, info: ZipInfo, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with archive.open(info) as source, target.open("xb") as file:
        shutil.copyfileobj(source, file, MB)


def _runs_in(archive: ZipFile, path: Path) -> dict[str, dict[str, ZipInfo]]:
    """The members that make up each run, by the run's prefix ("" or "folder/") and the name in its folder.

    Members that belong to no run are left out. Raises RunError for what no honest archive holds.
    """
    members = archive.infolist()
    if len(members) > MOST_FILES:
        raise RunError(f"{path.name} holds more than {MOST_FILES:,} files; it is not read.")
    for info in members:
        problem = _problem(info)
        if problem:
            member = repr(info.orig_filename[:80])
            raise RunError(f"{path.name} is not safe: it holds {problem} ({member}). It is not read.")
    names = [info.filename for info in members]
    if len(set(names)) < len(names):
        raise RunError(f"{path.name} is not safe: it holds several files of one name. It is not read.")
    prefixes = [name.removesuffix("config.json") for name in names if PurePosixPath(name).name == "config.json"]
    found = {
        prefix: {
            info.filename.removeprefix(prefix): info
            for info in members
            if info.filename.startswith(prefix) and _limit(info.filename.removeprefix(prefix))
        }
        for prefix in prefixes
        if prefix.count("/") <= 1
    }
    if not found:
        raise RunError(f"{path.name} holds no run: there is no config.json in it.")
    sizes = [(name, info.file_size) for files in found.values() for name, info in files.items()]
    for name, size in sizes:
        if size > _limit(name):
            raise RunError(f"{name} in {path.name} is too large to be a run's: {size / MB:,.0f} MB. It is not read.")
    if sum(size for _, size in sizes) > MOST_BYTES:
        raise RunError(f"{path.name} unpacks to more than {MOST_BYTES / MB:,.0f} MB; it is not read.")
    return found


def _problem(info: ZipInfo) -> str:
    """What is wrong with a member's name or kind; empty when nothing is."""
    name = info.orig_filename
    if name.startswith("/") or ":" in name or "\\" in name or "\0" in name:
        return "a path of another folder"
    if ".." in name.split("/"):
        return "a path that leads outside"
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "a link or device"
    if info.flag_bits & 1:
        return "an encrypted file"
    return "" if info.compress_type in (ZIP_STORED, ZIP_DEFLATED) else "a file of unknown compression"


def _limit(name: str) -> int:
    """The most bytes that a file of a run may have; 0 for a name that is none."""
    return next((limit for pattern, limit in LIMITS.items() if re.fullmatch(pattern, name)), 0)


def _check(folder: Path, path: Path) -> None:
    """See that the files make a run that can be opened. Raises RunError."""
    try:
        run = Run.open(folder)
        if run.resolved:
            run.config.changed(**run.resolved)
        for problem in _problems(run).values():
            raise RunError(problem)
        step = checkpoint_step(run.checkpoint_folder)
    except (RunError, ConfigError) as error:
        reason = str(error).replace(str(folder), "").lstrip("/\\")
        raise RunError(f"{path.name} holds no run that can be read: {reason}") from None
    if whole_lines(run.metrics_file, 0) not in ([], [header(run.config.latents)]):
        raise RunError(f"{path.name} holds no run that can be read: metrics.csv is not that of its settings.")
    for trainer in run.checkpoint_folder.glob("trainer-*.pt"):
        if trainer.name != f"trainer-{step}.pt":
            trainer.unlink()


def _problems(run: Run) -> dict[str, str]:
    """What is wrong with a run's files, weights and settings apart: a sentence each, by their names."""
    run.state(), run.marks(), run.evaluation()
    found = dict(run.problems)
    for file in (run.metrics_file, run.held_out_file):
        reader = MetricsReader(file, keep=2)
        reader.refresh()
        if reader.problem:
            found[file.name] = reader.problem
    for picture in list_previews(run.previews_folder):
        if not is_preview(picture):
            found[f"previews/{picture.name}"] = f"previews/{picture.name} is damaged: it is no picture of a run."
    return found


def _place(folder: Path, root: Path, base: str) -> Path:
    """Move a finished run folder to a free name below `root`."""
    place = new_folder(root, base)
    try:
        place_folder(folder, place)
    except OSError:
        with suppress(OSError):
            place.rmdir()
        raise
    return place
