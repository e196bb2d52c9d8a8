"""The card with live pictures: originals, reconstructions, and a traversal of the latents of largest KL."""

from PySide6.QtWidgets import QStackedLayout, QVBoxLayout, QWidget

from engine.events import Preview
from gui.widgets.image_grid import ImageGrid, Row
from gui.widgets.layouts import Card, empty_state, label


class LivePictures(Card):
    """Shows a preview of a run, live or the last one kept."""

    def __init__(self) -> None:
        super().__init__("Live")
        self.step = label("", "pill")
        self.head.insertWidget(1, self.step)
        self.originals = ImageGrid(largest=56)
        self.reconstructions = ImageGrid(largest=56)
        self.traversal = ImageGrid(side=44, largest=56)
        shown = QWidget()
        layout = QVBoxLayout(shown)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(5)
        for title, grid in (
            ("Originals", self.originals),
            ("Reconstructions", self.reconstructions),
            ("Latents by KL, from −3 to +3", self.traversal),
        ):
            layout.addWidget(label(title, "muted"))
            layout.addWidget(grid)
        layout.addStretch(1)
        self._stack = QStackedLayout()
        self._stack.addWidget(empty_state("Pictures appear here while a run trains."))
        self._stack.addWidget(shown)
        self.body.addLayout(self._stack, 1)
        self.show_preview(None)

    def show_preview(self, preview: Preview | None) -> None:
        """Show these pictures, or say that there are none."""
        self._stack.setCurrentIndex(0 if preview is None else 1)
        self.step.setVisible(preview is not None)
        if preview is None:
            return
        self.step.setText(f"step {preview.step:,}")
        self.originals.show_rows([Row(preview.originals)])
        self.reconstructions.show_rows([Row(preview.reconstructions)])
        self.traversal.show_rows(
            [
                Row(images, f"z{latent}", f"{preview.kl_per_latent[latent]:.1f}")
                for images, latent in zip(preview.traversal, preview.latents, strict=True)
            ]
        )
        self.traversal.setToolTip(
            "One latent a row, changed from −3 to +3 while the others stay at the first "
            "original's posterior mean. Below its name: its KL in nats."
        )
