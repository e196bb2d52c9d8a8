"""Loading plug-ins: nothing is executed that is not allowed, and whatever a file is costs a sentence."""

import hashlib
import json
import os
import sys
import threading
import time

import pytest

from engine.errors import PluginError
from engine.jobs.workers import apart
from engine.methods.beta_vae import BetaVae
from engine.methods.registry import METHODS
from engine.plugins import loading, sources
from engine.plugins.loading import Standing, Tried, check_file
from engine.plugins.sources import LARGEST, find_packages
from engine.system.consent import Consent

HEAD = "from engine.plugins.plugin import Plugin\nfrom engine.methods.beta_vae import BetaVae\n"


def only(plugins):
    [listed] = plugins.listed()
    return listed


def allowed(start, path, content=None):
    """Put a file in the folder, allow it, and load it as another process would; how it is listed then."""
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    plugins = start()
    plugins.rescan()
    plugins.allow(plugins.find(path.name))
    plugins.load()
    return plugins, plugins.find(path.name)


def test_without_plug_ins_nothing_is_there_and_nothing_is_imported(start, monkeypatch):
    plugins = start()
    monkeypatch.delitem(sys.modules, "engine.plugins.registering")
    plugins.load()
    assert plugins.listed() == []
    assert "engine.plugins.registering" not in sys.modules


def test_a_new_file_is_listed_and_not_executed(start, folder):
    (folder / "new.py").write_text("raise SystemExit('it was executed')")
    plugins = start()
    plugins.load()
    listed = only(plugins)
    assert (listed.key, listed.standing, listed.problem, listed.name) == ("new.py", Standing.NEW, "", "")


def test_what_is_allowed_is_loaded_and_says_what_it_brings(start, sound):
    plugins, listed = allowed(start, sound)
    assert (listed.standing, listed.problem) == (Standing.LOADED, "")
    assert (listed.name, listed.version, listed.provides) == ("sound", "1.0", {"method": ("sound-vae",)})
    assert METHODS["sound-vae"].title == "Sound VAE"
    origin = METHODS.origin("sound-vae")
    assert (origin.plugin, origin.fingerprint) == ("sound", hashlib.sha256(sound.read_bytes()).hexdigest())
    assert origin.place == str(sound)
    assert plugins.find("sound") == plugins.find("sound.py") == listed


def test_what_was_imported_before_needs_no_child_process_another_time(start, sound, monkeypatch):
    allowed(start, sound)

    def never(*arguments, **options):
        raise AssertionError("a process was started")

    monkeypatch.setattr("engine.jobs.workers.Worker", never)
    plugins = start()
    plugins.load(known_only=True)
    assert only(plugins).standing is Standing.LOADED


def test_after_an_update_of_a_library_it_is_tried_again(start, sound, monkeypatch):
    allowed(start, sound)
    monkeypatch.setattr(loading, "library_versions", lambda: {"torch": "99"})
    plugins = start()
    plugins.load(known_only=True)
    assert only(plugins).standing is Standing.ALLOWED
    plugins.load()
    assert only(plugins).standing is Standing.LOADED


def test_what_is_refused_is_not_executed(start, folder):
    (folder / "bad.py").write_text("raise SystemExit('it was executed')")
    plugins = start()
    plugins.rescan()
    plugins.refuse(plugins.find("bad"))
    again = start()
    again.load()
    assert only(again).standing is Standing.REFUSED


def test_a_file_that_was_changed_after_it_was_allowed_is_asked_about_again(start, sound):
    plugins, _ = allowed(start, sound)
    sound.write_text("raise SystemExit('it was executed')")
    plugins.load()
    listed = only(plugins)
    assert listed.standing is Standing.CHANGED
    assert METHODS["sound-vae"].title == "Sound VAE"  # what was loaded stays until this is answered
    again = start()
    again.load()
    assert only(again).standing is Standing.CHANGED
    assert "sound-vae" not in METHODS


