"""A metric: modularity, whether each latent tells of one factor only.

Ridgeway & Mozer, "Learning Deep Disentangled Embeddings with the F-Statistic Loss", NeurIPS 2018, section 3.
"""

import numpy as np

from engine.plugins.interface import INTERFACE, Metric, Need, Plugin, column


class Modularity(Metric):
    """1 - what a latent tells of other factors than its own, squared, as a share of the most there could be."""

    columns = (
        column(
            "modularity",
            "Modularity",
            "Ridgeway & Mozer 2018: whether each latent tells of one factor only. A latent may share its factor with "
            "others, and one that tells little of everything counts as much as one that tells all.",
            "modularity (Ridgeway & Mozer 2018): mutual information of each latent (20 bins of equal width) with each "
            "factor; 1 - the squares of all but the largest over (factors - 1) times the largest one's square, mean "
            "over latents that tell anything",
            short="Ridgeway & Mozer",
        ),
    )
    needs = frozenset({Need.FACTORS})

    def compute(self, representation):
        """Return the score, 0 to 1, or why there is none."""
        from engine.plugins.interface import mutual_information

        information = mutual_information(representation.codes, representation.classes)
        return modularity(information) if information.any() else "no latent tells anything of a factor"


def modularity(information):
    """Modularity of (latents, factors) mutual information, of which not all is 0; two factors or more."""
    squares = np.square(information)
    best = squares.max(axis=1)
    telling = best > 0
    others = squares.sum(axis=1)[telling] - best[telling]
    return float(np.mean(1 - others / (best[telling] * (squares.shape[1] - 1))))


PLUGIN = Plugin(
    name="modularity",
    version="1.0",
    interface=INTERFACE,
    metrics={"modularity": Modularity()},
    about="The modularity of Ridgeway & Mozer 2018.",
)
