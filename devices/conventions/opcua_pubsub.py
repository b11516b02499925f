"""OPC UA PubSub in JSON: `opcua/json/data/<publisher>/<group>[/<writer>]` ← data set messages (OPC 10000-14, 7.2.5 and 7.3.4.7).

A network message (`MessageType` `ua-data`) carries one or many data set messages, each with a `Payload` of named fields; headers may be left
out, down to the bare fields on a data topic. A field is a value, a Variant (`{"Type", "Body"}`), or a DataValue (`{"Value", "SourceTimestamp",
"StatusCode"}`); 64-bit integers come as texts. On a topic of its own choice a publisher is known by the form of its messages. `ua-metadata`
teaches the type and unit of each field, `ua-status` says whether the publisher runs; all other messages describe it. OPC Publisher's samples
(https://azure.github.io/Industrial-IoT/opc-publisher/messageformats.html), one node's value each, are read as data sets of one field.

*Device*: the publisher, and behind it the writer's name, else its id. *Key*: the field's name, and inside structures their members'. *Time*:
the field's source, else server time, else the message's. What is of bad status is no reading; uncertain values are. Of events (`ua-event`,
`ua-condition`) ids and node names are no readings. *Number*: each writer's `SequenceNumber`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Final

from devices import places, vocabulary
from devices.convention import MOST_READINGS, Convention, Place, Said, UnusableError, check_size, refuse_commands, remember
from devices.conventions.opcua_messages import PLAIN, STATUS_CODE, Field, Taken, is_bad, is_data_value, opened, read, unit_of
from devices.payloads import Body
from devices.reading import Encoded, Ignored, Message, Value

PREFIX: Final = "opcua"
TOPICS: Final = frozenset(
    vocabulary.words(
        "data metadata status application endpoints connection action-request action-response action-metadata action-responder"
    )
)
"""The levels behind the encoding (OPC 10000-14, 7.3.4.7)."""
OPERATIONAL: Final = 2
"""The PubSubState of a publisher that runs (OPC 10000-14, 6.2.1)."""
EVENTS: Final = ("ua-event", "ua-condition")
OF_DATA: Final = frozenset({"ua-data", "ua-keyframe", "ua-deltaframe", *EVENTS})
"""Types of messages with fields: of a network message, or of a data set message without one."""
ABOUT: Final = frozenset(
    vocabulary.words(
        "EventId EventType SourceNode SourceName Time ReceiveTime LocalTime ConditionId BranchId ConditionClassId ClientUserId"
    )
)
"""Fields of events that say which one it is, and when."""

_UNKNOWN: Final = (0, None)

MOST_WRITERS: Final = 5_000
MOST_FIELDS: Final = 1_024
LONGEST_NAME: Final = 128


class OpcUaPubSub(Convention):
    """Data set messages of OPC UA publishers."""

    name = "opcua_pubsub"
    title = "OPC UA PubSub"
    about = "OPC UA servers and gateways that publish JSON: opcua/json/data/<publisher>/<group>/<writer>"
    topics = (
        "`opcua/json/<data metadata status …>/<publisher>[/<group>[/<writer>]]`, or any topic: network messages are known by their form"
    )
    setup = "Give the publisher's connection the broker's URL, the profile PubSub MQTT JSON, and headers with publisher and writer."
    marks = frozenset({"MessageType", "Messages", "DataSetWriterId", "DataSetWriterName", "NodeId"})
    commands = False

    def recognise(self, topic: str, levels: tuple[str, ...]) -> Place | None:  # noqa: ARG002
        if levels[0] != PREFIX or "json" not in levels[1:-2]:
            return None
        at = levels.index("json", 1) + 1
        if levels[at] not in TOPICS:
            return None
        ignored = None if levels[at] in ("data", "metadata", "status") else f"describes a publisher: {levels[at]}"
        publisher, rest = levels[at + 1], levels[at + 2 :]
        return Place(
            "/".join((publisher, rest[-1])) if rest else publisher, role=levels[at], levels=(publisher, *rest[-1:]), ignored=ignored
        )

    def spot(self, topic: str, levels: tuple[str, ...], body: Body) -> Place | None:  # noqa: ARG002
        first = body[0] if isinstance(body, list) and body else body
        if not isinstance(first, dict):
            return None
        kind = first.get("MessageType")
        if (isinstance(kind, str) and kind.startswith("ua-")) or _is_network(first) or _is_data_set(first) or _is_sample(first):
            return _place(levels)
        return None

    def decode(self, message: Message, place: Place, body: Body) -> list[Said] | Ignored:
        if not body:
            return Ignored("empty payload: a retained value was cleared", place.device)
        said: list[Said] = []
        for network in body if isinstance(body, list) else [body]:
            if not isinstance(network, dict):
                raise UnusableError(f"topic {message.topic!r}: a network message must be an object; got {str(network)[:40]!r}")
            kind = network.get("MessageType")
            if kind is None or (kind.__class__ is str and kind in OF_DATA):
                for data_set in _data_sets(network, place):
                    self._data_set(said, data_set, _device(network, data_set, place), message)
            elif kind == "ua-metadata":
                self._learn(network, place)
            elif kind == "ua-status":
                said += self._status(network, place, message)
        if len(said) > MOST_READINGS:
            raise UnusableError(f"topic {message.topic!r}: a message must hold at most {MOST_READINGS} values; got {len(said)}")
        return said or Ignored("no value in it", place.device)

    def _status(self, network: Mapping[str, Any], place: Place, message: Message) -> Iterator[Said]:
        """Read whether a publisher runs. The message is also its last will, so its time may be long ago; the receive time stands."""
        state = network.get("Status")
        if isinstance(state, str):  # "Operational_2", in the verbose encoding
            state = int(number) if (number := state.rpartition("_")[2]).isdecimal() and len(number) < 4 else state == "Operational"
        if not isinstance(state, int):
            raise UnusableError(f"topic {message.topic!r}: Status must be a PubSubState; got {str(state)[:40]!r}")
        publisher = _text(network.get("PublisherId")) or (place.levels[0] if place.levels else place.device)
        yield Said(publisher, ("online",), state is True or state == OPERATIONAL, None, *self.when(None, message, publisher))

    def _data_set(self, said: list[Said], data_set: Mapping[str, Any], device: str, message: Message) -> None:
        """Read one data set message. A keep-alive has no payload, and its number is the next one's."""
        fields = data_set.get("Payload")
        kind = data_set.get("MessageType")
        if not isinstance(fields, dict) or kind == "ua-keepalive" or is_bad(data_set.get("Status")):
            return
        check_size(device, fields, 1)
        number = data_set.get("SequenceNumber")
        if number.__class__ is not int or not 0 <= number < 2**32:
            number = None
        elif not message.retained:
            self.count_sequence(device, device, number, message.received)
        event = kind in EVENTS
        taken = Taken(self, message, device, fields.get("Time") if event else data_set.get("Timestamp"), number)
        if event and (named := _text(fields.get("SourceName"))):
            taken.labels = {"source": named}
        known, labels, usual = self.learned.get(device, {}), taken.labels, None
        for name, value in fields.items():
            if event and name in ABOUT:
                continue
            builtin, unit = known.get(name, _UNKNOWN)
            if value.__class__ is dict and is_data_value(value):
                value, builtin, at = opened(value, builtin, taken)  # noqa: PLW2901
            else:
                at = usual = usual or taken.at(None)
            if value.__class__ in PLAIN and builtin != STATUS_CODE:
                said.append(Said(device, (name,), value, unit if value.__class__ is not bool else None, *at, labels, number))
            elif value is not None:
                read(said, value, Field((name,), builtin, unit, at), taken)

    def _learn(self, network: Mapping[str, Any], place: Place) -> None:
        """Keep the type and unit of a writer's fields: {device: {field: [built-in type, unit]}}."""
        described = network.get("MetaData")
        fields = described.get("Fields") if isinstance(described, dict) else None
        if not isinstance(fields, list):
            return
        table: dict[str, list[Any]] = {}
        for field in fields[:MOST_FIELDS]:
            name = field.get("Name") if isinstance(field, dict) else None
            if isinstance(name, str):
                kind = field.get("BuiltInType")
                table[name] = [kind if kind.__class__ is int and 0 < kind < 32 else 0, unit_of(field.get("Properties"))]
        remember(self.learned, _device(network, network, place), table, most=MOST_WRITERS)

    def encode(self, base: str, device: str, settings: Mapping[str, Value]) -> list[Encoded]:  # noqa: ARG002
        refuse_commands(device, self.title)


