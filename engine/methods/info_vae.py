"""InfoVAE with the maximum mean discrepancy (Zhao, Song & Ermon, "InfoVAE: Balancing Learning and Inference in
Variational Autoencoders", AAAI 2019).

It minimises reconstruction loss + (1 - alpha) KL + (alpha + lambda - 1) MMD^2, where KL is that of each image's
posterior and MMD^2 that between z over all images and draws of the prior. alpha = 0 and lambda = 1: the VAE; alpha = 1:
no KL (MMD-VAE); alpha + lambda = 1: the beta-VAE with beta = lambda. The weight of MMD^2 is not lambda, and it is
negative where alpha + lambda < 1.

Signs, kernel and defaults are those of the authors' code (ShengjiaZhao/InfoVAE, model_vae.py, for MNIST with ten
latents; read in the fork LordHui/InfoVAE): "mi" = alpha = 0, "reg_size" = lambda = 50, a reconstruction loss summed
over pixels, and the Gaussian kernel exp(-mean((x - y)^2) / d) = exp(-|x - y|^2 / d^2) for d latents. The inverse
multiquadratic kernel C / (C + |x - y|^2) with C = 2 d is that of Wasserstein autoencoders (Tolstikhin et al. 2018).

MMD^2 is estimated without bias (Gretton et al. 2012, Eq. 3): pairs of an image with itself do not count. The authors'
program counts them, which adds about (1 - E k(z, z')) / n and, by its gradient, draws z together.

Other implementations weigh it otherwise: pythae (clementchadebec/benchmark_VAE, info_vae_model.py) multiplies MMD^2 by
the batch size, and with its defaults alpha = 0.5, lambda = 0.03 the weight is negative, so the discrepancy is
maximised; AntixK/PyTorch-VAE (models/info_vae.py) divides it by n (n - 1) once more, and allows no alpha above 0, nor
does nmichlo/disent (_unsupervised__infovae.py), whose estimate is the unbiased one.
"""

from typing import TYPE_CHECKING, Literal

from engine.methods.base import MethodSettings, Term
from engine.methods.gaussian import Codes, ComparingMethod
from engine.system.fields import Weight, setting
from engine.system.numbers import exact_text
from engine.system.schedule import Schedule

if TYPE_CHECKING:
    from torch import Tensor

    from engine.settings.run_config import RunConfig

KERNELS = {"rbf": "Gaussian (RBF)", "imq": "Inverse multiquadratic (IMQ)"}


class DiscrepancySettings(MethodSettings):
    """The weights of KL and the discrepancy, and how the latter is measured."""

    lambda_mmd: Weight = setting(
        50.0,
        "λ",
        "Together with α, the weight of the discrepancy between the latents of all images and the prior: α + λ − 1. "
        "MMD² is small (0.01 for ten latents that are always 0, with the default kernel), so 1,000 is not too large.",
        ge=0,
        le=1_000_000,
    )
    alpha: float = setting(
        0.0,
        "α",
        "Preference for information: KL has the weight 1 − α. 0: as in the VAE; 1: KL is not penalised; below 0: it is "
        "penalised more than in the VAE.",
        ge=-1000,
        le=1,
    )
    kernel: Literal["rbf", "imq"] = setting(
        "rbf",
        "Kernel",
        "Kernel of the discrepancy: exp(−distance² / width), or width / (width + distance²), which falls off more "
        "slowly.",
        choices=KERNELS,
    )
    kernel_width: float | None = setting(
        None,
        "Kernel width",
        "Width of the kernel, a squared distance. Empty: for d latents, d² (RBF; the authors' code) or 2 d (IMQ; "
        "Tolstikhin et al. 2018).",
        empty="from latents",
        ge=0.001,
        le=1_000_000,
    )


class InfoVae(ComparingMethod):
    """A VAE whose latents must be distributed like the prior over all images."""

    title = short = "InfoVAE"
    about = "all latents together are compared with the prior (MMD)"
    formula = "reconstruction loss + (1 − α) KL + (α + λ − 1) MMD²"
    source = "Zhao et al. 2019; MMD is the maximum mean discrepancy between the latents of all images and the prior"
    colour = 0
    Settings = DiscrepancySettings
    terms = (
        Term(
            "mmd",
            "MMD²",
            "",
            "Squared maximum mean discrepancy between the latents of a batch and as many draws of the prior. 0: the "
            "kernel cannot tell them apart. The estimate is unbiased, so it can be negative; its scale depends on the "
            "kernel and on the number of latents.",
        ),
    )

    @classmethod
    def warnings(cls, config: "RunConfig", images: int) -> list[str]:
        """Warn of a negative weight, with which the discrepancy would be maximised."""
        value = config.method.lambda_mmd
        least = min(value.start, value.end) if isinstance(value, Schedule) else value
        weight = config.method.alpha + least - 1
        if weight >= 0:
            return []
        return [
            f"The weight of MMD², α + λ − 1, is {exact_text(round(weight, 9))}: a negative weight drives the latents "
            "away from the prior."
        ]

    @classmethod
    def penalty(cls, codes: Codes, settings: DiscrepancySettings) -> "tuple[Tensor, dict[str, Tensor]]":
        """(1 - alpha) KL + (alpha + lambda - 1) MMD^2, a scalar in nats, and MMD^2."""
        import torch

        from engine.methods.terms import discrepancy, imq, rbf

        latents = codes.z.shape[1]
        kernel, usual = (rbf, latents**2) if settings.kernel == "rbf" else (imq, 2 * latents)
        drawn = torch.empty_like(codes.z).normal_(generator=codes.noise)
        mmd = discrepancy(codes.z, drawn, kernel, settings.kernel_width or usual)
        penalty = (1 - settings.alpha) * codes.kl + (settings.alpha + settings.lambda_mmd - 1) * mmd
        return penalty, {"mmd": mmd}
