"""The gallery: made, opened without data, never written to, copied, and what damaged files say."""

import hashlib
import json
import shutil
import socket

import numpy as np
import pytest
import torch

from engine.data import load_dataset
from engine.data.dataset import ArrayStore, Dataset, Factors
from engine.errors import ConfigError, DataError, RunError, StudioError
from engine.evaluation.evaluate import evaluate
from engine.evaluation.rows import read_row
from engine.gallery import read_gallery, read_model
from engine.gallery.copying import copy_model
from engine.gallery.making import FRAMES, build_gallery, unused
from engine.gallery.models import mixed_latents
from engine.gallery.opening import open_model
from engine.gallery.samples import choose_images, choose_values, read_sample, write_sample
from engine.jobs.events import Evaluated, Warned
from engine.networks.tensors import to_tensor
from engine.runs.kept_weights import keep_checkpoint
from engine.runs.run import Run, RunState
from engine.runs.trained import load_model
from engine.training.lengthening import lengthen
from engine.training.trainer import train


@pytest.fixture
def model_folder(tiny_gallery):
    return tiny_gallery / "tiny-model"


@pytest.fixture
def own_gallery(tiny_gallery, tmp_path):
    """A copy, for one test to damage."""
    return shutil.copytree(tiny_gallery, tmp_path / "gallery")


def contents(folder):
    """Digests of all files of a folder, by name."""
    return {
        file.relative_to(folder): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


# Making it


def test_numbers_on_a_card_are_those_of_the_evaluation(model_folder):
    """Read here from evaluation.json itself."""
    model = read_model(model_folder)
    kept = json.loads((model_folder / "evaluation.json").read_text())
    shown = {value.metric: value.text for value in model.values}
    assert set(shown) == {"kl", "elbo"}  # MNIST has no factors, so there is no MIG to show
    for name, text in shown.items():
        assert float(text.split()[0]) == pytest.approx(kept["metrics"][name]["value"], rel=5e-3)
        assert text.endswith(" nats")
    active = kept["metrics"]["active_latents"]["value"]
    assert model.story == f"{active:.0f} of 10 latents are in use after a KL of {shown['kl']}."


def test_mixed_latents_are_counted_by_importance(own_gallery):
    """A second factor counts from half the importance of the first on; latents out of use do not count."""
    folder = own_gallery / "tiny-model"
    evaluation = json.loads((folder / "evaluation.json").read_text())
    rows = [[0.9, 0.1], [0.6, 0.4], [0.7, 0.2], [0.2, 0.4], [0.5, 0.5]] + 5 * [[0.0, 0.0]]
    evaluation["metrics"]["dci_fast_disentanglement"] = {
        "value": 0.4,
        "unit": "",
        "protocol": {"name": "", "n": 1},
        "importance": {"factors": ["x", "y"], "latents": rows},
    }
    evaluation["kl_per_latent"] = [2.0, 2.0, 2.0, 2.0, 0.0, 3.0, 0.0, 0.0, 0.0, 0.0]
    (folder / "evaluation.json").write_text(json.dumps(evaluation))
    about = json.loads((folder / "gallery.json").read_text())
    (folder / "gallery.json").write_text(json.dumps(about | {"story": "{mixed}, {clean}, {active}, {latents}"}))
    assert read_model(folder).story == "2, 3, 5, 10"
    assert mixed_latents(read_row(Run.open(folder))) == {1: ("x", "y"), 3: ("x", "y")}


def test_a_model_names_nothing_of_the_machine_it_was_trained_on(model_folder, tiny_run):
    words = "".join(file.read_text() for file in model_folder.glob("*.json"))
    assert str(tiny_run.path.parent) not in words
    assert str(tiny_run.config.data_folder) not in words
    assert not list(model_folder.rglob("trainer-*"))
    assert not (model_folder / "lock").exists()


def test_pictures_are_those_of_the_weights_that_are_shipped(model_folder, tiny_run, digits_folder):
    """The strip against a traversal decoded here, latent by latent, and the difference from the original weights."""
    from PIL import Image

    opened = open_model(model_folder)
    model, trained = opened.model, opened.trained
    strip = np.asarray(Image.open(model.strip)).reshape(len(model.cells), 28, FRAMES, 28)
    original = load_model(tiny_run, load_dataset("mnist", digits_folder))
    start = opened.means[model.start]  # half precision
    differ = 0
    for row, cell in enumerate(model.cells):
        z = torch.from_numpy(np.tile(start, (FRAMES, 1)))
        z[:, cell.latent] = torch.linspace(-2.5, 2.5, FRAMES)
        with torch.no_grad():
            found, before = (torch.sigmoid(each.logits(z)).numpy()[:, 0] * 255 for each in (trained, original))
        shown = strip[row].transpose(1, 0, 2)
        assert np.abs(found - shown).max() < 3  # rounding of the codes and of the pixels
        differ = max(differ, int(np.abs(before - shown).max()))
    assert differ <= model.largest_difference + 3


def test_making_it_again_keeps_the_metrics_of_the_same_weights(own_gallery, tiny_run, monkeypatch):
    def never(*args):
        raise AssertionError("nothing needs to be computed")

    monkeypatch.setattr("engine.evaluation.evaluate._compute", never)
    monkeypatch.setattr("engine.evaluation.evaluate.usual_metrics", lambda: ["kl", "elbo"])
    monkeypatch.setattr("engine.gallery.making.COMPARED", 1)
    before = json.loads((own_gallery / "tiny-model" / "evaluation.json").read_text())
    for _ in build_gallery(own_gallery / "gallery.toml", tiny_run.path.parent, own_gallery):
        pass
    assert json.loads((own_gallery / "tiny-model" / "evaluation.json").read_text()) == before


def test_an_unfinished_run_cannot_be_shown(own_gallery, tiny_copy):
    tiny_copy.write_state(RunState("stopped", 30, 60))
    with pytest.raises(RunError, match="tiny is not finished"):
        list(build_gallery(own_gallery / "gallery.toml", tiny_copy.path.parent, own_gallery))
    assert (own_gallery / "tiny-model" / "gallery.json").exists()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("[samples.mnist]", "[samples.dsprites]", "no sample of mnist"),
        ("numbers =", "nmbers =", "numbers: Field required"),
        ("[[", "[", "does not describe a gallery"),
    ],
)
def test_a_wrong_description_is_reported(own_gallery, tiny_run, old, new, said):
    spec = own_gallery / "gallery.toml"
    spec.write_text(spec.read_text().replace(old, new))
    with pytest.raises(ConfigError, match=said):
        list(build_gallery(spec, tiny_run.path.parent, own_gallery))


