"""What CONTRIBUTING.md shows is what works: its code, as it stands there, trains and measures."""

import importlib
import itertools
import re
from pathlib import Path

from engine.evaluation.evaluate import evaluate
from engine.jobs.events import Evaluated
from engine.plugins import interface
from engine.plugins.registering import register
from engine.runs.run import Run
from engine.settings.run_config import RunConfig
from engine.system.registry import Origin
from engine.training.trainer import train

TEXT = Path(__file__).resolve().parents[3].joinpath("CONTRIBUTING.md").read_text(encoding="utf-8")


def code():
    """The blocks of Python that define classes and functions, each a block of indented lines."""
    blocks = re.findall(r"(?:^(?: {4}.*)?\n)+", TEXT, flags=re.MULTILINE)
    found = [re.sub(r"^ {4}", "", block, flags=re.MULTILINE) for block in blocks]
    ours = ("FactorMetric",)  # the part on the application itself
    classes = [block for block in found if re.search(r"^(class|def) ", block, flags=re.MULTILINE)]
    return "\n\n".join(block for block in classes if not any(name in block for name in ours))


def test_its_method_network_metric_and_data_set_work(tmp_path):
    defined = {name: getattr(interface, name) for name in interface.__all__}
    exec(code(), defined)
    plugin = interface.Plugin(
        name="sparse",
        version="1.0",
        interface=interface.INTERFACE,
        methods={"sparse-vae": defined["SparseVae"]},
        networks={"linear": defined["Linear"]()},
        metrics={"spread": defined["Spread"]()},
        datasets={"greys": defined["GREYS"]},
    )
    register(plugin, Origin("", "", "c" * 64))
    assert defined["RampSettings"]().alpha == interface.Schedule(0, 2, 50, "%")
    config = {"dataset": "greys", "objective": "sparse-vae", "network": "linear", "alpha": 2, "steps": 3}
    run = Run.create(tmp_path, RunConfig.parse(config | {"batch_size": 16, "device": "cpu"}))
    list(train(run))
    assert run.state().state == "finished"
    *_, last = evaluate(run, ["spread"])
    assert isinstance(last, Evaluated)
    assert last.result["metrics"]["spread"]["value"] > 0


def test_every_file_it_names_is_there():
    root = Path(__file__).resolve().parents[3]
    named = set(re.findall(r"`((?:engine|resources)/[\w/.-]+)`", TEXT))
    assert len(named) > 8
    assert {name for name in named if not (root / name).exists()} == {"engine/evaluation/mig_sup.py"}  # to be written


def test_every_object_it_names_is_there():
    named = set(re.findall(r"`(engine(?:\.\w+)+)`", TEXT))
    assert len(named) > 20
    for name in named:
        parts = name.split(".")
        modules = itertools.takewhile(str.islower, parts[1:])
        try:
            found = importlib.import_module(".".join(["engine", *modules]))
        except ModuleNotFoundError:  # the last is a name in lower case, such as an instance
            found = importlib.import_module(".".join(parts[:-1]))
        for part in parts[len(found.__name__.split(".")) :]:
            found = getattr(found, part)
