"""Messages when no window can be opened."""

import ctypes

import pytest

from gui.desktop import screen


@pytest.fixture
def linux(monkeypatch):
    monkeypatch.setattr("sys.platform", "linux")
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM", "QT_QPA_PLATFORM_PLUGIN_PATH"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def test_a_linux_without_a_display_has_no_screen(linux):
    assert screen.no_screen()


def test_a_display_that_does_not_answer_is_no_screen(linux):
    linux.setenv("DISPLAY", ":987")
    assert screen.no_screen()


def test_another_requested_platform_needs_no_display(linux):
    linux.setenv("QT_QPA_PLATFORM", "offscreen")
    assert not screen.no_screen()


@pytest.mark.parametrize(
    ("library", "package"), [("libxcb-cursor.so.0", "libxcb-cursor0"), ("libxkbcommon-x11.so.0", "libxkbcommon-x11-0")]
)
def test_a_missing_system_library_is_named_with_its_package(linux, library, package):
    def missing(name: str) -> None:
        raise OSError(f"{library}: cannot open shared object file: No such file or directory")

    linux.setattr(ctypes, "CDLL", missing)
    problem = screen.find_problem()
    assert f"The system library {library}, which Qt needs, is missing" in problem
    assert f"apt install {package} " in problem
    assert "\n" not in problem


def test_a_plugin_path_set_by_opencv_is_unset(linux, tmp_path):
    linux.setenv("QT_QPA_PLATFORM_PLUGIN_PATH", str(tmp_path / "cv2" / "qt" / "plugins"))
    linux.setenv("QT_QPA_PLATFORM", "offscreen")
    screen.find_problem()
    assert "QT_QPA_PLATFORM_PLUGIN_PATH" not in screen.os.environ


def test_another_plugin_path_is_left_alone(linux, tmp_path):
    linux.setenv("QT_QPA_PLATFORM_PLUGIN_PATH", str(tmp_path))
    linux.setenv("QT_QPA_PLATFORM", "offscreen")
    screen.find_problem()
    assert screen.os.environ["QT_QPA_PLATFORM_PLUGIN_PATH"] == str(tmp_path)
