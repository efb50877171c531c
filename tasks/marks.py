"""Marks on a flow's parameters: what types cannot say about the command line and the form."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, get_args, get_origin


class Flags:
    """Marks a `Literal` whose values are switches of their own, at most one of them."""


class Positional:
    """Marks a parameter that stands on the command line without a flag."""


class Remainder:
    """Marks the parameter that takes every word after `--`."""


class CommandLineOnly:
    """Marks a parameter that the Prefect form does not show."""


@dataclass(frozen=True)
class Between:
    """Marks a number's bounds, both allowed; the command line and the Prefect form check them."""

    low: float
    high: float


def form_signature(inner: Callable[..., Any]) -> inspect.Signature:
    """Return the signature the UI form is made of: bounds as pydantic fields, no marks."""
    from pydantic import Field

    signature = inspect.signature(inner, eval_str=True)
    shown = []
    for parameter in signature.parameters.values():
        kind: Any = parameter.annotation
        marks: list[Any] = []
        if get_origin(kind) is Annotated:
            kind, *marks = get_args(kind)
        if any(isinstance(mark, CommandLineOnly) for mark in marks):
            continue
        for mark in marks:
            if isinstance(mark, Between):
                kind = Annotated[kind, Field(ge=mark.low, le=mark.high)]
        shown.append(parameter.replace(annotation=kind))
    return signature.replace(parameters=shown)
