"""All help topics in order, with their plain text for searching."""

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from html import unescape

from PySide6.QtGui import QTextDocument

from engine.system.paths import RESOURCES
from gui.help import KEYBOARD
from gui.help.generated import GENERATED, keyboard_topic
from gui.widgets.words import GREEK

FOLDER = RESOURCES / "help"

HEADING = re.compile("<h[12]([^>]*)>(.*?)</h[12]>", re.DOTALL)
ANCHOR = re.compile("id=['\"]([^'\"]+)")


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a topic under its own heading; `anchor` is empty for the part before the first heading."""

    anchor: str
    title: str
    start: int
    """Where it starts in the topic's text."""


@dataclass(frozen=True, slots=True)
class Topic:
    """A page of the help. `text` is exactly what a QTextDocument of `html` shows."""

    name: str
    title: str
    html: str
    text: str = field(repr=False)
    sections: tuple[Section, ...]

    def section_at(self, place: int) -> Section:
        """Return the section that contains a position of the text."""
        return [section for section in self.sections if section.start <= place][-1]

    def anchors(self) -> set[str]:
        """Return the section names that a link to this topic may have after its #."""
        return {section.anchor for section in self.sections if section.anchor}


@dataclass(frozen=True, slots=True)
class Chapter:
    """A heading of the table of contents with its topics."""

    title: str
    topics: tuple[Topic, ...]


class Library:
    """Every topic by name, created when the help is first opened; `keys` are the window's keyboard shortcuts."""

    def __init__(self, keys: Mapping[str, str]) -> None:
        self.chapters = tuple(
            Chapter(title, tuple(read_topic(name, make()) for name, make in topics))
            for title, topics in _chapters(keys)
        )
        self.topics = {topic.name: topic for chapter in self.chapters for topic in chapter.topics}

    def find(self, words: str) -> dict[str, list[tuple[int, int]]]:
        """Return where `words` occur, as (start, end) in the text of each topic that contains them."""
        pattern = pattern_of(words)
        if pattern is None:
            return {}
        found = {name: [m.span() for m in pattern.finditer(topic.text)] for name, topic in self.topics.items()}
        return {name: spans for name, spans in found.items() if spans}

    def best(self, found: Mapping[str, list[tuple[int, int]]]) -> tuple[str, int]:
        """Return topic and number of the hit to show first: in a title, else in a heading, else the very first."""
        in_headings: list[tuple[str, int]] = []
        for name, topic in self.topics.items():
            for number, (start, _) in enumerate(found.get(name, ())):
                section = topic.section_at(start)
                if start < section.start + len(section.title):
                    if not section.anchor:
                        return name, number
                    in_headings.append((name, number))
        return (*in_headings, *((name, 0) for name in self.topics if name in found))[0]


def pattern_of(words: str) -> re.Pattern[str] | None:
    """Return a case-insensitive pattern in which names of Greek letters match the letters; None for empty input."""
    words = " ".join(words.split())
    if not words:
        return None
    spelt = re.escape(words).replace(r"\ ", r"\s+")
    for name, letter in GREEK.items():
        spelt = re.sub(rf"(?<![a-z]){name}(?![a-z])", f"(?:{name}|{letter})", spelt, flags=re.IGNORECASE)
    return re.compile(spelt, re.IGNORECASE)


def read_topic(name: str, html: str) -> Topic:
    """Create a topic from its HTML: one h1, and an h2 with an id for each section."""
    document = QTextDocument()
    document.setHtml(html)
    title = ""
    sections: list[Section] = []
    block = document.begin()
    while block.isValid():
        words = block.text().strip()
        if not title and words:
            title = words
            sections.append(Section("", words, 0))
        names = [anchor for span in block.textFormats() for anchor in span.format.anchorNames()]
        if names:
            sections.append(Section(names[0], words, block.position()))
        block = block.next()
    return Topic(name, title, html, document.toPlainText(), tuple(sections))


def outline(keys: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """Return all topics and sections: "topic#section", the title, and that of the chapter or topic it belongs to.

    It needs no GUI, unlike the library, which takes longer, too.
    """
    found = []
    for chapter, topics in _chapters(keys):
        for name, make in topics:
            place = chapter
            for tag, words in HEADING.findall(make()):
                anchor, title = ANCHOR.search(tag), unescape(re.sub("<[^>]*>", "", words)).strip()
                found.append((f"{name}#{anchor.group(1)}" if anchor else name, title, place))
                place = place if anchor else title
    return found


def _chapters(keys: Mapping[str, str]) -> Iterator[tuple[str, list[tuple[str, Callable[[], str]]]]]:
    """Yield the title of each chapter, with the names of its topics and what makes their HTML."""
    makers: dict[str, Callable[[], str]] = {**GENERATED, KEYBOARD: lambda: keyboard_topic(keys)}
    contents = tomllib.loads((FOLDER / "contents.toml").read_text(encoding="utf-8"))
    for chapter in contents["chapter"]:
        yield chapter["title"], [(name, makers.get(name, partial(_file, name))) for name in chapter["topics"]]


def _file(name: str) -> str:
    return (FOLDER / f"{name}.html").read_text(encoding="utf-8")
