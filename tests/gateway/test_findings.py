"""Findings: what is wrong with a YAML file, at its place."""

import json
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.findings import (
    Checked,
    ConfigError,
    Duration,
    Finding,
    Problem,
    compose,
    duration_text,
    load_folder,
    open_document,
    parse,
    parse_duration,
    parse_size,
    read,
    read_folder,
)


class Inner(Checked):
    wait: Duration = 0
    names: tuple[str, ...] = ()


class Outer(Checked):
    title: str
    inner: Inner = Inner()

    def rules(self):
        if self.title == self.title.upper():
            yield Problem(("title",), "title must not shout")
            yield Problem(("inner",), "inner does not help", key=True, show=False)


def document(text, **environ):
    return compose(text, file="a.yaml", environ=environ)


def lines(text, model=Outer, **environ):
    return [str(finding) for finding in sorted(parse(document(text, **environ), model).findings)]


@pytest.mark.parametrize(
    ("written", "ns"),
    [
        ("10s", 10 * 10**9),
        ("5m", 300 * 10**9),
        ("2h", 7_200 * 10**9),
        ("1d", 86_400 * 10**9),
        ("250ms", 250 * 10**6),
        ("1.5s", 1_500 * 10**6),
        *[(30, 30 * 10**9), (0.001, 10**6), ("30", 30 * 10**9), ("7 us", 7_000), (0, 0)],
    ],
)
def test_duration_is_nanoseconds(written, ns):
    """A duration is exact: no float stands between the text and its nanoseconds."""
    assert parse_duration(written) == ns


@pytest.mark.parametrize("written", ["", "s", "-1s", "10 seconds", "5M", "1h30m", "1e3", True, None, [1], float("nan"), float("inf"), -1])
def test_duration_of_anything_else_is_refused(written):
    """What is no duration is told the rule."""
    with pytest.raises(ValueError, match="must be a duration such as 10s, 5m, 2h"):
        parse_duration(written)


@settings(deadline=None)
@given(st.integers(min_value=0, max_value=10**15))
def test_duration_text_reads_back(ns):
    """A duration written for people is the duration it was."""
    assert parse_duration(duration_text(ns)) == ns


@pytest.mark.parametrize(("written", "size"), [("256KB", 262_144), ("1GB", 2**30), ("1 mb", 2**20), (500, 500), ("1.5KB", 1_536)])
def test_size_is_bytes(written, size):
    """A KB is 1,024 bytes, in whatever case."""
    assert parse_size(written) == size


def test_three_mistakes_are_three_findings_at_their_places():
    """Unknown keys stand at the key, all else at the value, and none hides another."""
    assert lines("titel: x\ninner:\n  wait: soon\n  names: [a, 5]\nmore: 1\n") == [
        "a.yaml:1:1: unknown key 'titel'; did you mean 'title'?",
        "a.yaml:3:9: wait must be a duration such as 10s, 5m, 2h (got 'soon')",
        "a.yaml:4:14: names[1] must be text (put it in quotes) (got 5)",
        "a.yaml:5:1: unknown key 'more'; known: inner, title",
    ]


def test_missing_key_stands_at_what_lacks_it():
    """A key that is not there has no place of its own."""

    class Holder(Checked):
        outer: Outer

    assert lines("outer:\n  inner: {}\n", Holder) == ["a.yaml:1:1: missing key 'title'"]
    assert lines("outer:\n  title:\n", Holder) == ["a.yaml:2:3: title needs a value"]


def test_all_rules_between_keys_are_told():
    """A model's rules give all their problems, also beside an unknown key."""
    assert lines("title: LOUD\ninner: {wiat: 1s}\n") == [
        "a.yaml:1:8: title must not shout (got 'LOUD')",
        "a.yaml:2:1: inner does not help",
        "a.yaml:2:9: unknown key 'wiat'; did you mean 'wait'?",
    ]


