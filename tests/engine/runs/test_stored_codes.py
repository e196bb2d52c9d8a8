"""Representations from files: what is read and refused, and metrics with known answers, against runs and by hand."""

import json
import math

import numpy as np
import pytest

from engine.errors import CheckpointError, ConfigError, DataError
from engine.evaluation.catalogue import METRICS, usual_metrics
from engine.evaluation.comparing import compare
from engine.evaluation.evaluate import evaluate
from engine.evaluation.protocols import protocol_text
from engine.evaluation.rows import read_row
from engine.evaluation.table import table_of
from engine.export.traversal import save_latents
from engine.jobs.control import last_event
from engine.jobs.events import Evaluated
from engine.methods.base import Supervision
from engine.runs.archive import read_archive, write_archive
from engine.runs.run import Run, list_runs
from engine.runs.stored_codes import add_representation, load_codes
from engine.runs.trained import load_model_with_data_if_present
from engine.training.lengthening import lengthen
from engine.training.trainer import train

SIZES = (3, 4, 5)
GRID = np.stack(np.meshgrid(*map(np.arange, SIZES), indexing="ij"), axis=-1).reshape(-1, 3)
FACTORS = np.tile(GRID, (12, 1))
"""720 samples: each combination twelve times."""

QUICK = (
    "mig", "sap", "factor_vae", "beta_vae", "disentanglement", "modularity", "explicitness", "irs", "info_m", "info_c",
    "info_e", "mig_nearest", "sap_continuous", "factor_vae_infogan_cr", "beta_vae_infogan_cr", "factor_probe",
    "dci_forest_disentanglement", "dci_forest_completeness", "factor_neighbours", "total_correlation",
    "mean_correlation",
)  # fmt: skip
"""All but those that take more than half a second."""


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """A tenth of the points, two further draws, and no child processes, which take seconds to start."""

    def run(self, work, tasks, what, unit, sizes=None):
        yield from ()
        return [work(*task) for task in tasks]

    monkeypatch.setattr("engine.jobs.processes.Children.run", run)
    for module in ("representation", "ground_truth"):
        monkeypatch.setattr(f"engine.evaluation.{module}.TRAINING", 1000)
        monkeypatch.setattr(f"engine.evaluation.{module}.TESTING", 500)
        monkeypatch.setattr(f"engine.evaluation.{module}.DRAWS", 2)
    monkeypatch.setattr("engine.evaluation.further_scores.DRAWS", 2)


@pytest.fixture
def score(tmp_path):
    """Score arrays: write them to a file, keep it as a run, and return the values of metrics."""

    def scored(metrics, **arrays):
        np.savez(tmp_path / "codes.npz", **arrays)
        run, _ = add_representation(tmp_path / "codes.npz", tmp_path / "runs")
        return last_event(evaluate(run, metrics), Evaluated).result["metrics"]

    return scored


@pytest.fixture(scope="module")
def factor_run(tmp_path_factory, make_run):
    """A run trained for five steps on 360 squares of three factors, with labels."""
    folder = tmp_path_factory.mktemp("squares")
    factors = np.tile(GRID, (6, 1))
    images = np.zeros((360, 28, 28), np.uint8)
    for image, (x, y, grey) in zip(images, factors, strict=True):
        image[4 * y + 4 : 4 * y + 12, 6 * x + 2 : 6 * x + 10] = 95 + 40 * grey
    np.savez(folder / "squares.npz", images=images, factors=factors, labels=factors[:, 0])
    run = make_run(folder, dataset="arrays", data_folder=folder / "squares.npz", steps=5, log_steps=5, latents=4)
    for _ in train(run):
        pass
    return run


def values(found):
    return {name: entry["value"] for name, entry in found.items()}


def standardised(codes):
    return (codes - codes.mean(axis=0)) / codes.std(axis=0)


# Known answers


@pytest.fixture(scope="module")
def of_factors():
    """Arrays of a representation that equals its factors."""
    return {"codes": standardised(FACTORS), "factors": FACTORS, "named_factors": ["factor 0"], "labels": FACTORS[:, 0]}


