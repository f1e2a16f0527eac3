"""Provision one node: identity, fresh key, settings, read back and compared, self-test. One transaction.

Order matters. The key is drawn and kept on this computer before the node gets it; the node checks the whole record,
writes it to the older of two slots and reads it back; this computer compares the digest of what the node holds with
what it sent. Whatever breaks in between leaves the node with the settings it had.
"""

from __future__ import annotations

import binascii
import hashlib
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from judder.decode import decode
from judder.decode.records import Hello
from judder.device import ports
from judder.device.events import Event, OnEvent, ignore
from judder.device.keyring import Keyring
from judder.device.profile import Value
from judder.device.repl import Repl
from judder.device.service import Check, Service
from judder.errors import DecodeError, Refused, SelfTestFailed, SettingsError, Timeout
from judder.ingest.console import ConsoleReader
from judder_core import schema, settings

_LORAWAN = schema.LINKS.index("lorawan")
_OTAA = 0  # lorawan_activation


@dataclass(slots=True)
class ProvisionReport:
    """Outcome of a provisioning that went through."""

    node: str
    port: str
    board: int | None
    firmware: str
    micropython: str
    generation: int
    settings_sha256: str
    key_file: str | None
    seconds: float
    self_test: list[Check] = field(default_factory=list)
    # What a network server is told of it, the keys left out: they are in key_file.
    lorawan: dict[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, object]:
        return asdict(self)


def provision(
    port: str,
    wanted: Mapping[str, Value],
    *,
    keys: Path | None,
    on_event: OnEvent = ignore,
    self_test: bool = True,
    hello_timeout_s: float = 30.0,
    answer_timeout_s: float = 20.0,
    draw_key: Callable[[int], bytes] = secrets.token_bytes,
    new_keys: bool = False,
) -> ProvisionReport:
    """Give the node at `port` its settings (names and stored values, see judder.device.profile) and a fresh key.

    keys: folder that keeps the node's keys, None to keep none (demonstrations). new_keys: draw a new LoRaWAN root key
    too, which otherwise stays what the network server knows, as long as the node remembers its DevNonce.
    Raises NoBoard, PortBusy, Timeout, Refused (the node said no), SelfTestFailed (settings are written by then; the
    report is in its `report`), SettingsError (before anything is written).
    """
    started = time.monotonic()

    def tell(step: str, done: int, total: int, message: str = "") -> None:
        on_event(Event(step=step, done=done, total=total, message=message, port=port))

    with Repl(port) as repl:
        tell("connect", 0, 1)
        service = Service(repl, answer_timeout_s)
        about = service.describe()
        node = str(about["node_id"])
        tell("connect", 1, 1, f"node {node}")

        values = {**wanted, "node_id": bytes.fromhex(node), "node_key": draw_key(32)}
        if {**settings.defaults(), **values}["link"] == _LORAWAN:
            held_before = bool(about.get("lorawan_record")) and not new_keys
            values |= _lorawan_keys(node, values, Keyring(keys) if keys else None, held_before, draw_key)
        payload = settings.pack(values)
        settings.unpack(payload)  # cross-checks between settings, before anything leaves this computer
        digest = hashlib.sha256(payload).hexdigest()
        key_file = _keep(keys, node, payload, digest, about) if keys is not None else None

        tell("settings", 0, len(payload))
        generation = service.write_settings(payload, lambda done, total: tell("settings", done, total))
        held = service.describe()
        if held.get("settings_sha256") != digest:
            raise Refused(f"node {node} holds other settings than were sent; run the command again")
        tell("compare", 1, 1, f"generation {generation}")

        checks: list[Check] = []
        if self_test:
            tell("self-test", 0, 1)
            checks = service.self_test()
            tell("self-test", 1, 1, f"{sum(check.ok for check in checks)} of {len(checks)} passed")

        tell("restart", 0, 1)
        reader = ConsoleReader()
        _await_hello(repl, reader, binascii.crc32(payload), hello_timeout_s)
        tell("restart", 1, 1, "the node runs with its new settings")

    lorawan = _lorawan(node, settings.unpack(payload)[0])
    report = ProvisionReport(
        node=node,
        port=port,
        board=about.get("board"),
        firmware=str(about.get("firmware", "")),
        micropython=str(about.get("micropython", "")),
        generation=generation,
        settings_sha256=digest,
        key_file=str(key_file) if key_file else None,
        seconds=round(time.monotonic() - started, 2),
        self_test=checks,
        lorawan={name: value for name, value in lorawan.items() if "key" not in name},
    )
    failed = [check for check in checks if not check.ok]
    if failed:
        what = ", ".join(f"{check.name}{': ' + check.message if check.message else ''}" for check in failed)
        raise SelfTestFailed(f"node {node} is provisioned, its self-test failed: {what}", report)
    return report


