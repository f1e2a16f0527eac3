"""Everything about alarms of one node: which readings count, which limits are in force, which levels change. Pure.

    engine = Engine(settings by name)
    engine.restore(bytes of before a deep sleep)
    changes = engine.evaluate([(1, 2, 480), (2, 2, 310), (6, 0, 412)], flags, now_s)
        -> ((metric, axis, level, value, limit), ...), empty when no level changed
    engine.level, engine.zone(480), engine.not_running   for the READING
    engine.state()                                       for RTC memory

A reading is a list of (metric, axis, value): numbers of schema.METRICS, axis 1 x, 2 y, 3 z or 0, value in the unit
on air, or None for what was not measured this time: it speaks neither for nor against anything. A metric may come once
for each axis: the largest decides, not a vector sum. Watched are velocity, acceleration RMS, envelope, kurtosis and
temperature; temperature rise and change of velocity are worked out here. A velocity that is the result of several
blocks counts once, when it is new.

- Flags are STATE_* bits of the reading. Clipped, samples lost or sensor fault: no zone, nothing about vibration is
  judged, confirmed, forgotten or learned, and the level stays as it was. Temperature is judged all the same.
- One exception: samples cut off at full scale can only make acceleration RMS smaller, so a reading that is clipped and
  nothing worse may raise that alarm; it never lowers it. A machine too loud for its sensor must not stay silent.
- Gate: below its floors the machine stands still. Nothing about vibration is judged then, and an alarm that stands is
  over at once, whatever the hold-off says, with a change like any other; the message carries STATE_NOT_RUNNING, which
  tells it from a machine that got better. After the start it is confirmed anew. Temperature alarms stand.
- Baselines are learned from good readings of a running machine, after these were judged: the limits that follow from
  a baseline hold from the next reading on. They live in RTC memory, so losing power means learning again; a velocity
  baseline can be fixed in the settings.
- Limits and where they come from: limits.py. Levels, confirmation, hysteresis, hold-off: threshold.py. A change of
  velocity has a sign, and so has its limit.

evaluate() takes nothing from the heap unless a level changes or a baseline becomes complete.
"""

import binascii
import struct

from judder_core import schema, zones
from node.alarm import baseline, gate, limits, threshold

_BAD = schema.STATE_CLIPPED | schema.STATE_LOST | schema.STATE_SENSOR_FAULT

_WATCHED = (
    limits.VELOCITY,
    limits.ACCELERATION,
    limits.ENVELOPE,
    limits.KURTOSIS,
    limits.TEMPERATURE,
    limits.TEMPERATURE_RISE,
    limits.VELOCITY_CHANGE,
)
_OF_TEMPERATURE = (limits.TEMPERATURE, limits.TEMPERATURE_RISE)
_IN_0_01_MM_S = (limits.VELOCITY, limits.VELOCITY_CHANGE)
_LEARNED = (limits.VELOCITY, limits.ACCELERATION, limits.ENVELOPE, limits.TEMPERATURE)
_PLACES = 9

# Version of the layout, baseline_number, gate; then thresholds, baselines, CRC-32 of it all.
_VERSION = 1
_HEAD = "<BHB"
_HEAD_BYTES = struct.calcsize(_HEAD)
_BASELINES_AT = _HEAD_BYTES + len(_WATCHED) * threshold.STATE_BYTES
_CRC_AT = _BASELINES_AT + len(_LEARNED) * baseline.STATE_BYTES
STATE_BYTES = _CRC_AT + 4

# Setting ambient_dc at absolute zero: the learned temperature is what a rise is counted from.
_NO_AMBIENT_DC = -2731


