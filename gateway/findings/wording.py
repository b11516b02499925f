"""What pydantic says of a value, in the words and at the place that help whoever wrote the file."""

from __future__ import annotations

import difflib
import re
import types
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Literal, Union, cast, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from devices.broken import BrokenRules
from gateway.findings.checked import Problem, Problems, UnknownKey
from gateway.findings.document import Step

_PREDICATE = re.compile(r"(?:must|needs|calls|is)\b")
"""A rule that begins so wants its key named before it."""

_RULES: dict[str, Callable[[dict[str, Any]], str]] = {
    "string_type": lambda _: "must be text",
    "bool_type": lambda _: "must be true or false",
    "bool_parsing": lambda _: "must be true or false",
    "int_type": lambda _: "must be a whole number",
    "int_parsing": lambda _: "must be a whole number",
    "int_from_float": lambda _: "must be a whole number",
    "float_type": lambda _: "must be a number",
    "float_parsing": lambda _: "must be a number",
    "finite_number": lambda _: "must be a finite number",
    "list_type": lambda _: "must be a list",
    "tuple_type": lambda _: "must be a list",
    "dict_type": lambda _: "must be a mapping of keys to values",
    "model_type": lambda _: "must be a mapping of keys to values",
    "literal_error": lambda ctx: f"must be {ctx['expected']}",
    "greater_than": lambda ctx: f"must be more than {ctx['gt']}",
    "greater_than_equal": lambda ctx: f"must be at least {ctx['ge']}",
    "less_than": lambda ctx: f"must be less than {ctx['lt']}",
    "less_than_equal": lambda ctx: f"must be at most {ctx['le']}",
    "string_too_short": lambda ctx: "must not be empty" if ctx["min_length"] == 1 else f"must have at least {ctx['min_length']} characters",
    "string_too_long": lambda ctx: f"must have at most {ctx['max_length']} characters",
    "too_short": lambda ctx: "must not be empty" if ctx["min_length"] == 1 else f"must have at least {ctx['min_length']} items",
    "too_long": lambda ctx: f"must have at most {ctx['max_length']} items",
}

_OF_KINDS = {"union_tag_invalid", "union_tag_not_found", "model_attributes_type"}
"""What pydantic calls what is wrong with sections of one of several kinds."""


_MOST_NAMED = 16
"""Known names that a finding lists at most."""


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Give the known name that an unknown one may be meant for."""
    return next(iter(difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.6)), None)


def hint(name: str, known: Iterable[str]) -> str:
    """End a sentence about an unknown name: the nearest known one, or all of them where they are few.

    >>> hint("brokr", ["broker", "site"]), hint("xyz", ["broker", "site"])
    ("; did you mean 'broker'?", '; known: broker, site')
    """
    names = sorted(known)
    near = nearest(name, names)
    if near:
        return f"; did you mean {near!r}?"
    return f"; known: {', '.join(names)}" if 0 < len(names) <= _MOST_NAMED else ""


def problems(error: ErrorDetails, model: type[BaseModel], data: Any) -> Iterator[Problem]:
    """Give what one of pydantic's errors says, placed by the path of the document that it is about."""
    at = _path(error["loc"], data)
    kind, ctx = error["type"], error.get("ctx", {})
    cause = ctx.get("error")
    if kind == "extra_forbidden":
        name, known = str(at[-1]), _keys(_models_at(model, at[:-1], data))
        yield UnknownKey(at, f"unknown key {name!r}{hint(name, known)}", key=True, show=False, near=nearest(name, known))
    elif kind == "missing":
        yield _missing(at, error["loc"], data)
    elif cause is not None:
        yield from _caused(cause, error["loc"], data)
    elif kind in _OF_KINDS:
        yield _unkind(error, at, _models_at(model, at, data))
    elif kind == "allowed":
        yield Problem(at, f"{_subject(at)} {error['msg']}")
    elif kind == "too_short" and len(error["input"]) >= ctx["min_length"]:
        return  # pydantic does not count the items that have findings of their own
    elif kind == "string_type" and not isinstance(error["input"], list | dict):
        yield Problem(at, f"{_subject(at)} must be text (put it in quotes)")
    elif kind in _RULES:
        yield Problem(at, f"{_subject(at)} {_RULES[kind](ctx)}")
    else:
        yield Problem(at, f"{_subject(at)}: {error['msg'][:1].lower()}{error['msg'][1:]}")


def _unkind(error: ErrorDetails, at: tuple[Step, ...], models: Sequence[type[BaseModel]]) -> Problem:
    """Give what is wrong with a section that is of one of several kinds, where it does not say which."""
    kind, ctx = error["type"], error.get("ctx", {})
    if kind == "model_attributes_type":
        return Problem(at, f"{_subject(at)} {_RULES['model_type'](ctx)}{_as_mapping(error['input'], models)}")
    key = ctx["discriminator"].strip("'")
    if kind == "union_tag_invalid":
        return Problem((*at, key), f"{key} must be {_one_of(str(ctx['tag']), ctx['expected_tags'].replace(chr(39), '').split(', '))}")
    known = [name for model in models for name in _kinds(model).get(key, ())]
    return Problem((*at, key), f"missing key {key!r}: which kind it is, one of {', '.join(known)}", key=True, show=False)


