"""The training loop: a generator of events that writes the run folder.

The order of images is a function of (seed, epoch), and noise comes from the job's own generator. On the CPU, with the
same number of threads, a run is therefore reproducible bit for bit, also if it is stopped and resumed.
"""

import errno
import math
import time
from collections.abc import Callable, Generator
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

import torch

from engine.data import Dataset, fingerprint_of, load_prepared, prepare
from engine.data.subsets import training_positions
from engine.errors import (
    CheckpointError,
    ConfigError,
    DataError,
    PluginError,
    PluginMissingError,
    RunError,
    StudioError,
    TrainingDivergedError,
)
from engine.jobs.events import (
    CheckpointSaved,
    Event,
    Finished,
    Job,
    Paused,
    Progress,
    Request,
    StepMetrics,
    TrainingStarted,
    Warned,
)
from engine.methods.base import CAPACITY, Batch, Method, Supervision
from engine.methods.building import build
from engine.networks.tensors import choose_device, is_available, to_tensor
from engine.runs.checkpoints import NOT_RESUMED, Weights, fill, load_trainer, load_weights, save_checkpoint
from engine.runs.checkpoints import checkpoint_step as saved_step
from engine.runs.kept_weights import WEIGHTS, keep_checkpoint
from engine.runs.metrics_file import MetricsWriter, cut_back, newest_row
from engine.runs.plugins_used import names_of, require_plugins
from engine.runs.previews import drop_after, is_due, save_preview
from engine.runs.run import Run, RunState
from engine.settings.run_config import DEVICE_TITLES, RunConfig
from engine.system.leftovers import clear_leftovers, folders_of_run
from engine.system.schedule import Schedule
from engine.system.user_code import error_words, explained
from engine.training.apart import kept_words
from engine.training.device_images import DeviceImages, room_on
from engine.training.held_out import HeldOut
from engine.training.own_code import CHECKED_IMAGES, check_codes, place_of_step
from engine.training.previewer import Previewer
from engine.training.scores import Scores
from engine.training.stepper import Stepper, seed_of_new_noise
from engine.training.trainer_state import TrainerState
from engine.training.unchanged import check_unchanged

Result = TypeVar("Result")


def train(run: Run, *, fresh: bool = False, accept_changes: bool = False) -> Job:
    """Train a run to its full length, from its last checkpoint or from the start.

    Yields TrainingStarted, then StepMetrics, Preview and CheckpointSaved when due and Progress after every step, and
    finally Finished. On a request to pause, it saves a checkpoint and yields Paused; on a request to stop, or when
    closed, it saves a checkpoint and ends. If the disk cannot be written to, it yields Paused with the reason and tries
    again when its host continues. A run whose device is missing continues on another one, and yields Warned.

    A run that cannot be resumed is left unchanged, or becomes "failed" if it was never trained. If it is `fresh`, i.e.
    was created for this training, and its data or settings cannot be used, its folder is removed.

    Raises
    ------
    RunLockedError
        Another window or process is training the run.
    ChangedError
        The data set or a plug-in differs from the one that the checkpoint was trained with, and this was not accepted.
        Nothing is changed.
    PluginMissingError
        A plug-in that the run needs is not loaded.
    DataError, CheckpointError, ConfigError
        The data set, the checkpoint or the device cannot be used.
    TrainingDivergedError
        The loss became NaN or infinite. The last checkpoint is kept.
    RunError
        The run folder is gone, or cannot be written to and the host requested to stop. The last checkpoint is kept.
    """
    trainer: Trainer | None = None
    try:
        with run.locked():
            clear_leftovers(folders_of_run(run.path))
            try:
                require_plugins(run.config)
                for event in prepare(*run.config.data):
                    if isinstance(event, Progress) and (yield event) is Request.STOP:
                        if not _has_trained(run):
                            run.write_state(RunState("stopped", message="Stopped before training began."))
                        yield Finished(run.path, stopped=True)
                        return
                trainer = Trainer(run, accept_changes=accept_changes)
                yield from trainer.loop()
            except Exception as error:
                reason = _explain(error, run)
                if trainer is not None and trainer.begun:
                    _try_state(run, RunState("failed", trainer.step, trainer.total, str(reason)))
                elif not _has_trained(run):
                    _try_state(run, RunState("failed", message=str(reason)))
                if reason is error:
                    raise
                raise reason from error
    except (DataError, ConfigError, PluginMissingError):
        if fresh and trainer is None:
            run.discard()
        raise