@lru_cache(maxsize=8192)
def _place(levels: tuple[str, ...]) -> Place:
    return Place(places.of_object(levels)[0])


def _is_network(body: Mapping[str, Any]) -> bool:
    return isinstance(body.get("Messages"), (list, dict)) and ("PublisherId" in body or "MessageId" in body)


def _is_data_set(body: Mapping[str, Any]) -> bool:
    return isinstance(body.get("Payload"), dict) and ("DataSetWriterId" in body or "DataSetWriterName" in body)


def _is_sample(body: Mapping[str, Any]) -> bool:
    return isinstance(body.get("NodeId"), str) and "Value" in body and ("EndpointUrl" in body or "ApplicationUri" in body)


def _sampled(sample: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a sample as a data set message. Its number is its subscription's, of which it does not say which one it is."""
    more, value = sample.get("ExtensionFields"), sample["Value"]
    named: Mapping[str, Any] = more if isinstance(more, dict) else {}
    event = isinstance(value, dict) and "EventId" in value
    return {
        "MessageType": "ua-event" if event else None,
        "PublisherId": named.get("PublisherId") or sample.get("ApplicationUri") or sample.get("EndpointUrl"),
        "DataSetWriterId": named.get("DataSetWriterId"),
        "Timestamp": sample.get("Timestamp"),
        "Status": sample.get("Status"),
        "Payload": value if event else {_text(sample.get("DisplayName")) or sample["NodeId"]: value},
    }


def _data_sets(network: Mapping[str, Any], place: Place) -> list[Mapping[str, Any]]:
    """Return the data set messages of a network message; without headers it is one itself, or only its fields."""
    messages = network.get("Messages")
    if isinstance(messages, list):
        return [one for one in messages if isinstance(one, dict)]
    if isinstance(messages, dict):
        return [messages]
    if "Payload" in network or "MessageType" in network:
        return [network]
    if _is_sample(network):
        return [_sampled(network)]
    return [{"Payload": network}] if place.role == "data" else []


def _device(network: Mapping[str, Any], data_set: Mapping[str, Any], place: Place) -> str:
    """Return publisher and writer, as the message names them, else the topic."""
    levels = place.levels
    publisher = _text(network.get("PublisherId")) or _text(data_set.get("PublisherId")) or (levels[0] if levels else place.device)
    writer = _text(data_set.get("DataSetWriterName")) or (levels[1] if len(levels) > 1 else _text(data_set.get("DataSetWriterId")))
    return f"{publisher}/{writer}" if writer else publisher


def _text(name: Any) -> str | None:
    """Return a name or number as a part of a device's name."""
    if name.__class__ is int:
        name = str(name)
    return _fit(name) if name.__class__ is str else None


@lru_cache(maxsize=8192)
def _fit(name: str) -> str | None:
    name = name.strip()
    return name if 0 < len(name) <= LONGEST_NAME and name.isprintable() else None
