"""The data on which the cells of a study are trained, as they are on disk now."""

from pathlib import Path

from engine.data import Fingerprint, fingerprint_of, load_if_available
from engine.runs.run import Run
from engine.settings.run_config import ClassOrder, RunConfig
from engine.studies.study import Cell


class DataOnDisk:
    """Fingerprints of the user's files, each computed once, when first needed.

    Data that the application draws, downloads (with a checksum) or includes never change and are not loaded.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[str, Path | None, int, ClassOrder], Fingerprint | None] = {}

    def of(self, cell: Cell, run: Run) -> Fingerprint | None:
        """Return the fingerprint of the data for a cell's run; None if they are not the user's files or are missing."""
        source = source_of(cell, run)
        if source.data_folder is None:
            return None
        data = (*source.data, run.data[-1])
        if data not in self._known:
            dataset, _ = load_if_available(*data)
            self._known[data] = None if dataset is None else fingerprint_of(dataset)
        return self._known[data]

    def differs(self, run: Run, cell: Cell) -> bool:
        """Return whether a run was trained on other data than its cell requires; unknown data count as the same."""
        if run.former:
            return True  # on several data sets
        if run.trained_on is None:
            return False
        return self.of(cell, run) not in (None, run.trained_on)


def source_of(cell: Cell, run: Run) -> RunConfig:
    """Return the settings that determine a cell's data: the study's, else those of its run."""
    return run.config if cell.config.data_folder is None else cell.config
