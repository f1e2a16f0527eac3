"""Session keys of nodes, to open what a gateway hears of them (judder.ingest.semtech).

    [[session]]
    node = "70b3d57ed0000001"
    dev_addr = "26011bda"
    nwk_s_key = "..."       # 32 hex digits
    app_s_key = "..."
    fcnt = 70000            # about the last frame counter; left out: 0

The file holds keys: keep it as you keep those.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from judder import flow
from judder.errors import InputError
from judder.ingest.semtech import Opened
from judder.virtual.lorawan import frames

# How often the 16 bits on the air may have wrapped unheard since `fcnt`.
_WRAPS = 4
_DIGITS = {"dev_addr": 8, "nwk_s_key": 32, "app_s_key": 32}
_KEYS = {"node", "fcnt", *_DIGITS}


@dataclass(slots=True)
class Session:
    """One node's. fcnt: the highest counter seen, 32 bits."""

    node: str
    dev_addr: int
    nwk_s_key: bytes = field(repr=False)
    app_s_key: bytes = field(repr=False)
    fcnt: int = 0


class Sessions:
    """open(phy) is what judder.ingest.semtech.event wants. A frame is opened only when its MIC is right."""

    def __init__(self, sessions: list[Session]) -> None:
        self._by_address: dict[int, list[Session]] = {}
        for session in sessions:
            self._by_address.setdefault(session.dev_addr, []).append(session)

    @classmethod
    def load(cls, path: Path) -> Sessions:
        """Raises InputError, which never shows a key."""
        try:
            rows = tomllib.loads(path.read_text(encoding="utf-8")).get("session", [])
        except OSError as error:
            raise InputError(f"cannot read {path}: {error.strerror}") from error
        except ValueError as error:
            raise InputError(f"{path}: {error}") from error
        if not isinstance(rows, list) or not rows:
            raise InputError(f"{path}: at least one [[session]] is expected")
        return cls([_session(row, f"{path}, session {number}") for number, row in enumerate(rows, 1)])

    def open(self, phy: bytes) -> Opened | None:
        """The frame's contents, None for one whose session is not here."""
        try:
            frame = frames.DataFrame.parse(phy)
        except frames.FrameError:
            return None
        for session in self._by_address.get(frame.dev_addr, ()):
            for wraps in range(_WRAPS):
                fcnt = ((session.fcnt >> 16) + wraps << 16 | frame.fcnt) & 0xFFFFFFFF
                if frame.is_authentic(session.nwk_s_key, fcnt):
                    session.fcnt = max(session.fcnt, fcnt)
                    payload = frame.plain(session.nwk_s_key, session.app_s_key, fcnt)
                    return Opened(session.node, fcnt, frame.port, payload)
        return None


def _session(row: Any, where: str) -> Session:
    if not isinstance(row, dict):
        raise InputError(f"{where}: a table is expected")
    unknown = row.keys() - _KEYS
    if unknown:
        raise InputError(f"{where}: {sorted(unknown)[0]!r} is unknown; there are {', '.join(sorted(_KEYS))}")
    values = {}
    for name, digits in _DIGITS.items():
        text = row.get(name)
        try:
            values[name] = bytes.fromhex(text if isinstance(text, str) else "")
        except ValueError:
            values[name] = b""
        if len(values[name]) != digits // 2:
            raise InputError(f"{where}: {name} has {digits} hex digits")
    fcnt = row.get("fcnt", 0)
    if type(fcnt) is not int or not 0 <= fcnt < 1 << 32:
        raise InputError(f"{where}: fcnt is a number of 0..{(1 << 32) - 1}")
    try:
        node = flow.node_id(str(row.get("node", "")))
    except InputError as error:
        raise InputError(f"{where}: {error}") from error
    return Session(node, int.from_bytes(values["dev_addr"], "big"), values["nwk_s_key"], values["app_s_key"], fcnt)
