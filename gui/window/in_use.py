"""Which plug-ins the jobs of the window use: these are not replaced or removed before the jobs have ended."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from engine.data import ENTRIES
from engine.evaluation.catalogue import METRICS
from engine.runs.plugins_used import origins_of
from engine.settings.run_config import RunConfig
from engine.system.registry import Origin
from gui.metrics.session import EvaluationSession
from gui.metrics.study_session import StudySession
from gui.training.session import TrainingSession

if TYPE_CHECKING:
    from gui.data.page import DataPage


def plugins_in_use(
    training: TrainingSession, evaluation: EvaluationSession, studies: StudySession, data: "DataPage | None"
) -> set[str]:
    """Return the names of the plug-ins that a running job uses: of its runs, its metrics or its data set."""
    configs: list[RunConfig] = []
    metrics: list[str] = []
    found: list[Origin | None] = []
    if training.active and training.run is not None:
        configs.append(training.run.config)
    if evaluation.active:
        configs += [run.config for run in evaluation.runs]
        metrics += METRICS
    if studies.active and studies.study is not None:
        configs += [cell.config for cell in studies.study.cells]
        metrics += studies.study.metrics
    if data is not None and data.preparing:
        found.append(ENTRIES.origin(data.entry.name))
    found += [*_of(configs), *map(METRICS.origin, metrics)]
    return {origin.plugin for origin in found if origin is not None}


def _of(configs: list[RunConfig]) -> Iterator[Origin]:
    return (origin for config in configs for origin in origins_of(config))
