"""The help: every link, formula and entry exists; search, F1, theme, history."""

import re
import tomllib
from html import unescape
from pathlib import Path

import pytest
from PySide6.QtCore import QObject, Qt, QUrl
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QApplication, QDialog, QVBoxLayout, QWidget

from engine.evaluation.catalogue import METRICS, VERSION
from engine.methods.registry import METHODS, by_supervision, setting_key
from engine.runs.run import Run
from engine.settings.run_config import RunConfig
from engine.system.fields import range_text
from engine.system.paths import RESOURCES
from gui.help import FIRST
from gui.help.browser import HelpBrowser
from gui.help.desk import topic_of
from gui.help.formulas import FOLDER, formula, sources
from gui.help.generated import settings_topic
from gui.help.illustrations import FIGURES
from gui.help.topics import Library, pattern_of
from gui.help.window import HelpWindow
from gui.training.editors import TextField
from gui.training.form import ConfigForm
from gui.widgets import theme
from gui.widgets.theme import DARK, LIGHT

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def library(qapp):
    return Library({"F1": "Help"})


@pytest.fixture
def help_window(qtbot, qapp, library, settings):
    theme.choose_scheme(qapp, "light")
    made = HelpWindow(library, settings)
    qtbot.addWidget(made)
    made.show()
    return made


def html_of(library):
    return "\n".join(topic.html for topic in library.topics.values())


# The texts


def test_every_link_leads_somewhere(library):
    places = set(library.topics) | {
        f"{name}#{anchor}" for name, topic in library.topics.items() for anchor in topic.anchors()
    }
    links = set(re.findall(r"href=[\"']([^\"']+)[\"']", html_of(library)))
    assert len(links) > 30
    assert links - places == {"app:figure-one"}


def test_every_image_in_the_help_exists_and_every_formula_is_used(library):
    pictures = re.findall(r"src=[\"'](\w+):([\w-]+)[\"']", html_of(library))
    assert {name for kind, name in pictures if kind == "formula"} == set(sources())
    assert {name for kind, name in pictures if kind == "figure"} == set(FIGURES)


@pytest.mark.parametrize("name", sources())
def test_every_formula_was_redrawn_after_its_last_edit(name):
    [tex] = re.findall(r"<desc>(.*)</desc>", (FOLDER / f"{name}.svg").read_text(encoding="utf-8"))
    assert unescape(tex) == sources()[name], "run: make formulas"


def test_every_setting_has_its_help_and_range(library):
    text = library.topics["settings"].text
    own = {setting_key(o, name): field for o, m in METHODS.items() for name, field in m.Settings.model_fields.items()}
    for key, field in (RunConfig.model_fields | own).items():
        if key == "method":
            continue
        assert key in library.topics["settings"].anchors()
        assert field.description in text
        if key != "image_size":
            assert range_text(field) in text


def test_quoted_settings_have_the_titles_of_the_form(library):
    own = {setting_key(o, name): field for o, m in METHODS.items() for name, field in m.Settings.model_fields.items()}
    fields = RunConfig.model_fields | own
    link = r"href=[\"']settings#([\w-]+)[\"']>"
    quoted = re.findall(rf"{link}“([^<]+)”<|“<a {link}([^<]+)</a>”", html_of(library))
    found = [(a or c, " ".join((b or d).split())) for a, b, c, d in quoted]
    assert len(found) >= 8
    assert found == [(key, fields[key].title) for key, _ in found]


def test_every_metric_says_what_it_measures_and_where_it_misleads(library):
    topic = library.topics["metrics"]
    starts = [section.start for section in topic.sections[1:]]
    parts = {
        section.anchor: topic.text[section.start : end]
        for section, end in zip(topic.sections[1:], [*starts[1:], None], strict=True)
    }
    assert set(parts) == {column.metric for column in METRICS.values()}
    for column in METRICS.values():
        assert column.about in parts[column.metric]
        assert "Where it misleads." in parts[column.metric]


def test_every_method_has_a_section_with_its_formula(library):
    topic = library.topics["methods"]
    for name in METHODS:
        assert name in topic.anchors()
        assert f"formula:{name}" in topic.html