def test_factors_themselves_are_perfectly_disentangled(score, of_factors):
    every = [name for name in usual_metrics() if not METRICS[name].needs & {"category", "training split"}]
    found = values(score(every, **of_factors))
    without = {name for name, value in found.items() if value is None}
    needs_network = {name for name in every if METRICS[name].needs & {"reconstruction", "kl"}}
    assert without == needs_network | {"sharpness_originals"}
    for name in (
        "factor_vae", "beta_vae", "disentanglement", "irs", "info_m", "info_c", "factor_vae_infogan_cr",
        "beta_vae_infogan_cr", "dci_forest_disentanglement", "dci_forest_completeness", "factor_neighbours",
        "class_neighbours", "dci_informativeness",
    ):  # fmt: skip
        assert found[name] == pytest.approx(1, abs=1e-6), name
    for name in (
        "mig", "mig_ordered", "mig_nearest", "modularity", "explicitness", "info_e", "factor_probe", "class_probe",
        "dci_fast_disentanglement", "dci_fast_completeness", "dci_fast_informativeness", "dci_disentanglement",
        "dci_completeness",
    ):  # fmt: skip
        assert found[name] == pytest.approx(1, abs=0.03), name
    # R² is 1 for a quantity; the accuracy for the named factor falls from 1 to a third by chance.
    assert found["sap_continuous"] == pytest.approx((1 + 1 + 2 / 3) / 3, abs=0.03)
    # The factors of a full grid are independent.
    assert found["total_correlation"] == pytest.approx(0, abs=1e-9)
    assert found["mean_correlation"] == pytest.approx(0, abs=1e-9)


def test_noise_tells_nothing_about_factors(score):
    found = values(score(QUICK, codes=np.random.default_rng(0).standard_normal((720, 3)), factors=FACTORS))
    for name in ("mig", "sap", "sap_continuous", "mig_nearest", "info_e"):
        assert abs(found[name]) < 0.08, name
    assert found["explicitness"] == pytest.approx(0.5, abs=0.06)
    assert found["disentanglement"] < 0.5  # a third by chance, and what points share because their images do
    # By chance, a value of a factor of n values is guessed right once in n times.
    chance = np.mean([1 / size for size in SIZES])
    assert found["factor_probe"] == pytest.approx(chance, abs=0.08)
    assert found["factor_neighbours"] == pytest.approx(chance, abs=0.08)


def test_a_rotation_entangles_and_loses_nothing(score):
    straight = standardised(FACTORS)
    angle = math.pi / 4
    turn = np.array([[math.cos(angle), -math.sin(angle), 0], [math.sin(angle), math.cos(angle), 0], [0, 0, 1]])
    turn = turn @ np.array([[1, 0, 0], [0, math.cos(angle), -math.sin(angle)], [0, math.sin(angle), math.cos(angle)]])
    found = values(score(QUICK, codes=straight @ turn, factors=FACTORS))
    for name in ("mig", "mig_nearest", "sap_continuous", "info_m", "info_c", "dci_forest_disentanglement", "irs"):
        assert found[name] < 0.75, name
    # Linear classifiers and distances do not see a rotation; nor does the correlation of all latents together.
    assert found["factor_neighbours"] == pytest.approx(1, abs=1e-6)
    assert found["explicitness"] == pytest.approx(1, abs=0.03)
    assert found["info_e"] == pytest.approx(1, abs=0.03)
    assert found["total_correlation"] == pytest.approx(0, abs=1e-6)


def test_order_and_sign_of_latents_do_not_matter(score):
    codes = standardised(FACTORS) + 0.4 * np.random.default_rng(1).standard_normal((720, 3))
    exact = [name for name in QUICK if not name.startswith(("dci_", "mig_nearest", "info_"))]
    before = values(score(exact, codes=codes, factors=FACTORS))
    after = values(score(exact, codes=-codes[:, [2, 0, 1]], factors=FACTORS))
    assert after == pytest.approx(before, abs=0.01)


def test_latents_of_a_run_score_as_the_run(tmp_path, factor_run):
    """The file has the same images in the same order, so the drawn ones are the same: all values are equal."""
    metrics = ["mig", "mig_ordered", "sap", "sap_continuous", "factor_vae", "beta_vae", "irs", "factor_vae_infogan_cr",
               "dci_forest_disentanglement", "class_probe", "total_correlation", "factor_probe"]  # fmt: skip
    file = tmp_path / "latents.npz"
    for _ in save_latents(factor_run, file):
        pass
    own = last_event(evaluate(factor_run, metrics), Evaluated).result["metrics"]
    run, _ = add_representation(file, tmp_path / "runs")
    scored = last_event(evaluate(run, metrics), Evaluated).result["metrics"]
    assert values(scored) == pytest.approx(values(own), abs=1e-6)
    assert all(value is not None for name, value in values(scored).items() if name != "mig_ordered")


# What is said about them