class Engine:
    """values: every setting by name, checked together.

    level: highest level in force. machine: zones.Machine (why it is not rated, where its band begins). not_running:
    the reading just evaluated shows a machine that stands still.
    """

    def __init__(self, values: dict) -> None:
        self._values = values
        self.machine = zones.machine(values)
        percent, absolute = values["hysteresis_percent"], values["hysteresis_cmm_s"]
        self._gate = gate.Gate(
            (
                (values["running_floor_mg"], threshold.release(values["running_floor_mg"], percent, 0)),
                (values["running_floor_cmm_s"], threshold.release(values["running_floor_cmm_s"], 0, absolute)),
            )
        )
        # By metric number; None where a metric is not watched or not learned.
        self._thresholds = [None] * _PLACES
        self._baselines = [None] * _PLACES
        self._found = [None] * _PLACES
        self._axes = [0] * _PLACES
        self._fresh()
        self.not_running = False
        self._judged = False
        self.level = 0

    def evaluate(self, metrics, flags: int, now_s: int) -> tuple:
        """Judge one reading. now_s: seconds on a clock that does not stop in deep sleep; it may start again at 0."""
        self._gather(metrics)
        found = self._found
        good = not flags & _BAD
        at_least = flags & _BAD == schema.STATE_CLIPPED
        if good:
            self._gate.update(0, found[limits.ACCELERATION])
            self._gate.update(1, found[limits.VELOCITY])
        self.not_running = good and self._gate.state == gate.STOPPED
        self._judged = good and self._gate.state == gate.RUNNING
        changes = ()
        level = 0
        for metric in _WATCHED:
            watch = self._thresholds[metric]
            value = found[metric]
            before = watch.level
            if value is not None:
                if self._judged or metric in _OF_TEMPERATURE:
                    watch.update(abs(value) if metric == limits.VELOCITY_CHANGE else value, now_s)
                elif self.not_running:
                    watch.clear()
                elif at_least and metric == limits.ACCELERATION:
                    watch.at_least(value, now_s)
            if watch.level != before:
                limit = -watch.limit if metric == limits.VELOCITY_CHANGE and value < 0 else watch.limit
                changes += ((metric, self._axes[metric], watch.level, value, limit),)
            level = max(level, watch.level)
        self.level = level
        if self._judged:
            self._learn()
        return changes

    def zone(self, velocity_cmm_s) -> int:
        """0 not rated, 1-4 A-D: of a velocity of the reading just evaluated, or None.

        0 as well when that reading was clipped, lossy or faulty, or the machine is not known to run.
        """
        return self.machine.zone(velocity_cmm_s) if self._judged else zones.NOT_RATED

    def state(self) -> bytes:
        """All that must survive deep sleep, STATE_BYTES long."""
        data = bytearray(STATE_BYTES)
        struct.pack_into(_HEAD, data, 0, _VERSION, self._values["baseline_number"], self._gate.pack())
        for index in range(len(_WATCHED)):
            self._thresholds[_WATCHED[index]].pack_into(data, _HEAD_BYTES + index * threshold.STATE_BYTES)
        for index in range(len(_LEARNED)):
            self._baselines[_LEARNED[index]].pack_into(data, _BASELINES_AT + index * baseline.STATE_BYTES)
        struct.pack_into("<I", data, _CRC_AT, _crc(data))
        return bytes(data)

    def restore(self, data: bytes) -> bool:
        """Go on from a saved state. False: it was none, this is a fresh start.

        The settings may have changed since: levels whose limit is off are forgotten, and with another baseline_number
        so are the baselines.
        """
        self._fresh()
        if len(data) != STATE_BYTES or struct.unpack_from("<I", data, _CRC_AT)[0] != _crc(data):
            return False
        version, number, gate_state = struct.unpack_from(_HEAD, data, 0)
        if version != _VERSION:
            return False
        self._gate.unpack(gate_state)
        if number == self._values["baseline_number"]:
            for index in range(len(_LEARNED)):
                self._baselines[_LEARNED[index]].unpack_from(data, _BASELINES_AT + index * baseline.STATE_BYTES)
            self._set_limits()
        for index in range(len(_WATCHED)):
            watch = self._thresholds[_WATCHED[index]]
            watch.unpack_from(data, _HEAD_BYTES + index * threshold.STATE_BYTES)
            self.level = max(self.level, watch.level)
        return True

    # --- inside

    def _fresh(self) -> None:
        values = self._values
        for metric in _WATCHED:
            velocity = metric in _IN_0_01_MM_S
            self._thresholds[metric] = threshold.Threshold(
                0 if velocity else values["hysteresis_percent"],
                values["hysteresis_cmm_s"] if velocity else 0,
                values["confirm_readings"],
                values["confirm_of"],
                values["hold_off_s"],
            )
        for metric in _LEARNED:
            self._baselines[metric] = baseline.Baseline(values["baseline_readings"])
        self._gate.unpack(0)
        self.level = 0
        self._set_limits()

    def _set_limits(self) -> None:
        for metric in _WATCHED:
            warning, danger = limits.limits(metric, self._values, self.machine, self._usual(metric))
            self._thresholds[metric].set_limits(warning, danger)

    def _usual(self, metric: int):
        """Baseline of a metric as it is used, or None."""
        if metric in _IN_0_01_MM_S:
            return self._values["velocity_baseline_cmm_s"] or self._baselines[limits.VELOCITY].value
        learned = self._baselines[metric]
        return None if learned is None else learned.value

    def _gather(self, metrics) -> None:
        """Largest value of each metric and its axis, then what is worked out from them."""
        found, axes = self._found, self._axes
        for metric in _WATCHED:
            found[metric] = None
        for metric, axis, value in metrics:
            if value is not None and metric < _PLACES and (found[metric] is None or value > found[metric]):
                found[metric] = value
                axes[metric] = axis
        # Worked out here and nowhere else, whatever was given.
        found[limits.TEMPERATURE_RISE] = found[limits.VELOCITY_CHANGE] = None
        if found[limits.TEMPERATURE] is not None:
            reference = self._values["ambient_dc"]
            if reference == _NO_AMBIENT_DC:
                reference = self._baselines[limits.TEMPERATURE].value
            if reference is not None:
                found[limits.TEMPERATURE_RISE] = found[limits.TEMPERATURE] - reference
        usual = self._usual(limits.VELOCITY)
        if found[limits.VELOCITY] is not None and usual is not None:
            found[limits.VELOCITY_CHANGE] = found[limits.VELOCITY] - usual
            axes[limits.VELOCITY_CHANGE] = axes[limits.VELOCITY]

    def _learn(self) -> None:
        complete = False
        for metric in _LEARNED:
            value = self._found[metric]
            if value is not None and self._baselines[metric].learn(value):
                complete = True
        if complete:
            self._set_limits()


def _crc(data: bytes) -> int:
    return binascii.crc32(memoryview(data)[:_CRC_AT]) & 0xFFFFFFFF
