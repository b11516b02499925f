"""`sluice dead-letters`: list, show and replay what could not be used."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.command_line import (
    BAD,
    CONFIG,
    DATA,
    WRONG,
    ConfigOption,
    DataOption,
    JsonOption,
    err,
    fail,
    open_store,
    out,
    print_json,
    read_profiles,
)

if TYPE_CHECKING:
    from gateway.delivery.refused import RefusedRow
    from gateway.store.reader import StoreReader
    from gateway.store.views import Letter

dead_letters = typer.Typer(help="List the messages that could not be used, with the reason for each; explain one; read them again.")


class State(Enum):
    """Which letters are listed."""

    DEAD = "dead"
    REPLAYED = "replayed"
    ALL = "all"


NewestOption = Annotated[int, typer.Option(min=1, help="How many, the newest first.")]
DeviceOption = Annotated[str | None, typer.Option(help="Only those of one device, by the name in the letter; some have none, but a topic.")]
TopicOption = Annotated[
    str | None, typer.Option(metavar="FILTER", help="Only those on topics that this MQTT filter takes, such as plant/#.")
]
ReasonOption = Annotated[str | None, typer.Option(metavar="TEXT", help="Only those whose reason holds this text.")]
StateOption = Annotated[State, typer.Option(help="Those that are dead still, those replayed since, or all.")]


@dead_letters.callback(invoke_without_command=True)
def letters(
    context: typer.Context,
    newest: NewestOption = 50,
    device: DeviceOption = None,
    topic: TopicOption = None,
    reason: ReasonOption = None,
    state: StateOption = State.DEAD,
    config: ConfigOption = CONFIG,
    data: DataOption = DATA,
    as_json: JsonOption = False,
) -> None:
    """List the messages that could not be used, with the reason for each; explain one; read them again after a fix."""
    if context.invoked_subcommand is None:
        list_letters(newest, device, topic, reason, state, config, data, as_json)
        return
    # An option counts wherever it stands: before the subcommand too.
    given: dict[str, Any] = {"newest": newest, "device": device, "topic": topic, "reason": reason, "state": state}
    given |= {"config": config, "data": data, "as_json": as_json}
    context.default_map = dict.fromkeys(("list", "show", "replay"), given)


@dead_letters.command("list")
def list_letters(
    newest: NewestOption = 50,
    device: DeviceOption = None,
    topic: TopicOption = None,
    reason: ReasonOption = None,
    state: StateOption = State.DEAD,
    config: ConfigOption = CONFIG,
    data: DataOption = DATA,
    as_json: JsonOption = False,
) -> None:
    """List messages that could not be used, then rows that a destination refused."""
    from gateway.letters.listed import letters_lines, rows_lines
    from gateway.letters.shown import letter_document, row_document

    del config
    _check_filter(topic)
    wanted = None if state is State.ALL else state.value
    with open_store(data) as reader:
        found = reader.dead_letters(newest=newest, state=wanted, device=device, topic=topic, reason=reason)
    rows = _refused_rows(data, newest) if state is not State.REPLAYED and not any((device, topic, reason)) else []
    if as_json:
        for document in [*map(letter_document, found), *map(row_document, rows)]:
            print_json(document)
        return
    if not found and not rows:
        err.print("no dead letters")
    width = out.width if out.is_terminal else None  # a file, or another program, gets lines as long as they are
    _print([*letters_lines(found, width=width), *rows_lines(rows, width=width)])


@dead_letters.command()
def show(
    letter: Annotated[str, typer.Argument(metavar="ID", help="A dead letter's id, as `list` prints it.")],
    config: ConfigOption = CONFIG,
    data: DataOption = DATA,
    as_json: JsonOption = False,
) -> None:
    """Show all that is known of one: the message, the reason, and what the present config would make of it."""
    from gateway.letters.judgement import judge
    from gateway.letters.shown import letter_document, letter_lines, row_document, row_lines
    from gateway.status import config_behind

    if "/" in letter:
        row = _refused_row(data, letter)
        if as_json:
            print_json(row_document(row))
        else:
            _print(row_lines(row))
        return
    with open_store(data) as reader:
        found = _letter(reader, letter)
        now = judge(found, read_profiles(config) if config.exists() else [], reader)
    if as_json:
        print_json({**letter_document(found), "now": now, "restart_first": config_behind(data, config)})
    else:
        _print(letter_lines(found, now, restart_first=config_behind(data, config)))


@dead_letters.command()
def replay(
    ids: Annotated[list[str] | None, typer.Argument(metavar="ID...", help="Dead letters' ids, as `list` prints them.")] = None,
    every: Annotated[bool, typer.Option("--all", help="All that are dead, or those of --device, --topic and --reason.")] = False,
    device: DeviceOption = None,
    topic: TopicOption = None,
    reason: ReasonOption = None,
    config: ConfigOption = CONFIG,
    data: DataOption = DATA,
    as_json: JsonOption = False,
) -> None:
    """Read them again, as if they had arrived when they did; exit 1 where one stays dead."""
    from gateway.letters.outcome import Outcome
    from gateway.letters.replay import ask, follow, refusal
    from gateway.letters.shown import CONFIG_BEHIND
    from gateway.status import config_behind, read_up

    if bool(ids) == every:
        fail("replay takes the ids of dead letters, or --all", WRONG)
    some = any(one is not None for one in (device, topic, reason))
    if not every and some:
        fail("--device, --topic and --reason choose among --all", WRONG)
    _check_filter(topic)
    with open_store(data) as reader:
        asked = reader.dead_letters(newest=-1, device=device, topic=topic, reason=reason)[::-1] if every else _letters(reader, ids or [])
        if some and not asked:
            fail("no dead letter is of that device, topic and reason; `sluice dead-letters list` has those that are kept")
        outcome = Outcome.of(asked, {one.id: why for one in asked if (why := refusal(one))})
        _say(outcome.refused.values(), as_json=as_json)
        running = read_up(data) is not None
        if outcome.waiting:
            if config_behind(data, config):
                err.print(CONFIG_BEHIND, markup=False, soft_wrap=True)
            ask(data, list(outcome.waiting.values()))
        for letter in follow(data, reader, list(outcome.waiting.values())):
            outcome.note(letter)
            _say([outcome.line(letter)], as_json=as_json)
    if as_json:
        print_json(outcome.document())
    else:
        err.print(outcome.summary(running=running), markup=False, soft_wrap=True)
    # Among --all, what cannot be read again is no failure of those that can.
    if outcome.dead or (outcome.refused and not every) or (outcome.waiting and running and read_up(data) is not None):
        raise typer.Exit(BAD)


def _say(lines: Iterable[str], *, as_json: bool) -> None:
    for line in lines if not as_json else ():
        out.print(line, markup=False)


def _check_filter(topic: str | None) -> None:
    from devices.topics import check_filter

    if topic is not None and (wrong := check_filter(topic)):
        fail(f"--topic: {wrong}", WRONG)


def _print(lines: Iterable[str]) -> None:
    for line in lines:
        out.print(line, markup=False)


def _letters(reader: StoreReader, ids: list[str]) -> list[Letter]:
    return [_letter(reader, one) for one in dict.fromkeys(ids)]


def _letter(reader: StoreReader, text: str) -> Letter:
    """Give the letter with this id, or end with a sentence."""
    if "/" in text:
        fail(f"{text}: a row that a destination refused is no message to read again; it stands in the store, and `show` has the reason")
    if not text.isdecimal() or len(text) > 19:
        fail(f"a dead letter's id must be a number, as `sluice dead-letters list` prints it; got {text!r}", WRONG)
    found = reader.dead_letter(int(text))
    if found is None:
        fail(f"dead letter {text}: there is none with this id; `sluice dead-letters list` has those that are kept")
    return found


def _refused_rows(data: Path, newest: int) -> list[RefusedRow]:
    from gateway.delivery.refused import refused_rows
    from gateway.store.errors import StoreError

    try:
        return refused_rows(data / "delivery", newest=newest)
    except StoreError as error:
        fail(str(error))


def _refused_row(data: Path, name: str) -> RefusedRow:
    from gateway.delivery.refused import refused_row
    from gateway.store.errors import StoreError

    try:
        found = refused_row(data / "delivery", name)
    except StoreError as error:
        fail(str(error))
    if found is None:
        fail(f"{name}: no destination has refused such a row; `sluice dead-letters list` has those that are kept")
    return found
