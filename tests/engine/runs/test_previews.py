"""Previews do not disturb training, and are saved as PNG files that can be loaded again."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from engine.data import load_dataset
from engine.evaluation.factor_links import Follower
from engine.jobs.events import Link, Preview
from engine.runs import previews
from engine.runs.previews import drop_after, is_due, list_previews, load_links, load_preview, rows_for, save_preview
from engine.runs.trained import load_model
from engine.training.previewer import Previewer


def make_preview(step=30, images=8, rows=5, side=28, channels=1):
    rng = np.random.default_rng(step)
    return Preview(
        step=step,
        originals=rng.integers(0, 256, (images, side, side, channels), np.uint8),
        reconstructions=rng.integers(0, 256, (images, side, side, channels), np.uint8),
        traversal=rng.integers(0, 256, (rows, 8, side, side, channels), np.uint8),
        latents=tuple(range(rows)),
        kl_per_latent=tuple(float(k) for k in np.round(rng.uniform(0, 3, 10), 4)),
        links=(Link(1, "x position", 0.4321, 500), Link(2, "class", 0.9, 500, ("7", "", "cat"))),
    )


@pytest.mark.parametrize(
    "shape", [{}, {"images": 3}, {"images": 1, "rows": 1}, {"side": 64}, {"channels": 3, "rows": 2}], ids=str
)
def test_a_preview_is_loaded_as_saved(tmp_path, shape):
    preview = make_preview(**shape)
    save_preview(tmp_path / "previews", preview)
    (path,) = list_previews(tmp_path / "previews")
    again = load_preview(path)
    assert again is not None
    for name in ("originals", "reconstructions", "traversal"):
        np.testing.assert_array_equal(getattr(again, name), getattr(preview, name))
    assert (again.step, again.latents) == (preview.step, preview.latents)
    assert again.kl_per_latent == pytest.approx(preview.kl_per_latent, abs=5e-5)
    assert again.links == load_links(path) == preview.links


def test_names_in_a_picture_from_elsewhere_are_made_harmless(tmp_path):
    save_preview(tmp_path, replace(make_preview(), links=(Link(0, "a\n\u202eb" + 99 * "c", 0.5, 9),)))
    [link] = load_preview(list_previews(tmp_path)[0]).links
    assert link.factor == "a b" + 36 * "c" + "…"


def test_a_picture_of_an_earlier_version_has_no_links_and_its_rows_in_order(tmp_path):
    # Version 1.0.0 ordered the rows by KL, which made them change places, and knew no links.
    about = '{"step": 1, "tile": [4, 4, 1], "images": 8, "latents": [2, 0, 1], "kl": [1.5, 0.2, 3.0]}'
    text = PngInfo()
    text.add_text("disentangle-studio", about)
    pixels = np.repeat(np.arange(5, dtype=np.uint8) * 10, 4)[:, None] + np.zeros((1, 32), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "000000001.png", pnginfo=text)
    preview = load_preview(tmp_path / "000000001.png")
    assert (preview.latents, preview.kl_per_latent, preview.links) == ((0, 1, 2), (1.5, 0.2, 3.0), ())
    assert preview.traversal[:, 0, 0, 0, 0].tolist() == [30, 40, 20]


def test_pictures_are_close_at_the_start_of_a_run_and_then_regular():
    due = {every: [step for step in range(1, 1501) if is_due(step, every)] for every in (7, 100, 500, 10_000)}
    assert due[7] == [1, *range(7, 1501, 7)]
    assert due[100] == [1, 10, 20, *range(100, 1501, 100)]
    assert due[500] == [1, 10, 20, 50, 100, 500, 1000, 1500]
    assert due[10_000] == [1, 10, 20, 50, 100, 200, 500]


def test_a_latent_keeps_its_row_and_a_new_one_takes_that_of_an_inactive_one():
    assert rows_for((), (5.0, 0.0, 9.0), 3) == rows_for((), (), 3) == (0, 1, 2)
    first = rows_for((), (0.0,) * 14, 14)
    assert first == tuple(range(10))
    kl = [0.0] * 14
    kl[3], kl[0], kl[12], kl[13] = 2.0, 0.5, 1.0, 4.0
    second = rows_for(first, kl, 14)
    assert second == (0, 13, 12, 3, 4, 5, 6, 7, 8, 9)  # by hand: 13 before 12 into the first free rows, 1 and 2
    kl[0] = kl[13] = 0.0
    assert rows_for(second, kl, 14) == second  # nobody waits for their rows
    assert rows_for(second, [1.0] * 14, 14) == second  # no row is free
    assert rows_for(second, (), 14) == second


def test_the_file_is_a_picture_of_originals_reconstructions_and_rows(tmp_path):
    preview = make_preview()
    save_preview(tmp_path, preview)
    with Image.open(list_previews(tmp_path)[0]) as image:
        assert image.format == "PNG"
        assert image.size == (8 * 28, 7 * 28)
        pixels = np.asarray(image)
    np.testing.assert_array_equal(pixels[:28, 28:56], preview.originals[1, ..., 0])
    np.testing.assert_array_equal(pixels[28:56, :28], preview.reconstructions[0, ..., 0])
    np.testing.assert_array_equal(pixels[84:112, 196:], preview.traversal[1, 7, ..., 0])


def test_previews_are_listed_by_step(tmp_path):
    for step in (1000, 30, 200, 100_000):
        save_preview(tmp_path, make_preview(step))
    (tmp_path / "notes.txt").write_bytes(b"")
    steps = [load_preview(path).step for path in list_previews(tmp_path)]  # type: ignore[union-attr]
    assert steps == [30, 200, 1000, 100_000]


def test_a_long_history_is_thinned_evenly(tmp_path, monkeypatch):
    monkeypatch.setattr(previews, "MAX_PREVIEWS", 40)
    steps = [1, *range(500, 150_001, 500)]
    for step in steps:
        save_preview(tmp_path, make_preview(step, rows=1, images=1, side=4))
        kept = [int(path.stem) for path in list_previews(tmp_path)]
        assert len(kept) <= 40
        assert (kept[0], kept[-1]) == (1, step)
    # 150,000 steps in 40 pictures are 3,750 each; doubling the distance where it must be leaves at most four times it.
    assert np.diff(kept).max() <= 4 * 3750
    assert set(kept) <= set(steps)


def test_previews_after_the_step_of_a_resume_are_removed(tmp_path):
    for step in (1, 30, 60, 90):
        save_preview(tmp_path, make_preview(step))
    drop_after(tmp_path, 60)
    assert [int(path.stem) for path in list_previews(tmp_path)] == [1, 30, 60]


def test_a_missing_folder_has_no_previews(tmp_path):
    assert list_previews(tmp_path / "previews") == []


@pytest.mark.parametrize("part", [0.0, 0.1, 0.5, 0.9])
def test_a_truncated_picture_is_not_a_preview(tmp_path, part):
    save_preview(tmp_path, make_preview())
    (path,) = list_previews(tmp_path)
    content = path.read_bytes()
    path.write_bytes(content[: int(part * len(content))])
    assert load_preview(path) is None


def test_other_files_are_not_previews(tmp_path):
    assert load_preview(tmp_path / "gone.png") is None
    assert load_preview(tmp_path) is None
    Image.new("L", (224, 196)).save(tmp_path / "other.png")
    assert load_preview(tmp_path / "other.png") is None
    (tmp_path / "text.png").write_bytes(b"not a picture")
    assert load_preview(tmp_path / "text.png") is None


@pytest.mark.parametrize(
    "about",
    [
        "{",
        "[]",
        "{}",
        "null",
        '{"step": 1, "tile": [28, 28], "images": 8, "latents": [], "kl": []}',
        '{"step": 1, "tile": [27, 28, 1], "images": 8, "latents": [], "kl": []}',
        '{"step": 1, "tile": [0, 28, 1], "images": 8, "latents": [], "kl": []}',
        '{"step": 1, "tile": [196, 28, 1], "images": 8, "latents": [], "kl": []}',
        '{"step": 1, "tile": [28, 28, 1], "images": "x", "latents": [], "kl": []}',
        '{"step": 1, "tile": [28, 28, 1], "images": 1e999, "latents": [], "kl": []}',
        '{"step": 1, "tile": [28, 28, 1], "images": 8, "latents": 5, "kl": []}',
        "[" * 100_000,
    ],
    ids=range(12),
)
def test_a_picture_with_an_invalid_description_is_not_a_preview(tmp_path, about):
    text = PngInfo()
    text.add_text("disentangle-studio", about)
    Image.new("L", (224, 196)).save(tmp_path / "wrong.png", pnginfo=text)
    assert load_preview(tmp_path / "wrong.png") is None


@settings(max_examples=60)
@given(data=st.data())
def test_a_damaged_picture_gives_a_preview_or_none(tmp_path_factory, data):
    folder = tmp_path_factory.getbasetemp() / "damaged-previews"
    save_preview(folder, make_preview(rows=1, images=2))
    (path,) = list_previews(folder)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, min(400, len(content) - 1)))] = data.draw(st.integers(0, 255))
    path.write_bytes(bytes(content))
    again = load_preview(path)
    assert again is None or again.originals.dtype == np.uint8


@pytest.fixture(scope="module")
def trained(tiny_run, digits_folder):
    return load_model(tiny_run, load_dataset("mnist", digits_folder))


def test_making_a_preview_changes_nothing_in_the_model(trained, tiny_run):
    previewer = Previewer(tiny_run.config, trained.dataset, torch.device("cpu"))
    model = trained.model.train()
    try:
        before = {name: tensor.clone() for name, tensor in model.networks.state_dict().items()}
        state = torch.get_rng_state()
        previewer(model, 60, (0.0,) * 10)
        assert model.networks.training
        assert torch.equal(torch.get_rng_state(), state)
        for name, tensor in model.networks.state_dict().items():
            assert torch.equal(tensor, before[name]), name
    finally:
        model.eval()


def test_a_preview_decodes_posterior_means_and_says_what_the_latents_follow(trained, tiny_run):
    kl = (0.1, 3.0, 0.2, 0.9, 0.0, 2.0, 0.0, 0.0, 0.5, 0.0)
    preview = Previewer(tiny_run.config, trained.dataset, torch.device("cpu"))(trained.model, 60, kl)
    assert preview.latents == tuple(range(10))
    assert preview.links == Follower(trained.dataset).links(trained.model, kl)
    assert {link.latent for link in preview.links} == {1, 2, 3, 5, 8}  # those with more than 0.1 nats
    images = torch.tensor(preview.originals / 255, dtype=torch.float32).permute(0, 3, 1, 2)
    with torch.no_grad():
        mean, _ = trained.model.encode(images)
        expected = trained.model.decode(mean)[:, 0].numpy() * 255
        z = mean[:1].clone()
        z[0, 1] = -3  # the second row begins there
        corner = trained.model.decode(z)[0, 0].numpy() * 255
    assert np.abs(preview.reconstructions[..., 0] - expected).max() <= 0.51
    assert np.abs(preview.traversal[1, 0, ..., 0] - corner).max() <= 0.51


def test_rows_stay_where_they_were_when_a_run_is_resumed(tmp_path, trained, tiny_run):
    previewer = Previewer(tiny_run.config, trained.dataset, torch.device("cpu"))
    save_preview(tmp_path, replace(make_preview(rows=3), latents=(9, 4, 2)))
    previewer.continue_from(tmp_path)
    assert previewer(trained.model, 60, (1.0,) * 10).latents == (9, 4, 2)
    save_preview(tmp_path, replace(make_preview(40, rows=2), latents=(9, 10)))  # of another model: it has ten latents
    previewer.continue_from(tmp_path)
    assert previewer(trained.model, 60, (1.0,) * 10).latents == tuple(range(10))


def test_the_same_test_images_are_shown_every_time(trained, tiny_run):
    test = trained.dataset.images(trained.dataset.splits["test"])
    first, second = (
        Previewer(tiny_run.config, trained.dataset, torch.device("cpu"))(trained.model, 60, (0.0,) * 10)
        for _ in range(2)
    )
    np.testing.assert_array_equal(first.originals, second.originals)
    for original in first.originals:
        assert (test == original).all((1, 2, 3)).any()
