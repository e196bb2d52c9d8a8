"""The report's Figures 2-5 as presets of a traversal: the runs they apply to and the latents they show."""

from dataclasses import dataclass

from engine.errors import ConfigError
from engine.runs.divergence import ACTIVE_NATS
from engine.runs.run import Run
from engine.system.numbers import exact_text

SPAN = (-3.0, 3.0)
"""Range of every latent in the report's figures."""

MIN_KL = ACTIVE_NATS
"""Nats. The report shows latents "which have significant KL divergence" (section 3.2) and gives no number."""


@dataclass(frozen=True, slots=True)
class ReportFigure:
    """A figure: its data set, the objectives it may be from, whether it is conditional, and a title."""

    number: int
    dataset: str
    objectives: tuple[str, ...]
    conditional: bool | None
    title: str

    def check(self, run: Run) -> None:
        """Raise ConfigError if a run is of another kind than the figure's."""
        config = run.config
        if (
            config.dataset != self.dataset
            or config.objective not in self.objectives
            or self.conditional not in (None, config.conditional)
        ):
            raise ConfigError(
                f"Figure {self.number} of the report shows {self.title}; {run.name} is another kind of run. "
                f"For the same view of it, use --min-kl {exact_text(MIN_KL)}."
            )


ANNEALED = ("annealed-abs", "annealed-relu")
REPORT_FIGURES = {
    figure.number: figure
    for figure in (
        ReportFigure(2, "mnist", ("beta-vae",), False, "a β-VAE on MNIST"),
        ReportFigure(3, "mnist", ("beta-vae",), True, "a conditional β-VAE on MNIST"),
        ReportFigure(4, "mnist", ANNEALED, True, "a conditional annealed VAE on MNIST"),
        # Its caption repeats Figure 4's; the text says dSprites and does not mention labels.
        ReportFigure(5, "dsprites", ANNEALED, None, "an annealed VAE on dSprites"),
    )
}
