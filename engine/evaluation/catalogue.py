"""The catalogue of metrics: title, unit, decimals, which direction is better, a description, and the time it takes."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from engine.evaluation import (
    beta_vae,
    category_error,
    correlation,
    dci,
    dci_fast,
    dci_forest,
    disentanglement,
    explicitness,
    factor_vae,
    info_mec,
    infogan_cr,
    irs,
    mig,
    model_centrality,
    modularity,
    pipe,
    predictors,
    sap,
    udr,
)
from engine.runs.divergence import ACTIVE_NATS
from engine.system.plain_text import one_line
from engine.system.registry import Registry

IMAGES = 10_000
"""Images on which a metric is computed: MNIST's complete test split, or a seeded sample of a larger split."""

VERSION = 1
"""To be raised when a metric is computed differently, so that saved values are computed again."""

RECONSTRUCTION, LATENTS, SHARPNESS = "Reconstruction", "KL and latents", "Sharpness"
FACTORS, DCI, PROTOCOLS, PREDICTION = "Disentanglement", "DCI", "Other protocols", "Prediction"
COMPARISON, GENERATED, QUICK = "Comparison of runs", "Generated images", "Quick look"
OF_PLUGINS = "Plug-ins"
GROUPS = {
    RECONSTRUCTION: "seconds",
    LATENTS: "seconds",
    SHARPNESS: "seconds",
    FACTORS: "some minutes on dSprites",
    DCI: "many minutes on dSprites",
    PROTOCOLS: "some minutes on dSprites",
    PREDICTION: "seconds",
    COMPARISON: "seconds; ModelCentrality minutes",
    GENERATED: "some minutes",
    QUICK: "seconds",
    OF_PLUGINS: "an unknown time",
}
"""Groups of metrics, in order, and roughly how long each takes."""

ON_REQUEST = (DCI, PROTOCOLS, COMPARISON, GENERATED, QUICK)
"""Groups that are slow or of special interest, and not chosen at first."""


BETTER = {
    "↓": "Lower is better.",
    "↑": "Higher is better.",
    "→ originals": "Higher is better, up to the value of the originals. More is noise or false edges, never the best.",
    "→ 1": "Higher is better, up to 1. More is noise or false edges, never the best.",
    "": "",
}
"""Which direction is better, in words, by the sign of a column."""


class Need(StrEnum):
    """Something of the method or the data set that a metric requires."""

    RECONSTRUCTION = "reconstruction"
    KL = "kl"
    CATEGORY = "category"
    FACTORS = "factors"
    FACTOR_VALUES = "values of factors"
    """Factors of any number of values, which may be continuous, unless they have names."""
    LABELS = "labels"
    TRAINING_SPLIT = "training split"


OF_FACTORS = frozenset({Need.FACTORS, Need.FACTOR_VALUES})
"""Either of these requires ground-truth factors."""


@dataclass(frozen=True, slots=True)
class Column:
    """A metric as a table shows it.

    `better` is "↓", "↑", the value to approach ("→ 1") or ""; `limit` is a number, or a metric that has it, above which
    a value is not better; `short` is a few words on unit or protocol; `about` is a sentence; `usual` columns are shown
    by default; `full` is the full title if it is longer; `protocol` is that of evaluation.json if it says more than
    `about`; `needs` is what the metric requires.
    """

    metric: str
    title: str
    unit: str
    decimals: int
    better: str
    group: str
    short: str
    about: str
    usual: bool = False
    full: str = ""
    protocol: str = ""
    limit: str | float | None = None
    needs: frozenset[Need] = frozenset()

    @property
    def name(self) -> str:
        """The metric's full title."""
        return self.full or self.title

    @property
    def heading(self) -> str:
        """The title with the arrow and the unit, in one line."""
        unit = f" ({self.unit})" if self.unit else ""
        return f"{self.title}{' ' + self.better if self.better else ''}{unit}"


def kept_column(column: Column) -> dict[str, Any]:
    """Return the description of a plug-in's column for evaluation.json, to show its values without the plug-in."""
    return {name: getattr(column, name) for name in _KEPT}


