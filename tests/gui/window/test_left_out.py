"""Damaged and hostile files: the window opens, shows what is intact, and reports what it leaves out."""

import json
import shutil

import pytest

from engine.runs.metrics_file import header
from engine.settings.folders import folders_file
from engine.settings.presets import own_presets
from engine.system.paths import presets_folder, studies_folder
from gui.training.settings_card import KEPT
from gui.widgets.save_dialog import FOLDER, last_folder
from gui.window.left_out import runs_left_out

DIGITS = "9" * 5000
DEEP = "[" * 50_000

HOSTILE = {
    "settings-digits": ("config.json", f'{{"seed": {DIGITS}}}'),
    "settings-path": ("config.json", f'{{"data_folder": "/{"a" * 5000}"}}'),
    "settings-cut": ("config.json", "{"),
    "settings-deep": ("config.json", DEEP),
    "settings-empty": ("config.json", ""),
    "state-large": ("state.json", f'{{"state": "finished", "step": 1{"0" * 400}}}'),
    "state-inf": ("state.json", '{"state": "running", "step": 1e999}'),
    "state-types": ("state.json", '{"state": [], "message": {}}'),
    "marks-digits": ("marks.json", f'{{"latents": {{"{DIGITS}": "x"}}}}'),
    "marks-types": ("marks.json", '{"name": [1], "tags": [[]], "colour": 1e300, "hidden": "x", "latents": 3}'),
    "marks-deep": ("marks.json", DEEP),
    "evaluation-types": ("evaluation.json", '{"checkpoint": 5, "metrics": {"kl": {"value": "x"}}}'),
    "evaluation-entry": ("evaluation.json", '{"metrics": {"kl": {"value": 1, "protocol": {"factors": 3}}}}'),
    "curves-line": ("metrics.csv", "7" * 5_000_000),
    "curves-inf": ("metrics.csv", f"{header(1)}\n" + "inf,inf,inf,inf,inf,inf,inf,inf\n" * 20),
    "curves-large": ("metrics.csv", f"{header(1)}\n10,0,1e308,1e308,1,1,,1\n20,1,2,3e38,-3e38,1,,3e38\n"),
    "held-out": ("held_out.csv", "step,epoch,seconds,reconstruction,kl\n" + DIGITS * 10),
    "weights-head": ("checkpoint/model.safetensors", "\xff" * 200),
    "picture-junk": ("previews/000000099.png", "no picture"),
}


@pytest.fixture
def root(tmp_path, tiny_run):
    """A runs folder with an intact run, and one for each entry of HOSTILE."""
    folder = tmp_path / "runs"
    for name in ("sound", *HOSTILE):
        shutil.copytree(tiny_run.path, folder / name, ignore=shutil.ignore_patterns("marks.json"))
    for name, (file, content) in HOSTILE.items():
        (folder / name / file).write_text(content, encoding="latin-1")
    (folder / "queue.json").write_text('[{"run": "sound", "more": 1e999}]')
    return folder


@pytest.fixture
def others():
    """Damaged files of the user other than runs."""
    files = {
        folders_file(): DEEP,
        presets_folder() / "deep.toml": f"a = {DEEP}",
        presets_folder() / "types.toml": "title = 3",
        studies_folder() / "digits.toml": f"a = {DIGITS}",
    }
    for file, content in files.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
    yield files
    for file in files:
        file.unlink()


def test_the_window_opens_despite_all_of_them_and_summarises_them(qtbot, root, others, another_window):
    window = another_window(root)
    left_out = {name for name in HOSTILE if name.startswith("settings")}
    assert {item.path.name for item in window.store.items} == {"sound", *HOSTILE} - left_out
    words = window.banner.text.text()
    assert words == (
        "5 runs are not listed (settings-cut, settings-deep, settings-digits and 2 more); their folders are unchanged. "
        "6 runs are listed without damaged files (marks-deep, marks-digits, marks-types and 3 more); point at a run to "
        "see why.\n5 other files are damaged and not used (queue.json, folders.json, deep.toml and 2 more); they are "
        "unchanged."
    )
    assert own_presets() == []


def test_every_run_is_shown_on_every_page(qtbot, root, another_window):
    window = another_window(root)
    window.show()
    for item in window.store.items:
        window.run_list.select(item.path)
        for page in range(3):
            window.header.tabs.button(page).click()
            qtbot.wait(50)  # time for drawing and for background reads
        said = " ".join([item.state.message, *item.problems])
        file = HOSTILE.get(item.path.name, ("none", ""))[0]
        assert (file in said) == (file in ("state.json", "marks.json", "metrics.csv", "evaluation.json"))


def test_a_metrics_file_with_an_endless_line_is_read_only_once(root, another_window):
    window = another_window(root)
    item = window.store.find(root / "curves-line")
    while item.metrics.behind:
        item.refresh()
    assert not item.refresh()


def test_a_single_unreadable_run_is_reported_with_its_reason():
    words = runs_left_out({"a": "/runs/a/config.json is damaged: it is nested more than 32 levels deep."}, [])
    assert words == (
        "/runs/a/config.json is damaged: it is nested more than 32 levels deep. The run is not listed; its folder is "
        "unchanged."
    )


def test_an_offer_does_not_hide_unreadable_runs(root, another_window, tiny_run):
    state = root / "sound" / "state.json"
    state.write_text(json.dumps({"state": "running", "step": 5, "total": 60}))
    window = another_window(root)
    assert window.banner.property("kind") == "offer"
    window.banner.dismiss.click()
    assert window.banner.property("kind") == "error"
    assert "not listed" in window.banner.text.text()
    window.banner.dismiss.click()
    assert window.banner.isHidden()


@pytest.mark.parametrize(
    "kept",
    [
        {"geometry": "x", "tab": DIGITS, "splitter": "x"},
        {"tab": "²", KEPT: DEEP, "metrics/columns": DEEP, "traversal/steps": "inf", "traversal/low": "1e999"},
        {KEPT: '{"basis": 3}', "metrics/columns": "[]", "curves/smoothing": "nan", FOLDER: "/" + "a" * 5000},
    ],
)
def test_damaged_window_settings_are_ignored(tmp_path, settings, another_window, kept):
    for key, value in kept.items():
        settings.setValue(key, value)
    window = another_window(tmp_path / "runs")
    assert window.banner.isHidden()
    for page in range(4):
        window.header.tabs.button(page).click()
    assert last_folder(settings).is_dir()
