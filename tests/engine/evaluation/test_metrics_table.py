"""The table of runs or methods in all formats, which contain what the table shows."""

import csv
import io
import json
import re
import statistics
from dataclasses import replace
from pathlib import Path

import pytest

from engine.data.fingerprint import Fingerprint
from engine.evaluation.catalogue import METRICS, VERSION
from engine.evaluation.grouping import ALIKE, sorted_rows
from engine.evaluation.over_runs import SPREADS
from engine.evaluation.protocols import protocol_text
from engine.evaluation.rows import DAMAGED, NOT_YET, OTHER_VERSION, Row, dataset_title, read_row
from engine.evaluation.table import SUPERVISION_NOTE, table_of
from engine.evaluation.table_formats import ENDINGS, comma_separated, json_text, latex, markdown, tabbed
from engine.runs.run import Run
from engine.settings.run_config import DATASET_TITLES, RunConfig


def row(name, objective, seed, dataset="dsprites", settings=None, **values):
    config = RunConfig(objective=objective, dataset=dataset, seed=seed, **(settings or {}))
    metrics = {
        m: v if isinstance(v, dict) else {"value": v} | ({"reason": "no such thing"} if v is None else {})
        for m, v in values.items()
    }
    title = {"dsprites": "dSprites", "mnist": "MNIST"}[dataset]
    return Row(name, config.method_title, title, seed, 100, metrics, config)


@pytest.fixture
def rows():
    return [
        row("a", "beta-vae", 0, reconstruction=81.0, active_latents=5, mig=0.2, sap=None),
        row("b", "vae", 0, reconstruction=41.0, active_latents=9, mig=None),
        row("c", "beta-vae", 1, reconstruction=84.0, active_latents=6, mig=0.25),
        row("d_50%", "beta-vae", 2, reconstruction=87.0, active_latents=5),
        row("e", "beta-vae", 0, dataset="mnist", reconstruction=100.0),
    ]


METHODS = ("method",)


def lines_of(text):
    return list(csv.reader(io.StringIO(text)))


def test_values_of_earlier_weights_are_marked(tiny_copy):
    from engine.evaluation.evaluate import evaluate
    from engine.training.lengthening import lengthen
    from engine.training.trainer import train

    for _ in evaluate(tiny_copy, ("kl",)):
        pass
    step = [heading.title for heading in table_of([read_row(tiny_copy)]).headings].index("Step")
    assert table_of([read_row(tiny_copy)]).lines[0].cells[step].text == "60"
    lengthen(tiny_copy, None, 80)
    for _ in train(tiny_copy):
        pass
    found = table_of([read_row(tiny_copy)]).lines[0].cells[step]
    assert found.text == "60 (now 80)"
    assert "Evaluate it again" in found.note
    for by in (None, METHODS):
        table = table_of([read_row(tiny_copy)], by).filled()
        content = json.loads(json_text(table))
        cells = dict(zip((c["key"] for c in content["columns"]), content["rows"][0], strict=True))
        value = read_row(tiny_copy).value("kl")
        assert cells["kl"]["value"] == float(f"{value:.2f}")
        assert cells["step" if by is None else "n"]["value"] == (60 if by is None else 1)
        for written in (markdown, comma_separated, latex, tabbed):
            assert ("60 (now 80)" in written(table)) == (by is None)


def test_json_has_the_values_shown(rows):
    table = table_of(rows, METHODS, report=True).filled()
    content = json.loads(json_text(table))
    first = dict(zip((c["key"] for c in content["columns"]), content["rows"][0], strict=True))
    assert (first["reconstruction"]["value"], first["reconstruction"]["deviation"]) == (84.0, 3.0)
    assert (first["active_latents"]["value"], first["active_latents"]["deviation"]) == (5.3, 0.6)  # 16/3, sqrt(1/3)
    assert first["report:reconstruction"]["value"] == 51.54  # as printed
    assert first["n"]["value"] == 3


HOSTILE = [
    "two\nlines",
    "a|b",
    "*bold* _it_ `code`",
    "<img src=x>",
    "[link](http://x)",
    "[x] 50% & #1 $",
    "=1+1",
    'say "hi", x',
]


