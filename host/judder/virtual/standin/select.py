# select.poll for the virtual clock: waiting for a socket takes as long as it really takes, waiting for nothing takes
# no time at all.
import _bus
import _clock
import uselect
import utime
from uselect import POLLERR, POLLHUP, POLLIN, POLLOUT  # noqa: F401  the module's constants

# A look that finds nothing waits this long in reality, so that a loop of looks and virtual sleeps cannot run out of
# virtual time before the other side of the socket had any.
_LOOK_MS = 1


class poll:
    def __init__(self):
        self._poll = uselect.poll()
        self._count = 0

    def register(self, stream, events=POLLIN | POLLOUT):
        self._poll.register(stream, events)
        self._count += 1

    def unregister(self, stream):
        self._poll.unregister(stream)
        self._count -= 1

    def modify(self, stream, events):
        self._poll.modify(stream, events)

    def poll(self, timeout=-1):
        _bus.flush()
        if not _clock.virtual:
            return self._poll.poll(timeout)
        if not self._count:
            _clock.advance(max(timeout, 0) * 1000)
            return []
        start = utime.ticks_us()
        found = self._poll.poll(timeout if timeout < 0 or timeout > _LOOK_MS else _LOOK_MS)
        waited = utime.ticks_diff(utime.ticks_us(), start)
        # A look (timeout 0) took no virtual time however long the computer was busy.
        _clock.add_real(waited if timeout else _clock.LOOK_US)
        return found

    def ipoll(self, timeout=-1, flags=0):
        return iter(self.poll(timeout))
