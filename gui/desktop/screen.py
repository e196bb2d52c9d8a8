"""Checks whether a window can be opened, before Qt is loaded: Qt would abort the process."""

import ctypes
import importlib.util
import os
import re
import sys
from pathlib import Path

PACKAGES = {
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
    "libGLX.so.0": "libglx0",
    "libOpenGL.so.0": "libopengl0",
    "libfontconfig.so.1": "libfontconfig1",
    "libfreetype.so.6": "libfreetype6",
    "libxkbcommon.so.0": "libxkbcommon0",
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
    "libdbus-1.so.3": "libdbus-1-3",
    "libglib-2.0.so.0": "libglib2.0-0",
    "libX11.so.6": "libx11-6",
    "libX11-xcb.so.1": "libx11-xcb1",
    "libxcb.so.1": "libxcb1",
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-image.so.0": "libxcb-image0",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-randr.so.0": "libxcb-randr0",
    "libxcb-render-util.so.0": "libxcb-render-util0",
    "libxcb-render.so.0": "libxcb-render0",
    "libxcb-shape.so.0": "libxcb-shape0",
    "libxcb-shm.so.0": "libxcb-shm0",
    "libxcb-sync.so.1": "libxcb-sync1",
    "libxcb-util.so.1": "libxcb-util1",
    "libxcb-xfixes.so.0": "libxcb-xfixes0",
    "libxcb-xkb.so.1": "libxcb-xkb1",
}
"""Debian and Ubuntu packages of the system libraries that Qt needs."""

ALL_PACKAGES = (
    "libegl1 libgl1 libxkbcommon-x11-0 libdbus-1-3 libxcb-cursor0 libxcb-icccm4 libxcb-image0 "
    "libxcb-keysyms1 libxcb-randr0 libxcb-render-util0 libxcb-shape0 libxcb-xkb1"
)
"""Packages that a minimal Linux needs, as listed in the README."""


def no_screen() -> bool:
    """Return whether this is Linux without a display and no other Qt platform was requested."""
    if not sys.platform.startswith("linux") or os.environ.get("QT_QPA_PLATFORM", "xcb") not in ("xcb", "wayland", ""):
        return False
    if os.environ.get("WAYLAND_DISPLAY"):
        return False
    return not os.environ.get("DISPLAY") or not _display_answers()


def find_problem() -> str:
    """Return which of Qt's system libraries is missing and what to install; empty if none is."""
    _undo_opencv_plugin_path()
    if not sys.platform.startswith("linux"):
        return ""
    try:
        import PySide6.QtWidgets  # noqa: F401
    except ImportError as error:
        return _missing(str(error))
    if os.environ.get("WAYLAND_DISPLAY") or os.environ.get("QT_QPA_PLATFORM", "xcb") not in ("xcb", ""):
        return ""
    try:
        ctypes.CDLL(str(_plugin()))
    except OSError as error:
        return _missing(str(error))
    return ""


def _plugin() -> Path:
    """Return the path of Qt's X11 plugin; loading it requires every system library that a window needs."""
    spec = importlib.util.find_spec("PySide6")
    assert spec
    assert spec.origin
    return Path(spec.origin).parent / "Qt" / "plugins" / "platforms" / "libqxcb.so"


def _missing(message: str) -> str:
    found = re.search(r"(lib[\w.+-]+\.so[.\d]*): cannot open", message)
    if not found:
        return f"Qt cannot be loaded ({message}). Reinstall the project with: make run."
    library = found.group(1)
    package = PACKAGES.get(library)
    if package is None:
        return f"The system library {library}, which Qt needs, is missing; install the package that provides it."
    return (
        f"The system library {library}, which Qt needs, is missing. On Debian and Ubuntu install it with: "
        f"apt install {package} (everything a minimal system may lack: {ALL_PACKAGES})."
    )


def _display_answers() -> bool:
    """Return whether the X server named by DISPLAY accepts a connection; Qt aborts if it does not."""
    try:
        xcb = ctypes.CDLL("libxcb.so.1")
    except OSError:
        return True  # cannot tell; find_problem() says what is missing
    xcb.xcb_connect.restype = ctypes.c_void_p
    xcb.xcb_connection_has_error.argtypes = [ctypes.c_void_p]
    xcb.xcb_disconnect.argtypes = [ctypes.c_void_p]
    connection = xcb.xcb_connect(None, None)
    fine = not xcb.xcb_connection_has_error(connection)
    xcb.xcb_disconnect(connection)
    return fine


def _undo_opencv_plugin_path() -> None:
    """Unset the plugin path if opencv-python has set it: its Qt 5 plugins break PySide6."""
    path = os.environ.get("QT_QPA_PLATFORM_PLUGIN_PATH", "")
    if "cv2" in Path(path).parts:
        del os.environ["QT_QPA_PLATFORM_PLUGIN_PATH"]
