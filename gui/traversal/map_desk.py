"""Works for the latent map in the background: codes, UMAP, the manifold, the image under the pointer."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, QRectF, QTimer, Signal, Slot

from engine.data import Dataset
from engine.jobs.events import Progress
from gui.bridge import LatestWorker
from gui.data.details import label_of, values_of
from gui.traversal.answering import Answer, Loaded
from gui.traversal.background import LatestJob, Working
from gui.traversal.coder import Coder
from gui.traversal.map_view import LATENTS, PCA, UMAP, MapView, titles_of
from gui.traversal.requests import Range, Weights

if TYPE_CHECKING:
    from engine.export.latent_map import MapPicture
    from engine.traversal import Codes, Plane

SETTLED_MS = 120
"""Milliseconds without a move of a slider after which the manifold is decoded again."""

ONE_LATENT = "A map needs two latents, and this model has one."
NO_UMAP_MANIFOLD = "UMAP has no way back from its plane to codes, so it has no manifold."


class MapDesk(QObject):
    """Fills the map. Emits `image_picked(index)` and `code_picked(z)` when the user clicks a point or the manifold."""

    image_picked = Signal(int)
    code_picked = Signal(object)

    def __init__(self, parent: QObject, view: MapView, coder: Coder) -> None:
        super().__init__(parent)
        self.view, self._coder = view, coder
        self._answer: Answer | None = None
        self._names: Mapping[int, str] = {}
        self._range = Range()
        self._z: NDArray[np.float64] = np.empty(0)
        self._codes: Codes | None = None
        self._of: Weights | None = None
        """The weights of the codes shown."""
        self._given_up: Weights | None = None
        self._plane: Plane | None = None
        self._drawn: object = None
        self._tiles: NDArray[np.uint8] | None = None
        self._decoded: object = None
        self._embedded: dict[Weights, NDArray[np.float64]] = {}
        self._umap = LatestJob(self)
        self._decoder, self._reader = LatestWorker(self), LatestWorker(self)
        self._settling = QTimer(self)
        self._settling.setSingleShot(True)
        self._settling.setInterval(SETTLED_MS)
        self._settling.timeout.connect(self._decode)
        coder.found.connect(self._found)
        coder.failed.connect(self._failed)
        coder.progressed.connect(self._progressed)
        self._umap.found.connect(self._embed)
        self._umap.failed.connect(self._failed)
        self._umap.progressed.connect(self._umap_progressed)
        self._decoder.answered.connect(self._show_manifold)
        self._decoder.failed.connect(self._manifold_failed)
        self._reader.answered.connect(self._show_image)
        view.plane_changed.connect(self._draw)
        view.manifold_changed.connect(self._decode)
        view.computing_asked.connect(self._compute)
        view.cancelled.connect(self._cancel)
        view.pointed.connect(self._point)
        view.picked.connect(self._pick)
        view.placed.connect(self._place)
        view.mean_asked.connect(self._take_mean)

    def close(self) -> None:
        """End the background work."""
        self._settling.stop()
        self._umap.close()
        for worker in (self._decoder, self._reader):
            worker.close()

    def begin_run(self) -> None:
        """Forget the previous run."""
        self._answer = self._codes = self._of = self._plane = self._drawn = self._decoded = None
        self._settling.stop()
        self._umap.cancel()
        self.view.begin_run()
        self.view.show_progress(None)

    def show(self, answer: Answer, z: NDArray[np.float64], names: Mapping[int, str], span: Range) -> None:
        """Show the map of these weights, with the sliders at `z`, (latents,), and the manifold over a range."""
        self._answer, self._z, self._names, self._range = answer, z, names, span
        loaded, view = answer.loaded, self.view
        if loaded.dataset is None or len(loaded.kinds) < 2:
            view.clear()
            view.say(loaded.gone or ONE_LATENT)
            return
        lacks = loaded.trained.model.lacks.get("reconstruction", "")
        view.say(f"{lacks}. The points are the codes that it infers from the images." if lacks else "")
        view.list_latents(loaded.order, names)
        if self._coder.of(loaded.weights) is not None:
            self._found(loaded.weights)
        elif loaded.weights != self._given_up:
            self._compute()

    def show_code(self, z: NDArray[np.float64]) -> None:
        """Mark the code of the sliders, and decode the manifold there once they rest."""
        self._z = z
        self._mark()
        if self._answer is not None and self.view.manifold.isChecked() and self.view.isVisible():
            self._settling.start()

    # Codes

    @Slot()
    def _compute(self) -> None:
        """Ask for what is missing: codes, or UMAP's points."""
        if self._answer is None:
            return
        loaded, self._given_up = self._answer.loaded, None
        if self._coder.of(loaded.weights) is None:
            self._coder.ask(loaded)
            self.view.show_progress(Progress(0, 1, "Encoding the images of the map"))
        else:
            self._ask_umap(loaded)

    @Slot()
    def _cancel(self) -> None:
        self._coder.cancel()
        self._umap.cancel()
        self._given_up = None if self._answer is None else self._answer.loaded.weights
        self.view.show_progress(None, "Cancelled.", "Compute")

    @Slot(object)
    def _found(self, weights: Weights) -> None:
        """Show the codes of the weights shown."""
        codes = self._coder.of(weights)
        if self._answer is None or codes is None or weights != self._answer.loaded.weights:
            return
        self.view.show_progress(None)
        if codes is not self._codes:
            self._codes, self._of = codes, weights
            self.view.show_codes(codes)
        self._offer_planes(codes)
        self._draw()

    @Slot(object, str)
    def _failed(self, weights: Weights, message: str) -> None:
        if self._answer is not None and weights == self._answer.loaded.weights:
            self.view.show_progress(None, message, "Try again")

    @Slot(object)
    def _progressed(self, progress: Progress) -> None:
        if self._answer is not None and self._coder.working:
            self.view.show_progress(progress)

    def _offer_planes(self, codes: "Codes") -> None:
        from engine.traversal import UMAP_MISSING, has_umap

        none = "The codes span no plane: fewer than two latents vary that are not categories."
        self.view.offer(PCA, "" if codes.principal is not None else none)
        self.view.offer(UMAP, UMAP_MISSING if not has_umap() else "" if codes.principal is not None else none)

    # The plane

    @Slot()
    def _draw(self) -> None:
        """Draw the points in the chosen plane, unless they are drawn already."""
        codes, answer, view = self._codes, self._answer, self.view
        if codes is None or answer is None:
            return
        from engine.traversal import plane_of_latents

        kinds, pair = answer.loaded.kinds, view.pair
        points = None
        self._plane = codes.principal if view.wanted == PCA else None
        if view.wanted == LATENTS and pair is not None:
            self._plane = plane_of_latents(*pair, len(kinds))
        if self._plane is not None:
            points = self._plane.points(codes.means)
        elif self._of is not None:
            points = self._embedded.get(self._of)
        if points is None:
            self._drawn = None
            view.plot.show_points(np.empty((0, 2)))
            self._ask_umap(answer.loaded)
        key = self._of, view.wanted, pair if view.wanted == LATENTS else None
        titles = titles_of(view.wanted, pair, self._plane, self._names)
        if points is not None and (key, titles) != self._drawn:
            self._drawn = key, titles
            square = view.wanted != LATENTS or pair is None or not any(kinds[latent].integer for latent in pair)
            view.show_points(points, titles, square=square)
        self._mark()
        self._decode()

    def _mark(self) -> None:
        self.view.plot.show_code(None if self._plane is None else self._plane.points(self._z))

    def _ask_umap(self, loaded: Loaded) -> None:
        codes = self._codes
        if codes is None or self.view.wanted != UMAP or self._of in (None, self._given_up):
            return

        def work() -> Working:
            from engine.traversal import find_umap

            return (yield from find_umap(codes, loaded.kinds))

        self._umap.ask(self._of, work)

    @Slot(object, object)
    def _embed(self, weights: Weights, points: NDArray[np.float64]) -> None:
        self._embedded = {**dict(list(self._embedded.items())[-3:]), weights: points}
        self.view.show_progress(None)
        self._draw()

    @Slot(object, object)
    def _umap_progressed(self, weights: Weights, progress: Progress) -> None:
        if self.view.wanted == UMAP:
            self.view.show_progress(Progress(0, 1, progress.what))

    # The manifold

    @property
    def _ends(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """The coordinates of the manifold's columns and rows."""
        chosen, answer, pair = self._range, self._answer, self.view.pair
        if self.view.wanted == LATENTS and answer is not None and pair is not None:
            across, up = (answer.loaded.kinds[latent].values(chosen.span, chosen.steps) for latent in pair)
            return across, up
        values = tuple(np.linspace(*chosen.span, chosen.steps).tolist())
        return values, values

    @Slot()
    def _decode(self) -> None:
        """Decode the manifold, if it is shown and has changed."""
        answer, plane, view = self._answer, self._plane, self.view
        if answer is None or plane is None or not view.manifold.isChecked():
            self._decoded = self._tiles = None
            view.plot.show_manifold(None, QRectF())
            return
        across, up = self._ends
        rest = plane.move(self._z, np.zeros(2))  # what the manifold does not change
        key = answer.loaded.weights, answer.label, across, up, plane.axes.tobytes(), np.round(rest, 6).tobytes()
        if key == self._decoded:
            return
        self._decoded = key
        loaded, z, label, worker = answer.loaded, self._z, answer.label, self._decoder

        def work() -> NDArray[np.uint8] | None:
            from engine.traversal import find_manifold

            job = find_manifold(loaded.trained, plane, z, across, up, label)
            while not worker.overtaken:
                try:
                    next(job)
                except StopIteration as end:
                    found: NDArray[np.uint8] = end.value
                    return found
            job.close()
            return None

        worker.ask(key, work)

    @Slot(object, object)
    def _show_manifold(self, key: object, tiles: NDArray[np.uint8] | None) -> None:
        if key == self._decoded and tiles is not None:
            before = self._tiles is None
            self._tiles = tiles
            self.view.plot.show_manifold(tiles, self._extent)
            if before:
                self.view.plot.show_all()

    @property
    def _extent(self) -> QRectF:
        """The area of the manifold in the plane: each image around its own coordinates."""
        sides = []
        for values in self._ends:
            half = (values[-1] - values[0]) / max(1, len(values) - 1) / 2 or 0.5
            sides.append((values[0] - half, values[-1] - values[0] + 2 * half))
        return QRectF(sides[0][0], sides[1][0], sides[0][1], sides[1][1])

    @Slot(object, str)
    def _manifold_failed(self, key: object, message: str) -> None:
        if key == self._decoded:
            self.view.say(message)

    # The pointer

    @property
    def _dataset(self) -> Dataset | None:
        return self._answer.loaded.dataset if self._answer is not None else None

    @Slot(int)
    def _point(self, point: int) -> None:
        """Read the image of the point under the pointer."""
        codes, dataset = self._codes, self._dataset
        if point < 0 or codes is None or dataset is None:
            return
        index = int(codes.images[point])

        def work() -> tuple[NDArray[np.uint8], str]:
            words = ", ".join(part for part in (label_of(dataset, index), values_of(dataset, index)) if part)
            return dataset.images(np.array([index]))[0], words

        self._reader.ask(point, work)

    @Slot(object, object)
    def _show_image(self, point: int, found: tuple[NDArray[np.uint8], str]) -> None:
        self.view.show_image(point, *found)

    @Slot(int)
    def _pick(self, point: int) -> None:
        if self._codes is not None:
            self.image_picked.emit(int(self._codes.images[point]))

    @Slot(float, float)
    def _place(self, x: float, y: float) -> None:
        """Set the sliders to a place of the manifold."""
        if self._plane is not None and self._tiles is not None:
            self.code_picked.emit(self._plane.move(self._z, np.array([x, y])))

    @Slot()
    def _take_mean(self) -> None:
        if self._answer is not None:
            self.code_picked.emit(self.view.mean_code(self._answer.loaded.kinds))

    # Saving

    def picture(self) -> "MapPicture | None":
        """Return the map, ready to be saved; None if there is none."""
        from engine.export.latent_map import Manifold, MapPicture

        codes, answer, view = self._codes, self._answer, self.view
        if codes is None or answer is None or len(view.plot.points) != len(codes.images):
            return None
        extent, tiles = self._extent, self._tiles
        behind = None
        if tiles is not None:
            behind = Manifold(tiles, (extent.left(), extent.right(), extent.top(), extent.bottom()))
        return MapPicture(
            codes=codes,
            points=view.plot.points,
            titles=titles_of(view.wanted, view.pair, self._plane, self._names),
            grouping=view.grouping,
            visible=view.plot.visible,
            selected=view.selected if view.selected.any() else None,
            manifold=behind,
            caption=f"{answer.loaded.trained.run.name}: posterior means of {codes.words}",
        )
