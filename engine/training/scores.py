"""scores.csv: disentanglement scores during training, each of the weights at its step."""

from collections.abc import Generator
from contextlib import suppress

import torch

from engine.data.dataset import Dataset
from engine.evaluation.quick import QuickScores
from engine.jobs.events import Event, Request
from engine.methods.base import Method
from engine.runs.metrics_file import SCORE_COLUMNS, SCORES, add_row, begin_rows, complete_lines, cut_back
from engine.runs.run import Run
from engine.runs.trained import TrainedModel
from engine.training.previewer import EvaluationCopy

HEADER = ",".join(SCORE_COLUMNS)


class Scores:
    """Scores at regular intervals and at the last step, with a copy of the model, so that training is not disturbed.

    `lacking` says, as a sentence, why there are none although they are requested; it is empty otherwise.
    """

    def __init__(self, run: Run, dataset: Dataset, device: torch.device) -> None:
        self._run, self._dataset = run, dataset
        self._every = run.config.score_steps
        self._newest = -1
        self.lacking = ""
        if self._every:
            self._copy = EvaluationCopy(run.config, dataset, device)
            self._scores = QuickScores(dataset, self._copy.latents)
            if self._scores.lacking:
                self.lacking = f"No scores are computed during training: {self._scores.lacking}."

    def cut_back(self, step: int) -> None:
        """Remove rows after a step, and the extra row written at the end of a run. Raises OSError."""
        path, every = self._run.scores_file, self._every
        cut_back(path, lambda kept: kept <= step and (not every or kept % every == 0))
        with suppress(IndexError, ValueError):  # no row is left
            self._newest = int(complete_lines(path)[1:][-1].split(",")[0])

    def due(self, step: int, *, last: bool) -> bool:
        """Return whether a step, counted from 1, is to be scored and is not yet."""
        if not self._every or self.lacking or step <= self._newest:
            return False
        return step > 0 and (step % self._every == 0 or last)

    def of(self, model: Method, step: int) -> Generator[Event, Request | None, dict[str, float]]:
        """Yield Progress, and return the scores of the model by name."""
        trained = TrainedModel(self._run, self._dataset, self._copy(model), step)
        return (yield from self._scores.of(trained))

    def record(self, scores: dict[str, float], step: int, epoch: float, seconds: float) -> None:
        """Write a row. Raises OSError."""
        begin_rows(self._run.scores_file, HEADER)
        values = (epoch, seconds, *(scores[name] for name in SCORES))
        add_row(self._run.scores_file, ",".join([str(step), *(f"{value:.9g}" for value in values)]))
        self._newest = step
