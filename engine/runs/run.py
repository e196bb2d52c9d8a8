"""A run on disk: a folder that users can read, copy and zip.

It holds config.json, state.json, metrics.csv, held_out.csv, checkpoint/, previews/, evaluation.json, marks.json and
lock, as described in the README. Every file is replaced atomically or only appended to, so that a run killed at any
moment opens again.
"""

import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zlib import crc32

from filelock import FileLock, Timeout

from engine.data.fingerprint import Fingerprint
from engine.errors import ConfigError, RunError, RunLockedError
from engine.methods.registry import METHODS
from engine.networks.network import SIDES
from engine.runs.colours import PALETTE
from engine.runs.heartbeat import HEARTBEAT, beating, beats_elsewhere
from engine.runs.plugins_used import plugin_changes, plugins_used
from engine.runs.shipped import is_shipped, require_own
from engine.runs.small_files import SMALL_FILES, Checked, checked_evaluation, checked_marks, checked_state, read_checked
from engine.settings.absent import PluginUse, read_plugins
from engine.settings.run_config import PATHS, ClassOrder, RunConfig
from engine.system.files import is_link, write_json
from engine.system.plain_text import clean_name, one_line, slug
from engine.system.reading import DamagedError, is_file, path_exists, read_object, reason_of
from engine.system.schedule import Schedule
from engine.system.versions import library_versions

PREVIEWS = "previews"
"""Name of the folder of previews in a run's folder."""

COLOURS = len(PALETTE)
"""Number of colours for runs."""

LONGEST_TIME = 64
"""Characters of a run's creation time; ISO 8601 has 29."""

STATE_LOST = "The run's progress is not known; Resume continues from its last checkpoint."

MAX_CLASSES = 10_000
"""Largest number of classes of a data set."""

LOCK_TIMEOUT = 0.5
"""Seconds to wait for a lock, which another window may hold for a moment to check whether a run is alive."""


@dataclass(frozen=True, slots=True)
class RunState:
    """State of a run: `step` of `total` are done; `message` explains the state where needed."""

    state: str = "new"
    step: int = 0
    total: int = 0
    message: str = ""

    @property
    def active(self) -> bool:
        """Whether the run is in training or paused."""
        return self.state in ("running", "paused")

    @property
    def unfinished(self) -> bool:
        """Whether the run can be resumed."""
        return self.state in ("stopped", "failed", "interrupted", "new")

    def values(self) -> dict[str, object]:
        """Return the content of state.json."""
        return {"state": self.state, "step": self.step, "total": self.total, "message": self.message}


@dataclass(frozen=True, slots=True)
class FormerPlugins:
    """Plug-ins that a run was trained with up to a step, before it was resumed with other versions."""

    step: int
    plugins: tuple[PluginUse, ...]

    @classmethod
    def read(cls, values: Any) -> "FormerPlugins | None":
        """Read an entry of config.json; None if it is damaged."""
        step = values.get("step") if isinstance(values, dict) else None
        return cls(step, read_plugins(values.get("plugins"))) if isinstance(step, int) else None


@dataclass(frozen=True, slots=True)
class FormerData:
    """Data that a run was trained on up to a step, before it was resumed with other data."""

    step: int
    data: Fingerprint

    @classmethod
    def read(cls, values: Any) -> "FormerData | None":
        """Read an entry of config.json; None if it is damaged."""
        data = Fingerprint.read(values.get("data")) if isinstance(values, dict) else None
        step = values.get("step") if data else None
        return cls(step, data) if data and isinstance(step, int) else None