def test_only_what_neither_encodes_nor_decodes_is_left_out(make_run, tmp_path, digits_folder, narrow):
    """FactorVAE's discriminator (Kim and Mnih 2018) is needed in training alone; of a VAE all weights are needed."""
    for objective, alone in (("factor-vae", "discriminator."), ("vae", "nothing")):
        run = make_run(tmp_path, objective=objective, steps=2)
        for _ in train(run):
            pass
        trained = load_model(run, load_dataset("mnist", digits_folder))
        expected = [name for name, _ in trained.model.networks.named_parameters() if name.startswith(alone)]
        assert unused(trained) == expected
        assert bool(expected) is (objective == "factor-vae")


# Samples


@pytest.fixture
def grid():
    """A coloured data set with a full grid of three factors."""
    sizes = (4, 5, 3)
    images = np.random.default_rng(0).integers(0, 256, (60, 8, 8, 3), np.uint8)
    names = ("shape", "hue", "size")
    values = tuple(np.arange(size) / 2 for size in sizes)
    factors = Factors(names, values, {"shape": ("cube", "ball", "cone", "ring")})
    labels = np.arange(60) // 15
    splits = {"all": np.arange(60)}
    words = ("cube", "ball", "cone", "ring")
    return Dataset("grid", "Grid", ArrayStore(images), (8, 8, 3), splits, "test", labels, words, factors=factors)


