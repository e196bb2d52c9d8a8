"""Reasons why a metric has no value that are known before anything is computed."""

from engine.data import ENTRIES
from engine.evaluation.catalogue import COMPARED, METRICS, OF_FACTORS, OURS, Need
from engine.methods.base import Method
from engine.methods.registry import METHODS
from engine.settings.run_config import DATASET_TITLES, OWN_DATA, RunConfig

ONE_LATENT = "a model with one latent cannot be scored: scores compare latents"
COMPARES = "it compares runs: evaluate several runs on the same data together"
NEEDS_CATEGORY = frozenset(name for name in OURS if Need.CATEGORY in METRICS[name].needs)


def no_factors(title: str) -> str:
    """Return why a data set without factors has no score."""
    return f"{title} has no ground-truth factors"


def no_training_split(title: str) -> str:
    """Return why a data set without splits has no values for training images."""
    return f"{title} has no training split of its own: its values are for images drawn from the complete data set"


def no_labels(title: str) -> str:
    """Return why a data set without labels has no category error."""
    return f"{title} has no class labels"


def no_category(method: type[Method]) -> str:
    """Return why a method without a categorical latent cannot be compared with classes."""
    return f"{method.title} has no categorical code"


def method_reason(config: RunConfig, metric: str) -> str:
    """Return why runs of a method have no value of a metric, whatever their data; empty if they may have one."""
    method, needs = METHODS[config.objective], _needs(metric)
    lacking = [reason for name, reason in method.lacks.items() if name in needs]
    if lacking:
        return lacking[0]
    if Need.CATEGORY in needs and all(latent.quantity for latent in method.latents_of(config)):
        return no_category(method)
    return ""


def known_reason(config: RunConfig, metric: str) -> str:
    """Return why a run cannot have a value of a metric, judging by its settings; empty if it may have one."""
    if reason := method_reason(config, metric):
        return reason
    entry, needs = ENTRIES[config.dataset], _needs(metric)
    folder = config.data_folder if config.dataset in OWN_DATA else None
    title = DATASET_TITLES[config.dataset] if folder is None else folder.stem or folder.name
    if OF_FACTORS & needs:
        latents = METHODS[config.objective].latents_of(config)
        return no_factors(title) if not entry.factors else ONE_LATENT if len(latents) < 2 else ""
    if Need.LABELS in needs and not entry.classes and config.dataset not in OWN_DATA:
        return no_labels(title)
    if metric in COMPARED:
        return COMPARES
    split = entry.images is None or entry.images != entry.training_images
    return no_training_split(title) if Need.TRAINING_SPLIT in needs and not split else ""


def _needs(metric: str) -> frozenset[Need]:
    """What a metric requires; not known, and so empty, if its plug-in is not loaded."""
    return METRICS[metric].needs if metric in METRICS else frozenset()
