"""Steps that two processes take together, over gloo: the same as those of one process, for every method."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from engine.methods.registry import METHODS

ROOT = Path(__file__).resolve().parents[3]
STEPS = 2

TAKEN = """
import sys
sys.path.insert(0, {root!r})
from pathlib import Path
import numpy as np
import torch
from engine.data import ArrayStore, Dataset, Factors
from engine.methods import factor_vae
from engine.methods.base import Batch, Supervision
from engine.methods.building import build
from engine.methods.registry import METHODS
from engine.networks import info_gan
from engine.settings.run_config import RunConfig
from engine.training.place import Place
from engine.training.stepper import Stepper
from engine.training.team import Team

factor_vae.UNITS = info_gan.UNITS = 32
torch.set_num_threads(1)
torch.set_default_dtype(torch.float64)  # so that rounding is small beside what an error would change
# Where a gradient is 0 but for rounding, as before a batch normalisation, Adam would take a step of full length.
torch.optim.Adam = torch.optim.AdamW = lambda weights, lr, **others: torch.optim.SGD(weights, lr)
rank, folder = int(sys.argv[1]), Path(sys.argv[2])
sizes = (3, 4, 5, 2)
classes = np.stack([a.ravel() for a in np.indices(sizes)], axis=1)
data = Dataset(
    name="arrays", title="Grid", store=ArrayStore(np.zeros((len(classes), 32, 32, 1), np.uint8)), source="drawn",
    image_shape=(32, 32, 1), splits={{"all": np.arange(len(classes))}}, labels=classes[:, 0].copy(),
    label_names=("a", "b", "c"),
    factors=Factors(("shape", "x", "y", "brightness"), tuple(np.arange(n, dtype=np.float64) for n in sizes)),
)


def take(name, sharing):
    method, _, normalisation = name.partition("+")
    settings = {{"dataset": "arrays", "network": "burgess", "latents": 5, "normalisation": normalisation or "none"}}
    config = RunConfig.parse(settings | {{"objective": method, "conditional": METHODS[method].conditional}})
    made = build(config, data).to(torch.device("cpu")).train()
    made.networks.double()
    stepper = Stepper(made, torch.device("cpu"), 1500, 94, 100, sharing)
    images = torch.Generator().manual_seed(1)
    values = []
    for step in range({steps}):
        number = 14 - 12 * step  # rows that do not divide evenly; then a single one in each half of a pair
        factors = torch.arange(number)[:, None] % 2 if made.supervision is Supervision.FULL else None
        labels = torch.arange(number) % 3 if config.conditional else None
        values.append(stepper(Batch(torch.rand(number, 1, 32, 32, generator=images), labels, factors), step + 1))
    weights = dict(made.networks.named_parameters())
    gradients = {{key: torch.zeros(()) if w.grad is None else w.grad for key, w in weights.items()}}
    found = {{"values": torch.stack(values), "noise": stepper.noise.get_state().double()}}
    found |= {{f"gradient of {{key}}": w for key, w in gradients.items()}} | made.networks.state_dict()
    torch.save(found, folder / f"{{name}}-{{'alone' if sharing is None else rank}}.pt")


if rank == 0:
    for name in sys.argv[3:]:
        take(name, None)
team = Team(Place(rank, 2, rank, folder / "meeting"))
for name in sys.argv[3:]:
    take(name, team.sharing)
team.leave()
"""


def taken(folder, names):
    """Take steps with each of some methods, in two processes, the first of which also takes them alone."""
    script = TAKEN.format(root=str(ROOT), steps=STEPS)
    started = [
        subprocess.Popen([sys.executable, "-c", script, str(rank), folder, *names], stderr=subprocess.PIPE, text=True)
        for rank in range(2)
    ]
    errors = [process.communicate(timeout=600)[1] for process in started]
    assert [process.returncode for process in started] == [0, 0], errors


def assert_same(folder, name):
    alone, *both = (torch.load(folder / f"{name}-{which}.pt") for which in ("alone", "0", "1"))
    for found in both:
        assert found.keys() == alone.keys()
        for key, value in alone.items():
            torch.testing.assert_close(found[key], value, rtol=1e-7, atol=1e-9, equal_nan=True, msg=f"{name}: {key}")


BATCH_NORMALISED = ["factor-vae+batch", "beta-tcvae+batch"]


def test_two_processes_take_the_steps_of_one(tmp_path):
    """Gradients, weights, running statistics, curves and random numbers: of both networks of the FactorVAE, of losses
    that compare images with one another, and with batch normalisation."""
    names = ["factor-vae", "beta-tcvae", *BATCH_NORMALISED]
    taken(tmp_path, names)
    for name in names:
        assert_same(tmp_path, name)


@pytest.mark.slow
def test_two_processes_take_the_steps_of_one_with_every_method(tmp_path):
    names = [*METHODS, *(f"{name}+batch" for name in METHODS)]
    taken(tmp_path, names)
    for name in names:
        assert_same(tmp_path, name)
