"""The link: every message from the broker goes into the journal, and only then is it acknowledged."""

from __future__ import annotations

import os
import random
import select
import sqlite3
import threading
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from pathlib import Path
from time import monotonic, time_ns
from typing import Any

import structlog

from gateway.journal.journal import Journal, JournalFullError
from gateway.journal.row import Entry
from gateway.link import trouble
from gateway.link.backoff import Backoff
from gateway.link.connection import NOT_MQTT, SILENT, Connection
from gateway.link.endpoint import Endpoint
from gateway.link.intake import BATCH, Intake
from gateway.link.overload import Overload
from gateway.link.session import Session
from gateway.link.subscriptions import Subscription, Subscriptions
from gateway.link.words import Words

log = structlog.get_logger()

_ANSWER = 10.0
"""Seconds that a broker may take to answer a CONNECT."""
_SHORT, _SHORT_IN_A_ROW, _LONG = 3.0, 3, 60.0
"""A broker that closed so many connections within so many seconds: another client has our name, which not every broker says.

It is so until a connection has lasted for the last of these, or could not be made, at once or in the next moment: that is a broker that is
started again and again.
"""
_AWAY, _LONGEST_AWAY = 10.0, 30.0
"""Seconds to stay away from a session that another client has, and half as long again at most: each visit drives that one out. Where the broker has
not said so, it may be something else: the first stay is short, and each after it twice as long.
"""
_LONGEST = 28.0
"""Seconds between tries at most: a broker that comes back is found within half a minute."""
_TURN = 1.0
"""Seconds that a turn of the thread waits at most; half of that while messages are held."""
_ASK_AGAIN = 30.0
"""Seconds without a marker that came back, and with nothing else to wait for, after which another is sent: the broker may have refused it."""
_FROZEN = 3.0
"""A turn that took so many seconds was none of ours: the machine slept, or the process was stopped, and what comes next may have waited."""
_LAST_WORDS = 0.5
"""Seconds that a good-bye may take: a broker that reads no more must not keep us."""

_NEVER_OPEN, _UNANSWERED, _ENDED, _CLOSED = "never open", "unanswered", "ended", "closed by the broker"
"""How a connection ended, where no reason code of MQTT says so."""


_COMPANY, _COMPANY_AT_MOST = 0.0005, 0.02
"""Seconds that a row waits for more messages for each row that the flows have not got to, and at most."""