def test_the_bytes_that_were_allowed_are_those_that_are_executed(start, sound):
    plugins = start()
    plugins.rescan()
    listed = only(plugins)
    sound.write_text("raise SystemExit('it was executed')")  # between the look and the answer
    plugins.allow(listed)
    job = plugins.loading()
    for event in job:
        if isinstance(event, Tried):
            assert event.problem == ""
            plugins.take(event)
    assert METHODS.origin("sound-vae").fingerprint == listed.fingerprint
    plugins.rescan()
    assert only(plugins).standing is Standing.CHANGED


def test_answers_that_are_damaged_allow_nothing_and_are_kept_beside(start, sound):
    plugins, _ = allowed(start, sound)
    file = plugins.consent.path
    file.write_text(file.read_text()[:-20])
    again = start()
    again.load()
    assert only(again).standing is Standing.NEW
    assert f"{file} is damaged: it is not valid JSON" in again.problem
    assert again.problem.endswith("No plug-in is loaded until you allow it again.")
    again.allow(only(again))
    again.load()
    assert only(again).standing is Standing.LOADED
    assert (again.problem, file.with_name("plugins-damaged.json").exists()) == ("", True)


@pytest.mark.parametrize(
    "answers",
    [
        {"x" * 64: {"file": "sound.py", "answer": "allowed"}},
        {"{sha}": {"file": "sound.py", "answer": True}},
        {"{sha}": "allowed"},
        ["{sha}"],
    ],
)
def test_answers_of_another_form_allow_nothing(start, sound, answers):
    sha = hashlib.sha256(sound.read_bytes()).hexdigest()
    text = json.dumps({"schema": 1, "answers": answers}).replace("{sha}", sha)
    plugins = start()
    plugins.consent.path.write_text(text)
    plugins.load()
    assert only(plugins).standing is Standing.NEW
    assert "is damaged" in plugins.problem