class Run:
    """A run folder. Reading needs no lock; writing requires `locked()`.

    `trained_on` is the fingerprint of its data, None before it is first trained and for a run of version 1.0.0.
    `former` lists the data it was trained on before, in order, if it was resumed with others.
    """

    def __init__(
        self,
        path: Path,
        config: RunConfig,
        resolved: dict[str, Any],
        created: str = "",
        versions: dict[str, str] | None = None,
    ) -> None:
        self.path = path
        self.config = config
        self.resolved = resolved
        self.created = created
        self.class_order: ClassOrder = "natural"
        self.versions = versions or {}
        self.problems: dict[str, str] = {}
        """Problems of the run's small files when last read: a sentence for each, by file name."""
        self.trained_on: Fingerprint | None = None
        self.image_shape: tuple[int, int, int] | None = None
        """Height, width and channels of its images; None before it is first trained and for a run of version 1.0.0."""
        self.classes = 0
        """Number of classes of its data, known when `image_shape` is."""
        self.former: tuple[FormerData, ...] = ()
        self.plugins: tuple[PluginUse, ...] = ()
        """The plug-ins that it needs, in the versions it was last trained with."""
        self._rescheduled = False
        self.former_plugins: tuple[FormerPlugins, ...] = ()
        """Those it was trained with before, in order, if it was resumed with other versions."""
        self.bare_step: int | None = None
        """The step whose checkpoint has weights alone, in a copy of a model of the gallery; None for other runs."""

    @classmethod
    def create(
        cls,
        root: Path,
        config: RunConfig,
        name: str | None = None,
        *,
        colour: int | None = None,
        marks: Mapping[str, Any] | None = None,
    ) -> "Run":
        """Create a run folder below `root`; a name that is taken gets the suffix -2, -3, ...

        Its colour is by default the one that the fewest runs there have; `marks` are further ones.

        Raises RunError if the folder cannot be written to.
        """
        name = clean_name(name or "")
        base = slug(name) if name else default_folder(config)
        created = datetime.now(UTC).isoformat(timespec="milliseconds")
        plugins = plugins_used(config)
        try:
            root.mkdir(parents=True, exist_ok=True)
            path = new_folder(root, base)
            write_json(
                path / "config.json",
                config.to_json()
                | {
                    "created": created,
                    "versions": library_versions(),
                    "class_order": "natural",
                }
                | ({"plugins": [dict(use.values) for use in plugins]} if plugins else {}),
            )
        except OSError as error:
            raise RunError(
                f"The run cannot be saved in {root}: {error.strerror or error}. Choose another runs folder "
                "(--runs on the command line)."
            ) from None
        run = cls(path, config, {}, created)
        run.plugins = plugins
        colour = rarest_colour(colours_used(root)) if colour is None else colour
        named = {"name": name} if name and slug(name) != name else {}
        run.write_marks({"colour": colour} | named | dict(marks or {}))
        return run

    @classmethod
    def open(cls, path: Path) -> "Run":
        """Open a run folder. Raises RunError if it is not one or its settings are damaged."""
        file = path / "config.json"
        if not is_file(file):
            raise RunError(f"{path} is not a run: it has no config.json.")
        try:
            values = read_object(file, SMALL_FILES[file.name], PATHS)
            config = RunConfig.from_json(values)
            resolved = _resolved(values.get("resolved"), config)
        except (OSError, DamagedError) as error:
            raise RunError(f"{file} {reason_of(error)}.") from None
        except ConfigError as error:
            raise RunError(f"{file} is not valid: {error}") from None
        created, versions = values.get("created"), values.get("versions")
        run = cls(
            path,
            config,
            resolved,
            one_line(created, LONGEST_TIME) if isinstance(created, str) else "",
            {name: str(number)[:40] for name, number in versions.items()} if isinstance(versions, dict) else {},
        )
        if "class_order" not in values:  # written by version 1.0.0
            run.class_order = "alphabetical"
        run.trained_on = Fingerprint.read(values.get("data"))
        run.image_shape, run.classes = _shape_in(values)
        former = values.get("former_data")
        read = map(FormerData.read, former if isinstance(former, list) else [])
        run.former = tuple(entry for entry in read if entry is not None)
        run.plugins = read_plugins(values.get("plugins"))
        before = values.get("former_plugins")
        read_before = map(FormerPlugins.read, before if isinstance(before, list) else [])
        run.former_plugins = tuple(entry for entry in read_before if entry is not None)
        bare = values.get("bare_step")
        run.bare_step = bare if type(bare) is int else None
        return run

    @property
    def data(self) -> tuple[str, Path | None, int, ClassOrder]:
        """Its data set, with classes in the order its weights were trained with: the arguments of `load_dataset`."""
        return (*self.config.data, self.class_order if self.config.conditional else "natural")

    @property
    def name(self) -> str:
        """The name given by the user; else its method and seed, or the name of its folder."""
        return self.name_in(self.marks())

    def name_in(self, marks: dict[str, Any]) -> str:
        """Return the run's name, given its marks."""
        given = marks.get("name")
        if given and (name := clean_name(str(given))):
            return name
        base, number = default_folder(self.config), self.path.name.rpartition("-")[2]
        if self.path.name == base:
            return default_title(self.config)
        if self.path.name == f"{base}-{number}":
            return f"{default_title(self.config)} ({number})"
        return clean_name(self.path.name) or default_title(self.config)

    def colour_in(self, marks: dict[str, Any]) -> int:
        """Return the number of the run's permanent colour, from 0 to COLOURS - 1, given its marks."""
        kept = marks.get("colour")
        return kept % COLOURS if isinstance(kept, int) else crc32(self.path.name.encode()) % COLOURS

    @property
    def shipped(self) -> bool:
        """Whether it is one of the gallery's runs, which come with the application and are never written to."""
        return is_shipped(self.path)

    def require_own(self) -> None:
        """Raise RunError for a run of the gallery."""
        require_own(self.path, self.name)

    @property
    def metrics_file(self) -> Path:
        """File of the curves."""
        return self.path / "metrics.csv"

    @property
    def held_out_file(self) -> Path:
        """File of the curves on held-out images, where the data set has some."""
        return self.path / "held_out.csv"

    @property
    def scores_file(self) -> Path:
        """File of the scores during training, if they are requested."""
        return self.path / "scores.csv"

    @property
    def checkpoint_folder(self) -> Path:
        """Folder of the weights and the trainer state."""
        return self.path / "checkpoint"

    @property
    def previews_folder(self) -> Path:
        """Folder of the previews."""
        return self.path / PREVIEWS

    def state(self) -> RunState:
        """Return the run's state. A run that is recorded as active but not locked was interrupted."""
        values = self._read("state.json", checked_state)
        state = RunState(**values | {"message": one_line(values.get("message", ""))})
        if "state.json" in self.problems:
            return RunState("failed", message=f"{self.problems['state.json']} {STATE_LOST}")
        if state.active and not self.is_locked():
            return RunState("interrupted", state.step, state.total, "The application ended during training.")
        return state

    def write_state(self, state: RunState) -> None:
        """Write the run's state. Raises OSError, or RunError for a run of the gallery."""
        self.require_own()
        write_json(self.path / "state.json", state.values())

    def marks(self) -> dict[str, Any]:
        """Return what the user added: name, tags, colour, notes, names of latents."""
        return self._read("marks.json", checked_marks)

    def write_marks(self, marks: dict[str, Any]) -> None:
        """Write what the user added; a damaged file is kept under another name. Raises RunError."""
        self.require_own()
        try:
            if "marks.json" in self.problems:
                (self.path / "marks.json").replace(self.path / "marks-damaged.json")
            write_json(self.path / "marks.json", marks)
        except OSError as error:
            raise RunError(f"{self.path} cannot be written: {error.strerror or error}.") from None

    def evaluation(self) -> dict[str, Any]:
        """Return the content of evaluation.json; empty if the run was not evaluated."""
        return self._read("evaluation.json", checked_evaluation)

    def write_evaluation(self, result: dict[str, Any]) -> None:
        """Write evaluation.json. Raises RunError."""
        self.require_own()
        try:
            write_json(self.path / "evaluation.json", result)
        except OSError as error:
            raise RunError(f"The metrics cannot be saved in {self.path}: {error.strerror or error}.") from None

    def resolve(self, device: str, threads: int) -> None:
        """Record the device and thread count at the run's start, to be used again on resume. Raises OSError."""
        self.resolved = {"device": device, "threads": threads}
        self._rewrite_config({"resolved": self.resolved})

    def trained_at(self, step: int) -> Fingerprint | None:
        """Return the fingerprint of the data on which the weights of a step were last trained; None if not known."""
        return next((former.data for former in self.former if step <= former.step), self.trained_on)

    def data_note(self, now: Fingerprint, step: int) -> str:
        """Say how these data differ from those on which the weights of a step were trained; empty if they do not."""
        before = self.trained_at(step)
        changes = before.changes(now) if before else ""
        return f"The data differ from those that {self.name} was trained on ({changes})." if changes else ""

    def record_data(self, data: Fingerprint, step: int) -> None:
        """Record the data that the run is trained on after a step, and those before it. Raises OSError."""
        if data == self.trained_on:
            return
        changed = self.trained_on is not None and step
        former = (*self.former, FormerData(step, self.trained_on)) if self.trained_on and changed else self.former
        kept = [{"step": entry.step, "data": entry.data.values()} for entry in former]
        self._rewrite_config({"data": data.values()} | ({"former_data": kept} if kept else {}))
        self.trained_on, self.former = data, former

    def record_plugins(self, step: int) -> None:
        """Record the plug-ins that the run is trained with after a step, and those before it. Raises OSError."""
        now = plugins_used(self.config)
        if now == self.plugins:
            return
        changed = step and plugin_changes(self.plugins, now)
        former = (*self.former_plugins, FormerPlugins(step, self.plugins)) if changed else self.former_plugins
        kept = [{"step": each.step, "plugins": [dict(use.values) for use in each.plugins]} for each in former]
        self._rewrite_config(
            {"plugins": [dict(use.values) for use in now]} | ({"former_plugins": kept} if kept else {})
        )
        self.plugins, self.former_plugins = now, former

    def plugins_at(self, step: int) -> tuple[PluginUse, ...]:
        """Return the plug-ins with which the weights of a step were trained last."""
        return next((former.plugins for former in self.former_plugins if step <= former.step), self.plugins)

    def plugin_note(self, step: int) -> str:
        """Say how plug-ins differ from those with which the weights of a step were trained; empty if they do not."""
        changes = plugin_changes(self.plugins_at(step), plugins_used(self.config))
        return f"{self.name} was trained with another version of what it needs ({changes})." if changes else ""

    def record_shape(self, image_shape: tuple[int, int, int], classes: int) -> None:
        """Record the shapes its networks are built for, to load its weights without its data. Raises OSError."""
        self.image_shape, self.classes = image_shape, classes
        self._rewrite_config({"image_shape": list(image_shape), "classes": classes})

    def lengthen(self, epochs: int | None, steps: int | None, **schedules: Schedule) -> None:
        """Set a new total length, and schedules that would change with it; `keep_length` writes them.

        Raises ConfigError.
        """
        epochs = epochs if epochs is not None else self.config.epochs
        self.config = self.config.changed(epochs=epochs, steps=steps, **schedules)
        self._rescheduled |= bool(schedules)

    def keep_length(self) -> None:
        """Write the total length to config.json if it changed. Raises OSError or RunError."""
        method = {"method": self.config.to_json()["method"]} if self._rescheduled else {}
        self._rewrite_config({"epochs": self.config.epochs, "steps": self.config.steps} | method)

    def discard(self) -> None:
        """Remove the folder of a run that was never trained, unless it holds other files."""
        ours = {"config.json", "state.json", "marks.json", "lock", HEARTBEAT}  # not the gallery's file
        with suppress(OSError):
            if {file.name for file in self.path.iterdir()} <= ours:
                shutil.rmtree(self.path)

    def _read(self, name: str, sound: Callable[[dict[str, Any]], Checked]) -> dict[str, Any]:
        """Read the valid part of a small file; its problem, if any, is recorded in `problems`."""
        values, problem = read_checked(self.path / name, sound)
        if problem:
            self.problems[name] = problem
        else:
            self.problems.pop(name, None)
        return values

    def _rewrite_config(self, changes: dict[str, Any]) -> None:
        self.require_own()
        file = self.path / "config.json"
        try:
            kept = read_object(file, SMALL_FILES[file.name], PATHS)
        except DamagedError as error:
            raise RunError(f"{file} {reason_of(error)}. It has changed since the run was opened.") from None
        if kept | changes != kept:
            write_json(file, kept | changes)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Lock the run for writing.

        Raises RunLockedError if another process or window has locked it, RunError if a part of it is a link or if it
        belongs to the gallery.
        """
        self.require_own()
        self._require_no_links()
        lock = FileLock(self.path / "lock")
        elsewhere = RunLockedError(
            f"{self.name} is being trained by another window, process or machine. It can be viewed meanwhile, but not "
            "changed."
        )
        if beats_elsewhere(self.path / HEARTBEAT):
            raise elsewhere
        try:
            lock.acquire(timeout=LOCK_TIMEOUT, poll_interval=0.05)
        except Timeout:
            raise elsewhere from None
        except OSError as error:
            raise RunError(f"{self.path} cannot be written: {error.strerror or error}.") from None
        try:
            with beating(self.path / HEARTBEAT):
                yield
        finally:
            lock.release()

    def _require_no_links(self) -> None:
        """Check that the files and folders that training writes to are not links. Raises RunError."""
        for path in (self.path / "lock", self.path / HEARTBEAT, self.metrics_file, self.held_out_file, self.scores_file,
                     self.checkpoint_folder, self.previews_folder):  # fmt: skip
            if is_link(path):
                raise RunError(
                    f"{path} is a link to {os.path.realpath(path)}. Training writes and removes files there, so it "
                    "must be the run's own: replace the link by a copy. Nothing was changed."
                )

    def is_locked(self) -> bool:
        """Return whether the run is locked for writing, here or on another machine that shares the folder."""
        if beats_elsewhere(self.path / HEARTBEAT):
            return True
        if not (self.path / "lock").exists() or is_link(self.path / "lock"):
            return False
        lock = FileLock(self.path / "lock")
        try:
            lock.acquire(timeout=0)
        except (Timeout, OSError):
            return True
        lock.release()
        return False


def list_runs(root: Path) -> list[Path]:
    """Return the run folders below `root`, sorted by name."""
    try:
        return sorted(file.parent for file in root.glob("*/config.json"))
    except OSError:
        return []


def find_run(name: str, root: Path) -> Run:
    """Open a run given as a folder or as a name below `root`. Raises RunError."""
    for path in (Path(name), root / name):
        if path_exists(path / "config.json"):
            return Run.open(path.absolute())
    if path_exists(Path(name)):
        raise RunError(f"{name} is not a run: it has no config.json.")
    known = [path.name for path in list_runs(root)]
    shown = ", ".join(known[:5]) + (", ..." if len(known) > 5 else "")
    hint = f"Runs there: {shown}." if known else "There are none yet."
    raise RunError(f"There is no run {name!r}, neither as a folder nor in {root}. {hint}")


def default_folder(config: RunConfig) -> str:
    """Return the folder name of a run without a name."""
    return f"{'conditional-' if config.conditional else ''}{config.objective}-{config.dataset}-{config.seed}"


def default_title(config: RunConfig) -> str:
    """Return the title of a run without a name, e.g. "cond. annealed ReLU · 0"."""
    return f"{short_method_title(config)} · {config.seed}"


def short_method_title(config: RunConfig) -> str:
    """Return the short title of a run's method, e.g. "cond. annealed ReLU"."""
    return f"{'cond. ' if config.conditional else ''}{METHODS[config.objective].short}"


