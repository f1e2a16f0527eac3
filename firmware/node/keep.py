"""What a link keeps, in RTC memory over deep sleep and in flash over a power loss; clock and watchdog for it."""

from node.hal import clock as ticks
from node.hal import partition
from node.store.records import Records

# Sectors of partition cfg: 0 and 1 the settings, 2 and 3 for updates, 4 and 5 these.
FIRST_SECTOR = 4
_GPS_EPOCH_S = 315964800  # 1980-01-06 in Unix time
# IERS Bulletin C: GPS is ahead of UTC by so much since 2017.
_LEAP_S = 18


class Keep:
    """state: hal.rtc.State. clock: hal.clock.Clock. tick: feeds the watchdog. asleep_ms: of the sleep just over."""

    def __init__(self, state, clock, tick, asleep_ms: int):
        self._state = state
        self.clock = clock
        self.tick = tick
        self.asleep_ms = asleep_ms
        self._records = None

    @property
    def session(self) -> bytes:
        """What the link gave before the sleep or restart."""
        return self._state.session

    def put(self, session: bytes) -> None:
        """Into RTC memory, now."""
        self._state.session = session
        self._state.save()

    def stored(self):
        """Record in flash, None when there is none. Raises OSError."""
        return self._open().load()

    def save(self, blob: bytes) -> None:
        """Into flash, whole or not at all. Raises OSError."""
        self._open().save(blob)

    def set_time(self, gps_s: int, fraction_256: int, at_ms: int) -> None:
        """The wall clock, from GPS time at at_ms of the node's clock."""
        late_ms = self.clock.uptime_ms() - at_ms + fraction_256 * 1000 // 256
        ticks.set_unix(gps_s + _GPS_EPOCH_S - _LEAP_S + late_ms // 1000, late_ms % 1000)

    def _open(self):
        if self._records is None:
            self._records = Records(partition.find("cfg"), FIRST_SECTOR)
        return self._records
