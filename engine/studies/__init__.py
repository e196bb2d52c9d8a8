"""Studies: methods × seeds from a small TOML file, trained, evaluated and compared in a table; imports no torch."""

from engine.studies.cell_states import CellState, cell_states
from engine.studies.data import DataOnDisk
from engine.studies.estimate import StudyEstimate, StudyEstimated, estimate_study
from engine.studies.events import CellFinished, CellStarted, StudyProgress
from engine.studies.files import load_study, own_studies, shipped_studies
from engine.studies.methods_text import methods_text
from engine.studies.running import check_cells, run_study
from engine.studies.selection import best_runs, check_selector, selection_text, selectors
from engine.studies.study import Cell, Method, Study
from engine.studies.table import missing_cells, state_text, study_rows, study_table

__all__ = [
    "Cell",
    "CellFinished",
    "CellStarted",
    "CellState",
    "DataOnDisk",
    "Method",
    "Study",
    "StudyEstimate",
    "StudyEstimated",
    "StudyProgress",
    "best_runs",
    "cell_states",
    "check_cells",
    "check_selector",
    "estimate_study",
    "load_study",
    "methods_text",
    "missing_cells",
    "own_studies",
    "run_study",
    "selection_text",
    "selectors",
    "shipped_studies",
    "state_text",
    "study_rows",
    "study_table",
]
