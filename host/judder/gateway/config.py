"""gateway.toml -> what a gateway is made of. Everything wrong with it is found at once and named.

    config = load(Path("gateway.toml"), environ=os.environ)
    config.plan, config.health, config.warnings

Without a file: DEFAULT, which works at once.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from judder import sink
from judder.errors import InputError, JudderError
from judder.flow import node_id
from judder.gateway import source
from judder.gateway.bounds import Limits
from judder.gateway.intake import Rules
from judder.gateway.log import LEVELS
from judder.gateway.options import ConfigError, Places, build, plain_secrets, shown, unknown
from judder.gateway.pipeline import RETRY_MAX_S, Outlet, Plan

__all__ = ["DEFAULT", "EXAMPLE", "Config", "ConfigError", "load"]

DATA = "judder-data"
# What runs without a file.
DEFAULT = """\
[[source]]
type = "broker"

[[sink]]
type = "ndjson"
daily = true

[[sink]]
type = "sqlite"
"""
# What `judder gateway example` prints.
EXAMPLE = Path(__file__).with_name("example.toml").read_text(encoding="utf-8")
_SECTIONS = ("service", "spool", "nodes", "source", "sink")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}")
_LOOPBACK = ("127.", "::1", "localhost")


@dataclass(slots=True, kw_only=True)
class Service:
    """data: folder for the spool and what sinks write, made at the start; judder-data beside gateway.toml unless given,
    or what systemd gives (StateDirectory=). health: address of /healthz, /readyz, /metrics and /status, "" for none.
    log_level: debug, info, warning or error. grace_s: how long a stop may take to hand over what there is."""

    data: Path | None = None
    health: str = "127.0.0.1:9877"
    log_level: str = "info"
    grace_s: float = 10.0

    def __post_init__(self) -> None:
        if self.log_level not in LEVELS:
            raise InputError(f"log_level: {self.log_level!r:.40} is not one of {', '.join(LEVELS)}")
        if not 0 <= self.grace_s <= 3600:
            raise InputError(f"grace_s: {self.grace_s:g} is not 0 to 3600")
        address(self.health)


@dataclass(slots=True, kw_only=True)
class SpoolOptions:
    """file: in the data folder. max_mb: of uplinks some sink has not got. max_age_days: how long they are kept.
    when_full: "drop-oldest", or "wait": take no more until there is room."""

    file: Path = Path("spool.db")
    max_mb: float = 1024.0
    max_age_days: float = 30.0
    when_full: str = "drop-oldest"

    def __post_init__(self) -> None:
        if self.max_mb < 1:
            raise InputError(f"max_mb: {self.max_mb:g} is not at least 1")
        if self.max_age_days <= 0:
            raise InputError(f"max_age_days: {self.max_age_days:g} is not above 0")
        if self.when_full not in ("drop-oldest", "wait"):
            raise InputError(f"when_full: {self.when_full!r:.40} is not drop-oldest or wait")


@dataclass(slots=True, kw_only=True)
class NodesOptions:
    """names: node id -> what people call it. unknown: what becomes of uplinks of others: "accept", "mark" (with the
    word unknown-node), or "set-aside". remembered: how many nodes duplicates and gaps are told of."""

    names: Mapping[str, str] = field(default_factory=dict)
    unknown: str = "accept"
    remembered: int = 100_000

    def __post_init__(self) -> None:
        if self.unknown not in ("accept", "mark", "set-aside"):
            raise InputError(f"unknown: {self.unknown!r:.40} is not accept, mark or set-aside")
        if self.remembered < 1:
            raise InputError(f"remembered: {self.remembered} is not at least 1")
        try:
            self.names = {node_id(node): name for node, name in self.names.items()}
        except InputError as error:
            raise InputError(f"names: {error}") from error
        if self.unknown != "accept" and not self.names:
            raise InputError(f"unknown: {self.unknown!r} needs [nodes.names], the nodes that are known")


@dataclass(slots=True)
class Config:
    """path: None for the default. health: (host, port), None for none. warnings: what works and should not stay."""

    path: Path | None
    data: Path
    plan: Plan
    health: tuple[str, int] | None
    log_level: str
    warnings: list[str]
    options: dict[str, dict[str, Any]]  # "source NAME" or "sink NAME" -> what is set, without secrets

    def where(self) -> str:
        return _where(self.path)

    def to_dict(self) -> dict[str, Any]:
        """What would run, as JSON carries it; no secrets."""
        plan = self.plan
        return {
            "config": None if self.path is None else str(self.path),
            "data": str(self.data),
            "health": None if self.health is None else "{}:{}".format(*self.health),
            "spool": {
                "file": str(plan.spool),
                "max_mb": plan.limits.max_bytes / (1 << 20),
                "max_age_days": plan.limits.max_age_s / 86400,
            },
            "sources": {n: {"where": s.where(), **self.options[f"source {n}"]} for n, s in plan.sources.items()},
            "sinks": {name: self.options[f"sink {name}"] for name in plan.sinks},
            "warnings": self.warnings,
        }


@dataclass(slots=True)
class _Found:
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    options: dict[str, dict[str, Any]] = field(default_factory=dict)
    secrets: list[str] = field(default_factory=list)  # those that stand in the file itself

    def complain(self, path: Path | None) -> None:
        if self.problems:
            raise ConfigError(f"{_where(path)}: {problem}" for problem in self.problems)


def load(path: Path | None, *, environ: Mapping[str, str], data: Path | None = None) -> Config:
    """data: goes before what the file says. Raises ConfigError with a line for everything that is wrong, InputError for
    a file that cannot be read. Makes no file and reaches for no server."""
    table, found = _read(path), _Found()
    found.problems += [unknown(key, _SECTIONS, "section") for key in table if key not in _SECTIONS]
    base = _base(table, path, environ, data, found)
    sources = _sources(table, base.places, found)
    sinks = _sinks(table, replace(base.places, written=True), found)
    found.complain(path)

    service, spool, nodes = base.service, base.spool, base.nodes
    health = address(service.health)
    if health and not health[0].startswith(_LOOPBACK):
        found.warnings.append(f"[service]: health: others may read {service.health}, there is no password")
    if path is not None and found.secrets and _others_read(path):
        found.warnings.append(f"others may read {path}, with {', '.join(found.secrets)} in it: chmod 600 {path}")
    if path is None and Path("gateway.toml").exists():
        found.warnings.append("there is a gateway.toml here; --config gateway.toml makes use of it")
    rules = _rules(nodes)
    limits = Limits(int(spool.max_mb * (1 << 20)), spool.max_age_days * 86400)
    plan = Plan(spool.file, sources, sinks, limits, rules, spool.when_full == "wait", service.grace_s)
    return Config(path, base.places.data, plan, health, service.log_level, found.warnings, found.options)


def spool_of(path: Path | None, *, environ: Mapping[str, str], data: Path | None = None) -> tuple[Path, Rules]:
    """Where a gateway's spool is, and what it knows of nodes; nothing else need be in order. Raises as load()."""
    found = _Found()
    base = _base(_read(path), path, environ, data, found)
    found.complain(path)
    return base.spool.file, _rules(base.nodes)


