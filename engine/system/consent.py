"""Which files with code the user has allowed or refused, plug-ins and TorchScript, by their SHA-256.

The answers are stored in plugins.json in the configuration folder. A file that is new or has changed has no answer and
is not executed; if plugins.json is damaged, no file is.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from filelock import FileLock
from pydantic import BaseModel, Field, TypeAdapter

from engine.errors import PluginError
from engine.system.files import write_json
from engine.system.reading import DamagedError, Text, checked, path_exists, read_object, reason_of

SCHEMA = 1
"""Version of plugins.json."""

LOCK_TIMEOUT = 2.0
"""Seconds to wait for another process that writes an answer."""

MOST_ANSWERS = 2000
"""Maximum number of answers; the oldest are forgotten, and their files are asked about again."""

Answer: TypeAlias = Literal["allowed", "refused"]
_Fingerprint: TypeAlias = Annotated[str, Field(strict=True, pattern=r"^[0-9a-f]{64}$")]


class _Kept(BaseModel):
    file: Text
    answer: Answer


class _File(BaseModel):
    written_as: Annotated[Literal[1], Field(alias="schema")]
    answers: dict[_Fingerprint, _Kept] = {}
    imported: dict[_Fingerprint, Text] = {}


_FILE = TypeAdapter(_File)


@dataclass(frozen=True, slots=True)
class Answers:
    """What plugins.json holds. `problem` says why it cannot be used; there are no answers then."""

    given: dict[str, tuple[str, Answer]]
    """The file's name and the answer, by fingerprint, in the order in which they were given."""
    imported: dict[str, str]
    """The library versions with which plug-ins were imported successfully, by fingerprint."""
    problem: str = ""

    def answer(self, fingerprint: str) -> Answer | None:
        """Return the answer for a plug-in with this fingerprint; None if there is none."""
        found = self.given.get(fingerprint)
        return found[1] if found else None

    def knows(self, name: str) -> bool:
        """Return whether there is an answer for a file of this name, whatever its content was."""
        return any(file == name for file, _ in self.given.values())


class Consent:
    """Reads and writes the user's answers; each change is applied to the file on disk at once.

    No other process can write meanwhile: a lost answer could let a refused file be loaded.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> Answers:
        """Return the answers; if the file is damaged, none, with the reason as a sentence."""
        try:
            kept = checked(_FILE, read_object(self.path))
        except FileNotFoundError:
            return Answers({}, {})
        except (OSError, DamagedError) as error:
            return Answers({}, {}, f"{self.path} {reason_of(error)}. No plug-in is loaded until you allow it again.")
        return Answers({sha: (entry.file, entry.answer) for sha, entry in kept.answers.items()}, dict(kept.imported))

    def give(self, fingerprint: str, name: str, answer: Answer) -> None:
        """Store an answer for a file with this name and content. Raises PluginError if it cannot be written."""
        with self._alone():
            answers = self.read()
            given = {sha: entry for sha, entry in answers.given.items() if sha != fingerprint}
            self._write(answers, given | {fingerprint: (name, answer)}, answers.imported)

    def forget(self, fingerprint: str) -> None:
        """Forget the answer for a plug-in. Raises PluginError if that cannot be written."""
        with self._alone():
            answers = self.read()
            given = {sha: entry for sha, entry in answers.given.items() if sha != fingerprint}
            imported = {sha: entry for sha, entry in answers.imported.items() if sha != fingerprint}
            if (given, imported) != (answers.given, answers.imported):
                self._write(answers, given, imported)

    def note_imported(self, fingerprint: str, versions: str) -> None:
        """Record that a plug-in was imported successfully. Raises PluginError if that cannot be written."""
        if self.read().imported.get(fingerprint) == versions:
            return
        with self._alone():
            answers = self.read()
            if not answers.problem:
                imported = {sha: kept for sha, kept in answers.imported.items() if sha != fingerprint}
                self._write(answers, answers.given, imported | {fingerprint: versions})

    @contextmanager
    def _alone(self) -> Iterator[None]:
        lock = FileLock(self.path.with_suffix(".lock"), timeout=LOCK_TIMEOUT)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            lock.acquire()
        except OSError as error:  # filelock's Timeout is one
            raise PluginError(f"The answer cannot be saved in {self.path}: {error.strerror or error}.") from None
        try:
            yield
        finally:
            lock.release()

    def _write(self, before: Answers, given: dict[str, tuple[str, Answer]], imported: dict[str, str]) -> None:
        values: dict[str, Any] = {
            "schema": SCHEMA,
            "answers": {
                sha: {"file": name, "answer": answer} for sha, (name, answer) in list(given.items())[-MOST_ANSWERS:]
            },
            "imported": dict(list(imported.items())[-MOST_ANSWERS:]),
        }
        try:
            if before.problem and path_exists(self.path):
                self.path.replace(self.path.with_name(f"{self.path.stem}-damaged{self.path.suffix}"))
            write_json(self.path, values)
        except OSError as error:
            raise PluginError(f"The answer cannot be saved in {self.path}: {error.strerror or error}.") from None
