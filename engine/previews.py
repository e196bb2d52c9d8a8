"""Live pictures of a model while it trains, and their history in the run folder.

A preview is kept as one PNG that people can look at: a row of originals, a row of reconstructions, then one
row a latent. Its text chunk says how to take it apart again.
"""

import json
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin, UnidentifiedImageError

from engine.config import RunConfig
from engine.data.dataset import Dataset
from engine.events import Preview
from engine.files import replacing
from engine.models.vae import VAE
from engine.tensors import to_images, to_tensor

COLUMNS = 8
LATENT_ROWS = 5
RANGE = 3.0
TEXT = "disentangle-studio"


class Previewer:
    """Decodes a few fixed images with a copy of the model in eval mode, so that training is not disturbed."""

    def __init__(self, config: RunConfig, dataset: Dataset, device: torch.device) -> None:
        rng = np.random.default_rng((config.seed, 2**31))
        split = dataset.splits[dataset.headline_split]
        chosen = np.sort(rng.choice(split, min(COLUMNS, len(split)), replace=False))
        self._originals = dataset.images(chosen)
        self._labels = None
        if config.conditional and dataset.labels is not None:
            self._labels = torch.from_numpy(dataset.labels[chosen]).to(device)
        classes = dataset.classes if config.conditional else 0
        self._model = VAE(dataset.image_shape, config.latents, classes).to(device).eval()
        self._device = device

    @torch.no_grad()
    def __call__(self, model: VAE, step: int, kl: tuple[float, ...]) -> Preview:
        """Reconstruct the originals, and traverse the latents of largest KL from the first one."""
        self._model.load_state_dict(model.state_dict())
        self._model.eval()
        mean, _ = self._model.encode(to_tensor(self._originals, self._device))
        latents = tuple(int(i) for i in np.argsort(-np.asarray(kl), kind="stable")[:LATENT_ROWS])
        z = mean[:1].repeat(len(latents) * COLUMNS, 1)
        values = torch.linspace(-RANGE, RANGE, COLUMNS, device=self._device)
        for number, latent in enumerate(latents):
            z[number * COLUMNS:(number + 1) * COLUMNS, latent] = values
        label = self._labels[:1].repeat(len(z)) if self._labels is not None else None
        traversal = to_images(self._model.decode(z, label))
        return Preview(
            step=step,
            originals=self._originals,
            reconstructions=to_images(self._model.decode(mean, self._labels)),
            traversal=traversal.reshape(len(latents), COLUMNS, *traversal.shape[1:]),
            latents=latents,
            kl_per_latent=kl,
        )


def save_preview(folder: Path, preview: Preview) -> None:
    """Keep a preview as `<step>.png`. Raises OSError."""
    folder.mkdir(exist_ok=True)
    count, height, width, channels = preview.originals.shape
    rows = [_padded(preview.originals), _padded(preview.reconstructions), *preview.traversal]
    grid = np.stack(rows).transpose(0, 2, 1, 3, 4).reshape(len(rows) * height, COLUMNS * width, channels)
    text = PngImagePlugin.PngInfo()
    text.add_text(TEXT, json.dumps({
        "step": preview.step, "tile": [height, width, channels], "images": count,
        "latents": preview.latents, "kl": [round(v, 4) for v in preview.kl_per_latent],
    }))
    with replacing(folder / f"{preview.step:09d}.png") as temporary:
        Image.fromarray(grid.squeeze(-1) if channels == 1 else grid).save(temporary, "png", pnginfo=text)


def list_previews(folder: Path) -> list[Path]:
    """Kept previews, oldest first."""
    return sorted(folder.glob("[0-9]*.png"))


def load_preview(path: Path) -> Preview | None:
    """Read a kept preview; None when the file is not one, or damaged."""
    try:
        with Image.open(path) as image:
            about = json.loads(getattr(image, "text", {})[TEXT])
            pixels = np.asarray(image, dtype=np.uint8)
        height, width, channels = (int(v) for v in about["tile"])
        rows = pixels.reshape(-1, height, COLUMNS, width, channels).transpose(0, 2, 1, 3, 4)
        count = int(about["images"])
        return Preview(
            step=int(about["step"]), originals=rows[0, :count], reconstructions=rows[1, :count],
            traversal=rows[2:], latents=tuple(about["latents"]), kl_per_latent=tuple(about["kl"]),
        )
    except (OSError, KeyError, ValueError, TypeError, SyntaxError, UnidentifiedImageError):
        return None


def _padded(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    missing = COLUMNS - len(images)
    return np.concatenate([images, np.zeros((missing, *images.shape[1:]), np.uint8)]) if missing else images