def test_every_method_is_in_the_comparison_with_its_label_and_its_cost(library):
    """Rows and costs are in files of their own: a method without one has none in the help."""
    words, costs = (tomllib.loads((RESOURCES / "help" / name).read_text()) for name in ("methods.toml", "costs.toml"))
    text = library.topics["methods"].text
    ours = {name: method for name, method in METHODS.items() if METHODS.origin(name) is None}
    for name, method in ours.items():
        assert method.about, name
        assert len(method.about) <= 70, name
        assert words[name].keys() == {"assumes", "when"}, name
        assert costs[name].keys() == {"step", "outside_torch"}, name
        row = "\n".join([method.title, words[name]["assumes"], f"{costs[name]['step']:.1f}", words[name]["when"]])
        assert (row if costs[name]["step"] < 10 else row.split("\n")[1]) in text, name
        assert f"{method.supervision} · {name}" in text, name
    labels = [text.index(f"\n{label[:1].upper()}{label[1:]}\n") for label in by_supervision()]
    assert labels == sorted(labels)


def test_every_command_is_explained(library):
    from engine.cli.main import parser

    topic = library.topics["command-line"]
    listed = re.findall(r"^    ([\w-]+)  ", parser().format_help(), re.MULTILINE)
    assert len(listed) > 8
    assert topic.anchors() == {"window", *listed}
    assert "new total length in steps" in topic.text


def test_the_glossary_explains_every_word_that_users_meet(library):
    """Those of CONTRIBUTING.md's glossary, but for the words of the code; each once, in alphabetical order."""
    glossary = ROOT.joinpath("CONTRIBUTING.md").read_text(encoding="utf-8").partition("\n## Glossary\n")[2]
    of_users, of_code = (
        re.findall(r"^\| ([^|]+?) \| [^|]", part, re.M)[1:] for part in glossary.split("Words of the code")
    )
    words = re.findall(r"<td><b>([^<]+)</b></td>", library.topics["glossary"].html)
    assert words == sorted(set(of_users), key=str.casefold)
    assert len(of_users) > 40
    assert not set(of_code) & set(words)


def test_positions_in_text_agree_between_qt_and_python(library):
    assert all(ord(letter) < 0x10000 for topic in library.topics.values() for letter in topic.text)


# Searching


def test_a_search_finds_every_occurrence_in_any_case(library):
    found = library.find("CAPACITY")
    for name, topic in library.topics.items():
        expected = [m.start() for m in re.finditer("capacity", topic.text.lower())]
        assert [start for start, _ in found.get(name, [])] == expected
    assert sum(map(len, found.values())) >= 10


@pytest.mark.parametrize(
    ("words", "text", "matches"),
    [
        ("beta-vae", "the β-VAE", ["β-VAE"]),
        ("beta", "beta and β", ["beta", "β"]),
        ("alphabet", "β alphabet", ["alphabet"]),
        ("two  words", "two\nwords", ["two\nwords"]),
        ("c (t", "C (t)", ["C (t"]),
        (".*", "a.*b", [".*"]),
    ],
)
def test_search_text_is_literal_except_for_greek_letters_and_spaces(words, text, matches):
    assert pattern_of(words).findall(text) == matches


@pytest.mark.parametrize("words", ["", "  "])
def test_an_empty_search_finds_nothing(library, words):
    assert library.find(words) == {}


def marked(help_window):
    return [selection.cursor.selectedText() for selection in help_window.browser.extraSelections()]


def test_typing_shows_the_best_hit_and_marks_all_hits_on_its_page(qtbot, help_window, library):
    qtbot.keyClicks(help_window.search, "live p")
    assert help_window.where == "pictures"  # a topic with this name precedes settings that mention it
    help_window.search.setText("factorvae score")
    assert help_window.where == "metrics#factor_vae"
    help_window.search.setText("mig")
    name = help_window.browser.topic.name
    assert len(marked(help_window)) == len(library.find("mig")[name])
    assert {text.lower() for text in marked(help_window)} == {"mig"}
    assert help_window.contents.shown == list(filter(library.find("mig").__contains__, library.topics))


def test_return_cycles_through_all_hits(qtbot, help_window, library):
    qtbot.keyClicks(help_window.search, "total correlation")
    total = sum(map(len, library.find("total correlation").values()))
    assert total > 1
    first = help_window.hits.text()
    seen = [first]
    for _ in range(total - 1):
        qtbot.keyClick(help_window.search, Qt.Key.Key_Return)
        seen.append(help_window.hits.text())
    assert sorted(seen) == sorted(f"{n + 1} of {total} hits" for n in range(total))
    help_window.next_hit()
    assert help_window.hits.text() == first
    help_window.previous_hit()
    assert help_window.hits.text() == seen[-1]


def test_no_hits_are_reported_and_clearing_shows_everything_again(help_window, library):
    help_window.search.setText("zebra")
    assert help_window.hits.text() == "No hits"
    assert help_window.contents.shown == []
    help_window.search.clear()
    assert help_window.contents.shown == list(library.topics)
    assert marked(help_window) == []


