"""What a payload says, as typed records with the unit in every field's name.

Slotted dataclasses that can be changed; frozen ones cost twice the time to make. They come from `decode()`; in tests
and tools `Reading.of(temperature_c=41.5)` makes one with everything else absent. A field that is None was not sent.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Self

from judder_core import settings


class _Made:
    """Construction by name. The classes have no __init__: `cls()` then costs a third of a call with arguments."""

    __slots__ = ()

    @classmethod
    def of(cls, **values: Any) -> Self:
        """A record from field values; what is not named is absent. Raises TypeError for a name that is no field."""
        record = cls()
        for field in fields(cls):  # type: ignore[arg-type]  # every subclass is a dataclass
            setattr(record, field.name, values.pop(field.name, field.default))
        if values:
            raise TypeError(f"{cls.__name__} has no field {', '.join(values)}")
        return record


class Record(_Made):
    """Any decoded message. kind: its name in the contract, "unknown" for one this version does not know."""

    __slots__ = ()

    kind: ClassVar[str] = ""

    def to_dict(self) -> dict[str, Any]:
        """Everything as JSON can carry it: bytes in hex, axes as {"x", "y", "z"} or null, kind first."""
        out: dict[str, Any] = {"kind": self.kind}
        for field in fields(self):  # type: ignore[arg-type]  # every subclass is a dataclass
            out[field.name] = plain(getattr(self, field.name))
        return out


@dataclass(slots=True, init=False)
class Axes(_Made):
    """One quantity along x, y and z. Iterates in that order. An axis that is None was not sent."""

    x: float | None = None
    y: float | None = None
    z: float | None = None

    def __iter__(self) -> Iterator[float | None]:
        yield self.x
        yield self.y
        yield self.z

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Axes):
            return NotImplemented
        return (self.x, self.y, self.z) == (other.x, other.y, other.z)

    @property
    def worst(self) -> float | None:
        """Largest of the axes that were sent, None when none was."""
        return max((value for value in self if value is not None), default=None)


class _Absent(Axes):
    """Axes that were not sent. One object stands for all of them, so it refuses to be changed."""

    __slots__ = ()
    __hash__ = object.__hash__  # a constant, so that dataclasses take it as a default

    def __setattr__(self, name: str, value: object) -> None:
        if value is not None or name not in ("x", "y", "z"):
            raise AttributeError("these axes were not sent; give the record an Axes of its own: Axes.of(x=...)")
        super().__setattr__(name, value)

    def __repr__(self) -> str:
        return "ABSENT"

    def __reduce__(self) -> str:
        return "ABSENT"


ABSENT: Axes = _Absent.of()

# Below this RMS a crest factor says more about the sensor's noise and the rounding to 1 mg than about the machine.
CREST_RMS_MIN_MG = 10


@dataclass(slots=True, init=False)
class Reading(Record):
    """One measurement of a node.

    zone: ISO zone "A".."D", None when not rated. alarm_level: "none", "warning", "danger". worst_axis: "x", "y", "z" or
    None. lossy: samples were lost (samples_lost says how many, None: not known). kurtosis: 3 for a Gaussian signal.
    extra: trailing items of a newer node that this version has no name for.
    """

    kind: ClassVar[str] = "reading"

    sequence: int | None = None
    age_s: int | None = None
    zone: str | None = None
    alarm_level: str = "none"
    worst_axis: str | None = None
    clipped: bool = False
    lossy: bool = False
    band_not_covered: bool = False
    not_running: bool = False
    clock_not_set: bool = False
    sensor_fault: bool = False
    velocity_rms_worst_mm_s: float | None = None
    velocity_rms_mm_s: Axes = ABSENT
    acceleration_rms_mg: Axes = ABSENT
    acceleration_peak_mg: Axes = ABSENT
    temperature_c: float | None = None
    battery_mv: int | None = None
    kurtosis: Axes = ABSENT
    envelope_rms_mg: Axes = ABSENT
    line_frequency_hz: Axes = ABSENT
    line_velocity_rms_mm_s: Axes = ABSENT
    sample_rate_hz: float | None = None
    samples_lost: int | None = None
    energy_spent_mj: int | None = None
    band_low_hz: float | None = None
    band_high_hz: int | None = None
    skewness: Axes = ABSENT
    envelope_peak_mg: Axes = ABSENT
    extra: tuple[Any, ...] = ()

    @property
    def crest_factor(self) -> Axes:
        """Peak over RMS of acceleration, per axis. None for an axis below CREST_RMS_MIN_MG, or not sent."""
        found = [
            peak / rms if peak is not None and rms is not None and rms >= CREST_RMS_MIN_MG else None
            for peak, rms in zip(self.acceleration_peak_mg, self.acceleration_rms_mg, strict=True)
        ]
        return ABSENT if found == [None, None, None] else Axes.of(x=found[0], y=found[1], z=found[2])


@dataclass(slots=True, init=False)
class Alarm(Record):
    """A level that changed, up or down. alarm_level: the one now in force.

    metric: name of the quantity, "metric 12" for one this version does not know, whose value and limit are then the
    integers on air with unit "raw". value, limit: in unit.
    """

    kind: ClassVar[str] = "alarm"

    sequence: int | None = None
    age_s: int | None = None
    zone: str | None = None
    alarm_level: str = "none"
    worst_axis: str | None = None
    clipped: bool = False
    lossy: bool = False
    band_not_covered: bool = False
    not_running: bool = False
    clock_not_set: bool = False
    sensor_fault: bool = False
    metric: str | None = None
    unit: str | None = None
    value: float | None = None
    limit: float | None = None
    extra: tuple[Any, ...] = ()


@dataclass(slots=True, init=False)
class Hello(Record):
    """A node that started, or its daily word. Versions as "1.2.3"; tls_library None when the node has none.

    settings_crc: CRC-32 of the settings in force, 0 when not provisioned. flags: names of those set. joins and what
    follows: of a LoRaWAN link.
    """

    kind: ClassVar[str] = "hello"

    firmware: str | None = None
    micropython: str | None = None
    board: int | None = None
    reset_cause: str | None = None
    uptime_s: int | None = None
    battery_mv: int | None = None
    queue_depth: int | None = None
    dropped: int | None = None
    settings_crc: int | None = None
    tls_library: str | None = None
    flags: tuple[str, ...] = ()
    vibration_sensor: str | None = None
    temperature_sensor: str | None = None
    link: str | None = None
    boots: int | None = None
    link_failures: int | None = None
    downlinks_refused: int | None = None
    joins: int | None = None
    join_failures: int | None = None
    uplinks: int | None = None
    downlinks: int | None = None
    data_rate: int | None = None
    rssi_dbm: int | None = None
    snr_db: float | None = None
    extra: tuple[Any, ...] = ()

    @property
    def synthetic_signal(self) -> bool:
        """The node makes its signal itself: nothing real is being measured."""
        return "synthetic signal" in self.flags

    @property
    def provisioned(self) -> bool:
        return "not provisioned" not in self.flags


@dataclass(slots=True, init=False)
class Ack(Record):
    """Answer to the COMMAND with this tag. status: "done" or why not. detail: the setting or field refused."""

    kind: ClassVar[str] = "ack"

    tag: int | None = None
    status: str | None = None
    detail: int | None = None
    settings_crc: int | None = None
    extra: tuple[Any, ...] = ()


@dataclass(slots=True, init=False)
class Command(Record):
    """An order to a node. settings: key number -> stored value."""

    kind: ClassVar[str] = "command"

    tag: int | None = None
    action: str | None = None
    argument: int | None = None
    settings: Mapping[int, int | str | bytes] | None = None
    extra: tuple[Any, ...] = ()

    @property
    def settings_by_name(self) -> dict[str, Any] | None:
        """Name -> value as JSON carries it, secrets masked; the number where this version knows no name."""
        return None if self.settings is None else dict(_shown(key, value) for key, value in self.settings.items())

    def to_dict(self) -> dict[str, Any]:
        """As for any record; settings by name, secrets masked."""
        # The short form of super breaks in slotted dataclasses before Python 3.14.
        return super(Command, self).to_dict() | {"settings": self.settings_by_name}


@dataclass(slots=True, init=False)
class Capture(Record):
    """A fragment of a waveform. data: int16 little-endian samples, times scale_ug for micro-g; first: index of the
    first.

    index and count: which fragment of how many. samples: in the whole capture.
    """

    kind: ClassVar[str] = "capture"

    capture: int | None = None
    index: int | None = None
    count: int | None = None
    content: str | None = None
    axis: str | None = None
    sequence: int | None = None
    sample_rate_hz: float | None = None
    scale_ug: int | None = None
    samples: int | None = None
    first: int | None = None
    data: bytes | None = None
    extra: tuple[Any, ...] = ()

    def counts(self) -> array[int]:
        """The samples of this fragment in counts, an array('h')."""
        data = self.data or b""
        return array("h", struct.unpack(f"<{len(data) // 2}h", data))


@dataclass(slots=True, init=False)
class Spectrum(Record):
    """The strongest lines of one axis, and the velocity RMS of the bands its node is set to.

    lines: (frequency in Hz, velocity RMS in mm/s), strongest first, at most eight; fewer where the message was cut to
    its link or fewer stood out. bands_velocity_rms_mm_s: of bands 1-4 as far as sent, None for one that is off.
    resolution_hz: spacing of the bins the lines were found in; frequencies are refined between bins.
    """

    kind: ClassVar[str] = "spectrum"

    axis: str | None = None
    sequence: int | None = None
    resolution_hz: float | None = None
    lines: tuple[tuple[float, float], ...] = ()
    bands_velocity_rms_mm_s: tuple[float | None, ...] = ()
    extra: tuple[Any, ...] = ()


@dataclass(slots=True, init=False)
class Unknown(Record):
    """A well-formed message of a kind this version does not know. items: what follows the kind."""

    kind: ClassVar[str] = "unknown"

    kind_number: int = 0
    payload: bytes = b""
    items: tuple[Any, ...] = ()


def plain(value: Any) -> Any:
    """A value of a record as JSON can carry it."""
    if isinstance(value, Axes):
        axes = {"x": value.x, "y": value.y, "z": value.z}
        return None if all(axis is None for axis in axes.values()) else axes
    if isinstance(value, (bytes, bytearray)):
        return bytes(value).hex()
    if isinstance(value, (tuple, list)):
        return [plain(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    return value


def _shown(key: int, value: int | str | bytes) -> tuple[str, Any]:
    for number, name, _kind, _low, _high, _default, secret, _meaning in settings.SETTINGS:
        if number == key:
            return name, settings.to_text(name, value) if secret else plain(value)
    return str(key), plain(value)
