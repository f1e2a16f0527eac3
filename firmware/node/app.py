"""The application: the only file that knows every stage. It composes them into a Node; modes.py says what happens when.

    acquire -> features -> alarm -> message -> store -> link -> sleep

main() is what the loader calls: run until Ctrl-C (then the REPL) or a crash (then a restart, later each time).
"""

import gc
import sys

import board

from judder_core import line, schema
from judder_core.errors import JudderError
from node import commands, config, cycle, delivery, keep, links, modes, parts, report, trial
from node.alarm.engine import Engine
from node.dsp import decimate, envelope, features, fft, moments, spectrum, stats
from node.hal import clock as ticks
from node.hal import identity, partition, power, rtc, watchdog
from node.link.serial import Serial
from node.message import build
from node.sensors import SensorError
from node.store.outbox import Outbox
from node.store.records import Records

OUTBOX_MESSAGES = 64
# A waveform in more messages than this is refused: they would push readings out of the outbox.
_CAPTURE_MESSAGES = 48
# After a start by hand: long enough for a host to connect and stop the application before the dog or sleep take over.
_GRACE_MS = 15000
_HEALTHY_MS = 60000
_QUIET_MS = 8000
_CRASH_FIRST_S = 5
_CRASH_LIMIT_S = 300

_node = None


