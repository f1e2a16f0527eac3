# The node's clock. Real: the computer's. Virtual: it moves only by what the node does, so that a slow computer changes
# nothing and a month of sleep takes no time.
import _bus
import _wire
import utime

# What one look at the clock costs on an ESP32, about: a loop that waits by looking at the time gets on.
LOOK_US = 5

_LONG_US = 100000

virtual = False
rtc_offset_s = 0
_pace = 0  # virtual seconds per real second at most, 0 for no limit
_t = 0
_real_us = 0
_pace_t = 0
_pace_real_us = 0
_dog_timeout_us = 0
_dog_due = None
_timers = []
_in_timer = False


def setup(config):
    global virtual, _pace, _t, _real_us, _pace_t, _pace_real_us, rtc_offset_s, _dog_timeout_us, _dog_due
    virtual = config["clock"] == "virtual"
    _pace = config["pace"]
    _t = _pace_t = config["now_us"]
    _real_us = _pace_real_us = utime.ticks_us()
    rtc_offset_s = config["rtc_offset_s"]
    # A soft reset leaves the watchdog running.
    if config["wdt_ms"]:
        _dog_timeout_us = config["wdt_ms"] * 1000
        _dog_due = config["wdt_due_us"]
    _bus.set_now(_stamp)


def _stamp():
    if not virtual:
        _follow()
    return _t


def _follow():
    # ticks_us() of a 32-bit build wraps after minutes: add up differences.
    global _t, _real_us
    now = utime.ticks_us()
    _t += utime.ticks_diff(now, _real_us)
    _real_us = now


def now_us():
    """Board time in us since power-on; looking costs LOOK_US."""
    if virtual:
        advance(LOOK_US)
    else:
        _follow()
    return _t


def advance(us):
    """Let virtual time pass: timers fire on the way, the watchdog bites on the way. No effect on a real clock."""
    global _t
    if not virtual:
        return
    target = _t + us
    while _timers and not _in_timer:
        first = min(_timers, key=_due)
        if first.due_us > target:
            break
        _move(max(first.due_us, _t))
        _fire(first)
        target = max(target, _t)
    _move(target)
    if us >= _LONG_US:
        _bus.tell_time()
    else:
        _bus.flush_if_due()
    if _pace:
        _keep_pace()


def _move(target):
    global _t
    if _dog_due is not None and target >= _dog_due:
        _t = max(_t, _dog_due)
        _bus.call(_wire.BITE)
    _t = target


def _due(timer):
    return timer.due_us


def _fire(timer):
    global _in_timer
    if timer.period_us:
        timer.due_us += timer.period_us
    else:
        _timers.remove(timer)
    _in_timer = True
    try:
        timer.callback(timer)
    finally:
        _in_timer = False


def _keep_pace():
    global _pace_t, _pace_real_us
    real = utime.ticks_diff(utime.ticks_us(), _pace_real_us)
    ahead = int((_t - _pace_t) / _pace) - real  # the pace may be a fraction
    if ahead > 1000:
        _bus.flush()
        utime.sleep_us(ahead)
    elif ahead < -100000 or real > 100000000:
        # Time spent at the prompt is not saved up for a sprint, and the difference stays far from wrapping.
        _pace_t = _t
        _pace_real_us = utime.ticks_us()


def sleep_us(us):
    """Sleep: moves virtual time, or really sleeps."""
    if us <= 0:
        return
    if virtual:
        advance(us)
        return
    _bus.flush()
    _follow()
    end = _t + us
    while True:
        _run_due()
        left = end - _t
        if left <= 0:
            return
        if _timers:
            left = min(left, max(1, min(_timers, key=_due).due_us - _t))
        utime.sleep_us(min(left, 50000 if _dog_due is not None else 60000000))
        _follow()
        _bus.flush_if_due()


def _run_due():
    while _timers and not _in_timer:
        first = min(_timers, key=_due)
        if first.due_us > _t:
            return
        _fire(first)


def add_real(us):
    """The node really waited (for a socket): that much time passed."""
    if virtual:
        advance(us)


def timer_add(timer):
    if timer not in _timers:
        _timers.append(timer)


def timer_remove(timer):
    if timer in _timers:
        _timers.remove(timer)


def dog_arm(timeout_ms):
    global _dog_timeout_us
    _dog_timeout_us = timeout_ms * 1000
    dog_feed()


def dog_feed():
    global _dog_due
    # With a real clock the supervisor keeps watch: it sees a node that no longer runs Python at all.
    if virtual and _dog_timeout_us:
        _dog_due = _t + _dog_timeout_us


def set_rtc_offset(seconds):
    global rtc_offset_s
    rtc_offset_s = seconds
