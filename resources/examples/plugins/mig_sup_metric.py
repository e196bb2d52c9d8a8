"""A metric: MIG-sup, the gap between the two factors that each latent knows most about.

Li et al., "Progressive Learning and Disentanglement of Hierarchical Representations", ICLR 2020, section 4.
"""

import numpy as np

from engine.plugins.interface import INTERFACE, Metric, Need, Plugin, column


class MigSup(Metric):
    """As MIG, but for each latent instead of each factor: two factors in one latent cost, a factor in two does not."""

    columns = (
        column(
            "mig_sup",
            "MIG-sup",
            "Li et al. 2020: gap in information, over entropy, between the two factors that a latent knows most about. "
            "Several latents may share a factor, and a latent that is hardly informative counts as much as any other.",
            "MIG-sup (Li et al. 2020): mutual information of each latent (20 bins of equal width) with each factor "
            "over the factor's entropy; gap between the two largest, mean over informative latents",
            short="Li et al.",
        ),
    )
    needs = frozenset({Need.FACTORS})

    def compute(self, representation):
        """Return the score, 0 to 1, or why there is none."""
        from engine.plugins.interface import mutual_information

        information = mutual_information(representation.codes, representation.classes)
        if not information.any():
            return "no latent is informative about any factor"
        return mig_sup(information, np.array([entropy(column) for column in representation.classes.T]))


def mig_sup(information, entropies):
    """MIG-sup of mutual information (latents, factors), not all 0, and entropies (factors,), two or more, in nats."""
    shares = np.sort(information / entropies, axis=1)
    return float(np.mean((shares[:, -1] - shares[:, -2])[shares[:, -1] > 0]))


def entropy(classes):
    """Entropy in nats of classes (n,), integers from 0."""
    counts = np.bincount(classes)
    share = counts[counts > 0] / len(classes)
    return float(-(share * np.log(share)).sum())


PLUGIN = Plugin(
    name="mig-sup",
    version="1.0",
    interface=INTERFACE,
    metrics={"mig_sup": MigSup()},
    about="MIG-sup of Li et al. 2020.",
)
