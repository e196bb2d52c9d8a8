"""The study that a run is a cell of."""

import re
from typing import Any

from engine.runs.run import Run
from engine.system.plain_text import one_line

STUDY = "study"
"""Key of the study's title in a run's marks."""

MAX_CHARACTERS = 80
"""Characters of a title."""


def study_of(run: Run, marks: dict[str, Any]) -> str:
    """Return the title of a run's study, given its marks; empty if it is not known to belong to one.

    Runs of earlier versions have no such mark: then it is the beginning of the folder's name, which studies choose,
    e.g. "table-2" of "table-2-beta-vae-seed-0".
    """
    kept = marks.get(STUDY)
    if isinstance(kept, str) and kept:
        return one_line(kept, MAX_CHARACTERS)
    config = run.config
    found = re.fullmatch(rf"(.+)-{re.escape(config.objective)}-seed-{config.seed}(-\d+)?", run.path.name)
    return found[1] if found else ""
