"""Writes a model of YannDubs/disentangling-vae as TorchScript files, which this application can import.

    python torchscript_of_disentangling_vae.py results/btcvae_dsprites/model.pt FOLDER
    python main.py import-model FOLDER/encoder.pt --decoder FOLDER/decoder.pt --dataset dsprites --allow

The networks are those of Burgess et al. 2018 with the names of that repository, so that its weights can be loaded. Its
last layer gives mean and log-variance in turn (mean 0, log-variance 0, mean 1, ...), which the import recognises. With
`-` instead of the file, the weights are random, to try it out.
"""

import argparse
import pathlib
import warnings

import torch
from torch import nn
from torch.nn.functional import relu


class Encoder(nn.Module):
    """Images (n, channels, 64, 64) in 0..1 to (n, 2 * latents) numbers."""

    def __init__(self, channels, latents):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, 32, 4, 2, 1)
        self.conv2 = nn.Conv2d(32, 32, 4, 2, 1)
        self.conv3 = nn.Conv2d(32, 32, 4, 2, 1)
        self.conv_64 = nn.Conv2d(32, 32, 4, 2, 1)
        self.lin1 = nn.Linear(32 * 4 * 4, 256)
        self.lin2 = nn.Linear(256, 256)
        self.mu_logvar_gen = nn.Linear(256, 2 * latents)

    def forward(self, images):
        """Return what the last layer gives."""
        maps = images
        for layer in (self.conv1, self.conv2, self.conv3, self.conv_64):
            maps = relu(layer(maps))
        return self.mu_logvar_gen(relu(self.lin2(relu(self.lin1(maps.flatten(1))))))


class Decoder(nn.Module):
    """Latents (n, latents) to pixels (n, channels, 64, 64) in 0..1."""

    def __init__(self, channels, latents):
        super().__init__()
        self.lin1 = nn.Linear(latents, 256)
        self.lin2 = nn.Linear(256, 256)
        self.lin3 = nn.Linear(256, 32 * 4 * 4)
        self.convT_64 = nn.ConvTranspose2d(32, 32, 4, 2, 1)
        self.convT1 = nn.ConvTranspose2d(32, 32, 4, 2, 1)
        self.convT2 = nn.ConvTranspose2d(32, 32, 4, 2, 1)
        self.convT3 = nn.ConvTranspose2d(32, channels, 4, 2, 1)

    def forward(self, z):
        """Return the probabilities of pixels."""
        for layer in (self.lin1, self.lin2, self.lin3):
            z = relu(layer(z))
        maps = z.unflatten(1, (32, 4, 4))
        for layer in (self.convT_64, self.convT1, self.convT2):
            maps = relu(layer(maps))
        return self.convT3(maps).sigmoid()


def export(weights, folder, latents=10):
    """Write encoder.pt and decoder.pt; `weights` is a state dict with the names of that repository, or None."""
    channels = 1 if weights is None else weights["encoder.conv1.weight"].shape[1]
    latents = latents if weights is None else weights["decoder.lin1.weight"].shape[1]
    inputs = torch.rand(2, channels, 64, 64), torch.zeros(2, latents)
    folder.mkdir(parents=True, exist_ok=True)
    for name, network, given in zip(
        ("encoder", "decoder"), (Encoder(channels, latents), Decoder(channels, latents)), inputs, strict=True
    ):
        if weights is not None:
            own = {key.removeprefix(f"{name}."): each for key, each in weights.items() if key.startswith(f"{name}.")}
            network.load_state_dict(own)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # TorchScript is deprecated
            torch.jit.trace(network.eval(), given).save(str(folder / f"{name}.pt"))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", help="model.pt of a trained model, or -")
    parser.add_argument("folder", type=pathlib.Path)
    arguments = parser.parse_args()
    export(
        None if arguments.weights == "-" else torch.load(arguments.weights, weights_only=True, map_location="cpu"),
        arguments.folder,
    )
