"""The method of runs that hold the codes of a representation from a file, computed by any program.

There is no network: the codes and the factors of their images lie where other runs have their weights. Such a run can
be evaluated by all metrics that need codes only, and not be trained, traversed or given images.
"""

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NoReturn

from engine.errors import CheckpointError
from engine.methods.base import Batch, Context, Method, MethodSettings, Posterior, Supervision
from engine.system.fields import setting

if TYPE_CHECKING:
    from torch import Tensor, nn

    from engine.settings.run_config import RunConfig

NAME = "representation"
"""Its name in config.json."""

NO_NETWORK = "a representation from a file holds codes only: it has no encoder, no decoder and no posterior to sample"


class StoredCodesSettings(MethodSettings):
    """What is recorded of the file: its name, and fingerprints of the contents that metrics belong to."""

    file: str = setting("", "File", "Name of the file that the codes were read from.", max_length=300)
    contents: str = setting("", "Contents", "Fingerprint (SHA-256) of the arrays that were read.", max_length=64)
    truth: str = setting("", "Ground truth", "Fingerprint (SHA-256) of factors, labels and splits.", max_length=64)
    samples: int = setting(0, "Samples", "Number of images whose codes there are.", ge=0)


class StoredCodes(Method):
    """Codes that were computed elsewhere; nothing can be trained, encoded or decoded."""

    title = "Representation from a file"
    short = "from a file"
    about = "codes computed by another program"
    formula = "not known"
    source = "a file"
    supervision = Supervision.UNKNOWN
    Settings = StoredCodesSettings
    ignores = frozenset(
        {"network", "normalisation", "learning_rate", "batch_size", "epochs", "steps", "seed", "subset", "image_size"}
        | {"log_steps", "checkpoint_steps", "preview_steps", "score_steps", "keep_steps", "device", "threads"}
    )
    conditional = False
    lacks = MappingProxyType({"reconstruction": NO_NETWORK, "kl": NO_NETWORK})
    colour = 6
    untrainable = "It is a representation from a file: there is no network to train."
    decodes = encodes = False

    @classmethod
    def provenance(cls, config: "RunConfig") -> dict[str, Any]:
        """Return the file's name, the fingerprint of what was read, and the size of the codes."""
        own = config.method
        words = f"codes ({own.samples:,} × {config.latents}) in {own.file}, contents {own.contents[:8]}…"
        about = {"file": own.file, "contents": own.contents, "n": own.samples, "latents": config.latents}
        return {"words": words, **about}

    @classmethod
    def own_data(cls, config: "RunConfig") -> str:
        """Return the fingerprint of the factors, labels and splits in the file."""
        return str(config.method.truth)

    def build(self) -> "nn.Module":
        """Return no network."""
        from torch import nn

        return nn.Module()

    def step(self, batch: Batch, context: Context) -> "dict[str, Tensor]":
        """Raise CheckpointError."""
        self._refuse()

    def encode(self, images: "Tensor") -> Posterior:
        """Raise CheckpointError."""
        self._refuse()

    def logits(self, z: "Tensor", labels: "Tensor | None" = None) -> "Tensor":
        """Raise CheckpointError."""
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise CheckpointError(f"{self.config.method.file}: {NO_NETWORK}.")
