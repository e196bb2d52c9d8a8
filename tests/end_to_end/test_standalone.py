"""The standalone build, moved elsewhere, with nothing of this machine's Python around it. `make test-standalone`.

The folder is renamed, not copied (5 GB), and comes back at the end.
"""

import contextlib
import csv
import functools
import json
import os
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.standalone

ROOT = Path(__file__).resolve().parents[2]
DIST = ROOT / "dist" / "DisentangleStudio"
MOVED = ROOT / "dist" / "Eine Kopie – für später 画" / "Disentangle Studio"
SCREEN = (1440, 900)


@pytest.fixture(scope="module")
def moved():
    """The folder at a path with spaces and letters of other alphabets; nothing in it may change."""
    if not (DIST / "DisentangleStudio").exists():
        pytest.skip("there is no build: make standalone")
    MOVED.parent.mkdir()
    DIST.rename(MOVED)
    try:
        before = files(MOVED)
        yield MOVED
        assert files(MOVED) == before, "something was written beside the program"
    finally:
        MOVED.rename(DIST)
        MOVED.parent.rmdir()


@pytest.fixture
def home(tmp_path):
    folder = tmp_path / "home – 家"
    folder.mkdir()
    return folder


def files(folder):
    """Every file with its size and times."""
    return {path: (s := path.lstat()) and (s.st_size, s.st_mtime_ns, s.st_ctime_ns) for path in folder.rglob("*")}


def bare(home, **more):
    """An environment with nothing in it: no PATH, no Python, no user settings."""
    return {"HOME": str(home), **more}


def isolated(program, *arguments):
    """The command with nothing on PATH; where the system allows it without network, its folder mounted read-only."""
    allowed = subprocess.run(["unshare", "--net", "--mount", "true"], capture_output=True, check=False)
    if allowed.returncode:
        print("\nno private network and mounts here: started with the network, its files compared instead")
        return [str(program), *arguments]
    script = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec env -u PATH "$@"'
    tools = {name: shutil.which(name) or name for name in ("unshare", "sh")}
    return [tools["unshare"], "--net", "--mount", tools["sh"], "-c", script, program.parent, program, *arguments]


def test_the_selftest_passes_where_there_is_nothing_else(moved, home):
    started = time.monotonic()
    done = subprocess.run(
        isolated(moved / "DisentangleStudio", "--selftest"),
        cwd=home,
        env=bare(home, QT_QPA_PLATFORM="offscreen"),
        capture_output=True,
        text=True,
        timeout=900,
    )
    print(f"\n{done.stdout}{done.stderr}{time.monotonic() - started:.0f} s")
    assert done.returncode == 0, done.stderr
    assert "standalone" in done.stdout.splitlines()[0]
    assert "20 metrics" in done.stdout
    assert list(home.rglob("*")) == []


def test_only_what_is_used_is_collected(moved):
    names = [path.relative_to(moved).as_posix() for path in moved.rglob("*")]
    unwanted = re.compile(
        r"WebEngine|Qml|Quick|^_internal/(triton/|hypothesis)|resources/results|/tests?/|\.(h|hpp|cuh|qm)$|pytest|libgtk"
    )
    assert [name for name in names if unwanted.search(name)] == []
    for needed in (r"torchvision/_C(_stable)?\.", r"platforms/libqxcb", r"platforms/libqwayland",
                   r"platforms/libqoffscreen", r"imageformats/libqsvg", r"imageformats/libqjpeg",
                   r"^LICENSE$", r"^add-to-menu$"):  # fmt: skip
        assert [name for name in names if re.search(needed, name)], needed


def test_the_notices_cover_what_is_in_the_folder(moved):
    notices = {n["name"]: n for n in json.loads((moved / "_internal" / "resources" / "licences.json").read_text())}
    for name in ("Python", "torch", "torchvision", "PySide6_Essentials", "numpy", "scipy", "pyqtgraph", "matplotlib"):
        assert len(notices[name]["text"]) > 500, name
    assert not {"pytest", "ruff", "mypy", "hypothesis", "triton"} & set(notices)
    print(f"\n{len(notices)} notices")


def test_the_menu_entry_starts_the_program(moved, tmp_path):
    shown = subprocess.run(
        [str(moved / "add-to-menu")], env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)}, capture_output=True,
        text=True, check=True,
    )  # fmt: skip
    entry = Path(shown.stdout.strip())
    if checker := shutil.which("desktop-file-validate"):
        assert subprocess.run([checker, str(entry)], capture_output=True, text=True, check=True).stdout == ""
    lines = entry.read_text().splitlines()
    assert f'Exec="{moved}/DisentangleStudio"' in lines
    [icon] = [Path(line[5:]) for line in lines if line.startswith("Icon=")]
    assert icon.is_file()


