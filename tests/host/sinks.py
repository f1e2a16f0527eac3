"""Observations for the tests of sinks, and what every sink has to do the same."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from judder import decode
from judder.flow import Observation, Uplink
from judder_core import codec, schema

NODE = "70b3d57ed0000001"
OTHER = "70b3d57ed0000002"
T0 = 1764043200.0  # 2025-11-25T04:00:00Z

# Values on air of a whole reading (zone B, warning, worst axis y), in the order of schema.READING_FIELDS.
READING = [0x4A, 312, 415, 7, 5, 301, 312, 155, 120, 130, 90, 400, 520, 300, 3312, 310, 290, 300, 25, 30, 20]
READING += [245, 210, 495, 305, 1000, 45, 266670, 0, 812, 100, 1000, -12, 5, 0, 80, 90, 70]
# Danger, worst axis x: velocity_rms 7.52 over 7.10 mm/s, in reading 8.
ALARM = [0x34, 1, 752, 710, 8, 2]
HELLO = [10203, 12700, 3, 1, 60, 3300, 0, 0, 0xDEADBEEF, 30600, 0, 2, 2, 2, 1, 0, 0, 1, 0, 12, 3, 5, -97, 28]


def observed(
    kind: int = schema.READING,
    values: Sequence[Any] = tuple(READING),
    *,
    node: str = NODE,
    received_at: float = T0,
    problems: tuple[str, ...] = (),
    **said: Any,
) -> Observation:
    """As ingest, decode and Tracker make it. said: fields of Uplink."""
    payload = codec.encode(kind, list(values))
    record = decode(payload)
    age_s = getattr(record, "age_s", None)
    measured_at = None if age_s is None else received_at - age_s
    uplink = Uplink(node, payload, received_at, said.pop("source", "mqtt"), **said)
    return Observation(uplink, record, measured_at, problems, heard_at=received_at)


def reading(number: int, **said: Any) -> Observation:
    """Reading of that number, a minute after the one before."""
    values = list(READING)
    values[3] = number
    return observed(values=values, **{"received_at": T0 + 60 * number, **said})


def alarm(**said: Any) -> Observation:
    return observed(schema.ALARM, ALARM, **said)


def hello(**said: Any) -> Observation:
    return observed(schema.HELLO, HELLO, **said)


def lorawan(observation: Observation) -> Observation:
    """The same, heard by a network server."""
    uplink = observation.uplink
    uplink.source, uplink.port, uplink.fcnt, uplink.session = "chirpstack", 2, 0, "01a2b3c4"
    uplink.rssi_dbm, uplink.snr_db, uplink.gateway = -101.0, 0.0, "0016c001f1500001"
    uplink.data_rate, uplink.frequency_hz, uplink.name = "SF7BW125", 868100000, "Pump 3, drive end"
    uplink.tags = {"hall": "A"}
    return observation


def one_of_each() -> list[Observation]:
    """Every kind of record a node sends, and one of a newer node."""
    capture = [1, 0, 1, 0, 1, 7, 266670, 488, 2, 0, b"\x01\x00\xff\xff"]
    spectrum = [1, 7, 6510, 245, 210, 495, 105, None, None, None, None, None, None, None, None, None, None]
    return [
        lorawan(reading(1)),
        alarm(),
        hello(),
        observed(schema.CAPTURE, capture),
        observed(schema.SPECTRUM, spectrum),
        observed(schema.ACK, [9, 0, None, 0xDEADBEEF]),
        unknown(),
    ]


def unknown(**said: Any) -> Observation:
    payload = bytes.fromhex("8218630a")  # [99, 10]
    uplink = Uplink(NODE, payload, T0, "mqtt", **said)
    return Observation(uplink, decode(payload), None, (), heard_at=T0)


def lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()
