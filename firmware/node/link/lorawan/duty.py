"""How much may be sent: duty cycle by band, the network's own limit, and the back-off of join requests. Milliseconds.

A band has an allowance A of air-time an hour (36 s for 1 %). A quarter of it may go out at once, the rest flows in at
three quarters of A an hour: together never more than A in any hour, and an alarm need not wait for the silence after
the last report. A frame longer than a quarter of A waits until everything before it has flowed off.
"""

from node.link.lorawan.channels import below

_HOUR_MS = 3600000
# A band fills up by this time of silence to come: a quarter of A at three quarters of A an hour.
_FULL_MS = 1200000


class Budget:
    """empty_ms: by band, when what was sent has flowed off. quiet_ms: until then the network's limit forbids all."""

    def __init__(self, region):
        self._region = region
        self.empty_ms = [0] * len(region.bands)
        self.quiet_ms = 0

    def wait_ms(self, now_ms: int, frequency_hz: int, time_us: int) -> int:
        """How long a frame of that air-time has to wait for its band, 0 or less for not at all."""
        band = self._region.band(frequency_hz)
        if band is None:
            return 0
        return self.empty_ms[band] - max(0, _FULL_MS - self._cost_ms(band, time_us)) - now_ms

    def spend(self, now_ms: int, frequency_hz: int, time_us: int, limit: int) -> None:
        """A frame goes out. limit: MaxDutyCycle, which asks for T * (2^limit - 1) of silence (L2 1.0.4 section 5.3)."""
        band = self._region.band(frequency_hz)
        if band is not None:
            self.empty_ms[band] = max(now_ms, self.empty_ms[band]) + self._cost_ms(band, time_us)
        if limit:
            self.quiet_ms = now_ms + (time_us << limit) // 1000 + 1

    def _cost_ms(self, band: int, time_us: int) -> int:
        return time_us * (_HOUR_MS // 750) // self._region.bands[band][2] + 1


class JoinLimit:
    """Air-time of join requests since joining began: 36 s in the first hour, 36 s in the next ten, then 8.7 s a day
    (L2 1.0.4 section 7, TR007-1.1 section 4.8), spread at random over these times.

    began_ms: of the first request, None before. used_ms: in the span `span`. next_ms: not before.
    """

    def __init__(self):
        self.reset()

    def reset(self) -> None:
        """Joined."""
        self.began_ms = None
        self.used_ms = self.span = self.next_ms = self.attempts = 0

    def wait_ms(self, now_ms: int, time_us: int) -> int:
        """How long a request of that air-time has to wait, 0 or less for not at all."""
        if self.began_ms is None:
            return 0
        span, limit_ms, end_ms, _share = self._span(now_ms)
        next_ms = self.next_ms
        if span == self.span and self.used_ms + time_us // 1000 + 1 > limit_ms:
            next_ms = max(next_ms, self.began_ms + end_ms)
        return next_ms - now_ms

    def spend(self, now_ms: int, time_us: int, random) -> None:
        """A request goes out; the next one half to one and a half of an even share of the span later."""
        if self.began_ms is None:
            self.began_ms = now_ms
        span, _limit_ms, _end_ms, share = self._span(now_ms)
        if span != self.span:
            self.span = span
            self.used_ms = 0
        self.used_ms += time_us // 1000 + 1
        self.next_ms = now_ms + time_us * share // 1000 * (128 + below(random, 256)) // 256
        self.attempts += 1

    def _span(self, now_ms: int) -> tuple:
        """(number, air-time allowed, end, times the air-time that an even share is) of the span we are in, in ms."""
        since_ms = now_ms - self.began_ms
        if since_ms < _HOUR_MS:
            return 0, 36000, _HOUR_MS, 100
        if since_ms < 11 * _HOUR_MS:
            return 1, 36000, 11 * _HOUR_MS, 1000
        day = (since_ms - 11 * _HOUR_MS) // (24 * _HOUR_MS)
        # A byte in the state; days more than 254 apart cannot meet.
        return 2 + day % 254, 8700, 11 * _HOUR_MS + (day + 1) * 24 * _HOUR_MS, 9931
