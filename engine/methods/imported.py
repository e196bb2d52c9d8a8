"""The methods of runs whose networks come from elsewhere: an encoder and possibly a decoder, which cannot be trained.

There is one for each combination of what the networks give, since that decides which metrics have a value. The files
lie in the run's folder of checkpoints; `open_files` loads them. Codes are taken to have the prior N(0, 1).
"""

import hashlib
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, Self

from engine.errors import CheckpointError
from engine.methods.base import Batch, Context, Method, MethodSettings, Posterior, Supervision
from engine.system.fields import setting

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from engine.settings.run_config import RunConfig

LARGEST = 1000
NO_VARIANCE = "its encoder gives a mean only, and so no posterior"
NO_DECODER = "it has no decoder"

ENCODER, DECODER = "encoder", "decoder"
"""Beginnings of the names of the files in a run's folder of checkpoints."""


class ImportedSettings(MethodSettings):
    """The files, and how their outputs are read; see `engine.networks.foreign`."""

    encoder: str = setting("", "Encoder", "File with the encoder, by the name that it had.", max_length=300)
    encoder_digest: str = setting("", "Encoder's contents", "SHA-256 of that file.", max_length=64)
    decoder: str = setting("", "Decoder", "File with the decoder, by the name that it had.", max_length=300)
    decoder_digest: str = setting("", "Decoder's contents", "SHA-256 of that file.", max_length=64)
    layout: str = setting("pair", "Encoder gives", "How mean and log-variance lie in its output.", max_length=40)
    decoded: str = setting("pixels", "Decoder gives", "Pixels, or logits of pixels.", max_length=40)
    values: str = setting("0..1", "Pixel values", "Range of the pixels that the networks take.", max_length=40)


class Imported(Method):
    """Networks that were trained elsewhere."""

    title = "Network from elsewhere"
    short = "imported"
    about = "networks trained by another program"
    formula = "not known"
    source = "files"
    supervision = Supervision.UNKNOWN
    Settings = ImportedSettings
    ignores = frozenset(
        {"network", "normalisation", "learning_rate", "batch_size", "epochs", "steps", "seed", "subset"}
        | {"log_steps", "checkpoint_steps", "preview_steps", "score_steps", "keep_steps"}
    )
    conditional = False
    colour = 7
    untrainable = "It is a network from elsewhere, which can be viewed and evaluated, but not trained."

    @classmethod
    def provenance(cls, config: "RunConfig") -> dict[str, Any]:
        """Return the names of the files, the fingerprints of their contents, and how their outputs are read."""
        from engine.networks.foreign_files import LAYOUTS

        own = config.method
        parts = [f"encoder {own.encoder} ({own.encoder_digest[:8]}…, gives {LAYOUTS.get(own.layout, own.layout)})"]
        parts += [f"decoder {own.decoder} ({own.decoder_digest[:8]}…)"] if own.decoder else []
        about = {name: getattr(own, name) for name in type(own).model_fields}
        return {"words": ", ".join([*parts, f"pixels {own.values}"]), **about}

    @classmethod
    def files_left_out(cls, config: "RunConfig") -> tuple[str, ...]:
        """Return the files of the networks: an archive holds nothing that could be executed."""
        return tuple(filter(None, (config.method.encoder, config.method.decoder)))

    @classmethod
    def output_words(cls, config: "RunConfig") -> str:
        """Return what the encoder outputs."""
        from engine.networks.foreign_files import LAYOUTS

        return f"{LAYOUTS[config.method.layout]} of {config.latents:,} latents"

    def build(self) -> "nn.Module":
        """Return a place for the networks, which are not read yet."""
        import torch
        from torch import nn

        networks = nn.ParameterDict()
        networks["place"] = nn.Parameter(torch.empty(0), requires_grad=False)  # tells the device
        return networks

    def open_files(self, folder: Path) -> Self:
        """Load the networks from a run's folder of checkpoints; return self.

        Raises CheckpointError if a file is missing or another than the run names, or if it is a program that the user
        has not allowed; ConfigError if it cannot be loaded.
        """
        from torch import nn

        from engine.networks.foreign import Reading, open_network

        own = self.settings
        networks = nn.ModuleDict({"device": self.build()})
        self.reading = Reading(own.layout, own.decoded, own.values)
        for part, name, digest in (
            (ENCODER, own.encoder, own.encoder_digest),
            (DECODER, own.decoder, own.decoder_digest),
        ):
            if name:
                networks[part] = open_network(checked_content(folder, part, name, digest), name)
        self.networks = networks.eval()
        return self

    def to(self, device: "torch.device") -> Self:
        """Move the networks to a device; return self."""
        self.networks = self.networks.to(device)
        return self

    def fused(self) -> Self:
        """Return itself."""
        return self

    def step(self, batch: Batch, context: Context) -> "dict[str, Tensor]":
        """Raise CheckpointError."""
        self._refuse(self.untrainable)

    def encode(self, images: "Tensor") -> Posterior:
        """Images (n, channels, side, side) in 0..1 to posteriors."""
        name = self.settings.encoder
        output = self._network(ENCODER)(self.reading.scaled(images))
        mean, log_variance = self.reading.posterior(output, name)
        if mean.shape[1] != self.latents:
            self._refuse(f"{name} gives {mean.shape[1]} latents instead of {self.latents}.")
        return Posterior(mean, log_variance)

    def kl(self, posterior: Posterior) -> "Tensor":
        """KL divergence of each latent from N(0, 1), in nats, (n, latents)."""
        from engine.methods.terms import kl_per_latent

        return kl_per_latent(*posterior)

    def sample(self, posterior: Posterior, noise: "torch.Generator") -> "Tensor":
        """Draw z, (n, latents); the mean itself if there is no variance."""
        from engine.networks.vae import sample

        return sample(*posterior, noise) if self.reading.gives_variance else posterior.mean

    def logits(self, z: "Tensor", labels: "Tensor | None" = None) -> "Tensor":
        """Latents (n, latents) to logits (n, channels, side, side)."""
        if not self.decodes:
            self._refuse(f"{self.settings.encoder}: {NO_DECODER}.")
        return self.reading.logits(self._network(DECODER)(z), self.settings.decoder, self.image_shape)

    def _network(self, part: str) -> "nn.Module":
        return self.networks.get_submodule(part)

    def _refuse(self, words: str) -> NoReturn:
        raise CheckpointError(words)


