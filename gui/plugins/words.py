"""Texts about plug-ins: what a plug-in is, its state, what it provides, and where a method or data set comes from."""

import re

from engine.plugins.loading import Listed, Standing
from engine.system.plain_text import one_line, without_invisible
from engine.system.registry import Origin

TRUST = (
    "A plug-in is a program: once allowed, it can do everything that you can do on this machine, such as reading, "
    "changing and deleting your files and using the network. Allow it only if you trust its source or have read it."
)

LONGEST_ABOUT = 200
"""Maximum length of a file's description."""

_DOCSTRING = re.compile(rb'\A\s*(?:#[^\n]*\n\s*)*[rRuU]?("""|\'\'\'|"|\')(?P<text>[^"\'\n][^\n]*?)(?:\1|\n)')

STATES = {
    Standing.LOADED: "loaded",
    Standing.NEW: "new, not allowed yet",
    Standing.CHANGED: "changed, not allowed yet",
    Standing.REFUSED: "refused",
    Standing.FAILED: "cannot be loaded",
    Standing.ALLOWED: "allowed, loading…",
}


def origin_tip(origin: Origin | None) -> str:
    """Return the plug-in that something comes from, as a line of a tooltip; empty for the application's own."""
    return f"From {origin.words}." if origin is not None else ""


def state_words(listed: Listed) -> str:
    """Return a plug-in's state for the list."""
    if listed.standing is Standing.ALLOWED and listed.problem:
        return "allowed, waiting"
    return STATES[listed.standing]


def provides_words(listed: Listed) -> str:
    """Return what a plug-in provides, e.g. "method free-bits-vae, network tiny"."""
    return ", ".join(f"{kind} {name}" for kind, names in listed.provides.items() for name in names)


def description_of(content: bytes) -> str:
    """Return the first line of a Python file's docstring without executing the file; empty without a docstring."""
    found = _DOCSTRING.match(content[:20_000])
    return one_line(found["text"].decode("utf-8", errors="replace"), LONGEST_ABOUT) if found else ""


def text_of(content: bytes) -> tuple[str, str]:
    """Return a file's text as it can be shown, and a warning if some of it cannot."""
    text = content.decode("utf-8", errors="replace").replace("\r\n", "\n")
    shown = without_invisible(text)
    return shown, "" if shown == text else "It contains invisible characters. They are left out below."


def size_words(content: bytes) -> str:
    """Return the size of a file, e.g. "45 lines, 1.6 kB"."""
    lines = content.count(b"\n") + (not content.endswith(b"\n") and bool(content))
    return f"{lines:,} line{'' if lines == 1 else 's'}, {len(content) / 1000:,.1f} kB"