def test_answers_that_several_windows_give_at_once_are_all_kept(tmp_path):
    """Each has read the file before the others wrote; once all but the last were lost, refusals among them."""

    def answer(number):
        consent = Consent(tmp_path / "plugins.json")
        for n in range(10):
            consent.give(f"{number:032x}{n:032x}", f"{number}.py", "refused")

    threads = [threading.Thread(target=answer, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(Consent(tmp_path / "plugins.json").read().given) == 40


HOSTILE = {
    "raises": (
        "import json\n\nraise RuntimeError('no GPU\\nhere')\n",
        "bad.py cannot be loaded: it raised RuntimeError: no GPU here (bad.py, line 3).",
    ),
    "exits": ("import sys\nsys.exit(3)\n", "bad.py cannot be loaded: it raised SystemExit: 3 (bad.py, line 2)."),
    "ends the process": ("import os\nos._exit(7)\n", "bad.py ended its process with exit status 7 (bad.py, line 2)."),
    "crashes": ("import ctypes\n\nctypes.string_at(0)\n", "bad.py crashed with SIGSEGV (bad.py, line 3)."),
    "is no Python": (
        "def f(:\n",
        "bad.py cannot be loaded: it raised SyntaxError: invalid syntax (bad.py, line 1).",
    ),
    "is binary": (
        bytes(range(256)) * 40,
        "bad.py cannot be loaded: it raised SyntaxError: source code string cannot contain null bytes.",
    ),
    "is not UTF-8": (b"x = '\xff'\n", "bad.py cannot be loaded: it raised SyntaxError: "),
    "is nested deep": ("(" * 5000 + ")" * 5000, "bad.py cannot be loaded: it raised SyntaxError: too many nested"),
    "defines nothing": ("x = 1\n", "bad.py defines no PLUGIN."),
    "is something else": ("PLUGIN = 3\n", "PLUGIN must be a Plugin, and is an int."),
    "interface 2": (
        f"{HEAD}PLUGIN = Plugin(name='new', version='1', interface=2, methods={{'new': BetaVae}})",
        "The plug-in new was made for version 2 of the interface for plug-ins; this version of Disentangle Studio has "
        "version 1.",
    ),
    "takes a name": (
        f"{HEAD}PLUGIN = Plugin(name='mine', version='1', interface=1, methods={{'beta-vae': BetaVae}})",
        "There is already a method beta-vae, from the application itself.",
    ),
    "misses arguments": (
        f"{HEAD}PLUGIN = Plugin('mine')\n",
        "bad.py cannot be loaded: it raised TypeError: Plugin.__init__() missing 2 required positional arguments: "
        "'version' and 'interface' (bad.py, line 3).",
    ),
    "raises when it is inspected": (
        f"{HEAD}class Odd(dict):\n    def items(self):\n        raise KeyError('odd')\n\n"
        "PLUGIN = Plugin(name='odd', version='1', interface=1, methods=Odd(a=1))",
        "KeyError: 'odd'",
    ),
}


@pytest.mark.parametrize("how", HOSTILE)
def test_whatever_is_wrong_with_a_file_is_a_sentence_and_the_others_are_loaded(start, folder, sound, how):
    content, words = HOSTILE[how]
    plugins = start()
    plugins.rescan()
    plugins.allow(plugins.find("sound.py"))
    plugins, listed = allowed(start, folder / "bad.py", content)
    assert listed.standing is Standing.FAILED
    assert words in listed.problem
    assert "\n" not in listed.problem
    assert plugins.find("sound.py").standing is Standing.LOADED
    assert not [name for name in sys.modules if name.startswith("plugin_bad")]


BESIDE = "import sys, os\nsys.path.insert(0, os.path.dirname(os.path.realpath(__file__)){0})\nimport helper_of_bad\n"


@pytest.mark.parametrize("below", ["", " + '/lib'"])
@pytest.mark.parametrize("here", [True, False])
def test_a_file_that_imports_another_one_beside_it_is_not_loaded(start, folder, tmp_path, below, here):
    """The other is not asked about, and no fingerprint says what it was."""
    place = folder if here else tmp_path / "elsewhere"
    (place / "lib").mkdir(parents=True)
    for at in (place, place / "lib"):
        (at / "helper_of_bad.py").write_text("x = 1\n")
    sane = [*sys.path]
    if here:
        _, listed = allowed(start, folder / "bad.py", BESIDE.format(below))
    else:
        (place / "bad.py").write_text(BESIDE.format(below))
        (folder / "bad.py").symlink_to(place / "bad.py")
        _, listed = allowed(start, folder / "bad.py")
    assert listed.problem == (
        "bad.py cannot be loaded: it imports helper_of_bad.py, but only bad.py itself is asked about and has a "
        "fingerprint. Put everything into one file, or make an installed package of it."
    )
    assert "helper_of_bad" not in sys.modules
    assert sys.path == sane


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("import engine.methods.terms as t; t.kl_per_latent = abs", "kl_per_latent of engine.methods.terms"),
        ("BetaVae.step = lambda *_: {}", "step of engine.methods.beta_vae.BetaVae"),
        ("BetaVae.penalty = None", "penalty of engine.methods.beta_vae.BetaVae"),
        ("del BetaVae.warnings", "warnings of engine.methods.beta_vae.BetaVae"),
    ],
)
def test_a_file_that_changes_our_code_is_not_loaded_and_the_code_is_as_before(start, folder, line, words):
    """Else runs of our own methods would be trained with its code, and say that no plug-in had a part in them."""
    from engine.methods import terms

    kl, step, penalty, warnings = terms.kl_per_latent, BetaVae.step, BetaVae.__dict__["penalty"], BetaVae.warnings
    plugin = f"{HEAD}class Own(BetaVae):\n    title = short = 'Own'\nPLUGIN = Plugin('own', '1', 1, {{'own': Own}})\n"
    _, listed = allowed(start, folder / "bad.py", f"{plugin}\n{line}\n")
    assert f"bad.py cannot be loaded: it replaces {words}, which runs that do not name it use, too." in listed.problem
    assert (terms.kl_per_latent, BetaVae.step, BetaVae.__dict__["penalty"], BetaVae.warnings) == (
        kl,
        step,
        penalty,
        warnings,
    )


