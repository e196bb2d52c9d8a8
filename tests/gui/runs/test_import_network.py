"""Importing a trained network in the window: what is found, what must be allowed, and the run that it becomes."""

import numpy as np
import pytest
import torch
from PySide6.QtCore import QMimeData, QPointF, Qt, QTimer, QUrl
from PySide6.QtGui import QDropEvent
from PySide6.QtWidgets import QApplication, QMessageBox
from torch import nn

from engine.data import load_dataset
from engine.export.onnx import export_onnx
from engine.runs.imported import GivenNetworks, allow_programs, import_networks
from engine.runs.run import Run
from engine.runs.trained import load_model
from engine.settings.folders import remember_data
from engine.system.paths import plugins_file
from gui.runs.import_network import NetworkDialog
from gui.window.drops import dropped_paths, invitation
from gui.window.header import TABS

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


@pytest.fixture(scope="module")
def exported(tmp_path_factory, tiny_run):
    folder = tmp_path_factory.mktemp("exported") / "onnx"
    for _ in export_onnx([tiny_run], folder):
        pass
    return folder / "encoder.onnx", folder / "decoder.onnx"


@pytest.fixture
def program(tmp_path):
    """A TorchScript encoder of MNIST's images: ten means, and ten log-variances."""
    network = nn.Sequential(nn.Flatten(), nn.Linear(784, 20), nn.Unflatten(1, (10, 2)))
    torch.jit.trace(network, torch.zeros(2, 1, 28, 28)).save(str(tmp_path / "theirs.pt"))
    return tmp_path / "theirs.pt"


@pytest.fixture
def dialog(qtbot, settings, digits_folder):
    remember_data("mnist", digits_folder)
    made = NetworkDialog(None, settings)
    qtbot.addWidget(made)
    made.dataset.setCurrentIndex(made.dataset.findData("mnist"))
    made.show()
    yield made
    made.reject()


def fill(qtbot, dialog, encoder, decoder=None):
    with qtbot.waitSignal(dialog.tried, timeout=60_000):
        dialog.decoder.path.setText("" if decoder is None else str(decoder))
        dialog.encoder.path.setText(str(encoder))


def test_what_the_networks_give_is_found_and_said(qtbot, dialog, exported):
    assert not dialog.import_button.isEnabled()
    fill(qtbot, dialog, *exported)
    gives = "the encoder gives mean and log-variance, two outputs; the decoder gives pixels"
    assert dialog.facts.text() == f"10 latents; {gives}; pixels from 0 to 1."
    assert dialog.import_button.isEnabled()
    assert dialog.allow.isHidden()


def test_what_does_not_fit_is_said_and_cannot_be_imported(qtbot, dialog, exported, tmp_path):
    fill(qtbot, dialog, exported[1], exported[0])
    assert "decoder.onnx cannot take an input of shape (16, 1, 28, 28)" in dialog.facts.text()
    assert not dialog.import_button.isEnabled()
    fill(qtbot, dialog, tmp_path / "gone.onnx")
    assert "gone.onnx" in dialog.facts.text()


def test_a_program_is_tried_only_once_it_is_allowed(qtbot, dialog, program):
    fill(qtbot, dialog, program)
    assert dialog.allow.text() == "I trust theirs.pt: allow it to be executed"
    assert dialog.facts.text() == "Allow theirs.pt first, to see what it gives."
    assert not dialog.import_button.isEnabled()
    with qtbot.waitSignal(dialog.tried, timeout=60_000):
        dialog.allow.click()
    assert "10 latents; the encoder gives mean, log-variance, mean, …" in dialog.facts.text()
    assert dialog.import_button.isEnabled()


def in_dialog(qtbot, act):
    """Do something in the dialog that opens next."""

    def wait():
        found = QApplication.activeModalWidget()
        if isinstance(found, NetworkDialog):
            act(found)
        else:
            QTimer.singleShot(20, wait)

    QTimer.singleShot(0, wait)


def test_an_imported_network_is_traversed(qtbot, window, exported, digits_folder):
    remember_data("mnist", digits_folder)

    def accept(dialog):
        dialog.dataset.setCurrentIndex(dialog.dataset.findData("mnist"))
        dialog.name_edit.setText("theirs")
        with qtbot.waitSignal(dialog.tried, timeout=60_000):
            pass
        qtbot.mouseClick(dialog.import_button, Qt.MouseButton.LeftButton)

    in_dialog(qtbot, accept)
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path)) for path in reversed(exported)])
    event = QDropEvent(QPointF(300, 300), Qt.DropAction.CopyAction, data, Qt.MouseButton.LeftButton, Qt.NoModifier)
    assert invitation(dropped_paths(event, scores=False), scores=False) == "Drop encoder and decoder to import them"
    window.dropEvent(event)
    [item] = window.run_list.items()
    assert item.name == "theirs"
    assert window.pages.currentIndex() == TABS.index("Traversal")
    qtbot.waitUntil(lambda: window.traversal_page.answer is not None, timeout=60_000)
    assert len(window.traversal_page.answer.loaded.kinds) == 10
    actions = window.actions_of_runs
    assert not actions.longer.isEnabled()
    assert not actions.allow.isVisible()


def test_a_program_of_a_copied_run_is_allowed_in_its_menu(qtbot, window, program, digits_folder):
    allow_programs([program])
    given = GivenNetworks(program, None, "mnist", digits_folder)
    list(import_networks(given, window.store.root, "copied"))
    plugins_file().unlink()  # as on another machine
    window.store.refresh()
    [path] = [item.path for item in window.store.items if item.name == "copied"]
    window.run_list.select(path)
    assert window.actions_of_runs.allow.isVisible()
    window.actions_of_runs.allow.trigger()
    box = next(each for each in QApplication.topLevelWidgets() if isinstance(each, QMessageBox) and each.isVisible())
    assert "can do everything that you can do on this machine" in box.text()
    with qtbot.waitSignal(window.actions_of_runs.allowed, timeout=30_000):
        next(button for button in box.buttons() if button.text() == "Allow").click()
    trained = load_model(Run.open(path), load_dataset("mnist", digits_folder))
    assert trained.encode(np.zeros((1, 28, 28, 1), np.uint8)).mean.shape == (1, 10)
