"""Exported traversals, read back with other libraries, and the latents of a data set."""

from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from engine.errors import ConfigError, RunError
from engine.export.summary import traversal_caption, write_report
from engine.export.traversal import Look, frames, save_frames, save_latents, save_traversal
from engine.figures.drawing import traversal_figure
from engine.figures.report_figures import REPORT_FIGURES
from engine.jobs.events import Finished, Progress
from engine.runs.latent_names import latent_names, latent_title
from engine.traversal import choose_latents, encode, start_from_prior, traverse, traverse_from

IMAGE = 1600


@pytest.fixture(scope="module")
def traversal(trained, kl):
    return traverse(trained, IMAGE, (4, 1), kl, (-3, 3), 5)


def test_a_gif_shows_each_latent_back_and_forth_pixel_by_pixel(tmp_path, traversal):
    save_traversal(traversal, tmp_path / "t.gif", Look(labels=False, caption="tiny, image 1,600"))
    there_and_back = [0, 1, 2, 3, 4, 3, 2, 1]
    expected = [traversal.images[row, column, ..., 0] for row in (0, 1) for column in there_and_back]
    expected = [e for e, before in zip(expected, [None, *expected], strict=False) if not np.array_equal(e, before)]
    with Image.open(tmp_path / "t.gif") as gif:
        assert gif.info["loop"] == 0
        assert gif.info["comment"] == b"tiny, image 1,600"
        assert gif.n_frames == len(expected)
        for number, picture in enumerate(expected):
            gif.seek(number)
            shown = np.asarray(gif.convert("L"))
            assert shown.shape == (280, 280)
            np.testing.assert_array_equal(shown[5::10, 5::10], picture)


def test_one_latent_is_animated_alone(trained, kl):
    assert len(frames(traverse(trained, IMAGE, [2], kl, steps=6), Look())) == 10


def test_frames_are_pngs_in_order_with_text_below(tmp_path, traversal):
    look = Look(names={4: "thickness"})
    save_frames(traversal, tmp_path / "new" / "frames", look)
    files = sorted((tmp_path / "new" / "frames").iterdir())
    assert [file.name for file in files] == [f"{number:04d}.png" for number in range(1, 17)]
    first = np.asarray(Image.open(files[0]))
    assert first.shape[0] > first.shape[1] == 280
    np.testing.assert_array_equal(first[5:280:10, 5::10], traversal.images[0, 0, ..., 0])
    below = first[280:]
    assert below.min() < 60 < 250 < below.max()  # dark words on white
    unnamed = np.asarray(frames(traversal, Look())[0])
    assert not np.array_equal(unnamed[280:], below)
    with pytest.raises(RunError, match="exists already"):
        save_frames(traversal, tmp_path / "new" / "frames", look)
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["frames"]


@pytest.mark.parametrize("labels", [True, False])
@pytest.mark.parametrize(("width", "dpi"), [(8.0, 100), (17.0, 300)])
def test_a_figure_has_the_requested_width(tmp_path, traversal, width, dpi, labels):
    save_traversal(traversal, tmp_path / "t.png", Look(width, dpi, labels, "a caption"))
    with Image.open(tmp_path / "t.png") as image:
        assert image.width == pytest.approx(width / 2.54 * dpi, abs=1)
        assert image.text["Description"] == "a caption"


def test_without_labels_a_figure_has_only_pictures(traversal):
    bare = traversal_figure(traversal, labels=False)
    assert bare.texts == []
    assert len(bare.artists) == 12
    boxes = np.array([image.get_window_extent().extents for image in bare.artists])
    whole = bare.bbox.extents.reshape(2, 2)
    np.testing.assert_allclose([boxes[:, :2].min(0), boxes[:, 2:].max(0)], whole, atol=1e-9)


@pytest.mark.parametrize("width", [6.0, 9.0, None])
def test_texts_of_a_figure_do_not_overlap(trained, kl, width):
    result = traverse(trained, IMAGE, choose_latents(kl), kl)
    figure = traversal_figure(result, "word " * 40, {0: "a quite long name of a latent"}, width=width)
    boxes = [text.get_window_extent() for text in figure.texts]
    for number, box in enumerate(boxes):
        assert box.x0 >= 0
        assert box.x1 <= figure.bbox.width
        assert not any(box.overlaps(other) for other in boxes[number + 1 :])


