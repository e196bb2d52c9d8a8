"""The matrices of latents and factors behind scores, read from evaluation.json."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.evaluation.rows import Row
from engine.jobs.events import Link
from engine.runs.divergence import is_active
from engine.runs.latent_names import latent_title, link_text


@dataclass(frozen=True, slots=True, eq=False)
class Matrix:
    """Values by latent and factor, (latents, factors), float64.

    Latents are ordered by KL, largest first, or by number if `by_kl` is False because their KL is not known.

    `idle` marks latents that are inactive by their mean KL: their means hardly vary, but scale-invariant methods (bins
    over each latent's own range, trees) may still find factors in them.
    """

    title: str
    unit: str
    latents: tuple[str, ...]
    factors: tuple[str, ...]
    values: NDArray[np.float64]
    idle: tuple[bool, ...]
    by_kl: bool


MATRICES = {
    "mutual_information": ("mig", "Mutual information", "nats"),
    "accuracies": ("sap", "Accuracy of each latent (SAP)", ""),
    "votes": ("factor_vae", "Votes (FactorVAE)", "share of votes"),
    "importance": ("dci_disentanglement", "Importance (DCI)", ""),
}
"""Matrices behind scores, by name in evaluation.json: the metric they are stored with, title and unit."""


def matrix(
    row: Row, name: str, names: Mapping[int, str] | None = None, links: Mapping[int, Link] | None = None
) -> Matrix | None:
    """Return a matrix of `MATRICES`; None if the run has none or it is damaged.

    `names` are the user's names of latents, by number, and `links` what those without a name follow at the row's step.
    """
    metric, title, unit = MATRICES[name]
    kept = row.metrics.get(metric, {}).get(name)
    if not isinstance(kept, dict) or "latents" not in kept or "factors" not in kept:
        return None
    try:
        values = np.array(kept["latents"], dtype=np.float64)
    except (TypeError, ValueError):
        return None
    factors = tuple(map(str, kept["factors"])) if isinstance(kept["factors"], list) else ()
    if values.ndim != 2 or values.shape[1] != len(factors) or not values.size or not np.isfinite(values).all():
        return None
    by_kl = len(row.kl_per_latent) == len(values)
    kl = row.kl_per_latent if by_kl else (float("inf"),) * len(values)
    order = sorted(range(len(values)), key=lambda latent: -kl[latent])
    idle = tuple(not is_active(kl[latent]) for latent in order)
    titles = tuple(_title(latent, names or {}, links or {}) for latent in order)
    return Matrix(title, unit, titles, factors, values[order], idle, by_kl)


def _title(latent: int, names: Mapping[int, str], links: Mapping[int, Link]) -> str:
    title = latent_title(latent, names)
    return title if latent in names or latent not in links else f"{title} {link_text(links[latent])}"
