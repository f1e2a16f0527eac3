"""At most one line for a subject and a topic in a while, with the number of those held back."""

from __future__ import annotations


class Throttle:
    """every_s: silence after a line. limit: subjects and topics remembered, the longest silent forgotten first.

    Times are seconds of whatever clock the caller has; one that goes back opens the gate again.
    """

    def __init__(self, every_s: float, limit: int = 10_000) -> None:
        self._every_s = every_s
        self._limit = limit
        self._last: dict[tuple[str, str], tuple[float, int]] = {}

    def pass_(self, subject: str, topic: str, at_s: float) -> int | None:
        """None: hold this line back. Otherwise how many were held back since the last one."""
        key = (subject, topic)
        last_s, held = self._last.get(key, (None, 0))
        if last_s is not None and 0 <= at_s - last_s < self._every_s:
            self._last[key] = (last_s, held + 1)
            return None
        self._last.pop(key, None)
        while len(self._last) >= self._limit:
            del self._last[next(iter(self._last))]
        self._last[key] = (at_s, 0)
        return held
