"""The latent map: posterior means of the data in a plane, coloured by class or factor, before the manifold."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPoint, QPointF, QRectF, QSettings, QSignalBlocker, Qt, Signal, Slot
from PySide6.QtGui import QPixmap, QStandardItemModel
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from engine.jobs.events import Progress
from engine.methods.latents import Latent
from engine.runs.latent_names import latent_title
from gui.traversal.labels import value_text
from gui.traversal.map_colours import ColourScale, class_colours, scale_colours
from gui.traversal.map_plot import MapPlot
from gui.widgets.combo import Combo
from gui.widgets.flow import FlowLayout
from gui.widgets.image_grid import to_qimage
from gui.widgets.layouts import JobFoot, label
from gui.widgets.legend import Entry, Legend
from gui.widgets.plain import as_plain
from gui.widgets.theme import faint, px

if TYPE_CHECKING:
    from engine.traversal import Codes, Grouping, Plane

LATENTS, PCA, UMAP = "latents", "pca", "umap"
PLANES = ((LATENTS, "Two latents"), (PCA, "PCA"), (UMAP, "UMAP"))
NO_COLOUR = "one colour"
UNSELECTED = 0.2
"""Share of its colour that a point keeps while others are selected."""

PREVIEW = 84
"""Side in pixels of the image of the point under the pointer."""


class MapView(QWidget):
    """Emits `plane_changed`, `manifold_changed`, `computing_asked` and `cancelled` for the choices and buttons,
    `picked(point)` and `placed(x, y)` on a click on a point or beside all, `mean_asked` to set the sliders to the mean
    of the selection, `pointed(point)` with the point under the pointer, or -1, and `hovered(text)`.
    """

    plane_changed = Signal()
    manifold_changed = Signal()
    computing_asked = Signal()
    cancelled = Signal()
    picked = Signal(int)
    placed = Signal(float, float)
    mean_asked = Signal()
    pointed = Signal(int)
    hovered = Signal(str)

    def __init__(self, settings: QSettings) -> None:
        super().__init__()
        self.setProperty("helpTopic", "traversal#map")
        self._settings = settings
        self._codes: Codes | None = None
        self._colours: list[str] = []
        self._position = QPointF()
        self._pair_before: tuple[int, int] | None = None
        self.selected = np.empty(0, bool)
        """The points chosen with the lasso, (n,)."""
        self._build_options()
        self.plot = MapPlot()
        self.legend = Legend()
        self.scale = ColourScale()
        self.note = label("", "muted", wrap=True)
        self.foot = JobFoot(self._job_button())
        self.about = label("", "muted")
        self._preview = label("")
        self._preview.setParent(self.plot)
        self._preview.setObjectName("card")
        self._preview.setStyleSheet("border: 1px solid palette(mid); background: palette(base); padding: 2px;")
        self._preview.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.note)
        layout.addWidget(self.legend)
        layout.addWidget(self.scale)
        layout.addWidget(self.plot, 1)
        layout.addWidget(self._selection_row())
        layout.addWidget(self.foot)
        layout.addWidget(self.about)
        for part in (self.note, self.legend, self.scale, self.foot, self._preview):
            part.hide()
        self.plot.picked.connect(self.picked)
        self.plot.placed.connect(self.placed)
        self.plot.pointed.connect(self._pointed)
        self.plot.surrounded.connect(self._surrounded)
        self.legend.toggled.connect(self._toggled)

    # Layout

    def _build_options(self) -> None:
        self.options = QWidget()
        flow = FlowLayout(self.options, spacing=6)
        self.kind, self.across, self.up, self.colour = Combo(), Combo(), Combo(), Combo()
        for key, title in PLANES:
            self.kind.addItem(title, key)
        kept = self.kind.findData(str(self._settings.value("traversal/map-plane", LATENTS)))
        self.kind.setCurrentIndex(max(0, kept))
        for box, name, tip, width in (
            (self.kind, "Plane", "The plane of the map: two latents, the first two principal components, or UMAP", 110),
            (self.across, "Across", "The latent from left to right", 80),
            (self.up, "Up", "The latent from bottom to top", 80),
            (self.colour, "Colour", "Colour the points by class or by a factor", 92),
        ):
            box.setAccessibleName(name)
            box.setToolTip(tip)
            box.setFixedWidth(px(width))
        self.manifold = QPushButton("Manifold")
        self.manifold.setToolTip(
            "Show decoded images behind the points: the two latents, or components, over the range, the others as set "
            "by the sliders. A click decodes there (Ctrl+M)"
        )
        self.manifold.setShortcut("Ctrl+M")
        self.lasso = QPushButton("Lasso")
        self.lasso.setToolTip("Select points by drawing around them; Shift and dragging always does (Ctrl+L)")
        self.lasso.setShortcut("Ctrl+L")
        for button, name in ((self.manifold, "manifold"), (self.lasso, "lasso")):
            button.setObjectName("compact")
            button.setCheckable(True)
            button.setAccessibleName(f"Map: {name}")
        self.manifold.setChecked(str(self._settings.value("traversal/map-manifold", False)).lower() == "true")
        self._beside = label("×", "muted")
        for widget in (
            self.kind, self.across, self._beside, self.up, label("Colour", "muted"), self.colour,
            self.manifold, self.lasso,
        ):  # fmt: skip
            flow.addWidget(widget)
        self.kind.currentIndexChanged.connect(self._kind_chosen)
        self.across.currentIndexChanged.connect(self._axis_chosen)
        self.up.currentIndexChanged.connect(self._axis_chosen)
        self.colour.currentIndexChanged.connect(self._colour_chosen)
        self.manifold.toggled.connect(self._manifold_toggled)
        self.lasso.toggled.connect(self._lasso_toggled)
        self._show_axes()

    def _job_button(self) -> QPushButton:
        self.button = QPushButton("Cancel")
        self.button.setObjectName("compact")
        self.button.clicked.connect(self._job_clicked)
        return self.button

    def _selection_row(self) -> QWidget:
        self.selection = QWidget()
        row = QHBoxLayout(self.selection)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(6)
        self.summary = label("", wrap=True)
        self.to_mean = QPushButton("Set sliders to mean")
        self.to_mean.setToolTip("Set every latent to its mean over the selected points; a category to the commonest")
        self.clear_button = QPushButton("Clear")
        self.clear_button.setAccessibleName("Clear the selection")
        self.clear_button.setToolTip("Select no points")
        row.addWidget(self.summary, 1)
        for button in (self.to_mean, self.clear_button):
            button.setObjectName("compact")
            row.addWidget(button, 0, Qt.AlignmentFlag.AlignTop)
        self.to_mean.clicked.connect(self.mean_asked)
        self.clear_button.clicked.connect(self.clear_selection)
        self.selection.hide()
        return self.selection

    # Choices

    @property
    def wanted(self) -> str:
        """The kind of plane: `LATENTS`, `PCA` or `UMAP`."""
        return str(self.kind.currentData())

    @property
    def pair(self) -> tuple[int, int] | None:
        """The two latents; None before any are listed."""
        first, second = self.across.currentData(), self.up.currentData()
        return None if first is None or second is None else (first, second)

    @property
    def grouping(self) -> "Grouping | None":
        """What colours the points; None for one colour."""
        number = self.colour.currentData()
        return self._codes.groupings[number] if self._codes is not None and isinstance(number, int) else None

    def offer(self, key: str, reason: str) -> None:
        """Offer a kind of plane, or grey it out for a reason."""
        row, model = self.kind.findData(key), self.kind.model()
        assert isinstance(model, QStandardItemModel)
        model.item(row).setEnabled(not reason)
        self.kind.setItemData(row, as_plain(reason), Qt.ItemDataRole.ToolTipRole)
        if reason and self.wanted == key:
            with QSignalBlocker(self.kind):
                self.kind.setCurrentIndex(0)
            self._show_axes()

    def list_latents(self, order: Sequence[int], names: Mapping[int, str]) -> None:
        """List the latents; the first two are chosen unless others were."""
        titles = [(latent_title(latent, names), latent) for latent in order]
        for place, box in enumerate((self.across, self.up)):
            if [(box.itemText(n), box.itemData(n)) for n in range(box.count())] == titles:
                continue
            chosen = box.currentData()
            with QSignalBlocker(box):
                box.clear()
                for words, latent in titles:
                    box.addItem(words, latent)
                found = box.findData(chosen)
                box.setCurrentIndex(found if found >= 0 else min(place, len(titles) - 1))
        self._pair_before = self.pair

    def begin_run(self) -> None:
        """Forget the previous run."""
        for box in (self.across, self.up):
            with QSignalBlocker(box):
                box.clear()
        self.legend.hidden.clear()
        self.clear()

    def _show_axes(self) -> None:
        for widget in (self.across, self._beside, self.up):
            widget.setVisible(self.wanted == LATENTS)
        self.manifold.setEnabled(self.wanted != UMAP)

    @Slot()
    def _kind_chosen(self) -> None:
        self._settings.setValue("traversal/map-plane", self.wanted)
        self._show_axes()
        self.plane_changed.emit()

    @Slot()
    def _axis_chosen(self) -> None:
        """Change the axes; if both would show the same latent, they swap."""
        pair, before = self.pair, self._pair_before
        if pair is not None and pair[0] == pair[1] and before is not None:
            first = self.sender() is self.across
            other = self.up if first else self.across
            with QSignalBlocker(other):
                other.setCurrentIndex(other.findData(before[0] if first else before[1]))
        self._pair_before = self.pair
        self.plane_changed.emit()

    # What is shown

    def clear(self) -> None:
        """Show no points."""
        self._codes, self._colours = None, []
        self.plot.show_points(np.empty((0, 2)))
        self.plot.show_manifold(None, QRectF())
        self.plot.show_code(None)
        self.selected = np.empty(0, bool)
        self._preview.hide()
        for widget in (self.selection, self.legend, self.scale, self.note):
            widget.hide()
        self.about.setText("")

    def show_codes(self, codes: "Codes") -> None:
        """Show these codes once there are points for them; list what they can be coloured by."""
        if codes is self._codes:
            return
        kept = str(self._settings.value("traversal/map-colour", ""))
        self._codes = codes
        self.selected = np.zeros(len(codes.images), bool)
        self.selection.hide()
        with QSignalBlocker(self.colour):
            self.colour.clear()
            for number, grouping in enumerate(codes.groupings):
                self.colour.addItem(grouping.title, number)
            self.colour.addItem(NO_COLOUR, None)
            self.colour.setCurrentIndex(max(0, self.colour.findText(kept)))
        self.about.setText(f"Posterior means of {codes.words}")

    def show_points(self, points: NDArray[np.float64], titles: tuple[str, str], *, square: bool) -> None:
        """Show the codes at these points, (n, 2), between axes with these titles; `square` if their units agree."""
        self.plot.across.setLabel(titles[0])
        self.plot.up.setLabel(titles[1])
        self.plot.box.setAspectLocked(square)
        self.plot.show_points(points)
        self.draw()

    def draw(self) -> None:
        """Colour the points, and show what the colours mean."""
        codes, grouping = self._codes, self.grouping
        if codes is None or len(self.plot.points) != len(codes.images):
            return
        visible = np.ones(len(codes.images), bool)
        scale = grouping is not None and grouping.ordered
        self.scale.setVisible(scale)
        self.legend.setVisible(grouping is not None and not scale)
        if grouping is None:
            self._colours = class_colours(1) * len(codes.images)
        elif grouping.values is not None and scale:
            each = scale_colours(grouping.values.tolist())
            self._colours = [each[number] for number in grouping.numbers]
            low, high = int(grouping.values.argmin()), int(grouping.values.argmax())
            self.scale.show_scale(grouping.title, grouping.names[low], grouping.names[high])
        else:
            each = class_colours(len(grouping.names))
            self._colours = [each[number] for number in grouping.numbers]
            keys = [f"{grouping.title} {number}" for number in range(len(grouping.names))]
            shown = zip(keys, grouping.names, each, strict=True)
            self.legend.show_entries([Entry(k, n, c, Qt.PenStyle.NoPen, marked=True) for k, n, c in shown])
            hidden = [number for number, key in enumerate(keys) if key in self.legend.hidden]
            visible = ~np.isin(grouping.numbers, hidden)
        self._paint(visible)
        self._summarise()

    def _paint(self, visible: NDArray[np.bool_]) -> None:
        colours = self._colours
        if self.selected.any():
            pale = {colour: faint(colour, UNSELECTED) for colour in set(colours)}
            chosen = self.selected.tolist()
            colours = [c if own else pale[c] for c, own in zip(colours, chosen, strict=True)]
        self.plot.paint_in(colours, visible)

    def apply_theme(self) -> None:
        """Apply the current colour scheme."""
        self.plot.apply_theme()
        self.scale.update()
        self.draw()

    def show_progress(self, progress: Progress | None, words: str = "", button: str = "Cancel") -> None:
        """Show the progress of a job, `words` and a button instead, or nothing."""
        self.foot.setVisible(progress is not None or bool(words))
        self.foot.bar.setVisible(progress is not None)
        self.button.setText(button)
        self.foot.words.setText(words)
        if progress is not None:
            self.foot.bar.setMaximum(progress.total if progress.total > 1 else 0)
            self.foot.bar.setValue(progress.done)
            of = f": {progress.done:,} of {progress.total:,}" if progress.total > 1 else ""
            self.foot.words.setText(f"{progress.what}{of}")

    def say(self, sentence: str) -> None:
        """Show a sentence above the map, e.g. what is not available; empty for none."""
        self.note.setText(sentence)
        self.note.setVisible(bool(sentence))

    # The pointer

    @Slot(int, object)
    def _pointed(self, point: int, position: QPointF) -> None:
        self._position = position
        if point < 0:
            self._preview.hide()
            self.hovered.emit("")
        self.pointed.emit(point)

    def show_image(self, point: int, image: NDArray[np.uint8], words: str) -> None:
        """Show the image of the point under the pointer beside it."""
        if point != self.plot._under:
            return
        side = px(PREVIEW)
        picture = QPixmap.fromImage(to_qimage(image)).scaled(
            side, side, Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation
        )
        self._preview.setPixmap(picture)
        self._preview.adjustSize()
        place = self._position.toPoint() + QPoint(14, 14)
        room = self.plot.rect().adjusted(0, 0, -self._preview.width(), -self._preview.height())
        if place.x() > room.right():
            place.setX(place.x() - self._preview.width() - 28)
        place.setY(min(place.y(), room.bottom()))
        self._preview.move(place)
        self._preview.show()
        self.hovered.emit(words)

    # The lasso

    @Slot(bool)
    def _lasso_toggled(self, on: bool) -> None:
        self.plot.lasso = on
        self.plot.viewport().setCursor(Qt.CursorShape.CrossCursor if on else Qt.CursorShape.ArrowCursor)

    @Slot(object)
    def _surrounded(self, polygon: NDArray[np.float64]) -> None:
        from engine.traversal import inside

        self.selected = inside(self.plot.points, polygon) & self.plot.visible
        self.draw()

    @Slot()
    def clear_selection(self) -> None:
        """Select no points."""
        self.selected[:] = False
        self.draw()

    def _summarise(self) -> None:
        """Show how many points are selected, their shares of classes or values, and their mean."""
        codes, count = self._codes, int(self.selected.sum())
        self.selection.setVisible(count > 0)
        if codes is None or not count:
            return
        words = f"{count:,} points selected, {count / len(self.selected):.1%}"
        if self.grouping is not None:
            words += f". {self.grouping.title}: {shares_text(self.grouping, self.selected)}"
        if self.pair is not None and self.wanted == LATENTS:
            means = codes.means[self.selected].mean(axis=0)
            words += ". Mean " + ", ".join(f"z{latent} {value_text(float(means[latent]))}" for latent in self.pair)
        self.summary.setText(words)
        everything = [f"{g.title}: {shares_text(g, self.selected, 12)}" for g in codes.groupings]
        self.summary.setToolTip(as_plain("\n".join(everything)))

    def mean_code(self, kinds: Sequence[Latent]) -> NDArray[np.float64]:
        """Return the mean of the selected codes, (latents,); for an unordered category the most common one."""
        assert self._codes is not None
        chosen = self._codes.means[self.selected]
        mean: NDArray[np.float64] = chosen.mean(axis=0, dtype=np.float64)
        for latent, kind in enumerate(kinds):
            if not kind.quantity:
                mean[latent] = np.bincount(chosen[:, latent].astype(int)).argmax()
        return mean

    # Other slots

    @Slot()
    def _colour_chosen(self) -> None:
        self._settings.setValue("traversal/map-colour", self.colour.currentText())
        self.draw()

    @Slot(bool)
    def _manifold_toggled(self, on: bool) -> None:
        self._settings.setValue("traversal/map-manifold", on)
        self.manifold_changed.emit()

    @Slot(str, bool)
    def _toggled(self, key: str, shown: bool) -> None:
        self.draw()

    @Slot()
    def _job_clicked(self) -> None:
        (self.cancelled if self.button.text() == "Cancel" else self.computing_asked).emit()


def shares_text(grouping: "Grouping", chosen: NDArray[np.bool_], most: int = 5) -> str:
    """Return the shares of the largest groups among chosen images; of an ordered factor, its mean and range."""
    counts = grouping.counts(chosen)
    present = np.flatnonzero(counts)
    if grouping.ordered and grouping.values is not None:
        mean = float(np.average(grouping.values, weights=counts))
        low, high = (grouping.values[present].min(), grouping.values[present].max())
        return f"mean {mean:.3g}, from {low:.3g} to {high:.3g}"
    largest = sorted(present, key=lambda number: -counts[number])
    shown = [f"{grouping.names[number]} {counts[number] / counts.sum():.0%}" for number in largest[:most]]
    more = len(largest) - most
    return ", ".join([*shown, *([f"{more} more"] if more > 0 else [])])


def titles_of(
    wanted: str, pair: tuple[int, int] | None, plane: "Plane | None", names: Mapping[int, str]
) -> tuple[str, str]:
    """Return the titles of the axes of a map."""
    if wanted == LATENTS and pair is not None:
        return latent_title(pair[0], names), latent_title(pair[1], names)
    if wanted == PCA and plane is not None and plane.share is not None:
        first, second = (f"PC {number} ({share:.0%} of variance)" for number, share in enumerate(plane.share, 1))
        return first, second
    return "UMAP 1", "UMAP 2"