def test_names_neither_break_a_table_nor_add_markup():
    table = table_of([row(name, "vae", 0, reconstruction=1.0) for name in HOSTILE]).filled()
    piped = markdown(table).splitlines()
    assert len(piped) == 2 + len(HOSTILE)
    assert all(len(re.findall(r"(?<!\\)\|", line)) == 8 for line in piped)
    assert piped[3].startswith(r"| a\|b |")
    assert piped[4].startswith(r"| \*bold\* \_it\_ \`code\` |")
    assert piped[5].startswith(r"| \<img src=x\> |")
    assert piped[6].startswith(r"| \[link\](http://x) |")
    plain = [" ".join(name.split()) for name in HOSTILE]
    assert [line[0] for line in lines_of(comma_separated(table))[1:]] == [*plain[:6], "'=1+1", plain[7]]
    assert [line.split("\t")[0] for line in tabbed(table).splitlines()[1:]] == [*plain[:6], "'=1+1", plain[7]]
    body = [line for line in latex(table).splitlines() if line.endswith(r"\\")][1:]
    assert len(body) == len(HOSTILE)
    assert body[5].startswith(r"{}[x] 50\% \& \#1 \$ & ")  # a bracket after the end of a line would be its option
    assert [line[0]["text"] for line in json.loads(json_text(table))["rows"]] == HOSTILE


def test_a_method_has_the_mean_and_standard_deviation_of_its_runs(rows):
    head, *body = lines_of(comma_separated(table_of(rows, METHODS).filled()))
    assert head == ["Method", "Supervision", "Data set", "n", "Reconstruction ↓ (nats)", "MIG ↑", "Active latents"]
    values = [81.0, 84.0, 87.0]
    mean = f"{statistics.mean(values):.2f} ± {statistics.stdev(values):.2f}"
    assert body[0][:5] == ["β-VAE", "unsupervised", "dSprites", "3", mean]
    assert body[0][6] == "5.3 ± 0.6"
    assert body[0][5] == "0.225 ± 0.035"  # of the two runs that have one
    assert body[1] == ["VAE", "unsupervised", "dSprites", "1", "41.00", "", "9"]
    assert body[2][:5] == ["β-VAE", "unsupervised", "MNIST", "1", "100.00"]


def test_runs_are_grouped_by_any_setting_and_differences_within_a_row_are_noted():
    rows = [row(str(beta), "beta-vae", seed, settings={"beta": beta}, kl=1.0) for beta in (2, 4) for seed in (0, 1)]
    table = table_of(rows, ("method", "beta"))
    assert [(line.title, len(line.rows)) for line in table.lines] == [("β-VAE, β = 2", 2), ("β-VAE, β = 4", 2)]
    assert table.notes() == []
    assert table_of(rows, METHODS).notes() == ["β-VAE (dSprites): the runs also differ in β."]
    assert [line.title for line in table_of(rows, ("beta",)).lines] == ["β = 2", "β = 4"]


def test_columns_without_any_value_are_left_out(rows):
    head = markdown(table_of(rows).filled()).splitlines()[0]
    assert (
        head
        == "| Run | Method | Supervision | Data set | Seed | Step | Reconstruction ↓ (nats) | MIG ↑ | Active latents |"
    )
    assert markdown(table_of(rows[4:]).filled()).splitlines()[0].endswith("| Reconstruction ↓ (nats) |")


def test_the_best_of_each_data_set_is_marked(rows):
    table = table_of([*rows, row("f", "vae", 1, dataset="mnist", reconstruction=76.0)])
    best = {key: [line.title for line in table.lines if line.cells[table.index(key)].best] for key in METRICS}
    assert best == {key: [] for key in METRICS} | {"reconstruction": ["b", "f"], "mig": ["c"]}
    assert "**41.00**" in markdown(table)
    assert r"\textbf{41.00}" in latex(table)


@pytest.fixture
def mixed():
    """Runs of three labels, in no order; the best of each label is another."""
    return [
        row("pairs", "ada-gvae", 0, mig=0.5, reconstruction=60.0),
        row("given", "beta-vae", 0, settings={"conditional": True}, mig=0.4, reconstruction=20.0),
        row("low", "vae", 0, mig=0.1, reconstruction=40.0),
        row("high", "beta-vae", 0, mig=0.2, reconstruction=80.0),
        row("pairs 2", "ada-gvae", 1, mig=0.3, reconstruction=50.0),
        row("pairs, given", "ada-gvae", 2, settings={"conditional": True}, mig=0.35, reconstruction=30.0),
        row("none", "vae", 1),
    ]