def test_from_the_prior_the_first_column_is_the_start(trained, kl):
    result = traverse_from(trained, start_from_prior(trained), [3], kl, steps=3)
    figure = traversal_figure(result)
    np.testing.assert_array_equal(figure.artists[0].get_array(), result.reconstruction[..., 0])
    assert "start" in {text.get_text() for text in figure.texts}


def test_an_npz_contains_the_arrays(tmp_path, traversal):
    save_traversal(traversal, tmp_path / "t.npz", Look(caption="a caption", names={1: "slant"}))
    with np.load(tmp_path / "t.npz", allow_pickle=False) as file:
        for name in ("images", "original", "reconstruction", "latents", "kl", "mean", "deviation", "step"):
            np.testing.assert_array_equal(file[name], getattr(traversal, name))
        np.testing.assert_array_equal(file["values"], traversal.values[0])  # once, since all rows have the same
        assert str(file["caption"]) == "a caption"
        assert file["latent_names"].tolist() == ["", "slant"]
        assert "label" not in file


@pytest.mark.parametrize(
    ("look", "words"),
    [
        (Look(width=0.5), "from 1 to 200"),
        (Look(width=float("nan")), "from 1 to 200"),
        (Look(dpi=5), "from 20 to 2,400"),
        (Look(width=100, dpi=1200), "more than 20,000 pixels"),
        (Look(width=1.2), "need more than 1.2 cm"),
    ],
)
def test_a_size_that_cannot_be_drawn_is_rejected(tmp_path, traversal, look, words):
    with pytest.raises(ConfigError, match=words):
        save_traversal(traversal, tmp_path / "t.png", look)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["t.gif", "t.npz", "t.png"])
def test_an_unwritable_path_gets_a_message(tmp_path, traversal, name):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(RunError, match=f"{name} cannot be written"):
        save_traversal(traversal, tmp_path / "file" / name, Look())


# Captions and names


def test_a_caption_names_run_image_step_latents_and_range(trained, traversal):
    assert traversal_caption(trained.run, "image 1,600", traversal, {1: "slant"}) == (
        "tiny (VAE, seed 0), image 1,600, step 60: z4, z1 (slant) from -3 to +3"
    )


def test_caption_and_arrays_of_a_conditional_model_name_the_label(tmp_path, conditional):
    conditional = replace(conditional, dataset=replace(conditional.dataset, label_names=tuple("abcdefghij")))
    result = traverse_from(conditional, start_from_prior(conditional, label=7), [0], np.ones(10), (-1.5, 2), 3)
    save_traversal(result, tmp_path / "t.npz", Look())
    with np.load(tmp_path / "t.npz", allow_pickle=False) as file:
        assert (int(file["label"]), str(file["label_name"])) == (7, "h")
    assert traversal_caption(conditional.run, "the prior", result, {}) == (
        "by label (Conditional VAE, seed 0), the prior, step 10, label h: z0 from -1.5 to +2"
    )


def test_names_of_latents_are_stored_with_the_run_and_shown_in_its_report(tmp_path, tiny_copy):
    tiny_copy.write_marks(tiny_copy.marks() | {"latents": {"3": "thick ness"}})
    assert latent_names(tiny_copy.marks()) == {3: "thick ness"}
    assert (latent_title(3, {3: "thickness"}), latent_title(4, {3: "thickness"})) == ("z3 (thickness)", "z4")
    for _ in write_report(tiny_copy, tmp_path / "report"):
        pass
    with Image.open(tmp_path / "report" / "traversal.png") as image:
        assert "z3 (thick ness)" in image.text["Description"]


@pytest.mark.parametrize("kept", [None, [], "x", {"a": "b", "3": 4, "-1": "c", "5": ""}])
def test_damaged_names_are_left_out(kept):
    assert latent_names({"latents": kept}) == {}


