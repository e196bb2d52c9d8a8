"""Images from outside: opened, dropped or pasted. Files are read in the background."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QMimeData, QObject, QSettings, Signal, Slot
from PySide6.QtGui import QGuiApplication, QImage
from PySide6.QtWidgets import QFileDialog, QWidget

from gui.bridge import LatestWorker
from gui.widgets.save_dialog import last_folder

PICTURES = "Images (*.png *.jpg *.jpeg *.jpe *.jfif *.webp *.gif *.bmp *.tif *.tiff *.jp2 *.avif *.ppm *.pgm)"


class Incoming(QObject):
    """Emits `arrived(pixels, description)` for an image, and `failed(message)` if there is none."""

    arrived = Signal(object, str)
    failed = Signal(str)

    def __init__(self, parent: QWidget, settings: QSettings) -> None:
        super().__init__(parent)
        self._parent, self._settings = parent, settings
        self._reader = LatestWorker(self)
        self._reader.answered.connect(self._read)
        self._reader.failed.connect(self._unreadable)

    def close(self) -> None:
        """End the reading thread."""
        self._reader.close()

    @Slot()
    def ask(self) -> None:
        """Ask for an image file."""
        folder = str(last_folder(self._settings))
        name, _ = QFileDialog.getOpenFileName(self._parent, "Open image", folder, PICTURES)
        if name:
            self.open(Path(name))

    def open(self, path: Path) -> None:
        """Read an image file."""
        self._reader.ask(path, lambda: _read(path))

    @Slot()
    def paste(self) -> None:
        """Take the image, or the image file, from the clipboard."""
        if not self.take(QGuiApplication.clipboard().mimeData()):
            self.failed.emit("There is no image on the clipboard.")

    def welcomes(self, data: QMimeData) -> bool:
        """Return whether this may be an image."""
        return _file_of(data) is not None or (data.hasImage() and not data.hasUrls())

    def take(self, data: QMimeData) -> bool:
        """Take what was dropped or copied; return False if it is not an image."""
        path = _file_of(data)
        if path is not None:
            self.open(path)
            return True
        image = QImage(data.imageData()) if data.hasImage() else QImage()
        if image.isNull():
            return False
        self.arrived.emit(to_pixels(image), "an image from the clipboard")
        return True

    @Slot(object, object)
    def _read(self, path: Path, pixels: NDArray[np.uint8]) -> None:
        self.arrived.emit(pixels, f"file {path.name}")

    @Slot(object, str)
    def _unreadable(self, path: Path, message: str) -> None:
        self.failed.emit(message)


def to_pixels(image: QImage) -> NDArray[np.uint8]:
    """Return a QImage as uint8 (height, width, 4), including transparency."""
    image = image.convertToFormat(QImage.Format.Format_RGBA8888)
    rows = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine())
    return rows[:, : 4 * image.width()].reshape(image.height(), image.width(), 4).copy()


def _read(path: Path) -> NDArray[np.uint8]:
    from engine.data.input_pictures import read_picture

    return read_picture(path)


def _file_of(data: QMimeData) -> Path | None:
    """Return the only file; None for a folder, several files, none, or what is left to the window: data, plug-ins."""
    urls = data.urls()
    if len(urls) != 1 or not urls[0].isLocalFile():
        return None
    path = Path(urls[0].toLocalFile())
    return None if path.is_dir() or path.suffix.lower() in (".npz", ".py") else path
