"""What the window says of plug-ins: what one is, what it brings, and whose a method, network, metric or data set is."""

import re

from engine.plugins.loading import Listed, Standing
from engine.system.plain_text import one_line, without_invisible
from engine.system.registry import Origin

TRUST = (
    "A plug-in is a program: once it is allowed it can do all that you can do on this machine, such as read, change "
    "and delete your files and use the network. Allow it only if you trust where it comes from, or have read it."
)

LONGEST_ABOUT = 200
"""Characters of what a file says of itself."""

_DOCSTRING = re.compile(rb'\A\s*(?:#[^\n]*\n\s*)*[rRuU]?("""|\'\'\'|"|\')(?P<text>[^"\'\n][^\n]*?)(?:\1|\n)')

STATES = {
    Standing.LOADED: "loaded",
    Standing.NEW: "new, not allowed yet",
    Standing.CHANGED: "changed, not allowed yet",
    Standing.REFUSED: "refused",
    Standing.FAILED: "cannot be loaded",
    Standing.ALLOWED: "allowed: being loaded…",
}


def origin_tip(origin: Origin | None) -> str:
    """Return whose a thing is, as a line of a tooltip; empty for the application's own."""
    return f"From {origin.words}." if origin is not None else ""


def state_words(listed: Listed) -> str:
    """Return a plug-in's state for the list."""
    if listed.standing is Standing.ALLOWED and listed.problem:
        return "allowed: waits"
    return STATES[listed.standing]


def brings_words(listed: Listed) -> str:
    """Return what a plug-in brings, e.g. "method free-bits-vae, network tiny"."""
    return ", ".join(f"{kind} {name}" for kind, names in listed.brings.items() for name in names)


def says_of_itself(content: bytes) -> str:
    """Return the first line of the docstring of a Python file that is not to be executed; empty without one."""
    found = _DOCSTRING.match(content[:20_000])
    return one_line(found["text"].decode("utf-8", errors="replace"), LONGEST_ABOUT) if found else ""


def text_of(content: bytes) -> tuple[str, str]:
    """Return a file's text as it can be shown, and what is to be said of what cannot be."""
    text = content.decode("utf-8", errors="replace").replace("\r\n", "\n")
    shown = without_invisible(text)
    return shown, "" if shown == text else "It contains invisible characters. They are left out below."


def size_words(content: bytes) -> str:
    """Return how large a file is, e.g. "45 lines, 1.6 kB"."""
    lines = content.count(b"\n") + (not content.endswith(b"\n") and bool(content))
    return f"{lines:,} line{'' if lines == 1 else 's'}, {len(content) / 1000:,.1f} kB"