class Link(threading.Thread):
    """One MQTT connection for taking in, on a thread of its own.

    Delivery guarantee: a QoS 1 message is acknowledged after the journal row that holds it is durable, and only on the connection on which
    it came; what was not acknowledged comes again after a reconnect, and what of that is held already is told apart. What Sluice published
    under `sluice/<site>/` is acknowledged and not taken in. Nothing that a broker does or sends ends the thread.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        journal: Journal,
        *,
        site: str,
        client_id: str,
        member: int = 0,
        subscriptions: Sequence[Subscription],
        urgent: Sequence[str] = (),
        state_file: Path,
        linger: int = 0,
        payload_limit: int = 256 * 1024,
        longest_packet: int = 2 * 2**20,
        expiry: int = 30 * 86_400 * 10**9,
        rate: int | None = None,
        lag: int = 5 * 10**9,
        mqtt5: bool = True,
        on_state: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Connect to nothing yet. `linger`, `expiry` and `lag` in ns, sizes in bytes, `rate` in messages a second and topic.

        Without `mqtt5` the broker is known to speak MQTT 3.1.1 only; else this is found out.
        """
        super().__init__(name="link", daemon=True)
        self._endpoint = endpoint
        self._journal = journal
        self._client_id = client_id
        self._words = Words(site, client_id, member)
        self._subscriptions = Subscriptions([*subscriptions, Subscription(self._words.marker_topic)], state_file)
        self._linger = linger / 1e9
        self._on_state = on_state
        self._session = Session(expiry=expiry, longest_packet=longest_packet, mqtt5=mqtt5)
        self._overload = Overload(lag)
        self._intake = Intake(journal, payload_limit=payload_limit, rate=rate, overload=self._overload, urgent=urgent)
        self._client: Connection
        self._connection = 0
        self._end = _NEVER_OPEN
        self._trouble = self._complaint = ""
        self._state = ""
        self._holding = False
        self._markers: list[bytes] = []
        self._asked_at = 0.0
        self._short = 0
        self._asked: dict[int, Callable[[Sequence[str]], None]] = {}
        self._sent: dict[int, str] = {}
        self._progress: tuple[int, int] | None = None
        self._wanted = threading.Event()
        self._wanted.set()
        self._wake_read, self._wake_write = os.pipe()
        self.tick_every = 1_000_000_000
        self.turned = monotonic()
        """When the thread was last seen to turn, in seconds of the steady clock."""

    # -- for others, from any thread

    @property
    def blocked(self) -> str:
        """Why nothing is acknowledged now; empty where all is well."""
        return self._intake.blocked

    @property
    def shed(self) -> int:
        """How many messages have been shed since the start."""
        return self._intake.shedding.total

    def session_document(self) -> dict[str, Any]:
        """Give what is known of the session at the broker."""
        return self._session.document

    def speaks_mqtt5(self) -> bool:
        """Tell whether the broker is spoken to in MQTT 5: until it has answered, whether that will be tried."""
        return self._session.mqtt5

    def note_progress(self, messages: int, at: int) -> None:
        """Say how far the flows have read: so many of the journal's messages, ever, and up to a row that was received at `at` (epoch ns)."""
        self._progress = messages, at

    def stop(self) -> None:
        """End the thread: everything taken in is journalled, the will is replaced by a word of our own, the session stays with the broker."""
        self._wanted.clear()
        os.write(self._wake_write, b"!")
        self.join()
        os.close(self._wake_read)
        os.close(self._wake_write)

    # -- the thread

    def run(self) -> None:
        """Connect, take in until the connection ends, and try again, for ever."""
        backoff = Backoff(longest=_LONGEST)
        while self._wanted.is_set():
            began = monotonic()
            self._visit(backoff)
            self._journal.live = False
            self._sleep(self._delay(backoff, monotonic() - began))

    def _visit(self, backoff: Backoff) -> None:
        """Have one connection, from its beginning to its end."""
        self._connection, self._trouble, self._complaint, self._end = 0, "", "", _NEVER_OPEN
        try:
            with closing(self._made()) as self._client:
                self._client.connect()
                self._end = _UNANSWERED
                backoff.connected()
                self._pump()
        except sqlite3.Error:
            raise  # the journal's: nothing can be promised any more
        except Exception as error:  # whatever a broker makes the client stumble over, the connection is over, and no more than that
            self._trouble = trouble.unreachable(self._endpoint, error)
            if not isinstance(error, OSError | ValueError):
                log.exception("the connection ended unexpectedly")
        if self._end == _UNANSWERED and not self._trouble:
            self._trouble = trouble.hung_up(self._endpoint)
        self._say(self._trouble or "disconnected")

    def _delay(self, backoff: Backoff, lasted: float) -> float:
        """Give the seconds until the next connection, from how this one ended."""
        if self._end != _CLOSED or lasted > _LONG:
            self._short = 0
        elif lasted < _SHORT:
            self._short = self._short + 1 if self._endpoint.listens() else 0
        if self._short >= _SHORT_IN_A_ROW:
            self._say(trouble.taken_over(self._client_id))
        if self._end == trouble.TAKEN_OVER:
            return random.uniform(1.0, 1.5) * _LONGEST_AWAY  # noqa: S311  jitter is no secret
        if self._short >= _SHORT_IN_A_ROW:
            return random.uniform(1.0, 1.5) * min(_AWAY * 2.0 ** (self._short - _SHORT_IN_A_ROW), _LONGEST_AWAY)  # noqa: S311
        if self._end in {_UNANSWERED, trouble.UNSUPPORTED} and self._session.try_other(refused=self._end == trouble.UNSUPPORTED):
            return 0.0
        return backoff.delay()

    def _made(self) -> Connection:
        """Make the connection to come: the fast one where it is MQTT 5 over TCP. The will is the last word on it."""
        last = self._words.status_topic, self._words.status(self._journal.connection + 1, running=False)
        hello, mqtt5 = self._session.hello(self._client_id, last), self._session.mqtt5
        if mqtt5 and self._endpoint.transport == "tcp":
            from gateway.link.mqtt5_connection import Mqtt5Connection  # noqa: PLC0415  each is loaded where it is needed

            return Mqtt5Connection(self._endpoint, hello, self)
        from gateway.link.paho_connection import PahoConnection  # noqa: PLC0415

        return PahoConnection(self._endpoint, hello, self, mqtt5=mqtt5)

    def _sleep(self, seconds: float) -> None:
        """Wait before the next try; time goes on in the journal meanwhile, though it counts for nothing there (it is not live)."""
        until = monotonic() + seconds
        while self._wanted.is_set() and (left := until - monotonic()) > 0:
            self.turned = monotonic()
            _ready(self._wake_read, min(left, _TURN, self._intake.until_tick(self.tick_every)))
            self._tick_if_due()

    def _pump(self) -> None:
        answer_by = monotonic() + _ANSWER
        while self._wanted.is_set():
            last, self.turned = self.turned, monotonic()
            if (sock := self._client.socket()) is None:
                return
            if self.turned - last > _FROZEN and self._connection:
                self._doubt()
                self._send_marker()
            self._wait(sock)
            self._commit()
            self._look()
            self._client.turn()
            self._tick_if_due()
            if not self._connection and monotonic() > answer_by:
                self._trouble = trouble.silent(self._endpoint)
                return
        self._say_goodbye()

    def _wait(self, sock: Any) -> None:
        """Wait until the connection or time has something to do, and read and write what can be."""
        if self._intake.full:
            self._client.pause()
        elif self._client.pending():
            self._take_in()
            return
        poll = select.poll()
        poll.register(self._wake_read, select.POLLIN)
        poll.register(sock, (0 if self._intake.full else select.POLLIN) | (select.POLLOUT if self._client.wants_write() else 0))
        turn = _TURN / 2 if self._intake.blocked else _TURN
        found = dict(poll.poll(min(turn, self._intake.until_tick(self.tick_every)) * 1000))
        ready = found.get(sock.fileno(), 0)
        if ready & select.POLLOUT:
            self._client.write()
        if ready & ~select.POLLOUT:
            self._take_in()

    def _take_in(self) -> None:
        """Read until the socket is drained (and `linger` has passed) or a row is full; what came is committed after that.

        While the flows are busy nothing is gained by a row of a few messages, which costs as much as a full one: company is waited for.
        """
        linger = max(self._linger, min(_COMPANY * self._journal.unheard, _COMPANY_AT_MOST))
        give_up = monotonic() + linger if linger else 0.0
        for _ in range(BATCH):
            if (sock := self._client.socket()) is None or self._intake.full or (self._intake.due and not self._intake.blocked):
                return
            self._take(self._client.read())
            if self._client.socket() is not sock:
                return
            wait = max(0.0, give_up - monotonic()) if give_up and self._intake else 0.0
            if not (self._client.pending() or _ready(sock, wait)):
                return

    def _commit(self) -> None:
        self._client.acknowledge(self._intake.commit())

    def _tick_if_due(self) -> None:
        if self._intake.until_tick(self.tick_every) == 0.0:
            self._intake.tick()

    def _look(self) -> None:
        """Take note of where the flows are, and say how the connection stands."""
        progress, self._progress = self._progress, None
        if progress:
            messages, at = progress
            behind = max(0, time_ns() - at) if messages < self._journal.total else 0
            self._overload.note(messages=messages, behind=behind, now=monotonic())
        if self._connection:
            self._say(self._complaint or "connected")
            if not self._journal.live and not self._intake.blocked and monotonic() - self._asked_at > _ASK_AGAIN:
                self._send_marker()
        if bool(blocked := self.blocked) != self._holding:
            self._holding = bool(blocked)
            if blocked:
                self._doubt()
                log.warning("nothing is acknowledged", why=blocked)
            else:
                if self._connection:
                    self._send_marker()
                log.info("messages are acknowledged again")

    def _say(self, state: str) -> None:
        if state != self._state:
            self._state = state
            self._on_state(state)

    def _say_goodbye(self) -> None:
        self._commit()
        if self._connection:
            self._client.publish(self._words.status_topic, self._words.status(self._connection, running=False), qos=0, retain=True)
            self._flush(_LAST_WORDS)
            self._client.disconnect()
            self._flush(_LAST_WORDS)

    def _flush(self, within: float) -> None:
        give_up = monotonic() + within
        while (sock := self._client.socket()) is not None and self._client.wants_write() and monotonic() < give_up:
            _ready(sock, 0.05, select.POLLOUT)
            self._client.write()

    def _take(self, entries: list[Entry]) -> None:
        """Take messages in, but for our own."""
        if entries and not self._connection:
            raise ValueError("a message came before the answer to our CONNECT")
        own, begin = self._words.own, 0
        for place, entry in enumerate(entries):
            if entry.topic.startswith(own):
                self._intake.take(entries[begin:place])
                begin = place + 1
                if entry.topic == self._words.marker_topic and entry.payload in self._markers:
                    self._markers.clear()
                    self._intake.mark()
                self._intake.acknowledge(entry.packet_id)
        self._intake.take(entries[begin:] if begin else entries)

    # -- what is heard of the connection, on the same thread

    def on_refused(self, reason: str) -> None:
        """Take note that the broker has not let us in."""
        self._end = reason
        self._trouble = trouble.refused(self._endpoint, reason)
        self._client.close()

    def on_let_in(self, *, session_present: bool, expiry: int | None) -> None:
        """Take note that the broker has let us in."""
        if self._connection:
            raise ValueError("the broker answered our CONNECT twice")
        self._end = _ENDED
        self._session.answered(present=session_present, expiry=expiry)
        self._intake.begin(session_present=session_present)
        self._markers.clear()
        self._connection = _connected(self._journal, session_present=session_present)
        self._subscribe(session_present=session_present)
        self._publish(self._words.status_topic, self._words.status(self._connection, running=True), retain=True)
        self._look()

    def _subscribe(self, *, session_present: bool) -> None:
        held = self._subscriptions
        held.begin(session_present=session_present)
        self._asked.clear()
        if unwanted := held.unwanted():
            self._asked[self._client.unsubscribe(unwanted)] = lambda _: held.removed(unwanted)
        if missing := held.missing():
            self._asked[self._client.subscribe(missing)] = lambda reasons: self._subscribed(missing, reasons)
        if not self._asked:
            self._send_marker()

    def _subscribed(self, asked: Sequence[Subscription], reasons: Sequence[str]) -> None:
        """Note what the broker has granted; an answer that is too short grants nothing of the rest (CVE-2024-10525)."""
        granted = [one for one, reason in zip(asked, reasons, strict=False) if not reason]
        self._subscriptions.confirmed(granted)
        if refused := [one.topic for one in asked if one not in granted]:
            self._complaint = f"{self._endpoint} refuses the subscription to {', '.join(refused)}"

    def on_granted(self, request: int, reasons: Sequence[str]) -> None:
        """Take the broker's answer to one request to subscribe or unsubscribe."""
        if then := self._asked.pop(request, None):
            then(reasons)
            if not self._asked:
                self._send_marker()

    def _doubt(self) -> None:
        self._intake.doubt()
        self._markers.clear()

    def _send_marker(self) -> None:
        """Ask when the backlog is behind us: any marker tells that was sent since there was a doubt."""
        self._asked_at = monotonic()
        self._markers.append(self._words.marker(self._connection))
        self._publish(self._words.marker_topic, self._markers[-1], retain=False)

    def _publish(self, topic: str, payload: bytes, *, retain: bool) -> None:
        self._sent[self._client.publish(topic, payload, retain=retain)] = topic

    def on_published(self, request: int, reason: str) -> None:
        """Take note that the broker has acknowledged a message of ours, or refused it."""
        topic = self._sent.pop(request, "")
        complaint = f"{self._endpoint} refuses what is published to {topic}: "
        if reason:
            self._complaint = complaint + reason
        elif self._complaint.startswith(complaint):
            self._complaint = ""

    def on_ended(self, reason: str, *, said: bool) -> None:
        """Take note that the connection is over."""
        if said:
            self._end = reason
            self._trouble = trouble.ended(self._endpoint, reason, self._client_id)
        elif reason == SILENT:
            self._trouble = trouble.silent(self._endpoint)
        elif reason == NOT_MQTT:
            self._trouble = trouble.not_mqtt(self._endpoint)
        elif self._end == _ENDED and self._wanted.is_set():
            self._end = _CLOSED


def _connected(journal: Journal, *, session_present: bool) -> int:
    """Note the connection in the journal, and give its number; where there is no room, the next row says it."""
    with suppress(JournalFullError):
        journal.connected(session_present=session_present)
    return journal.connection


def _ready(what: Any, seconds: float, events: int = select.POLLIN) -> bool:
    """Wait at most so long; tell whether there is something. Unlike select(2), poll(2) takes any number of open files."""
    poll = select.poll()
    poll.register(what, events)
    return bool(poll.poll(seconds * 1000))
