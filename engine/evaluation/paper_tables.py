"""Values printed in the report, for comparison."""

import tomllib
from dataclasses import dataclass
from functools import cache

from engine.settings.run_config import RunConfig
from engine.system.paths import RESOURCES

REPORT_BETA = 4
"""The report's β."""

NOTE = "“Report” is the value that Nguyen and Qiu print for this data set and method, without seeds or deviations."
SHARPNESS_NOTE = (
    "The report's sharpness is on another scale, which it does not define (here, MNIST's originals score about "
    "10,300): compare order and ratios, not values."
)


@dataclass(frozen=True, slots=True)
class Published:
    """A value, as a number and as printed, and the table it is from."""

    value: float
    text: str
    table: str


@cache
def _tables() -> dict[tuple[str, str], dict[str, Published]]:
    """Printed values by data set and objective, then by metric."""
    content = tomllib.loads((RESOURCES / "paper" / "nguyen-qiu.toml").read_text(encoding="utf-8"))
    return {
        (table["dataset"], method): {
            metric: Published(float(value), str(value), table["title"]) for metric, value in values.items()
        }
        for table in content["table"]
        for method, values in table["methods"].items()
    }


def published(config: RunConfig) -> dict[str, Published]:
    """Return the printed values by metric; empty if the report has none for this data set and method.

    It has none for conditional models and other values of β.
    """
    if config.conditional or (config.objective == "beta-vae" and config.method.beta != REPORT_BETA):
        return {}
    return _tables().get((config.dataset, config.objective), {})
