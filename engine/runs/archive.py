"""Runs as a .zip archive: written from run folders, also during training, and imported on any machine.

Archives are not trusted. Only the files a run consists of are extracted, each under a name chosen here and up to a
limited size; an archive that tries to write outside its run's folder is rejected entirely. None of the files can
execute code when read.
"""

import shutil
import stat
import time
import zlib
from collections.abc import Container, Generator, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from engine.errors import ConfigError, RunError
from engine.jobs.events import Event, Finished, Imported, Job, Progress, Request, Warned
from engine.methods.registry import METHODS
from engine.runs.archive_limits import MB, check_sizes, limit
from engine.runs.archive_members import Files, open_archive, require_room, runs_in
from engine.runs.checkpoints import checkpoint_step, read_files
from engine.runs.kept_weights import WEIGHTS, kept_file, kept_steps
from engine.runs.metrics_file import HELD_OUT_COLUMNS, SCORE_COLUMNS, MetricsReader, complete_lines, header, valid_lines
from engine.runs.previews import is_preview, list_previews
from engine.runs.run import Run, RunState, new_folder
from engine.runs.small_files import SMALL_FILES
from engine.system.files import is_link, json_bytes, place_folder, replacing, scratch_folder
from engine.system.plain_text import slug
from engine.system.reading import DamagedError, is_file, is_folder, path_exists, read_limited, reason_of

DAMAGE = (BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError)
"""Exceptions that reading a damaged archive raises."""


def write_archive(runs: Sequence[Run], path: Path) -> Job:
    """Write runs to a .zip, each in a folder of its own. Yields Progress and Finished.

    A run in training is archived as of its last checkpoint. Of a damaged file, the valid part is archived, and the
    message names the file. Raises RunError.
    """
    taken: set[str] = set()
    damaged: list[str] = []
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary, ZipFile(temporary, "w") as archive:
            for run in runs:
                folder = _free_name(slug(run.path.name), taken)
                links = _links_in(run)
                problems = {name for name in _problems(run) if not {name, name.partition("/")[0]} & set(links)}
                damaged += [f"{run.name}: {name}" for name in sorted(problems)]
                if links:
                    yield Warned(f"Left out of {run.name} because they are links: {', '.join(links)}.")
                if missing := METHODS[run.config.objective].files_left_out(run.config):
                    why = f"since archives carry no networks from elsewhere: {', '.join(missing)}"
                    yield Warned(f"Left out of {run.name}, {why}. Copy the run's folder instead.")
                for progress, name, content in _contents(run, links, problems):
                    yield progress
                    info = ZipInfo(f"{folder}/{name}", time.localtime()[:6])
                    info.compress_type = ZIP_DEFLATED if name.endswith((".csv", ".json")) else ZIP_STORED
                    info.external_attr = (stat.S_IFREG | 0o644) << 16
                    archive.writestr(info, content)
    except OSError as error:
        raise RunError(f"{path} cannot be written: {error.strerror or error}.") from None
    some = ", ".join(damaged[:3]) + (", ..." if len(damaged) > 3 else "")
    files = f"{len(damaged):,} file{'s' if len(damaged) > 1 else ''}"
    without = f", without the damaged parts of {files}: {some}" if damaged else ""
    yield Finished(message=f"Saved to {path}{without}")


def read_archive(path: Path, root: Path) -> Job:
    """Import the runs of an archive as folders below `root`. Yields Progress, Imported for each run, and Finished.

    A name that is taken gets the suffix -2. Raises RunError if the archive is damaged, holds no run, or is not safe to
    read; the runs before the faulty one are imported, and nothing of that one is left. Closing the job early leaves
    nothing behind.
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
        raise RunError(f"{path.name} is damaged: {error}. No more runs are imported from it.") from None
    except OSError as error:
        raise RunError(f"{path.name} cannot be imported into {root}: {error.strerror or error}.") from None
    yield Finished(message=f"Imported {count} run{'s' if count != 1 else ''} from {path.name}")


def _check_claims(archive: ZipFile, found: dict[str, Files], path: Path, temporary: Path) -> Job:
    """Read each run's settings and check that its files are no larger than these allow. Raises RunError."""
    for number, files in enumerate(found.values()):
        yield Progress(number, len(found), "Reading settings", "runs")
        folder = temporary / f"{number}"
        _unpack(archive, files["config.json"], folder / "config.json")
        sizes = {name: info.file_size for name, info in files.items()}
        check_sizes(sizes, _opened_run(folder, path).config, path.name)


def _unpack_runs(
    archive: ZipFile, found: dict[str, Files], path: Path, temporary: Path, unpacked: list[tuple[Path, str]]
) -> Job:
    """Unpack the other files of each run, and append its folder and future name to `unpacked`. Raises RunError."""
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
    """Move complete runs to free names below `root`; if closed early, move them back."""
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


def _contents(run: Run, links: Container[str], damaged: Container[str]) -> Iterator[tuple[Progress, str, bytes]]:
    """Progress, name and content of each file of a run, except links and damaged parts. Raises RunError."""
    if is_link(run.path / "config.json"):
        raise RunError(f"{run.path / 'config.json'} is a link; a run must have settings of its own.")
    try:
        files = _files_of(run, links, damaged)
        for number, (name, content) in enumerate(files.items()):
            data = read_limited(content, limit(name)) if isinstance(content, Path) else content
            yield Progress(number, len(files), f"Saving {run.name}", "files"), name, data
    except (OSError, DamagedError) as error:
        where = error.filename if isinstance(error, OSError) else None
        raise RunError(f"{where or run.path} {reason_of(error)}.") from None


