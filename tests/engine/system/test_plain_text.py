"""Names and sentences from files are shown in one line, without characters that a terminal or table would obey."""

import json
import os
import re

import pytest

from engine.cli.main import parse, run_command
from engine.errors import ConfigError
from engine.runs.latent_names import latent_names
from engine.runs.run import Run
from engine.settings.presets import own_presets, save_preset
from engine.settings.run_config import RunConfig
from engine.system.log_file import end_log, start_log
from engine.system.plain_text import clean_name, one_line, slug, without_invisible

CONFIG = RunConfig(dataset="digits")


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("two\nlines", "two lines"),
        ("a\r\n\tb\x0bc\x0cd\u2028e\u2029f\x85g", "a b c d e f g"),
        ("\x1b[31mred\x1b[0m\x07\x9b2J", "[31mred[0m2J"),
        ("report\u202egnp.exe", "reportgnp.exe"),
        ("\u2066isolated\u2069 \u200emarked", "isolated marked"),
        ("a\u200bb\ufeffc\u00add\u2060e", "abcde"),
        ("ascii\u200djoined", "asciijoined"),
        ("می\u200cخواهم", "می\u200cخواهم"),  # Persian is written with the non-joiner
        ("👩\u200d🔬", "👩\u200d🔬"),  # and a scientist is a woman joined to a microscope
        ("broken \udcff name", "broken \ufffd name"),  # a byte that is not UTF-8, as Python represents it
        ("  β = 4, γ\u00a0= 10 ", "β = 4, γ = 10"),
        ("\u200b\u202e", ""),
    ],
)
def test_text_is_shown_in_one_line_without_invisible_characters(given, shown):
    assert one_line(given) == shown
    assert one_line(shown) == shown


def test_a_longer_text_keeps_its_lines_and_loses_escape_sequences():
    assert without_invisible("first\n\tsecond \x1b]0;title\x07") == "first\n\tsecond ]0;title"


def test_names_are_composed_so_that_they_look_and_sort_the_same_on_every_system():
    assert clean_name("u\u0308ber") == "über"
    assert len(clean_name("x" * 100_000)) == 1000


# https://learn.microsoft.com/windows/win32/fileio/naming-a-file
RESERVED = [
    "CON",
    "nul",
    "Aux",
    "PRN",
    "COM1",
    "lpt9",
    "COM¹",
    "CON.txt",
    "aux.tar.gz",
    "CONIN$",
    "con.",
    "nul ...",
    "CON\n",
]


@pytest.mark.parametrize("name", [*RESERVED, "trailing.", "trailing ", "a/b\\c:d", ".hidden", "...", "\n", "tab\tbed"])
def test_a_folder_of_any_name_can_be_opened_on_windows(tmp_path, name):
    folder = slug(name)
    first = folder.split(".")[0].casefold().translate(str.maketrans("¹²³", "123"))
    assert not re.fullmatch(r"con|prn|aux|nul|conin\$|conout\$|com\d|lpt\d", first)
    assert folder == folder.strip(" .")
    assert not set(folder) & set('<>:"/\\|?*\n\t')
    run = Run.create(tmp_path, CONFIG, name)
    assert run.path.parent == tmp_path
    assert "\n" not in run.name


def test_ordinary_names_are_unchanged():
    for name in ("console", "com10", "auxiliary.v2", "β-VAE_0.5", "nullspace", "con-2"):
        assert slug(name) == name


def test_a_name_is_cleaned_when_given_and_when_read(tmp_path):
    run = Run.create(tmp_path, CONFIG, "first\nsecond \x1b[31m\u202e")
    assert run.name == "first second [31m"
    assert json.loads((run.path / "marks.json").read_text())["name"] == run.name
    marks = {"name": "a\nb\x1b[2J", "latents": {"0": "thick\nness\x07", "1": "\u200b"}}
    (run.path / "marks.json").write_text(json.dumps(marks))
    (run.path / "state.json").write_text(json.dumps({"state": "failed", "message": "disk\n\x1b[31mfull"}))
    again = Run.open(run.path)
    assert again.name == "a b[2J"
    assert latent_names(again.marks()) == {0: "thick ness"}
    assert again.state().message == "disk [31mfull"


def test_a_name_of_invisible_characters_is_no_name(tmp_path):
    run = Run.create(tmp_path, CONFIG, "\u200b\u202e\n")
    assert run.path.name == "annealed-relu-digits-0"
    run.write_marks({"name": "\u2060"})
    assert run.name == Run.create(tmp_path, CONFIG).name.replace(" (2)", "")


@pytest.mark.skipif(os.name == "nt", reason="Windows allows no such names")
def test_a_folder_with_a_line_break_in_its_name_is_shown_in_one_line(tmp_path):
    run = Run.create(tmp_path, CONFIG)
    odd = tmp_path / "odd\n\x1b[31mname"
    run.path.rename(odd)
    assert Run.open(odd).name == "odd [31mname"


def test_a_preset_is_saved_under_a_name_that_is_valid_on_every_system(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    preset = save_preset("CON\n", "", CONFIG)
    assert (preset.title, preset.name) == ("CON", "run-CON")
    assert "CON" in [own.title for own in own_presets()]
    with pytest.raises(ConfigError, match="needs a title"):
        save_preset(" \u200b\n", "", CONFIG)


def test_a_message_on_stderr_is_one_line_without_escape_sequences(tmp_path, capsys):
    run = Run.create(tmp_path, CONFIG)
    folder = tmp_path / "\x1b[31mred\nline"
    run.path.rename(folder)
    (folder / "config.json").write_text("{")
    assert run_command(parse(["evaluate", str(folder)])) == 1
    said = capsys.readouterr().err
    assert "[31mred line" in said
    assert "\x1b" not in said
    assert said.count("\n") == 1


def test_a_usage_error_is_one_line_without_escape_sequences(capsys):
    with pytest.raises(SystemExit) as ended:
        parse(["train", "\x1b[31m\nred"])
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert "\x1b" not in said
    assert said.count("\n") == 1


def test_results_reach_a_terminal_without_escape_sequences_and_a_pipe_unchanged(monkeypatch, capsys):
    from engine.cli.progress import answer

    answer("/runs/\x1b[31mred")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    answer("/runs/\x1b[31mred")
    assert capsys.readouterr().out.splitlines() == ["/runs/\x1b[31mred", "/runs/[31mred"]


def test_the_log_file_holds_no_escape_sequences(tmp_path):
    import logging

    handler = start_log(tmp_path / "studio.log")
    try:
        logging.getLogger("engine.test").warning("the run %s failed", "\x1b[2Jname\u202e")
    finally:
        end_log(handler)
    text = (tmp_path / "studio.log").read_text(encoding="utf-8")
    assert "the run [2Jname failed" in text