@pytest.mark.parametrize("body", ["while True:\n    pass\n", "import time\n\ntime.sleep(1000)\n"])
def test_an_import_that_does_not_end_is_ended_and_named_with_its_line(start, folder, monkeypatch, body):
    monkeypatch.setattr(loading, "IMPORT_SECONDS", 8.0)
    _, listed = allowed(start, folder / "bad.py", body)
    assert listed.standing is Standing.FAILED
    assert "bad.py is not loaded: its import did not finish within 8 seconds (bad.py, line" in listed.problem


def test_an_import_that_hangs_only_the_second_time_costs_no_more_than_its_limit(start, folder, tmp_path, monkeypatch):
    mark = tmp_path / "mark"
    hangs = f"import pathlib, time\nif pathlib.Path({str(mark)!r}).exists():\n    time.sleep(3)\n"
    (folder / "bad.py").write_text(hangs + HEAD + "PLUGIN = Plugin('bad', '1', 1, methods={'bad': BetaVae})\n")
    allowed(start, folder / "bad.py")
    mark.touch()
    monkeypatch.setattr(loading, "IMPORT_SECONDS", 0.3)
    plugins = start()
    began = time.monotonic()
    plugins.load(known_only=True)
    assert time.monotonic() - began < 2
    assert "did not finish within 0.3 seconds" in only(plugins).problem


def unreadable(folder, kind, tmp_path):
    path = folder / "odd.py"
    if kind == "a folder":
        path.mkdir()
    elif kind == "a FIFO":
        os.mkfifo(path)
    elif kind == "a device":
        path.symlink_to("/dev/zero")
    elif kind == "a link to nothing":
        path.symlink_to(tmp_path / "nothing")
    elif kind == "large":
        with path.open("wb") as file:
            file.truncate(100 * LARGEST)
    return path


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has neither")
@pytest.mark.parametrize("kind", ["a folder", "a FIFO", "a device", "a link to nothing", "large"])
def test_what_is_no_file_or_too_large_is_a_sentence_and_is_not_waited_for(start, folder, sound, tmp_path, kind):
    unreadable(folder, kind, tmp_path)
    plugins = start()
    plugins.load()
    listed = plugins.find("odd.py")
    assert listed.standing is Standing.FAILED
    assert listed.problem.startswith("odd.py ")
    assert plugins.find("sound.py").standing is Standing.NEW
    with pytest.raises(PluginError, match=r"^odd\.py "):
        plugins.allow(listed)


def test_a_link_to_a_file_is_read_as_that_file(start, folder, tmp_path, sound):
    elsewhere = tmp_path / "mine.py"
    sound.rename(elsewhere)
    sound.symlink_to(elsewhere)
    plugins, listed = allowed(start, sound)
    assert listed.standing is Standing.LOADED
    plugins.remove(listed)
    assert elsewhere.exists()
    assert not sound.is_symlink()


def test_two_files_of_one_plug_in_do_not_get_in_each_others_way(start, folder, sound):
    (folder / "copy.py").write_bytes(sound.read_bytes())
    plugins, _ = allowed(start, sound)
    first, second = plugins.find("copy.py"), plugins.find("sound.py")
    assert first.standing is Standing.LOADED
    assert second.standing is Standing.FAILED
    assert "There is already a plug-in sound" in second.problem


