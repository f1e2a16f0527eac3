"""Does the machine run? RMS values against floors. Pure.

gate = Gate(((20, 18), (50, 30)))    two floors, 20 and 50; once above, 18 and 30 still count as running
gate.update(0, 25); gate.state -> RUNNING
"""

UNKNOWN = 0
RUNNING = 1
STOPPED = 2


class Gate:
    """floors: (floor, release) for each value watched; a floor of 0 is not asked. With none asked it always runs.

    Runs when one value reached its floor; stands still when all of them are known to be below. In between (a value that
    was never seen) it is UNKNOWN.
    """

    def __init__(self, floors) -> None:
        self._floors = floors
        self._each = [UNKNOWN] * len(floors)
        self._settle()

    def update(self, index: int, value) -> None:
        """A value, or None when it was not measured: then what was known of it stands."""
        floor, release = self._floors[index]
        if value is None or not floor:
            return
        lowest = release if self._each[index] == RUNNING else floor
        self._each[index] = RUNNING if value >= lowest else STOPPED
        self._settle()

    def pack(self) -> int:
        """State in a byte, two bits for each of at most four values."""
        packed = 0
        for index in range(len(self._each)):
            packed |= self._each[index] << 2 * index
        return packed

    def unpack(self, packed: int) -> None:
        """Go on from there; what makes no sense is UNKNOWN."""
        for index in range(len(self._each)):
            each = packed >> 2 * index & 3
            self._each[index] = each if each <= STOPPED and self._floors[index][0] else UNKNOWN
        self._settle()

    def _settle(self) -> None:
        asked = known = running = 0
        for index in range(len(self._floors)):
            if self._floors[index][0]:
                asked += 1
                known += 1 if self._each[index] else 0
                running += 1 if self._each[index] == RUNNING else 0
        if running or not asked:
            self.state = RUNNING
        else:
            self.state = STOPPED if known == asked else UNKNOWN
