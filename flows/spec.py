"""From flow files to flows ready to run, or to everything that is wrong with them."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path

from flows.expressions import Condition
from flows.flow import Command, Flow
from flows.flow_file import FlowSpec
from flows.rules import Rules
from flows.templates import Template
from flows.triggers import Trigger
from flows.windows import WindowPlan
from gateway.findings import ConfigError, Finding, misnamed, open_document, parse, placed


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
    for path in sorted((config / "flows").glob("*.yaml")):
        flow, wrong = read_flow(path, root=config, taken=files, environ=environ)
        findings += wrong
        flows += [] if flow is None else [flow]
    return flows, sorted(findings)


def read_flow(
    path: Path,
    *,
    root: Path,
    taken: dict[str, str] | None = None,
    environ: Mapping[str, str] = os.environ,
) -> tuple[Flow | None, list[Finding]]:
    """Read one flow file. `taken` maps the names of flows already read to their files; this one's is added."""
    document = open_document(path, root=root, environ=environ)
    parsed = parse(document, FlowSpec, root=root)
    findings = list(parsed.findings)
    if document.data:
        findings += placed(document, Rules(document, parsed.sound).problems())
    name = parsed.sound.get("name")
    if isinstance(name, str) and taken is not None:
        if name in taken:
            findings.append(document.finding(("name",), f"the name {name!r} is taken by {taken[name]}"))
        taken.setdefault(name, document.file)
    if findings or parsed.model is None:
        return None, sorted(findings)
    return compile_flow(parsed.model, file=document.file), []


def compile_flow(spec: FlowSpec, *, file: str) -> Flow:
    """Make a checked spec ready to run."""
    alert = next((action.alert for action in spec.do if action.alert is not None), None)
    return Flow(
        name=spec.name,
        file=file,
        about=spec.about,
        metrics=frozenset(spec.select.metrics),
        where=None if spec.select.where is None else Condition(spec.select.where),
        group=spec.group,
        plan=_plan(spec),
        aggregates=spec.aggregate,
        trigger=_trigger(spec),
        severity=spec.trigger.severity if spec.trigger else "info",
        alert=Template(_default_alert(spec) if alert is None else alert),
        commands=tuple(_commands(spec)),
        fingerprint=_fingerprint(spec),
        cases=spec.tests,
    )


def _plan(spec: FlowSpec) -> WindowPlan | None:
    window = spec.window
    if window.length is None:
        return None
    aggregates = {name: (call.function, call.metric) for name, call in spec.aggregate.items()}
    return WindowPlan.of(
        aggregates, length=window.length, slide=window.slide or 0, lateness=window.lateness, corrections=window.corrections
    )


def _trigger(spec: FlowSpec) -> Trigger | None:
    if spec.trigger is None:
        return None
    clear = None if spec.trigger.clear is None else Condition(spec.trigger.clear)
    hold = spec.trigger.hold
    return Trigger(Condition(spec.trigger.when), clear, hold_count=hold.count, hold_time=hold.time, cooldown=spec.trigger.cooldown)


def _commands(spec: FlowSpec) -> list[Command]:
    return [
        Command(
            device=Template(action.command.device),
            set=action.command.set,
            on_clear=action.on_clear.set if action.on_clear else {},
            within=action.command.confirm.within,
            retries=action.command.confirm.retries,
            expires=action.command.life,
        )
        for action in spec.do
        if action.command is not None
    ]


def _default_alert(spec: FlowSpec) -> str:
    """Name the group and the rule where the file has no words of its own."""
    rule = (spec.trigger.when if spec.trigger else "").replace("{", "{{").replace("}", "}}")
    group = ", ".join(f"{{{name}}}" for name in spec.group)
    return f"{group}: {rule}" if group else rule


def _fingerprint(spec: FlowSpec) -> str:
    """Hash what shapes a flow's state; the order of aggregates and group keys is part of that.

    Defaults are left out, so that a key that a later version brings does not cost anyone their state.
    """
    shape = spec.model_dump(mode="json", include={"select", "group", "window", "aggregate", "trigger"}, exclude_defaults=True)
    return hashlib.blake2b(json.dumps(shape, sort_keys=False).encode(), digest_size=8).hexdigest()