def test_each_run_has_its_supervision_and_one_that_is_given_labels_is_supervised(mixed):
    table = table_of(mixed)
    cells = {line.title: line.cells[table.index("supervision")] for line in table.lines}
    labels = {"pairs": "weakly supervised", "pairs 2": "weakly supervised", "given": "supervised",
              "pairs, given": "supervised", "low": "unsupervised", "high": "unsupervised",
              "none": "unsupervised"}  # fmt: skip
    assert {name: cell.text for name, cell in cells.items()} == labels
    assert ["class labels" in cells[name].note for name in ("given", "low", "pairs")] == [True, False, False]


def test_the_best_is_that_of_its_supervision(mixed):
    for by in (None, METHODS):
        table = table_of(mixed, by)
        best = {key: {line.rows[0].name for line in table.lines if line.cells[table.index(key)].best}
                for key in ("mig", "reconstruction")}  # fmt: skip
        expected = {"mig": {"pairs", "high", "given"}, "reconstruction": {"pairs 2", "low", "given"}}
        groups = {"mig": {"high", "given"}, "reconstruction": {"low", "given"}}  # Ada-GVAE is alone there
        assert best == (expected if by is None else groups)
        assert SUPERVISION_NOTE in table.notes()
    assert SUPERVISION_NOTE not in table_of(mixed[2:4]).notes()


def test_runs_are_ranked_within_their_supervision(mixed):
    table = table_of(mixed).sorted_by("mig", descending=True)
    assert [line.title for line in table.lines] == ["high", "low", "none", "pairs", "pairs 2", "given", "pairs, given"]
    up = table_of(mixed).sorted_by("mig")
    assert [line.title for line in up.lines] == ["low", "high", "none", "pairs 2", "pairs", "pairs, given", "given"]
    assert [line.title for line in table.sorted_by("seed").lines][-1] == "pairs, given"  # no ranking: its seed is 2
    names = [r.name for r in sorted_rows(mixed)]
    assert names == ["low", "none", "high", "pairs", "pairs 2", "given", "pairs, given"]


def test_methods_of_different_supervision_never_share_a_row(mixed):
    """Grouped by the seed alone."""
    rows = [r for r in mixed if r.seed == 0]
    table = table_of(rows, ("seed",))
    assert [(line.title, [r.name for r in line.rows]) for line in table.lines] == [
        ("Seed = 0", ["pairs"]),
        ("Seed = 0", ["given"]),
        ("Seed = 0", ["low", "high"]),
    ]


def test_exported_tables_have_the_supervision_and_latex_a_rule_between_groups(mixed):
    table = table_of(mixed, METHODS).filled()
    ranked = table.sorted_by("mig")
    for written in (markdown, comma_separated, latex, tabbed):
        assert written(ranked).count("weakly supervised") == 1
    text = latex(ranked).splitlines()
    rules = [number for number, line in enumerate(text) if line == r"\midrule"]
    assert [text[number - 1].split(" & ")[1] for number in rules[1:]] == ["unsupervised", "weakly supervised"]
    assert latex(table).count(r"\midrule") == 1  # rows of one label are not together


def own(name, path, size=64, **values):
    config = RunConfig(dataset="images", data_folder=Path(path), image_size=size)
    metrics = {m: {"value": v} for m, v in values.items()}
    return Row(name, "VAE", dataset_title(config), 0, 100, metrics, config)


def test_two_folders_of_the_same_name_are_two_distinct_data_sets():
    rows = [own("a", "/a/faces", mig=0.1), own("b", "/b/faces", mig=0.3), own("c", "/a/faces", mig=0.2),
            own("d", "/a/faces", 32, mig=0.9)]  # fmt: skip
    table = table_of(rows)
    datasets = [line.cells[table.index("dataset")].text for line in table.lines]
    title = DATASET_TITLES["images"]
    assert datasets == [f"{title} (a/faces, 64 pixels)", f"{title} (b/faces)", datasets[0],
                        f"{title} (a/faces, 32 pixels)"]  # fmt: skip
    assert [line.cells[table.index("mig")].best for line in table.lines] == [False, False, True, False]
    groups = table_of(rows, METHODS)
    assert [line.cells[groups.index("n")].text for line in groups.lines] == ["2", "1", "1"]


def test_the_folder_of_a_built_in_data_set_does_not_matter():
    rows = [row("a", "vae", 0, "mnist", {"data_folder": Path("/a")}, mig=0.1),
            row("b", "vae", 0, "mnist", {"data_folder": Path("/b")}, mig=0.2)]  # fmt: skip
    table = table_of(rows)
    assert [line.cells[table.index("mig")].best for line in table.lines] == [False, True]