@dataclass
class Clock:
    """Seconds spent training, without pauses."""

    seconds: float = 0.0
    started: float | None = None

    def start(self) -> None:
        """Start counting."""
        self.started = time.perf_counter()

    def stop(self) -> None:
        """Stop counting."""
        if self.started is not None:
            self.seconds += time.perf_counter() - self.started
            self.started = None

    def read(self) -> float:
        """Return the seconds so far."""
        return self.seconds + (time.perf_counter() - self.started if self.started is not None else 0.0)


class Trainer:
    """Everything needed to train a run whose data are prepared: method, batches, and sums for the curves."""

    def __init__(self, run: Run, *, accept_changes: bool = False) -> None:
        self.run = run
        self.device, self.threads, self.notes = _machine(run)
        torch.set_num_threads(self.threads)
        self.dataset: Dataset = load_prepared(*run.data)
        self.data_note = check_unchanged(run, self.dataset, accept_changes=accept_changes)
        self.config: RunConfig = run.config
        self.indices = training_positions(self.dataset, self.config)
        self.model: Method = build(self.config, self.dataset).to(self.device)
        check_codes(self.model, self._few())
        self.images = DeviceImages(self.dataset, self.indices, self.device, room_on(self.device))
        self.sampler = self.model.sampler(self.dataset, self.indices)
        self.steps_per_epoch = self.sampler.steps_per_epoch
        self.total = self.config.total_steps(len(self.indices))
        self.stepper = Stepper(self.model, self.device, len(self.indices), self.steps_per_epoch, self.total)
        self.sums = torch.zeros(len(self.stepper.names), dtype=torch.float64, device=self.stepper.at)
        self.summed = 0
        self.step = 0
        self.row_step = -1
        self.clock = Clock()
        self.previewer = Previewer(self.config, self.dataset, self.device)
        has_held_out = "test" in self.dataset.splits and self.model.has("reconstruction")
        self.held_out = HeldOut(run, self.dataset, self.device) if has_held_out else None
        self.scores = Scores(run, self.dataset, self.device)

        self.state_time = 0.0
        self.begun = False
        """Whether the run's folder has been written to."""

        self._restore()
        self.saved_step = self.step if self.step else -1

    def loop(self) -> Generator[Event, Request | None, None]:
        """Take steps until the run's length is reached, yielding their events and obeying pause and stop."""
        yield from self._persist(self._begin)
        notes = [self.data_note, *self.notes, *self.dataset.notes, *self.config.warnings(len(self.indices))]
        notes += [self.scores.lacking]
        notes = [note for note in notes if note]
        if notes:
            yield Warned(" ".join(notes))
        yield TrainingStarted(self.run.path, self.step, self.total, self.config.batch_size)
        self.model.train()
        try:
            request = yield from self._scored()  # those that a stop kept from being computed
            while request is not Request.STOP and (request is Request.PAUSE or self.step < self.total):
                if request is Request.PAUSE:
                    yield from self._persist(lambda: self._save_as("paused"))
                    yield CheckpointSaved(self.step)
                    yield Paused(self.step)
                    yield from self._persist(lambda: self._write_state("running"))
                    request = yield from self._scored()
                    continue
                request = None
                self.clock.start()
                self._update()
                self.clock.stop()
                events = yield from self._persist(self._record)
                for event in events:
                    request = (yield event) or request
                if request not in (Request.STOP, Request.PAUSE):
                    request = yield from self._scored()
        except GeneratorExit:
            # Abandoned: errors can no longer be reported, and the last checkpoint is kept.
            with suppress(OSError, TrainingDivergedError):
                self._save_as("stopped")
            raise
        stopped = self.step < self.total
        yield from self._persist(lambda: self._save_as("stopped" if stopped else "finished"))
        yield CheckpointSaved(self.step)
        yield Finished(self.run.path, self.step, stopped)

    def _begin(self) -> None:
        """Bring the run's folder to the step from which training continues. Raises OSError; may be called again."""
        run = self.run
        run.keep_length()
        if not run.resolved:
            run.resolve(self.device.type, self.threads)
        run.record_shape(self.dataset.image_shape, self.dataset.classes)
        run.record_data(fingerprint_of(self.dataset), self.step)
        run.record_plugins(self.step)
        cut_back(run.metrics_file, lambda step: step <= self.step and step % self.config.log_steps == 0)
        drop_after(run.previews_folder, self.step)
        self.previewer.continue_from(run.previews_folder)
        if self.held_out:
            self.held_out.cut_back(self.step)
        self.scores.cut_back(self.step)
        self.metrics = MetricsWriter(run.metrics_file, self.stepper.kl_columns, self.model.curves(self.config))
        self._write_state("running")
        self.begun = True

    def _persist(self, write: Callable[[], Result]) -> Generator[Event, Request | None, Result]:
        """Write; on an OSError, yield Paused with the reason and write again when the host continues.

        Raises the OSError if the host requests to stop instead, or if the run's folder is gone.
        """
        while True:
            try:
                return write()
            except OSError as error:
                if not self.run.path.exists():
                    raise
                if (yield Paused(self.step, str(_explain(error, self.run)))) is Request.STOP:
                    raise

    def _update(self) -> None:
        """Take one step and add its values to the sums for the next row of the curves."""
        values = self.stepper(self._batch(), self.step + 1)
        if values.device.type == "cpu" and not math.isfinite(values[0].item()):
            raise TrainingDivergedError(self._diverged(self.step + 1))
        self.step += 1
        self.sums += values
        self.summed += 1

    def _record(self) -> list[Event]:
        """Write everything that is due after a step, and return the events to yield.

        May be called again after an OSError: what was already written is replaced, not repeated.
        """
        events: list[Event] = []
        config, last = self.config, self.step == self.total
        if self.step % config.log_steps == 0 or last:
            metrics = self._means()
            if self.row_step == self.step:
                cut_back(self.run.metrics_file, lambda step: step < self.step)
            self.row_step = self.step
            self.metrics.append(metrics)
            events.append(metrics)
            if time.monotonic() - self.state_time > 1:
                self._write_state("running")
        if is_due(self.step, config.preview_steps) or last:
            preview = self.previewer(self.model, self.step, self._kl_means())
            save_preview(self.run.previews_folder, preview)
            if self.held_out:
                self.held_out.record(self.model, self.step, self.step / self.steps_per_epoch, self.clock.read())
            events.append(preview)
        # An extra row at the end of the run does not end a period: if the run is lengthened, the period continues.
        sums, summed = self.sums.clone(), self.summed
        if self.step % config.log_steps == 0:
            self.sums.zero_()
            self.summed = 0
        keep = self.step in config.keep_steps
        if keep or (self.step % config.checkpoint_steps == 0 and not last):
            try:
                self._save()
                if keep:
                    keep_checkpoint(self.run.checkpoint_folder)
            except OSError:
                self.sums, self.summed = sums, summed
                raise
            events.append(CheckpointSaved(self.step))
        events.append(Progress(self.step, self.total, "Training", "steps"))
        return events

    def _scored(self) -> Generator[Event, Request | None, Request | None]:
        """Record the scores of this step, if they are due; a request to pause or stop ends that and is returned."""
        if not self.scores.due(self.step, last=self.step == self.total):
            return None
        work = self.scores.of(self.model, self.step)
        while True:
            try:
                next(work)
            except StopIteration as end:
                found: dict[str, float] = end.value
                break
            request = yield Progress(self.step, self.total, "Training", "steps")
            if request in (Request.STOP, Request.PAUSE):
                work.close()
                return request
        epoch, seconds = self.step / self.steps_per_epoch, self.clock.read()
        yield from self._persist(lambda: self.scores.record(found, self.step, epoch, seconds))
        return None

    def _few(self) -> Batch:
        """The first images, to see whether the method takes them."""
        chosen = self.indices[:CHECKED_IMAGES]
        labels = self.dataset.labels if self.config.conditional else None
        given = None if labels is None else torch.from_numpy(labels[chosen]).to(self.device)
        return Batch(to_tensor(self.dataset.images(chosen), self.device), given)

    def _batch(self) -> Batch:
        """The images of the next step: with labels for a conditional model, with factors for a supervised method."""
        chosen = self.sampler(self.step)
        labelled = self.config.conditional and self.dataset.labels is not None
        supervised = self.model.supervision is Supervision.FULL and self.dataset.factors is not None
        return Batch(
            self.images.images(chosen),
            self.images.labels(chosen) if labelled else None,
            self.images.factors(chosen) if supervised else None,
        )

    def _weight(self, name: str) -> float:
        """Mean of a weight over the steps of the row that is due."""
        value = getattr(self.config.method, name)
        if not isinstance(value, Schedule):
            return float(value)
        steps = range(self.step - self.summed + 1, self.step + 1)
        return sum(value.at(step, self.steps_per_epoch, self.total) for step in steps) / len(steps)

    def _means(self) -> StepMetrics:
        """The next row of the curves. Raises TrainingDivergedError if the loss was not finite."""
        means = dict(zip(self.stepper.names, (self.sums / self.summed).tolist(), strict=True))
        if not math.isfinite(means["loss"]):
            raise TrainingDivergedError(self._diverged(self.step))
        own = self.model.curves(self.config)
        return StepMetrics(
            step=self.step,
            epoch=self.step / self.steps_per_epoch,
            seconds=self.clock.read(),
            loss=means["loss"],
            reconstruction=means.get("reconstruction"),
            kl=means.get("kl"),
            capacity=self._capacity(means),
            own=tuple(means[name] if name in means else self._weight(name) for name in own),
            kl_per_latent=tuple(means[f"kl_{i}"] for i in range(self.stepper.kl_columns)),
        )

    def _capacity(self, means: dict[str, float]) -> float | None:
        """The capacity, if the method has one, as reported by its steps or given by its weight."""
        if CAPACITY in means:
            return means[CAPACITY]
        return self._weight(CAPACITY) if CAPACITY in self.model.Settings.weights() else None

    def _kl_means(self) -> tuple[float, ...]:
        own = len(self.sums) - self.stepper.kl_columns
        return tuple((self.sums[own:] / self.summed).tolist())

    def _diverged(self, step: int) -> str:
        kept = (
            f"The checkpoint of step {self.saved_step:,} is kept"
            if self.saved_step > 0
            else "There is no checkpoint yet"
        )
        when = "at" if self.sums.device.type == "cpu" else "by"
        names, place = names_of(self.config), place_of_step(self.config)
        whose = f" with {names}{f' ({place})' if place else ''}" if names else ""
        return (
            f"The loss{whose} became NaN or infinite {when} step {step:,}. {kept}. "
            f"Try a smaller learning rate (it is {self.model.rate_words(self.config)})"
            f"{self.model.advice(self.config)}."
        )

    def _save(self) -> None:
        if self.saved_step == self.step:
            return
        if not self.sums[0].isfinite():  # on a GPU, not every step is checked
            raise TrainingDivergedError(self._diverged(self.step))
        save_checkpoint(
            self.run.checkpoint_folder,
            self.step,
            self.model.networks,
            {
                "step": self.step,
                "optimisers": {name: each.state_dict() for name, each in self.stepper.optimisers.items()},
                "noise": self.stepper.noise.get_state(),
                "device": self.device.type,
                "terms": list(self.stepper.names),
                "sums": self.sums.cpu(),
                "summed": self.summed,
                "seconds": self.clock.read(),
            },
        )
        self.saved_step = self.step

    def _save_as(self, state: str) -> None:
        self._save()
        self._write_state(state)

    def _restore(self) -> None:
        """Restore the latest checkpoint, if there is one. Raises CheckpointError."""
        if saved_step(self.run.checkpoint_folder) is None:
            return
        weights = load_weights(self.run.checkpoint_folder)
        if weights.step == self.run.bare_step:
            self._begin_from(weights)
            return
        path = self.run.checkpoint_folder / weights.trainer
        values = load_trainer(self.run.checkpoint_folder, weights)
        fill(self.model.networks, weights, self.run.name)
        try:
            state = TrainerState.parse(values, weights.step, self.stepper.optimisers, self.stepper.names)
            self.step = weights.step
            self._restore_noise(state)
        except ValueError as error:
            raise CheckpointError(f"{path} is damaged or belongs to another run: {error}. {NOT_RESUMED}") from None
        for name, optimiser in self.stepper.optimisers.items():
            settings = optimiser.state_dict()["param_groups"]
            optimiser.load_state_dict({"state": state.moments[name], "param_groups": settings})
        self.sums.copy_(state.sums)
        self.summed = state.summed
        self.clock.seconds = state.seconds

    def _begin_from(self, weights: Weights) -> None:
        """Continue from weights alone: optimisers and noise start afresh, as do networks that are left out."""
        fill(self.model.networks, weights, self.run.name)
        self.step = weights.step
        self.stepper.noise.manual_seed(seed_of_new_noise(self.config.seed, self.step))
        self.clock.seconds = newest_row(self.run.metrics_file).get("seconds", 0.0)
        self.notes.append(
            f"{self.run.name} is a copy of a model of the gallery, which has no optimiser state: Adam starts afresh"
            f"{', as does what only training needs' if weights.left_out else ''}. From step {self.step:,} on it is "
            "not, bit for bit, the run that it would have been."
        )

    def _restore_noise(self, state: TrainerState) -> None:
        """Restore the noise generator; after a change of device, seed it again for this step.

        Raises ValueError if its state is invalid.
        """
        before = state.device or self.run.resolved.get("device", self.device.type)
        if before != self.device.type:
            self.stepper.noise.manual_seed(seed_of_new_noise(self.config.seed, self.step))
            self.notes = self.notes or [_moved(before, self.device.type)]
            return
        try:
            self.stepper.noise.set_state(state.noise)
        except (RuntimeError, TypeError):
            raise ValueError("'noise' is not a state of this device's random generator") from None

    def _write_state(self, state: str) -> None:
        self.run.write_state(RunState(state, self.step, self.total))
        self.state_time = time.monotonic()


