"""Images of a step are the same bit for bit whether kept on a device or moved in batches, and steps do not wait."""

from dataclasses import fields
from functools import partial

import numpy as np
import pytest
import torch

from engine.data import ArrayStore, BitStore, Dataset, prepare
from engine.methods.base import Batch, Context
from engine.methods.registry import METHODS
from engine.networks.tensors import to_tensor
from engine.runs.checkpoints import load_weights
from engine.training import steps
from engine.training.device_images import SHARE, DeviceImages, room_on
from engine.training.trainer import Trainer, train

CPU = torch.device("cpu")
PLENTY = 2**40


class Counted:
    """A store that counts the images requested from it."""

    def __init__(self, store):
        self._store, self.asked = store, 0

    def __len__(self):
        return len(self._store)

    def __call__(self, indices):
        self.asked += len(indices)
        return self._store(indices)


@pytest.fixture(params=["grey", "colour", "bits"])
def dataset(request):
    """60 images with labels; every third is for testing."""
    rng = np.random.default_rng(0)
    if request.param == "bits":
        store = BitStore(rng.integers(0, 256, (60, 32 * 32 // 8), np.uint8), 32, 32)
    else:
        store = ArrayStore(rng.integers(0, 256, (60, 32, 32, 3 if request.param == "colour" else 1), np.uint8))
    shape = store(np.array([0])).shape[1:]
    everything = np.arange(60)
    splits = {"train": everything[everything % 3 > 0], "test": everything[::3]}
    labels = rng.integers(0, 10, 60)
    return Dataset("own", "Own", Counted(store), shape, splits, "memory", labels, tuple("0123456789"))


def test_images_that_fit_are_moved_once_and_are_the_same_bit_for_bit(dataset):
    kept = DeviceImages(dataset, dataset.training, CPU, PLENTY)
    assert kept.kept
    assert dataset.store.asked == len(dataset.training)
    rng = np.random.default_rng(1)
    for _ in range(5):
        chosen = rng.choice(dataset.training, 16)
        images = kept.images(chosen)
        asked = dataset.store.asked
        assert asked == len(dataset.training)
        expected = to_tensor(dataset.store._store(chosen))
        assert torch.equal(images, expected)
        assert images.stride() == expected.stride()
        assert torch.equal(kept.labels(chosen), torch.from_numpy(dataset.labels[chosen]))


def test_images_that_do_not_fit_are_moved_batch_by_batch(dataset):
    size = len(dataset.training) * int(np.prod(dataset.image_shape))
    assert DeviceImages(dataset, dataset.training, CPU, size).kept
    tight = DeviceImages(dataset, dataset.training, CPU, size - 1)
    assert not tight.kept
    chosen = dataset.training[:7]
    assert torch.equal(tight.images(chosen), to_tensor(dataset.store._store(chosen)))


def test_packed_bits_are_kept_as_such_and_give_the_same_images_bit_for_bit(monkeypatch):
    """NumPy's `unpackbits`, by which the store converts them, has the first pixel in the highest bit."""
    monkeypatch.setattr("engine.training.device_images.PART", 7)
    store = BitStore(np.random.default_rng(0).integers(0, 256, (60, 32 * 32 // 8), np.uint8), 32, 32)
    training = np.arange(60)[np.arange(60) % 3 > 0]
    data = Dataset("own", "Own", store, (32, 32, 1), {"train": training, "test": np.arange(0, 60, 3)}, "memory")
    assert not DeviceImages(data, training, CPU, len(training) * 128 - 1).kept
    kept = DeviceImages(data, training, CPU, len(training) * 128)  # an eighth of what pixels would take
    assert kept.kept
    chosen = training[[5, 0, 39, 5]]
    images, expected = kept.images(chosen), to_tensor(store(chosen))
    assert torch.equal(images, expected)
    assert images.stride() == expected.stride()
    with pytest.raises(IndexError):
        kept.images(np.array([0]))


def test_more_images_than_fit_in_one_move(dataset, monkeypatch):
    monkeypatch.setattr("engine.training.device_images.PART", 7)
    kept = DeviceImages(dataset, dataset.training, CPU, PLENTY)
    assert torch.equal(kept.images(dataset.training), to_tensor(dataset.store._store(dataset.training)))


def test_an_image_that_is_not_for_training_is_an_error(dataset):
    with pytest.raises(IndexError):
        DeviceImages(dataset, dataset.training, CPU, PLENTY).images(dataset.splits["test"][:1])


def test_images_may_take_a_quarter_of_free_gpu_memory_and_none_elsewhere(monkeypatch):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (4000, 9000))
    assert room_on(torch.device("cuda")) == 4000 // SHARE == 1000
    assert room_on(CPU) == room_on(torch.device("mps")) == 0


@pytest.mark.parametrize("conditional", [False, True])
def test_training_is_the_same_with_images_kept_on_the_device(make_small_run, tmp_path, monkeypatch, conditional):
    plain = make_small_run(tmp_path, "plain", conditional=conditional, steps=60)
    list(train(plain))
    monkeypatch.setattr(steps, "room_on", lambda device: PLENTY)
    kept = make_small_run(tmp_path, "kept", conditional=conditional, steps=60)
    list(train(kept))
    weights = [load_weights(run.checkpoint_folder).tensors for run in (plain, kept)]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def plain(optimiser, of, **settings):
    """An optimiser that is not fused, which there is not for tensors without values."""
    return optimiser(of, **(settings | {"fused": False}))


WAITS = {"dava": "its capacity and its second update depend on the accuracy of each batch"}


@pytest.mark.parametrize("objective", [name for name in METHODS if name not in WAITS])
def test_a_step_reads_no_values_and_stays_on_its_device(make_run, tmp_path, monkeypatch, narrow, objective):
    """Tensors without values: reading one (.item(), a branch, a copy to the CPU) or mixing devices fails."""
    for name in ("Adam", "AdamW"):
        unfused = partial(plain, getattr(torch.optim, name))
        monkeypatch.setattr(torch.optim, name, unfused)
    data = {"dataset": "arrays", "data_folder": tmp_path / "grid.npz"} if METHODS[objective].needs_factors else {}
    grid = np.stack([a.ravel() for a in np.indices((8, 8))], axis=1)
    np.savez(tmp_path / "grid.npz", images=np.zeros((64, 32, 32), np.uint8), factors=grid)
    list(prepare("arrays", tmp_path / "grid.npz"))
    made = Trainer(make_run(tmp_path, objective=objective, **data))
    meta, batch = torch.device("meta"), made.steps.batch(0)
    values = [getattr(batch, field.name) for field in fields(Batch)]
    batch = Batch(*(value.to(meta) if isinstance(value, torch.Tensor) else value for value in values))
    method = made.model.to(meta).train()
    context = Context(1, made.steps_per_epoch, len(made.indices), torch.Generator(), method.optimisers())
    terms = method.step(batch, context)
    assert all(value.is_meta for value in terms.values())
