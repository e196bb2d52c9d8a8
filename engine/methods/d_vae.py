"""D-VAE (Friede et al., "Learning Disentangled Discrete Representations", ECML PKDD 2023).

What the paper leaves open, and all numbers, are those of the authors' code (github.com/david-friede/lddr: run.py,
utils.py, eval.py): 10 latents of 64 categories, their positions fixed; Gumbel noise whose scale rises along half a
cosine from 0.5 to 2 over the run, at a temperature of 1; Adam at 1e-4, batches of 64, 300,000 steps.
"""

from typing import TYPE_CHECKING, ClassVar, Self, cast

from engine.methods.autoencoder import AutoencoderMethod
from engine.methods.base import Batch, Context, MethodSettings, Posterior, Term
from engine.methods.latents import Latent
from engine.methods.updates import update
from engine.system.fields import Weight, setting
from engine.system.schedule import Schedule

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from engine.settings.run_config import RunConfig

GAP_IMAGES = 8
"""Images of each batch over which the straight-through gap is computed: 400 per row of the curves."""

LEAST_VARIANCE = 1e-12
"""Variance of a posterior that is certain of its category, so that its logarithm is finite."""


class CategorySettings(MethodSettings):
    """The categories, and how they are drawn in training."""

    categories: int = setting(
        64,
        "Categories",
        "Number of categories of each latent, at positions spaced evenly from −1 to 1.",
        ge=2,
        le=64,
    )
    noise_scale: Weight = setting(
        Schedule(0.5, 2.0, 100.0, "%", "cosine"),
        "Noise",
        "Scale of the Gumbel noise added to the logits in training. With 1, each category is drawn with the "
        "probability that the encoder assigns to it; smaller values favour the most likely one.",
        ge=0,
        le=100,
    )
    temperature: Weight = setting(
        1.0,
        "Temperature",
        "Divisor of the noisy logits in training. The lower it is, the closer z is to a single category, and the "
        "noisier the gradients.",
        ge=0.01,
        le=100,
    )


class Categories(Posterior):
    """A posterior over ordered categories.

    Mean and log-variance, each (n, latents), are those of the categories' positions; `log_probabilities` is
    (n, latents, categories).
    """

    log_probabilities: "Tensor"

    @classmethod
    def of(cls, log_probabilities: "Tensor", positions: "Tensor") -> Self:
        """Return the posterior with log probabilities (n, latents, categories) and positions (categories,)."""
        probabilities = log_probabilities.exp()
        mean = probabilities @ positions
        variance = (probabilities * (positions - mean[..., None]).square()).sum(-1)
        made = cls(mean, variance.clamp_min(LEAST_VARIANCE).log())
        made.log_probabilities = log_probabilities
        return made

    def to(self, device: "torch.device | str") -> Self:
        """Return it on a device."""
        made = type(self)(self.mean.to(device), self.log_variance.to(device))
        made.log_probabilities = self.log_probabilities.to(device)
        return made


