"""From flow files to flows ready to run, or to everything that is wrong with them."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from devices.reading import Value
from flows.aggregates import Columns
from flows.chains import loops
from flows.expressions import Condition, Formula
from flows.flow import Command, Flow, Republish
from flows.flow_file import WATCHES, FlowSpec, Outside, TriggerSpec
from flows.rules import Rules
from flows.templates import Template
from flows.triggers import RateOfChange, Stuck, Threshold, Trigger, Watch
from flows.windows import CountWindows, Grid, SessionWindows, StateWindows, TimedWindows, Windows
from gateway.findings import ConfigError, Document, Finding, misnamed, open_document, parse, placed, yaml_files


def load_flows(config: Path, *, environ: Mapping[str, str] = os.environ) -> list[Flow]:
    """Read every flow of `config/flows/*.yaml`, in the order of the files' names.

    Raises:
        ConfigError: with every finding in every file.

    """
    flows, findings = read_flows(config, environ=environ)
    if findings:
        raise ConfigError(findings)
    return flows


def read_flows(config: Path, *, environ: Mapping[str, str] = os.environ) -> tuple[list[Flow], list[Finding]]:
    """Read the flows that are sound, and give every finding of the others; a folder that is not there holds none."""
    flows, findings = [], misnamed(config / "flows", root=config)
    files: dict[str, str] = {}
    documents: dict[str, Document] = {}
    for path in yaml_files(config / "flows"):
        document = open_document(path, root=config, environ=environ)
        flow, wrong = _read(document, root=config, taken=files)
        findings += wrong
        if flow is not None:
            flows.append(flow)
            documents[flow.name] = document
    for flow, number, way in loops(flows):
        findings.append(_loop_finding(flow, number, way, documents[flow.name]))
    return flows, sorted(findings)


def read_flow(path: Path, *, root: Path, environ: Mapping[str, str] = os.environ) -> tuple[Flow | None, list[Finding]]:
    """Read one flow file; its name in findings is relative to `root`."""
    document = open_document(path, root=root, environ=environ)
    flow, findings = _read(document, root=root, taken={})
    if flow is not None:
        findings += [_loop_finding(flow, number, way, document) for flow, number, way in loops([flow])]
    return flow if not findings else None, findings


def _read(document: Document, *, root: Path, taken: dict[str, str]) -> tuple[Flow | None, list[Finding]]:
    """Read a flow. `taken` maps the names of flows already read to their files; this one's is added."""
    parsed = parse(document, FlowSpec, root=root)
    findings = list(parsed.findings)
    if document.data:
        findings += placed(document, Rules(document, parsed.sound).problems())
    name = parsed.sound.get("name")
    if isinstance(name, str):
        if name in taken:
            findings.append(document.finding(("name",), f"the name {name!r} is taken by {taken[name]}"))
        taken.setdefault(name, document.file)
    if findings or parsed.model is None:
        return None, sorted(findings)
    return compile_flow(parsed.model, file=document.file), []


def _loop_finding(flow: Flow, number: int, way: list[str], document: Document) -> Finding:
    places = [place for place, action in enumerate(flow.spec.do) if action.republish is not None]
    message = f"{flow.republished[number].metric!r} comes back to this flow: {' → '.join(way)}"
    return document.finding(("do", places[number], "republish", "metric"), message)


def compile_flow(spec: FlowSpec, *, file: str) -> Flow:
    """Make a checked spec ready to run."""
    alert = next((action.alert for action in spec.do if action.alert is not None), None)
    trigger, shape = _trigger(spec), shape_of(spec)
    flow = Flow(
        name=spec.name,
        file=file,
        about=spec.about,
        metrics=frozenset(spec.select.metrics),
        where=None if spec.select.where is None else Condition(spec.select.where),
        group=spec.group,
        lookups=spec.lookup,
        windows=_windows(spec),
        derived={name: Formula(text) for name, text in spec.derive.items()},
        detectors=spec.detect,
        trigger=trigger,
        severity=spec.trigger.severity if spec.trigger else "info",
        alert=Template(_default_alert(spec, trigger) if alert is None else alert),
        commands=tuple(_commands(spec)),
        republished=tuple(_republished(spec)),
        uses=frozenset(),
        shape=shape,
        fingerprint=_hash(shape),
        spec=spec,
    )
    return replace(flow, uses=_uses(flow))


