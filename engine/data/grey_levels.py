"""Conversion of grey values with more than 8 bits to bytes, the same for all pictures in a folder."""

import math

import numpy as np
from numpy.typing import NDArray

WHITE = 65535
"""White in 16 bits."""


class GreyLevels:
    """Converts grey values to 0..255, and keeps statistics for notes.

    In 16-bit pictures, 65,535 is white, whatever the brightest pixel. 32-bit integers and floating-point numbers have
    no defined white: it is derived from the values of all measured pictures together. Within 0 to 1, 1 is white; within
    0 to 255, 255 is white; otherwise the smallest value is black and the largest white. If none was measured, the
    picture's own values are used.
    """

    def __init__(self) -> None:
        self.several_frames = 0
        """Pictures with more than one frame or page."""

        self._low, self._high = math.inf, -math.inf
        self._peak16 = 0.0
        self._pictures16 = 0
        self._others = 0

    def measure(self, values: NDArray[np.float64]) -> None:
        """Include a picture without a defined white in the range."""
        finite = values[np.isfinite(values)]
        if finite.size:
            self._low = min(self._low, float(finite.min()))
            self._high = max(self._high, float(finite.max()))

    def to_bytes(self, values: NDArray[np.float64], *, sixteen_bits: bool) -> NDArray[np.uint8]:
        """Convert a picture's values, of any shape, to 0..255; NaN becomes black."""
        if sixteen_bits:
            self._pictures16 += 1
            self._peak16 = max(self._peak16, float(values.max(initial=0)))
            black, white = 0.0, float(WHITE)
        else:
            self._others += 1
            if self._high < self._low:
                self.measure(values)
            black, white = self._range()
        scaled = np.nan_to_num((values - black) * (255 / (white - black)), nan=0.0, posinf=255.0, neginf=0.0)
        found: NDArray[np.uint8] = np.clip(np.round(scaled), 0, 255).astype(np.uint8)
        return found

    def _range(self) -> tuple[float, float]:
        """Black and white for values without a defined white."""
        if self._low >= 0 and self._high <= 1:
            return 0.0, 1.0
        if self._low >= 0 and self._high <= 255:
            return 0.0, 255.0
        return (self._low, self._high) if self._high > self._low else (self._low, self._low + 1)

    def notes(self) -> list[str]:
        """Return notes on the pictures seen, as sentences."""
        notes = []
        bits = int(self._peak16).bit_length()
        if 0 < bits <= 14:
            factor = 2 ** (16 - bits)
            notes.append(
                f"The brightest value in the 16-bit pictures ({self._pictures16:,}) is {self._peak16:,.0f} of "
                f"{WHITE:,}: they hold {bits} bits and appear at 1/{factor:,} of the possible brightness. Save them "
                f"multiplied by {factor:,} to use the full range."
            )
        if self._others:
            black, white = self._range()
            notes.append(
                f"The pictures with 32-bit or floating-point values ({self._others:,}) range from {self._low:g} to "
                f"{self._high:g}: {black:g} is taken as black and {white:g} as white in all of them."
            )
        if self.several_frames:
            notes.append(
                f"Pictures with several frames or pages, of which only the first is used: {self.several_frames:,}."
            )
        return notes