def test_a_new_version_takes_the_place_of_the_old_one(start, sound):
    plugins, _ = allowed(start, sound)
    sound.write_text(sound.read_text().replace("1.0", "1.1").replace("Sound VAE", "Sounder VAE"))
    plugins.rescan()
    assert plugins.stale() == []
    assert plugins.replaced() == []
    plugins.allow(only(plugins))
    assert plugins.replaced() == ["sound.py"]
    assert only(plugins).standing is Standing.ALLOWED
    plugins.wait("sound.py", "A run uses it.")
    plugins.load()
    assert (only(plugins).problem, METHODS["sound-vae"].title) == ("A run uses it.", "Sound VAE")
    plugins.wait("sound.py", "")
    plugins.load()
    assert (only(plugins).version, METHODS["sound-vae"].title) == ("1.1", "Sounder VAE")
    sound.unlink()
    plugins.rescan()
    assert plugins.stale() == ["sound.py"]
    plugins.unload("sound.py")
    assert (plugins.listed(), "sound-vae" in METHODS) == ([], False)


def test_a_loaded_one_that_is_refused_is_to_go(start, sound):
    plugins, listed = allowed(start, sound)
    plugins.refuse(listed)
    assert plugins.stale() == ["sound.py"]


def test_adding_copies_a_file_and_does_not_allow_it(start, folder, tmp_path, sound):
    given = tmp_path / "given" / "sound.py"
    given.parent.mkdir()
    sound.rename(given)
    plugins = start()
    listed = plugins.add(check_file(given))
    assert (listed.standing, sound.read_bytes()) == (Standing.NEW, given.read_bytes())
    assert plugins.add(check_file(given)) == listed  # the same again is no matter
    given.write_text("x = 1")
    with pytest.raises(PluginError, match=r"There is already a sound\.py in .*, with other content"):
        plugins.add(check_file(given))
    assert plugins.add(check_file(given), replace_existing=True).standing is Standing.NEW
    assert sound.read_text() == "x = 1"


@pytest.mark.parametrize("name", ["notes.txt", ".hidden.py", "folder.py"])
def test_what_can_be_no_plug_in_is_not_added(start, folder, tmp_path, name):
    path = tmp_path / name
    path.mkdir() if name == "folder.py" else path.write_text("")
    with pytest.raises(PluginError, match=r"is not a plug-in|not a regular file"):
        start().add(check_file(path))
    assert list(folder.iterdir()) == []


def seen_in_child():
    from engine.jobs.events import Warned

    yield Warned(", ".join(name for name in METHODS if METHODS.origin(name)))
    yield Warned(METHODS["sound-vae"].__module__ if "sound-vae" in METHODS else "")


def test_children_load_the_bytes_that_their_parent_has_loaded_whatever_the_file_holds_by_then(start, sound):
    allowed(start, sound)
    sound.write_text("raise SystemExit('it was executed')")
    said = [event.message for event in apart("It", seen_in_child) if hasattr(event, "message")]
    assert said[0] == "sound-vae"
    assert said[1].startswith("plugin_sound_")


def test_what_a_plug_in_prints_while_it_is_imported_does_not_go_to_stdout(start, folder, capsys):
    _, listed = allowed(
        start, folder / "talks.py", f"print('hello')\n{HEAD}PLUGIN = Plugin('a', '1', 1, {{'a': BetaVae}})"
    )
    assert listed.standing is Standing.LOADED
    assert capsys.readouterr().out == ""


def package(tmp_path, monkeypatch, body, name="toys"):
    """An installed package: its folder, and the metadata that pip leaves."""
    site = tmp_path / "site"
    (site / name).mkdir(parents=True)
    (site / name / "__init__.py").write_text(body)
    info = site / f"studio_{name}-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: studio-{name}\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text(f"[disentangle_studio.plugins]\n{name} = {name}:PLUGIN\n")
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setenv("PYTHONPATH", str(site), prepend=os.pathsep)
    monkeypatch.setattr(sources, "_imported", {})
    monkeypatch.setitem(sys.modules, name, None)  # to be taken away after the test
    del sys.modules[name]
    return site / name


