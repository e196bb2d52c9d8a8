"""Entries of the command palette, and how well they match what is typed."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from gui.widgets.words import spelt

UNUSED = 3.0
"""What an entry loses that cannot be used now."""

LOOSEST = 3
"""How many times as long as a word its letters may be spread in a title."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What can be chosen: its title, and where it is found. `key` identifies it from one session to the next.

    `weight` orders entries that match equally well.
    """

    key: str
    title: str
    place: str
    run: Callable[[], object]
    keys: str = ""
    enabled: bool = True
    weight: float = 0.0
    listed: bool = True
    """Whether it is listed before anything is typed."""


def ranked(entries: Sequence[Entry], query: str, recent: Sequence[str]) -> list[Entry]:
    """Return the entries that match every word of a query, the best first.

    Without a query: the recent ones, the latest first, then the others in their order.
    """
    newness = {key: len(recent) - place for place, key in enumerate(recent)}
    words = _normal(query).split()
    if not words:
        listed = [entry for entry in entries if entry.key in newness or (entry.listed and entry.enabled)]
        return sorted(listed, key=lambda entry: -newness.get(entry.key, 0))
    patterns = [(word, re.compile(".*?".join(map(re.escape, word)))) for word in words]
    found = []
    for entry in entries:
        fit = match(entry, patterns)
        if fit is not None:
            new = newness.get(entry.key, 0) / max(1, len(recent))
            found.append((fit + new + entry.weight - UNUSED * (not entry.enabled), entry))
    found.sort(key=lambda pair: (-pair[0], len(pair[1].title)))
    return [entry for _, entry in found]


def match(entry: Entry, patterns: Sequence[tuple[str, re.Pattern[str]]]) -> float | None:
    """Return how well an entry matches the words of a query, from 0 to 10; None if it does not match one of them.

    Each word comes with a pattern that finds its letters in their order. The beginning of the title counts most, then
    that of a word of the title, what is within a word, the initials of its words, the place, and letters in order.
    """
    title, place = _normal(entry.title), _normal(entry.place)
    total = 0.0
    for word, pattern in patterns:
        at = title.find(f" {word}")
        if at == 0:
            total += 10
        elif at > 0:
            total += 8
        elif word in title:
            total += 6
        elif len(word) > 1 and _initials(title).startswith(word):
            total += 5.5
        elif f" {word}" in place:
            total += 5
        elif word in place:
            total += 3
        elif (letters := pattern.search(title)) and letters.end() - letters.start() <= LOOSEST * len(word):
            total += 2 * len(word) / (letters.end() - letters.start())
        else:
            return None
    return total / len(patterns)


@lru_cache(maxsize=1 << 14)
def _normal(text: str) -> str:
    """Return text in lower case with Greek letters spelt out, and each of its words after a space."""
    return re.sub(r"\W+", " ", f" {spelt(text)}").rstrip()


def _initials(normal: str) -> str:
    return "".join(word[0] for word in normal.split())