def test_a_name_is_text_in_the_svg(tmp_path, traversal):
    save_traversal(traversal, tmp_path / "t.svg", Look(names={4: "thickness"}, caption="the caption"))
    words = [word.strip() for word in ElementTree.parse(tmp_path / "t.svg").getroot().itertext()]
    assert "thickness" in words
    assert words.count("the caption") == 2  # below the pictures, and in the metadata


@pytest.mark.parametrize(
    ("number", "settings"),
    [
        (2, {"objective": "beta-vae"}),
        (3, {"objective": "beta-vae", "conditional": True}),
        (4, {"objective": "annealed-relu", "conditional": True}),
        (4, {"objective": "annealed-abs", "conditional": True}),
        (5, {"objective": "annealed-relu", "dataset": "dsprites", "data_folder": None}),
    ],
)
def test_each_figure_of_the_report_accepts_only_its_kind_of_run(tmp_path, make_run, number, settings):
    # The methods and data sets of the report's captions and section 3.2.
    run = make_run(tmp_path, **settings)
    accepted = []
    for preset in REPORT_FIGURES.values():
        try:
            preset.check(run)
        except ConfigError:
            continue
        accepted.append(preset.number)
    assert accepted == [number]


# Latents of a data set


def test_latents_of_a_data_set_are_its_posteriors_with_labels_and_splits(tmp_path, trained, tiny_run):
    events = list(save_latents(tiny_run, tmp_path / "latents.npz"))
    assert isinstance(events[-1], Finished)
    assert events[-1].message == f"The latents of 1,797 images are in {tmp_path / 'latents.npz'}"
    dones = [event.done for event in events if isinstance(event, Progress) and event.unit == "images"]
    assert dones == sorted(dones)
    assert dones[-1] == 1797
    expected = encode(trained, trained.dataset.images(np.arange(1797)))
    with np.load(tmp_path / "latents.npz", allow_pickle=False) as file:
        np.testing.assert_allclose(file["means"], expected.mean, atol=1e-5)
        np.testing.assert_allclose(file["log_variances"], expected.log_variance, atol=1e-5)
        np.testing.assert_array_equal(file["labels"], trained.dataset.labels)
        assert file["label_names"].tolist() == list("0123456789")
        assert file["split_names"][file["split"][[0, 1499, 1500, 1796]]].tolist() == ["train", "train", "test", "test"]
        assert int(file["step"]) == 60
        assert "factors" not in file


def test_latents_include_factors_if_there_are_some(tmp_path, make_run):
    from engine.training.trainer import train

    values = np.stack([np.repeat([0, 5], 32), np.tile(np.arange(32), 2)], axis=1)
    images = (values[:, 1, None, None] * np.ones((1, 28, 28))).astype(np.uint8)
    np.savez(tmp_path / "ours.npz", images=images, factors=values, factor_names=["size", "grey"])
    run = make_run(tmp_path, dataset="arrays", data_folder=tmp_path / "ours.npz", steps=2)
    for _ in train(run):
        pass
    for _ in save_latents(run, tmp_path / "latents.npz"):
        pass
    with np.load(tmp_path / "latents.npz", allow_pickle=False) as file:
        np.testing.assert_array_equal(file["factor_values"], values)
        np.testing.assert_array_equal(file["factors"], np.stack([values[:, 0] // 5, values[:, 1]], axis=1))
        assert file["factor_names"].tolist() == ["size", "grey"]
        assert "labels" not in file


def test_abandoned_latents_leave_nothing_behind(tmp_path, tiny_run):
    (tmp_path / "out").mkdir()
    job = save_latents(tiny_run, tmp_path / "out" / "latents.npz")
    while not (isinstance(event := next(job), Progress) and event.unit == "images" and event.done > 100):
        pass
    job.close()
    assert list((tmp_path / "out").iterdir()) == []


def test_latents_have_one_format(tmp_path, tiny_run):
    with pytest.raises(ConfigError, match=r"use one of \.npz"):
        list(save_latents(tiny_run, tmp_path / "latents.csv"))
