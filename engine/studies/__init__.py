"""Studies: methods × seeds from a small TOML file, trained, evaluated and gathered in one table."""

from engine.studies.files import load_study, own_studies, shipped_studies
from engine.studies.standing import CellState, standing
from engine.studies.study import Cell, Method, Study
from engine.studies.table import missing_cells, study_rows, study_table, why

__all__ = [
    "Cell",
    "CellState",
    "Method",
    "Study",
    "load_study",
    "missing_cells",
    "own_studies",
    "shipped_studies",
    "standing",
    "study_rows",
    "study_table",
    "why",
]