class ImportedMeans(Imported):
    """An encoder that gives a mean only, and a decoder."""

    lacks = MappingProxyType({"kl": NO_VARIANCE})


class ImportedEncoder(Imported):
    """An encoder that gives mean and log-variance."""

    decodes: ClassVar[bool] = False  # type: ignore[misc]
    lacks = MappingProxyType({"reconstruction": NO_DECODER})


class ImportedMeansEncoder(Imported):
    """An encoder that gives a mean only."""

    decodes: ClassVar[bool] = False  # type: ignore[misc]
    lacks = MappingProxyType({"reconstruction": NO_DECODER, "kl": NO_VARIANCE})


IMPORTED: dict[str, type[Imported]] = {
    "imported": Imported,
    "imported-means": ImportedMeans,
    "imported-encoder": ImportedEncoder,
    "imported-encoder-means": ImportedMeansEncoder,
}
"""The methods by their names in config.json."""


def name_of(*, decodes: bool, variance: bool) -> str:
    """Return the name of the method for networks with or without a decoder and log-variances."""
    return f"imported{'' if decodes else '-encoder'}{'' if variance else '-means'}"


def file_in(folder: Path, part: str, name: str) -> Path:
    """Return the path of a network's file in a run's folder of checkpoints, given the name that it had."""
    return folder / f"{part}{Path(name).suffix.lower()}"


def checked_content(folder: Path, part: str, name: str, digest: str) -> bytes:
    """Return the content of a network's file if it is the one that the run names, and if it may be executed.

    Raises CheckpointError.
    """
    from engine.networks.foreign_files import is_program, read_network
    from engine.system.consent import Consent
    from engine.system.paths import plugins_file

    path = file_in(folder, part, name)
    if not path.is_file():
        raise CheckpointError(f"{path} is missing. Archives of runs carry no networks from elsewhere: copy the file.")
    content = read_network(path)
    if hashlib.sha256(content).hexdigest() != digest:
        raise CheckpointError(f"{path} is not the file that the run was imported with. Import the network again.")
    if is_program(name) and Consent(plugins_file()).read().answer(digest) != "allowed":
        raise CheckpointError(
            f"{name} is a program, which would be executed: a TorchScript file can do what you can do on this machine. "
            "Allow it in the run's menu, or with: import-model RUN --allow"
        )
    return content
