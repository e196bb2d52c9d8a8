"""Reasons why a metric has no value that are known before anything is computed."""

from engine.data import ENTRIES
from engine.evaluation.catalogue import COLUMNS, DCI, FACTORS
from engine.methods.registry import METHODS
from engine.settings.run_config import DATASET_TITLES, OWN_DATA, RunConfig

ONE_LATENT = "a model with one latent cannot be scored: scores compare latents"
NEEDS_FACTORS = frozenset(column.metric for column in COLUMNS if column.group in (FACTORS, DCI))
NEEDS_TRAINING_SPLIT = frozenset(("reconstruction_train", "reconstruction_train_mean"))
NEEDS = {
    "reconstruction": (
        "reconstruction",
        "reconstruction_mean",
        *NEEDS_TRAINING_SPLIT,
        "elbo",
        "sharpness",
        "sharpness_ratio",
    ),
    "kl": ("kl", "active_latents", "elbo"),
}
"""Metrics that depend on features which a method may lack."""

NEEDS_CATEGORY = frozenset(("category_error", "category_error_matched"))


def no_factors(title: str) -> str:
    """Return why a data set without factors has no score."""
    return f"{title} has no ground-truth factors"


def no_training_split(title: str) -> str:
    """Return why a data set without splits has no values for training images."""
    return f"{title} has no training split of its own: its values are for images drawn from the complete data set"


def no_labels(title: str) -> str:
    """Return why a data set without labels has no category error."""
    return f"{title} has no class labels"


def method_reason(config: RunConfig, metric: str) -> str:
    """Return why runs of a method have no value of a metric, whatever their data; empty if they may have one."""
    method = METHODS[config.objective]
    lacking = [reason for name, reason in method.lacks.items() if metric in NEEDS[name]]
    if lacking:
        return lacking[0]
    if metric in NEEDS_CATEGORY and not any(latent.whole for latent in method.latents_of(config)):
        return f"{method.title} has no categorical code"
    return ""


def known_reason(config: RunConfig, metric: str) -> str:
    """Return why a run cannot have a value of a metric, judging by its settings; empty if it may have one."""
    if reason := method_reason(config, metric):
        return reason
    entry = ENTRIES[config.dataset]
    folder = config.data_folder if config.dataset in OWN_DATA else None
    title = DATASET_TITLES[config.dataset] if folder is None else folder.stem or folder.name
    if metric in NEEDS_FACTORS:
        latents = METHODS[config.objective].latents_of(config)
        return no_factors(title) if not entry.factors else ONE_LATENT if len(latents) < 2 else ""
    if metric in NEEDS_CATEGORY and not entry.classes and config.dataset not in OWN_DATA:
        return no_labels(title)
    split = entry.images is None or entry.images != entry.training_images
    return no_training_split(title) if metric in NEEDS_TRAINING_SPLIT and not split else ""
