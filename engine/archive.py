"""Runs as one .zip: written from a run folder, also while it trains, and read back on any machine.

An archive comes from anywhere. Only the files a run consists of are taken from it, each under a name made here and up
to a size; an archive that tries to reach outside its run's folder is refused as a whole. None of these files can
execute anything when it is read.
"""

import shutil
import stat
import time
import zlib
from collections.abc import Container, Generator, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from engine.archive_limits import MB, check_sizes, limit
from engine.archive_members import Files, open_archive, require_room, runs_in
from engine.checkpoints import checkpoint_step, read_files
from engine.errors import ConfigError, RunError
from engine.events import Event, Finished, Imported, Job, Progress, Request, Warned
from engine.files import is_link, json_bytes, place_folder, replacing, scratch_folder
from engine.kept import WEIGHTS, kept_file, kept_steps
from engine.metrics_file import MetricsReader, header, whole_lines
from engine.previews import is_preview, list_previews
from engine.reading import DamagedError, is_there, read_limited, reason_of
from engine.run_files import SMALL_FILES
from engine.runs import Run, RunState, new_folder, slug

DAMAGE = (BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError)
"""What reading a damaged archive raises."""


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
                folder = _free_name(slug(run.path.name), taken)
                links = _links_in(run)
                problems = [name for name in _problems(run) if not {name, name.partition("/")[0]} & set(links)]
                left_out += [f"{run.name}: {name}" for name in problems]
                if links:
                    yield Warned(f"Left out of {run.name}, as they are links to other places: {', '.join(links)}.")
                for progress, name, content in _contents(run, {*links, *problems}):
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
    to read; the whole runs before the one at fault are imported, and nothing is left of that. Closed before its end,
    it leaves nothing.
    """
    count = 0
    try:
        with open_archive(path) as archive:
            found = runs_in(archive, path)
            root.mkdir(parents=True, exist_ok=True)
            require_room(found, path, root)
            with scratch_folder(root / slug(path.stem)) as temporary:
                yield from _check_claims(archive, found, path, temporary)
                unpacked: list[tuple[Path, str]] = []
                fault: Exception | None = None
                try:
                    yield from _unpack_runs(archive, found, path, temporary, unpacked)
                except (RunError, *DAMAGE) as error:
                    fault = error
                for run in (yield from _place_runs(unpacked, root, temporary)):
                    count += 1
                    yield Imported(run)
                if fault is not None:
                    raise fault
    except DAMAGE as error:
        raise RunError(f"{path.name} is damaged: {error}. Nothing more is imported from it.") from None
    except OSError as error:
        raise RunError(f"{path.name} cannot be imported into {root}: {error.strerror or error}.") from None
    yield Finished(message=f"Imported {count} run{'s' if count != 1 else ''} from {path.name}")


def _check_claims(archive: ZipFile, found: dict[str, Files], path: Path, temporary: Path) -> Job:
    """Read the settings of each run, and see that its files are no larger than these allow. Raises RunError."""
    for number, files in enumerate(found.values()):
        yield Progress(number, len(found), "Reading settings", "runs")
        folder = temporary / f"{number}"
        _unpack(archive, files["config.json"], folder / "config.json")
        sizes = {name: info.file_size for name, info in files.items()}
        check_sizes(sizes, _opened_run(folder, path).config, path.name)


def _unpack_runs(
    archive: ZipFile, found: dict[str, Files], path: Path, temporary: Path, unpacked: list[tuple[Path, str]]
) -> Job:
    """Unpack each run's other files, and add its folder and the name it will have to `unpacked`. Raises RunError."""
    total = sum(map(len, found.values()))
    done = 0
    for number, (prefix, files) in enumerate(found.items()):
        folder, base = temporary / f"{number}", slug(prefix.rstrip("/") or path.stem)
        for name, info in files.items():
            yield Progress(done, total, f"Reading {base}", "files")
            if name != "config.json":
                _unpack(archive, info, folder / name)
            done += 1
        _check(folder, path)
        unpacked.append((folder, base))


