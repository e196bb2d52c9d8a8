"""The command `import-model`: trained networks from other programs, kept as runs."""

import argparse
from pathlib import Path
from typing import Any

from engine.cli.options import check_takes_data, data_option, runs_option
from engine.cli.progress import answer, say, shown
from engine.errors import ConfigError
from engine.jobs.control import Control
from engine.jobs.events import Finished, Imported
from engine.networks.foreign_files import DECODED, LAYOUTS, RANGES, Known
from engine.runs.run import find_run
from engine.settings.folders import with_remembered_data
from engine.settings.run_config import DATASET_TITLES, RunConfig


def add_command(commands: "argparse._SubParsersAction[Any]") -> None:
    """Add the command."""
    command = commands.add_parser(
        "import-model",
        help="import a trained network from another program",
        description="Keep an encoder, and possibly a decoder, as a run that can be traversed, mapped and evaluated, "
        "but not trained: TorchScript (.pt, .ts), torch.export (.pt2) or ONNX (.onnx) files. How outputs are read "
        "is found by a forward pass, unless it is given. Files other than ONNX are programs, which are executed when "
        "they are loaded: --allow says that you trust them.",
    )
    command.add_argument("encoder", type=Path, metavar="ENCODER", help="file of the encoder; with --allow alone, a run")
    command.add_argument("--decoder", type=Path, metavar="FILE", help="file of the decoder")
    command.add_argument("--dataset", metavar="N", help=f"data set that it takes: {', '.join(DATASET_TITLES)}")
    command.add_argument("--layout", choices=[*LAYOUTS], help="what the encoder gives (default: as found)")
    command.add_argument("--decoded", choices=[*DECODED], help="what the decoder gives (default: as found)")
    command.add_argument("--values", choices=[*RANGES], help="range of the pixels that it takes (default: as found)")
    command.add_argument("--name", help="name of the run (default: that of the encoder's file)")
    command.add_argument("--allow", action="store_true", help="allow programs to be executed, in their present version")
    data_option(command)
    runs_option(command)
    command.set_defaults(do=_import)


def _import(arguments: argparse.Namespace) -> int:
    from engine.runs.imported import GivenNetworks, allow_programs, import_networks, programs_of

    if arguments.dataset is None:
        if not arguments.allow:
            raise ConfigError("Name the data set whose images the network takes, e.g. --dataset dsprites.")
        run = find_run(str(arguments.encoder), arguments.runs)
        allow_programs(programs_of(run))
        answer(run.path)
        return 0
    config = RunConfig.parse({"dataset": arguments.dataset})
    if arguments.data is not None:
        check_takes_data(config.dataset)
        config = config.changed(data_folder=arguments.data)
    config = with_remembered_data(config)
    known = Known(arguments.layout, arguments.decoded, arguments.values)
    given = GivenNetworks(arguments.encoder, arguments.decoder, config.dataset, config.data_folder, known)
    if arguments.allow:
        allow_programs(given.programs)
    for event in shown(import_networks(given, arguments.runs, arguments.name), Control()):
        if isinstance(event, Imported):
            answer(event.run)
        elif isinstance(event, Finished):
            say(event.message)
    return 0
