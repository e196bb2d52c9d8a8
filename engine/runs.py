"""A run on disk: a folder that people can read, copy and zip.

config.json, state.json, metrics.csv, held_out.csv, checkpoint/, previews/, evaluation.json, marks.json and lock, as
described in the README. Every file is replaced at once or only appended to, so a run killed at any moment
opens again.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any
from zlib import crc32

from filelock import FileLock, Timeout

from engine import __version__
from engine.colours import PALETTE
from engine.config import ClassOrder, RunConfig
from engine.data.fingerprint import Fingerprint
from engine.errors import ConfigError, RunError, RunLockedError
from engine.files import write_json
from engine.methods import METHODS

STATES = ("new", "running", "paused", "finished", "stopped", "failed", "interrupted")
RECORDED_LIBRARIES = ("torch", "torchvision", "numpy", "pydantic")
COLOURS = len(PALETTE)
"""Number of colours that runs are told apart by."""

LOCK_PATIENCE = 0.5
"""Seconds to wait for a lock: another window may hold it for a moment to see whether a run is alive."""


@dataclass(frozen=True, slots=True)
class RunState:
    """Where a run stands. `step` of `total`; `message` says why, where there is something to say."""

    state: str = "new"
    step: int = 0
    total: int = 0
    message: str = ""

    @property
    def active(self) -> bool:
        """Whether somebody is training the run now."""
        return self.state in ("running", "paused")

    @property
    def unfinished(self) -> bool:
        """Whether the run could go on from where it is."""
        return self.state in ("stopped", "failed", "interrupted", "new")

    def values(self) -> dict[str, object]:
        """Return what state.json holds."""
        return {"state": self.state, "step": self.step, "total": self.total, "message": self.message}


@dataclass(frozen=True, slots=True)
class FormerData:
    """Data that a run was trained on up to a step, and that were other ones when it went on."""

    step: int
    data: Fingerprint

    @classmethod
    def read(cls, values: Any) -> "FormerData | None":
        """Read what config.json holds of it; None where that is damaged."""
        data = Fingerprint.read(values.get("data")) if isinstance(values, dict) else None
        step = values.get("step") if data else None
        return cls(step, data) if data and isinstance(step, int) else None


class Run:
    """One run folder. Reading needs no lock; whoever writes holds `locked()`.

    `trained_on` is the fingerprint of its data: None before it first trains, and of a run of version 1.0.0. `former`
    are the data it was trained on before, in order, where it went on with others.
    """

    def __init__(self, path: Path, config: RunConfig, resolved: dict[str, Any], created: str = "") -> None:
        self.path = path
        self.config = config
        self.resolved = resolved
        self.created = created
        self.class_order: ClassOrder = "natural"
        self.trained_on: Fingerprint | None = None
        self.former: tuple[FormerData, ...] = ()

    @classmethod
    def create(cls, root: Path, config: RunConfig, name: str | None = None) -> "Run":
        """Make a new run folder below `root`; a name that is taken gets the suffix -2, -3, ...

        Raises RunError when the folder cannot be written.
        """
        base = slug(name) if name else default_folder(config)
        created = datetime.now(UTC).isoformat(timespec="milliseconds")
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
                },
            )
        except OSError as error:
            raise RunError(
                f"The run cannot be saved in {root}: {error.strerror or error}. Choose another folder "
                "for runs (--runs on the command line)."
            ) from None
        run = cls(path, config, {}, created)
        run.write_marks({"colour": _rarest_colour(root)} | ({"name": name} if name and slug(name) != name else {}))
        return run

    @classmethod
    def open(cls, path: Path) -> "Run":
        """Open a run folder. Raises RunError when it is none or its settings are damaged."""
        file = path / "config.json"
        if not file.is_file():
            raise RunError(f"{path} is not a run: it has no config.json.")
        try:
            values = json.loads(file.read_text(encoding="utf-8"))
            config = RunConfig.from_json(values)
        except OSError as error:
            raise RunError(f"{file} cannot be read: {error.strerror or error}.") from None
        except (ValueError, RecursionError) as error:
            raise RunError(f"{file} is damaged: it is not valid JSON ({error}).") from None
        except ConfigError as error:
            raise RunError(f"{file} is not valid: {error}") from None
        resolved = values.get("resolved")
        run = cls(path, config, resolved if isinstance(resolved, dict) else {}, str(values.get("created", "")))
        if "class_order" not in values:  # version 1.0.0 wrote it
            run.class_order = "alphabetical"
        run.trained_on = Fingerprint.read(values.get("data"))
        former = values.get("former_data")
        read = map(FormerData.read, former if isinstance(former, list) else [])
        run.former = tuple(entry for entry in read if entry is not None)
        return run

    @property
    def data(self) -> tuple[str, Path | None, int, ClassOrder]:
        """Its data set, with classes numbered as its weights know them: the arguments of `load_dataset`."""
        return (*self.config.data, self.class_order if self.config.conditional else "natural")

    @property
    def name(self) -> str:
        """The name a person gave the run; else its method and seed, or what its folder is called."""
        return self.name_in(self.marks())

    def name_in(self, marks: dict[str, Any]) -> str:
        """The run's name, with the marks at hand."""
        given = marks.get("name")
        if given:
            return str(given)
        base, number = default_folder(self.config), self.path.name.rpartition("-")[2]
        if self.path.name == base:
            return default_title(self.config)
        return f"{default_title(self.config)} ({number})" if self.path.name == f"{base}-{number}" else self.path.name

    def colour_in(self, marks: dict[str, Any]) -> int:
        """Number of the colour the run is drawn in, from 0 to COLOURS - 1; it stays with the run."""
        kept = marks.get("colour")
        return kept % COLOURS if isinstance(kept, int) else crc32(self.path.name.encode()) % COLOURS

    @property
    def metrics_file(self) -> Path:
        """The curves."""
        return self.path / "metrics.csv"

    @property
    def held_out_file(self) -> Path:
        """The curves on images that are not trained on, where the data set has some."""
        return self.path / "held_out.csv"

    @property
    def checkpoint_folder(self) -> Path:
        """Where weights and the trainer's state are."""
        return self.path / "checkpoint"

    @property
    def previews_folder(self) -> Path:
        """Where the pictures over time are."""
        return self.path / "previews"

    def state(self) -> RunState:
        """Where the run stands. One that says it is running but that nobody holds was interrupted."""
        values = _read_object(self.path / "state.json")
        try:
            state = RunState(
                str(values.get("state", "new")),
                int(values.get("step", 0)),
                int(values.get("total", 0)),
                str(values.get("message", "")),
            )
        except (TypeError, ValueError, OverflowError):
            state = RunState()
        if state.state not in STATES:
            return RunState()
        if state.active and not self.is_locked():
            return RunState("interrupted", state.step, state.total, "The application ended while it trained.")
        return state

    def write_state(self, state: RunState) -> None:
        """Record where the run stands. Raises OSError."""
        write_json(self.path / "state.json", state.values())

    def marks(self) -> dict[str, Any]:
        """What a person added: name, tags, colour, notes, names of latents."""
        return _read_object(self.path / "marks.json")

    def write_marks(self, marks: dict[str, Any]) -> None:
        """Record what a person added. Raises RunError."""
        try:
            write_json(self.path / "marks.json", marks)
        except OSError as error:
            raise RunError(f"{self.path} cannot be written: {error.strerror or error}.") from None

    def evaluation(self) -> dict[str, Any]:
        """The run's entry of evaluation.json; empty when it was not evaluated."""
        return _read_object(self.path / "evaluation.json")

    def write_evaluation(self, result: dict[str, Any]) -> None:
        """Keep the metrics. Raises RunError."""
        try:
            write_json(self.path / "evaluation.json", result)
        except OSError as error:
            raise RunError(f"The metrics cannot be kept in {self.path}: {error.strerror or error}.") from None

    def resolve(self, device: str, threads: int) -> None:
        """Keep the device and thread count the run started with, for a resume to use again. Raises OSError."""
        self.resolved = {"device": device, "threads": threads}
        self._rewrite_config({"resolved": self.resolved})

    def trained_at(self, step: int) -> Fingerprint | None:
        """Return the fingerprint of the data that the weights of a step were trained on last; None: not known."""
        return next((former.data for former in self.former if step <= former.step), self.trained_on)

    def data_note(self, now: Fingerprint, step: int) -> str:
        """Say that these data are others than the weights of a step were trained on; empty where they are the same."""
        before = self.trained_at(step)
        changes = before.changes(now) if before else ""
        return f"The data are not those that {self.name} was trained on ({changes})." if changes else ""

    def record_data(self, data: Fingerprint, step: int) -> None:
        """Keep what the run is trained on from a step on, and what it was trained on before. Raises OSError."""
        if self.trained_on is not None and self.trained_on != data and step:
            self.former = (*self.former, FormerData(step, self.trained_on))
        self.trained_on = data
        former = [{"step": entry.step, "data": entry.data.values()} for entry in self.former]
        self._rewrite_config({"data": data.values()} | ({"former_data": former} if former else {}))

    def lengthen(self, epochs: int | None, steps: int | None) -> None:
        """Set a new total length. Raises ConfigError or RunError."""
        self.config = self.config.changed(epochs=epochs if epochs is not None else self.config.epochs, steps=steps)
        try:
            self._rewrite_config({"epochs": self.config.epochs, "steps": self.config.steps})
        except OSError as error:
            raise RunError(f"{self.path} cannot be written: {error.strerror or error}.") from None

    def _rewrite_config(self, changes: dict[str, Any]) -> None:
        write_json(self.path / "config.json", _read_object(self.path / "config.json") | changes)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the run for writing. Raises RunLockedError when another process or window does."""
        lock = FileLock(self.path / "lock")
        try:
            lock.acquire(timeout=LOCK_PATIENCE, poll_interval=0.05)
        except Timeout:
            raise RunLockedError(
                f"{self.name} is being trained by another window or process. It can be looked at "
                "meanwhile, not changed."
            ) from None
        except OSError as error:
            raise RunError(f"{self.path} cannot be written: {error.strerror or error}.") from None
        try:
            yield
        finally:
            lock.release()

    def is_locked(self) -> bool:
        """Whether somebody holds the run for writing."""
        if not (self.path / "lock").exists():
            return False
        lock = FileLock(self.path / "lock")
        try:
            lock.acquire(timeout=0)
        except (Timeout, OSError):
            return True
        lock.release()
        return False


def list_runs(root: Path) -> list[Path]:
    """Run folders below `root`, by name."""
    try:
        return sorted(file.parent for file in root.glob("*/config.json"))
    except OSError:
        return []


def find_run(name: str, root: Path) -> Run:
    """Open a run given as a folder, or as a name below `root`. Raises RunError."""
    for path in (Path(name), root / name):
        if _is_there(path / "config.json"):
            return Run.open(path.absolute())
    if _is_there(Path(name)):
        raise RunError(f"{name} is not a run: it has no config.json.")
    known = [path.name for path in list_runs(root)]
    shown = ", ".join(known[:5]) + (", ..." if len(known) > 5 else "")
    hint = f" There are: {shown}." if known else " There are none yet."
    raise RunError(f"There is no run {name!r}, neither as a folder nor in {root}.{hint}")


def slug(name: str) -> str:
    """Return a name as a folder's name: word characters, dots, dashes; never empty or hidden."""
    cut = re.sub(r"[^\w.-]+", "-", name).strip("-.")[:80].encode()[:200].decode(errors="ignore")
    return cut.rstrip("-.") or "run"


