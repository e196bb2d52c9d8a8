"""Text from files or the keyboard, made safe to show in a line, a terminal, a table or a file name.

A name may hold a line break that breaks a table, an escape sequence that a terminal obeys, a direction override that
shows "gnp.exe" as "exe.png", or invisible characters.
"""

import re
import unicodedata

LONGEST_NAME = 1000
"""Characters of a name that are kept at most."""

_INVISIBLE = re.compile(
    "["
    "\x00-\x08\x0b-\x1f\x7f-\x9f"  # control characters except tab and line feed: a terminal obeys them
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # direction marks, embeddings, overrides and isolates
    "\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180e\u200b\u2028\u2029\u2060-\u2065\u206a-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb"
    "\U000e0000-\U000e007f"  # tags
    "]"
    # Joiners shape Persian and Indic words and emoji; elsewhere they are invisible.
    "|(?<![^\x00-\x7f\\s])[\u200c\u200d]|[\u200c\u200d](?![^\x00-\x7f\\s])"
)
_HALVES = re.compile("[\ud800-\udfff]")
"""Lone surrogates: bytes of a file name that are not UTF-8. They can be neither printed nor saved."""

RESERVED = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9])(\.|$)", re.IGNORECASE)
"""Names that Windows reserves for devices, with any extension: no file or folder with such a name opens there."""


def one_line(text: str, longest: int | None = None) -> str:
    """Return text as a single line that can be shown anywhere.

    Line breaks, tabs and runs of spaces become one space; control characters, direction overrides and zero-width
    characters are removed. Text longer than `longest` is truncated with an ellipsis.
    """
    words = " ".join(without_invisible(" ".join(text.split())).split())
    return words if longest is None or len(words) <= longest else words[: longest - 1].rstrip() + "…"


def clean_name(text: str) -> str:
    """Return a name as it is kept and shown: one line, composed (NFC), at most `LONGEST_NAME` characters."""
    return one_line(unicodedata.normalize("NFC", text), LONGEST_NAME)


def without_invisible(text: str) -> str:
    """Return text without control and invisible characters; lines and tabs stay."""
    return _INVISIBLE.sub("", _HALVES.sub("\ufffd", text))


def slug(name: str) -> str:
    """Return a name as a file or folder name that is valid on every system.

    It consists of word characters, dots and dashes, is never empty or hidden, does not end in a dot, and is not
    reserved by Windows.
    """
    words = re.sub(r"[^\w.-]+", "-", clean_name(name))
    cut = words.strip("-.")[:80].encode()[:200].decode(errors="ignore").rstrip("-.")
    # To Windows, COM¹ is COM1.
    return f"run-{cut}" if RESERVED.match(unicodedata.normalize("NFKC", cut)) else cut or "run"
