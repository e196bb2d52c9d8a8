"""A metric: modularity, whether each latent is informative about one factor only.

Ridgeway & Mozer, "Learning Deep Disentangled Embeddings with the F-Statistic Loss", NeurIPS 2018, section 3.
"""

import numpy as np

from engine.plugins.interface import INTERFACE, Metric, Need, Plugin, column


class Modularity(Metric):
    """1 minus the squared information about factors other than its own, as a share of the largest possible."""

    columns = (
        column(
            "modularity",
            "Modularity",
            "Ridgeway & Mozer 2018: whether each latent is informative about one factor only. Several latents may "
            "share a factor, and a latent that is hardly informative counts as much as any other.",
            "modularity (Ridgeway & Mozer 2018): mutual information of each latent (20 bins of equal width) with each "
            "factor; 1 - the squares of all but the largest over (factors - 1) times the largest one's square, mean "
            "over informative latents",
            short="Ridgeway & Mozer",
        ),
    )
    needs = frozenset({Need.FACTORS})

    def compute(self, representation):
        """Return the score, 0 to 1, or why there is none."""
        from engine.plugins.interface import mutual_information

        information = mutual_information(representation.codes, representation.classes)
        return modularity(information) if information.any() else "no latent is informative about any factor"


def modularity(information):
    """Modularity of (latents, factors) mutual information, of which not all is 0; two factors or more."""
    squares = np.square(information)
    best = squares.max(axis=1)
    informative = best > 0
    others = squares.sum(axis=1)[informative] - best[informative]
    return float(np.mean(1 - others / (best[informative] * (squares.shape[1] - 1))))


PLUGIN = Plugin(
    name="modularity",
    version="1.0",
    interface=INTERFACE,
    metrics={"modularity": Modularity()},
    about="The modularity of Ridgeway & Mozer 2018.",
)
