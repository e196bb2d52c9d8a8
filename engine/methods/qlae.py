"""QLAE (Hsu et al., "Disentanglement via Latent Quantization", NeurIPS 2023).

Numbers, and what the paper leaves open, are from the authors' code (github.com/kylehkhsu/latent_quantization:
models/ae.py and quantized_ae.py, latents/quantized.py, configs/): 10 codes per latent, initially spaced evenly from
-0.5 to 0.5; AdamW at 1e-3 with a weight decay of 0.1; batches of 128, 200,000 steps; both losses of the codes with a
weight of 0.01 (0.001 in a file for dSprites to which no published table belongs). Their networks are larger than ours,
with instance normalisation and a decoder that receives every latent at each layer, and they clip each element of the
gradient at 1, which none here comes near.
"""

from types import MappingProxyType
from typing import TYPE_CHECKING, cast

from engine.methods.autoencoder import AutoencoderMethod
from engine.methods.base import Batch, Context, MethodSettings, Posterior, Term
from engine.methods.latents import Latent
from engine.methods.updates import update
from engine.system.fields import Weight, setting
from engine.system.numbers import exact_text

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from engine.networks.codebook import Quantised
    from engine.networks.vae import VAE
    from engine.settings.run_config import RunConfig

NO_KL = "QLAE has no KL: it is not a VAE, and has neither a posterior nor a prior, only a code for each latent"


class CodebookSettings(MethodSettings):
    """The codes, and how encoder and codes are pulled towards each other."""

    quantisation_weight: Weight = setting(
        0.01,
        "λ quantisation",
        "Weight of the loss that moves the codes towards the encoder's outputs, relative to the reconstruction loss "
        "per pixel, as in the source.",
        ge=0,
        le=1000,
    )
    commitment_weight: Weight = setting(
        0.01,
        "λ commitment",
        "Weight of the loss that moves the encoder's outputs towards the codes, also relative to the reconstruction "
        "loss per pixel.",
        ge=0,
        le=1000,
    )
    codes: int = setting(10, "Codes", "Number of values that each latent can take.", ge=2, le=64)
    weight_decay: float = setting(
        0.1,
        "Weight decay",
        "How much weights shrink in each step, relative to the learning rate; biases and codes do not shrink. It is "
        "unusually large in QLAE, since simple networks must give each code a single meaning.",
        ge=0,
        le=100,
    )


