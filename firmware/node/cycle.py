"""One reading: acquire, features, alarm levels. Parts are given; no stage is imported here.

    cycle = Cycle(...); changes = cycle.measure(now_ms, patient=True); cycle.rms_mg, cycle.temperature_dc, ...

Buffers and result words are made once, before anything else takes the heap; measuring allocates only when an alarm
level changes or a sensor fails.

A reading is one block, or with `record` as many blocks as velocity needs: the last one is what the rest is of.
"""

from array import array

from judder_core import schema
from judder_core.errors import JudderError

# One conversion of the thermometer, with room. Before that its result is not asked for, because that would wait.
_TEMPERATURE_MS = 150

METRIC_VELOCITY = 1  # schema.METRICS
METRIC_RMS = 2
METRIC_ENVELOPE = 4
METRIC_KURTOSIS = 5
METRIC_TEMPERATURE = 6

# Gaps may keep a record from getting full: the time of so many is waited, then the reading goes without velocity.
_PATIENCE_RECORDS = 4

_SENSOR_FAULTS = (OSError, JudderError)


class Cycle:
    """features: dsp.features.Features. vibration, temperature: drivers or None. engine: alarm.engine.Engine.

    What the last reading gave: rms_mg, peak_mg (of three, None without a block), velocity_c (the same, None until a
    record is full), axis (worst, of velocity if there is one; 1..3, 0 none), clipped, lost, rate_dhz, temperature_dc
    (or None), fault (a sensor that should answer does not, or gives nonsense), why (its words). The rest: features.
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
        self._vibration_ready = False
        self._temperature_ready = False
        self._conversion = None
        self.rms_mg = self.peak_mg = self.velocity_c = None
        self.axis = self.lost = self.rate_dhz = self.scale_ug = 0
        self.clipped = self.fault = False
        self.temperature_dc = None
        self.why = ""

    def measure(self, now_ms: int, patient: bool, record: bool = False) -> tuple:
        """One reading. patient: wait for the thermometer rather than repeat its last value. record: go on until
        velocity is there.

        Returns the alarm levels that changed: (metric, axis, level, value, limit).
        """
        self.fault = False
        self._begin_temperature(now_ms)
        self._acquire(record)
        # Of the vibration sensor: a thermometer that fails says nothing about the block.
        flags = schema.STATE_SENSOR_FAULT if self.fault and self.rms_mg is None else 0
        if self.lost:
            flags |= schema.STATE_LOST
        if self.clipped:
            flags |= schema.STATE_CLIPPED
        self._judge()
        # A value of an earlier block was judged then.
        self._judged_temperature[2] = None
        self._end_temperature(now_ms, patient)
        return self.engine.evaluate(self._judged, flags, now_ms // 1000)

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
        self.axis = self.lost = self.rate_dhz = 0
        self.clipped = False
        sensor = self._vibration
        if sensor is None:
            return
        features = self.features
        velocity = features.velocity
        taken = 0
        while True:
            try:
                if not self._vibration_ready:
                    features.forget()
                    sensor.identify()
                    sensor.configure(self._range_g)
                    velocity.sensor_band(sensor.BAND_HZ[0], sensor.BAND_HZ[1])
                    self._vibration_ready = True
                self.lost = sensor.fill(self.buffers, self.n)
            except _SENSOR_FAULTS as error:
                self._vibration_ready = False
                features.forget()
                self._failed(error)
                return
            taken += self.n
            rate = self.rate_dhz = sensor.rate_dhz
            self.scale_ug = sensor.SCALE_UG
            last = not record or self.lost > 0 or taken > _PATIENCE_RECORDS * velocity.span
            features.take(
                self.buffers,
                self.n,
                rate,
                self.scale_ug,
                sensor.CLIP,
                sensor.contiguous,
                self.lost,
                record,
                record and last,
            )
            if features.stuck and sensor.name != "synthetic":
                # No sensor is that quiet: its own noise moves some axis by a count.
                self._vibration_ready = False
                self._failed("%s gives one and the same value on every axis" % sensor.name)
                return
            if last or features.new_velocity:
                break
        self.clipped = features.clipped
        self.rms_mg = features.rms_mg
        self.peak_mg = features.peak_mg
        self.axis = _worst(self.rms_mg)
        if velocity.ready and not self.lost:
            self.velocity_c = velocity.velocity_c
            self.axis = _worst(self.velocity_c)

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
            self._cold(error)

    def _end_temperature(self, now_ms: int, patient: bool) -> None:
        # now_ms is when the block began: by the time a conversion counts as old enough, a whole block has passed too.
        if self._conversion is None or not (patient or now_ms - self._conversion >= _TEMPERATURE_MS):
            return
        self._conversion = None
        try:
            self.temperature_dc = self._judged_temperature[2] = self._temperature.read()
        except _SENSOR_FAULTS as error:
            self._cold(error)

    def _cold(self, error) -> None:
        self._temperature_ready = False
        self.temperature_dc = None
        self._failed(error)

    def _failed(self, error) -> None:
        self.fault = True
        self.why = str(error)


def _worst(values) -> int:
    """Axis (1..3) of the largest of three."""
    if values[1] > values[0]:
        return 3 if values[2] > values[1] else 2
    return 3 if values[2] > values[0] else 1
