"""Which data the cells of a study are to be trained on, as they lie on the disk now."""

from pathlib import Path

from engine.data import Fingerprint, fingerprint_of, load_if_available
from engine.runs.run import Run
from engine.settings.run_config import ClassOrder, RunConfig
from engine.studies.study import Cell


class DataOnDisk:
    """Fingerprints of the user's files, each looked at once, when it is first asked for.

    Data that the application draws, downloads (by checksum) or brings along are always the same, and are not loaded.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[str, Path | None, int, ClassOrder], Fingerprint | None] = {}

    def of(self, cell: Cell, run: Run) -> Fingerprint | None:
        """Return the fingerprint of what a cell's run is to be trained on; None where that is no file, or not there."""
        source = source_of(cell, run)
        if source.data_folder is None:
            return None
        data = (*source.data, run.data[-1])
        if data not in self._known:
            dataset, _ = load_if_available(*data)
            self._known[data] = None if dataset is None else fingerprint_of(dataset)
        return self._known[data]

    def other_than(self, run: Run, cell: Cell) -> bool:
        """Whether a run was trained on other data than its cell is to be; what is not known counts as the same."""
        if run.former:
            return True  # on more than one
        if run.trained_on is None:
            return False
        return self.of(cell, run) not in (None, run.trained_on)


def source_of(cell: Cell, run: Run) -> RunConfig:
    """The settings that say where a cell's images come from: the study's, else those of its run."""
    return run.config if cell.config.data_folder is None else cell.config