def test_a_search_leaves_one_page_to_go_back_from(qtbot, help_window):
    help_window.open_topic("data")
    for letters in ("s", "sa", "sap", "sap "):
        help_window.search.setText(letters)
    help_window.go_back()
    assert help_window.where == "data"


# Moving about


def test_links_back_and_forward(help_window):
    help_window.open_topic("methods#beta-vae")
    help_window.browser.anchorClicked.emit(QUrl("metrics#mig"))
    assert help_window.where == "metrics#mig"
    assert help_window.contents.currentItem().text(0) == "Mutual information gap"
    assert help_window.browser.verticalScrollBar().value() > 0
    help_window.go_back()
    assert help_window.where == "methods#beta-vae"
    assert help_window.forward.isEnabled()
    help_window.go_forward()
    assert help_window.where == "metrics#mig"
    help_window.open_topic("nowhere")
    assert help_window.where == FIRST


def test_a_theme_change_keeps_the_reading_position(qtbot, qapp, help_window):
    help_window.open_topic("methods#annealed-relu")
    browser = help_window.browser
    place = browser.verticalScrollBar().value()
    assert place > 0
    assert LIGHT.text in browser.document().defaultStyleSheet()
    try:
        theme.choose_scheme(qapp, "dark")
        qtbot.waitUntil(lambda: DARK.text in browser.document().defaultStyleSheet())
        assert browser.verticalScrollBar().value() == place
    finally:
        theme.choose_scheme(qapp, "light")


@pytest.mark.parametrize("ratio", [1.0, 2.0])
def test_formulas_are_drawn_sharp_and_in_the_colour_of_the_text(qapp, ratio):
    pixmap = formula("vae", "#12ab34", 20, ratio)
    image = pixmap.toImage()
    assert pixmap.width() == pytest.approx(ratio * pixmap.deviceIndependentSize().width())
    solid = {
        QColor(image.pixelColor(x, y)).name()
        for x in range(image.width())
        for y in range(image.height())
        if image.pixelColor(x, y).alpha() == 255
    }
    assert solid == {"#12ab34"}


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
def test_in_the_score_figure_the_shared_factor_has_the_shortest_bar(qapp, colours):
    """Pairs of the same scale differ least in the latent that encodes it, as in the report's Figure 6."""
    from gui.help.illustrations import CARRIER, CODES

    sums = [sum(abs(u[k] - v[k]) for u, v in CODES) for k in range(5)]
    assert sums.index(min(sums)) == CARRIER
    image = FIGURES["score"](colours, QApplication.font(), 2.0).toImage()
    # The sums' bars stand on one line; count the pixels of the carrier's colour among them, and of the others'.
    row = [image.pixelColor(x, 2 * 149).name() for x in range(2 * 478, 2 * 562)]
    assert colours.runs[0].lower() in row
    assert colours.runs[1].lower() in row
    higher = [image.pixelColor(x, 2 * 120).name() for x in range(2 * 478, 2 * 562)]
    assert colours.runs[0].lower() not in higher
    assert colours.runs[1].lower() in higher


def test_escape_closes_and_the_size_comes_back(qtbot, help_window, library, settings):
    help_window.resize(700, 555)  # the screen of the tests is 800 wide
    qtbot.keyClick(help_window.search, Qt.Key.Key_Escape)
    assert not help_window.isVisible()
    again = HelpWindow(library, settings)
    qtbot.addWidget(again)
    assert (again.width(), again.height()) == (700, 555)


def test_the_browser_loads_no_external_resources(qtbot, qapp):
    browser = HelpBrowser()
    qtbot.addWidget(browser)
    assert browser.loadResource(2, QUrl("file:///etc/passwd")) is None
    assert browser.loadResource(2, QUrl("https://example.org/a.png")) is None


# F1


def focusable(window):
    return [w for w in window.findChildren(QWidget) if w.focusPolicy() != Qt.FocusPolicy.NoFocus]


def test_every_focusable_widget_has_an_existing_topic(window, library):
    known = set(library.topics) | {
        f"{name}#{anchor}" for name, topic in library.topics.items() for anchor in topic.anchors()
    }
    said = [w.property("helpTopic") for w in window.findChildren(QObject) if w.property("helpTopic")]
    assert len(said) > 30
    assert set(said) <= known
    assert {topic_of(w) for w in focusable(window)} <= known


