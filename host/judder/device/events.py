"""One event model for everything that takes a while: flash and provision report through it, anyone may listen."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Event:
    """A step began (done 0), moved, or ended (done == total).

    step: short name, stable, for programs. done, total: in any unit, the same for all events of a step.
    message: for people, may be empty. time: seconds since the epoch. port: which board.
    """

    step: str
    done: int = 0
    total: int = 1
    message: str = ""
    port: str = ""
    time: float = field(default_factory=time.time)

    def to_dict(self) -> dict[str, object]:
        """What goes into JSON."""
        return {
            "step": self.step,
            "done": self.done,
            "total": self.total,
            "message": self.message,
            "port": self.port,
            "time": round(self.time, 3),
        }


OnEvent = Callable[[Event], None]


def ignore(_event: Event) -> None:
    """For callers who want no events."""
