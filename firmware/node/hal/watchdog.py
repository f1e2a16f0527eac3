"""Watchdog that lets go of the REPL.

Once armed the chip's watchdog cannot be switched off, but giving it a new time-out works (esp32 port: the task
watchdog is reconfigured). `relax` does that when the application stops, so that whoever works at the REPL has time.
"""

import machine

RELAXED_S = 3600

_dog = None


def arm(timeout_s: int) -> None:
    """From now on `feed` must be called at least every `timeout_s` seconds, else the chip restarts."""
    global _dog
    _dog = machine.WDT(timeout=timeout_s * 1000)


def feed() -> None:
    """Does nothing before `arm`."""
    if _dog is not None:
        _dog.feed()


def relax() -> None:
    """Back to the REPL: an hour instead of seconds. A node forgotten there still comes back by itself."""
    if _dog is not None:
        arm(RELAXED_S)
        feed()
