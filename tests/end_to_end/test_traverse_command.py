"""`traverse`, `sweep` and `latents`, as scripts use them."""

import shutil

import numpy as np
import pytest
from PIL import Image

from engine.runs.run import Run


@pytest.fixture
def run(tmp_path, tiny_run):
    """The trained run under the name "tiny", where the commands look for it."""
    return Run.open(shutil.copytree(tiny_run.path, tmp_path / "runs" / "tiny"))


@pytest.fixture
def conditional_run(tmp_path, conditional_source):
    """A trained conditional β-VAE under the name "by-label"."""
    return Run.open(shutil.copytree(conditional_source.path, tmp_path / "runs" / "by-label"))


@pytest.fixture(scope="module")
def conditional_source(tmp_path_factory, make_run):
    from engine.training.trainer import train

    settings = {"conditional": True, "objective": "beta-vae", "network": "report", "normalisation": "batch"}
    run = make_run(tmp_path_factory.mktemp("by-label"), "by-label", steps=40, **settings)
    for _ in train(run):
        pass
    return run


def saved(path):
    with np.load(path, allow_pickle=False) as file:
        return dict(file)


def test_each_ending_gives_that_kind_of_file(run_main, run, tmp_path):
    signs = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF-", "gif": b"GIF89a", "npz": b"PK"}
    for ending, sign in signs.items():
        file = tmp_path / "out" / f"t.{ending}"
        status, out, _ = run_main("traverse", "tiny", "--output", file, "--latents", "1,2", "--steps", 3)
        assert (status, out.strip()) == (0, str(file))
        assert file.read_bytes().startswith(sign)


def test_a_png_has_the_width_and_resolution_asked_for_and_a_caption_with_names(run_main, run, tmp_path):
    run.write_marks(run.marks() | {"latents": {"2": "thickness"}})
    file = tmp_path / "t.png"
    arguments = ["--latents", "2", "--range", "-1", "1", "--width", 10, "--dpi", 254, "--image", 3]
    for more in ([], ["--no-labels"]):
        assert run_main("traverse", "tiny", "--output", file, *arguments, *more)[0] == 0
        with Image.open(file) as image:
            assert image.width == pytest.approx(1000, abs=1)
            expected = "tiny (VAE, seed 0), image 3, step 60: z2 (thickness) from -1 to +1"
            assert image.text["Description"] == expected


def test_frames_lie_beside_the_gif(run_main, run, tmp_path):
    status, *_ = run_main("traverse", "tiny", "--output", tmp_path / "t.gif", "--latents", 0, "--steps", 3, "--frames")
    assert status == 0
    assert sorted(file.name for file in (tmp_path / "t").iterdir()) == ["0001.png", "0002.png", "0003.png", "0004.png"]


def test_a_picture_from_a_file_is_what_the_same_image_of_the_data_is(run_main, run, tmp_path, trained_images):
    image = trained_images[1600]
    Image.fromarray(255 - image[..., 0].repeat(4, 0).repeat(4, 1)).save(tmp_path / "seven.png")
    status, *_ = run_main("traverse", "tiny", "--output", tmp_path / "t.npz", "--input", tmp_path / "seven.png")
    assert status == 0
    found = saved(tmp_path / "t.npz")
    assert found["original"].shape == (28, 28, 1)
    assert found["original"].max() > 200
    assert "file seven.png" in str(found["caption"])


@pytest.fixture
def trained_images(digits_folder):
    from engine.data import load_dataset

    return load_dataset("mnist", digits_folder).images(np.arange(1797))


def test_the_prior_and_a_picture_need_no_data_set_and_say_so(run_main, run, tmp_path):
    Image.linear_gradient("L").save(tmp_path / "a.png")
    for source in (["--prior"], ["--input", tmp_path / "a.png"]):
        file = tmp_path / "t.npz"
        status, _, err = run_main("traverse", "tiny", "--output", file, *source, "--data", tmp_path / "gone")
        assert status == 0
        assert err.startswith("Note: without the data set")
        assert "gone does not exist" in err
        kl = saved(file)["kl"]
        assert kl[0] > kl[-1] > 0
    status, _, err = run_main("traverse", "tiny", "--output", tmp_path / "t.png", "--data", tmp_path / "gone")
    assert status == 1
    assert "gone does not exist" in err
    assert "--prior" in err


def test_from_the_prior_all_other_latents_are_zero(run_main, run, tmp_path):
    assert run_main("traverse", "tiny", "--output", tmp_path / "t.npz", "--prior")[0] == 0
    found = saved(tmp_path / "t.npz")
    np.testing.assert_array_equal(found["mean"], 0)
    assert "original" not in found
    assert "the prior" in str(found["caption"])


