"""What a virtual board's console said last, for errors that have to explain a silence."""

from __future__ import annotations

from judder.ingest.console import ConsoleReader
from judder.virtual.board import VirtualBoard


class LastWords:
    """What a board last wrote for people; str() of it is for error messages."""

    def __init__(self, board: VirtualBoard) -> None:
        self._words = ""
        self._reader = ConsoleReader(on_text=self._keep)
        board.console(self._reader.feed)

    def _keep(self, text: str) -> None:
        # A line of ours explains more than the prompt after it.
        if text.strip() and (text.startswith("judder:") or not self._words.startswith("judder:")):
            self._words = text.strip()

    def __str__(self) -> str:
        return self._words[:200] or "nothing"
