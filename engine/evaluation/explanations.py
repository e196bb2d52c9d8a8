"""Why a score is low, in words, from the matrix behind it: "posX is split over z1 and z4; shape is in no latent"."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from engine.evaluation.catalogue import METRICS
from engine.evaluation.factor_vae import MIN_DEVIATION
from engine.evaluation.matrices import matrix
from engine.evaluation.rows import Row
from engine.runs.divergence import is_active
from engine.runs.latent_names import latent_title

KNOWN = 0.1
"""Share of a factor's entropy below which no latent knows it."""

CLEAR = 0.5
"""Share of the largest value from which a second one counts too, and share of its entropy from which one is known."""

USED = 0.05
"""Share of all importance below which a latent is not used."""

MOST_NATS = 100
"""An entropy that a factor cannot have."""

MATRIX_OF = {
    "mig": "mutual_information",
    "factor_vae": "votes",
    "dci_disentanglement": "importance",
    "dci_completeness": "importance",
}
"""The matrix that explains a metric."""


def explanation(row: Row, metric: str, names: Mapping[int, str] | None = None) -> str:
    """Say why a run's value of a metric of `MATRIX_OF` is not higher, as sentences; empty if it is not known.

    `names` are the user's names of latents, by number.
    """
    entry, value = row.metrics.get(metric, {}), row.value(metric)
    if metric not in MATRIX_OF or value is None:
        return ""
    if metric == "factor_vae" and value == 0:
        return _NO_VOTE
    kept = row.metrics.get("dci_disentanglement", {}) if metric.startswith("dci") else entry
    of = "dci_disentanglement" if metric.startswith("dci") else metric
    if matrix(row, MATRIX_OF[metric]) is None:
        return ""
    table = kept[MATRIX_OF[metric]]
    values, factors = np.array(table["latents"], np.float64), [str(name) for name in table["factors"]]
    latents = [latent_title(number, names or {}) for number in range(len(values))]
    if of == "mig":
        return _gaps(values, factors, latents, entry.get("entropies"), row.kl_per_latent)
    if of == "factor_vae":
        return _votes(values, factors, latents)
    return _mixed(values, factors, latents) if metric == "dci_disentanglement" else _spread(values, factors, latents)


_NO_VOTE = (
    f"No latent has a vote, so the score is 0: every posterior mean has a standard deviation below {MIN_DEVIATION}, "
    "as after posterior collapse."
)


def explanations(row: Row, name: str, names: Mapping[int, str] | None = None) -> str:
    """Return what the matrix of this name explains, as sentences that name the metric if it explains several."""
    metrics = [metric for metric, of in MATRIX_OF.items() if of == name]
    found = {METRICS[metric].title: explanation(row, metric, names) for metric in metrics}
    if len(metrics) == 1:
        return "".join(found.values())
    return " ".join(f"{title}: {words}" for title, words in found.items() if words)


def _gaps(
    information: NDArray[np.float64],
    factors: Sequence[str],
    latents: Sequence[str],
    entropies: object,
    kl: Sequence[float],
) -> str:
    """What each factor costs MIG: in no latent, split over several, or known only in part."""
    known = entropies if isinstance(entropies, dict) else {}
    costs, lost, faint = [], [], []
    clean: dict[str, list[str]] = {}
    for k, factor in enumerate(factors):
        order = np.argsort(-information[:, k], kind="stable")
        best = float(information[order[0], k])
        kept = known.get(factor)
        # An evaluation by an earlier version did not keep entropies: then a nat stands for them.
        entropy = float(kept) if isinstance(kept, int | float) and 0 < kept < MOST_NATS else 1.0
        several = [int(j) for j in order if information[j, k] >= CLEAR * best]
        idle = [latents[j] for j in several if len(kl) == len(information) and not is_active(kl[j])]
        if best < KNOWN * entropy:
            lost.append(factor)
        elif len(idle) == len(several):
            faint.append(factor)
        elif len(several) > 1:
            inactive = f" ({_and(idle)} {'is' if len(idle) == 1 else 'are'} inactive)" if idle else ""
            costs.append(f"{factor} is split over {_and([latents[j] for j in several])}{inactive}")
        elif known and best < CLEAR * entropy:
            costs.append(f"{latents[order[0]]} has only {100 * best / entropy:.0f} % of {factor}")
        else:
            clean.setdefault(latents[order[0]], []).append(factor)
    if faint:
        costs.append(f"{_and(faint)} {'is' if len(faint) == 1 else 'are'} only in inactive latents")
    return _sentences(costs, lost, "in no latent", [f"{_and(own)} in {latent}" for latent, own in clean.items()])


def _votes(votes: NDArray[np.float64], factors: Sequence[str], latents: Sequence[str]) -> str:
    """Which factors the majority vote never names, and which latents vote for several."""
    if not votes.any():
        return _NO_VOTE
    voting = [int(j) for j in np.flatnonzero(votes.sum(axis=1) > 0)]
    of = {j: int(votes[j].argmax()) for j in voting}
    costs = []
    for j in voting:
        for_it = [k for k in np.argsort(-votes[j], kind="stable") if votes[j, k] >= CLEAR * votes[j].max()]
        if len(for_it) > 1 and votes[j].sum() >= USED:
            costs.append(f"{latents[j]} votes for {_and([factors[k] for k in for_it])}")
    lost = [factor for k, factor in enumerate(factors) if k not in of.values()]
    clean = [f"{factors[k]} by {latents[j]}" for j, k in of.items() if votes[j, k] > CLEAR * votes[:, k].sum()]
    return _sentences(costs, lost, "the vote of no latent", clean)


def _mixed(importance: NDArray[np.float64], factors: Sequence[str], latents: Sequence[str]) -> str:
    """Which latents matter to several factors."""
    total = importance.sum()
    used = [j for j in range(len(importance)) if total and importance[j].sum() >= USED * total]
    if not used:
        return "No latent is used for any factor."
    costs, clean = [], []
    for j in used:
        several = [
            k for k in np.argsort(-importance[j], kind="stable") if importance[j, k] >= CLEAR * importance[j].max()
        ]
        if len(several) > 1:
            costs.append(f"{latents[j]} mixes {_and([factors[k] for k in several])}")
        else:
            clean.append(f"{latents[j]} for {factors[several[0]]}")
    return _sentences(costs, [], "", clean)


def _spread(importance: NDArray[np.float64], factors: Sequence[str], latents: Sequence[str]) -> str:
    """Which factors need several latents."""
    costs, lost, clean = [], [], []
    for k, factor in enumerate(factors):
        column = importance[:, k]
        if not column.any():
            lost.append(factor)
            continue
        several = [j for j in np.argsort(-column, kind="stable") if column[j] >= CLEAR * column.max()]
        if len(several) > 1:
            costs.append(f"{factor} needs {_and([latents[j] for j in several])}")
        else:
            clean.append(f"{factor} mostly {latents[several[0]]}")
    return _sentences(costs, lost, "predicted from no latent", clean)


def _sentences(costs: Sequence[str], lost: Sequence[str], how: str, clean: Sequence[str]) -> str:
    if lost:
        costs = [*costs, f"{_and(lost)} {'is' if len(lost) == 1 else 'are'} {how}"]
    parts = [f"{'; '.join(costs)}."] if costs else []
    parts += [f"Clear: {', '.join(clean)}."] if clean else []
    return " ".join(parts)


def _and(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
