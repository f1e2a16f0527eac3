"""One reading: acquire, features, alarm levels. Parts are given; no stage is imported here.

    cycle = Cycle(...); changes = cycle.measure(now_ms, patient=True); cycle.rms_mg, cycle.temperature_dc, ...

Buffers and result words are made once, before anything else takes the heap; measuring allocates only when an alarm
level changes or a sensor fails.

A reading is one block, or with `record` as many blocks as velocity needs: the last one is what the rest is of.

A chip needs longer for a block than its sensor's FIFO can wait, or it does not; the cycle finds out (`hurried`). If so,
a gap follows every block that was worked on whole, and where a record takes several blocks none would ever be full. So
a record is then taken in one go, in short steps with next to nothing done between them, and all else comes after it.
A thermometer may take many milliseconds of its own: it is asked when a gap costs nothing (`quiet`).
"""

from array import array

from judder_core import schema
from judder_core.errors import JudderError

METRIC_VELOCITY = 1  # schema.METRICS
METRIC_RMS = 2
METRIC_ENVELOPE = 4
METRIC_KURTOSIS = 5
METRIC_TEMPERATURE = 6

# Gaps may keep a record from getting full: the time of so many is waited, then the reading goes without velocity.
_PATIENCE_RECORDS = 4
# So many gaps before a record was full, each after a block worked on whole, are no stall of the link.
_GAPS = 3
# Samples of a step of a record. Levels and decimation of it take 2 ms at 160 MHz by their instructions, a fraction of
# what any sensor's FIFO holds.
_STEP = 1024
# So many samples of one value at the end of a block are an axis that stopped. A sine of 2 Hz and 40 counts, the slowest
# there may be, keeps its top for 950 of the fastest sensor's.
_FROZEN = 1024
# The thermometer's turn comes with the next quiet moment, and after this without one.
_TEMPERATURE_LATEST_MS = 10000

_SENSOR_FAULTS = (OSError, JudderError)
_NOT_STAMPED = -1


