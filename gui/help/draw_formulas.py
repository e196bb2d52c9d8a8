"""Draws the formulas of the help texts: run `make formulas` after editing resources/help/formulas.toml.

They are stored as SVG, so that the window shows them at once, at any scale and without matplotlib.
"""

from html import escape

from engine.system.files import write_bytes
from gui.help.formulas import FOLDER, SIZE, sources

FONT = "stix"
PADDING = 1.0
"""Empty pixels around a formula."""

COMMANDS = {1: "M", 2: "L", 3: "Q", 4: "C", 79: "Z"}
"""SVG path commands for the codes of matplotlib.path.Path."""

POINTS = {1: 1, 2: 1, 3: 2, 4: 3, 79: 0}


def svg(tex: str) -> str:
    """Return a formula as SVG with an em of `SIZE` pixels, in the colour "currentColor"."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextPath

    path = TextPath((0, 0), f"${tex}$", size=SIZE, prop=FontProperties(math_fontfamily=FONT))
    box = path.get_extents()
    left, top = box.x0 - PADDING, -box.y1 - PADDING
    width, height = box.width + 2 * PADDING, box.height + 2 * PADDING
    parts: list[str] = []
    vertices = [(x - left, -y - top) for x, y in path.vertices]
    place = 0
    while place < len(path.codes):
        code = int(path.codes[place])
        points = vertices[place : place + POINTS[code]]
        parts.append(COMMANDS[code] + " ".join(f"{x:.2f} {y:.2f}" for x, y in points))
        place += max(1, POINTS[code])
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.2f}" height="{height:.2f}" '
        f'viewBox="0 0 {width:.2f} {height:.2f}">\n'
        f"<desc>{escape(tex)}</desc>\n"
        f'<path fill="currentColor" d="{"".join(parts)}"/>\n</svg>\n'
    )


def draw_all() -> None:
    """Write a file for every formula, and remove files of deleted formulas."""
    FOLDER.mkdir(exist_ok=True)
    for name, tex in sources().items():
        write_bytes(FOLDER / f"{name}.svg", svg(tex).encode())
    for file in FOLDER.glob("*.svg"):
        if file.stem not in sources():
            file.unlink()


if __name__ == "__main__":
    draw_all()