class Screen:
    """A virtual screen with a window manager, a pointer and a keyboard."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.environment = environment

    def do(self, *words: object) -> str:
        """Run xdotool."""
        command = ["xdotool", *map(str, words)]
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, check=True).stdout

    def click(self, x: int, y: int) -> None:
        """Press the left button there."""
        self.do("mousemove", x, y, "sleep", 0.2, "click", 1)

    def picture(self, path: Path) -> Path:
        """Photograph the screen."""
        subprocess.run(["import", "-window", "root", str(path)], env=self.environment, check=True)
        return path


@pytest.fixture
def screen():
    lacking = [tool for tool in ("Xvfb", "openbox", "xdotool", "import") if not shutil.which(tool)]
    if lacking:
        pytest.skip(f"{', '.join(lacking)} is not installed")
    with contextlib.ExitStack() as stack:
        read, write = os.pipe()
        size = f"{SCREEN[0]}x{SCREEN[1]}x24"
        server = subprocess.Popen(
            ["Xvfb", "-displayfd", str(write), "-screen", "0", size, "-nolisten", "tcp"],
            pass_fds=[write], stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(write)
        stack.callback(server.wait)
        stack.callback(server.kill)
        with os.fdopen(read) as pipe:
            environment = os.environ | {"DISPLAY": f":{pipe.readline().strip()}"}
        manager = subprocess.Popen(["openbox"], env=environment, stderr=subprocess.DEVNULL)
        stack.callback(manager.wait)
        stack.callback(manager.kill)
        yield Screen(environment)


def until(true, seconds, what):
    end = time.monotonic() + seconds
    while not (value := true()):
        assert time.monotonic() < end, what
        time.sleep(0.2)
    return value


def kept(runs, name):
    """What a file of the only run says; empty before it is there."""
    found = list(runs.glob(f"*/{name}"))
    return json.loads(found[0].read_text()) if found else {}


def test_the_whole_path_by_mouse(moved, home, screen, tmp_path):
    """Open a model, train, watch, pause, resume, traverse, evaluate, export, close: places of a 1440 x 900 window."""
    runs = home / ".local" / "share" / "Disentangle Studio" / "runs"
    pictures = Path(os.environ.get("PICTURES", tmp_path))
    display = {"DISPLAY": screen.environment["DISPLAY"], "QT_QPA_PLATFORM": "xcb"}

    def state():
        return kept(runs, "state.json").get("state")

    began = time.monotonic()
    program = subprocess.Popen(
        [str(moved / "DisentangleStudio"), "--theme", "light"], cwd=home, env=bare(home, **display)
    )
    try:
        window = until(
            lambda: subprocess.run(
                ["xdotool", "search", "--onlyvisible", "--name", "^Disentangle Studio$"],
                env=screen.environment, capture_output=True, text=True, check=False,
            ).stdout.split(), 60, "the window is on the screen",
        )[-1]  # fmt: skip
        print(f"\nwindow on the screen {time.monotonic() - began:.1f} s after the start")
        screen.do("windowsize", window, *SCREEN, "windowmove", window, 0, 0, "windowactivate", "--sync", window)
        time.sleep(1)
        screen.picture(pictures / "frozen-start.png")
        screen.click(190, 215)  # the gallery's first model
        time.sleep(10)
        screen.picture(pictures / "frozen-gallery.png")
        screen.do("key", "ctrl+g")
        time.sleep(1)
        screen.click(1344, 118)  # Train one now
        until(lambda: kept(runs, "state.json").get("step", 0) >= 200, 120, "the run trains")
        time.sleep(2)
        screen.picture(pictures / "frozen-training.png")
        screen.click(323, 830)  # Pause
        until(lambda: state() == "paused", 30, "the run is paused")
        step = kept(runs, "state.json")["step"]
        time.sleep(2)
        assert kept(runs, "state.json")["step"] == step
        screen.click(323, 830)  # Resume
        until(lambda: kept(runs, "state.json")["step"] > step, 60, "the run to continue")
        screen.click(376, 24)  # Traversal
        until(lambda: state() == "finished", 900, "the run ends")
        time.sleep(3)
        screen.picture(pictures / "frozen-traversal.png")
        screen.click(472, 24)  # Metrics
        time.sleep(1)
        screen.click(1360, 469)  # Evaluate
        evaluated = functools.partial(kept, runs, "evaluation.json")
        until(lambda: "factor_neighbours" in evaluated().get("metrics", {}), 900, "the last usual metric is evaluated")
        time.sleep(3)
        screen.picture(pictures / "frozen-metrics.png")
        screen.click(1380, 84)  # Export…
        time.sleep(2)
        screen.do("type", "Tabelle")
        screen.do("key", "Return")
        table = until(lambda: [path for path in home.rglob("Tabelle.csv") if path.stat().st_size], 30, "it is saved")
        reconstruction = evaluated()["metrics"]["reconstruction"]["value"]
        with table[0].open(encoding="utf-8", newline="") as file:
            [row] = csv.DictReader(file)
        assert any(abs(number(value) - reconstruction) < 0.01 for value in row.values())
        screen.do("key", "ctrl+q")
        assert program.wait(60) == 0
    finally:
        program.kill()
        program.wait()
    log = (home / ".local" / "state" / "Disentangle Studio" / "log" / "studio.log").read_text()
    assert "Traceback" not in log


def number(text):
    """The number in a cell; far from any metric where there is none."""
    try:
        return float(text)
    except ValueError:
        return float("inf")
