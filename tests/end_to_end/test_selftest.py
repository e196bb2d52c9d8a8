"""`main.py --selftest`: the whole path through the window, as users and the standalone build check themselves."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
STEPS = (
    "window",
    "gallery",
    "training on digits",
    "training on dSprites",
    "traversal",
    "evaluation",
    "export and import",
    "window again",
    "close",
)

BROKEN = """
import sys
from engine.data import digits
from engine.errors import DataError
from main import main

def load():
    raise DataError("The digits are gone.")

digits.load = load
sys.exit(main(["--selftest"]))
"""

HUNG = """
import sys, time
from gui.window import selftest
from main import main

selftest.LIMIT = 0.5
selftest.SelfTest._open = lambda self: time.sleep(60)
sys.exit(main(["--selftest"]))
"""


@pytest.fixture
def start(tmp_path):
    """Start Python in a home of its own; return the finished process. Whatever it wrote is below the home."""
    home, temporary = tmp_path / "home", tmp_path / "tmp"
    home.mkdir()
    temporary.mkdir()
    kept = {name: value for name, value in os.environ.items() if not name.startswith("XDG_")}
    environment = kept | {"HOME": str(home), "TMPDIR": str(temporary), "QT_QPA_PLATFORM": "offscreen"}

    def run(*arguments):
        done = subprocess.run(
            [sys.executable, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=500
        )
        assert list(home.rglob("*")) == [], "something of the user's was touched"
        assert list(temporary.iterdir()) == [], "something was left behind"
        return done

    return run


def test_the_selftest_tells_of_each_step_and_leaves_nothing_behind(start):
    done = start("main.py", "--selftest")
    lines = done.stdout.splitlines()
    assert done.returncode == 0, done.stdout + done.stderr
    assert [line[2:25].rstrip() for line in lines[1:-1]] == list(STEPS)
    assert "offscreen" in lines[0]
    assert "38 metrics" in done.stdout
    assert lines[-1].startswith("All steps passed")


def test_a_broken_step_is_named_with_its_reason(start):
    done = start("-c", BROKEN)
    assert done.returncode == 1
    last = done.stdout.splitlines()[-1]
    assert last.startswith("  training on digits")
    assert "FAILED" in last
    assert "The digits are gone." in last


def test_a_step_that_hangs_is_ended(start):
    done = start("-c", HUNG)
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1] == "  window                 FAILED: it did not finish within 0.5 seconds"