def test_a_sharpness_above_that_of_the_originals_is_never_the_best():
    # The issue's case: noise scores 2,277 where the originals have 244.
    noise = row("noise", "vae", 0, sharpness=2277.0, sharpness_originals=244.0, sharpness_ratio=2277 / 244)
    good = row("good", "vae", 1, sharpness=200.0, sharpness_originals=244.0, sharpness_ratio=200 / 244)
    low = row("low", "vae", 2, sharpness=100.0, sharpness_originals=244.0, sharpness_ratio=100 / 244)

    def best(rows, by=None):
        table = table_of(rows, by)
        return {key: [line.title for line in table.lines if line.cells[table.index(key)].best]
                for key in ("sharpness", "sharpness_ratio")}  # fmt: skip

    assert best([noise, good, low]) == {"sharpness": ["good"], "sharpness_ratio": ["good"]}
    blurred = row("noise", "vae", 3, sharpness=300.0, sharpness_originals=244.0, sharpness_ratio=300 / 244)
    assert best([noise, blurred]) == {"sharpness": [], "sharpness_ratio": []}
    other = row("other", "beta-vae", 1, sharpness=200.0, sharpness_originals=244.0, sharpness_ratio=200 / 244)
    assert best([noise, other], METHODS)["sharpness"] == ["β-VAE"]
    headings = {heading.key: heading.title for heading in table_of([noise]).headings}
    assert headings["sharpness"] == "Sharpness → originals (grey levels²)"
    assert headings["sharpness_ratio"] == "Sharpness ratio → 1"
    assert r"Sharpness ratio $\rightarrow$ 1" in latex(table_of([noise]))


def test_too_narrow_intervals_of_version_1_0_0_are_left_out_and_values_stay(tmp_path):
    run = Run.create(tmp_path, RunConfig())
    protocol = {"name": "as in 1.0.0", "split": "all", "n": 10_000, "seed": 0}
    entry = {"value": 0.1, "unit": "", "protocol": protocol, "interval": [0.09, 0.11]}
    metrics = {"mig": entry, "factor_vae": entry, "total_correlation": entry, "kl": entry, "beta_vae": entry}
    run.write_evaluation({"step": 1, "checkpoint": f"{VERSION}-a", "metrics": metrics})
    read = read_row(run).metrics
    assert [read[name]["value"] for name in metrics] == [0.1] * 5
    assert [name for name in metrics if "interval" in read[name]] == ["kl", "beta_vae"]
    assert "as in 1.0.0; 10,000 of the images; 95 %" in protocol_text(read["kl"], METRICS["reconstruction"])


def test_values_that_look_equal_are_not_distinguished_by_bold():
    same = [row("a", "vae", 0, mig=0.1234), row("b", "vae", 1, mig=0.1233), row("c", "vae", 2, mig=0.05)]
    table = table_of(same)
    assert [line.cells[table.index("mig")].best for line in table.lines] == [True, True, False]


def test_rows_are_sorted_by_value_and_those_without_come_last(rows):
    table = table_of(rows)
    assert [line.title for line in table.sorted_by("reconstruction").lines] == ["b", "a", "c", "d_50%", "e"]
    assert [line.title for line in table.sorted_by("mig", descending=True).lines][:2] == ["c", "a"]
    assert {line.title for line in table.sorted_by("mig", descending=True).lines[2:]} == {"b", "d_50%", "e"}
    assert [r.name for r in sorted_rows(rows)] == ["b", "a", "c", "d_50%", "e"]


def test_a_missing_value_has_a_reason(rows):
    table = table_of(rows)
    assert table.lines[0].cells[table.index("sap")].text == "–"
    assert table.lines[0].cells[table.index("sap")].note == "no such thing"
    assert table.lines[0].cells[table.index("kl")].note == "not computed yet"


