"""One block: acquire, features, alarm levels. Parts are given; no stage is imported here.

    cycle = Cycle(...); changes = cycle.measure(now_ms, patient=True); cycle.rms_mg, cycle.temperature_dc, ...

Buffers and result words are made once, before anything else takes the heap; measuring allocates only when an alarm
level changes or a sensor fails.
"""

from array import array

from judder_core import schema
from judder_core.errors import JudderError

_FULL_SCALE = 32767
# One conversion of the thermometer, with room. Before that its result is not asked for, because that would wait.
_TEMPERATURE_MS = 150

METRIC_RMS = 2  # schema.METRICS: acceleration_rms, temperature
METRIC_TEMPERATURE = 6

_SENSOR_FAULTS = (OSError, JudderError)


class Cycle:
    """stats: kernel module. vibration, temperature: drivers or None. engine: alarm.engine.Engine.

    What the last block gave: rms_mg, peak_mg (lists of three, None without a block), axis (worst, 1..3, 0 none),
    clipped, lost, rate_dhz, temperature_dc (or None), fault (a sensor that should answer does not), why (its words).
    """

    def __init__(self, stats, vibration, temperature, range_g: int, n: int, engine):
        self.n = n
        self.buffers = tuple([array("h", bytes(2 * n)) for _ in range(3)]) if vibration else None
        self._words = array("i", [0] * stats.WORDS)
        self._stats = stats
        self._vibration = vibration
        self._temperature = temperature
        self._range_g = range_g
        self.engine = engine
        # What the engine is given, made once: metric, axis, value.
        self._judged_rms = [METRIC_RMS, 0, None]
        self._judged_temperature = [METRIC_TEMPERATURE, 0, None]
        self._judged = (self._judged_rms, self._judged_temperature)
        self._vibration_ready = False
        self._temperature_ready = False
        self._conversion = None
        self._rms = [0, 0, 0]
        self._peak = [0, 0, 0]
        self.rms_mg = self.peak_mg = None
        self.axis = self.lost = self.rate_dhz = self.scale_ug = 0
        self.clipped = self.fault = False
        self.temperature_dc = None
        self.why = ""

    def measure(self, now_ms: int, patient: bool) -> tuple:
        """One block. patient: wait for the thermometer rather than repeat its last value.

        Returns the alarm levels that changed: (metric, axis, level, value, limit).
        """
        self.fault = False
        self._begin_temperature(now_ms)
        self._acquire()
        # Of the vibration sensor: a thermometer that fails says nothing about the block.
        flags = schema.STATE_SENSOR_FAULT if self.fault and self.rms_mg is None else 0
        if self.lost:
            flags |= schema.STATE_LOST
        if self.clipped:
            flags |= schema.STATE_CLIPPED
        # A value of an earlier block was judged then.
        self._judged_temperature[2] = None
        self._end_temperature(now_ms, patient)
        self._judged_rms[1] = self.axis
        self._judged_rms[2] = None if self.rms_mg is None else self.rms_mg[self.axis - 1]
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

    def _acquire(self) -> None:
        """A block and its features; rms_mg stays None without a sensor that answers."""
        self.rms_mg = self.peak_mg = None
        self.axis = self.lost = self.rate_dhz = 0
        self.clipped = False
        sensor = self._vibration
        if sensor is None:
            return
        try:
            if not self._vibration_ready:
                sensor.identify()
                sensor.configure(self._range_g)
                self._vibration_ready = True
            self.lost = sensor.fill(self.buffers, self.n)
        except _SENSOR_FAULTS as error:
            self._vibration_ready = False
            self._failed(error)
            return
        self.rate_dhz = sensor.rate_dhz
        self.scale_ug = sensor.SCALE_UG
        stats = self._stats
        words = self._words
        worst = -1
        for axis in range(3):
            stats.summary(self.buffers[axis], self.n, words)
            rms = (words[stats.RMS_X16] * self.scale_ug + 8000) // 16000
            self._rms[axis] = rms
            self._peak[axis] = (words[stats.PEAK] * self.scale_ug + 500) // 1000
            if words[stats.PEAK_RAW] >= _FULL_SCALE:
                self.clipped = True
            if rms > worst:
                worst = rms
                self.axis = axis + 1
        self.rms_mg = self._rms
        self.peak_mg = self._peak

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
