"""LoRa radios behind one contract. Class A only: one frame out, then windows in which one frame may come in.

    start()             power, reset, identity, calibration; ends asleep. Also what brings a radio back after an error
    transmit(frame, frequency_hz, sf, bandwidth_hz, power_dbm)
                        1 to 255 bytes; returns as soon as the radio sends. Preamble 8, explicit header, CRC, coding
                        rate 4/5, IQ normal, public sync word. Power at the antenna connector, within POWER_DBM
    stage(frequency_hz, sf, bandwidth_hz, symbols)
                        all of a window but its start, IQ inverted; the oscillator runs afterwards. symbols: time-out
    listen(at_us)       waits until ticks_us() is nearly at_us, then starts the receiver, which is open at at_us.
                        Allocates nothing, feeds no watchdog. late_us: how much too late it was asked, or 0
    poll()              None, SENT, HEARD, SILENT or DAMAGED; over SPI only when the interrupt pin says so, or to end a
                        window that stayed empty: asked every few milliseconds, it ends windows to the symbol
    sleep()             least current. Settings of the radio may be lost in it, transmit() makes them again
    POWER_DBM           (lowest, highest) power
    ended_us            ticks_us() when the last frame had left the antenna; after SENT
    frame               memoryview of the frame heard, until the next call; after HEARD
    rssi_dbm, snr_qdb   of that frame: of the signal itself, dBm, and over the noise in 0.25 dB

All raise RadioError.
"""

import time

from judder_core.errors import JudderError
from node.link.lorawan.airtime import symbol_us, time_on_air_us

SENT = 1
HEARD = 2
SILENT = 3
DAMAGED = 4

_SENDING = 1
_LISTENING = 2
# So long before a window begins or ends the clock is looked at all the time: more than a tick of the operating system.
SPIN_US = 4000
# How long after it was due an interrupt is given up.
_PATIENCE_US = 100000
_RESET_US = 200  # both chips want 100


class RadioError(JudderError):
    """A radio that does not answer, or does not do what it should. Names chip and pins."""


def low_rate(sf: int, bandwidth_hz: int) -> bool:
    """Whether the low data rate optimisation is on: symbols of 16 ms and more."""
    return symbol_us(sf, bandwidth_hz) >= 16000


class Radio:
    """What both drivers share. port: node.link.radio.spi.Port. range_dbm: of the chip, pa_gain_db: of an amplifier."""

    def __init__(self, port, chip: str, range_dbm: tuple, pa_gain_db: int = 0):
        self._port = port
        self.name = "%s on %s" % (chip, port.name)
        self._gain_db = pa_gain_db
        self.POWER_DBM = (range_dbm[0] + pa_gain_db, range_dbm[1] + pa_gain_db)
        self.ended_us = 0
        self.late_us = 0
        self.rssi_dbm = 0
        self.snr_qdb = 0
        self._buffer = bytearray(256)
        self._length = 0
        self._asleep = False
        self._doing = 0
        self._due = 0  # ticks_us: when what is under way should be over
        self._longest_us = 0  # of the window staged
        self._lead_us = 0  # from "now" in listen() to the open receiver

    @property
    def frame(self):
        return memoryview(self._buffer)[: self._length]

    def sleep(self) -> None:
        if self._asleep:
            return
        if self._doing:
            raise RadioError("%s is busy with another frame" % self.name)
        self._go_to_sleep()
        self._asleep = True

    def _reset(self) -> None:
        """Supplies on, and as after power-on."""
        self._doing = 0
        self._asleep = False
        self._port.power()
        self._port.reset(0)
        time.sleep_us(_RESET_US)
        self._port.reset(1)

    def _chip_dbm(self, power_dbm: int) -> int:
        """Power of the chip for one at the antenna connector."""
        low, high = self.POWER_DBM
        return min(max(power_dbm, low), high) - self._gain_db

    def _check(self, size: int) -> None:
        if self._doing:
            raise RadioError("%s is busy with another frame" % self.name)
        if not 1 <= size <= 255:
            raise RadioError("%s: a frame of %d bytes cannot be sent (1 to 255)" % (self.name, size))

    def _sends(self, begun_us: int, size: int, sf: int, bandwidth_hz: int) -> None:
        """Since begun_us a frame leaves the antenna."""
        self._doing = _SENDING
        self._due = time.ticks_add(begun_us, time_on_air_us(sf, bandwidth_hz, size))

    def _sent(self) -> None:
        """It has left. When, follows better from its length than from when somebody looked."""
        now = time.ticks_us()
        self.ended_us = now if time.ticks_diff(self._due, now) > 0 else self._due
        self._doing = 0

    def _plan(self, symbols: int, sf: int, bandwidth_hz: int) -> None:
        """The next window: at its longest a frame begins at its end, and is as long as any."""
        self._longest_us = symbols * symbol_us(sf, bandwidth_hz) + time_on_air_us(sf, bandwidth_hz, 255)

    def _opens(self, at_us: int) -> None:
        """The receiver is about to open at at_us."""
        self._doing = _LISTENING
        self._due = time.ticks_add(at_us, self._longest_us)

    def _sending(self) -> bool:
        return self._doing == _SENDING

    def _wait_for(self, at_us: int) -> None:
        """Until it is time to open the receiver."""
        start = time.ticks_add(at_us, -self._lead_us)
        left = time.ticks_diff(start, time.ticks_us())
        self.late_us = max(0, -left)
        while left > SPIN_US + 1000:
            time.sleep_ms((left - SPIN_US) // 1000)
            left = time.ticks_diff(start, time.ticks_us())
        while time.ticks_diff(start, time.ticks_us()) > 0:
            pass

    def _overdue(self) -> None:
        """Raises once what is under way should long be over."""
        if time.ticks_diff(time.ticks_us(), self._due) > _PATIENCE_US:
            doing, self._doing = self._doing, 0
            what = "the end of a transmission" if doing == _SENDING else "the end of a window"
            raise RadioError("%s: %s never came; is its interrupt pin wired?" % (self.name, what))
