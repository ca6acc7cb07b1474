"""Where settings come from, and how they are shown: options, else environment, else a TOML file, else defaults."""

import difflib
import json
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

_HIDDEN = "***"


class SettingsError(Exception):
    """Settings that cannot be used; the message says which, where they stand, and what is wrong."""


class FileSource(PydanticBaseSettingsSource):
    """The TOML file that the setting `config` names."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:  # noqa: ARG002
        """Not used: the file is read as a whole."""
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        """The settings of the file.

        Raises:
            SettingsError: It cannot be read, or has a key that is no setting.
        """
        named = self.current_state.get("config")
        return read_file(Path(named).expanduser(), self.settings_cls) if named else {}


def read_file(path: Path, model: type[BaseSettings]) -> dict[str, Any]:
    """The settings of a TOML file.

    Raises:
        SettingsError: It cannot be read, or has a key that is no setting.
    """
    try:
        text = path.read_text("utf-8")
        found = tomllib.loads(text)
    except OSError as error:
        raise SettingsError(f"config: {path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"config: {path} is not TOML: {error}") from None
    known = model.model_fields.keys() - {"config"}
    for key in found:
        if key not in known:
            near = difflib.get_close_matches(key, known, 1)
            hint = f'; did you mean "{near[0]}"?' if near else ""
            raise SettingsError(f'config: {path}, line {_line(text, key)}: there is no setting "{key}"{hint}')
    return found


def read(model: type[BaseSettings], options: Mapping[str, Any]) -> Any:
    """Settings from all sources.

    Args:
        model: The class of the settings.
        options: Those given on the command line, by name.

    Raises:
        SettingsError: They cannot be used.
    """
    try:
        return model(**options)
    except ValidationError as error:
        sources = origins(model, options)
        told = []
        for fault in error.errors():
            name = str(fault["loc"][0])
            source = sources.get(name, "default")
            where = "" if source == "default" else f" ({source})"
            told.append(f"{name}{where}: {fault['msg']}")
        raise SettingsError("; ".join(told)) from None


def origins(model: type[BaseSettings], options: Mapping[str, Any]) -> dict[str, str]:
    """Where each setting comes from: "option --x", "environment WEAKLABEL_X", "file PATH" or "default"."""
    environment = EnvSettingsSource(model)()
    prefix = model.model_config.get("env_prefix", "")
    named = options.get("config") or environment.get("config")
    in_file = read_file(Path(named).expanduser(), model) if named else {}
    found = {}
    for name in model.model_fields:
        if name in options:
            found[name] = f"option --{name.replace('_', '-')}"
        elif name in environment:
            found[name] = f"environment {prefix}{name.upper()}"
        elif name in in_file:
            found[name] = f"file {named}"
        else:
            found[name] = "default"
    return found


def to_toml(config: BaseSettings, sources: Mapping[str, str]) -> str:
    """Settings as a TOML file that gives the same ones, but for passwords; each with where it comes from."""
    lines = []
    for name in type(config).model_fields:
        if name == "config":  # no setting of a file
            continue
        value = getattr(config, name)
        line = f"# {name} =" if value is None else f"{name} = {_toml(_shown(name, value))}"
        lines.append(f"{line}  # {_one_line(sources[name])}")
    return "\n".join(lines) + "\n"


def to_json(config: BaseSettings, sources: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Settings by name, without passwords: "value", and "origin", where it comes from."""
    names = [name for name in type(config).model_fields if name != "config"]
    shown = config.model_copy(update={name: _shown(name, getattr(config, name)) for name in names})
    values = shown.model_dump(mode="json", include=set(names), warnings=False)
    return {name: {"value": values[name], "origin": _one_line(sources[name])} for name in names}


def _shown(name: str, value: Any) -> Any:
    """A setting, without the passwords in it."""
    if name != "database_url":
        return value
    try:
        url = make_url(value)
    except (ArgumentError, ValueError):
        return _HIDDEN
    # What drivers take after the question mark may be a password, too.
    hidden = url.set(query=dict.fromkeys(url.query, _HIDDEN))
    return hidden.render_as_string(hide_password=True)


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float)):
        return repr(value)
    # A string of JSON is one of TOML, but for this control character; os.fspath: of paths.
    return json.dumps(os.fspath(value), ensure_ascii=False).replace("\x7f", "\\u007f")


def _one_line(text: str) -> str:
    return re.sub(r"[\x00-\x1f\x7f]", "?", text)


def _line(text: str, key: str) -> int:
    """The line on which a key or table of a TOML file begins; the first one where that cannot be told."""
    begins = re.compile(rf"\s*\[*\s*[\"']?{re.escape(key)}[\"']?\s*[\].=]")
    return next((number for number, line in enumerate(text.splitlines(), 1) if begins.match(line)), 1)
