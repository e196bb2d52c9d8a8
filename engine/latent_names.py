"""Names that a person gives latents, e.g. "thickness"; kept with the run, in marks.json."""

from collections.abc import Mapping
from typing import Any

from engine.errors import ConfigError
from engine.runs import Run

LONGEST = 40
"""Letters of a name."""


def latent_names(marks: dict[str, Any]) -> dict[int, str]:
    """Names of latents by number, from a run's marks; what is damaged there is left out."""
    kept = marks.get("latents")
    if not isinstance(kept, dict):
        return {}
    return {int(i): name for i, name in kept.items() if i.isdecimal() and isinstance(name, str) and name}


def name_latent(run: Run, latent: int, name: str) -> None:
    """Give a latent a name; an empty one takes it away. Raises ConfigError when there is no such latent, RunError."""
    if not 0 <= latent < run.config.latents:
        raise ConfigError(f"There is no latent {latent}; the model has {run.config.latents}, numbered from 0.")
    marks = run.marks()
    names = latent_names(marks)
    names.pop(latent, None)
    shortened = " ".join(name.split())[:LONGEST]
    if shortened:
        names[latent] = shortened
    run.write_marks(marks | {"latents": {str(i): names[i] for i in sorted(names)}})


def latent_title(latent: int, names: Mapping[int, str]) -> str:
    """Return what a latent is called in a line, e.g. "z3 (thickness)"."""
    return f"z{latent} ({names[latent]})" if latent in names else f"z{latent}"