class DVae(AutoencoderMethod):
    """A VAE whose latents are categorical, with categories at positions on a line.

    The prior is uniform. In training, z is the mean position under a softmax of noisy logits, which has a gradient (the
    Gumbel-softmax of Jang et al. and of Maddison et al. 2017), and never a single category: the authors draw one
    straight through only for their model selection. For a trained model, `sample` draws one category with its
    probability, for which the closed form of KL holds; the representation is the expected position.
    """

    title = short = "D-VAE"
    about = "each latent is one of 64 ordered categories"
    formula = "reconstruction loss + KL from the uniform distribution"
    source = "Friede et al. 2023; z is drawn by a Gumbel-softmax over ordered categories"
    colour = 7
    Settings = CategorySettings
    terms: ClassVar[tuple[Term, ...]] = (
        Term(
            "perplexity",
            "Perplexity",
            "categories",
            "The number of categories among which the encoder is undecided: exp of the entropy of a posterior, mean "
            "over latents and images. At their number (64) it knows nothing, at 1 it is certain. Inactive latents "
            "keep it high.",
        ),
        Term(
            "straight_through_gap",
            "Straight-through gap",
            "nats",
            "By how much the reconstruction loss rises if z is the most likely category, and not the expected "
            "position, on some images of each batch. Near 0: latents are truly discrete. Of several runs, the authors "
            "prefer one with a small gap.",
        ),
    )

    settings: CategorySettings

    # What it is

    @classmethod
    def latents_of(cls, config: "RunConfig") -> tuple[Latent, ...]:
        """Ordered categories."""
        return (Latent.ordered(config.method.categories),) * config.latents

    @classmethod
    def output_words(cls, config: "RunConfig") -> str:
        """Logits."""
        return f"logits of {config.method.categories} categories for each of {config.latents:,} latents"

    # Its networks

    @property
    def outputs(self) -> int:
        """A logit for each category of each latent."""
        return self.latents * self.settings.categories

    def positions(self, like: "Tensor") -> "Tensor":
        """Positions of the categories, (categories,), of a tensor's type and device."""
        import torch

        return torch.linspace(-1, 1, self.settings.categories, dtype=like.dtype, device=like.device)

    # Its training

    def step(self, batch: Batch, context: Context) -> "dict[str, Tensor]":
        """One update of encoder and decoder by Adam."""
        from engine.methods.terms import reconstruction_per_image

        posterior = self.encode(batch.images)
        z = self.draw(posterior, context.noise)
        reconstruction = reconstruction_per_image(self.logits(z, batch.labels), batch.images).mean()
        kl_each = self.kl(posterior).mean(0)
        loss = reconstruction + kl_each.sum()
        [optimiser] = context.optimisers.values()
        update(optimiser, loss)
        found = {"loss": loss, "reconstruction": reconstruction, "kl": kl_each.sum(), "kl_per_latent": kl_each}
        found |= self.observed(posterior, batch.images, batch.labels)
        return {name: value.detach() for name, value in found.items()}

    def draw(self, posterior: Posterior, noise: "torch.Generator") -> "Tensor":
        """Mean position under the softmax of noisy logits, (n, latents)."""
        said = cast(Categories, posterior).log_probabilities
        noisy = said + self.settings.noise_scale * gumbel_noise(said, noise)
        return (noisy / self.settings.temperature).softmax(-1) @ self.positions(said)

    def observed(self, posterior: Posterior, images: "Tensor", labels: "Tensor | None") -> "dict[str, Tensor]":
        """Perplexity and straight-through gap."""
        import torch

        from engine.methods.terms import reconstruction_per_image

        said = cast(Categories, posterior).log_probabilities.detach()
        perplexity = (-(said.exp() * said).sum(-1)).exp().mean()
        few = said[:GAP_IMAGES]
        likeliest = self.positions(said)[few.argmax(-1)]
        z = torch.cat([likeliest, posterior.mean.detach()[:GAP_IMAGES]])
        given = None if labels is None else labels[:GAP_IMAGES].repeat(2)
        training = self.networks.training
        self.networks.eval()  # so that running means of normalisations are used, and stay as they are
        with torch.no_grad():
            losses = reconstruction_per_image(self.logits(z, given), images[:GAP_IMAGES].repeat(2, 1, 1, 1))
        self.networks.train(training)
        straight, soft = losses.chunk(2)
        return {"perplexity": perplexity, "straight_through_gap": (straight - soft).mean()}

    # What is seen of it

    def encode(self, images: "Tensor") -> Categories:
        """Images (n, channels, side, side) in 0..1 to posteriors over the categories."""
        logits = self.vae.outputs_of(images).unflatten(1, (self.latents, self.settings.categories))
        return Categories.of(logits.log_softmax(-1), self.positions(logits))

    def kl(self, posterior: Posterior) -> "Tensor":
        """KL divergence of each latent from the uniform distribution, in nats, (n, latents)."""
        from engine.methods.terms import kl_from_uniform

        return kl_from_uniform(cast(Categories, posterior).log_probabilities)

    def sample(self, posterior: Posterior, noise: "torch.Generator") -> "Tensor":
        """Draw a category of each latent with its probability and return their positions, (n, latents).

        By the Gumbel-max trick: the largest of the log probabilities, each with noise of scale 1.
        """
        said = cast(Categories, posterior).log_probabilities
        return self.positions(said)[(said + gumbel_noise(said, noise)).argmax(-1)]


def gumbel_noise(like: "Tensor", noise: "torch.Generator") -> "Tensor":
    """Draw from the standard Gumbel distribution, in the shape of a tensor: -log(-log u), u uniform in 0..1."""
    import torch

    uniform = torch.rand(like.shape, generator=noise, device=like.device, dtype=like.dtype)
    return -(-uniform.clamp_min(torch.finfo(like.dtype).tiny).log()).log()
