"""From a file to a checked model, or to everything that is wrong with it."""

from __future__ import annotations

import copy
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ValidationError

from gateway.findings.checked import Problem, UnknownKey
from gateway.findings.composing import compose
from gateway.findings.document import Document, Step
from gateway.findings.finding import ConfigError, Finding
from gateway.findings.wording import problems

M = TypeVar("M", bound=BaseModel)


@dataclass
class Parsed(Generic[M]):
    """A document against its model: the model where all is well, else None and the findings.

    `sound` is the document's data without what a finding is about, for rules that look further although a part is bad
    (an item of a list leaves None behind, so that the others keep their numbers).
    """

    document: Document
    model: M | None
    findings: list[Finding] = field(default_factory=list)
    sound: dict[str, Any] = field(default_factory=dict)


def open_document(path: Path, *, root: Path, environ: Mapping[str, str] = os.environ) -> Document:
    """Read one YAML file; its name in findings is relative to `root`, the config folder. Never raises for what the file holds."""
    name = path.relative_to(root).as_posix() if path.is_relative_to(root) else path.as_posix()
    try:
        data = path.read_bytes()
    except OSError as error:
        why = "there is no such file" if isinstance(error, FileNotFoundError) else f"cannot be read: {error.strerror or error}"
        return Document(name, findings=[Finding(name, 1, 1, why)])
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8", "replace")
        line, column = before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1
        return Document(name, findings=[Finding(name, line, column, "is not UTF-8 text", f"byte 0x{data[error.start]:02x}")])
    document = compose(text, file=name, environ=environ)
    document.folder = path.parent
    return document


def parse(document: Document, model: type[M], *, root: Path | None = None) -> Parsed[M]:
    """Check a document against a model, everything at once. `root` is what the model's relative paths start from, or the file's own folder."""
    result = Parsed[M](document, None, list(document.findings), document.data)
    if not document.data:
        if not document.findings and any(field.is_required() for field in model.model_fields.values()):
            result.findings.append(Finding(document.file, 1, 1, "is empty"))
        if result.findings:
            return result
    found, unknown = _look(document, model, result, root=root)
    result.findings += placed(document, [problem for problem in found if problem.at not in document.unread])
    result.sound = _without(document.data, [*unknown, *(problem.at for problem in found), *document.unread])
    result.model = None if result.findings else result.model
    return result


def _look(document: Document, model: type[M], result: Parsed[M], *, root: Path | None) -> tuple[list[Problem], list[tuple[Step, ...]]]:
    """Validate again and again without the unknown keys, which would keep the rules between keys from being asked.

    A key that is merely misspelt is taken for the one that was meant, so that its value is looked at and nothing seems to be missing.
    Gives the other problems, and the paths of the keys that mean nothing.
    """
    ignored: list[tuple[Step, ...]] = []
    for _ in range(_MOST_LOOKS):
        result.model, found = _validate(model, _without(document.data, ignored), root=root, folder=document.folder)
        unknown = [problem for problem in found if isinstance(problem, UnknownKey)]
        if not unknown:
            break
        result.findings += placed(document, unknown)
        ignored += [problem.at for problem in unknown if problem.near is None or not document.rename(problem.at, problem.near)]
    return found, ignored


_MOST_LOOKS = 20  # each level of misspelt keys within misspelt keys takes one


def placed(document: Document, found: Iterable[Problem]) -> list[Finding]:
    """Make findings of problems."""
    return [document.finding(p.at, p.message, key=p.key, offset=p.offset, show=p.show) for p in found]


def read(path: Path, model: type[M], *, root: Path, environ: Mapping[str, str] = os.environ) -> tuple[M | None, list[Finding]]:
    """Read one file as its model, or give None and every finding."""
    parsed = parse(open_document(path, root=root, environ=environ), model, root=root)
    return parsed.model, sorted(parsed.findings)


def yaml_files(folder: Path) -> list[Path]:
    """List the `*.yaml` of a folder in the order of their names; a folder that is not there has none."""
    return _listed(folder, "*.yaml")


def _listed(folder: Path, pattern: str) -> list[Path]:
    """List the files of a pattern by name, but for hidden ones, which are an editor's own."""
    return sorted(path for path in folder.glob(pattern) if not path.name.startswith("."))


def read_folder(folder: Path, model: type[M], *, root: Path, environ: Mapping[str, str] = os.environ) -> tuple[list[M], list[Finding]]:
    """Read every `*.yaml` of a folder in the order of its names; a folder that is not there holds nothing.

    A `*.yml` is a finding, since it would else be passed over in silence.
    """
    models: list[M] = []
    findings = misnamed(folder, root=root)
    for path in yaml_files(folder):
        one, wrong = read(path, model, root=root, environ=environ)
        findings += wrong
        models += [] if one is None else [one]
    return models, findings


def load_folder(folder: Path, model: type[M], *, root: Path, environ: Mapping[str, str] = os.environ) -> list[M]:
    """Read every `*.yaml` of a folder.

    Raises:
        ConfigError: with every finding in every file.

    """
    models, findings = read_folder(folder, model, root=root, environ=environ)
    if findings:
        raise ConfigError(findings)
    return models


def no_folder(config: Path) -> Finding:
    """Say that a config folder is not there."""
    return Finding(config.as_posix(), 1, 1, "there is no such folder; `sluice init DIR` writes one to start from")


def misnamed(folder: Path, *, root: Path) -> list[Finding]:
    """Give a finding for each `*.yml`: only `*.yaml` is read."""
    return [Finding(path.relative_to(root).as_posix(), 1, 1, "is not read: name it *.yaml") for path in _listed(folder, "*.yml")]


def _validate(model: type[M], data: dict[str, Any], *, root: Path | None, folder: Path) -> tuple[M | None, list[Problem]]:
    try:
        return model.model_validate(data, context={"root": root, "folder": folder}), []
    except ValidationError as error:
        return None, [problem for one in error.errors() for problem in problems(one, model, data)]


def _without(data: dict[str, Any], paths: Iterable[tuple[Step, ...]]) -> dict[str, Any]:
    """Take values out of a copy; an item of a list leaves None behind, so that the others keep their numbers."""
    data = copy.deepcopy(data)
    for path in paths:
        holder: Any = data
        for step in path[:-1]:
            holder = _below(holder, step)
        if path and isinstance(holder, dict):
            holder.pop(path[-1], None)
        elif path and isinstance(holder, list) and isinstance(path[-1], int):
            holder[path[-1]] = None
    return data


def _below(holder: Any, step: Step) -> Any:
    if isinstance(holder, dict):
        return holder.get(step)
    return holder[step] if isinstance(holder, list) and isinstance(step, int) else None
