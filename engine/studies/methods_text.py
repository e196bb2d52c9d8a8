"""The methods text: a paragraph for a paper's methods section, from settings, run folders and evaluation protocols."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.data import ENTRIES
from engine.data.subsets import subset_of, training_count
from engine.errors import RunError
from engine.evaluation.grouping import setting_text, setting_title
from engine.evaluation.protocols import protocol_text
from engine.evaluation.results import plugin_of
from engine.evaluation.rows import Row, columns_of, distinct_titles, read_row
from engine.methods.registry import METHODS
from engine.networks.architectures import NETWORKS
from engine.runs.plugins_used import in_full
from engine.runs.run import Run
from engine.settings.run_config import OWN_DATA, RunConfig
from engine.studies.cell_states import CellState, cell_states
from engine.studies.study import Study
from engine.studies.table import study_rows
from engine.system.numbers import rounded_text

LIBRARIES = {
    "disentangle-studio": "Disentangle Studio",
    "torch": "PyTorch",
    "numpy": "NumPy",
    "scikit-learn": "scikit-learn",
    "opencv": "OpenCV",
}
"""Names of the libraries that results depend on."""


@dataclass(frozen=True, slots=True)
class _Entry:
    """A run, or a cell without one: its row, with the settings, and the versions and machine in its config.json."""

    row: Row
    about: dict[str, Any]

    @property
    def config(self) -> RunConfig:
        return self.row.config


def methods_text(source: Study | Sequence[Run], runs_folder: Path | None = None) -> str:
    """Return a description of how a study or some runs were trained and evaluated, a paragraph for each data set.

    The runs of a study are those in `runs_folder`; cells that are not evaluated are counted as missing.
    """
    if isinstance(source, Study):
        waiting = tuple(CellState(cell, None, "waiting") for cell in source.cells)
        rows = study_rows(source, waiting if runs_folder is None else cell_states(source, runs_folder))
    else:
        rows = [read_row(run) for run in source]
    entries = [_Entry(row, _about(row.path)) for row in rows]
    datasets = distinct_titles(rows)
    paragraphs = (_paragraph([e for e in entries if e.row.data == data], title) for data, title in datasets.items())
    return "\n\n".join(paragraphs) + "\n"


def _paragraph(entries: Sequence[_Entry], dataset: str) -> str:
    sentences = [_data(entries, dataset), _network(entries), _training(entries), _schedules(entries), _seeds(entries)]
    sentences += [*_metrics(entries), _software(entries)]
    return " ".join(sentence for sentence in sentences if sentence)


def _data(entries: Sequence[_Entry], words: str) -> str:
    methods = {(entry.row.method, entry.row.supervision): _objective(entry.config) for entry in entries}
    first = entries[0].config
    entry = ENTRIES[first.dataset]
    if first.dataset not in OWN_DATA and entry.training_images is not None:
        side = " × ".join(map(str, entry.shape[:2]))
        which = "all" if entry.training_images == entry.images else "the"
        words += (
            f" ({which} {entry.training_images:,} {'images' if which == 'all' else 'training images'}, {side} pixels)"
        )
    if subset := subset_of(first):
        count = training_count(first)
        words += f', on {"those" if count is None else f"the {count:,}"} chosen by "{subset}"'
    listed = "; ".join(f"{title} ({how}), which minimises {formula}" for (title, how), formula in methods.items())
    return f"We trained on {words}: {listed}."


def _objective(config: RunConfig) -> str:
    """The objective of a method, with its weight."""
    method = METHODS[config.objective]
    own = [*method.Settings.model_fields][:1]
    weight = "".join(f" with {setting_title(name)} = {setting_text(config, name)}" for name in own)
    label = ", with the one-hot class label as an input of the decoder" if config.conditional else ""
    return method.formula + weight + label


def _network(entries: Sequence[_Entry]) -> str:
    """The networks: first those of methods that use the chosen network, then those of methods with their own."""
    own = {entry.row.method: words for entry in entries if (words := _own_network(entry.config))}
    shared = [entry for entry in entries if entry.row.method not in own]
    sentences = [_shared_network(shared)] if shared else []
    sentences += [words if len(own) == 1 and not shared else f"{method}: {words}" for method, words in own.items()]
    return " ".join(sentences)


def _own_network(config: RunConfig) -> str:
    return METHODS[config.objective].network_words(config, _side(config))


def _shared_network(entries: Sequence[_Entry]) -> str:
    output = _common(entries, lambda config: METHODS[config.objective].output_words(config))
    encoder = _common(entries, _encoder)
    decoder = _common(entries, lambda config: NETWORKS[config.network].decoder_words())
    return (
        f"The encoder has {encoder}; it outputs {output}. The decoder {decoder} and "
        "ends in a sigmoid. The reconstruction loss is the binary cross-entropy summed over pixels."
    )


def _encoder(config: RunConfig) -> str:
    return NETWORKS[config.network].encoder_words(_side(config), config.normalisation)


def _side(config: RunConfig) -> int:
    """Side of the images; 0 if it is not known."""
    shape = ENTRIES[config.dataset].shape
    return shape[0] if shape else config.image_size if config.dataset == "images" else 0


def _training(entries: Sequence[_Entry]) -> str:
    optimiser = _common(entries, lambda config: METHODS[config.objective].optimiser_words(config))
    batch = _common(entries, lambda config: METHODS[config.objective].batch_words(config))
    length = _common(entries, _length)
    return f"The optimiser was {optimiser}, in batches of {batch}, for {length}."


def _length(config: RunConfig) -> str:
    images = training_count(config)
    if config.steps is None:
        steps = f" ({config.total_steps(images):,} steps)" if images is not None else ""
        return f"{config.epochs:,} epoch{'s' if config.epochs != 1 else ''}{steps}"
    epochs = f" ({rounded_text(config.steps / config.steps_per_epoch(images))} epochs)" if images is not None else ""
    return f"{config.steps:,} steps{epochs}"


def _schedules(entries: Sequence[_Entry]) -> str:
    """The schedules of methods that have one."""
    scheduled = [entry for entry in entries if _schedule(entry.config)]
    return f"{_common(scheduled, _schedule)}." if scheduled else ""


def _schedule(config: RunConfig) -> str:
    return METHODS[config.objective].schedule_words(config, training_count(config))


def _seeds(entries: Sequence[_Entry]) -> str:
    by_method = {method: _numbers(entries, method) for method in dict.fromkeys(e.row.method for e in entries)}
    each = {f"seed{'s' if ',' in seeds else ''} {seeds}": None for seeds in by_method.values()}
    if len(each) == 1:
        words = f"Each method was trained with {next(iter(each))}."
    else:
        words = "Seeds: " + "; ".join(f"{method} {seeds}" for method, seeds in by_method.items()) + "."
    missing = [entry for entry in entries if not entry.row.metrics]
    if missing:
        words += (
            f" Of these {len(entries)} runs, {len(missing)} {'is' if len(missing) == 1 else 'are'} not evaluated yet."
            if len(entries) > 1
            else " This run is not evaluated yet."
        )
    several = any("," in seeds for seeds in by_method.values())
    return words + (" Numbers are mean ± standard deviation (n − 1) over seeds." if several else "")


def _numbers(entries: Sequence[_Entry], method: str) -> str:
    return ", ".join(str(seed) for seed in sorted({e.row.seed for e in entries if e.row.method == method}))


def _metrics(entries: Sequence[_Entry]) -> list[str]:
    """Each metric that has a value, with its protocol, or several if runs were evaluated differently."""
    sentences = []
    for column in columns_of(entry.row for entry in entries):
        measured = [entry.row.metrics[column.metric] for entry in entries if entry.row.value(column.metric) is not None]
        protocols = dict.fromkeys(protocol_text(found, column, interval=False) for found in measured)
        if protocols:
            sentences.append(f"{column.name}: {' / '.join(protocols)}.")
    return sentences


def _software(entries: Sequence[_Entry]) -> str:
    used: dict[str, dict[str, None]] = {}
    for entry in entries:
        found: dict[str, Any] = {}
        for metric in entry.row.metrics.values():
            found |= metric.get("protocol", {}).get("versions", {})
        found |= entry.about.get("versions") or {}
        for library, version in found.items():
            used.setdefault(library, {})[str(version)] = None
    named = [f"{title} {' and '.join(used[name])}" for name, title in LIBRARIES.items() if name in used]
    places = dict.fromkeys(_place(entry.about["resolved"]) for entry in entries if entry.about.get("resolved"))
    named += [f"plug-in {words}" for words in dict.fromkeys(words for entry in entries for words in _plugins(entry))]
    return f"Software: {', '.join(named)}{'; ' if places else ''}{' or '.join(places)}." if named else ""


def _plugins(entry: _Entry) -> list[str]:
    """The plug-ins that a run was trained and measured with, each with the beginning of its fingerprint."""
    uses = [in_full(use.name, use.version, use.fingerprint) for use in entry.about.get("plugins", ())]
    kept = [plugin_of(found) for name, found in entry.row.metrics.items() if entry.row.value(name) is not None]
    of_metrics = [in_full(it.get("name", ""), it.get("version", ""), it.get("fingerprint", "")) for it in kept if it]
    return [*uses, *entry.row.plugins, *of_metrics]


def _place(resolved: dict[str, Any]) -> str:
    device, threads = str(resolved.get("device")), resolved.get("threads")
    if device != "cpu":
        return f"trained on a GPU ({device})"
    return f"trained on the CPU with {threads} thread{'s' if threads != 1 else ''}"


def _common(entries: Sequence[_Entry], words: Callable[[RunConfig], str]) -> str:
    """The text shared by all settings, or each text with its methods."""
    found: dict[str, dict[str, None]] = {}
    for entry in entries:
        found.setdefault(words(entry.config), {})[entry.row.method] = None
    if len(found) == 1:
        return next(iter(found))
    return " or ".join(f"{value} ({', '.join(methods)})" for value, methods in found.items())


def _about(path: Path | None) -> dict[str, Any]:
    """Versions and machine in a run's config.json; empty without a run."""
    with suppress(RunError):
        if path is not None:
            run = Run.open(path)
            former = [use for before in run.former_plugins for use in before.plugins]
            return {"versions": run.versions, "resolved": run.resolved, "plugins": (*former, *run.plugins)}
    return {}