def _resolved(values: object, config: RunConfig) -> dict[str, Any]:
    """Device and threads at the run's first start, checked like settings. Raises ConfigError."""
    if not isinstance(values, dict):
        return {}
    known = {name: values[name] for name in ("device", "threads") if values.get(name, "auto") not in ("auto", 0)}
    checked = config.changed(**known)
    return {name: getattr(checked, name) for name in known}


def _shape_in(values: dict[str, Any]) -> tuple[tuple[int, int, int] | None, int]:
    """Shape of the images and number of classes in config.json; None and 0 if missing or damaged."""
    shape, classes = values.get("image_shape"), values.get("classes")
    sides = [*SIDES, 1, 3]
    if isinstance(shape, list) and len(shape) == 3 and all(type(n) is int and n in sides for n in shape):
        return (shape[0], shape[1], shape[2]), classes if type(classes) is int and 0 <= classes <= MAX_CLASSES else 0
    return None, 0


def colours_used(root: Path) -> Counter[Any]:
    """Return how many runs below `root` have each colour."""
    return Counter(read_checked(path / "marks.json", checked_marks)[0].get("colour") for path in list_runs(root))


def rarest_colour(used: Counter[Any]) -> int:
    """Return the colour that the fewest runs have."""
    return min(range(COLOURS), key=lambda colour: used[colour])


def distinct_names(runs: Sequence[Run]) -> list[str]:
    """Return the runs' names; equal ones are followed by their folder."""
    names = [run.name for run in runs]
    for more in (lambda run: run.path.name, lambda run: run.path.parent):
        taken = Counter(names)
        names = [f"{name} ({more(run)})" if taken[name] > 1 else name for name, run in zip(names, runs, strict=True)]
    return names


def new_folder(root: Path, base: str) -> Path:
    """Create a folder below `root`; a name that is taken gets the suffix -2, -3, ... Raises OSError."""
    number = 1
    while True:
        path = root / (base if number == 1 else f"{base}-{number}")
        try:
            path.mkdir()
        except FileExistsError:
            number += 1
        else:
            return path
