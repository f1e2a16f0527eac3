"""Reset, deep sleep, and why the chip started."""

import machine

# Same numbers as schema.RESET_CAUSES: esp32 port, PWRON_RESET = 1 .. SOFT_RESET = 5; 0 for what it cannot tell.
POWER_ON = 1
HARD = 2
WATCHDOG = 3
DEEP_SLEEP = 4
SOFT = 5


def reset_cause() -> int:
    """Index into schema.RESET_CAUSES. A brown-out counts as power-on, a crash of the chip as hard reset."""
    cause = machine.reset_cause()
    return cause if POWER_ON <= cause <= SOFT else 0


def reset() -> None:
    """Restart the chip. Does not return."""
    machine.reset()


def deep_sleep(duration_ms: int) -> None:
    """Off except for the RTC; the chip starts anew afterwards. Does not return."""
    machine.deepsleep(duration_ms)
