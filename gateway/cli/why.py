"""`sluice why`: what stands behind an alert, a command, an episode or a window."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.command_line import CONFIG, DATA, ConfigOption, DataOption, JsonOption, err, fail, open_store, out, print_json, read_profiles

if TYPE_CHECKING:
    from gateway.why.chain import Chain
    from gateway.why.evidence import Selection


def why(
    asked: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="An alert's, a command's, an episode's or a window's id; none: list the newest.")
    ] = None,
    config: ConfigOption = CONFIG,
    data: DataOption = DATA,
    as_json: JsonOption = False,
) -> None:
    """Show why there was an alert or a command: the readings, the window, the trigger before and after, and the command's life."""
    from gateway.status import cluster_document
    from gateway.why.chain import find
    from gateway.why.document import why_document
    from gateway.why.drawing import show
    from gateway.why.evidence import gather
    from gateway.why.messages import Messages

    if asked is None:
        _list(data, as_json=as_json)
        return
    cluster = cluster_document(data)
    messages = Messages(data / "journal" / "0", read_profiles(config) if config.exists() else [])
    with open_store(data) as reader:
        chain = find(reader, asked)
        if chain is None:
            hint = f"; what a cluster decides is in the store of its first host, {cluster['hosts'][0]}" if cluster.get("member") else ""
            fail(f"{asked}: the store has no alert, command, episode or window with this id{hint}")
        evidence = gather(chain, reader, messages, selection=_selection(config, chain))
    if as_json:
        print_json(why_document(chain, evidence))
        return
    show(chain, evidence, out)
    if cluster:
        err.print("of the readings, only those that came to this host; the others are in the stores of the cluster's other hosts")


def _list(data: Path, *, as_json: bool) -> None:
    from gateway.why.recent import recent, show

    with open_store(data) as reader:
        entries = recent(reader)
    if as_json:
        print_json({"recent": [entry._asdict() for entry in entries]})
    else:
        show(entries, out)


def _selection(config: Path, chain: Chain) -> Selection | None:
    """Give what the flow that decided selects, where the config has a sound one of its name."""
    from flows.spec import read_flows
    from gateway.why.evidence import Selection

    cause = chain.decided or chain.alert
    flow = next((one for one in read_flows(config)[0] if cause is not None and one.name == cause.flow), None)
    return None if flow is None else Selection(flow.metrics, flow.selects, closed=flow.spec.window.kind == "count")
