"""PIPE, posterior indifference projection error: B. Estermann & R. Wattenhofer, "DAVA", ICLR 2023 (besterma/dava).

A discriminator is trained to tell a model's reconstructions from decodings of latents that are drawn independently. If
it cannot, any combination of latent values gives an image as good as any other: the latents are independent parts of
the images. No factors are needed, but a decoder.

As in the authors' code, latents are uniform within the range of each latent's posterior means, and accuracy is that
after 50,000 training images. Here each of these is new, where the data set is large enough, instead of drawn from
45,000. There is no interval: another discriminator would have another accuracy, whose spread the number of test images
does not show.
"""

BATCH, STEPS, RATE = 32, 1_563, 1e-4
"""Images of a batch, half of each kind, steps of Adam and its learning rate."""

TESTED = 10_000
"""Test images, half of each kind."""

PROTOCOL = (
    f"PIPE (Estermann & Wattenhofer 2023): 2 (1 - accuracy of a discriminator on other images), which learned from "
    f"{BATCH * STEPS:,} images to tell reconstructions from decodings of latents drawn independently, each uniformly "
    "between its smallest and largest posterior mean; at most 1"
)


def score_of(accuracy: float) -> float:
    """Return the score, 0..1, from the accuracy of the discriminator."""
    return min(1.0, 2 * (1 - accuracy))