def _windows(spec: FlowSpec) -> Windows | None:
    window, columns = spec.window, Columns(spec.aggregate)
    length, slide, lateness, corrections = window.length, window.slide, window.lateness, window.corrections
    if window.kind == "session" and window.gap is not None:
        return SessionWindows(columns, gap=window.gap, lateness=lateness, corrections=corrections)
    if window.kind == "state" and window.while_ is not None:
        return StateWindows(columns, Condition(window.while_).holds, lateness=lateness)
    if window.kind == "count" and isinstance(length, int):
        return CountWindows(columns, length=length, slide=int(slide or length), lateness=lateness)
    if window.kind == "tumbling" and length is not None:
        return TimedWindows(columns, Grid.of(length, window.timezone), lateness=lateness, corrections=corrections)
    if window.kind == "sliding" and isinstance(length, int) and isinstance(slide, int):
        return TimedWindows(columns, Grid.of(slide, None), panes=length // slide, lateness=lateness, corrections=corrections)
    return None


def _trigger(spec: FlowSpec) -> Trigger | None:
    trigger = spec.trigger
    if trigger is None:
        return None
    if trigger.silent is not None:
        return Trigger(None, silence=trigger.silent.for_, cooldown=trigger.cooldown)
    return Trigger(
        _watch(spec, trigger),
        hold_count=trigger.hold.count,
        hold_time=trigger.hold.time,
        cooldown=trigger.cooldown,
        debounce=trigger.debounce,
    )


def _watch(spec: FlowSpec, trigger: TriggerSpec) -> Watch:
    if trigger.outside is not None:
        return _band(trigger.outside, of=watched(spec, trigger.outside.of))
    if trigger.rate is not None:
        rate = trigger.rate
        return RateOfChange(watched(spec, rate.of), above=rate.above, below=rate.below, per=rate.per)
    if trigger.stuck is not None:
        return Stuck(watched(spec, trigger.stuck.of), flat=trigger.stuck.for_, within=trigger.stuck.within)
    clear = None if trigger.clear is None else Condition(trigger.clear)
    return Threshold(Condition(trigger.when or "false"), clear)


def watched(spec: FlowSpec, of: str | None) -> str:
    """Give what a watch looks at: what it says, or the reading's value, or the one thing that the windows compute."""
    return of or ("value" if spec.window.kind == "none" else next(iter(spec.aggregate), ""))


def _band(band: Outside, *, of: str) -> Threshold:
    """Write a band as conditions."""
    out = [f"{of} < {band.low!r}" if band.low is not None else "", f"{of} > {band.high!r}" if band.high is not None else ""]
    back = [
        f"{of} >= {_decimal(band.low + band.margin)!r}" if band.low is not None else "",
        f"{of} <= {_decimal(band.high - band.margin)!r}" if band.high is not None else "",
    ]
    return Threshold(Condition(" || ".join(filter(None, out))), Condition(" && ".join(filter(None, back))))


def _decimal(value: float) -> float:
    """Give the sum that people write: 0.1 + 0.2 is 0.3."""
    return float(f"{value:.12g}")


def _commands(spec: FlowSpec) -> list[Command]:
    return [
        Command(
            device=Template(action.command.device),
            set=_settings(action.command.set),
            on_clear=_settings(action.on_clear.set) if action.on_clear else {},
            within=action.command.confirm.within,
            retries=action.command.confirm.retries,
            expires=action.command.life,
        )
        for action in spec.do
        if action.command is not None
    ]


def _settings(written: Mapping[str, Value]) -> dict[str, Value | Template]:
    return {name: Template(value) if isinstance(value, str) and {"{", "}"} & set(value) else value for name, value in written.items()}


def _republished(spec: FlowSpec) -> Iterator[Republish]:
    for action in spec.do:
        if (one := action.republish) is not None:
            yield Republish(one.metric, Formula(one.value), Template(one.device or _default_device(spec)), one.unit)


def _default_device(spec: FlowSpec) -> str:
    """Name whose a republished value is where the file does not: one device for each group, so that no two have one series."""
    if "device" in spec.group or spec.window.kind == "none":
        return "{device}"
    return "-".join([spec.name, *(_field(name) for name in spec.group if name != "channel")])


def _field(name: str) -> str:
    """Write a group's key as a field of a text."""
    return f"{{labels.{name}}}" if "." in name else f"{{{name}}}"


def _default_alert(spec: FlowSpec, trigger: Trigger | None) -> str:
    """Name the group and the rule where the file has no words of its own."""
    rule = (trigger.rule("raised") if trigger else "").replace("{", "{{").replace("}", "}}")
    group = ", ".join(map(_field, spec.group))
    return f"{group}: {rule}" if group else rule


def _uses(flow: Flow) -> frozenset[str]:
    """Name what the flow's expressions and texts look at beyond the result itself."""
    watch = flow.trigger.watch if flow.trigger else None
    conditions = [watch.when, watch.clear] if isinstance(watch, Threshold) else []
    formulas = [*flow.derived.values(), *(one.value for one in flow.republished), *conditions]
    names = {name for formula in formulas if isinstance(formula, Formula) for name in formula.names}
    told = [one for command in flow.commands for one in (command.device, *command.set.values(), *command.on_clear.values())]
    texts = [flow.alert, *(one for one in told if isinstance(one, Template)), *(one.device for one in flow.republished)]
    names |= {name.partition(".")[0] for text in texts for name in text.names}
    names |= {detector.of for detector in flow.detectors.values()} | ({watch.of} if isinstance(watch, RateOfChange | Stuck) else set())
    return frozenset({"metrics"} if flow.windows is None and names & flow.metrics else ()) | names & {"labels", "prev", "elapsed"}


def shape_of(spec: FlowSpec) -> dict[str, Any]:
    """Give what shapes a flow's state, part by part; the order of aggregates and group keys is part of that.

    Not among it, and so free to change while state is kept: thresholds, hold and cooldown, lateness and corrections, alerts and actions.
    Defaults are left out, so that a key that a later version brings does not cost anyone their state.
    """
    parts = {"select", "group", "lookup", "window", "aggregate", "detect"}
    shape = spec.model_dump(mode="json", by_alias=True, include=parts, exclude_defaults=True)
    shape["window"] = {key: value for key, value in shape["window"].items() if key not in {"lateness", "corrections"}}
    if any(detector.of in spec.derive for detector in spec.detect.values()):  # what a detector has learned is of these values
        shape["derive"] = spec.derive
    shape["aggregate"] = {name: str(call) for name, call in spec.aggregate.items()}
    if spec.trigger is not None:
        kind = next(name for name in WATCHES if getattr(spec.trigger, name) is not None)
        # A band is a threshold by another name; what else a trigger watches has a memory of its own.
        shape["trigger"] = (
            "when" if kind == "outside" else [kind, getattr(getattr(spec.trigger, kind), "of", None)] if kind != "when" else kind
        )
    return shape


def _hash(shape: Mapping[str, Any]) -> str:
    return hashlib.blake2b(json.dumps(shape, sort_keys=False).encode(), digest_size=8).hexdigest()
