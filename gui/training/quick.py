"""How long the preset of a new user takes on this machine: said only once it has been measured."""

from engine.settings.presets import quick_preset
from engine.settings.run_config import RunConfig
from engine.training.pace import Estimate
from gui.widgets.words import duration


def quick_time(config: RunConfig, estimate: Estimate | None) -> str:
    """Return how long it takes, e.g. "about 2 min", from an estimate of its settings; empty for any other."""
    if estimate is None or config.changed(device="auto", threads=0) != quick_preset().config:
        return ""
    return f"{'at most' if estimate.beside else 'about'} {duration(estimate.seconds)}"