def _machine(run: Run) -> tuple[torch.device, int, list[str]]:
    """Device, number of threads and notes on them: as stored when the run first started, or chosen now.

    Raises ConfigError if a requested device is not available.
    """
    stored = str(run.resolved.get("device", ""))
    threads = run.config.threads or torch.get_num_threads()
    if not stored or is_available(stored):
        device = choose_device(stored or run.config.device)
        notes = []
        if not run.resolved and _has_trained(run):
            notes = [
                "config.json does not say on which device the run was trained so far. It continues on "
                f"{_title(device.type)}; only on the same device and with the same number of threads is it, bit for "
                "bit, as if it had never been stopped."
            ]
        return device, int(run.resolved.get("threads", 0)) or threads, notes
    device = choose_device("auto")
    return device, threads, [f"PyTorch finds no {_title(stored)} on this machine. {_moved(stored, device.type)}"]


def _moved(before: str, now: str) -> str:
    """Say what a change of device means."""
    return (
        f"The run was trained on {_title(before)} so far and continues on {_title(now)} with other random numbers: "
        "from here on, it is no longer, bit for bit, the run that it would have been."
    )


def _title(device: str) -> str:
    return DEVICE_TITLES.get(device, "another device")


def _has_trained(run: Run) -> bool:
    """Whether the run has any training to lose."""
    return (run.checkpoint_folder / WEIGHTS).exists() or run.state().step > 0