def test_a_sample_is_a_smaller_grid_of_the_same_images(grid, tmp_path):
    chosen = choose_values(grid, [2, 3, 3])
    write_sample(tmp_path / "grid.npz", grid, chosen)
    sample = read_sample(tmp_path / "grid.npz", "grid")
    assert sample.factors.sizes == (2, 3, 3)
    assert sample.factors.value_names == {"shape": ("cube", "ring")}
    for position in range(len(sample)):
        values = [
            v[c] for v, c in zip(sample.factors.values, sample.factors.classes(np.array([position]))[0], strict=True)
        ]
        there = [list(v).index(value) for v, value in zip(grid.factors.values, values, strict=True)]
        at = grid.factors.nearest(np.array(there))
        assert np.array_equal(sample.images([position]), grid.images([at]))
        assert sample.labels[position] == grid.labels[at]


def test_black_and_white_images_survive_as_bits(tmp_path):
    images = np.random.default_rng(1).integers(0, 2, (20, 16, 16, 1), np.uint8) * 255
    data = Dataset("bw", "BW", ArrayStore(images), (16, 16, 1), {"all": np.arange(20)}, "test")
    chosen = choose_images(data, 6)
    write_sample(tmp_path / "bw.npz", data, chosen)
    sample = read_sample(tmp_path / "bw.npz", "bw")
    assert np.array_equal(sample.images(np.arange(6)), images[chosen.positions])
    assert sample.notes == ("6 of BW's 20 images.",)


def test_values_cannot_be_chosen_without_a_grid(grid):
    with pytest.raises(DataError, match="no full grid of 2 factors"):
        choose_values(grid, [2, 2])


# Opening it


def test_opening_needs_no_data_set_and_no_network(model_folder, monkeypatch):
    def never(*args, **kwargs):
        raise AssertionError("neither data nor network are needed")

    monkeypatch.setattr(socket, "socket", never)
    for name in ("prepare", "load", "download"):
        monkeypatch.setattr(f"engine.data.mnist.{name}", never)
    opened = open_model(model_folder)
    assert len(opened.trained.dataset) == 40
    kept = json.loads((model_folder / "evaluation.json").read_text())
    assert opened.kl.tolist() == kept["kl_per_latent"]
    assert opened.trained.notes == ""


def test_codes_are_those_of_the_images(model_folder):
    """Each image encoded here by the model itself; half precision has eleven bits."""
    opened = open_model(model_folder)
    images = opened.trained.dataset.images(np.arange(40))
    with torch.no_grad():
        found = opened.trained.model.encode(to_tensor(images, torch.device("cpu")))[0].numpy()
    assert np.allclose(opened.means, found, rtol=2**-10, atol=1e-4)


# Never written to


@pytest.mark.parametrize(
    "write",
    [
        lambda run: run.write_state(RunState("stopped", 1, 2)),
        lambda run: run.write_marks({"name": "mine"}),
        lambda run: run.write_evaluation({"metrics": {}}),
        lambda run: run.resolve("cpu", 1),
        lambda run: run.record_shape((28, 28, 1), 3),
        lambda run: (lengthen(run, None, 100), run.keep_length()),
        lambda run: run.locked().__enter__(),
        lambda run: list(train(run)),
        lambda run: keep_checkpoint(run.checkpoint_folder),
    ],
)
def test_nothing_writes_to_a_model(own_gallery, write):
    run = Run.open(own_gallery / "tiny-model")
    before = contents(own_gallery)
    with pytest.raises(RunError, match="belongs to the gallery"):
        write(run)
    assert contents(own_gallery) == before


def test_evaluating_a_model_returns_what_it_came_with(own_gallery, monkeypatch):
    run = Run.open(own_gallery / "tiny-model")
    before = contents(own_gallery)
    kept = json.loads((run.path / "evaluation.json").read_text())["metrics"]
    [found] = [event.result for event in evaluate(run, ["kl", "udr_lasso", "mig"]) if isinstance(event, Evaluated)]
    assert found["metrics"]["kl"] == kept["kl"]
    assert found["metrics"]["udr_lasso"]["value"] is None
    assert contents(own_gallery) == before


def test_discarding_a_model_removes_nothing(own_gallery):
    before = contents(own_gallery)
    Run.open(own_gallery / "tiny-model").discard()
    assert contents(own_gallery) == before


# Copying it