def test_a_figure_of_the_report_shows_latents_with_significant_kl(run_main, conditional_run, tmp_path):
    file = tmp_path / "t.npz"
    status, *_ = run_main("traverse", "by-label", "--output", file, "--figure", 3, "--label", 4)
    assert status == 0
    found = saved(file)
    assert (found["values"][0], found["values"][-1], int(found["label"])) == (-3, 3, 4)
    assert (found["kl"] >= 0.1).all()
    assert ", label 4: z" in str(found["caption"])
    everything = tmp_path / "all.npz"
    run_main("traverse", "by-label", "--output", everything)
    kl = saved(everything)["kl"]
    assert len(found["kl"]) == (kl >= 0.1).sum()


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["--output", "t.jpg"], 2, ".png, .svg, .pdf, .gif, .npz"),
        (["--output", "t.png", "--steps", "1"], 2, "--steps is 1; it must be from 2 to 101"),
        (["--output", "t.png", "--range", "2", "2"], 2, "two different numbers"),
        (["--output", "t.png", "--range", "nan", "2"], 2, "two different numbers"),
        (["--output", "t.png", "--latents", "a"], 2, "--latents is 'a'"),
        (["--output", "t.png", "--latents", "10"], 2, "no latent 10; the model has 10"),
        (["--output", "t.png", "--latents", "1", "--min-kl", "1"], 2, "not allowed with"),
        (["--output", "t.png", "--image", "1", "--prior"], 2, "not allowed with"),
        (["--output", "t.png", "--image", "1797"], 2, "no image 1797"),
        (["--output", "t.png", "--label", "1"], 2, "tiny is not conditional"),
        (["--output", "t.png", "--prior", "--label", "1"], 2, "tiny is not conditional"),
        (["--output", "t.png", "--width", "0"], 2, "from 1 to 200"),
        (["--output", "t.png", "--dpi", "1"], 2, "from 20 to 2,400"),
        (["--output", "t.png", "--frames"], 2, "--frames needs a .gif"),
        (["--output", "t.png", "--figure", "2"], 2, "Figure 2 of the report shows a β-VAE on MNIST"),
        (["--output", "t.png", "--figure", "6"], 2, "invalid choice"),
        (["--output", "t.png", "--min-kl", "1000"], 1, "No latent of tiny"),
        (["--output", "t.png", "--input", "none.png"], 1, "none.png cannot be read"),
        (["--output", "t.png", "--checkpoint", "7"], 1, "no checkpoint kept at step 7"),
        ([], 2, "--output"),
    ],
)
def test_wrong_use_is_one_line(run_main, run, monkeypatch, tmp_path, arguments, status, words):
    monkeypatch.chdir(tmp_path)
    code, out, err = run_main("traverse", "tiny", *arguments)
    assert (code, out) == (status, "")
    assert words in err
    assert len(err.strip().splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["runs"]


def test_latents_of_the_whole_data_set_are_saved(run_main, run, tmp_path):
    status, out, _ = run_main("latents", "tiny", "--output", tmp_path / "l.npz")
    assert (status, out.strip()) == (0, str(tmp_path / "l.npz"))
    assert saved(tmp_path / "l.npz")["means"].shape == (1797, 10)
    status, _, err = run_main("latents", "tiny", "--output", tmp_path / "l.csv")
    assert status == 2
    assert "use one of .npz" in err


def test_inferred_against_true_factors_is_drawn_and_its_correlations_are_said(run_main, make_run, tmp_path):
    from engine.training.trainer import train

    grid = np.stack([a.ravel() for a in np.indices((2, 5, 6))], axis=1)
    images = np.zeros((60, 32, 32), np.uint8)
    for image, (_, x, y) in zip(images, grid, strict=True):
        image[4 * y : 4 * y + 6, 4 * x : 4 * x + 6] = 255
    np.savez(tmp_path / "grid.npz", images=images, factors=grid, factor_names=["colour", "x", "y"])
    settings = {"dataset": "arrays", "data_folder": tmp_path / "grid.npz", "batch_size": 8, "objective": "vae"}
    list(train(make_run(tmp_path / "runs", "on-a-grid", **settings)))
    file = tmp_path / "sweeps.png"
    status, out, err = run_main("sweep", "on-a-grid", "--output", file)
    assert (status, out.strip()) == (0, str(file))
    assert all(f"{factor} · |ρ| = " in err for factor in "xy")
    with Image.open(file) as image:
        assert image.text["Description"] == "on-a-grid (VAE, seed 0), step 60"


def test_a_run_without_factors_is_not_swept_and_says_why(run_main, run, tmp_path):
    status, _, err = run_main("sweep", "tiny", "--output", tmp_path / "sweeps.png")
    assert (status, err.splitlines()[-1]) == (1, "main.py: MNIST has no ground-truth factors.")
    status, _, err = run_main("sweep", "tiny", "--output", tmp_path / "sweeps.gif")
    assert status == 2
    assert ".png, .svg, .pdf" in err
