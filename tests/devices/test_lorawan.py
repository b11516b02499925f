"""LoRaWAN: frames are counted, sessions begin anew, and a device is commanded on the port that it speaks on."""

import json

import pytest

from devices.catalogue import Catalogue
from devices.reading import Address, Message
from devices.samples import RECEIVED

UP = "v3/farm@ttn/devices/probe/up"


@pytest.fixture
def catalogue():
    return Catalogue()


def uplink(number, *, session="s1", port=2, at=0, retained=False):
    body = {"session_key_id": session, "f_cnt": number, "f_port": port, "decoded_payload": {"level": number}}
    return Message(UP, json.dumps({"uplink_message": body}).encode(), RECEIVED + at, retained=retained)


def event(kind, number=None, *, at=0):
    body = {"devAddr": "00189440", "fPort": 2, "object": {"level": 1}} | ({} if number is None else {"fCnt": number})
    return Message(f"application/1/device/a84041000181c061/event/{kind}", json.dumps(body).encode(), RECEIVED + at)


def test_frames_missed_are_counted(catalogue):
    """A gap in the frame counter is counted for its device, and the number stands on the reading."""
    for at, number in enumerate([7, 8, 11]):
        readings = catalogue.readings(uplink(number, at=at))
        assert {one.sequence for one in readings} == {number}
    assert catalogue.news.sequences.missed == {"probe": 2}


def test_frames_of_new_session_begin_anew(catalogue):
    """Another session begins at any number; what was missed between the sessions is not known."""
    for at, (number, session) in enumerate([(7, "s1"), (30, "s2"), (31, "s2")]):
        catalogue.readings(uplink(number, session=session, at=at))
    assert catalogue.news.sequences.missed == {}


def test_frames_after_join_begin_anew(catalogue):
    """After a join the counter begins at 0, in both network servers."""
    catalogue.readings(uplink(7))
    catalogue.readings(Message(UP.replace("/up", "/join"), b'{"join_accept": {}}', RECEIVED + 1))
    catalogue.readings(uplink(1, at=2))
    for at, (kind, number) in enumerate([("up", 50), ("join", None), ("up", 1)]):
        catalogue.readings(event(kind, number, at=at))
    assert catalogue.news.sequences.missed == {}


def test_frames_of_retained_messages_are_not_counted(catalogue):
    """A retained message is an old one: its number says nothing of what was missed."""
    for at, (number, retained) in enumerate([(7, False), (90, True), (8, False)]):
        catalogue.readings(uplink(number, at=at, retained=retained))
    assert catalogue.news.sequences.missed == {}


def test_port_changes_address(catalogue):
    """A device that speaks on another port is commanded there from then on; port 0 is the network's own."""
    for port, expected, news in [(2, 2, {"probe"}), (2, 2, set()), (85, 85, {"probe"}), (0, 85, set())]:
        catalogue.news.readdressed.clear()
        catalogue.readings(uplink(1, port=port))
        assert catalogue.news.readdressed == news
        assert catalogue.address("probe") == Address("things_stack", f'{{"port":{expected},"topic":"v3/farm@ttn/devices/probe"}}')


@pytest.mark.parametrize("number", [2**40, -1, "7", 1.5, None])
def test_frame_counters_out_of_range_are_not_counted(catalogue, number):
    """What cannot be a frame counter is none, and nothing of it is learned."""
    readings = catalogue.readings(event("up", number))
    assert {one.sequence for one in readings} == {None}
    assert catalogue.learned["sequences"] == {}
