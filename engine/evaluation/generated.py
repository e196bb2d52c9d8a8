"""Metrics of generated images, which need a decoder."""

from collections.abc import Generator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from engine.evaluation import pipe
from engine.evaluation.catalogue import METRICS, Need
from engine.evaluation.metric import Computing, Metric, Score
from engine.evaluation.representation import Representation
from engine.evaluation.results import SEED
from engine.jobs.events import Event, Progress, Request
from engine.methods.updates import lean
from engine.networks.pipe import PipeDiscriminator
from engine.networks.tensors import to_tensor
from engine.networks.vae import initialise


class Pipe(Metric):
    """PIPE of Estermann & Wattenhofer 2023."""

    columns = (METRICS["pipe"],)
    needs = frozenset({Need.RECONSTRUCTION})

    def compute(self, representation: Representation) -> Computing:
        """Train a discriminator of images, and test it."""
        half, number = pipe.BATCH // 2, len(representation.dataset)
        order = representation.rng().permutation(number)
        testing = order[: min(pipe.TESTED // 2, max(1, number // 6))]
        training = order[len(testing) :] if number > 1 else order
        training = training[np.arange(pipe.STEPS * half) % len(training)]
        chosen = np.concatenate([training, testing])
        means = yield from representation.means(chosen)
        pictures = _Pictures(representation, chosen, (yield from representation.sampled(chosen)), means[chosen])
        discriminator = yield from self._trained(pictures, representation)
        right = 0
        for start in range(len(training), len(chosen), half):
            images, made = pictures(slice(start, start + half))
            with torch.inference_mode():
                said = discriminator(images) >= 0
            right += int((said == made.bool()).sum())
            yield Progress(min(start + half, len(chosen)) - len(training), len(testing), "PIPE: testing", "images")
        accuracy = right / (2 * len(testing))
        counts = {"n": pipe.STEPS * pipe.BATCH, "n_test": 2 * len(testing)}
        return Score(pipe.score_of(accuracy), counts=counts, more={"accuracy": accuracy}, z="sampled")

    def _trained(
        self, pictures: "_Pictures", representation: Representation
    ) -> Generator[Event, Request | None, PipeDiscriminator]:
        """Train a discriminator on the first pictures; its weights come from a generator of their own."""
        side, _, channels = representation.dataset.image_shape
        with torch.random.fork_rng(devices=[]):  # layers draw weights when they are made, which are replaced
            discriminator = PipeDiscriminator(side, channels)
        initialise(discriminator, torch.Generator().manual_seed(SEED), glorot=False)
        weights, half = list(discriminator.parameters()), pipe.BATCH // 2
        [optimiser] = lean(lambda: {"all": torch.optim.Adam(weights, lr=pipe.RATE)}).values()
        for step in range(pipe.STEPS):
            images, made = pictures(slice(step * half, (step + 1) * half))
            optimiser.zero_grad()
            binary_cross_entropy_with_logits(discriminator(images), made).backward()
            optimiser.step()
            yield Progress(step + 1, pipe.STEPS, "PIPE: training a discriminator", "steps")
        return discriminator.eval()


class _Pictures:
    """Reconstructions of images, and as many decodings of independent latents."""

    def __init__(
        self,
        representation: Representation,
        chosen: NDArray[np.int64],
        z: NDArray[np.float64],
        means: NDArray[np.float32],
    ) -> None:
        self._representation, self._z = representation, z
        rng = representation.rng(1)
        low, high = means.min(axis=0).astype(np.float64), means.max(axis=0).astype(np.float64)
        whole = np.array([kind.integer for kind in representation.kinds])
        self._apart = rng.uniform(low, high + whole, z.shape)
        self._apart[:, whole] = np.floor(self._apart[:, whole])  # numbers of categories or codes, all equally likely
        labels = representation.dataset.labels if representation.conditional else None
        self._labels = None if labels is None else labels[chosen]
        self._mixed = None if labels is None else rng.permutation(labels[chosen])

    def __call__(self, part: slice) -> tuple[Tensor, Tensor]:
        """Return images, (n, channels, side, side), reconstructions first, and which are not, (n,), 0 or 1."""
        sources = ((self._z, self._labels), (self._apart, self._mixed))
        images = [
            self._representation.decoded(z[part], None if labels is None else labels[part]) for z, labels in sources
        ]
        made = torch.cat([torch.zeros(len(images[0])), torch.ones(len(images[1]))])
        return to_tensor(np.concatenate(images)), made


GENERATED: tuple[Metric, ...] = (Pipe(),)
"""Metrics of generated images."""
