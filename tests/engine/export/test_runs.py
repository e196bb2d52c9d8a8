"""Curves for other programs: the values of metrics.csv, and figures that name their runs."""

import csv
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from PIL import Image

from engine.errors import ConfigError, RunError
from engine.export.runs import export
from engine.figures.curves import curves_figure
from engine.jobs.events import Finished
from engine.runs.colours import PALETTE
from engine.runs.curves import View, smooth
from engine.runs.run import Run, distinct_names


def write(path, *runs):
    *_, last = export(runs, path)
    assert last == Finished(message=f"Saved to {path}")
    return path


def filled(run, latents, rows):
    """A run with curves: rows of (step, KL)."""
    head = "step,epoch,seconds,loss,reconstruction,kl,capacity," + ",".join(f"kl_{i}" for i in range(latents))
    lines = [f"{step},0.1,1,100,90,{kl},," + ",".join(["0.5"] * latents) for step, kl in rows]
    run.metrics_file.write_text("\n".join([head, *lines]) + "\n")
    return run


def table(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def test_the_table_of_one_run_equals_its_metrics_file(tmp_path, tiny_run):
    assert write(tmp_path / "curves.csv", tiny_run).read_bytes() == tiny_run.metrics_file.read_bytes()


def test_a_row_still_being_written_is_left_out(tmp_path, tiny_copy):
    whole = tiny_copy.metrics_file.read_bytes()
    with tiny_copy.metrics_file.open("ab") as file:
        file.write(b"70,2.")
    assert write(tmp_path / "curves.csv", tiny_copy).read_bytes() == whole


def test_several_runs_are_one_long_table_with_their_names(tmp_path, make_run, tiny_run):
    name = 'a "b", c'
    other = filled(make_run(tmp_path, name=name, latents=2), 2, [(10, 3.25), (20, 4)])
    head, *rows = table(write(tmp_path / "both.csv", tiny_run, other))
    first, second = table(tiny_run.metrics_file), table(other.metrics_file)
    assert head == ["run", *first[0]]
    assert rows == [
        *(["tiny", *row] for row in first[1:]),
        *([name, *row, *[""] * 8] for row in second[1:]),  # 2 of 10 latents
    ]


def test_runs_of_the_same_name_are_distinguished(tmp_path, make_run):
    one, two = (make_run(tmp_path, name="thick: digits") for _ in range(2))
    three = make_run(tmp_path / "else", name="thick: digits")
    four = make_run(tmp_path, name="thin")
    names = distinct_names([one, two, three, four])
    assert len(set(names)) == 4
    assert names[1] == f"thick: digits ({two.path.name})"
    assert names[3] == "thin"


@pytest.mark.parametrize("names", [["one"], ["$x^", "_hidden", "漢 <b>&"]], ids=["one", "several"])
def test_an_svg_is_xml_and_names_its_runs_as_text(tmp_path, make_run, names):
    runs = [filled(make_run(tmp_path, name=name), 10, [(10, 1), (20, 2)]) for name in names]
    root = ElementTree.parse(write(tmp_path / "curves.svg", *runs)).getroot()
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    words = [text.strip() for text in root.itertext()]
    for name in names:
        assert name in words
    assert any("KL" in text for text in words)


def test_several_runs_share_panels_and_show_their_recorded_values(tmp_path, make_run, tiny_run):
    other = filled(make_run(tmp_path, objective="annealed-abs", latents=3), 3, [(10, 3.25), (20, 4)])
    other.metrics_file.write_text(other.metrics_file.read_text().replace(",,", ",7,"))
    other.write_marks({"colour": tiny_run.colour_in(tiny_run.marks()) + 1})
    figure = curves_figure(tiny_run, other)
    loss, reconstruction, kl, latents, other_latents = figure.axes
    for axes, column in ((loss, 3), (reconstruction, 4), (kl, 5)):
        for line, run in zip(
            axes.get_lines()[:2] if axes is not kl else axes.get_lines(), (tiny_run, other), strict=False
        ):
            values = [[float(row[0]), float(row[column])] for row in table(run.metrics_file)[1:]]
            np.testing.assert_array_equal(line.get_xydata(), values)
    first, second, capacity = kl.get_lines()
    assert (capacity.get_linestyle(), list(capacity.get_ydata())) == ("--", [7, 7])
    assert capacity.get_color() == second.get_color() != first.get_color()
    assert (len(latents.get_lines()), len(other_latents.get_lines())) == (10, 3)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [tiny_run.name, other.name]


def test_a_figure_shows_the_curves_with_the_view(tmp_path, make_run):
    """Recorded points are faint behind their average, over minutes, with the steep start cut off."""
    run = filled(make_run(tmp_path), 2, [(10 * n, 1000 / n**2) for n in range(1, 41)])
    view = View("seconds", ignore_outliers=True)
    axes = curves_figure(run, view=view, smoothing=0.9).axes[1]
    points, average = axes.get_lines()
    columns = np.array([[float(row[2]), float(row[5])] for row in table(run.metrics_file)[1:]])
    np.testing.assert_allclose(points.get_xydata(), columns / [60, 1])
    np.testing.assert_allclose(average.get_ydata(), smooth(columns[:, 1], 0.9))
    assert points.get_alpha() < 0.5
    assert axes.get_ylim()[1] < 500
    assert axes.get_xlabel() == "training time (min)"
    logarithmic = curves_figure(run, view=View(logarithmic=True)).axes[1]
    assert logarithmic.get_yscale() == "log"


def test_runs_of_the_same_colour_differ_in_style(tmp_path, make_run):
    runs = [filled(make_run(tmp_path), 10, [(10, 1)]) for _ in range(12)]
    lines = curves_figure(*runs).axes[0].get_lines()
    assert len({(line.get_color(), line.get_linestyle()) for line in lines}) == 12
    [alone] = curves_figure(runs[5]).axes[1].get_lines()
    assert alone.get_color() == lines[5].get_color() == PALETTE[5]


def test_a_character_that_the_font_lacks_is_not_an_error(tmp_path, make_run, tiny_run):
    run = filled(make_run(tmp_path, name="漢字"), 2, [(10, 1)])
    with Image.open(write(tmp_path / "curves.png", run, tiny_run)) as image:
        image.load()
        assert image.width == 2200


@pytest.mark.parametrize("ending", ["png", "csv"])
def test_runs_without_curves_get_a_message(tmp_path, make_run, ending):
    run = make_run(tmp_path, name="new")
    with pytest.raises(RunError, match="There are no curves of new yet"):
        list(export([run], tmp_path / f"curves.{ending}"))
    assert not (tmp_path / f"curves.{ending}").exists()


@pytest.mark.parametrize("name", ["curves.jpg", "curves", "curves.tar"])
def test_the_error_for_another_extension_lists_the_formats(tmp_path, tiny_run, name):
    with pytest.raises(ConfigError, match=r"\.png, \.svg, \.pdf, \.csv, \.zip"):
        list(export([tiny_run], tmp_path / name))


@pytest.mark.parametrize("name", ["curves.csv", "curves.png", "run.zip"])
def test_an_unwritable_path_gets_a_message(tmp_path, tiny_run, name):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(RunError, match=f"{name} cannot be written"):
        list(export([tiny_run], tmp_path / "file" / name))


def test_a_zip_can_be_imported_as_a_run(tmp_path, tiny_run):
    from engine.jobs.events import Imported
    from engine.runs.archive import read_archive

    [path] = [
        e.run for e in read_archive(write(tmp_path / "r.zip", tiny_run), tmp_path / "r") if isinstance(e, Imported)
    ]
    assert Run.open(path).config == tiny_run.config
