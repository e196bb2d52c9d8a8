"""Studies: methods × seeds from a small TOML file, trained, evaluated and gathered in one table. Loads no torch."""

from engine.studies.data import DataOnDisk
from engine.studies.estimate import StudyEstimate, StudyEstimated, estimate_study
from engine.studies.events import CellFinished, CellStarted, StudyProgress
from engine.studies.files import load_study, own_studies, shipped_studies
from engine.studies.methods_text import methods_text
from engine.studies.running import check_cells, run_study
from engine.studies.standing import CellState, standing
from engine.studies.study import Cell, Method, Study
from engine.studies.table import missing_cells, study_rows, study_table, why

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
    "check_cells",
    "estimate_study",
    "load_study",
    "methods_text",
    "missing_cells",
    "own_studies",
    "run_study",
    "shipped_studies",
    "standing",
    "study_rows",
    "study_table",
    "why",
]