def test_a_representation_is_never_taken_for_a_run(tmp_path):
    np.savez(tmp_path / "theirs.npz", codes=FACTORS * 1.0, factors=FACTORS, latent_names=["x", "", "z"])
    run, _ = add_representation(tmp_path / "theirs.npz", tmp_path / "runs")
    entry = last_event(evaluate(run, ["mig"]), Evaluated).result["metrics"]["mig"]
    assert entry["protocol"]["from_elsewhere"]["contents"] == run.config.method.contents
    assert "codes (720 × 3) in theirs.npz, contents" in protocol_text(entry, METRICS["mig"])
    row = read_row(Run.open(run.path))
    assert row.supervision is Supervision.UNKNOWN
    assert row.method == "Representation from a file"
    assert "no encoder" in row.reason("reconstruction")
    assert run.marks()["latents"] == {"0": "x", "2": "z"}
    [line] = table_of([row]).lines
    assert [cell.text for cell in line.cells[:3]] == ["theirs", "Representation from a file", "not known"]


def test_representations_are_ranked_among_those_of_the_same_factors_only(tmp_path):
    noise = np.random.default_rng(0).standard_normal((720, 3))
    for name, codes, factors in (
        ("good", FACTORS, FACTORS),
        ("bad", noise, FACTORS),
        ("other", FACTORS, FACTORS[::-1]),
    ):
        np.savez(tmp_path / f"{name}.npz", codes=codes, factors=factors)
        run, _ = add_representation(tmp_path / f"{name}.npz", tmp_path / "runs")
        last_event(evaluate(run, ["mig"]), Evaluated)
    rows = {row.name: row for row in (read_row(Run.open(path)) for path in list_runs(tmp_path / "runs"))}
    assert rows["good"].data == rows["bad"].data != rows["other"].data
    table = table_of([*rows.values()])
    best = {line.title: line.cells[table.index("mig")].best for line in table.lines}
    assert best == {"good": True, "bad": False, "other": False}


def test_codes_are_compared_by_udr_and_not_by_images(tmp_path):
    runs = []
    for name, codes in (("one", FACTORS), ("two", -FACTORS[:, ::-1])):
        np.savez(tmp_path / f"{name}.npz", codes=codes, factors=FACTORS)
        runs.append(add_representation(tmp_path / f"{name}.npz", tmp_path / "runs")[0])
    found = [
        e.result["metrics"] for e in compare(runs, ["udr_spearman", "model_centrality"]) if isinstance(e, Evaluated)
    ]
    # Rank correlations of independent factors with themselves are 1 and with others 0: the definition gives 1.
    assert [each["udr_spearman"]["value"] for each in found] == pytest.approx([1, 1], abs=1e-6)
    assert "no encoder or no decoder" in found[0]["model_centrality"]["reason"]


def test_a_representation_cannot_be_trained_or_traversed(tmp_path):
    np.savez(tmp_path / "codes.npz", codes=FACTORS, factors=FACTORS)
    run, _ = add_representation(tmp_path / "codes.npz", tmp_path / "runs")
    with pytest.raises(ConfigError, match="no network to train"):
        list(train(run))
    with pytest.raises(ConfigError, match="no network to train"):
        lengthen(run, 3, None)
    with pytest.raises(CheckpointError, match="cannot be traversed"):
        load_model_with_data_if_present(run)
    assert run.state().state == "finished"


def test_an_archive_carries_a_representation(tmp_path):
    np.savez(tmp_path / "codes.npz", codes=FACTORS, factors=FACTORS, labels=FACTORS[:, 1], split=FACTORS[:, 0] // 2,
             split_names=["train", "test"], images=np.zeros((720, 8, 9), np.uint8))  # fmt: skip
    run, _ = add_representation(tmp_path / "codes.npz", tmp_path / "runs")
    for _ in write_archive([run], tmp_path / "run.zip"):
        pass
    for _ in read_archive(tmp_path / "run.zip", tmp_path / "elsewhere"):
        pass
    [path] = list_runs(tmp_path / "elsewhere")
    codes, dataset = load_codes(Run.open(path))
    np.testing.assert_array_equal(codes.numpy(), FACTORS)
    np.testing.assert_array_equal(dataset.factors.classes(np.arange(720)), FACTORS)
    np.testing.assert_array_equal(dataset.labels, FACTORS[:, 1])
    np.testing.assert_array_equal(dataset.splits["test"], np.flatnonzero(FACTORS[:, 0] == 2))
    assert dataset.images(np.arange(3)).shape == (3, 8, 9, 1)


# Reading