def test_runs_alike_but_for_the_seed_share_a_row_with_all_statistics_which_can_be_opened():
    """Against the statistics module; the quantile 4.303 of Student's t is in any table."""
    values = {0: 0.25, 1: 0.375, 2: 0.75}
    rows = [row(f"s{seed}", "vae", seed, mig={"value": value, "protocol": {"name": "p"}}) for seed, value in
            values.items()]  # fmt: skip
    rows += [row("other", "vae", 7, settings={"latents": 3}, mig=0.5), row("again", "vae", 2, mig=0.1)]
    tables = {spread: table_of(rows, (ALIKE,), spread=spread) for spread in SPREADS}
    place = tables["std"].index("mig")
    # The second run of seed 2 is not a further seed.
    assert [[r.name for r in line.rows] for line in tables["std"].lines] == [["s0", "s1", "s2"], ["other"], ["again"]]
    assert tables["std"].lines[0].title == "VAE, Latents = 10 (1)"
    each = list(values.values())
    mean, deviation = statistics.mean(each), statistics.stdev(each)
    half = 4.303 * deviation / 3**0.5
    cells = {spread: table.lines[0].cells[place] for spread, table in tables.items()}
    assert cells["std"].text == f"{mean:.3f} ± {deviation:.3f}"
    assert cells["range"].text == "0.375 [0.250, 0.750]"
    assert cells["interval"].text == f"{mean:.3f} [{mean - half:.3f}, {mean + half:.3f}]"
    assert (cells["std"].value, cells["range"].value) == (mean, 0.375)
    assert f"standard deviation {deviation:.4f}" in cells["std"].note
    assert "median 0.3750, minimum 0.2500, maximum 0.7500" in cells["std"].note
    kept = json.loads(json_text(tables["std"]))["rows"][0][place]
    assert (kept["n"], kept["median"], kept["minimum"], kept["maximum"]) == (3, 0.375, 0.25, 0.75)
    opened = tables["std"].opened(lambda line: True)
    assert [(line.title, line.member) for line in opened.lines[1:4]] == [("s0", True), ("s1", True), ("s2", True)]
    assert [line.cells[place].text for line in opened.lines[1:4]] == ["0.250", "0.375", "0.750"]
    assert len(opened.lines) == 6


def test_values_of_different_protocols_or_data_are_not_averaged():
    def one(seed, protocol, **settings):
        return row(str(seed), "vae", seed, settings=settings, mig={"value": 0.1 * seed, "protocol": protocol})

    full, quick = {"name": "MIG", "n": 10000, "of": 10000}, {"name": "MIG", "n": 1000, "of": 10000}
    table = table_of([one(1, full), one(2, quick)], (ALIKE,))
    cell = table.lines[0].cells[table.index("mig")]
    assert (cell.text, cell.value) == ("–", None)
    assert "different protocols" in cell.note
    assert "1: MIG; all 10 000" in cell.note.replace(",", " ")
    rows = [one(seed, full) for seed in (1, 2, 3)]
    rows[1] = replace(rows[1], step=rows[1].step + 1)
    rows[2] = replace(rows[2], fingerprint=Fingerprint("a", "b", "", "", "c"))
    assert len(table_of(rows, (ALIKE,)).lines) == 3


REPORT = {  # Nguyen and Qiu, Tables 1 and 2, as printed
    "mnist": {"vae": ("76.72", "2159"), "beta-vae": ("99.04", "1231"), "annealed-abs": ("74.32", "2318"),
              "annealed-relu": ("73.94", "2343")},
    "dsprites": {"vae": ("25.98", "0.5476"), "beta-vae": ("51.54", "0.7502"), "annealed-abs": ("12.97", "0.8232"),
                 "annealed-relu": ("12.07", "0.8227")},
}  # fmt: skip


@pytest.mark.parametrize(("dataset", "second"), [("mnist", "sharpness"), ("dsprites", "disentanglement")])
def test_the_reports_values_are_shown_beside_ours(dataset, second):
    rows = [row(name, name, 0, dataset, reconstruction=1.0) for name in REPORT[dataset]]
    table = table_of(rows, METHODS, report=True)
    keys = [heading.key for heading in table.headings if heading.published]
    assert keys == ["report:reconstruction", f"report:{second}"]
    assert table.index("report:reconstruction") == table.index("reconstruction") + 1
    printed = {line.rows[0].name: tuple(line.cells[table.index(key)].text for key in keys) for line in table.lines}
    assert printed == REPORT[dataset]
    assert not any(line.cells[table.index(key)].best for line in table.lines for key in keys)
    assert ("another scale" in " ".join(table.notes())) == (second == "sharpness")


