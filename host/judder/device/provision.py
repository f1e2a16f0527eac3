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
from judder.errors import DecodeError, Refused, SelfTestFailed, Timeout
from judder.ingest.console import ConsoleReader
from judder_core import settings


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
) -> ProvisionReport:
    """Give the node at `port` its settings (names and stored values, see judder.device.profile) and a fresh key.

    keys: folder that keeps the node's key, None to keep none (demonstrations). Raises NoBoard, PortBusy, Timeout,
    Refused (the node said no), SelfTestFailed (settings are written by then; the report is in its `report`),
    SettingsError (before anything is written).
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
    )
    failed = [check for check in checks if not check.ok]
    if failed:
        what = ", ".join(f"{check.name}{': ' + check.message if check.message else ''}" for check in failed)
        raise SelfTestFailed(f"node {node} is provisioned, its self-test failed: {what}", report)
    return report


def _keep(keys: Path, node: str, payload: bytes, digest: str, about: Mapping[str, object]) -> Path:
    values, _ = settings.unpack(payload)
    key = values["node_key"]
    assert isinstance(key, bytes)
    entry: dict[str, object] = {
        "node_id": node,
        "node_key": key.hex(),
        "settings_sha256": digest,
        "settings": {name: settings.to_text(name, value) for name, value in values.items()},
        "firmware": about.get("firmware"),
        "micropython": about.get("micropython"),
        "board": about.get("board"),
        "provisioned_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }
    return Keyring(keys).save(node, entry)


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