def f1(qtbot, window, widget):
    widget.window().activateWindow()
    widget.setFocus()
    qtbot.waitUntil(lambda: QApplication.focusWidget() in (widget, widget.focusProxy()))
    qtbot.keyClick(QApplication.focusWidget(), Qt.Key.Key_F1)
    assert window.help.shown.isVisible()
    return window.help.shown.where


@pytest.mark.parametrize("name", ["dataset", "data_folder", "conditional", "latents", "seed"])
def test_f1_in_a_field_opens_its_entry(qtbot, window, name):
    assert f1(qtbot, window, window.training_page.settings.form.findChild(QWidget, f"field-{name}")) == (
        f"settings#{name}"
    )


def test_the_field_of_the_method_has_the_topic_of_the_chosen_method(qtbot):
    form = ConfigForm()
    qtbot.addWidget(form)
    box = form.findChild(QWidget, "field-objective")
    shipped = [name for name in METHODS if METHODS.origin(name) is None]
    for name in shipped:
        box.setCurrentIndex(box.findData(name))
        assert topic_of(box) == f"methods#{name}"
    text = (RESOURCES / "help" / "methods.html").read_text(encoding="utf-8")
    assert set(shipped) <= set(re.findall('id="([^"]*)"', text))


def test_settings_of_one_symbol_are_told_apart_in_the_contents():
    titles = re.findall("<h2 id='[^']*'>(.*?)</h2>", settings_topic())
    assert len(titles) == len(set(titles))
    assert {"λ", "λ (λβ-VAE)", "γ", "γ (DAVA)"} <= set(titles)


def test_f1_elsewhere_opens_the_topic_of_the_widget(qtbot, window):
    curves = window.training_page.curves
    window.training_page._stack.setCurrentIndex(1)
    for plot in (*curves.terms, curves.weights, curves.scores):  # as for a run that has such curves
        plot.show()
    terms = ["terms"] * len(curves.terms)
    topics = ("reconstruction", "kl", "latents", *terms, "weights", "scores")
    for plot, topic in zip(curves.plots, topics, strict=True):
        assert f1(qtbot, window, plot.canvas) == f"curves#{topic}"
    assert f1(qtbot, window, window.run_list.filter) == "runs"
    for number, topic in enumerate((FIRST, "traversal", "table", "data")):
        tab = window.header.tabs.button(number)
        tab.click()
        assert f1(qtbot, window, tab) == topic
    assert f1(qtbot, window, window.data_page.list) == "data"
    assert len([w for w in QApplication.topLevelWidgets() if isinstance(w, HelpWindow)]) == 1


def test_the_tables_topic_is_the_metric_of_the_current_column(qtbot, window, tmp_path):
    run = Run.create(tmp_path / "runs", RunConfig(objective="vae"))
    entry = {"value": 0.5, "unit": "", "protocol": {"name": "any", "n": 10, "split": "all", "z": "mean"}}
    run.write_evaluation({"step": 1, "checkpoint": f"{VERSION}-a", "metrics": {"mig": entry, "kl": entry}})
    window.store.refresh()
    window.header.tabs.button(2).click()
    view = window.metrics_page.view
    keys = [heading.key for heading in window.metrics_page.model.table.headings]
    for metric in ("mig", "kl"):
        view.setCurrentIndex(view.model().index(0, keys.index(metric)))
        assert topic_of(view) == f"metrics#{metric}"
    view.setCurrentIndex(view.model().index(0, 0))
    assert topic_of(view) == "table"
    view.horizontalHeader().sectionClicked.emit(keys.index("mig"))
    assert topic_of(view.horizontalHeader()) == "metrics#mig"


def test_f1_works_in_a_modal_dialog(qtbot, window):
    dialog = QDialog(window)
    dialog.setProperty("helpTopic", "exporting")
    line = TextField("cm")
    QVBoxLayout(dialog).addWidget(line)
    dialog.setModal(True)
    dialog.show()
    assert f1(qtbot, window, line) == "exporting"
    assert window.help.shown.windowHandle().transientParent() is dialog.windowHandle()
    dialog.reject()


def test_the_shortcuts_listed_are_those_of_the_window(qtbot, window):
    from gui.palette.commands import keys_of

    window.help.show_keys()
    text = window.help.shown.browser.toPlainText()
    assert all(words in text for words in keys_of(window).values())
    assert "Ctrl+Return" in text


def test_the_help_closes_with_the_window(qtbot, window):
    window.help.show_topic("data")
    shown = window.help.shown
    with qtbot.waitSignal(shown.destroyed):
        window.close()
    assert window.help.shown is None
