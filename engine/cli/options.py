"""Options shared by several commands, and the runs they name."""

import argparse
from pathlib import Path
from typing import Any

from engine.errors import ConfigError
from engine.runs.run import Run, find_run
from engine.settings.folders import default_runs_folder
from engine.settings.run_config import RunConfig
from engine.system.numbers import whole_number
from engine.system.program import NAME
from engine.training.place import place_given


def runs_option(to: argparse.ArgumentParser) -> None:
    """Add --runs."""
    # It may precede or follow the command; SUPPRESS prevents the command's default from replacing the former.
    default: Any = default_runs_folder() if to.prog == NAME else argparse.SUPPRESS
    to.add_argument("--runs", type=_folder, default=default, metavar="DIR", help="runs folder")


def data_option(to: argparse.ArgumentParser) -> None:
    """Add --data."""
    to.add_argument("--data", type=_folder, metavar="DIR", help="folder with the data set's files")


def check_takes_data(dataset: str) -> None:
    """Raise ConfigError if a data set comes with the application, so that --data cannot be used."""
    from engine.data import ENTRIES

    entry = ENTRIES[dataset]
    if not entry.path_kind:
        raise ConfigError(f"{entry.title} comes with the application and takes no folder; leave --data out.")


def machine_options(to: argparse.ArgumentParser) -> None:
    """Add --device and --threads."""
    to.add_argument("--device", metavar="D", help="auto, cpu, cuda or mps")
    threads_option(to)


def gpus_option(to: argparse.ArgumentParser) -> None:
    """Add --gpus."""
    to.add_argument(
        "--gpus",
        metavar="N",
        help="GPUs that share each step, each computing the networks for its part of the batch (default 1; with "
        "--device cpu: processes). Or start the command with torchrun",
    )


def processes_of(arguments: argparse.Namespace) -> int:
    """Return the number of processes of --gpus. Raises ConfigError."""
    if arguments.gpus is None:
        return 1
    try:
        found = whole_number(arguments.gpus)
    except ValueError:
        raise ConfigError(f"--gpus is {arguments.gpus!r}; it must be a whole number.") from None
    if found < 1 or place_given() is not None:
        raise ConfigError(
            "--gpus must be at least 1." if found < 1 else "torchrun has chosen the GPUs; leave --gpus out."
        )
    return found


def threads_option(to: argparse.ArgumentParser) -> None:
    """Add --threads."""
    to.add_argument("--threads", metavar="N", help="CPU threads (0: PyTorch's choice)")


def find(name: str, arguments: argparse.Namespace) -> Run:
    """Open a run, with the data folder of --data and the threads of --threads. Raises StudioError."""
    run = find_run(name, arguments.runs)
    if arguments.data is not None:
        check_takes_data(run.config.dataset)
        run.config = run.config.changed(data_folder=arguments.data)
    use_threads(arguments)
    return run


def use_threads(arguments: argparse.Namespace) -> None:
    """Compute with the threads of --threads. Raises ConfigError for anything but a number of threads."""
    threads = getattr(arguments, "threads", None)
    if threads is not None:
        import torch

        count = RunConfig().changed(threads=threads).threads
        if count:
            torch.set_num_threads(count)


def _folder(text: str) -> Path:
    try:
        return Path(text).expanduser().absolute()
    except RuntimeError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
