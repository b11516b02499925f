"""What is wrong with a connection, in sentences."""

from __future__ import annotations

import ssl

from gateway.link.endpoint import AccessError, Endpoint

UNSUPPORTED = "Unsupported protocol version"
TAKEN_OVER = "Session taken over"
_HINTS = {
    "Not authorized": "see broker.username and broker.password_file",
    "Bad user name or password": "see broker.username and broker.password_file",
    "Client identifier not valid": "see broker.client_id",
    "Banned": "the broker's operator has banned it",
    "Packet too large": "see limits.packet",
}


def refused(endpoint: Endpoint, reason: str) -> str:
    """Say why the broker let us not in, by the name of its reason code (MQTT 5, 3.2.2.2)."""
    return f"{endpoint} refuses the connection: {reason}{_hint(reason)}"


def ended(endpoint: Endpoint, reason: str, client_id: str) -> str:
    """Say why the broker ended the connection, by the name of its reason code (MQTT 5, 3.14.2.1)."""
    return taken_over(client_id) if reason == TAKEN_OVER else f"{endpoint} ended the connection: {reason}{_hint(reason)}"


def taken_over(client_id: str) -> str:
    """Say that two clients drive each other out."""
    return f"another client uses the name {client_id!r} at the broker (see broker.client_id)"


def silent(endpoint: Endpoint) -> str:
    """Say that nothing comes from the broker any more."""
    return f"no answer from {endpoint}"


def hung_up(endpoint: Endpoint) -> str:
    """Say that something listens there that says nothing."""
    return f"{endpoint} closed the connection without an answer"


def not_mqtt(endpoint: Endpoint) -> str:
    """Say that what comes is no MQTT."""
    return f"{endpoint} sends what is not MQTT"


def unreachable(endpoint: Endpoint, error: Exception) -> str:
    """Say why there is no connection."""
    match error:
        case AccessError():
            return str(error)
        case ssl.SSLCertVerificationError():
            return f"cannot trust {endpoint}: certificate verify failed: {error.verify_message or error.reason} (see broker.ca_file)"
        case ssl.SSLError():
            return f"cannot speak TLS with {endpoint}: {(error.reason or str(error)).lower().replace('_', ' ')}"
        case TimeoutError():
            return silent(endpoint)
        case OSError():
            return f"cannot reach {endpoint}: {error.strerror or error}"
        case _:
            return f"cannot connect to {endpoint}: {error or type(error).__name__}"


def _hint(reason: str) -> str:
    return f" ({_HINTS[reason]})" if reason in _HINTS else ""