def column_of(metric: str, entry: Mapping[str, Any]) -> Column | None:
    """Return the column for an entry of evaluation.json whose plug-in is not loaded; None if it is not a plug-in's.

    The file is not trusted: texts are truncated to a line, and invalid values are replaced.
    """
    kept = entry.get("column")
    if not isinstance(kept, dict):
        return None
    words = {name: one_line(str(kept.get(name, "")), _KEPT[name]) for name in _KEPT}
    decimals = kept.get("decimals")
    return Column(
        metric=one_line(metric, _KEPT["title"]),
        title=words["title"] or one_line(metric, _KEPT["title"]),
        unit=words["unit"],
        decimals=decimals if type(decimals) is int and 0 <= decimals <= MOST_DECIMALS else 3,
        better=words["better"] if words["better"] in ("↑", "↓") else "",
        group=OF_PLUGINS,
        short=words["short"],
        about=words["about"],
        usual=True,
        full=words["full"],
    )


MOST_DECIMALS = 9

_KEPT = {"title": 40, "full": 80, "unit": 40, "decimals": 2, "better": 2, "short": 60, "about": 1000}
"""The fields of a column that are kept, and the maximum length of each."""

_RECONSTRUCTS = frozenset({Need.RECONSTRUCTION})
_TRAINED = frozenset({Need.RECONSTRUCTION, Need.TRAINING_SPLIT})
_CATEGORY = frozenset({Need.CATEGORY, Need.LABELS})
_KL = frozenset({Need.KL})
_FACTORS = frozenset({Need.FACTORS})
_BCE = "Binary cross-entropy summed over pixels, mean over images"
# What people look for first comes first, and so is visible in a table without scrolling.
_OURS = (
    Column("reconstruction", "Reconstruction", "nats", 2, "↓", RECONSTRUCTION, "nats, z sampled",
           f"{_BCE}: up to {IMAGES:,} of the test images (of all images where the data set has no split), z sampled.",
           usual=True, full="Reconstruction loss", needs=_RECONSTRUCTS),
    Column("kl", "KL", "nats", 2, "", LATENTS, "nats",
           "KL of the posterior from the prior, summed over latents: the information that they carry about an image, "
           "mean over the images of the reconstruction loss. The curves show it over the last steps of training. "
           "In itself, neither a high nor a low value is better.", usual=True, full="KL divergence", needs=_KL),
    Column("disentanglement", "Disentanglement", "", 3, "↑", FACTORS, "report's protocol",
           "The report's score: a linear SVM predicts, from sums of |z_u − z_v| over 64 pairs that share one factor, "
           "which factor it is; accuracy on points not used to fit it.", usual=True,
           full="Disentanglement score of the report", protocol=disentanglement.PROTOCOL, needs=_FACTORS),
    Column("factor_vae", "FactorVAE score", "", 3, "↑", FACTORS, "Kim & Mnih",
           "Kim & Mnih 2018: the latent that varies least over images that share a factor votes for that factor.",
           usual=True, protocol=factor_vae.PROTOCOL, needs=_FACTORS),
    Column("factor_vae_quick", "FactorVAE (quick)", "", 3, "↑", QUICK, "1,500 votes",
           "The FactorVAE score from a tenth of its votes, as scores during training: within about 0.05 of it.",
           usual=True, full="FactorVAE score, quick look", protocol=factor_vae.PROTOCOL, needs=_FACTORS),
    Column("mig", "MIG", "", 3, "↑", FACTORS, "Chen et al.",
           "Chen et al. 2018: gap in mutual information between the two latents most informative about a factor, over "
           "its entropy, mean over factors.", usual=True, full="Mutual information gap", protocol=mig.PROTOCOL,
           needs=_FACTORS),
    Column("mig_quick", "MIG (quick)", "", 3, "↑", QUICK, "no interval",
           "MIG without its interval, as scores during training: the same value in a fraction of the time.",
           usual=True, full="MIG, quick look", protocol=mig.PROTOCOL, needs=_FACTORS),
    Column("active_latents", "Active latents", "", 0, "", LATENTS, "mean KL above 0.1",
           f"Latents in use: those whose mean KL, over the same images as KL, is above {ACTIVE_NATS} nats.",
           usual=True, needs=_KL),
    Column("reconstruction_mean", "at z = mean", "nats", 2, "↓", RECONSTRUCTION, "nats, z = mean",
           f"{_BCE}: up to {IMAGES:,} of the test images, z = posterior mean.", full="Reconstruction loss, z = mean",
           needs=_RECONSTRUCTS),
    Column("reconstruction_train", "Training reconstruction", "nats", 2, "↓", RECONSTRUCTION, "nats, z sampled",
           f"{_BCE}: up to {IMAGES:,} of the training images, z sampled.", full="Reconstruction loss, training images",
           needs=_TRAINED),
    Column("reconstruction_train_mean", "training at z = mean", "nats", 2, "↓", RECONSTRUCTION, "nats, z = mean",
           f"{_BCE}: up to {IMAGES:,} of the training images, z = posterior mean.",
           full="Reconstruction loss, training images, z = mean", needs=_TRAINED),
    Column("elbo", "ELBO", "nats", 2, "↑", RECONSTRUCTION, "nats, z sampled",
           "-(reconstruction + KL): a lower bound on the log likelihood, up to what binary cross-entropy omits.",
           needs=_RECONSTRUCTS | _KL),
    Column("total_correlation", "Total correlation", "nats", 3, "↓", LATENTS, "nats, Gaussian",
           "Dependence between the posterior means of all latents, as if they were Gaussian. Needs no factors.",
           protocol=correlation.TOTAL_CORRELATION),
    Column("mean_correlation", "Mean correlation", "", 3, "↓", LATENTS, "of posterior means",
           "Mean absolute correlation between the posterior means of two latents. Needs no factors.",
           full="Mean correlation of latents", protocol=correlation.MEAN_CORRELATION),
    Column("category_error", "Category error", "%", 1, "↓", LATENTS, "%, majority label",
           "Images whose class is not the most frequent one of their most likely category: a categorical code as a "
           "classifier that has seen no class.", usual=True, protocol=category_error.MAJORITY, needs=_CATEGORY),
    Column("category_error_matched", "matched one to one", "%", 1, "↓", LATENTS, "%, one to one",
           "The same with each class matched to at most one category: if two categories share a class, one of them "
           "counts as wrong.", full="Category error, matched one to one", protocol=category_error.ONE_TO_ONE,
           needs=_CATEGORY),
    Column("sharpness", "Sharpness", "grey levels²", 0, "→ originals", SHARPNESS, "grey levels²",
           "Variance of the Laplacian of reconstructions, z = mean, images in 0..255.", usual=True,
           limit="sharpness_originals", needs=_RECONSTRUCTS),
    Column("sharpness_originals", "Sharpness of originals", "grey levels²", 0, "", SHARPNESS, "grey levels²",
           "Variance of the Laplacian of the images themselves.", full="Sharpness of the originals"),
    Column("sharpness_ratio", "Sharpness ratio", "", 3, "→ 1", SHARPNESS, "to the originals",
           "Sharpness of reconstructions over that of the originals.", limit=1.0, needs=_RECONSTRUCTS),
    Column("beta_vae", "β-VAE score", "", 3, "↑", FACTORS, "Higgins et al.",
           "Higgins et al. 2017: logistic regression on mean |z_u − z_v| over 64 pairs; accuracy on points not used to "
           "fit it.",
           protocol=beta_vae.PROTOCOL, needs=_FACTORS),
    Column("sap", "SAP", "", 3, "↑", FACTORS, "Kumar et al.",
           "Kumar et al. 2018: gap in accuracy between the two latents that best predict a factor, mean over factors.",
           protocol=sap.PROTOCOL, needs=_FACTORS),
    Column("info_m", "InfoM", "", 3, "↑", FACTORS, "Hsu et al.",
           "Hsu et al. 2023: whether each latent follows one factor only.", full="InfoM (InfoMEC modularity)",
           protocol=info_mec.PROTOCOL_M, needs=_FACTORS),
    Column("info_c", "InfoC", "", 3, "↑", FACTORS, "Hsu et al.",
           "Hsu et al. 2023: whether each factor is in one latent only.", full="InfoC (InfoMEC compactness)",
           protocol=info_mec.PROTOCOL_C, needs=_FACTORS),
    Column("info_e", "InfoE", "", 3, "↑", FACTORS, "Hsu et al.",
           "Hsu et al. 2023: how much of the factors a linear classifier finds in the latents.",
           full="InfoE (InfoMEC explicitness)", protocol=info_mec.PROTOCOL_E, needs=_FACTORS),
    Column("modularity", "Modularity", "", 3, "↑", FACTORS, "Ridgeway & Mozer",
           "Ridgeway & Mozer 2018: whether each latent is informative about one factor only.",
           protocol=modularity.PROTOCOL, needs=_FACTORS),
    Column("explicitness", "Explicitness", "", 3, "↑", FACTORS, "Ridgeway & Mozer",
           "Ridgeway & Mozer 2018: how well a linear classifier tells each value of a factor from the others, 0.5 by "
           "chance.", protocol=explicitness.PROTOCOL, needs=_FACTORS),
    Column("irs", "IRS", "", 3, "↑", FACTORS, "Suter et al.",
           "Suter et al. 2019: whether each latent stays where it is while all factors but one change.",
           full="Interventional robustness score", protocol=irs.PROTOCOL, needs=_FACTORS),
    Column("dci_disentanglement", "DCI disentanglement", "", 3, "↑", DCI, "boosted trees",
           "Eastwood & Williams 2018: whether each latent matters to one factor only, by boosted trees.", usual=True,
           protocol=dci.DISENTANGLEMENT, needs=_FACTORS),
    Column("dci_completeness", "DCI completeness", "", 3, "↑", DCI, "boosted trees",
           "Eastwood & Williams 2018: whether each factor needs one latent only, by boosted trees.",
           protocol=dci.COMPLETENESS, needs=_FACTORS),
    Column("dci_informativeness", "DCI informativeness", "", 3, "↑", DCI, "boosted trees",
           "Eastwood & Williams 2018: accuracy with which boosted trees predict the factors from the latents.",
           protocol=dci.INFORMATIVENESS, needs=_FACTORS),
    Column("dci_fast_disentanglement", "DCI-D (fast)", "", 3, "↑", PROTOCOLS, "binned trees",
           "DCI disentanglement by boosted trees on binned latents: on known representations within 0.03 of DCI, in a "
           "fraction of the time.", full="DCI disentanglement, fast", protocol=dci_fast.DISENTANGLEMENT,
           needs=_FACTORS),
    Column("dci_fast_completeness", "DCI-C (fast)", "", 3, "↑", PROTOCOLS, "binned trees",
           "DCI completeness by boosted trees on binned latents.", full="DCI completeness, fast",
           protocol=dci_fast.COMPLETENESS, needs=_FACTORS),
    Column("dci_fast_informativeness", "DCI-I (fast)", "", 3, "↑", PROTOCOLS, "binned trees",
           "DCI informativeness by boosted trees on binned latents.", full="DCI informativeness, fast",
           protocol=dci_fast.INFORMATIVENESS, needs=_FACTORS),
    Column("dci_forest_disentanglement", "DCI-D (forest)", "", 3, "↑", PROTOCOLS, "as InfoGAN-CR",
           "DCI disentanglement by shallow forests, as IB-GAN and InfoGAN-CR report it: far higher than by boosted "
           "trees.", full="DCI disentanglement, forest", protocol=dci_forest.DISENTANGLEMENT, needs=_FACTORS),
    Column("dci_forest_completeness", "DCI-C (forest)", "", 3, "↑", PROTOCOLS, "as InfoGAN-CR",
           "DCI completeness by shallow forests, as IB-GAN and InfoGAN-CR report it.", full="DCI completeness, forest",
           protocol=dci_forest.COMPLETENESS, needs=_FACTORS),
    Column("factor_vae_infogan_cr", "FactorVAE (CR)", "", 3, "↑", PROTOCOLS, "as InfoGAN-CR",
           "The FactorVAE score as InfoGAN-CR and many after it report it: 500 votes, scored on themselves.",
           full="FactorVAE score, InfoGAN-CR protocol", protocol=infogan_cr.FACTOR_VAE, needs=_FACTORS),
    Column("beta_vae_infogan_cr", "β-VAE (CR)", "", 3, "↑", PROTOCOLS, "as InfoGAN-CR",
           "The β-VAE score as InfoGAN-CR and many after it report it: 500 points, scored on themselves.",
           full="β-VAE score, InfoGAN-CR protocol", protocol=infogan_cr.BETA_VAE, needs=_FACTORS),
    Column("mig_ordered", "MIG (no shape)", "", 3, "↑", PROTOCOLS, "z = mean",
           "MIG without factors whose values have names, such as shape.", full="MIG without named factors",
           protocol=mig.ORDERED, needs=_FACTORS),
    Column("mig_sampled", "MIG (sampled)", "", 3, "↑", PROTOCOLS, "z sampled",
           "MIG with z sampled from the posterior instead of its mean.", full="MIG, z sampled", protocol=mig.SAMPLED,
           needs=_FACTORS | _RECONSTRUCTS),
    Column("mig_sampled_ordered", "MIG (Chen)", "", 3, "↑", PROTOCOLS, "sampled, no shape",
           "MIG with both conventions of Chen et al.: z sampled, without factors whose values have names.",
           full="MIG, z sampled, without named factors", protocol=mig.SAMPLED_ORDERED, needs=_FACTORS | _RECONSTRUCTS),
    Column("mig_nearest", "MIG (no bins)", "", 3, "↑", PROTOCOLS, "nearest neighbours",
           "MIG from nearest neighbours instead of bins: latents that equal the factors reach 1.",
           full="MIG without bins", protocol=info_mec.PROTOCOL_NEAREST, needs=_FACTORS),
    Column("sap_continuous", "SAP (lines)", "", 3, "↑", PROTOCOLS, "R², as InfoGAN-CR",
           "SAP with continuous factors: R² of a line instead of the accuracy of a classifier. Values in papers above "
           "about 0.2 on dSprites are most likely this one.", full="SAP with continuous factors",
           protocol=sap.CONTINUOUS, needs=frozenset({Need.FACTOR_VALUES})),
    Column("class_probe", "Class (linear)", "", 3, "↑", PREDICTION, "linear probe",
           "Accuracy with which logistic regression predicts the class of an image from its latents.",
           full="Class by a linear probe", protocol=predictors.CLASS_PROBE, needs=frozenset({Need.LABELS})),
    Column("class_neighbours", "Class (k-NN)", "", 3, "↑", PREDICTION, "5 neighbours",
           "Accuracy with which the nearest images, by their latents, predict the class of an image.",
           full="Class by nearest neighbours", protocol=predictors.CLASS_NEIGHBOURS, needs=frozenset({Need.LABELS})),
    Column("factor_probe", "Factors (linear)", "", 3, "↑", PREDICTION, "linear probe",
           "Accuracy with which logistic regression predicts factors or attributes from latents, mean over factors.",
           full="Factors by a linear probe", protocol=predictors.FACTOR_PROBE, needs=_FACTORS),
    Column("factor_neighbours", "Factors (k-NN)", "", 3, "↑", PREDICTION, "5 neighbours",
           "Accuracy with which the nearest images, by their latents, predict factors or attributes, mean over "
           "factors.", full="Factors by nearest neighbours", protocol=predictors.FACTOR_NEIGHBOURS, needs=_FACTORS),
    Column("udr_lasso", "UDR", "", 3, "↑", COMPARISON, "Lasso",
           "Duan et al. 2020: whether a run's latents correspond one to one to those of the other runs that it was "
           "evaluated with. Values of different selections of runs cannot be compared.", usual=True,
           full="UDR (Lasso)", protocol=udr.LASSO),
    Column("udr_spearman", "UDR (ρ)", "", 3, "↑", COMPARISON, "Spearman",
           "Duan et al. 2020, with rank correlations instead of a regression. Values of different selections of runs "
           "cannot be compared.", full="UDR (Spearman)", protocol=udr.SPEARMAN),
    Column("model_centrality", "ModelCentrality", "", 3, "↑", COMPARISON, "Lin et al.",
           "Lin et al. 2020: how well a run's encoder finds the latents of the other runs in the images that they "
           "generate, and the other way round. Values of different selections of runs cannot be compared.",
           usual=True, protocol=model_centrality.PROTOCOL),
    Column("pipe", "PIPE", "", 3, "↑", GENERATED, "Estermann et al.",
           "Estermann & Wattenhofer 2023: whether images decoded from independent latents look like reconstructions "
           "to a discriminator; 1 if it cannot tell them apart.", protocol=pipe.PROTOCOL, needs=_RECONSTRUCTS),
)  # fmt: skip

OURS = tuple(column.metric for column in _OURS)
"""Names of the metrics that do not come from plug-ins."""

COMPARED = tuple(column.metric for column in _OURS if column.group == COMPARISON)
"""Metrics whose value for a run depends on the other runs that it is compared with."""

METRICS: Registry[Column] = Registry({column.metric: column for column in _OURS})
"""By the names that `--metrics` and evaluation.json have, in the order of the table."""


def usual_metrics() -> list[str]:
    """Return the metrics computed by default: all but PIPE, those that compare runs, and those of a quick look."""
    return [name for name, column in METRICS.items() if column.group not in (COMPARISON, GENERATED, QUICK)]


def quick_metrics() -> list[str]:
    """Return the metrics of a quick look, each of which takes seconds: the first ones to know, and quick scores."""
    return [name for name, column in METRICS.items() if name in _LOOKED_AT or column.group == QUICK]


_LOOKED_AT = ("reconstruction", "kl", "active_latents", "category_error")