@dataclass(slots=True)
class _Base:
    service: Service
    spool: SpoolOptions
    nodes: NodesOptions
    places: Places


def _base(
    table: Mapping[str, Any], path: Path | None, environ: Mapping[str, str], data: Path | None, found: _Found
) -> _Base:
    here = Path.cwd() if path is None else path.absolute().parent
    service = _section(Service, "service", table, Places(here, here / DATA, environ), found)
    state = environ.get("STATE_DIRECTORY", "").split(":")[0]
    places = Places(here, (data or service.data or Path(state or here / DATA)).absolute(), environ)
    spool = _section(SpoolOptions, "spool", table, replace(places, written=True), found)
    return _Base(service, spool, _section(NodesOptions, "nodes", table, places, found), places)


def _rules(nodes: NodesOptions) -> Rules:
    known = None if nodes.unknown == "accept" else frozenset(nodes.names)
    return Rules(known, nodes.names, nodes.unknown == "set-aside", nodes.remembered)


def address(text: str) -> tuple[str, int] | None:
    """ "127.0.0.1:9877", "[::1]:9877"; "" is None. Raises InputError."""
    if not text:
        return None
    host, _, port = text.rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise InputError(f"health: {text!r:.60} is no address and port, as 127.0.0.1:9877")
    return host.removeprefix("[").removesuffix("]"), int(port)


