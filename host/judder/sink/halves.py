"""Many at once to a side that takes or refuses all of them together, and does not say which was wrong."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from judder.sink import Poisoned

Item = TypeVar("Item")


def write(items: Sequence[Item], attempt: Callable[[Sequence[Item]], str | None]) -> None:
    """All in one attempt; where that is refused, in halves, until what is refused stands alone.

    attempt: writes some of the items; None when they were taken, else why not. Raises Poisoned with the item's index,
    and whatever attempt raises.
    """
    waiting = [(0, items)] if items else []
    while waiting:
        first, some = waiting.pop()
        refusal = attempt(some)
        if refusal is None:
            continue
        if len(some) == 1:
            raise Poisoned(first, refusal)
        half = len(some) // 2
        waiting += [(first + half, some[half:]), (first, some[:half])]
