"""What systemd is told, on a real datagram socket."""

import os
import socket

import pytest

from gateway.notify import Notifier


@pytest.fixture(params=["path", "abstract"])
def systemd(request, tmp_path):
    """Listen as systemd does, on a path or in the abstract namespace; give the address and a function for what was heard."""
    address = str(tmp_path / "notify") if request.param == "path" else f"@sluice-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(address.replace("@", "\0"))
        listener.setblocking(False)

        def heard():
            words = []
            while True:
                try:
                    words.append(listener.recv(4096).decode())
                except BlockingIOError:
                    return words

        yield address, heard


def test_notifier_says_how_the_service_does(systemd):
    """Ready once, a status when it changes, and the end."""
    address, heard = systemd
    notifier = Notifier({"NOTIFY_SOCKET": address})
    notifier.status("connecting")
    notifier.status("connecting")
    notifier.ready()
    notifier.ready()
    notifier.status("connected\nREADY=0")
    notifier.busy(60)
    notifier.turn()
    notifier.stopping()
    assert heard() == ["STATUS=connecting", "READY=1", "STATUS=connected READY=0", "EXTEND_TIMEOUT_USEC=60000000", "STOPPING=1"]


@pytest.mark.parametrize(("pid", "wanted"), [(None, 1), (str(os.getpid()), 1), ("1", 0)], ids=["any", "this", "another"])
def test_notifier_gives_signs_of_life_to_the_watchdog_of_its_own(systemd, pid, wanted):
    """At half of the time, and only if it is this process that systemd watches: turning more often says no more."""
    address, heard = systemd
    notifier = Notifier({"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "3600000000", **({"WATCHDOG_PID": pid} if pid else {})})
    for _ in range(3):
        notifier.turn()
    assert heard() == ["WATCHDOG=1"] * wanted


@pytest.mark.parametrize("environ", [{}, {"NOTIFY_SOCKET": "/nowhere/at/all"}, {"NOTIFY_SOCKET": "vsock:2:1", "WATCHDOG_USEC": "soon"}])
def test_notifier_goes_on_where_nobody_listens(environ):
    """Outside of systemd, or where its socket is gone, nothing is raised."""
    notifier = Notifier(environ)
    notifier.ready()
    notifier.turn()
    notifier.stopping()