def test_continuous_factors_are_scored_where_that_has_a_meaning(score):
    factors = np.random.default_rng(0).random((720, 2))
    found = score(["sap_continuous", "mig"], codes=factors, factors=factors)
    # R² of a factor and itself is 1, and of two independent ones 1/n on average.
    assert found["sap_continuous"]["value"] == pytest.approx(1, abs=0.03)
    assert "720 values; the scores accept at most 256" in found["mig"]["reason"]


def test_whole_factors_may_be_written_as_floats(score):
    found = values(score(["mig"], codes=FACTORS, factors=FACTORS * 0.5))
    assert found == values(score(["mig"], codes=FACTORS, factors=FACTORS))


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"factors": FACTORS}, "has no array 'codes'; it has factors"),
        ({"codes": FACTORS[:, 0]}, r"'codes' in codes.npz has the shape \(720,\); it must be \(samples, latents\)"),
        ({"codes": np.full((720, 2), np.nan)}, "values that are not finite numbers, first in row 0"),
        ({"codes": np.array([["a", "b"]] * 720)}, "has the type <U1; it must be numbers"),
        ({"codes": np.array([[1, None]] * 720)}, "array of Python objects, which could execute code"),
        ({"codes": FACTORS[:60]}, "has 60 samples; at least 100 are needed"),
        ({"codes": np.zeros((100, 257))}, "has 257 latents; at most 256"),
        ({"codes": FACTORS, "factors": FACTORS[:700]}, r"'factors' in codes.npz has the shape \(700, 3\)"),
        ({"codes": FACTORS, "factors": FACTORS[:, 0]}, r"it must be \(720, factors\), a row for each code"),
        ({"codes": FACTORS, "factors": FACTORS, "factor_names": ["a", "b"]}, "'factor_names' in codes.npz must be 3"),
        ({"codes": FACTORS, "factors": FACTORS, "factor_names": ["a", "b", "a"]}, "has a name twice"),
        ({"codes": FACTORS, "factors": FACTORS, "named_factors": ["hue"]}, "'hue', which is none of its factors"),
        ({"codes": FACTORS, "factors": np.where(FACTORS, np.inf, 0)}, "'factors' in codes.npz has values that are not"),
        ({"codes": FACTORS, "labels": FACTORS[:, 0] / 2}, "type float64; classes are whole numbers"),
        ({"codes": FACTORS, "labels": FACTORS}, r"'labels' in codes.npz has the shape \(720, 3\)"),
        ({"codes": FACTORS, "latent_names": ["x"]}, "'latent_names' in codes.npz must be 3 strings"),
        ({"codes": FACTORS, "images": np.zeros((720, 8))}, r"'images' in codes.npz has the shape \(720, 8\)"),
        ({"codes": FACTORS, "images": np.full((720, 4, 4), 2.0)}, "not numbers from 0 to 1"),
        ({"codes": FACTORS, "split": FACTORS[:, 0], "split_names": ["train", "test"]}, "none of the 2 'split_names'"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_said_in_a_sentence(tmp_path, arrays, words):
    np.savez(tmp_path / "codes.npz", **arrays)
    with pytest.raises(DataError, match=words):
        add_representation(tmp_path / "codes.npz", tmp_path / "runs")
    assert list_runs(tmp_path / "runs") == []


def test_a_damaged_file_is_said_to_be_damaged(tmp_path):
    np.savez_compressed(tmp_path / "codes.npz", codes=FACTORS)
    content = bytearray((tmp_path / "codes.npz").read_bytes())
    content[len(content) // 2] ^= 255
    (tmp_path / "codes.npz").write_bytes(content)
    with pytest.raises(DataError, match="damaged"):
        add_representation(tmp_path / "codes.npz", tmp_path / "runs")
    (tmp_path / "codes.npz").write_bytes(content[:40])
    with pytest.raises(DataError, match="truncated"):
        add_representation(tmp_path / "codes.npz", tmp_path / "runs")


def test_kept_codes_that_were_tampered_with_are_damaged(tmp_path):
    np.savez(tmp_path / "codes.npz", codes=FACTORS, factors=FACTORS)
    run, _ = add_representation(tmp_path / "codes.npz", tmp_path / "runs")
    file = run.checkpoint_folder / "model.safetensors"
    content = file.read_bytes()
    about = json.dumps({"factor_sizes": [3, 4, 5]})[1:-1].replace('"', '\\"').replace(" ", "").encode()
    assert about in content
    file.write_bytes(content.replace(about, about.replace(b"5", b"4")))
    with pytest.raises(CheckpointError, match="damaged"):
        load_codes(run)
