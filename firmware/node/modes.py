"""What a node does when: the two modes, and the wait before it is provisioned. Works on app.Node, knows no stage.

duty: measure once, deliver, deep sleep. continuous: blocks back to back, a report every interval, alarms at once.
"""

import gc
import os

from node.hal import clock as ticks
from node.hal import power

_DAY_MS = 86400000
_UNPROVISIONED_HELLO_MS = 10000
_BACKLOG = 8
_CATCH_UP_MS = 500


def wait_for_provisioning(node) -> None:
    """HELLO on the console until somebody resets the board with settings in it."""
    node.say("not provisioned: run 'judder provision'")
    while True:
        node.announce(True)
        began = ticks.ticks_ms()
        while ticks.ticks_diff(ticks.ticks_ms(), began) < _UNPROVISIONED_HELLO_MS:
            node.tick()
            ticks.sleep_ms(100)


def continuous(node) -> None:
    """Blocks back to back. The link works between them, in the few milliseconds the sensor's FIFO gives; where those
    are too few, between records (see cycle.py)."""
    interval_ms = node.values["interval_s"] * 1000
    reported_ms = -interval_ms
    # The first reading has a temperature too.
    node.cycle.warm_up(node.clock.uptime_ms())
    while True:
        changed = node.measure(patient=False)
        if changed or node.report_wanted or node.measured_ms - reported_ms >= interval_ms:
            node.report_wanted = False
            node.report()
            node.save()
            # A change of level is reported on top, without moving the regular reports.
            if node.measured_ms - reported_ms >= interval_ms:
                reported_ms = node.measured_ms
        if node.clock.uptime_ms() - node.state.hello_at_ms > _DAY_MS:
            node.announce(False)
        while node.delivery.pump():
            pass
        if node.delivery.waiting() > _BACKLOG:
            # More than comes in: better a gap between two blocks than an outbox that runs over.
            node.delivery.catch_up(_CATCH_UP_MS)
        node.obey()
        node.tick()
        if node.cycle.quiet:
            # Ten milliseconds that a FIFO would feel; a block itself leaves nothing behind.
            gc.collect()


def duty(node) -> None:
    """Measure, deliver, sleep. Returns never: deep sleep ends in a reset."""
    interval_ms = node.values["interval_s"] * 1000
    budget_ms = 3 * node.values["timeout_s"] * 1000
    while True:
        began_ms = node.clock.uptime_ms()
        urgent = node.measure(patient=True, record=True)
        node.report()
        if node.clock.uptime_ms() - node.state.hello_at_ms > _DAY_MS:
            node.announce(False)
        # The number of this reading is used up, whatever happens from here on.
        node.save()
        deliver(node, budget_ms, urgent)
        node.state.crashes = 0
        while node.in_grace():
            node.delivery.flush(1000, linger_ms=1000)
            node.obey()
        left_ms = _spread(interval_ms) - (node.clock.uptime_ms() - began_ms)
        if node.report_wanted or left_ms < 1000:
            node.report_wanted = False
            if left_ms > 0:
                ticks.sleep_ms(left_ms)
            node.tick()
            continue
        node.link.close()
        node.cycle.sleep()
        node.save(freeze=True, planned_ms=left_ms)
        power.deep_sleep(left_ms)


def _spread(interval_ms: int) -> int:
    """The interval, up to 1/64 shorter or longer: nodes that were switched on together must not stay in step and talk
    at the same moment for ever.
    """
    return interval_ms + (interval_ms * (os.urandom(1)[0] - 128) >> 13)


def deliver(node, budget_ms: int, urgent: bool) -> None:
    """Empty the outbox, unless the network failed lately: then some wakes go by without the radio, more each time."""
    state = node.state
    if state.link_skip and not urgent:
        state.link_skip -= 1
        return
    linger_ms = node.link.linger_ms
    done = node.delivery.flush(budget_ms, linger_ms)
    if node.obey():
        done = node.delivery.flush(budget_ms, linger_ms)
        node.obey()
    # A link that has to wait has not failed.
    done = done or node.link.pause_ms() > 0
    state.link_streak = 0 if done else min(state.link_streak + 1, 4)
    # Jitter: nodes that lost the same access point must not come back together.
    state.link_skip = 0 if done else os.urandom(1)[0] % (1 << state.link_streak)
