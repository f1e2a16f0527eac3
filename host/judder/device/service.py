"""The node's service calls (firmware/node/service.py) through its REPL, as functions."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from judder.device.repl import Repl
from judder.errors import Refused

# Hex characters a call of append carries: well under the line the raw REPL takes in one go.
_CHUNK = 512
# Ctrl-C may have struck while boot.py was at work, before the application's slot was mounted.
_PREPARE = "import sys\nif '/app' not in sys.path: exec(open('/boot.py').read())"

OnBytes = Callable[[int, int], None]


@dataclass(slots=True)
class Check:
    """One line of the node's self-test. low and high are the limits, in unit; None: not limited on that side."""

    name: str
    ok: bool
    value: float | None = None
    low: float | None = None
    high: float | None = None
    unit: str = ""
    message: str = ""


class Service:
    """A node whose application has been stopped. repl: entered here if it is not yet. timeout_s: for one answer.

    Every call raises Refused with the node's own reason when it says no, Timeout and NoBoard as Repl does.
    """

    def __init__(self, repl: Repl, timeout_s: float = 20.0) -> None:
        self._repl = repl
        self._timeout_s = timeout_s
        repl.enter()
        repl.exec(_PREPARE)

    def describe(self) -> dict[str, Any]:
        """Who the node is and what it holds: node_id, board, firmware, provisioned, settings_sha256, ..."""
        return self._call("describe()")

    def write_settings(self, payload: bytes, on_bytes: OnBytes = lambda _done, _total: None) -> int:
        """Settings record, whole or not at all; returns its generation."""
        text = payload.hex()
        self._call(f"begin({len(payload)})")
        for at in range(0, len(text), _CHUNK):
            self._call(f"append('{text[at : at + _CHUNK]}')")
            on_bytes(min(at + _CHUNK, len(text)) // 2, len(payload))
        return int(self._call(f"commit('{hashlib.sha256(payload).hexdigest()}')")["generation"])

    def self_test(self) -> list[Check]:
        """Sensors, memory, flash, supply: about a second."""
        return [Check(**row) for row in self._call("self_test()")["checks"]]

    def wipe(self) -> None:
        """Erase the settings: not provisioned from the next start on."""
        self._call("wipe()")

    def _call(self, call: str) -> dict[str, Any]:
        answer = self._repl.eval_json(f"from node import service; service.{call}", self._timeout_s)
        if not isinstance(answer, dict):
            raise Refused(f"the node answered '{answer}' to {call}; flash it again with this version of judder")
        if answer.get("ok") is False:
            raise Refused(f"the node refused: {answer.get('error', 'no reason given')}")
        return answer
