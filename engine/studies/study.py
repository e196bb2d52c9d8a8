"""A study: methods × seeds, trained alike and compared in one table."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.data.subsets import training_count
from engine.methods.base import Supervision
from engine.settings.run_config import RunConfig
from engine.system.plain_text import slug


@dataclass(frozen=True, slots=True)
class Method:
    """A row of the table: its title, and the settings in which it differs from the others."""

    title: str
    settings: Mapping[str, Any] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class Cell:
    """One run of a study: a method with a seed."""

    method: Method
    seed: int
    config: RunConfig

    @property
    def title(self) -> str:
        """Title of the cell, e.g. "β-VAE, seed 0"."""
        return f"{self.method.title}, seed {self.seed}"

    @property
    def supervision(self) -> Supervision:
        """What its run learns from in addition to images."""
        return self.config.supervision


@dataclass(frozen=True, slots=True)
class Study:
    """The content of a study file. `cells` are ordered by seed, so that the table is complete after the first seed.

    `name` is the stem of the file at `path`; `quick` says whether its [quick] settings are in force.
    """

    name: str
    title: str
    about: str
    methods: tuple[Method, ...]
    seeds: tuple[int, ...]
    metrics: tuple[str, ...]
    cells: tuple[Cell, ...]
    quick: bool = False
    path: Path = Path()

    @property
    def methods_words(self) -> str:
        """Its methods by their supervision, e.g. "unsupervised: VAE · β-VAE; weakly supervised: Ada-GVAE"."""
        of_label: dict[Supervision, dict[str, None]] = {}
        for cell in sorted(self.cells, key=lambda cell: cell.supervision.rank):
            of_label.setdefault(cell.supervision, {})[cell.method.title] = None
        return "; ".join(f"{label}: {' · '.join(titles)}" for label, titles in of_label.items())

    def warnings(self) -> list[str]:
        """Return warnings about settings that do not go together, as sentences with their methods."""
        found: dict[str, list[str]] = {}
        for cell in self.cells:
            images = training_count(cell.config)
            if images is not None and cell.seed == self.seeds[0]:
                for warning in cell.config.warnings(images):
                    found.setdefault(warning, []).append(cell.method.title)
        return [f"{', '.join(titles)}: {warning}" for warning, titles in found.items()]

    def run_name(self, cell: Cell) -> str:
        """Return the name of a new run of a cell, e.g. "table-2-beta-vae-seed-0"."""
        objectives = [other.config.objective for other in self.cells if other.seed == cell.seed]
        alone = objectives.count(cell.config.objective) == 1
        return f"{self.name}-{cell.config.objective if alone else slug(cell.method.title)}-seed-{cell.seed}"
