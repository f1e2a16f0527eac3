"""Messages as framed lines on the console: first steps with a bare board, and wired use.

One way: the console's input belongs to the REPL, so there are no downlinks and nothing acknowledges a line.
"""

import sys
import time

from node.link import ACKED, Link

_LIMIT_BYTES = 600  # two hexadecimal digits a byte: a line of about 1200 characters, a tenth of a second at 115200 baud


class Serial(Link):
    """frame(node_id, payload) -> str is the line encoder of the contract; write takes a str (default: the console)."""

    def __init__(self, node_id: bytes, frame, write=None):
        self._node_id = node_id
        self._frame = frame
        self._write = sys.stdout.write if write is None else write

    def step(self, wait_ms: int = 0) -> None:
        """Nothing to do but wait."""
        if wait_ms:
            time.sleep_ms(wait_ms)

    def ready(self) -> bool:
        return True

    def send(self, message: bytes, confirmed: bool, repeat: bool = False):  # noqa: ARG002
        """Written is delivered, as far as a wire can tell."""
        # A line break in front: whatever the console held before, the frame starts on a line of its own.
        self._write("\r\n" + self._frame(self._node_id, message) + "\r\n")
        self.proofs += 1
        return ACKED

    def outcome(self):
        return ACKED

    def poll(self) -> list:
        return []

    def limit(self) -> int:
        return _LIMIT_BYTES

    def close(self) -> None:
        """Nothing to give up."""