class Qlae(AutoencoderMethod):
    """An autoencoder whose latents are each rounded to the nearest of a few learned values.

    z is the number of each latent's code, from 0, in the order of their values. The gradient passes straight through
    the rounding (van den Oord et al., "Neural Discrete Representation Learning", 2017).
    """

    title = short = "QLAE"
    about = "each latent is one of a few learned values"
    formula = "reconstruction loss per pixel + λ quantisation + λ commitment"
    source = "Hsu et al. 2023; latents are rounded to codes"
    colour = 3
    Settings = CodebookSettings
    lacks = MappingProxyType({"kl": NO_KL})
    terms = (
        Term(
            "quantisation_error",
            "Quantisation error",
            "",
            "Mean squared distance of the encoder's outputs from the nearest codes: the value of both losses of the "
            "codes. Between codes that are 0.11 apart, as they are initially, it is at most 0.003; a larger value "
            "means that the encoder's outputs lie beyond the outermost codes.",
        ),
        Term(
            "codes_used",
            "Codes in use",
            "codes",
            "Effective number of codes per latent in a batch, mean over latents: exp of the entropy of their "
            "frequencies. 1: the latent carries no information; the number of codes: all are equally frequent.",
        ),
    )

    settings: CodebookSettings

    # What it is

    @classmethod
    def latents_of(cls, config: "RunConfig") -> tuple[Latent, ...]:
        """Codes."""
        return (Latent.code(config.method.codes),) * config.latents

    @classmethod
    def output_words(cls, config: "RunConfig") -> str:
        """A number for each latent."""
        return f"{config.latents:,} numbers, each rounded to the nearest of {config.method.codes} learned ones"

    @classmethod
    def optimiser_words(cls, config: "RunConfig") -> str:
        """AdamW."""
        decay = exact_text(config.method.weight_decay)
        return (
            f"AdamW with a learning rate of {cls.rate_words(config)} and a weight decay of {decay} for all but biases "
            "and codes"
        )

    # Its networks

    @property
    def _parts(self) -> "Quantised":
        return cast("Quantised", self.networks)

    @property
    def vae(self) -> "VAE":
        """Encoder and decoder."""
        return cast("VAE", self._parts.vae)

    @property
    def outputs(self) -> int:
        """A number for each latent."""
        return self.latents

    def build(self) -> "Quantised":
        """Encoder, decoder and codebooks."""
        from engine.networks.codebook import Codebook, Quantised

        return Quantised(super().build(), Codebook(self.latents, self.settings.codes))

    # Its training

    def optimisers(self) -> "dict[str, torch.optim.Optimizer]":
        """Return one AdamW; biases and codes do not decay."""
        from torch.optim import AdamW

        named = dict(self.networks.named_parameters())
        kept = {name for name in named if name.endswith("bias") or name.startswith("codebook.")}
        groups = [
            {"params": [named[name] for name in named if name not in kept], "weight_decay": self.settings.weight_decay},
            {"params": [named[name] for name in named if name in kept], "weight_decay": 0.0},
        ]
        return {"all": AdamW(groups, lr=self.config.learning_rate, fused=True)}

    def step(self, batch: Batch, context: Context) -> "dict[str, Tensor]":
        """Update encoder, decoder and codes once, with AdamW.

        The update uses the loss per pixel, as in the source; the reported loss is that times the number of pixels, in
        nats.
        """
        from engine.methods.terms import reconstruction_per_image

        said = self.vae.outputs_of(batch.images)
        numbers = self._parts.codebook.nearest(said)
        values = self._parts.codebook.of(numbers)
        logits = self.vae.logits(straight_through(said, values), batch.labels)
        reconstruction = reconstruction_per_image(logits, batch.images).mean()
        quantisation = (said.detach() - values).square().mean()
        commitment = (said - values.detach()).square().mean()
        own, pixels = self.settings, batch.images[0].numel()
        per_pixel = reconstruction / pixels
        per_pixel = per_pixel + own.quantisation_weight * quantisation + own.commitment_weight * commitment
        [optimiser] = context.optimisers.values()
        update(optimiser, per_pixel)
        found = {"loss": per_pixel * pixels, "reconstruction": reconstruction, "quantisation_error": quantisation}
        found |= {"codes_used": codes_used(numbers, own.codes)}
        return {name: value.detach() for name, value in found.items()}

    # What is seen of it

    def encode(self, images: "Tensor") -> Posterior:
        """Images (n, channels, side, side) in 0..1 to the numbers of their codes, with log-variances of 0."""
        import torch

        numbers = self._parts.codebook.nearest(self.vae.outputs_of(images)).to(images.dtype)
        return Posterior(numbers, torch.zeros_like(numbers))

    def sample(self, posterior: Posterior, noise: "torch.Generator") -> "Tensor":
        """The numbers of the codes, (n, latents); nothing is drawn."""
        return posterior.mean

    def logits(self, z: "Tensor", labels: "Tensor | None" = None) -> "Tensor":
        """Numbers of codes (n, latents), which are rounded, and class numbers (n,) if conditional, to logits."""
        numbers = z.round().long().clamp(0, self.settings.codes - 1)
        return self.vae.logits(self._parts.codebook.of(numbers), labels)


def straight_through(said: "Tensor", rounded: "Tensor") -> "Tensor":
    """Return the rounded values with the gradient of the original ones, of the same shape."""
    return said + (rounded - said).detach()


def codes_used(numbers: "Tensor", codes: int) -> "Tensor":
    """Return exp of the entropy of the codes' frequencies, mean over latents; `numbers` are integers (n, latents)."""
    import torch
    from torch.nn import functional

    frequencies = functional.one_hot(numbers, codes).to(torch.float32).mean(0)
    used: Tensor = torch.special.entr(frequencies).sum(1).exp().mean()
    return used