def _one_of(got: str, tags: list[str]) -> str:
    """Name what may stand there: all of them where they are few, else the one that may be meant.

    >>> _one_of("mat", ["mad", "zscore"])
    "'mad' or 'zscore'"
    """
    near = nearest(got, tags)
    return f"one of {', '.join(tags)}" + (f"; did you mean {near!r}?" if near else "") if len(tags) > 3 else " or ".join(map(repr, tags))


def _caused(cause: Exception, loc: tuple[Step, ...], data: Any) -> Iterator[Problem]:
    """Give what a validator of ours says; a section as a whole is not shown where a rule is about what it holds."""
    at = _path(loc, data)
    if isinstance(cause, Problems):
        yield from (Problem((*at, *p.at), p.message, p.key, p.offset, p.show) for p in cause.problems)
    elif isinstance(cause, BrokenRules):
        for below, message in cause.rules:
            place = _path((*loc, *below), data)
            yield Problem(place, message, show=not isinstance(_at(place, data), list | dict))
    elif _PREDICATE.match(str(cause)):
        yield Problem(at, f"{_subject(at)} {cause}")
    else:
        yield Problem(at, str(cause), show=not isinstance(_at(at, data), list | dict))


def _missing(at: tuple[Step, ...], loc: tuple[Step, ...], data: Any) -> Problem:
    """Place a required key that is not there at what should hold it, and one that is empty at itself."""
    name = str(loc[-1])
    if at and at[-1] == name and _at(at, data) is None:
        return Problem(at, f"{name} needs a value", key=True, show=False)
    return Problem((*at, name), f"missing key {name!r}", key=True, show=False)


def _path(loc: tuple[Step, ...], data: Any) -> tuple[Step, ...]:
    """Give the part of pydantic's location that the document has: it also names the members of unions and the functions of validators."""
    at: list[Step] = []
    for step in loc:
        known = step in data if isinstance(data, dict) else isinstance(data, list) and isinstance(step, int) and step < len(data)
        if known:
            at.append(step)
            data = data[step]
    return tuple(at)


def _at(at: tuple[Step, ...], data: Any) -> Any:
    for step in at:
        data = data[step]
    return data


def _subject(at: tuple[Step, ...]) -> str:
    """Name the key that a sentence is about, with the list number where there is one: `metrics[1]`."""
    numbers = ""
    for step in reversed(at):
        if isinstance(step, str):
            return step + numbers
        numbers = f"[{step}]{numbers}"
    return f"item {numbers}" if numbers else "the file"


def _keys(models: Iterable[type[BaseModel]]) -> set[str]:
    """Give the keys that any of them knows."""
    return {field.alias or name for model in models for name, field in model.model_fields.items()}


def _models_at(model: type[BaseModel], at: tuple[Step, ...], data: Any) -> list[type[BaseModel]]:
    """Give the models that may be meant at a path below one; of several kinds, the kind that the data say it is."""
    models, annotations = [model], [cast(Any, model)]
    for step in at:
        data = data[step]
        annotations = [below for annotation in annotations for below in _below(annotation, step)]
        models = [one for one in annotations if isinstance(one, type) and get_origin(one) is None and issubclass(one, BaseModel)]
        said = [one for one in models if _is_said(one, data)]
        annotations, models = (list(said), said) if said else (annotations, models)
    return models


def _below(annotation: Any, step: Step) -> Iterator[Any]:
    """Give what may stand at a step below an annotation: below `dict[str, Action | None]` it is Action and None."""
    if isinstance(annotation, type) and get_origin(annotation) is None and issubclass(annotation, BaseModel):
        for name, field in annotation.model_fields.items():
            if step == (field.alias or name):
                yield from _choices(field.annotation)
    elif get_origin(annotation) in {dict, list, tuple}:
        yield from _choices(get_args(annotation)[1 if get_origin(annotation) is dict else 0])


def _choices(annotation: Any) -> Iterator[Any]:
    """Give what a union is of, and what an annotation is about."""
    if get_origin(annotation) in {Union, types.UnionType}:
        for choice in get_args(annotation):
            yield from _choices(choice)
    elif hasattr(annotation, "__metadata__"):
        yield from _choices(get_args(annotation)[0])
    else:
        yield annotation


def _is_said(model: type[BaseModel], data: Any) -> bool:
    """Tell whether data name themselves of a model's kind, where that has one."""
    return isinstance(data, dict) and all(data.get(key) in kinds for key, kinds in _kinds(model).items())


def _kinds(model: type[BaseModel]) -> dict[str, tuple[str, ...]]:
    """Give the keys that tell kinds of models apart, and what they are in this one."""
    return {
        name: get_args(field.annotation)
        for name, field in model.model_fields.items()
        if field.is_required() and get_origin(field.annotation) is Literal
    }


def _as_mapping(got: Any, models: Iterable[type[BaseModel]]) -> str:
    """Write out a kind that stands alone where a mapping should, `greenhouse` for `{kind: greenhouse}`."""
    keys = [key for model in models for key, kinds in _kinds(model).items() if got in kinds]
    return f", such as {{{keys[0]}: {got}}}" if keys else ""
