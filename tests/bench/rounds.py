"""CPU time of contenders that take turns, and a report of their ratios beside the limits.

A busy machine slows all contenders of a round alike, so the median of the rounds' ratios moves little.
"""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence

Ratio = Callable[[Mapping[str, float]], float]


def cpu_s(work: Callable[[], object]) -> float:
    """Process CPU seconds of one call."""
    begin = time.process_time()
    work()
    return time.process_time() - begin


def each(function: Callable[[bytes], object], messages: Sequence[bytes]) -> Callable[[], None]:
    """Work that calls function with every message."""

    def work() -> None:
        for message in messages:
            function(message)

    return work


def taken_in_turns(works: Mapping[str, Callable[[], object]], rounds: int) -> list[dict[str, float]]:
    """CPU seconds of every contender, a round each. A first round is not counted: it makes caches and functions."""
    for work in works.values():
        work()
    return [{name: cpu_s(work) for name, work in works.items()} for _ in range(rounds)]


def median(rounds: Sequence[Mapping[str, float]], above: str, below: str) -> float:
    """Median of the ratio between two contenders of a round."""
    return statistics.median(took[above] / took[below] for took in rounds)


class Report:
    """Prints figures, each beside its limit where it has one. failed: one was over."""

    def __init__(self) -> None:
        self.failed = False

    def at_most(self, what: str, figure: float, limit: float, unit: str = "x") -> None:
        self._line(what, figure, "at most", limit, unit, figure <= limit)

    def at_least(self, what: str, figure: float, limit: float, unit: str = "x") -> None:
        self._line(what, figure, "at least", limit, unit, figure >= limit)

    def _line(self, what: str, figure: float, how: str, limit: float, unit: str, good: bool) -> None:
        self.failed |= not good
        beside = f" ({how} {limit:g})" if limit else ""
        print(f"{what}: {figure:.2f} {unit}{beside}{'' if good else '  OVER'}")