def test_a_copy_is_an_ordinary_run_that_says_how_it_resumes(tiny_gallery, tmp_path, digits_folder):
    before = contents(tiny_gallery)
    copy = copy_model("tiny-model", tmp_path, tiny_gallery)
    assert not copy.shipped
    assert copy.name == "A tiny VAE (copy)"
    model, shipped = (
        load_model(copy, load_dataset("mnist", digits_folder)).model,
        open_model(tiny_gallery / "tiny-model"),
    )
    for name, tensor in shipped.trained.model.networks.state_dict().items():
        assert torch.equal(model.networks.state_dict()[name], tensor)
    copy.config = copy.config.changed(data_folder=digits_folder)
    lengthen(copy, None, 80)
    events = list(train(copy))
    [said] = [event.message for event in events if isinstance(event, Warned)]
    assert "Adam starts afresh" in said
    assert "not, bit for bit" in said
    assert copy.state() == RunState("finished", 80, 80)
    steps = [int(line.split(",")[0]) for line in copy.metrics_file.read_text().splitlines()[1:]]
    assert steps == [10, 20, 30, 40, 50, 60, 70, 80]
    lengthen(copy, None, 90)  # from now on it has an optimiser state of its own
    assert not any(isinstance(event, Warned) for event in train(copy))
    assert contents(tiny_gallery) == before


def test_a_copy_keeps_its_metrics(tiny_gallery, tmp_path, monkeypatch, digits_folder):
    def never(*args):
        raise AssertionError("nothing needs to be computed")

    monkeypatch.setattr("engine.evaluation.evaluate._compute", never)
    copy = copy_model("tiny-model", tmp_path, tiny_gallery)
    copy.config = copy.config.changed(data_folder=digits_folder)
    [found] = [event.result for event in evaluate(copy, ["kl", "elbo"]) if isinstance(event, Evaluated)]
    shipped = Run.open(tiny_gallery / "tiny-model").evaluation()["metrics"]
    assert found["metrics"] == {name: shipped[name] for name in ("kl", "elbo")}


def test_copies_get_names_of_their_own(tiny_gallery, tmp_path):
    first, second = (copy_model("tiny-model", tmp_path, tiny_gallery) for _ in range(2))
    assert (first.path.name, second.path.name) == ("tiny-model", "tiny-model-2")
    with pytest.raises(RunError, match=r"no model 'none'\. It has: tiny-model"):
        copy_model("none", tmp_path, tiny_gallery)


# Damaged files


DAMAGE = {
    "gallery.json": "gallery.json",
    "config.json": "config.json",
    "codes.npy.xz": "codes",
    "checkpoint/model.safetensors": "model.safetensors",
    "../samples/mnist.npz": "images",
}


@pytest.mark.parametrize("name", DAMAGE)
@pytest.mark.parametrize("how", ["empty", "cut", "noise", "gone"])
def test_a_damaged_model_says_which_file(own_gallery, name, how):
    file = own_gallery / "tiny-model" / name
    content = file.read_bytes()
    if how == "gone":
        file.unlink()
    else:
        noise = np.random.default_rng(0).bytes(len(content))
        file.write_bytes({"empty": b"", "cut": content[: len(content) // 2], "noise": noise}[how])
    with pytest.raises(StudioError) as raised:
        open_model(own_gallery / "tiny-model")
    assert DAMAGE[name] in str(raised.value) or (how == "gone" and "checkpoint" in str(raised.value))
    assert "\n" not in str(raised.value)


def test_a_damaged_model_leaves_the_others(own_gallery):
    shutil.copytree(own_gallery / "tiny-model", own_gallery / "another")
    (own_gallery / "tiny-model" / "strip.png").unlink()
    evaluation = own_gallery / "another" / "evaluation.json"
    models, problems = read_gallery(own_gallery)
    assert [model.run.path.name for model in models] == ["another"]
    assert problems == ["The gallery's model tiny-model cannot be shown: strip.png is missing."]
    evaluation.write_text("{}")
    assert read_gallery(own_gallery)[0] == []
    assert "names a number that its evaluation lacks" in read_gallery(own_gallery)[1][0]


def test_no_gallery_is_no_error(tmp_path):
    assert read_gallery(tmp_path / "nowhere") == ([], [])
