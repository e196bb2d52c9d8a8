"""Why a metric has no value: what is known of a data set and a model before anything is computed."""

from engine.data import ENTRIES
from engine.evaluation.catalogue import COLUMNS, DCI, FACTORS
from engine.settings.run_config import DATASET_TITLES, OWN_DATA, RunConfig

ONE_LATENT = "a model with one latent cannot be scored: scores compare latents"
NEEDS_FACTORS = frozenset(column.metric for column in COLUMNS if column.group in (FACTORS, DCI))
NEEDS_TRAINING_SPLIT = frozenset(("reconstruction_train", "reconstruction_train_mean"))


def no_factors(title: str) -> str:
    """Return why a data set without factors has no score."""
    return f"{title} has no ground-truth factors"


def no_training_split(title: str) -> str:
    """Return why a data set that is not split has no numbers for training images."""
    return f"{title} has no training split of its own: its numbers are of images drawn from all"


def reason_beforehand(config: RunConfig, metric: str) -> str:
    """Return why a run can have no value of a metric, as far as its settings tell; empty where it may have one."""
    entry = ENTRIES[config.dataset]
    folder = config.data_folder if config.dataset in OWN_DATA else None
    title = DATASET_TITLES[config.dataset] if folder is None else folder.stem or folder.name
    if metric in NEEDS_FACTORS:
        return no_factors(title) if not entry.factors else ONE_LATENT if config.latents < 2 else ""
    split = entry.images is None or entry.images != entry.training_images
    return no_training_split(title) if metric in NEEDS_TRAINING_SPLIT and not split else ""
