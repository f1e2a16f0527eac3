"""A table of gateway.toml -> an options dataclass. A wrong key is named, and the nearest right one offered.

    options = build(InfluxOptions, {"url": "http://127.0.0.1:8086", "token": {"env": "INFLUX_TOKEN"}}, places)

In place of any text may stand where to find it: { env = "NAME" }, { file = "path" }, or { credential = "name" }, of
those systemd hands to a service (systemd.exec(5), LoadCredential=). Texts of a file end before its last line end.
"""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, Field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from judder.errors import InputError

# How near a key must be to be offered (difflib's ratio).
_NEAR = 0.5
_SECRET_BYTES = 64 * 1024


class ConfigError(InputError):
    """What is wrong with a configuration, a line each."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = list(problems)
        super().__init__("; ".join(self.problems))


@dataclasses.dataclass(frozen=True)
class Places:
    """here: the folder of gateway.toml, for what is read. data: for what is written. written: in this table, paths are
    of the second kind unless the field says otherwise."""

    here: Path
    data: Path
    environ: Mapping[str, str]
    written: bool = False


def build(cls: type[Any], table: Mapping[str, Any], places: Places, also: Iterable[str] = ()) -> Any:
    """also: keys of the table that are somebody else's. Raises ConfigError, each line beginning with the key."""
    fields = {field.name: field for field in dataclasses.fields(cls)}
    hints = typing.get_type_hints(cls)
    problems, values = [], {}
    for key, value in table.items():
        if key in also:
            continue
        if key not in fields:
            problems.append(unknown(key, (*fields, *also)))
            continue
        try:
            values[key] = _value(hints[key], value, _Key(key, fields[key], places))
        except InputError as error:
            problems.append(f"{key}: {error}")
    for field in fields.values():
        required = field.default is MISSING and field.default_factory is MISSING
        if required and field.name not in table:
            problems.append(f"{field.name}: is missing")
    if problems:
        raise ConfigError([*problems, *_also_wrong(cls, values)])
    for field in fields.values():  # defaults that are paths lie where given ones would
        if field.name not in values and isinstance(field.default, Path):
            values[field.name] = _Key(field.name, field, places).path(str(field.default))
    try:
        return cls(**values)
    except InputError as error:
        raise ConfigError([str(error)]) from error


def _also_wrong(cls: type[Any], values: Mapping[str, Any]) -> list[str]:
    """What the rest would be refused for, where that is one of the keys given and not what is missing."""
    try:
        cls(**values)
    except InputError as error:
        return [str(error)] if str(error).partition(":")[0] in values else []
    except TypeError:  # without what it cannot do without
        pass
    return []


def unknown(key: str, valid: Iterable[str], what: str = "key") -> str:
    """ "there is no key 'bukcet'; did you mean 'bucket'?", with all there are where none is near."""
    names = list(dict.fromkeys(valid))
    near = get_close_matches(key, names, n=1, cutoff=_NEAR)
    hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(sorted(names))}"
    return f"there is no {what} {key!r:.60}; {hint}"


def plain_secrets(cls: type[Any], table: Mapping[str, Any]) -> list[str]:
    """Keys of secrets that stand in the table itself."""
    return [
        field.name for field in dataclasses.fields(cls) if is_secret(field) and isinstance(table.get(field.name), str)
    ]


def is_secret(field: Field[Any]) -> bool:
    return bool(field.metadata.get("secret"))


def shown(options: Any) -> dict[str, Any]:
    """What an options dataclass holds, as JSON carries it; of secrets only whether there is one."""
    found: dict[str, Any] = {}
    for field in dataclasses.fields(options):
        value = getattr(options, field.name)
        if is_secret(field):
            value = "(set)" if value else ""
        elif isinstance(value, Path):
            value = str(value)
        elif isinstance(value, tuple):
            value = list(value)
        found[field.name] = dict(value) if isinstance(value, Mapping) else value
    return found


@dataclasses.dataclass(frozen=True)
class _Key:
    name: str
    field: Field[Any]
    places: Places

    def path(self, text: str) -> Path:
        # What is handed to us to read lies beside gateway.toml, what we make lies with the data.
        handed = self.name.endswith("_file")
        written = self.field.metadata.get("written", self.places.written and not handed)
        return (self.places.data if written else self.places.here) / Path(text).expanduser()


def _value(hint: Any, value: Any, key: _Key) -> Any:
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return _value(next(one for one in inner if one is not type(None)), value, key)
    if hint is bool:
        return _is(isinstance(value, bool), value, "true or false", value)
    if hint is int:
        return _is(isinstance(value, int) and not isinstance(value, bool), value, "a whole number", value)
    if hint is float:
        fits = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
        return _is(fits, value, "a number", float(value) if fits else None)
    if hint is str:
        return _text(value, key.places)
    if hint is Path:
        text = _text(value, key.places)
        return key.path(_is(bool(text) and "\0" not in text, value, "a path", text))
    if origin in (tuple, list):
        _is(isinstance(value, list), value, 'an array, as ["one", "two"]', None)
        found = [_value(inner[0], one, key) for one in value]
        return tuple(found) if origin is tuple else found
    if origin is not None and issubclass(origin, Mapping):
        _is(isinstance(value, dict), value, 'a table, as { name = "value" }', None)
        return {name: _value(inner[1], one, key) for name, one in value.items()}
    return value  # of a plug-in, which checks it itself


def _is(fits: bool, value: Any, expected: str, made: Any) -> Any:
    if not fits:
        # Not the value itself where it may be a secret in the wrong place.
        raise InputError(f"{expected} is expected, not {_kind(value)}")
    return made


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return f"the number {value}"
    for kind, word in ((str, "a text"), (list, "an array"), (dict, "a table")):
        if isinstance(value, kind):
            return word
    return f"a {type(value).__name__}"


_FROM = ("env", "file", "credential")


def _text(value: Any, places: Places) -> str:
    if isinstance(value, str):
        return value
    if not isinstance(value, dict):
        raise InputError(f"a text is expected, not {_kind(value)}")
    if len(value) != 1 or not all(isinstance(one, str) and one for one in value.values()):
        raise InputError('a text is expected, or where to find it: { env = "NAME" } or { file = "path" }')
    ((where, name),) = value.items()
    if where == "env":
        if name not in places.environ:
            raise InputError(f"the environment has no {name}")
        return places.environ[name]
    if where == "file":
        return _read(places.here / Path(name).expanduser())
    if where == "credential":
        folder = places.environ.get("CREDENTIALS_DIRECTORY")
        if not folder:
            raise InputError(f"credential {name!r}: only systemd hands these over; the unit needs LoadCredential=")
        return _read(Path(folder) / name)
    raise InputError(unknown(where, _FROM))


def _read(path: Path) -> str:
    try:
        with path.open(encoding="utf-8") as file:
            text = file.read(_SECRET_BYTES)
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from error
    return text.removesuffix("\n").removesuffix("\r")
