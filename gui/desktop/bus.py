"""D-Bus calls to the Linux desktop. All of them are asynchronous."""

import os
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject
from PySide6.QtDBus import QDBusConnection, QDBusMessage, QDBusPendingCallWatcher

TIMEOUT_MS = 5000


def session() -> QDBusConnection | None:
    """Return the session bus, or None without one (asking Qt would start one)."""
    address = os.environ.get("DBUS_SESSION_BUS_ADDRESS", "")
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    if not address and not (runtime and (Path(runtime) / "bus").exists()):
        return None
    return _if_connected(QDBusConnection.sessionBus())


def system() -> QDBusConnection | None:
    """Return the system bus, or None without one."""
    return _if_connected(QDBusConnection.systemBus())


def _if_connected(connection: QDBusConnection) -> QDBusConnection | None:
    return connection if connection.isConnected() else None


def call(
    connection: QDBusConnection,
    target: tuple[str, str, str],
    method: str,
    arguments: list[object],
    owner: QObject,
    answered: Callable[[QDBusPendingCallWatcher], None],
) -> QDBusPendingCallWatcher:
    """Call a method of `target` (service, path, interface); `answered`, a slot of `owner`, later gets the watcher."""
    message = QDBusMessage.createMethodCall(*target, method)
    message.setArguments(arguments)
    watcher = QDBusPendingCallWatcher(connection.asyncCall(message, TIMEOUT_MS), owner)
    watcher.finished.connect(answered)
    watcher.finished.connect(watcher.deleteLater)
    return watcher