class Node:
    """Everything of one run. cause: index into schema.RESET_CAUSES; state: hal.rtc.State, already loaded."""

    def __init__(self, cause: int, state):
        self.cause = cause
        self.state = state
        self.clock = ticks.Clock()
        self._shift_ms = 0
        asleep_ms = 0
        if cause == power.DEEP_SLEEP:
            self.clock.resume(state.uptime_ms, state.planned_ms, state.slept_at_ms)
            asleep_ms = self.clock.uptime_ms() - state.uptime_ms
        else:
            # The clock starts at nought; messages kept over the restart were measured before that.
            self._shift_ms = state.uptime_ms
            state.hello_at_ms = 0
        state.boots += 1
        self._armed = False
        self.config = config.Config(Records(partition.find("cfg")))
        self.values = values = self.config.values
        self.node_id = values["node_id"] or identity.node_id()
        self.console = Serial(self.node_id, line.encode)
        self.link = self.console
        self.vibration_name = parts.vibration_name(board, values)
        self.temperature_name = parts.temperature_name(board, values)
        self._todo = []
        self.report_wanted = self.spectrum_wanted = False
        # Record whose spectra went out last.
        self._spectrum_of = 0
        # What the console was told of the sensors last.
        self._complaint = ""
        self.say = say
        self.keep = keep.Keep(state, self.clock, self.tick, asleep_ms)
        self._fault_said = ""
        if self.config.provisioned:
            self._compose(values)
        self.started_ms = self.clock.uptime_ms()
        if cause == power.DEEP_SLEEP:
            self._arm()

    def _compose(self, values: dict) -> None:
        faults = []
        drivers = []
        for make in (parts.vibration, parts.temperature):
            try:
                drivers.append(make(board, values))
            except (SensorError, OSError, ValueError) as error:
                drivers.append(None)
                faults.append(str(error))
        self.wiring_fault = "; ".join(faults)
        self.engine = Engine(values)
        # Buffers first, while the heap is whole, and without what the imports left; the radio takes its share later.
        gc.collect()
        self.cycle = cycle.Cycle(
            features.Features(
                (stats, moments, envelope, decimate, fft, spectrum),
                self.engine.machine.band_low_hz < 10,
                [(values["band%d_low_hz" % i], values["band%d_high_hz" % i]) for i in range(1, 5)],
                drivers[0].NOMINAL_HZ if drivers[0] is not None else 26667,
            ),
            drivers[0],
            drivers[1],
            parts.range_g(values),
            values["block_samples"],
            self.engine,
        )
        self.battery = parts.battery(board)
        try:
            self.link = links.make(board, values, self.node_id, self.console, self.keep, self.say)
        except (JudderError, OSError, ValueError) as error:
            self.say("link %s: %s; messages go to the console" % (schema.LINKS[values["link"]], error))
        self.commands = commands.Commands(self.config, self.state.downlinks_refused, self._can_capture)
        self.delivery = delivery.Delivery(Outbox(OUTBOX_MESSAGES), self.link, build, self.clock, self.tick)
        self.delivery.dropped = self.state.dropped
        self.failures_before = self.state.link_failures
        self.engine.restore(self.state.alarm)
        self.cycle.moved = self.state.moved
        self.delivery.thaw(self.state.queue, self._shift_ms)
        self.trial = trial.Trial(self.config, self.state, self.link, self.delivery, build, self.say)

    # --- messages

    def hello(self) -> list:
        """Values of a HELLO now."""
        flags = 0
        if "synthetic" in (self.vibration_name, self.temperature_name):
            flags |= schema.HELLO_SYNTHETIC
        if not ticks.is_set():
            flags |= schema.HELLO_CLOCK_NOT_SET
        named = {
            "firmware": build.version(board.FIRMWARE),
            "micropython": build.version(sys.implementation.version),
            "board": board.NUMBER,
            "reset_cause": self.cause,
            "uptime": self.clock.uptime_ms() // 1000,
            "settings_crc": self.config.crc,
            "tls_library": build.version(identity.tls_library()),
            "vibration_sensor": schema.VIBRATION_SENSORS.index(self.vibration_name),
            "temperature_sensor": schema.TEMPERATURE_SENSORS.index(self.temperature_name),
            "link": self.values["link"],
            "boots": self.state.boots,
        }
        if self.config.provisioned:
            self._count()
            named["battery"] = self.battery_mv()
            named["queue_depth"] = self.delivery.waiting()
            named["dropped"] = self.state.dropped
            named["link_failures"] = self.state.link_failures
            named["downlinks_refused"] = self.state.downlinks_refused
            if self.cycle.fault or self.wiring_fault:
                flags |= schema.HELLO_SENSOR_FAULT
            if self.link.fault:
                flags |= schema.HELLO_RADIO_FAULT
            for name, value in self.link.report():
                named[name] = value
        else:
            flags |= schema.HELLO_NOT_PROVISIONED
        named["flags"] = flags
        return build.hello(named)

    def announce(self, starting: bool) -> None:
        """HELLO over the link; when starting, on the console at once, whatever the link is and whatever comes next."""
        values = self.hello()
        if starting:
            message = build.finish(build.pack(schema.HELLO, values), 0, self.console.limit())
            self.console.send(message, False)
        if self.config.provisioned:
            self.state.hello_at_ms = self.clock.uptime_ms()
            if not starting or self.link is not self.console:
                self.delivery.put(schema.HELLO, values, self.state.hello_at_ms)

    def battery_mv(self):
        """None when the board cannot tell."""
        try:
            return self.battery.read_mv() if self.battery is not None else None
        except OSError:
            return None

    def measure(self, patient: bool, record: bool = False) -> bool:
        """One block, or with `record` as many as velocity needs; alarms go into the outbox at once.

        True when a level changed.
        """
        self.measured_ms = self.clock.uptime_ms()
        # The reading made of this block has this number, or the next one will.
        self.block = self.state.sequence
        changes = self.cycle.measure(self.measured_ms, patient, record)
        why = self.cycle.why if self.cycle.fault else ""
        if why and why != self._fault_said:
            self.say("fault: " + why)
        self._fault_said = why
        for metric, axis, level, value, limit in changes:
            message = build.alarm(self._bits(level, axis), metric, value, limit, self.state.sequence)
            self.delivery.put(schema.ALARM, message, self.measured_ms)
        complaint = self.cycle.why if self.cycle.fault else ""
        if complaint != self._complaint:
            self._complaint = complaint
            self.say("sensor fault: " + complaint if complaint else "the sensors answer again")
        return bool(changes)

    def report(self) -> None:
        """A READING of the block just measured."""
        c = self.cycle
        bits = self._bits(self.engine.level, c.axis)
        number = self.state.sequence
        more = report.reading(c)
        # How many were lost is said only when it is certain; that there were, the state says.
        lost = c.lost if c.lost_exact else None
        values = build.reading(
            bits, c.temperature_dc, number, c.rms_mg, c.peak_mg, self.battery_mv(), c.rate_dhz, lost, more
        )
        self.delivery.put(schema.READING, values, self.measured_ms)
        velocity = c.features.velocity
        # Of each record once, when the setting says so; asked for, also again.
        fresh = self.values["spectrum"] and velocity.count != self._spectrum_of
        if c.velocity_c is not None and (fresh or self.spectrum_wanted):
            self._spectrum_of = velocity.count
            self.spectrum_wanted = False
            for axis in range(1, 4):
                lines, bands = report.spectrum(c, axis)
                values = build.spectrum(axis, number, velocity.resolution_mhz, lines, bands)
                self.delivery.put(schema.SPECTRUM, values, self.measured_ms)
        self.state.sequence += 1

    def _bits(self, level: int, axis: int) -> int:
        c, engine = self.cycle, self.engine
        fault = c.fault or bool(self.wiring_fault)
        zone, uncovered = 0, False
        if c.velocity_c is not None:
            zone = engine.zone(max(c.velocity_c))
            uncovered = not c.features.velocity.covered
        stopped = engine.not_running
        return build.state(level, axis, c.clipped, c.lost > 0, fault, not ticks.is_set(), zone, stopped, uncovered)

    # --- what comes down

    def obey(self) -> bool:
        """Handle downlinks. True when there is something new to send or do."""
        if self.trial.judge(self.clock.uptime_ms()):
            self.restart()
        for payload in self.link.poll():
            answer, todo = self.commands.handle(payload)
            if answer is not None:
                self.delivery.put(schema.ACK, build.ack(*answer), self.clock.uptime_ms())
            if todo is not None:
                self._todo.append(todo)
        acted = bool(self._todo)
        for todo in self._todo:
            if todo[0] == "hello":
                self.announce(False)
            elif todo[0] == "capture":
                self._capture(todo[1])
            elif todo[0] == "reading":
                self.report_wanted = True
            elif todo[0] == "spectrum":
                # With a reading, so that it has something to belong to; later if velocity is not there yet.
                self.report_wanted = self.spectrum_wanted = True
            else:
                self.say("restart, as told")
                self.delivery.flush(self.values["timeout_s"] * 1000)
                self.restart()
        self._todo = []
        return acted

    def _can_capture(self) -> bool:
        c = self.cycle
        return c.rms_mg is not None and 0 < build.fragments_of(c.samples, self.link.limit()) <= _CAPTURE_MESSAGES

    def _capture(self, axis: int) -> None:
        c = self.cycle
        samples = c.buffers[axis - 1]
        number = self.state.capture
        self.state.capture = (number + 1) & 0xFFFF
        limit = self.link.limit()
        for part in build.capture(number, axis, self.block, c.rate_dhz, c.scale_ug, samples, c.samples, limit):
            self.delivery.put(schema.CAPTURE, part, self.measured_ms)

    # --- time

    def tick(self) -> None:
        """Call often: feeds the watchdog, arms it when the time has come."""
        watchdog.feed()
        up_ms = self.clock.uptime_ms() - self.started_ms
        if not self._armed and up_ms > _GRACE_MS:
            self._arm()
        if self.state.crashes and up_ms > _HEALTHY_MS:
            self.state.crashes = 0

    def _arm(self) -> None:
        watchdog.arm(self.values["watchdog_s"])
        self._armed = True

    def in_grace(self) -> bool:
        """Started by hand just now: stay awake, somebody may be about to connect."""
        return self.cause != power.DEEP_SLEEP and self.clock.uptime_ms() - self.started_ms < _GRACE_MS

    # --- what survives

    def _count(self) -> None:
        self.state.dropped = self.delivery.dropped
        self.state.link_failures = self.failures_before + self.link.failures
        self.state.downlinks_refused = self.commands.refused + self.link.refused

    def save(self, freeze: bool = False, planned_ms: int = 0) -> None:
        """Counters and alarms into RTC memory. freeze: with what is left in the outbox; the outbox is empty afterwards.

        Without freeze the queue there stays as it was until everything is delivered: after a crash the host may see
        a reading twice, but not never.
        """
        self._count()
        self.state.alarm = self.engine.state()
        self.state.session = self.link.session()
        self.state.moved = self.cycle.moved
        if freeze:
            self.state.queue = self.delivery.freeze()
            self.state.dropped = self.delivery.dropped
        elif not self.delivery.waiting():
            self.state.queue = []
        self.state.uptime_ms = self.clock.uptime_ms()
        self.state.slept_at_ms = ticks.epoch_ms()
        self.state.planned_ms = planned_ms
        left_out = self.state.save()
        if left_out:
            self.state.dropped += left_out
            self.state.queue = self.state.queue[: len(self.state.queue) - left_out]
            self.state.save()

    def restart(self) -> None:
        """Reset the chip; what is not delivered comes along. Not amid receive windows: after it they are forgotten."""
        until_ms = self.clock.uptime_ms() + _QUIET_MS
        while not self.link.ready() and self.clock.uptime_ms() < until_ms:
            self.link.step(50)
            self.tick()
        self.link.close()
        self.save(freeze=True)
        power.reset()