def _files_of(run: Run, links: Container[str], damaged: Container[str]) -> dict[str, bytes | Path]:
    """Contents of a run's valid files, by their names in its folder; pictures as paths, since there may be many."""
    state = run.state()  # if state.json is damaged, a state that says so
    files: dict[str, bytes | Path] = {
        name: read_limited(run.path / name, SMALL_FILES[name])
        for name in ("config.json", "evaluation.json", "marks.json")
        if name not in links and name not in damaged and path_exists(run.path / name)
    }
    for name, valid in (("evaluation.json", run.evaluation()), ("marks.json", run.marks())):
        if name in damaged and valid:
            files[name] = json_bytes(valid)
    has_weights = "checkpoint" not in links and f"checkpoint/{WEIGHTS}" not in links
    step, weights = (read_files(run.checkpoint_folder) if has_weights else None) or (0, {})
    files |= {f"checkpoint/{name}": content for name, content in weights.items()}
    # Everything that a run in training has recorded since its checkpoint is recorded again when it is resumed.
    last = step if state.active else None
    if state.active:
        state = RunState("finished" if 0 < state.total <= step else "stopped", step, state.total)
    for kept in kept_steps(run.checkpoint_folder) if "checkpoint" not in links else ():
        file = kept_file(run.checkpoint_folder, kept)
        if (last is None or kept <= last) and f"checkpoint/{file.name}" not in damaged:
            files[f"checkpoint/{file.name}"] = file
    for file, first in _tables(run).items():
        if file.name in links:
            continue
        lines = valid_lines(file, first, last) if file.name in damaged else complete_lines(file, last)
        if lines:
            files[file.name] = ("\n".join(lines) + "\n").encode()
    files["state.json"] = json_bytes(state.values())
    for picture in list_previews(run.previews_folder) if "previews" not in links else ():
        if f"previews/{picture.name}" not in damaged and (last is None or int(picture.stem) <= last):
            files[f"previews/{picture.name}"] = picture
    return {name: content for name, content in files.items() if name not in links}


def _links_in(run: Run) -> list[str]:
    """Names of the links in a run's folder."""
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
    """Open an unpacked run. Raises RunError, naming the archive."""
    try:
        run = Run.open(folder)
    except (RunError, ConfigError) as error:
        raise _unreadable(error, folder, path) from None
    return run


def _unreadable(error: Exception, folder: Path, path: Path) -> RunError:
    reason = str(error).replace(str(folder), "").lstrip("/\\")
    return RunError(f"{path.name} holds no readable run: {reason}")


def _check(folder: Path, path: Path) -> None:
    """Check that the files make up a valid run. Raises RunError."""
    run = _opened_run(folder, path)
    try:
        for problem in _problems(run).values():
            raise RunError(problem)
        step = checkpoint_step(run.checkpoint_folder)
    except (RunError, ConfigError) as error:
        raise _unreadable(error, folder, path) from None
    for trainer in run.checkpoint_folder.glob("trainer-*.pt"):
        if trainer.name != f"trainer-{step}.pt":
            trainer.unlink()


def _problems(run: Run) -> dict[str, str]:
    """Problems of a run's files other than weights and settings: a sentence for each, by file name."""
    run.state(), run.marks(), run.evaluation()
    found = dict(run.problems)
    found |= {file.name: problem for file, first in _tables(run).items() if (problem := _table_problem(file, first))}
    for folder in (run.checkpoint_folder, run.previews_folder):
        if path_exists(folder) and not is_folder(folder):
            found[folder.name] = f"{folder.name} is damaged: it is not a folder."
    for file in (kept_file(run.checkpoint_folder, step) for step in kept_steps(run.checkpoint_folder)):
        if not is_file(file):
            found[f"checkpoint/{file.name}"] = f"checkpoint/{file.name} is damaged: it is not a file."
    for picture in list_previews(run.previews_folder):
        if not is_preview(picture):
            found[f"previews/{picture.name}"] = f"previews/{picture.name} is damaged: it is not a preview."
    return found


def _tables(run: Run) -> dict[Path, str]:
    """Files of a run's curves and the first line of each; version 1.0.0 had no columns for a method's own curves."""
    method = METHODS[run.config.objective]
    latents, own = method.kl_columns(run.config), method.curves(run.config)
    first = header(latents, own)
    with suppress(OSError, IndexError):
        found = complete_lines(run.metrics_file, 0)[0]
        # Version 1.0.0 had no terms; which columns an absent plug-in's method has only the file tells.
        if found == header(latents) or METHODS.missing(run.config.objective):
            first = found
    others = {run.held_out_file: HELD_OUT_COLUMNS, run.scores_file: SCORE_COLUMNS}
    return {run.metrics_file: first} | {file: ",".join(columns) for file, columns in others.items()}


def _table_problem(file: Path, first: str) -> str:
    """The problem of a file of curves, as a sentence; empty if there is none."""
    try:
        lines = complete_lines(file, 0)
    except OSError as error:
        return f"{file.name} {reason_of(error)}."
    reader = MetricsReader(file, keep=2)
    reader.refresh()
    if reader.problem:
        return reader.problem
    if not lines:
        return f"{file.name} is damaged: it has no complete line." if path_exists(file) and file.stat().st_size else ""
    return "" if lines[0] == first else f"{file.name} does not fit the run's settings."


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