def _where(path: Path | None) -> str:
    return "the built-in configuration" if path is None else str(path)


def _read(path: Path | None) -> dict[str, Any]:
    if path is None:
        return tomllib.loads(DEFAULT)
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is no TOML: {error}") from error


def _section(cls: type[Any], name: str, table: Mapping[str, Any], places: Places, found: _Found) -> Any:
    given = table.get(name, {})
    if not isinstance(given, dict):
        found.problems.append(f"[{name}]: a table is expected")
        given = {}
    try:
        return build(cls, given, places)
    except ConfigError as error:
        found.problems += [f"[{name}]: {problem}" for problem in error.problems]
        return build(cls, {}, places)


def _sources(table: Mapping[str, Any], places: Places, found: _Found) -> dict[str, source.Source]:
    return {
        entry.name: made
        for entry in _entries("source", table, source.load, source.names(), found)
        if (made := _made(entry, places, ("type", "name"), found)) is not None
    }


def _sinks(table: Mapping[str, Any], places: Places, found: _Found) -> dict[str, Outlet]:
    outlets: dict[str, Outlet] = {}
    taken: dict[str, str] = {}
    for entry in _entries("sink", table, sink.load, sink.names(), found):
        wait_s = entry.given.get("retry_max_s", RETRY_MAX_S)
        if not isinstance(wait_s, (int, float)) or isinstance(wait_s, bool) or not wait_s >= 1:
            found.problems.append(f"{entry.where}: retry_max_s: a number of at least 1 is expected")
        made = _made(entry, places, ("type", "name", "retry_max_s"), found)
        options = found.options.get(f"sink {entry.name}", {})
        for place in filter(None, (options.get("path"), options.get("folder"))):
            if taken.setdefault(place, entry.name) != entry.name:
                found.problems.append(f"{entry.where}: {place} is written by {taken[place]} already")
        if made is not None and not found.problems:
            outlets[entry.name] = Outlet(made, float(wait_s))
    return outlets


@dataclass(slots=True)
class _Entry:
    """One [[source]] or [[sink]]. where: for messages. plugin: options class and what makes it."""

    section: str
    name: str
    where: str
    given: Mapping[str, Any]
    plugin: Any


def _entries(
    section: str, table: Mapping[str, Any], load: Callable[[str], Any], types: Sequence[str], found: _Found
) -> Iterator[_Entry]:
    given = table.get(section, [])
    if not isinstance(given, list) or not all(isinstance(one, dict) for one in given):
        found.problems.append(f"[{section}]: write [[{section}]], with two brackets: there may be several")
        return
    if not given:
        found.problems.append(f"there is no [[{section}]]; types are {', '.join(types)}")
    names: set[str] = set()
    for number, one in enumerate(given, 1):
        type_ = one.get("type")
        name = one.get("name", type_)
        where = f"[[{section}]] {number}" + (f" {name}" if isinstance(name, str) else "")
        if not isinstance(type_, str):
            found.problems.append(f"{where}: type: is missing; types are {', '.join(types)}")
        elif not isinstance(name, str) or not _NAME.fullmatch(name):
            found.problems.append(f"{where}: name: up to 32 letters, digits, - and _ are expected")
        else:
            if name in names:
                found.problems.append(f"{where}: name: there is one of that name already; give each its own")
            names.add(name)
            try:
                plugin = load(type_)
            except InputError as error:
                found.problems.append(f"{where}: type: {error}")
            else:
                yield _Entry(section, name, where, one, plugin)


def _made(entry: _Entry, places: Places, also: Sequence[str], found: _Found) -> Any:
    """The source or sink, None where it cannot be."""
    try:
        options = build(entry.plugin.options, entry.given, places, also)
        made = entry.plugin.make(options)
    except ConfigError as error:
        found.problems += [f"{entry.where}: {problem}" for problem in error.problems]
        return None
    except JudderError as error:
        found.problems.append(f"{entry.where}: {error}")
        return None
    found.options[f"{entry.section} {entry.name}"] = {"type": entry.given["type"], **shown(options)}
    found.secrets += [f"{entry.where}: {key}" for key in plain_secrets(entry.plugin.options, entry.given)]
    return made


def _others_read(path: Path) -> bool:
    return bool(path.stat().st_mode & 0o044)
