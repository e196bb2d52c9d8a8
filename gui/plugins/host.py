"""Loads plug-ins while the window is open: what is allowed, changed or removed takes effect without a restart."""

import os
from collections.abc import Callable

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from engine.errors import PluginError
from engine.plugins.loading import Listed, Plugins, Standing, Tried, plugins_of_this_user
from engine.plugins.sources import FileSource
from gui.bridge import JobSession, JobThread

POLL_MS = 2000
"""Interval in milliseconds at which the plug-in folder and the answers are rescanned; a terminal may change them."""

WAITING = "It is in use by a run that is being trained or evaluated; the change takes effect when that has ended."

Stamp = tuple[tuple[str, int, int, int], ...]


class PluginHost(QObject):
    """Emits `changed` when the list of plug-ins changes, `registered` when methods, networks, metrics or data sets have
    been added or removed, `review_needed` when there are plug-ins that the user has not been asked about in this
    session, `loaded(listed)` when a plug-in that the user has just allowed is loaded, and `failed` with a message.

    `in_use(name)` returns whether a running job uses a plug-in.
    """

    changed = Signal()
    registered = Signal()
    review_needed = Signal()
    failed = Signal(str)
    loaded = Signal(object)

    def __init__(self, in_use: Callable[[str], bool], parent: QObject) -> None:
        super().__init__(parent)
        self.plugins: Plugins = plugins_of_this_user()
        self._in_use = in_use
        self._session = JobSession(self, {Tried: self._tried}, self._ended)
        self._allowed: set[str] = set()
        """Fingerprints of plug-ins that the user has allowed in this session and that are not loaded yet."""
        self._offered: set[str] = set()
        """Fingerprints of plug-ins that the user has been asked about in this session."""
        self._stamp: Stamp = ()
        self._timer = QTimer(self)
        self._timer.setInterval(POLL_MS)
        self._timer.timeout.connect(self._poll)

    def load_known(self) -> None:
        """Load plug-ins that have been imported before; called before the window is built."""
        self._stamp = self._stamps()
        self.plugins.load(known_only=True)

    def start(self) -> None:
        """Import the remaining plug-ins, and watch the folder from now on."""
        self.take_changes()
        self._timer.start()

    def close(self) -> None:
        """Stop watching, and cancel an import."""
        self._timer.stop()
        self._session.cancel()
        self._session.wait()

    @Slot()
    def refresh(self) -> None:
        """Rescan the folder, and apply all changes that can take effect."""
        self._stamp = self._stamps()
        self.plugins.rescan()
        self.take_changes()

    @Slot()
    def take_changes(self) -> None:
        """Unload plug-ins that were removed, refused or replaced and are not in use, and import what is allowed."""
        unloaded = False
        for key in self.plugins.stale():
            if not self._keep_back(key):
                self.plugins.unload(key)
                unloaded = True
        if unloaded:
            self.registered.emit()
        for key in self.plugins.replaced():
            self._keep_back(key)
        job = None if self._session.active else self.plugins.loading()
        if job is not None:
            self._session.begin(lambda: job)
        self._tell()

    def _keep_back(self, key: str) -> bool:
        """Return whether a change of a loaded plug-in must wait, since a job uses it; the list then says so."""
        used = self._in_use(self.plugins.name_of(key))
        self.plugins.wait(key, WAITING if used else "")
        return used

    def unanswered(self) -> list[Listed]:
        """Return the new or changed plug-ins that have not been offered yet, and record that they are."""
        found = [listed for listed in self.plugins.listed() if listed.standing.open]
        new = [listed for listed in found if listed.fingerprint not in self._offered]
        self._offered |= {listed.fingerprint for listed in new}
        return new

    def allow(self, listed: Listed) -> None:
        """Allow a plug-in in the listed version. Raises PluginError."""
        self._offered.add(listed.fingerprint)
        self._allowed.add(listed.fingerprint)
        self.plugins.allow(listed)
        self.refresh()

    def refuse(self, listed: Listed) -> None:
        """Refuse a plug-in in the listed version. Raises PluginError."""
        self._offered.add(listed.fingerprint)
        self.plugins.refuse(listed)
        self.refresh()

    def remove(self, listed: Listed) -> None:
        """Remove a plug-in's file. Raises PluginError."""
        self.plugins.remove(listed)
        self.refresh()

    def retry(self, listed: Listed) -> None:
        """Try again to load a plug-in."""
        self.plugins.retry(listed)
        self.refresh()

    def add(self, source: FileSource) -> None:
        """Copy a file to the plug-in folder, replacing one of the same name, and allow it; on errors emit `failed`."""
        try:
            self.allow(self.plugins.add(source, replace_existing=True))
        except PluginError as error:
            self.failed.emit(str(error))

    @Slot()
    def _poll(self) -> None:
        if self._stamps() != self._stamp:
            self.refresh()
        elif not self._session.active and (self.plugins.stale() or self.plugins.replaced()):
            self.take_changes()

    def _stamps(self) -> Stamp:
        """A value that changes with the files of the folder and with the answers."""
        found = []
        try:
            with os.scandir(self.plugins.folder) as entries:
                found = [_stamp(entry.path) for entry in entries if entry.name.endswith(".py")]
        except OSError:
            found = []
        return (*sorted(found), _stamp(str(self.plugins.consent.path)))

    def _tried(self, tried: Tried) -> None:
        key = tried.source.key
        if not (key in self.plugins.replaced() and self._keep_back(key)):
            self.plugins.take(tried)
            self.registered.emit()
            self._say_loaded(key)

    def _say_loaded(self, key: str) -> None:
        listed = self.plugins.find(key)
        if listed.standing is Standing.LOADED and listed.fingerprint in self._allowed:
            self._allowed.discard(listed.fingerprint)
            self.loaded.emit(listed)

    def _ended(self, thread: JobThread) -> None:
        """Import what was allowed in the meantime; a thread that failed has logged the reason."""
        if thread.error or thread.control.cancelled:
            self._tell()
        else:
            self.take_changes()

    def _tell(self) -> None:
        self.changed.emit()
        if any(listed.standing.open and listed.fingerprint not in self._offered for listed in self.plugins.listed()):
            self.review_needed.emit()


def _stamp(path: str) -> tuple[str, int, int, int]:
    try:
        status = os.stat(path)  # noqa: PTH116 (asked often)
    except OSError:
        return path, 0, 0, 0
    return path, status.st_mtime_ns, status.st_size, status.st_ino
