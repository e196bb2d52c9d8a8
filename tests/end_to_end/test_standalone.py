"""The standalone build, moved elsewhere, with nothing of this machine's Python around it. `make test-standalone`.

The folder is renamed, not copied (5 GB), and comes back at the end.
"""

import contextlib
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
STEPS = 300


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
    """An environment with nothing in it: no PATH, no Python, no settings of anybody's."""
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


@pytest.mark.parametrize("name", ["DisentangleStudio", "DisentangleStudio-console"])
def test_the_selftest_passes_where_there_is_nothing_else(moved, home, name):
    started = time.monotonic()
    done = subprocess.run(
        isolated(moved / name, "--selftest"),
        cwd=home,
        env=bare(home, QT_QPA_PLATFORM="offscreen"),
        capture_output=True,
        text=True,
        timeout=900,
    )
    print(f"\n{done.stdout}{done.stderr}{name}: {time.monotonic() - started:.0f} s")
    assert done.returncode == 0, done.stderr
    assert "standalone" in done.stdout.splitlines()[0]
    assert "20 metrics" in done.stdout
    assert list(home.rglob("*")) == []


def test_only_what_is_used_is_collected(moved):
    names = [path.relative_to(moved).as_posix() for path in moved.rglob("*")]
    unwanted = re.compile(
        r"WebEngine|Qml|Quick|_internal/(triton/|hypothesis)|resources/results|/tests?/|\.(h|hpp|cuh|qm)$|pytest|libgtk"
    )
    assert [name for name in names if unwanted.search(name)] == []
    for needed in (r"torchvision/_C\.", r"platforms/libqxcb", r"platforms/libqwayland", r"platforms/libqoffscreen",
                   r"imageformats/libqsvg", r"imageformats/libqjpeg", r"^LICENSE$", r"^add-to-menu$"):  # fmt: skip
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


def state_of(runs):
    [path] = runs.glob("*/state.json")
    return json.loads(path.read_text())


def test_two_clicks_lead_to_a_trained_model(moved, home, screen, tmp_path):
    """The first start: the preset is there; the first click gives it fewer steps only to save this test two minutes."""
    runs = home / ".local" / "share" / "Disentangle Studio" / "runs"
    pictures = Path(os.environ.get("PICTURES", tmp_path))
    display = {"DISPLAY": screen.environment["DISPLAY"], "QT_QPA_PLATFORM": "xcb"}
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
        )[0]  # fmt: skip
        print(f"\nwindow on the screen {time.monotonic() - began:.1f} s after the start")
        screen.do("windowsize", window, *SCREEN, "windowmove", window, 0, 0, "windowactivate", "--sync", window)
        time.sleep(1)
        screen.picture(pictures / "frozen-start.png")
        shape = dict(line.split("=") for line in screen.do("getwindowgeometry", "--shell", window).split())
        left, top, height = (int(shape[key]) for key in ("X", "Y", "HEIGHT"))
        form = left + 418, top + 560
        screen.do("mousemove", *form, "sleep", 0.2, "click", "--repeat", 3, 1, "sleep", 0.2, "key", "ctrl+a")
        screen.do("type", str(STEPS))
        screen.picture(pictures / "frozen-form.png")
        screen.click(left + 360, top + height - 105)  # Start
        until(lambda: list(runs.glob("*/config.json")), 60, "a run begins")
        until(lambda: state_of(runs)["state"] == "finished", 400, "the run ends")
        assert state_of(runs)["step"] == STEPS
        time.sleep(2)
        screen.picture(pictures / "frozen-trained.png")
        screen.click(left + 374, top + 24)  # Traversal
        time.sleep(8)
        screen.picture(pictures / "frozen-traversal.png")
        screen.do("key", "ctrl+q")
        assert program.wait(60) == 0
    finally:
        program.kill()
        program.wait()
    log = (home / ".local" / "state" / "Disentangle Studio" / "log" / "studio.log").read_text()
    assert "Traceback" not in log