def _keep(keys: Path, node: str, payload: bytes, digest: str, about: Mapping[str, object]) -> Path:
    values, _ = settings.unpack(payload)
    entry: dict[str, object] = {
        "node_id": node,
        "node_key": _hex(values["node_key"]),
        **({"lorawan": _lorawan(node, values)} if values["link"] == _LORAWAN else {}),
        "settings_sha256": digest,
        "settings": {name: settings.to_text(name, value) for name, value in values.items()},
        "firmware": about.get("firmware"),
        "micropython": about.get("micropython"),
        "board": about.get("board"),
        "provisioned_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }
    return Keyring(keys).save(node, entry)


def _lorawan_keys(
    node: str, values: Mapping[str, Value], ring: Keyring | None, keep: bool, draw_key: Callable[[int], bytes]
) -> dict[str, Value]:
    """The root key for OTAA; for ABP nothing. Raises SettingsError for session keys another node has."""
    if {**settings.defaults(), **values}["lorawan_activation"] != _OTAA:
        for entry in ring.entries() if ring is not None else ():
            other = entry.get("lorawan")
            if entry.get("node_id") == node or not isinstance(other, dict):
                continue
            for name in ("dev_addr", "nwk_s_key", "app_s_key"):
                if other.get(name) == _hex(values[name]):
                    raise SettingsError(f"{name}: node {entry['node_id']} has the same; give each node its own", name)
        return {}
    kept = ring.load(node) if ring is not None and keep else None
    known = None if kept is None else kept.get("lorawan")
    if isinstance(known, dict) and isinstance(known.get("app_key"), str):
        return {"app_key": bytes.fromhex(known["app_key"])}
    return {"app_key": draw_key(16)}


def _lorawan(node: str, values: Mapping[str, Value]) -> dict[str, str]:
    """What a network server has to be told of a node with link lorawan; for another link nothing."""
    if values["link"] != _LORAWAN:
        return {}
    if values["lorawan_activation"] == _OTAA:
        row = {
            "join_eui": _hex(values["join_eui"]) or "0" * 16,
            "dev_eui": _hex(values["dev_eui"]) or node,
            "app_key": _hex(values["app_key"]),
        }
    else:
        row = {name: _hex(values[name]) for name in ("dev_addr", "nwk_s_key", "app_s_key")}
    return {"region": settings.to_text("lorawan_region", values["lorawan_region"]), **row}


def _hex(value: Value) -> str:
    assert isinstance(value, bytes)
    return value.hex()


def _await_hello(repl: Repl, reader: ConsoleReader, settings_crc: int, timeout_s: float) -> Hello:
    repl.restart()
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        for _node, payload in reader.feed(repl.read_available(0.2)):
            try:
                record = decode(payload)
            except DecodeError:
                continue
            if isinstance(record, Hello) and record.settings_crc == settings_crc:
                return record
    raise Timeout(
        f"the node took its settings and then did not report with them within {timeout_s:g} s; "
        f"watch its console: judder decode --port {ports.shown(repl.port)}"
    )
