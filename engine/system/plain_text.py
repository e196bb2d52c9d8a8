"""Words that came from a file or a keyboard, made safe to show: in a line, a terminal, a table, a file's name.

A name may hold a line break that tears a table apart, an escape sequence that a terminal obeys, a direction override
that shows "gnp.exe" as "exe.png", or characters that nobody sees.
"""

import re
import unicodedata

LONGEST_NAME = 1000
"""Characters of a name that are kept."""

_UNSEEN = re.compile(
    "["
    "\x00-\x08\x0b-\x1f\x7f-\x9f"  # control characters but tab and line feed: a terminal obeys them
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # direction marks, embeddings, overrides and isolates
    "\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180e\u200b\u2028\u2029\u2060-\u2065\u206a-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb"
    "\U000e0000-\U000e007f"  # tags
    "]"
    # Joiners shape Persian and Indic words and emoji; elsewhere nobody sees them.
    "|(?<![^\x00-\x7f\\s])[\u200c\u200d]|[\u200c\u200d](?![^\x00-\x7f\\s])"
)
_HALVES = re.compile("[\ud800-\udfff]")
"""Halves of a surrogate pair: bytes of a file's name that are no UTF-8. They can be neither printed nor saved."""

RESERVED = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9])(\.|$)", re.IGNORECASE)
"""Names that Windows keeps for devices, with any ending: a folder or file of such a name cannot be opened there."""


def one_line(text: str, longest: int | None = None) -> str:
    """Return text as a single line that can be shown anywhere.

    Line breaks, tabs and runs of spaces become one space; control characters, direction overrides and characters
    without width go. With `longest`, what is longer ends in an ellipsis.
    """
    words = " ".join(without_unseen(" ".join(text.split())).split())
    return words if longest is None or len(words) <= longest else words[: longest - 1].rstrip() + "…"


def clean_name(text: str) -> str:
    """Return a name as it is kept and shown: in one line, composed (NFC), of at most `LONGEST_NAME` characters."""
    return one_line(unicodedata.normalize("NFC", text), LONGEST_NAME)


def without_unseen(text: str) -> str:
    """Return text, lines and tabs as they are, without what a terminal would obey or nobody would see."""
    return _UNSEEN.sub("", _HALVES.sub("\ufffd", text))


def slug(name: str) -> str:
    """Return a name as a file's or folder's name that every system can open.

    Word characters, dots, dashes; never empty or hidden, without a dot at its end, and none that Windows reserves.
    """
    words = re.sub(r"[^\w.-]+", "-", clean_name(name))
    cut = words.strip("-.")[:80].encode()[:200].decode(errors="ignore").rstrip("-.")
    # Windows takes COM¹ for COM1, too.
    return f"run-{cut}" if RESERVED.match(unicodedata.normalize("NFKC", cut)) else cut or "run"
