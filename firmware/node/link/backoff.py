"""When to try again: doubling delays with jitter, so that a hall full of nodes does not return in step."""


class Backoff:
    """first_ms, limit_ms: shortest and longest delay. random: n -> n random bytes, as os.urandom."""

    def __init__(self, first_ms: int, limit_ms: int, random):
        self._first_ms = first_ms
        self._limit_ms = limit_ms
        self._random = random
        self._next_ms = first_ms

    def reset(self) -> None:
        """It worked: the next delay is short again."""
        self._next_ms = self._first_ms

    def delay_ms(self) -> int:
        """Delay before the next try: between half and the whole of a span that doubles up to the limit."""
        span = self._next_ms
        self._next_ms = min(span * 2, self._limit_ms)
        draw = self._random(2)
        return span // 2 + (span - span // 2) * (draw[0] << 8 | draw[1]) // 0xFFFF
