"""Settings from a file: the ``config.json`` of a run, or names and values written by hand."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from pydantic_core import PydanticCustomError

from amsunet.choices import NO_PRETRAINED
from amsunet.errors import InputError
from amsunet.records import without_removed
from amsunet.regular_file import read_regular
from amsunet.text_files import parse_json
from amsunet.training.plan_schema import (
    LIGHT,
    SETTINGS,
    USER_SET,
    USER_SET_BEFORE,
    Plan,
    check_setting,
    unknown_setting,
)

logger = logging.getLogger(__name__)

_BUDGETS = ("epochs", "minutes")


def read_settings(file: str | Path) -> dict[str, Any]:
    """Read the settings that a user chose.

    Of the ``config.json`` of a run, or the ``check.json`` of an audit, these are the settings of its plan that the user
    set then; what was derived from the data is derived anew. Data, their splits and the device are not settings. A
    setting under its former name is read, and one line names the new one.

    Args:
        file: A run folder, its ``config.json``, or JSON with settings by name, as ``{"minutes": 5, "crop": [64, 64]}``.

    Returns:
        The settings by name, each checked by itself.

    Raises:
        InputError: For a file that cannot be read, or a setting that there is not.

    Example:
        >>> settings = read_settings("runs/nuclei/config.json")
        >>> amsunet.train("DATA", settings)
    """
    path = Path(file)
    path = path / "config.json" if path.is_dir() else path
    record = _read(path)
    settings = _set_by_the_user(path, record) if isinstance(record.get("plan"), dict) else record
    try:
        return _checked(path, settings)
    except PydanticCustomError as error:  # of a feature that is gone
        raise InputError(f"{path}: {error.message()}") from None
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def settings_over(file: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of a file with others put over them; a budget that is given replaces that of the file."""
    kept = {name: value for name, value in file.items() if not (name in _BUDGETS and _any_of(_BUDGETS, given))}
    return {**kept, **{name: value for name, value in given.items() if value is not None}}


def _any_of(names: Collection[str], given: Mapping[str, Any]) -> bool:
    return any(given.get(name) is not None for name in names)


def _read(path: Path) -> dict[str, Any]:
    if path.exists() and not path.is_file():
        raise InputError(f"{path} is no file: name the config.json of a run, or a JSON file of settings")
    try:
        content = read_regular(path)
    except FileNotFoundError:
        raise InputError(f"{path} is not found: name the config.json of a run, or a JSON file of settings") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror})") from None
    try:
        record = parse_json(content)
    except ValueError as error:
        raise InputError(f'{path} is not JSON ({error}): write settings as {{"minutes": 5}}') from None
    if not isinstance(record, dict):
        raise InputError(f'{path} holds no settings by name: write them as {{"minutes": 5}}')
    return record


def _set_by_the_user(path: Path, record: Mapping[str, Any]) -> dict[str, Any]:
    plan = record["plan"]
    reasons = plan.get("reasons")
    if not isinstance(reasons, dict):  # as of a study
        raise InputError(f"{path} does not say which settings a user chose: name the config.json of a run")
    settings = {
        name: plan[name] for name, why in reasons.items() if why in (USER_SET, USER_SET_BEFORE) and name in plan
    }
    if "model" not in reasons:  # of a version that had one network where none was named
        settings = {name: plan[name] for name in ("model", "base_channels") if plan.get(name) is not None} | settings
    had_no_start = plan.get("model") == LIGHT and "pretrained" not in reasons  # of an earlier version
    if plan.get("pretrained") is None and (had_no_start or "pretrained" in settings):
        settings["pretrained"] = NO_PRETRAINED
    if "the released recipe" in reasons.values():
        settings["recipe"] = "paper"
    if record.get("deterministic"):
        settings["deterministic"] = True
    return settings


def _checked(path: Path, settings: Mapping[str, Any]) -> dict[str, Any]:
    checked: dict[str, Any] = {}
    for former, value in without_removed(settings).items():
        name = Plan.former_names.get(former, former)
        if name not in SETTINGS:
            raise unknown_setting(former)
        if name in checked or (name != former and name in settings):
            raise InputError(f"{name} is set twice, once as {former}: leave one out")
        if name != former:
            logger.info(f"note: {former} in {path} is called {name} now")
        if value is not None:
            checked[name] = check_setting(name, value)
    return checked
