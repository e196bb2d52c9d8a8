"""Figures are files that other programs open, and show the given pictures."""

import io
import re
import sys
import xml.etree.ElementTree as ElementTree

import matplotlib
import numpy as np
import pytest
from matplotlib.image import BboxImage
from PIL import Image

from engine.errors import ConfigError, RunError
from engine.export.summary import write_report
from engine.figures.curves import curves_figure
from engine.figures.drawing import (
    check_format,
    reconstructions_figure,
    save,
    traversal_figure,
)
from engine.jobs.events import Finished
from engine.methods.latents import Latent
from engine.traversal import Traversal


@pytest.fixture
def traversal():
    grey = np.zeros((28, 28, 1), np.uint8)
    images = np.arange(6, dtype=np.uint8).repeat(28 * 28).reshape(2, 3, 28, 28, 1) * 50
    values, kinds = ((-3.0, 0.0, 3.0),) * 2, (Latent.gaussian(),) * 2
    return Traversal(grey, grey, images, (4, 1), (2.5, 0.5), values, np.zeros(5), np.ones(5), 60, kinds)


@pytest.mark.parametrize("name", ["figure.png", "figure.PNG"])
def test_a_png_has_the_size_of_the_figure(tmp_path, traversal, name):
    figure = traversal_figure(traversal, "a caption")
    save(figure, tmp_path / name, dpi=100)
    with Image.open(tmp_path / name) as image:
        image.load()
        assert image.format == "PNG"
        width, height = figure.get_size_inches() * 100
        assert image.size == pytest.approx((width, height), abs=1)


def test_an_svg_is_well_formed_and_contains_every_picture(tmp_path, traversal):
    save(traversal_figure(traversal), tmp_path / "figure.svg")
    root = ElementTree.parse(tmp_path / "figure.svg").getroot()
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert len(root.findall(".//{http://www.w3.org/2000/svg}image")) == 2 * (1 + 3)  # the original before each row


def test_a_pdf_is_complete_and_points_to_its_cross_reference_table(tmp_path, traversal):
    # The PDF specification: a header, and at the end the position of the cross-reference table.
    save(traversal_figure(traversal), tmp_path / "figure.pdf")
    content = (tmp_path / "figure.pdf").read_bytes()
    assert content.startswith(b"%PDF-1.")
    position = re.search(rb"startxref\s+(\d+)\s+%%EOF\s*$", content)
    assert position
    assert content[int(position[1]) :].startswith(b"xref")
    assert content.count(b"/Type /Page ") + content.count(b"/Type /Page\n") == 1


@pytest.mark.parametrize("name", ["figure.jpg", "figure", "figure.", ".png", "figure.npz", "figure.png.txt"])
def test_another_extension_is_rejected_before_anything_is_written(tmp_path, traversal, name):
    with pytest.raises(ConfigError, match=r"\.png, \.svg, \.pdf") as error:
        save(traversal_figure(traversal), tmp_path / "new" / name)
    assert name in str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_more_formats_can_be_allowed(tmp_path):
    assert check_format(tmp_path / "figure.npz", ("png", "npz")) == "npz"


def test_an_unwritable_path_gets_a_message(tmp_path, traversal):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(RunError, match=r"figure\.png cannot be written"):
        save(traversal_figure(traversal), tmp_path / "file" / "figure.png")


def test_a_missing_folder_is_created_and_nothing_else_is_left(tmp_path, traversal):
    save(traversal_figure(traversal), tmp_path / "a" / "b" / "figure.png")
    assert [path.name for path in (tmp_path / "a" / "b").iterdir()] == ["figure.png"]


def shown(figure):
    """Pictures of a figure, by row from the top and by column from the left."""
    images = [artist for artist in figure.artists if isinstance(artist, BboxImage)]
    boxes = [(image.get_window_extent(), image.get_array()) for image in images]
    tops = sorted({round(box.y0, 4) for box, _ in boxes}, reverse=True)
    lefts = sorted({round(box.x0, 4) for box, _ in boxes})
    return {(tops.index(round(box.y0, 4)), lefts.index(round(box.x0, 4))): np.asarray(array) for box, array in boxes}


def words(figure):
    return {text.get_text() for text in figure.texts}


def test_a_traversal_shows_the_original_and_then_each_value_in_a_row_for_each_latent(traversal):
    figure = traversal_figure(traversal, "the caption", {1: "thickness"})
    pictures = shown(figure)
    assert set(pictures) == {(row, column) for row in range(2) for column in range(4)}
    for row in range(2):
        np.testing.assert_array_equal(pictures[row, 0], traversal.original[..., 0])
        for column in range(3):
            np.testing.assert_array_equal(pictures[row, column + 1], traversal.images[row, column, ..., 0])
    assert {"original", "-3.0", "+0.0", "+3.0", "the caption"} <= words(figure)
    assert "z4\n2.50 nats" in words(figure)
    assert "z1\nthickness" in words(figure)