def test_empty_known_key_has_its_default():
    """A section whose keys are all commented out is as good as absent."""
    parsed = parse(document("title: x\ninner:\n"), Outer)
    assert parsed.findings == []
    assert parsed.model == Outer(title="x")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("title: [1", "a.yaml:1:10: not YAML: expected ',' or ']', but got 'stream end'"),
        ("title: {x} and more", "a.yaml:1:12: not YAML: expected block end, but found 'scalar'; text that starts with { needs quotes"),
        ("title: a: b", "a.yaml:1:9: not YAML: mapping values are not allowed here"),
        ("", "a.yaml:1:1: is empty"),
        ("title: *gone", "a.yaml:1:8: not YAML: found undefined alias 'gone'; text that starts with * needs quotes"),
        ("a: " + "[" * 600, "a.yaml:1:1: is nested too deeply"),
        ("title: !!int x", "a.yaml:1:8: 'x' is not what its tag says"),
    ],
)
def test_what_is_not_yaml_is_one_finding(text, line):
    """A file that cannot be read says where and why, and nothing follows from it."""
    assert lines(text) == [line]


def test_aliases_cannot_multiply_without_end():
    """A small file that stands for billions of values is refused before they are made."""
    bomb = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
    )
    assert [finding.message for finding in document(bomb).findings] == ["holds more than 100,000 values"]


def test_merged_keys_give_way_to_own_ones():
    """`<<` brings what a mapping does not say itself."""
    data = document("base: &base {a: 1, b: 2}\nown: {<<: *base, b: 3}\n").data
    assert data["own"] == {"b": 3, "a": 1}


def test_words_stay_what_they_are():
    """ON, yes, times and dates are text; only true and false are truths."""
    data = document("a: [ON, yes, off, 00:00:10, 2026-01-01, true, 0o17, 1_000, 1e3, ~]").data
    assert data["a"] == ["ON", "yes", "off", "00:00:10", "2026-01-01", True, 15, 1_000, 1000.0, None]


@pytest.mark.parametrize(
    ("text", "offset", "place"),
    [
        ("title: warm > 28", 5, (1, 13)),
        ('title: "warm > 28"', 5, (1, 14)),
        ("title: 'warm > 28'", 5, (1, 14)),
        ('title: "a\\tb > 28"', 5, (1, 8)),
        ("title: |\n    warm >\n      28\n", 9, (3, 7)),
        ("title: |-\n\n  warm\n", 3, (3, 5)),
        ("title: >\n  warm >\n  28\n", 7, (1, 8)),
        ("title: warm >\n  28", 7, (1, 8)),
        ("title: é > 28", 2, (1, 10)),
    ],
)
def test_place_within_a_text(text, offset, place):
    """A place within a text is exact where the file holds that text as it stands, else it is the value's."""
    found = document(text)
    assert found.place(("title",), offset=offset)[1:] == place


def test_variables_are_filled_in_and_never_shown():
    """`${NAME}` is the environment's; a finding shows the name, not what it stood for."""
    assert document("title: a ${X} b${X}", X="1").data == {"title": "a 1 b1"}
    assert lines("inner: {wait: '${X}'}\ntitle: x", X="secret") == ["a.yaml:1:15: wait must be a duration such as 10s, 5m, 2h (got '${X}')"]


def test_unset_variable_is_the_only_finding_about_its_value():
    """What could not be filled in is not also called a bad duration."""
    assert lines("inner: {wait: 'in ${NOPE}'}\ntitle: x") == ["a.yaml:1:19: the environment variable NOPE is not set"]


def test_override_names_its_variable():
    """What came from the environment is found there, whatever it replaced."""
    found = document("title: x\ninner: {wait: 1s}\n")
    found.override(("inner", "wait"), "soon", origin="APP_INNER__WAIT")
    [finding] = parse(found, Outer).findings
    assert str(finding) == "environment:1:1: APP_INNER__WAIT: wait must be a duration such as 10s, 5m, 2h (got 'soon')"


def test_long_values_are_shortened():
    """A finding stays a line."""
    [finding] = parse(document(f"title: x\ninner: {{wait: {'x' * 500}}}"), Outer).findings
    assert len(str(finding)) < 150


def test_file_that_cannot_be_read_is_a_finding(tmp_path):
    """A file that is not there, is a folder or is not UTF-8 says so."""
    (tmp_path / "folder.yaml").mkdir()
    (tmp_path / "latin.yaml").write_bytes(b"title: x\nabout: gr\xfcn\n")
    found = [str(read(tmp_path / name, Outer, root=tmp_path)[1][0]) for name in ("gone.yaml", "folder.yaml", "latin.yaml")]
    assert found == [
        "gone.yaml:1:1: there is no such file",
        "folder.yaml:1:1: cannot be read: Is a directory",
        "latin.yaml:2:10: is not UTF-8 text (got byte 0xfc)",
    ]


