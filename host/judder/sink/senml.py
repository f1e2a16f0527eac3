"""Observations as SenML-JSON (RFC 8428): posted to a server, or a pack a line in a file.

A node is urn:dev:mac:<EUI-64> (RFC 9039), a quantity its component; units are of the RFC's table only, so velocity is
in m/s and acceleration in m/s2; what has no unit there has none. Times are absolute.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from judder.decode import columns
from judder.errors import InputError
from judder.flow import Observation
from judder.sink import Plugin, Poisoned, SinkOptions, append, daily, http, rows
from judder.sink.base import BaseSink

MEDIA_TYPE = "application/senml+json"
STANDARD_GRAVITY = 9.80665  # m/s2, ISO 80000-3

# Smaller times are relative to the reader's clock (RFC 8428 section 4.5.3).
_ABSOLUTE_S = 1 << 28

# Ending of a column -> (unit of RFC 8428 section 12.1, factor, offset).
_UNITS = {
    "_mm_s": ("m/s", 1e-3, 0.0),
    "_mg": ("m/s2", STANDARD_GRAVITY / 1000, 0.0),
    "_c": ("Cel", 1.0, 0.0),
    "_mv": ("V", 1e-3, 0.0),
    "_hz": ("Hz", 1.0, 0.0),
    "_mj": ("J", 1e-3, 0.0),
    "_dbm": ("dBW", 1.0, -30.0),
    "_db": ("dB", 1.0, 0.0),
    "_s": ("s", 1.0, 0.0),  # after _mm_s
}
# Units of an alarm's value and limit, as the contract writes them.
_METRIC_ENDINGS = {"mm/s": "_mm_s", "mg": "_mg", "degC": "_c"}
_LINK = ("uplink_rssi_dbm", "uplink_snr_db")


@dataclass(slots=True, kw_only=True)
class SenmlOptions(http.HttpOptions):
    """url or path: one of them. path: a file; daily: one a day, the date before the ending."""

    path: Path | None = None
    daily: bool = False

    def __post_init__(self) -> None:
        if bool(self.url) == bool(self.path):
            raise InputError("url: either url or path is expected")
        if self.path:
            SinkOptions.__post_init__(self)
            append.bound(self)
            self.path = Path(self.path)
        else:
            http.HttpOptions.__post_init__(self)


class SenmlSink(BaseSink):
    """Without captures: SenML has no series of samples."""

    name = "senml"
    KINDS = ("reading", "alarm", "hello", "spectrum")

    def __init__(self, options: SenmlOptions) -> None:
        super().__init__(options)
        self._server = http.Server(options) if options.url else None
        self._path = options.path
        self._daily = options.daily
        self._files = daily.Files(lambda path: append.AppendFile(path, _ids))

    def write(self, batch: Sequence[Observation]) -> None:
        packs = [_pack(index, observation) for index, observation in enumerate(batch)]
        if self._server:
            http.post_all(self._server, packs, _joined, {"Content-Type": MEDIA_TYPE})
            return
        assert self._path is not None
        lines: dict[Path, list[tuple[str, bytes]]] = {}
        for observation, pack in zip(batch, packs, strict=True):
            path = daily.path(self._path, observation) if self._daily else self._path
            line = _joined([pack])
            lines.setdefault(path, []).append((_id(line), line + b"\n"))
        for path, found in lines.items():
            self._files.of(path).append(found)

    def close(self) -> None:
        self._files.close()


def pack(observation: Observation) -> list[dict[str, Any]]:
    """The records of one observation; base name and time in the first. Raises InputError without a time or a node."""
    at = observation.at
    if at is None or rows.moment(at) is None or at < _ABSOLUTE_S:
        raise InputError("no clock can be believed, and SenML needs a time")
    if not observation.node:
        raise InputError("its carrier names no node, and SenML needs a name")
    found = [_entry(name, value, type_) for name, value, type_ in _values(observation)]
    # EUI-64s are written in lower case (RFC 9039 section 4.1); "_" begins a component (section 3.2).
    return [{"bn": f"urn:dev:mac:{observation.node}_", "bt": round(at, 6), **found[0]}, *found[1:]]


def _values(observation: Observation) -> Iterable[tuple[str, Any, str]]:
    """(column with a prefix for its kind, value, type) of everything that was sent and SenML can carry."""
    record = observation.record
    kind = record.kind
    prefix = "" if kind == "reading" else f"{kind}_"
    ending = ""
    if kind == "alarm":
        ending = _METRIC_ENDINGS.get(record.unit or "", "")  # type: ignore[attr-defined]
    elif kind == "spectrum":
        prefix = f"spectrum_{record.axis}_"  # type: ignore[attr-defined]
    for value, (name, type_) in zip(rows.flat(observation), rows.COLUMNS[kind], strict=True):
        if name in rows.NAMES and name not in _LINK:
            continue
        if value is None or value in ([], ()) or (type_ == columns.FLOAT64 and not math.isfinite(value)):
            continue
        if name in ("extra", "unit") or type_ == columns.BINARY:
            continue
        if name in ("value", "limit"):
            name += ending
        yield (name if name in _LINK else prefix + name), value, type_


def _entry(name: str, value: Any, type_: str) -> dict[str, Any]:
    if type_ == columns.BOOL:
        return {"n": name, "vb": value}
    if type_ in (columns.TEXT, columns.TEXTS):
        return {"n": name, "vs": rows.line(value if isinstance(value, str) else " ".join(value))}
    for ending, (unit, factor, offset) in _UNITS.items():
        if name.endswith(ending):
            # Twelve digits: none that was measured is lost, and none is made up by the factor.
            scaled = float(f"{value * factor + offset:.12g}")
            return {"n": name.removesuffix(ending), "u": unit, "v": scaled}
    return {"n": name, "v": value}


def _pack(index: int, observation: Observation) -> list[dict[str, Any]]:
    try:
        return pack(observation)
    except InputError as error:
        raise Poisoned(index, str(error)) from error


def _joined(packs: Sequence[list[dict[str, Any]]]) -> bytes:
    """One pack of many: each begins with base values of its own, which hold until the next."""
    entries = [entry for found in packs for entry in found]
    return json.dumps(entries, separators=(",", ":"), ensure_ascii=False).encode()


def _id(line: bytes) -> str:
    return hashlib.sha256(line).hexdigest()[:32]


def _ids(piece: bytes) -> list[str]:
    return [_id(line) for line in piece.split(b"\n")[:-1]]


PLUGIN = Plugin(SenmlOptions, SenmlSink)