class Cycle:
    """features: dsp.features.Features. vibration, temperature: drivers or None. engine: alarm.engine.Engine.

    What the last reading gave: rms_mg, peak_mg (of three, None without a block), velocity_c (the same, None until a
    record is full), axis (worst, of velocity if there is one; 1..3, 0 none), clipped, lost (lost_exact: that many and
    no other number), rate_dhz, temperature_dc (or None), fault (a sensor that should answer does not, or gives
    nonsense), why (its words), samples (that stand in the buffers). The rest: features.

    quiet: a gap before the next block costs nothing. hurried: see above. moved: bits of the axes that have ever given
    two values, for as long as somebody keeps them.
    """

    def __init__(self, features, vibration, temperature, range_g: int, n: int, engine):
        self.n = n
        self.buffers = tuple([array("h", bytes(2 * n)) for _ in range(3)]) if vibration else None
        self.features = features
        self._vibration = vibration
        self._temperature = temperature
        self._range_g = range_g
        self.engine = engine
        # What the engine is given, made once: metric, axis, value.
        self._judged_velocity = [METRIC_VELOCITY, 0, None]
        self._judged_rms = [METRIC_RMS, 0, None]
        self._judged_envelope = [METRIC_ENVELOPE, 0, None]
        self._judged_kurtosis = [METRIC_KURTOSIS, 0, None]
        self._judged_temperature = [METRIC_TEMPERATURE, 0, None]
        self._judged = (
            self._judged_velocity,
            self._judged_rms,
            self._judged_envelope,
            self._judged_kurtosis,
            self._judged_temperature,
        )
        self._parts = [_parts(memoryview(buffer), n) for buffer in self.buffers] if vibration else ()
        self._vibration_ready = False
        self._temperature_ready = False
        self._conversion = None
        self._asked_ms = 0
        self._gaps = 0
        self._cold = ""
        self.moved = 0
        self.samples = 0
        self.hurried = False
        self.quiet = True
        self.rms_mg = self.peak_mg = self.velocity_c = None
        self.axis = self.lost = self.rate_dhz = self.scale_ug = 0
        self.clipped = self.fault = False
        self.lost_exact = True
        self.temperature_dc = None
        self.why = ""

    def warm_up(self, now_ms: int) -> None:
        """Wait for a temperature now, before a stream begins that nothing may hold up."""
        self._begin_temperature(now_ms)
        self._end_temperature()

    def measure(self, now_ms: int, patient: bool, record: bool = False) -> tuple:
        """One reading. patient: the stream may end with it, so wait for the thermometer rather than repeat its last
        value. record: go on until velocity is there.

        Returns the alarm levels that changed: (metric, axis, level, value, limit).
        """
        if self._conversion == _NOT_STAMPED:
            # It began after the block before this one: counted from now it is old enough a little later than it is.
            self._conversion = now_ms
        if patient:
            self._begin_temperature(now_ms)
        self.fault = False
        self._acquire(record or self.hurried)
        # Of the vibration sensor: a thermometer that fails says nothing about the block.
        flags = schema.STATE_SENSOR_FAULT if self.fault and self.rms_mg is None else 0
        if self.lost:
            flags |= schema.STATE_LOST
        if self.clipped:
            flags |= schema.STATE_CLIPPED
        self._judge()
        if patient:
            self._end_temperature()
        elif self.quiet or now_ms - self._asked_ms > _TEMPERATURE_LATEST_MS:
            self._asked_ms = now_ms
            if self._conversion is not None and now_ms - self._conversion >= self._temperature.CONVERSION_MS:
                self._end_temperature()
            self._begin_temperature(_NOT_STAMPED)
        if self._cold and not self.fault:
            self._failed(self._cold)
        changes = self.engine.evaluate(self._judged, flags, now_ms // 1000)
        # Judged once.
        self._judged_temperature[2] = None
        return changes

    def sleep(self) -> None:
        """Sensors off. The next measure() starts them again."""
        for part in (self._vibration, self._temperature):
            if part is not None:
                try:
                    part.sleep()
                except _SENSOR_FAULTS:
                    pass

    # --- inside

    def _acquire(self, record: bool) -> None:
        """A block or more, and its features; rms_mg stays None without a sensor that answers."""
        self.rms_mg = self.peak_mg = self.velocity_c = None
        self.axis = self.lost = self.rate_dhz = self.samples = 0
        self.clipped = False
        self.quiet = True
        sensor = self._vibration
        if sensor is None:
            return
        features = self.features
        velocity = features.velocity
        taken = 0
        while True:
            n = self.n
            if record and velocity.missing >= n + _STEP:
                n = min(n, _STEP)
            try:
                if not self._vibration_ready:
                    features.forget()
                    sensor.identify()
                    sensor.configure(self._range_g)
                    velocity.sensor_band(sensor.BAND_HZ[0], sensor.BAND_HZ[1])
                    self._vibration_ready = True
                self.lost = sensor.fill(self.buffers, n)
                self.lost_exact = sensor.lost_exact
            except _SENSOR_FAULTS as error:
                self._no_block(str(error))
                return
            if not sensor.contiguous and features.whole:
                self._gaps += 1
                if self._gaps >= _GAPS:
                    self.hurried = True
            taken += n
            rate = self.rate_dhz = sensor.rate_dhz
            self.scale_ug = sensor.SCALE_UG
            last = not record or self.lost > 0 or taken > _PATIENCE_RECORDS * velocity.span
            features.take(
                self.buffers,
                n,
                rate,
                self.scale_ug,
                sensor.CLIP,
                sensor.contiguous,
                self.lost,
                record,
                record and last,
            )
            if not sensor.COARSE:
                # No other sensor is that quiet: its own noise moves every axis by a count.
                if features.stuck:
                    self._no_block("%s gives one and the same value on every axis" % sensor.name)
                    return
                if n == self.n and self._frozen():
                    self._no_block("%s gives one and the same value on an axis that gave others" % sensor.name)
                    return
            if features.new_velocity:
                self._gaps = 0
            if last or features.new_velocity or features.stuck:
                break
        self.samples = n
        self.quiet = record or features.new_velocity
        self.clipped = features.clipped
        self.rms_mg = features.rms_mg
        self.peak_mg = features.peak_mg
        self.axis = _worst(self.rms_mg)
        if velocity.ready and not self.lost:
            self.velocity_c = velocity.velocity_c
            self.axis = _worst(self.velocity_c)

    def _frozen(self) -> bool:
        """Whether an axis that once gave two values gave but one at the end of the buffers; notes who moves."""
        found = False
        bit = 1
        for first, but_first, last, but_last in self._parts:
            if first != but_first or last != but_last:
                self.moved |= bit
            if last == but_last and self.moved & bit:
                found = True
            bit <<= 1
        return found

    def _no_block(self, why: str) -> None:
        self._vibration_ready = False
        self.features.forget()
        self._failed(why)

    def _judge(self) -> None:
        """What is new goes to the engine, worst axis of each."""
        features = self.features
        fresh = self.rms_mg is not None
        self._put(self._judged_rms, self.rms_mg if fresh else None)
        self._put(self._judged_velocity, self.velocity_c if fresh and features.new_velocity else None)
        self._put(self._judged_kurtosis, features.kurtosis_c if fresh and features.has_moments() else None)
        self._put(self._judged_envelope, features.envelope_rms_mg if fresh and features.has_envelope() else None)

    @staticmethod
    def _put(judged: list, values) -> None:
        judged[1] = 0 if values is None else _worst(values)
        judged[2] = None if values is None else values[judged[1] - 1]

    def _begin_temperature(self, now_ms: int) -> None:
        if self._temperature is None or self._conversion is not None:
            return
        try:
            if not self._temperature_ready:
                self._temperature.identify()
                self._temperature_ready = True
            self._temperature.start()
            self._conversion = now_ms
        except _SENSOR_FAULTS as error:
            self._too_cold(error)

    def _end_temperature(self) -> None:
        """Take the result of a conversion; the driver waits for what is left of it."""
        if self._conversion is None:
            return
        self._conversion = None
        try:
            self.temperature_dc = self._judged_temperature[2] = self._temperature.read()
            self._cold = ""
        except _SENSOR_FAULTS as error:
            self._too_cold(error)

    def _too_cold(self, error) -> None:
        self._temperature_ready = False
        self.temperature_dc = None
        self._cold = str(error)

    def _failed(self, why: str) -> None:
        self.fault = True
        self.why = why


def _parts(view, n: int) -> tuple:
    """A buffer of n samples in two, each with its like one sample further on: a part that equals that is one value.

    The second is the end of the block, as far as that says something, else all of it.
    """
    at = n - _FROZEN if n >= 2 * _FROZEN else 0
    return view[:at], view[1 : at + 1], view[at : n - 1], view[at + 1 : n]


def _worst(values) -> int:
    """Axis (1..3) of the largest of three."""
    if values[1] > values[0]:
        return 3 if values[2] > values[1] else 2
    return 3 if values[2] > values[0] else 1