# --- start and end


def say(text: str) -> None:
    """One line on the console for people."""
    print("judder: " + text)


def run() -> None:
    """Start the node. Returns only by an exception."""
    global _node
    cause = power.reset_cause()
    state = rtc.State()
    if cause != power.POWER_ON:
        state.load()
    node = Node(cause, state)
    gc.collect()
    # From here on nothing collects of itself while there is room; the loader had it so while modules were loading.
    gc.threshold(-1)
    _node = node
    if node.config.fault:
        say("settings not used: " + node.config.fault)
    if not node.config.provisioned:
        modes.wait_for_provisioning(node)
    if cause != power.DEEP_SLEEP:
        if node.wiring_fault:
            say("sensor fault: " + node.wiring_fault)
        if node.values["machine_group"] and node.engine.machine.reason:
            say("not rated: " + node.engine.machine.reason)
        node.announce(True)
    (modes.duty if node.values["mode"] == 0 else modes.continuous)(node)


def main() -> None:
    """run(), and what to do when it ends: the REPL for Ctrl-C, a restart after a pause for anything else."""
    try:
        try:
            run()
        except Exception as error:
            sys.print_exception(error)
            restart_later()
    except KeyboardInterrupt:
        watchdog.relax()
        say("stopped; machine.reset() or the reset button starts it again")


def restart_later() -> None:
    """A pause that grows with every crash in a row, during which Ctrl-C reaches the REPL; then a reset."""
    node = _node
    state = node.state if node is not None else rtc.State()
    if node is None:
        state.load()
    state.crashes = min(state.crashes + 1, 1000)
    delay_s = min(_CRASH_FIRST_S << min(state.crashes - 1, 6), _CRASH_LIMIT_S)
    say("crashed; restart in %d s, Ctrl-C for the REPL" % delay_s)
    for _ in range(delay_s * 10):
        watchdog.feed()
        ticks.sleep_ms(100)
    try:
        if node is not None and node.config.provisioned:
            node.save(freeze=True)
        else:
            state.save()
    except Exception as error:
        sys.print_exception(error)
    power.reset()