def default_folder(config: RunConfig) -> str:
    """Return what a run's folder is called unless it is given a name."""
    return f"{'conditional-' if config.conditional else ''}{config.objective}-{config.dataset}-{config.seed}"


def default_title(config: RunConfig) -> str:
    """Return what a run is called until it is given a name, e.g. "cond. annealed ReLU · 0"."""
    return f"{method_words(config)} · {config.seed}"


def method_words(config: RunConfig) -> str:
    """Return a method in a few letters, e.g. "cond. annealed ReLU"."""
    return f"{'cond. ' if config.conditional else ''}{METHODS[config.objective].short}"


def _rarest_colour(root: Path) -> int:
    """The colour that fewest runs below `root` have."""
    used = [_read_object(path / "marks.json").get("colour") for path in list_runs(root)]
    return min(range(COLOURS), key=used.count)


def distinct_names(runs: Sequence[Run]) -> list[str]:
    """Return the runs' names; where several are the same, with what tells them apart."""
    names = [run.name for run in runs]
    for more in (lambda run: run.path.name, lambda run: run.path.parent):
        taken = Counter(names)
        names = [f"{name} ({more(run)})" if taken[name] > 1 else name for name, run in zip(names, runs, strict=True)]
    return names


def new_folder(root: Path, base: str) -> Path:
    """Make a folder below `root`; a name that is taken gets the suffix -2, -3, ... Raises OSError."""
    number = 1
    while True:
        path = root / (base if number == 1 else f"{base}-{number}")
        try:
            path.mkdir()
        except FileExistsError:
            number += 1
        else:
            return path


def library_versions() -> dict[str, str]:
    """Versions of the application and of the libraries that results depend on."""
    found = {"disentangle-studio": __version__}
    for library in RECORDED_LIBRARIES:
        try:
            found[library] = version(library)
        except PackageNotFoundError:
            continue
    return found


def _read_object(path: Path) -> dict[str, Any]:
    """A JSON object from a file; empty when the file is missing or damaged."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return values if isinstance(values, dict) else {}


def _is_there(path: Path) -> bool:
    """Whether a path exists; a name that no file can have does not."""
    try:
        return path.exists()
    except OSError:
        return False