def _explain(error: Exception, run: Run) -> Exception:
    """Return an error of a plug-in or the file system as an error about the run; other errors unchanged."""
    found = explained(error)
    if isinstance(found, PluginError) and found is not error:
        return PluginError(f"{found} {kept_words(run)}")
    names = names_of(run.config)
    if names and not isinstance(error, StudioError | OSError | MemoryError):  # of what a plug-in's code has returned
        where = f" ({place})" if (place := place_of_step(run.config)) else ""
        return PluginError(f"A step with {names} failed: {error_words(error)}{where}. {kept_words(run)}")
    if not isinstance(error, OSError):
        return error
    kept = "The last checkpoint is kept" if (run.checkpoint_folder / WEIGHTS).exists() else "There is no checkpoint yet"
    if error.errno == errno.ENOSPC:
        return RunError(f"The disk is full: {run.path} cannot be written. {kept}; make room, then resume the run.")
    if not run.path.exists():
        return RunError(f"The run's folder {run.path} is gone; it was moved or deleted during training.")
    return RunError(
        f"{run.path} cannot be written: {error.strerror or error}. {kept}; resume the run when this is resolved."
    )


def _try_state(run: Run, state: RunState) -> None:
    try:
        run.write_state(state)
    except OSError:
        return  # the folder cannot be written to, as the error being raised says