def test_the_report_has_no_value_for_other_settings():
    rows = [
        row("a", "beta-vae", 0, settings={"beta": 4}, kl=1.0),
        row("b", "beta-vae", 0, settings={"beta": 8}, kl=1.0),
        row("c", "vae", 0, settings={"conditional": True}, kl=1.0),
    ]
    table = table_of(rows, report=True)
    place = table.index("report:reconstruction")
    assert [line.cells[place].text for line in table.lines] == ["51.54", "–", "–"]
    assert table_of(rows, METHODS, report=True).index("report:reconstruction") is None  # β 4 and 8 share a row


PLAIN = {
    r"$\beta$": "β",
    r"$\pm$": "±",
    r"$\downarrow$": "↓",
    r"$\uparrow$": "↑",
    "$^2$": "²",
    "--": "–",
    r"\_": "_",
    r"\%": "%",
}


def printed_cells(line):
    """Cells of a LaTeX line as printed by pdflatex, for the commands that a table uses."""
    assert line.endswith(r" \\")
    body = re.sub(r"\\text(?:bf|it)\{([^}]*)\}", r"\1", line.removesuffix(r" \\"))
    for command, character in PLAIN.items():
        body = body.replace(command, character)
    return body.split(" & ")


@pytest.mark.parametrize("by", [None, METHODS])
def test_every_format_has_the_same_cells_in_the_same_order(rows, by):
    table = table_of(rows, by, report=True).filled().sorted_by("reconstruction", descending=True)
    cells = [[h.title for h in table.headings], *([cell.text for cell in line.cells] for line in table.lines)]
    numbers = [["" if text == "–" else text for text in line] for line in cells]  # what programs read has no dashes
    assert lines_of(comma_separated(table)) == numbers
    assert [line.split("\t") for line in tabbed(table).splitlines()] == numbers
    content = json.loads(json_text(table))
    assert [c["title"] for c in content["columns"]] == cells[0]
    assert [[cell["text"] for cell in line] for line in content["rows"]] == cells[1:]
    for line in content["rows"]:  # numbers are those shown
        for cell in line:
            assert "value" not in cell or cell["text"].split(" ± ")[0] in (f"{cell['value']:.{n}f}" for n in range(5))
    piped = [line for line in markdown(table).splitlines() if line.startswith("| ")]
    assert [[cell.strip("* ") for cell in line.strip("|").split("|")] for line in piped] == cells
    text = [line for line in latex(table).splitlines() if not line.startswith("%")]
    columns = re.fullmatch(r"\\begin\{tabular\}\{([lr]+)\}", text[0])
    assert columns
    assert len(columns[1]) == len(cells[0])
    assert (text[1], text[3], text[-2], text[-1]) == ("\\toprule", "\\midrule", "\\bottomrule", "\\end{tabular}")
    assert [printed_cells(line) for line in [text[2], *text[4:-2]]] == cells
    assert "\n".join(text).isascii()  # pdflatex knows no other Greek letters and arrows than its own commands
    assert set(ENDINGS) == {"csv", "md", "tex", "json"}


def test_every_special_character_of_latex_is_escaped():
    cell = latex(table_of([row("a&b_c#d$e{f}g~h^i\\j", "vae", 0, reconstruction=1.0)])).splitlines()[4].split(" & ")[0]
    assert cell == r"a\&b\_c\#d\$e\{f\}g\textasciitilde{}h\textasciicircum{}i\textbackslash{}j"


@pytest.mark.parametrize(
    ("content", "note"),
    [
        ("{broken", DAMAGED),
        ("[1, 2]", DAMAGED),
        ('{"metrics": 5}', DAMAGED),
        ('{"checkpoint": "0-abc", "metrics": {"kl": {"value": 1.0}}}', OTHER_VERSION),
        (f'{{"checkpoint": "{VERSION}-abc", "step": "x", "metrics": {{"kl": 3, "mig": {{"value": "a"}}}}}}', DAMAGED),
        (f'{{"checkpoint": "{VERSION}-abc", "metrics": {{"mig": {{"value": 0.1, "interval": [1]}}}}}}', DAMAGED),
    ],
)
def test_a_damaged_evaluation_gets_a_message_and_never_a_wrong_value(tmp_path, content, note):
    run = Run.create(tmp_path, RunConfig())
    assert read_row(run).note == NOT_YET
    (run.path / "evaluation.json").write_text(content)
    found = read_row(run)
    assert (found.note, dict(found.metrics)) == (note, {})
    assert all(cell.value is None for cell in table_of([found]).lines[0].cells[6:])