def test_grey_levels_are_shown_on_the_full_scale_without_stretching(tmp_path, traversal):
    # A picture of a single grey level must come out as that level, 150 of 255.
    save(traversal_figure(traversal), tmp_path / "figure.png", dpi=100)
    with Image.open(tmp_path / "figure.png") as image:
        levels = np.unique(np.asarray(image.convert("L")))
    assert {0, 50, 100, 150, 200, 250} <= set(levels.tolist())


def test_reconstructions_are_below_their_originals():
    rng = np.random.default_rng(0)
    originals, reconstructions = rng.integers(0, 256, (2, 5, 28, 28, 1), np.uint8)
    pictures = shown(reconstructions_figure(originals, reconstructions))
    for column in range(5):
        np.testing.assert_array_equal(pictures[0, column], originals[column, ..., 0])
        np.testing.assert_array_equal(pictures[1, column], reconstructions[column, ..., 0])


@pytest.mark.parametrize("text", ["costs $5 or $6", r"$\foo$", "$x^$", "a_b^c", "100 %", r"back\slash"])
def test_names_with_typesetting_characters_are_shown_unchanged(tmp_path, traversal, text):
    # Names of runs and latents are the user's text, not formulas. An SVG contains them as text.
    with matplotlib.rc_context({"svg.fonttype": "none"}):
        save(traversal_figure(traversal, text, {4: text}), tmp_path / "figure.svg")
    shown_words = list(ElementTree.parse(tmp_path / "figure.svg").getroot().itertext())
    assert sum(word.strip() == text for word in shown_words) == 2


def test_curves_show_the_recorded_values(tiny_run):
    figure = curves_figure(tiny_run)
    left, middle, right = figure.axes
    rows = [line.split(",") for line in tiny_run.metrics_file.read_text().splitlines()]
    head, values = rows[0], np.array([[float(v or "nan") for v in row] for row in rows[1:]])
    lines = {line.get_label(): line for axes in figure.axes for line in axes.get_lines()}
    assert {"loss", "reconstruction"} <= {line.get_label() for line in left.get_lines()}
    assert [line.get_label() for line in middle.get_lines()] == ["KL"]  # a VAE has no capacity
    assert len(right.get_lines()) == 10
    for label, column in [("loss", "loss"), ("KL", "kl"), ("z3", "kl_3"), ("reconstruction", "reconstruction")]:
        np.testing.assert_array_equal(lines[label].get_xdata(), values[:, 0])
        np.testing.assert_array_equal(lines[label].get_ydata(), values[:, head.index(column)])
    assert len({(line.get_color(), line.get_linestyle()) for line in right.get_lines()}) == 10


def test_an_annealed_run_shows_its_capacity(tmp_path, make_run):
    run = make_run(tmp_path, objective="annealed-relu")
    head = "step,epoch,seconds,loss,reconstruction,kl,capacity," + ",".join(f"kl_{i}" for i in range(10))
    row = "10,0.1,1,100,90,5,2.5," + ",".join(["0.5"] * 10)
    run.metrics_file.write_text(f"{head}\n{row}\n")
    (capacity,) = [line for line in curves_figure(run).axes[1].get_lines() if line.get_label() == "capacity C"]
    assert list(capacity.get_ydata()) == [2.5]


def test_names_of_latents_are_in_the_legend_as_typed(tiny_copy):
    tiny_copy.write_marks({"latents": {"3": "slant $x$"}})
    figure = curves_figure(tiny_copy)
    words = [text.get_text() for text in figure.axes[2].get_legend().get_texts()]
    assert words[2:5] == ["z2", "z3 (slant $x$)", "z4"]
    figure.canvas.draw()


def test_a_run_without_curves_gives_an_empty_figure_that_can_be_saved(tmp_path, make_run):
    figure = curves_figure(make_run(tmp_path))
    save(figure, tmp_path / "curves.png")
    assert (tmp_path / "curves.png").stat().st_size > 0


def test_figures_open_no_window_and_change_no_global_state(traversal):
    traversal_figure(traversal)
    pyplot = sys.modules.get("matplotlib.pyplot")
    assert pyplot is None or pyplot.get_fignums() == []
    assert matplotlib.rcParams["figure.figsize"] == matplotlib.rcParamsDefault["figure.figsize"]


def test_a_report_has_curves_pictures_and_a_table(tmp_path, tiny_copy):
    folder = tmp_path / "report"
    *_, last = write_report(tiny_copy, folder)
    assert isinstance(last, Finished)
    assert str(folder) in last.message
    pictures = ["curves.png", "reconstructions.png", "traversal.png"]
    assert sorted(path.name for path in folder.iterdir()) == sorted([*pictures, "table.csv", "table.md"])
    for name in pictures:
        with Image.open(io.BytesIO((folder / name).read_bytes())) as image:
            image.load()
            assert min(image.size) > 100
    value = tiny_copy.evaluation()["metrics"]["reconstruction"]["value"]
    assert f"{value:.2f}" in (folder / "table.md").read_text(encoding="utf-8")
    assert f"{value:.2f}" in (folder / "table.csv").read_text(encoding="utf-8")


def test_a_report_to_an_unwritable_folder_gets_a_message(tmp_path, tiny_copy):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(RunError, match="cannot be created"):
        list(write_report(tiny_copy, tmp_path / "file" / "report"))
