"""What a virtual board counts, so that tests and the bench can hold the wire and the flash to a budget."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field


@dataclass
class Counters:
    """Counts since the board was made; plain attributes, written by the parts of the board, read by anyone.

    bytes_in: host to board, bytes_out: board to host, both before any transport escaping. turns: how often the host
    spoke after the board had spoken, that is, the round trips a slow USB bridge would add its latency to.
    """

    bytes_in: int = 0
    bytes_out: int = 0
    turns: int = 0
    boots: int = 0
    downloads: int = 0  # entries into the serial boot loader
    commands: int = 0  # boot loader requests
    commands_refused: int = 0
    sectors_erased: int = 0
    bytes_programmed: int = 0
    over_programs: int = 0  # bytes asked to have a 1 where flash already held a 0
    _host_spoke: bool = field(default=False, repr=False)

    def received(self, count: int) -> None:
        """The board got `count` bytes from the host."""
        if count and not self._host_spoke:
            self._host_spoke = True
            self.turns += 1
        self.bytes_in += count

    def sent(self, count: int) -> None:
        """The board sent `count` bytes to the host."""
        if count:
            self._host_spoke = False
        self.bytes_out += count

    def snapshot(self) -> dict[str, int]:
        """Counts as a dict, to subtract one moment from another."""
        return {name: value for name, value in asdict(self).items() if not name.startswith("_")}
