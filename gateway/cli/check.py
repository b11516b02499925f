"""`sluice check`: find what is wrong with the config before anything connects, and run the tests in it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import typer

from gateway.command_line import BAD, CONFIG, DATA, WRONG, ConfigOption, DataOption, JsonOption, err, out, print_json, read_profiles
from gateway.findings import Finding, open_document

if TYPE_CHECKING:
    from flows.trial import Compared


class FailedTrial(NamedTuple):
    """A test in a flow file that failed: where it stands, its name, and all that it compared."""

    file: str
    line: int
    name: str
    compared: Sequence[Compared]

    def summary(self) -> str:
        """Say how much is wrong."""
        return f"{sum(not one.same for one in self.compared)} of {len(self.compared)} not as expected"

    def documents(self) -> Iterator[dict[str, Any]]:
        """Give what is wrong as `sluice check --json` has it, one document for each difference."""
        for one in self.compared:
            if not one.same:
                head = {"file": self.file, "line": self.line, "kind": "test", "test": self.name, "message": str(one)}
                yield {**head, "expected": one.expected, "got": one.got}


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
    from gateway.cli.comparison import show
    from gateway.profile_check import failed_samples

    findings = all_findings(config)
    trials = [] if findings else list(_failed_trials(config))
    samples = [] if findings else list(failed_samples(config))
    doubts = [] if findings else _warnings(config, data)
    if as_json:
        tests = [*(test for one in trials for test in one.documents()), *(one._asdict() for one in samples)]
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
        for trial in trials:
            out.print(f"{trial.file}:{trial.line}: test {trial.name!r}: {trial.summary()}", markup=False)
            show(trial.compared, out)
        for sample in samples:
            out.print(f"{sample.file}:{sample.line}: sample {sample.test!r}: {sample.message}", markup=False)
    if findings:
        raise typer.Exit(WRONG)
    if trials or samples:
        raise typer.Exit(BAD)
    if not as_json:
        flows, held = load_flows(config), sum(len(profile.samples) for profile in read_profiles(config))
        err.print(f"{config}: fine: {len(flows)} flows, {sum(len(f.cases) for f in flows) + held} tests passed")


def _warnings(config: Path, data: Path) -> list[Finding]:
    """Hold the names in the flows against what the store has heard, where there is one that can be read, and commands against the cluster."""
    from flows.spec import load_flows
    from flows.warnings import cluster_warnings, warnings
    from gateway.settings import load
    from gateway.store.errors import StoreError
    from gateway.store.reader import StoreReader

    try:
        with StoreReader(data / "store.db") as reader:
            heard = [(one.device, one.metric) for one in reader.series()]
    except StoreError:
        heard = []
    flows = load_flows(config)
    return sorted([*warnings(config, flows, read_profiles(config), heard=heard), *cluster_warnings(config, flows, load(config))])


def _failed_trials(config: Path) -> Iterator[FailedTrial]:
    """Give each test in a flow file that does not come out as it says."""
    from flows.spec import load_flows
    from flows.trial import compare

    for flow in load_flows(config):
        document = open_document(config / flow.file, root=config)
        for number, case in enumerate(flow.cases):
            compared = compare(flow, case)
            if not all(one.same for one in compared):
                yield FailedTrial(flow.file, document.place(("tests", number)).line, case.name, compared)
