"""Messages to a Linux desktop over a private bus with fake services; dbus-monitor records them independently."""

import logging
import os
import select
import shutil
import subprocess

import pytest
from PySide6.QtCore import QObject, QProcess
from PySide6.QtDBus import QDBusConnection, QDBusMessage, QDBusUnixFileDescriptor, QDBusVirtualObject
from PySide6.QtWidgets import QWidget

from gui.desktop import bus
from gui.desktop.awake import Awake
from gui.desktop.desktop import Desktop

pytestmark = pytest.mark.skipif(
    not (shutil.which("dbus-daemon") and shutil.which("dbus-monitor")), reason="no dbus-daemon here"
)


class Service(QDBusVirtualObject):
    """A service that records its calls and replies with the result of `answer`."""

    def __init__(self, connection, name, path, answer):
        super().__init__()
        self.calls, self._answer = [], answer
        assert connection.registerService(name)
        assert connection.registerVirtualObject(path, self)

    def introspect(self, path):
        return ""

    def handleMessage(self, message, connection):
        self.calls.append((message.interface(), message.member(), message.signature(), message.arguments()))
        return connection.send(self._answer(message))


@pytest.fixture
def address():
    daemon = subprocess.Popen(
        ["dbus-daemon", "--session", "--nofork", "--nopidfile", "--print-address=1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    yield daemon.stdout.readline().strip()
    daemon.kill()
    daemon.communicate()


@pytest.fixture
def services(qapp, address):
    """The connection of the fake services."""
    yield QDBusConnection.connectToBus(address, "services")
    QDBusConnection.disconnectFromBus("services")


@pytest.fixture
def client(qapp, address, monkeypatch):
    """The connection of the application, used as session and system bus."""
    connection = QDBusConnection.connectToBus(address, "client")
    monkeypatch.setattr(bus, "session", lambda: connection)
    monkeypatch.setattr(bus, "system", lambda: connection)
    yield connection
    QDBusConnection.disconnectFromBus("client")


@pytest.fixture
def monitor(qtbot, address):
    """Return a function that returns all traffic on the bus."""
    process = QProcess()
    process.start("dbus-monitor", ["--address", address])
    seen = bytearray()

    def read():
        seen.extend(process.readAllStandardOutput().data())
        return seen.decode()

    qtbot.waitUntil(lambda: "NameLost" in read())  # it is a monitor from then on
    yield read
    process.kill()
    process.waitForFinished()


@pytest.fixture
def window(qtbot):
    made = QWidget()
    qtbot.addWidget(made)
    return made


class Lock:
    """logind's side of the lock: the reading end of a pipe whose writing end is the lock."""

    def __init__(self):
        self.ends = []

    def give(self, message):
        mine, theirs = os.pipe()
        self.ends.append(mine)
        reply = message.createReply()
        reply.setArguments([QDBusUnixFileDescriptor(theirs)])
        os.close(theirs)
        return reply

    def released(self):
        return all(select.select([end], [], [], 0)[0] for end in self.ends)


@pytest.fixture
def lock():
    made = Lock()
    yield made
    for end in made.ends:
        os.close(end)


def logind(services, answer):
    return Service(services, "org.freedesktop.login1", "/org/freedesktop/login1", answer)


def test_sleep_is_blocked_only_while_a_run_is_training(qtbot, services, client, lock):
    service = logind(services, lock.give)
    owner = QObject()
    awake = Awake(owner, "linux")
    awake.set(True)
    awake.set(True)
    qtbot.waitUntil(lambda: awake._inhibitor._descriptor >= 0)
    interface, method, signature, (what, who, why, mode) = service.calls[0]
    assert (interface, method, signature) == ("org.freedesktop.login1.Manager", "Inhibit", "ssss")
    assert (what, who, why, mode) == ("sleep", "Disentangle Studio", "A run is training", "block")
    assert not lock.released()
    awake.set(False)
    qtbot.waitUntil(lock.released)

    awake.set(True)
    qtbot.waitUntil(lambda: awake._inhibitor._descriptor >= 0)
    assert not lock.released()
    awake.close()
    qtbot.waitUntil(lock.released)
    assert len(service.calls) == 2


def test_a_run_that_ends_before_logind_answers_leaves_no_lock(qtbot, services, client, lock):
    service = logind(services, lock.give)
    owner = QObject()
    awake = Awake(owner, "linux")
    awake.set(True)
    awake.set(False)
    assert not service.calls
    qtbot.waitUntil(lambda: bool(service.calls) and not awake._inhibitor._asked)
    qtbot.waitUntil(lock.released)


def test_a_refusal_is_one_line_in_the_log(qtbot, services, client, caplog):
    refusal = "org.freedesktop.DBus.Error.AccessDenied"
    service = logind(services, lambda message: message.createErrorReply(refusal, "Permission denied"))
    owner = QObject()
    awake = Awake(owner, "linux")
    with caplog.at_level(logging.INFO):
        awake.set(True)
        qtbot.waitUntil(lambda: bool(caplog.messages))
    awake.close()
    assert len(service.calls) == 1
    assert caplog.messages == ["the computer may sleep while a run is training: Permission denied"]


def test_progress_is_sent_once_per_percent_and_removed_at_the_end(qtbot, client, monitor, window, settings):
    desktop = Desktop(window, settings)
    for fraction in (0.42, 0.421, 0.424):
        desktop.show_progress(fraction)
    desktop.close()
    qtbot.waitUntil(lambda: monitor().count("member=Update") == 2)
    first, last = monitor().split("member=Update")[1:]
    assert 'string "application://disentangle-studio.desktop"' in first
    assert "variant             double 0.42" in first
    assert "variant             boolean true" in first
    assert "variant             boolean false" in last


def test_a_notification_through_the_portal_raises_the_window(qtbot, services, client, monitor, window, settings):
    portal = Service(
        services,
        "org.freedesktop.portal.Desktop",
        "/org/freedesktop/portal/desktop",
        lambda message: message.createReply(),
    )
    desktop = Desktop(window, settings)
    desktop.run_ended("annealed abs · 1 has finished", "reconstruction 22.7, KL 9.0 nats")
    qtbot.waitUntil(lambda: bool(portal.calls))
    interface, method, signature, (key, _) = portal.calls[0]
    assert (interface, method, signature) == ("org.freedesktop.portal.Notification", "AddNotification", "sa{sv}")
    qtbot.waitUntil(lambda: 'string "show"' in monitor())
    assert 'string "annealed abs · 1 has finished"' in monitor()
    assert 'string "reconstruction 22.7, KL 9.0 nats"' in monitor()

    for number, shown in (("someone-else", False), (key, True)):
        signal = QDBusMessage.createSignal("/org/freedesktop/portal/desktop", interface, "ActionInvoked")
        signal.setArguments([number, "show", []])
        services.send(signal)
        qtbot.waitUntil(lambda number=number: monitor().count(f'string "{number}"') >= 1 + (number == key))
        qtbot.waitUntil(lambda shown=shown: window.isVisible() == shown)
    desktop.close()
    qtbot.waitUntil(lambda: portal.calls[-1][1:] == ("RemoveNotification", "s", [key]))


def test_without_a_portal_notify_send_is_used(qtbot, client, window, settings, tmp_path, monkeypatch):
    _program(tmp_path / "notify-send", f'printf "%s\\n" "$@" > {tmp_path}/part; mv {tmp_path}/part {tmp_path}/said')
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    Desktop(window, settings).run_ended("a & b has failed", "loss < 0 & rising")
    qtbot.waitUntil((tmp_path / "said").exists)
    assert (tmp_path / "said").read_text().splitlines()[-3:] == ["--", "a & b has failed", "loss &lt; 0 &amp; rising"]


def _program(path, line):
    path.write_text(f"#!/bin/sh\n{line}\n")
    path.chmod(0o755)
