"""The AsyncAPI 3.0 document of what Sluice publishes (asyncapi.com/docs/reference/specification/v3.0.0), generated from the models."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import msgspec

from gateway.events.catalogue import KINDS, Kind
from gateway.events.channel import LEVELS, Channel
from gateway.events.event import CONTENT_TYPE
from gateway.events.schemas import components

_ABOUT = (
    "Windows, alerts, the life of each command, the gateway's status, and readings where `publish.readings` is on, as CloudEvents 1.0 in"
    " structured JSON. An event may come twice after a crash, with the same `id`: at least once. What devices publish and are sent is in"
    " their own dialects, and not in this document."
)


def document() -> dict[str, Any]:
    """Give the document."""
    return {
        "asyncapi": "3.0.0",
        "id": "urn:sluice:events",
        "info": {
            "title": "Sluice",
            "version": version("sluice-gateway"),
            "description": _ABOUT,
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "defaultContentType": CONTENT_TYPE,
        "channels": {channel.name: _channel(kind, channel) for kind in KINDS for channel in kind.channels},
        "operations": {name: one for kind in KINDS for channel in kind.channels for name, one in _operations(kind, channel).items()},
        "components": {"messages": {kind.name: _message(kind) for kind in KINDS}, "schemas": components()},
    }


def _channel(kind: Kind, channel: Channel) -> dict[str, Any]:
    return {
        "address": channel.address,
        "description": channel.about,
        "parameters": {name: {"description": LEVELS[name]} for name in channel.levels},
        "messages": {kind.name: {"$ref": f"#/components/messages/{kind.name}"}},
    }


def _operations(kind: Kind, channel: Channel) -> dict[str, Any]:
    """Give what the gateway does on a channel: it sends, and on its own marker's it also receives."""
    return {
        f"{action}-{channel.name}": {
            "action": action,
            "channel": {"$ref": f"#/channels/{channel.name}"},
            "messages": [{"$ref": f"#/channels/{channel.name}/messages/{kind.name}"}],
            "bindings": {"mqtt": {"qos": 1, **({"retain": channel.retained} if action == "send" else {}), "bindingVersion": "0.2.0"}},
        }
        for action in (("send", "receive") if kind.receives else ("send",))
    }


def _message(kind: Kind) -> dict[str, Any]:
    message = {
        "name": kind.type,
        "summary": kind.model.__doc__,
        "contentType": CONTENT_TYPE,
        "payload": {"$ref": f"#/components/schemas/{kind.model.__name__}"},
        "examples": [{"name": kind.name, "payload": msgspec.to_builtins(kind.example)}],
    }
    if kind.name == "command":
        message["correlationId"] = {"description": "The command's id.", "location": "$message.payload#/data/command"}
    return message
