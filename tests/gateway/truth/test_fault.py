"""Truth files: what a line says, and what is wrong with one."""

from __future__ import annotations

import pytest

from gateway.truth.fault import Fault, TruthError, read_truth

AT = 1_760_000_000 * 10**9


def test_truth_file_is_read_in_the_order_of_the_faults(tmp_path):
    """Times are RFC 3339 or epoch numbers in s or ns; what else a line says is for people, and blank lines are none."""
    path = tmp_path / "truth.jsonl"
    path.write_text(
        '{"device": "press-2", "metric": null, "kind": "stuck-at", "start": 1760000005, "end": 1760000006000000000, "topic": "p/2"}\n\n'
        '{"device": "press-1", "metric": "temperature", "kind": "spike", "start": "2025-10-09T08:53:20.000Z",'
        ' "end": "2025-10-09T08:53:22.500Z", "messages": 0, "size": 15}\n'
    )
    assert read_truth(path) == [
        Fault(device="press-1", metric="temperature", kind="spike", start=AT, end=AT + 2_500_000_000, messages=0),
        Fault(device="press-2", kind="stuck-at", start=AT + 5 * 10**9, end=AT + 6 * 10**9, topic="p/2"),
    ]


SOUND = '{"device": "a", "kind": "spike", "start": 1760000000, "end": 1760000001}'


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "must be a JSON object; got '{'"),
        ("[1]", "must be a JSON object; got '[1]'"),
        (SOUND.replace('"a"', "7"), "device must be a text; got 7"),
        (SOUND.replace('"device": "a", ', ""), "must name a device and a kind; got "),
        (SOUND.replace("spike", "Spike!"), "kind must be of a-z, 0-9 and -, such as spike or stuck-at; got 'Spike!'"),
        (SOUND.replace("1760000000", '"soon"'), "start must be a time, RFC 3339 or an epoch number; got 'soon'"),
        (SOUND.replace("1760000001", "1750000000"), "end must not be before start; got 1760000000 and 1750000000"),
        (SOUND.replace("}", ', "messages": -1}'), "messages must be a whole number from 0; got -1"),
    ],
)
def test_truth_file_with_a_bad_line_is_refused(tmp_path, line, said):
    """The text names the file, the line, the rule, and what was got."""
    path = tmp_path / "truth.jsonl"
    path.write_text(f"{SOUND}\n{line}\n")
    with pytest.raises(TruthError) as error:
        read_truth(path)
    assert str(error.value).startswith(f"{path}:2: {said}")


def test_truth_file_that_is_no_text_is_refused(tmp_path):
    """So is one that is not there."""
    path = tmp_path / "truth.jsonl"
    with pytest.raises(TruthError, match="cannot be read: No such file"):
        read_truth(path)
    path.write_bytes(b"\xff")
    with pytest.raises(TruthError, match="must be UTF-8"):
        read_truth(path)
