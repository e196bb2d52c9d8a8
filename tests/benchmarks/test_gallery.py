"""A new user's first seconds: from the start of the process to moving pictures, and to a model in Traversal."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.benchmark

PROJECT = Path(__file__).resolve().parents[2]

DRIVER = """
import os, sys, time
began = float(sys.argv[1])
sys.path.insert(0, sys.argv[2])
from pathlib import Path
from PySide6.QtCore import QEvent, QPointF, QSettings, QTimer
from PySide6.QtGui import QEnterEvent
from PySide6.QtWidgets import QApplication
from engine.gallery import GALLERY
from gui.app import make_app
from gui.widgets import theme
from gui.window.main_window import MainWindow

app = make_app()
theme.remember_scheme(app, "light")
home = Path(sys.argv[3])
window = MainWindow(home / "runs", QSettings(str(home / "s.ini"), QSettings.Format.IniFormat), GALLERY)
theme.apply(app)
window.resize(1280, 800)
window.show()
told = {}

def tell(what):
    if what not in told:
        told[what] = time.time() - began
        print(f"{what} {told[what]:.2f} {time.process_time():.2f}", flush=True)

def look():
    tell("window")
    if "moves" in told:
        if window.traversal_page.answer is not None and window.traversal_page.card.latents.grid.rows:
            tell("traversal")
            os._exit(0)  # a measurement may be under way
        return
    cards = window.gallery_page.cards
    if not cards or not cards[0].isVisible():
        return
    tell("cards")
    card = cards[0]
    if not card.strip.playing:
        look.frame = card.strip.frame
        place = QPointF(5, 5)
        QApplication.sendEvent(card, QEnterEvent(place, place, place))
    elif card.strip.frame != look.frame:
        tell("moves")
        card.button.click()

timer = QTimer()
timer.timeout.connect(look)
timer.start(10)
app.exec()
"""


def test_seconds_to_moving_pictures_and_to_a_traversal(tmp_path):
    """With folders of its own: no runs, no data, nothing cached. The first round warms the disk."""
    for number in range(4):
        home = tmp_path / str(number)
        home.mkdir()
        folders = {f"XDG_{name}_HOME": str(home / name.lower()) for name in ("CACHE", "DATA", "CONFIG", "STATE")}
        command = [sys.executable, "-c", DRIVER, str(time.time()), str(PROJECT), str(home)]
        environment = os.environ | folders | {"OMP_WAIT_POLICY": "PASSIVE"}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=True)
        told = [line.split() for line in done.stdout.splitlines()]
        words = (f"{what} after {seconds} s ({of_them} s of a processor)" for what, seconds, of_them in told)
        print(f"\nround {number}: {', '.join(words)} (load {os.getloadavg()[0]:.1f})", end="")
    print()