def test_byte_order_mark_is_no_part_of_the_first_key(tmp_path):
    """Editors on Windows put one there."""
    (tmp_path / "a.yaml").write_bytes(b"\xef\xbb\xbftitle: x\n")
    assert open_document(tmp_path / "a.yaml", root=tmp_path).data == {"title": "x"}


def test_folder_is_read_in_order_and_its_yml_is_not_passed_over(tmp_path):
    """Files come by name; what would be ignored in silence is a finding; a folder that is not there is empty."""
    for name in ("b.yaml", "a.yaml", "c.yml"):
        (tmp_path / name).write_text(f"title: from-{name}\n")
    models, findings = read_folder(tmp_path, Outer, root=tmp_path)
    assert [model.title for model in models] == ["from-a.yaml", "from-b.yaml"]
    assert [str(finding) for finding in findings] == ["c.yml:1:1: is not read: name it *.yaml"]
    assert read_folder(tmp_path / "gone", Outer, root=tmp_path) == ([], [])
    with pytest.raises(ConfigError, match="name it"):
        load_folder(tmp_path, Outer, root=tmp_path)


def test_config_error_has_its_findings_in_order():
    """An error holds each finding once, by file, line and column."""
    first, second = Finding("a.yaml", 2, 1, "x"), Finding("a.yaml", 10, 1, "x", "1")
    error = ConfigError([second, first, second])
    assert error.findings == (first, second)
    assert str(error) == "a.yaml:2:1: x\na.yaml:10:1: x (got 1)"


KEYS = st.from_regex(r"[a-z][a-z ]{0,8}[a-z]", fullmatch=True)
TEXTS = st.text(st.characters(categories=("L", "N", "P", "S", "Zs")), max_size=12).filter(lambda text: "${" not in text)
VALUES = st.recursive(
    st.integers() | st.booleans() | TEXTS | st.floats(allow_nan=False, allow_infinity=False),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(KEYS, below, max_size=3),
    max_leaves=8,
)


@settings(deadline=None)
@given(st.dictionaries(KEYS, VALUES, min_size=1, max_size=4), st.sampled_from([None, 1, 4]))
def test_every_key_is_where_its_place_says(data, indent):
    """The text at a key's place is the key, however the file is laid out, and the values come back (JSON is YAML)."""
    text = json.dumps(data, indent=indent, ensure_ascii=False)
    found = compose(text, file="a.yaml", environ={})
    assert found.findings == []
    assert found.data == data
    rows = text.split("\n")
    for at in found.entries:
        if isinstance(at[-1], str):
            _, line, column = found.place(at, key=True)
            assert rows[line - 1][column - 1 :].startswith(f'"{at[-1]}"')


def test_no_text_makes_reading_fail():
    """Whatever bytes a file holds, reading it gives values or findings, each with a place."""
    pieces = [
        "a",
        ": ",
        "\n",
        "  ",
        "- ",
        "{",
        "}",
        "[",
        "]",
        "&x ",
        "*x",
        "!",
        "|",
        ">",
        "'",
        '"',
        "#",
        "\t",
        "${A}",
        "\0",
        "é",
        ",",
        "? ",
        "<<",
    ]
    chance = random.Random(7)
    for _ in range(1_500):
        text = "".join(chance.choice(pieces) for _ in range(chance.randint(1, 14)))
        for finding in parse(document(text), Outer).findings:
            assert finding.line >= 1
            assert finding.column >= 1
            assert "\n" not in str(finding)


def test_root_is_not_part_of_a_files_name(tmp_path):
    """Findings name files as the config folder does, with forward slashes."""
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows" / "x.yaml").write_text("titel: x\n")
    assert read(tmp_path / "flows" / "x.yaml", Outer, root=tmp_path)[1][0].file == "flows/x.yaml"
    assert read(Path("/nowhere/x.yaml"), Outer, root=tmp_path)[1][0].file == "/nowhere/x.yaml"
