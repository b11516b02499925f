"""`sluice truth`: how well flows found the faults of a truth file."""

from __future__ import annotations

from pathlib import Path
from time import time_ns
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.command_line import BAD, CONFIG, DATA, WRONG, ConfigOption, DataOption, JsonOption, err, fail, out, print_json

if TYPE_CHECKING:
    from flows.flow import Flow
    from gateway.truth.watcher import Watcher

TRUTH = "truth.jsonl"
"""The truth file of a demo, in its data folder."""


def truth(
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="The truth file; none: the one of the demo, DATA/truth.jsonl.")
    ] = None,
    flow: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Judge this flow, as often as wanted; none: all that say what they find.")
    ] = None,
    grace: Annotated[
        str, typer.Option(metavar="T", help="How long after a fault, beyond what its flow waits, an alert is still of it.")
    ] = "10s",
    since: Annotated[
        str | None, typer.Option(metavar="TIME", help="Only faults and alerts from then on (ISO, or how long ago: 1h).")
    ] = None,
    recall: Annotated[
        float | None, typer.Option(min=0, max=1, metavar="SHARE", help="Exit 1 where a kind that is watched for has less.")
    ] = None,
    precision: Annotated[
        float | None, typer.Option(min=0, max=1, metavar="SHARE", help="Exit 1 where the flows that watch for a kind have less.")
    ] = None,
    verbose: Annotated[bool, typer.Option("--verbose", help="Show every missed fault and false alarm.")] = False,
    config: ConfigOption = CONFIG,
    data: DataOption = DATA,
    as_json: JsonOption = False,
) -> None:
    """Compare the alerts of flows with a truth file of labelled faults: recall, precision and delay for each kind of fault.

    A flow says in its file what it is there to find (trigger.finds). A fault is found by the first alert of such a flow about its device and
    metric that is raised from its start to its end, or soon after. Recall is the share of faults found; precision the share of the flows'
    alerts raised in any fault; delay is from a fault's start to the alert. Damaged messages are compared with dead letters instead.
    """
    from gateway.store.errors import StoreError
    from gateway.truth.document import verdict_document
    from gateway.truth.drawing import show
    from gateway.truth.fault import TruthError
    from gateway.truth.verdict import judge

    watching = watchers(config, data)
    _check_names(flow or [], watching)
    try:
        verdict = judge(file or data / TRUTH, data / "store.db", watching, flows=flow or [], since=_moment(since), grace=_duration(grace))
    except TruthError as error:
        fail(str(error), WRONG)
    except StoreError as error:
        fail(str(error))
    if as_json:
        print_json(verdict_document(verdict))
    else:
        show(verdict, out, everything=verbose)
    short = list(verdict.shortfalls(recall=recall, precision=precision))
    for sentence in short:
        err.print(sentence, markup=False, soft_wrap=True)
    if short:
        raise typer.Exit(BAD)


def demo_truth(config: Path, data: Path, *, since: int) -> dict[str, Any] | None:
    """Judge a demo that is over, from `since` (epoch ns) on: print the verdict on stderr, and give its document.

    None where nothing was labelled, or where, as is said on stderr, the truth file or the store cannot be read: the demo ran all the same.
    """
    from gateway.store.errors import StoreError
    from gateway.truth.document import verdict_document
    from gateway.truth.drawing import show
    from gateway.truth.fault import TruthError
    from gateway.truth.verdict import judge

    file = data / TRUTH
    if not file.exists() or not file.stat().st_size:
        return None
    try:
        verdict = judge(file, data / "store.db", watchers(config, data), since=since)
    except (TruthError, StoreError) as error:
        err.print(str(error), soft_wrap=True, markup=False)
        return None
    show(verdict, err)
    return verdict_document(verdict)


def watchers(config: Path, data: Path) -> list[Watcher]:
    """Give what the sound flows with triggers of a config are there to find; without such a folder, of the config that ran on the data."""
    from flows.spec import read_flows
    from gateway.config import LastGood

    flows = read_flows(config if config.exists() else LastGood(data).path)[0]
    return [_watcher(one, flows) for one in flows if one.trigger is not None]


def _watcher(flow: Flow, flows: list[Flow]) -> Watcher:
    from gateway.truth.watcher import Watcher

    windows, trigger, said = flow.windows, flow.trigger, flow.spec.trigger
    assert trigger is not None
    assert said is not None
    return Watcher(
        name=flow.name,
        finds=None if said.finds is None else frozenset(said.finds),
        metrics=_sources(flow, flows),
        wait=(windows.span + windows.lateness if windows else 0) + trigger.hold_time + trigger.debounce,
    )


def _sources(flow: Flow, flows: list[Flow]) -> frozenset[str]:
    """Name the metrics that reach a flow: those that it selects and looks up, and what those are made of that other flows republish."""
    found: set[str] = set()
    waiting = [flow]
    while waiting:
        metrics = {*(one := waiting.pop()).metrics, *(lookup.metric for lookup in one.lookups.values())} - found
        found |= metrics
        waiting += [other for other in flows if any(made.metric in metrics for made in other.republished)]
    return frozenset(found)


def _check_names(names: list[str], watching: list[Watcher]) -> None:
    known = sorted(one.name for one in watching)
    for name in names:
        if name not in known:
            fail(
                f"there is no flow {name!r} with a trigger; there {'is' if len(known) == 1 else 'are'}: {', '.join(known) or 'none'}", WRONG
            )


def _moment(text: str | None) -> int | None:
    from gateway.history import moment

    try:
        return None if text is None else moment(text, now=time_ns())
    except ValueError as error:
        fail(f"--since: {error}", WRONG)


def _duration(text: str) -> int:
    from gateway.findings import parse_duration

    try:
        return parse_duration(text)
    except ValueError as error:
        fail(f"--grace {error}; got {text!r}", WRONG)
