"""Exports what the Traversal page shows: figures, animations, numbers, and the latents of the whole data set."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QSettings, Slot
from PySide6.QtGui import QAction, QGuiApplication
from PySide6.QtWidgets import QDialog, QMenu

from engine.errors import ConfigError, StudioError
from engine.figures.report_figures import MIN_KL, REPORT_FIGURES, SPAN
from engine.jobs.events import Finished, Job
from gui.runs.export import JobDialog
from gui.traversal.answering import Latents
from gui.traversal.grid_card import MAP, SAMPLES
from gui.traversal.picture_dialog import PictureDialog
from gui.traversal.requests import Range
from gui.traversal.sheet import sheet_of
from gui.widgets.save_dialog import CSV, PICTURES, Format, ask_file, ask_new_folder, proposed_name

if TYPE_CHECKING:
    from engine.export.latent_map import MapPicture
    from engine.export.sheets import Sheet
    from engine.traversal import Traversal
    from gui.traversal.page import TraversalPage

GIF, NPZ = Format("gif", "GIF animation"), Format("npz", "NumPy arrays")
REPORT_STEPS = 11
"""Number of values in the report's figures, as on the command line."""


class Exports(QObject):
    """Fills the export menu and performs its actions; the outcome appears in the card's last line."""

    def __init__(self, page: "TraversalPage", settings: QSettings) -> None:
        super().__init__(page)
        self._page, self._settings = page, settings
        self._figures: list[QAction] = []

    def fill(self, menu: QMenu) -> None:
        """Add the export actions and the report's figures."""
        menu.setToolTipsVisible(True)
        self._picture = menu.addAction("Figure…", self.save_picture)
        self._picture.setToolTip("The current view as PNG, SVG or PDF")
        self._copy = menu.addAction("Copy picture", self.copy_picture)
        self._copy.setToolTip("Copy the current view to the clipboard, as on the screen")
        self._animation = menu.addAction("Animation…", self.save_animation)
        self._animation.setToolTip("Each latent in turn, or the view from left to right, as GIF")
        self._frames = menu.addAction("Frames…", self.save_frames)
        self._frames.setToolTip("The frames of the animation as images, in a new folder")
        self._numbers = menu.addAction("Numbers…", self.save_numbers)
        self._numbers.setToolTip("Images, values, latents and related data as .npz; the points of the map also as .csv")
        menu.addSeparator()
        self._latents = menu.addAction("Latents of the whole data set…", self.save_latents)
        self._latents.setToolTip("Posterior means, log-variances, labels and factors of every image as .npz")
        menu.addSeparator()
        for figure in REPORT_FIGURES.values():
            action = menu.addAction(f"Show as Figure {figure.number}: {figure.title}")
            action.setData(figure.number)
            action.triggered.connect(self._show_figure)
            self._figures.append(action)
        menu.aboutToShow.connect(self._enable)

    @Slot()
    def _enable(self) -> None:
        """Enable the actions that apply to the current view."""
        answer, item = self._page.answer, self._page.item
        for action in (self._picture, self._copy, self._animation, self._frames, self._numbers):
            action.setEnabled(answer is not None)
        for action in (self._animation, self._frames):
            action.setVisible(self._page.card.view not in (MAP, SAMPLES))
        self._latents.setEnabled(answer is not None and answer.loaded.dataset is not None)
        for action in self._figures:
            try:
                if item is not None:
                    REPORT_FIGURES[action.data()].check(item.run)
                action.setEnabled(item is not None)
            except ConfigError:
                action.setEnabled(False)

    @property
    def _is_map(self) -> bool:
        return self._page.card.view == MAP

    def _traversal(self) -> "Traversal | None":
        """Return the visible rows of the grid of latents."""
        answer = self._page.answer
        if answer is None or not isinstance(answer.result, Latents):
            return None
        rows = self._page.card.latents.shown
        return answer.result.traversal.rows(rows) if rows else None

    def _caption(self, traversal: "Traversal") -> str:
        from engine.export.summary import traversal_caption

        answer = self._page.answer
        assert answer is not None
        return traversal_caption(answer.loaded.trained.run, answer.start.words, traversal, self._page.names)

    def _shown(self) -> "_Shown | None":
        """Return what is shown, ready to be saved; None, after a message, if that is nothing."""
        answer, traversal = self._page.answer, self._traversal()
        if answer is None:
            return None
        if self._is_map:
            picture = self._page.map.picture()
            if picture is None:
                self._say("Nothing to save: the map has no points yet.")
            return None if picture is None else _Shown(picture)
        if traversal is not None:
            return _Shown(traversal, self._caption(traversal), self._page.names)
        sheet = sheet_of(answer, self._page.names, self._page.card.latents.min_kl.value())
        if sheet is None:
            self._say("Nothing to save: no latents are shown.")
            return None
        return _Shown(sheet)

    @Slot()
    def save_picture(self) -> None:
        """Ask for size and file, and save the view as a figure."""
        shown = self._shown()
        if shown is None:
            return
        dialog = PictureDialog(self._page, self._settings)
        accepted = dialog.exec() == QDialog.DialogCode.Accepted
        width, dpi, labels = dialog.width_cm, dialog.dpi, dialog.labels
        dialog.deleteLater()
        if accepted:
            self._save_file("Save figure", PICTURES, lambda path: shown.save(path, width, dpi, labels=labels))

    @Slot()
    def save_animation(self) -> None:
        """Ask for a file, and save the view as an animation."""
        self._save_shown("Save animation", (GIF,))

    @Slot()
    def save_numbers(self) -> None:
        """Ask for a file, and save the arrays."""
        self._save_shown("Save numbers", (CSV, NPZ) if self._is_map else (NPZ,))

    def _save_shown(self, title: str, formats: tuple[Format, ...]) -> None:
        shown = self._shown()
        if shown is not None:
            self._save_file(title, formats, shown.save)

    @Slot()
    def copy_picture(self) -> None:
        """Copy the current view to the clipboard as an image."""
        QGuiApplication.clipboard().setPixmap(self._page.card.picture())
        self._say("Copied to the clipboard.")

    @Slot()
    def save_frames(self) -> None:
        """Ask for a folder, and save the frames of the animation in a new one there."""
        shown = self._shown()
        if shown is None:
            return
        name = self._name("frames")
        title = f"Save frames: choose where to create the folder {name}"
        folder = ask_new_folder(self._page, self._settings, title, name)
        if folder is not None:
            self._carry_out("Save frames", _job(shown.save_frames, folder))

    @Slot()
    def save_latents(self) -> None:
        """Ask for a file, and save the posteriors of every image, with progress."""
        item, shown = self._page.item, self._page.request
        if item is None or shown is None:
            return
        path = ask_file(self._page, self._settings, "Save latents of the data set", self._name("latents"), (NPZ,))
        if path is None:
            return
        run, checkpoint = item.run, shown.weights.checkpoint

        def job() -> Job:
            from engine.export.traversal import save_latents

            yield from save_latents(run, path, checkpoint)

        self._carry_out("Save latents of the data set", job)

    def _name(self, content: str) -> str:
        item = self._page.item
        return proposed_name([item.name if item else ""], content)

    def _save_file(self, title: str, formats: tuple[Format, ...], write: Callable[[Path], None]) -> None:
        path = ask_file(self._page, self._settings, title, self._name("traversal"), formats)
        if path is not None:
            self._carry_out(title, _job(write, path))

    def _carry_out(self, title: str, make_job: Callable[[], Job]) -> None:
        try:
            self._say(JobDialog(self._page, title, make_job).carry_out())
        except StudioError as error:
            self._say(str(error))

    def _say(self, words: str) -> None:
        self._page.card.words.setText(words)

    @Slot()
    def _show_figure(self) -> None:
        """Set the range and minimum KL of the report's figures."""
        card = self._page.card
        card.show_view(0)
        card.set_range(Range(*SPAN, REPORT_STEPS))
        card.latents.show_only(MIN_KL)


@dataclass(frozen=True, slots=True)
class _Shown:
    """A grid of latents, the map, or the sheet of another view, ready to be saved."""

    content: "Traversal | Sheet | MapPicture"
    caption: str = ""
    names: Mapping[int, str] = field(default_factory=dict)

    def save(self, path: Path, width: float | None = None, dpi: int = 200, *, labels: bool = True) -> None:
        from engine.export.traversal import Look, save_traversal
        from engine.traversal import Traversal

        look = Look(width, dpi, labels, self.caption, self.names)
        if not isinstance(self.content, Traversal):
            self.content.save(path, look)
        else:
            save_traversal(self.content, path, look)

    def save_frames(self, folder: Path) -> None:
        from engine.export.sheets import Sheet
        from engine.export.traversal import Look, save_frames
        from engine.traversal import Traversal

        look = Look(names=self.names)
        if isinstance(self.content, Sheet):
            self.content.save_frames(folder, look)
        elif isinstance(self.content, Traversal):
            save_frames(self.content, folder, look)


def _job(write: Callable[[Path], None], path: Path) -> Callable[[], Job]:
    def job() -> Job:
        write(path)
        yield Finished(message=f"Saved as {path}")

    return job
