"""`sluice check`: find what is wrong with the config before anything connects, and run the tests in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from gateway.command_line import BAD, CONFIG, DATA, WRONG, ConfigOption, DataOption, JsonOption, err, out, print_json, read_profiles

if TYPE_CHECKING:
    from gateway.findings import Finding
    from gateway.profile_check import FailedTest


def all_findings(config: Path) -> list[Any]:
    """Give everything that is wrong with the files of a config folder, whatever kind they are."""
    from flows.check import check as check_config
    from gateway.profile_check import check as check_profiles
    from gateway.settings import check as check_settings
    from simulator.scenario import check as check_scenarios

    return check_config(config, others=[check_settings, check_profiles, check_scenarios])


def check(config: ConfigOption = CONFIG, data: DataOption = DATA, as_json: JsonOption = False) -> None:
    """Find everything that is wrong with the config, before anything connects; then run the tests in flow files and the samples in profiles."""
    from flows.spec import load_flows

    findings = all_findings(config)
    failed = [] if findings else list(_failed_tests(config))
    doubts = [] if findings else _warnings(config, data)
    if as_json:
        tests = [one._asdict() for one in failed]
        print_json(
            {
                "findings": [finding.document() for finding in findings],
                "warnings": [doubt.document() for doubt in doubts],
                "failed_tests": tests,
            }
        )
    else:
        for doubt in doubts:
            err.print(f"{doubt.file}:{doubt.line}:{doubt.column}: warning: {doubt.message}", markup=False, soft_wrap=True)
        for finding in findings:
            out.print(str(finding), markup=False)
        for one in failed:
            where = one.file if one.line is None else f"{one.file}:{one.line}"
            out.print(f"{where}: {one.kind} {one.test!r}: {one.message}", markup=False)
    if findings:
        raise typer.Exit(WRONG)
    if failed:
        raise typer.Exit(BAD)
    if not as_json:
        flows, samples = load_flows(config), sum(len(profile.samples) for profile in read_profiles(config))
        err.print(f"{config}: fine: {len(flows)} flows, {sum(len(f.cases) for f in flows) + samples} tests passed")


def _warnings(config: Path, data: Path) -> list[Finding]:
    """Hold the names in the flows against what the store has heard; nothing where there is no store yet, or none that can be read."""
    from flows.spec import load_flows
    from flows.warnings import warnings
    from gateway.store.reader import StoreReader
    from gateway.store.schema import StoreError

    try:
        with StoreReader(data / "store.db") as reader:
            heard = [(one.device, one.metric) for one in reader.series()]
    except StoreError:
        return []
    return warnings(config, load_flows(config), read_profiles(config), heard=heard)


def _failed_tests(config: Path) -> Iterator[FailedTest]:
    """Give each thing that is not as a test in a flow file, or a sample in a profile, says."""
    from flows.spec import load_flows
    from flows.trial import failures
    from gateway.profile_check import FailedTest, failed_samples

    for flow in load_flows(config):
        for case in flow.cases:
            yield from (FailedTest(flow.file, None, "test", case.name, message) for message in failures(flow, case))
    yield from failed_samples(config)