def test_an_installed_package_is_loaded_without_a_question(start, tmp_path, monkeypatch, sound):
    package(tmp_path, monkeypatch, sound.read_text())
    sound.unlink()
    plugins = start()
    plugins.load()
    listed = only(plugins)
    assert (listed.key, listed.standing, listed.is_file) == ("studio-toys", Standing.LOADED, False)
    with pytest.raises(PluginError, match="pip uninstall studio-toys"):
        plugins.refuse(listed)
    assert METHODS.origin("sound-vae").fingerprint == listed.fingerprint


@pytest.mark.parametrize("name", ["more.py", "core.so", "data/weights.json", "../toys_core/__init__.py"])
def test_the_fingerprint_of_a_package_is_that_of_all_its_files_but_bytecode(tmp_path, monkeypatch, name):
    """And of the other files that pip's RECORD names: a second module of the same package."""
    code = package(tmp_path, monkeypatch, "x = 1")
    file = code / name
    file.parent.mkdir(exist_ok=True)
    file.write_text("1")
    (site := code.parent).joinpath("studio_toys-1.2.dist-info", "RECORD").write_text(
        f"{os.path.relpath(file, site)},,\nstudio_toys-1.2.dist-info/METADATA,,\n../bin/tool,,\ntoys/gone.py,,\n"
    )
    before = fingerprint_of_package()
    (code / "__pycache__").mkdir(exist_ok=True)
    (code / "__pycache__" / "more.cpython-311.pyc").write_bytes(b"bytecode")
    assert fingerprint_of_package() == before
    file.write_text("2")
    assert fingerprint_of_package() != before


def fingerprint_of_package():
    [found], problems = find_packages()
    assert problems == {}
    return found.fingerprint


def test_a_package_that_changes_is_used_neither_here_nor_in_children_as_what_it_was(
    start, tmp_path, monkeypatch, sound
):
    code = package(tmp_path, monkeypatch, sound.read_text().replace("Sound VAE", "First"))
    sound.unlink()
    plugins = start()
    plugins.load()
    (code / "__init__.py").write_text((code / "__init__.py").read_text().replace("First", "Second, longer"))
    words = "The package studio-toys has changed since it was loaded. Restart the application to use it as it is now."
    with pytest.raises(PluginError, match=f"^{words}$"):  # once it executed the new code under the old fingerprint
        list(apart("It", title_in_child))
    # pip takes it away and installs it again: once the old code had the new fingerprint.
    info = code.parent / "studio_toys-1.2.dist-info"
    info.rename(tmp_path / "away")
    plugins.rescan()
    plugins.unload("studio-toys")
    (tmp_path / "away").rename(info)
    plugins.load()
    assert (only(plugins).standing, only(plugins).problem) == (Standing.FAILED, words)
    assert "sound-vae" not in METHODS


def title_in_child():
    from engine.jobs.events import Warned

    yield Warned(METHODS["sound-vae"].title)


def test_a_package_that_raises_is_a_sentence(start, tmp_path, monkeypatch):
    package(tmp_path, monkeypatch, "import json\nraise KeyError('gone')\n", name="broken")
    plugins = start()
    plugins.load()
    assert only(plugins).problem == (
        "The package studio-broken cannot be loaded: it raised KeyError: 'gone' (__init__.py, line 2)."
    )


def test_a_new_version_that_cannot_be_loaded_leaves_the_old_one(start, sound):
    plugins, _ = allowed(start, sound)
    sound.write_text("raise KeyError('gone')")
    plugins.rescan()
    plugins.allow(only(plugins))
    plugins.load()
    listed = only(plugins)
    assert (listed.standing, listed.name) == (Standing.FAILED, "sound")
    assert listed.problem == "sound.py cannot be loaded: it raised KeyError: 'gone' (sound.py, line 1)."
    assert METHODS["sound-vae"].title == "Sound VAE"
