"""What a host calls over the raw REPL after stopping the application. Each call prints one line of JSON.

    from node import service
    service.describe()
    service.begin(total); service.append(hex) ...; service.commit(sha256_hex)     one settings record, whole or not
    service.self_test()
    service.wipe()

{"ok": false, "error": "..."} when a call is refused; nothing has changed then. Secrets go in and never come out.
"""

import binascii
import gc
import hashlib
import json
import sys

import board

from judder_core import settings
from judder_core.errors import JudderError
from node import config, keep, parts
from node.dsp import orientation
from node.hal import identity, partition, power, watchdog
from node.sensors import SensorError
from node.store.records import MAX_PAYLOAD_BYTES, Records

_buffer = None
_at = 0

_HEAP_LOW_BYTES = 32768
# By orientation.up(): 1 to 3, negative when the axis points down.
_AXES = ("none", "+x", "+y", "+z", "-z", "-y", "-x")
# A supply outside this is a wrong divider in board.toml, whatever the battery.
_BATTERY_LOW_MV = 1800
_BATTERY_HIGH_MV = 36000


def describe() -> None:
    """Who the node is and what it holds; the settings only as their digest."""
    watchdog.feed()
    held = config.Config(Records(partition.find("cfg")))
    _print(
        {
            "ok": True,
            "node_id": (held.values["node_id"] or identity.node_id()).hex(),
            "chip_id": identity.node_id().hex(),
            "board": board.NUMBER,
            "board_name": board.NAME,
            "chip": board.CHIP,
            "firmware": _version(board.FIRMWARE),
            "micropython": _version(sys.implementation.version),
            "provisioned": held.provisioned,
            "generation": held.records.generation,
            "settings_sha256": _sha256(held.payload) if held.provisioned else None,
            "settings_fault": held.fault or None,
            "lorawan_record": Records(partition.find("cfg"), keep.FIRST_SECTOR).load() is not None,
            "vibration_sensor": parts.vibration_name(board, held.values),
            "temperature_sensor": parts.temperature_name(board, held.values),
            "reset_cause": power.reset_cause(),
        }
    )


def begin(total: int) -> None:
    """A record of `total` bytes follows."""
    global _buffer, _at
    watchdog.feed()
    if not 0 < total <= MAX_PAYLOAD_BYTES:
        _refuse("a settings record has 1 to %d bytes, not %d" % (MAX_PAYLOAD_BYTES, total))
        return
    _buffer = bytearray(total)
    _at = 0
    _print({"ok": True, "bytes": 0})


def append(digits: str) -> None:
    """The next bytes of the record, in hex."""
    global _at
    watchdog.feed()
    try:
        data = binascii.unhexlify(digits)
    except ValueError:
        _refuse("append: not hex digits")
        return
    if _buffer is None or _at + len(data) > len(_buffer):
        _refuse("append: more bytes than begin() announced")
        return
    _buffer[_at : _at + len(data)] = data
    _at += len(data)
    _print({"ok": True, "bytes": _at})


def commit(sha256_hex: str) -> None:
    """Check the record as a whole, write it, read it back. The node runs with it after its next reset."""
    global _buffer
    watchdog.feed()
    if _buffer is None or _at != len(_buffer):
        _refuse("commit: the record is not complete")
        return
    payload = bytes(_buffer)
    _buffer = None
    if _sha256(payload) != sha256_hex:
        _refuse("commit: the record arrived damaged; send it again")
        return
    try:
        settings.unpack(payload)
        records = Records(partition.find("cfg"))
        records.save(payload)
        held = bytes(records.load() or b"")
    except (OSError, ValueError, JudderError) as error:
        _refuse(str(error))
        return
    _print({"ok": held == payload, "generation": records.generation, "sha256": _sha256(held)})


def wipe() -> None:
    """Erase the settings: the node is as before provisioning after its next reset."""
    watchdog.feed()
    try:
        Records(partition.find("cfg")).wipe()
    except OSError as error:
        _refuse(str(error))
        return
    _print({"ok": True})


def self_test() -> None:
    """Sensors against their data sheets' limits, flash, memory, supply. Takes about a second.

    "checks": objects of name, ok, value, low, high, unit, message. "ok" says that the test ran, not that it passed.
    """
    watchdog.feed()
    held = config.Config(Records(partition.find("cfg")))
    gc.collect()
    free = gc.mem_free()
    # (name, ok, value, low, high, unit, message), as the drivers give them.
    rows = [
        ("free memory", free >= _HEAP_LOW_BYTES, free, _HEAP_LOW_BYTES, None, "B", ""),
        ("settings record", held.provisioned, held.records.generation, None, None, "1", held.fault),
    ]
    for name, make in (("vibration sensor", parts.vibration), ("temperature", parts.temperature)):
        watchdog.feed()
        try:
            driver = make(board, held.values)
            if driver is not None:
                if make is parts.vibration:
                    driver.range_g = parts.range_g(held.values)
                rows += driver.self_test()
                rest_mg = getattr(driver, "rest_mg", None)
                if rest_mg:
                    axis = orientation.up(*rest_mg)
                    rows.append(("axis up", True, axis, None, None, "1", _AXES[axis]))
                driver.sleep()
        except (SensorError, OSError, ValueError) as error:
            rows.append((name, False, None, None, None, "", str(error)))
    battery = parts.battery(board)
    if battery is not None:
        try:
            value = battery.read_mv()
            ok = _BATTERY_LOW_MV <= value <= _BATTERY_HIGH_MV
            rows.append(("battery", ok, value, _BATTERY_LOW_MV, _BATTERY_HIGH_MV, "mV", ""))
        except OSError as error:
            rows.append(("battery", False, None, _BATTERY_LOW_MV, _BATTERY_HIGH_MV, "mV", str(error)))
    names = ("name", "ok", "value", "low", "high", "unit", "message")
    _print({"ok": True, "checks": [{names[i]: row[i] for i in range(len(names))} for row in rows]})


def _print(answer: dict) -> None:
    print(json.dumps(answer))


def _refuse(reason: str) -> None:
    _print({"ok": False, "error": reason})


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).digest().hex()


def _version(parts_) -> str:
    return "%d.%d.%d" % (parts_[0], parts_[1], parts_[2])
