"""The table of runs or methods, in the formats people paste."""

import csv
import io
import re
import statistics

import pytest

from engine.evaluation.table import COLUMNS, Row, comma_separated, latex, markdown, shown_spread


def row(name, method, seed, dataset="dsprites", **values):
    return Row(name, method, dataset, seed, 100, {metric: {"value": value} for metric, value in values.items()})


@pytest.fixture
def rows():
    return [
        row("a", "β-VAE", 0, reconstruction=81.0, active_latents=5, mig=0.2, sap=None),
        row("b", "VAE", 0, reconstruction=41.0, active_latents=9, mig=None),
        row("c", "β-VAE", 1, reconstruction=84.0, active_latents=6, mig=0.25),
        row("d_50%", "β-VAE", 2, reconstruction=87.0, active_latents=5),
        row("e", "β-VAE", 0, dataset="mnist", reconstruction=100.0),
    ]


def test_a_method_has_the_mean_and_standard_deviation_of_its_runs(rows):
    head, *body = csv.reader(io.StringIO(comma_separated(rows, methods=True)))
    assert head == ["Method", "Data set", "n", "Reconstruction ↓ (nats)", "Active latents", "MIG ↑"]
    values = [81.0, 84.0, 87.0]
    assert body[0][:4] == ["β-VAE", "dsprites", "3", f"{statistics.mean(values):.2f} ± {statistics.stdev(values):.2f}"]
    assert body[0][4] == "5.3 ± 0.6"
    assert body[0][5] == "0.225 ± 0.035"  # of the two runs that have one
    assert body[1] == ["VAE", "dsprites", "1", "41.00", "9", "–"]
    assert body[2][:4] == ["β-VAE", "mnist", "1", "100.00"]


def test_columns_without_any_value_are_left_out(rows):
    head = markdown(rows).splitlines()[0]
    assert head == "| Run | Method | Data set | Seed | Step | Reconstruction ↓ (nats) | Active latents | MIG ↑ |"
    assert markdown(rows[4:]).splitlines()[0].endswith("| Reconstruction ↓ (nats) |")


def test_no_value_is_a_dash():
    assert shown_spread([], COLUMNS[0]) == "–"


@pytest.mark.parametrize("methods", [False, True])
def test_latex_has_the_cells_of_the_csv_and_nothing_it_cannot_print(rows, methods):
    text = latex(rows, methods=methods)
    lines = text.splitlines()
    table = list(csv.reader(io.StringIO(comma_separated(rows, methods=methods))))
    columns = re.fullmatch(r"\\begin\{tabular\}\{([lr]+)\}", lines[0])
    assert columns
    assert len(columns[1]) == len(table[0])
    assert (lines[1], lines[3], lines[-2], lines[-1]) == ("\\toprule", "\\midrule", "\\bottomrule", "\\end{tabular}")
    assert text.isascii()  # pdflatex knows no other Greek letters and arrows than its own commands
    plain = {
        r"$\beta$": "β",
        r"$\pm$": "±",
        r"$\downarrow$": "↓",
        r"$\uparrow$": "↑",
        "--": "–",
        r"\_": "_",
        r"\%": "%",
    }
    for line, cells in zip([lines[2], *lines[4:-2]], table, strict=True):
        assert line.endswith(r" \\")
        body = line.removesuffix(r" \\")
        for command, character in plain.items():
            body = body.replace(command, character)
        assert body.split(" & ") == cells


def test_every_special_character_of_latex_is_escaped():
    cell = latex([row("a&b_c#d$e{f}g~h^i\\j", "VAE", 0, reconstruction=1.0)]).splitlines()[4].split(" & ")[0]
    assert cell == r"a\&b\_c\#d\$e\{f\}g\textasciitilde{}h\textasciicircum{}i\textbackslash{}j"
