"""Two clocks: when a message was received, by somebody's clock, and how old it was, by the node's.

A node sends no time of day, it sends an age: so a node that believes in 1970 or 2106 does no harm, and a reading that
waited an hour is placed an hour back. What can be wrong is the clock of a gateway or server, and an age that no node
reaches honestly. Neither may become "the latest".
"""

from __future__ import annotations

# Nothing of ours was measured before 2020-01-01 or, without a clock to compare with, after 2100-01-01.
EARLIEST_S = 1577836800.0
LATEST_S = 4102444800.0

# What clocks of servers may differ by.
AHEAD_S = 300.0

AHEAD = "clock-ahead"
BEHIND = "clock-behind"


def place(
    received_at: float, age_s: int | None, now_s: float | None, max_age_s: float
) -> tuple[float | None, float | None, str | None]:
    """(received, measured, word): both as far as they can be believed, and what was wrong.

    A time of receipt ahead of now_s by more than AHEAD_S, or before 2020, is replaced by now_s; without a now_s it is
    None. measured is None where the message has no age, or one beyond max_age_s.
    """
    word = None
    received: float | None = received_at
    if received_at > (LATEST_S if now_s is None else now_s + AHEAD_S):
        received, word = now_s, AHEAD
    elif not received_at >= EARLIEST_S:  # NaN too
        received, word = now_s, BEHIND
    if age_s is None or received is None:
        return received, None, word
    if age_s > max_age_s or received - age_s < EARLIEST_S:
        return received, None, BEHIND
    return received, received - age_s, word
