"""CSV in which a spreadsheet sees no formulas."""

import csv
import io

import pytest

from engine.export.runs import export
from engine.runs.run import Run
from engine.settings.run_config import RunConfig
from engine.system.spreadsheet import csv_text, safe_cell, tabbed_text


# The triggers and payloads of https://owasp.org/www-community/attacks/CSV_Injection
@pytest.mark.parametrize(
    "text",
    [
        '=HYPERLINK("http://x","y")',
        "+1+cmd|' /C calc'!A0",
        "-2+3+cmd|' /C calc'!A0",
        "@SUM(1)",
        " =1+1",
        "＝1+1",
        "-z3",
    ],
)
def test_text_that_a_spreadsheet_would_treat_as_a_formula_gets_an_apostrophe(text):
    assert safe_cell(text) == "'" + text.strip()


def test_a_tab_or_line_break_before_a_formula_does_not_hide_it():
    assert safe_cell("\t=1+1") == safe_cell("\r=1+1") == safe_cell("\n=1+1") == "'=1+1"


@pytest.mark.parametrize(
    "text", ["-3.5", "+4", "-1.2e-05", "1e10", "-0.250 ± 0.040", "nan", "-inf", "", "β = 4", "a-b=c"]
)
def test_numbers_and_ordinary_text_are_unchanged(text):
    assert safe_cell(text) == text


def test_quotes_commas_and_line_breaks_read_back_as_one_cell():
    rows = [['say "hi", twice', "two\nlines"], ["-3.5", "x\ty"]]
    assert list(csv.reader(io.StringIO(csv_text(rows)))) == [['say "hi", twice', "two lines"], ["-3.5", "x y"]]
    assert tabbed_text(rows) == 'say "hi", twice\ttwo lines\n-3.5\tx y\n'


def test_curves_of_several_runs_name_them_without_formulas(tmp_path):
    for name, seed in (("=1+1", 0), ("-z\n2", 1)):
        run = Run.create(tmp_path / "runs", RunConfig(dataset="digits", seed=seed), name)
        run.metrics_file.write_text("step,epoch,seconds,loss,reconstruction,kl,capacity\n10,1,2,-3.5,4,5,\n")
    runs = [Run.open(path) for path in sorted((tmp_path / "runs").iterdir())]
    list(export(runs, tmp_path / "curves.csv"))
    rows = list(csv.reader((tmp_path / "curves.csv").read_text().splitlines()))
    assert sorted(row[0] for row in rows[1:]) == ["'-z 2", "'=1+1"]
    assert [row[4] for row in rows[1:]] == ["-3.5", "-3.5"]
