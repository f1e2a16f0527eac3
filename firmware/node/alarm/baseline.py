"""What is usual for a machine: the mean of its first good readings. Pure.

usual = Baseline(20)
usual.learn(75)  -> False     19 more to come
usual.value      -> None      until then
"""

import struct

_FORMAT = "<Hi"
STATE_BYTES = struct.calcsize(_FORMAT)


class Baseline:
    """Mean of the first `wanted` values, rounded half up; value is None before that. wanted 0: never learned.

    A larger `wanted` than the saved state had goes on learning until there are so many.
    """

    def __init__(self, wanted: int) -> None:
        self._wanted = wanted
        self._count = 0
        self._total = 0
        self.value = None

    def learn(self, value: int) -> bool:
        """True when this value completed it. Values after that change nothing."""
        if self._count >= self._wanted:
            return False
        self._count += 1
        self._total += value
        self._settle()
        return self.value is not None

    def pack_into(self, buffer, offset: int) -> None:
        """STATE_BYTES of state."""
        struct.pack_into(_FORMAT, buffer, offset, self._count, self._total)

    def unpack_from(self, buffer, offset: int) -> None:
        """Go on from there."""
        self._count, self._total = struct.unpack_from(_FORMAT, buffer, offset)
        self._settle()

    def _settle(self) -> None:
        done = 0 < self._wanted <= self._count
        self.value = (2 * self._total + self._count) // (2 * self._count) if done else None