def _place_runs(
    unpacked: list[tuple[Path, str]], root: Path, temporary: Path
) -> Generator[Event, Request | None, list[Path]]:
    """Move whole runs to free names below `root`; closed before its end, take them back."""
    placed: list[Path] = []
    try:
        for number, (folder, base) in enumerate(unpacked):
            yield Progress(number, len(unpacked), "Adding runs", "runs")
            placed.append(_place(folder, root, base))
    except (GeneratorExit, KeyboardInterrupt):
        for number, run in enumerate(placed):
            run.replace(temporary / f"cancelled-{number}")
        raise
    return placed


def _contents(run: Run, left_out: Container[str]) -> Iterator[tuple[Progress, str, bytes]]:
    """How far one is, name and content of each file of a run but for those left out. Raises RunError."""
    if is_link(run.path / "config.json"):
        raise RunError(f"{run.path / 'config.json'} is a link to another place; a run has settings of its own.")
    try:
        files = _files_of(run, left_out)
        for number, (name, content) in enumerate(files.items()):
            data = read_limited(content, limit(name)) if isinstance(content, Path) else content
            yield Progress(number, len(files), f"Saving {run.name}", "files"), name, data
    except (OSError, DamagedError) as error:
        raise RunError(f"{run.path} {reason_of(error)}.") from None


def _files_of(run: Run, left_out: Container[str]) -> dict[str, bytes | Path]:
    """The files of a run by their names in its folder, without some; pictures as paths, since there may be many."""
    state = run.state()
    files: dict[str, bytes | Path] = {
        name: read_limited(run.path / name, SMALL_FILES[name])
        for name in ("config.json", "evaluation.json", "marks.json")
        if name not in left_out and is_there(run.path / name)
    }
    has_weights = "checkpoint" not in left_out and f"checkpoint/{WEIGHTS}" not in left_out
    step, weights = (read_files(run.checkpoint_folder) if has_weights else None) or (0, {})
    files |= {f"checkpoint/{name}": content for name, content in weights.items()}
    # What a run that trains has recorded since its checkpoint will be recorded again by a resume.
    last = step if state.active else None
    if state.active:
        state = RunState("finished" if 0 < state.total <= step else "stopped", step, state.total)
    for kept in kept_steps(run.checkpoint_folder) if "checkpoint" not in left_out else ():
        if last is None or kept <= last:
            file = kept_file(run.checkpoint_folder, kept)
            files[f"checkpoint/{file.name}"] = file
    for file in (run.metrics_file, run.held_out_file):
        lines = whole_lines(file, last) if file.name not in left_out else []
        if lines:
            files[file.name] = ("\n".join(lines) + "\n").encode()
    files["state.json"] = json_bytes(state.values())
    for picture in list_previews(run.previews_folder) if "previews" not in left_out else ():
        if picture.stem.isdigit() and (last is None or int(picture.stem) <= last):
            files[f"previews/{picture.name}"] = picture
    return {name: content for name, content in files.items() if name not in left_out}


def _links_in(run: Run) -> list[str]:
    """Links in a run's folder, by their names there."""
    inside = (path for part in (run.path, run.checkpoint_folder, run.previews_folder)
              if part == run.path or not is_link(part) for path in part.glob("*"))  # fmt: skip
    return sorted(path.relative_to(run.path).as_posix() for path in inside if is_link(path))


def _free_name(name: str, taken: set[str]) -> str:
    free, number = name, 1
    while free in taken:
        number += 1
        free = f"{name}-{number}"
    taken.add(free)
    return free


def _unpack(archive: ZipFile, info: ZipInfo, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with archive.open(info) as source, target.open("xb") as file:
        shutil.copyfileobj(source, file, MB)


def _opened_run(folder: Path, path: Path) -> Run:
    """Open an unpacked run's settings. Raises RunError with the archive's name."""
    try:
        run = Run.open(folder)
    except (RunError, ConfigError) as error:
        raise _unreadable(error, folder, path) from None
    return run


def _unreadable(error: Exception, folder: Path, path: Path) -> RunError:
    reason = str(error).replace(str(folder), "").lstrip("/\\")
    return RunError(f"{path.name} holds no run that can be read: {reason}")


def _check(folder: Path, path: Path) -> None:
    """See that the files make a run that can be opened. Raises RunError."""
    run = _opened_run(folder, path)
    try:
        for problem in _problems(run).values():
            raise RunError(problem)
        step = checkpoint_step(run.checkpoint_folder)
    except (RunError, ConfigError) as error:
        raise _unreadable(error, folder, path) from None
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
