"""SX1262 LoRa transceiver (Semtech, data sheet SX1261/2 rev. 2.1; section 15 for the workarounds).

radio = SX1262(port, tcxo_mv=1800, dio2_switch=True); radio.start()

The contract is in node.link.radio. Between a frame and its windows the chip stands by with its oscillator running, so
that the receiver opens a fixed time after SetRx, whatever a TCXO takes to start.

The chip counts the symbols of a window in pairs up to 62, then in eights. It is told the next number it can count; at
the end of those asked poll() takes it to standby, unless it has told of a preamble by then. It tells on DIO1, so that
the end takes one transfer, not a question and its answer. Windows leave it six symbols of a preamble at least: a chip
that needs more to tell than to lock would lose downlinks where they are ended like that (not tried on hardware).
"""

import struct
import time

from node.link.lorawan.airtime import symbol_us, time_on_air_us
from node.link.radio import DAMAGED, HEARD, SENT, SILENT, SPIN_US, Radio, RadioError, low_rate

_SET_SLEEP_WARM = b"\x84\x04"
_STANDBY_RC = b"\x80\x00"
_STANDBY_XOSC = b"\x80\x01"
_REGULATOR_DC_DC = b"\x96\x01"
_CALIBRATE_ALL = b"\x89\x7f"
_PACKET_TYPE_LORA = b"\x8a\x01"
_FALLBACK_XOSC = b"\x93\x30"
_DIO2_SWITCH = b"\x9d\x01"
_BUFFER_BASES_ZERO = b"\x8f\x00\x00"
_PA_22_DBM = b"\x95\x04\x07\x00\x01"  # table 13-21: the setting SetTxParams counts down from
_CLEAR_ERRORS = b"\x07\x00\x00"
_CLEAR_IRQ = b"\x02\x03\xff"
_CLEAR_PREAMBLE = b"\x02\x00\x04"
_GET_ERRORS = b"\x17\x00"
_GET_IRQ = b"\x12\x00"
_GET_RX_BUFFER = b"\x13\x00"
_GET_PACKET_STATUS = b"\x14\x00"
_TIMER_UNTIL_HEADER = b"\x9f\x00"

# Registers, section 12.
_SYMBOL_TIMEOUT = 0x0706
_IQ_POLARITY = 0x0736
_SYNC_WORD = 0x0740
_TX_MODULATION = 0x0889
_RX_GAIN = 0x08AC
_TX_CLAMP = 0x08D8
_OCP = 0x08E7
_RTC_CONTROL = 0x0902
_EVENT_CLEAR = 0x0944

_SYNC_AFTER_RESET = b"\x14\x24"
_SYNC_PUBLIC = b"\x34\x44"

# Interrupts, table 13-29.
_TX_DONE = 0x0001
_RX_DONE = 0x0002
_PREAMBLE = 0x0004
_HEADER_ERROR = 0x0020
_CRC_ERROR = 0x0040
_TIMEOUT = 0x0200
_ENDS = _TX_DONE | _RX_DONE | _HEADER_ERROR | _TIMEOUT
_DIO_IRQ = struct.pack(">BHHHH", 0x08, _ENDS | _CRC_ERROR | _PREAMBLE, _ENDS | _PREAMBLE, 0, 0)

# Table 13-35.
_TCXO_MV = (1600, 1700, 1800, 2200, 2400, 2700, 3000, 3300)
_TCXO_START_MS = 10
_XOSC_ERROR = 0x0020
_BANDWIDTH_CODES = {125000: 4, 250000: 5, 500000: 6}
# Table 9-2: highest MHz of a band, the arguments of CalibrateImage.
_IMAGE_BANDS = (
    (440, b"\x98\x6b\x6f"),
    (510, b"\x98\x75\x81"),
    (787, b"\x98\xc1\xc5"),
    (890, b"\x98\xd7\xdb"),
    (1020, b"\x98\xe1\xe9"),
)
_RAMP_40_US = 2
_BUSY_LIMIT_US = 60000  # calibration and a TCXO's start, and room
_XOSC_TO_RX_US = 62  # table 8-2
_XOSC_TO_TX_US = 105
# Preamble, sync word and header are over so many symbols after a modem can have locked on the frame, and room: until
# then the timer behind the symbol time-out ends a reception that was none.
_HEADER_SYMBOLS = 32


def symbol_timeout(symbols: int) -> tuple:
    """(what the chip will count, code for register 0x0706): mantissa * 2^(2 * exponent + 1), rounded up, to 248."""
    mantissa = (min(symbols, 248) + 1) >> 1
    exponent = 0
    while mantissa > 31:
        mantissa = (mantissa + 3) >> 2
        exponent += 1
    return mantissa << (2 * exponent + 1), mantissa << 3 | exponent


def frequency_code(frequency_hz: int) -> int:
    """Steps of 32 MHz / 2^25 = 15625 / 16384 Hz, to the nearest; nothing on the way needs more than 30 bits."""
    whole, rest = frequency_hz // 15625, frequency_hz % 15625
    return whole * 16384 + (rest * 16384 + 7812) // 15625


class SX1262(Radio):
    """port: node.link.radio.spi.Port. tcxo_mv: supply of a TCXO on DIO3, None with a crystal. dio2_switch: DIO2 turns
    the antenna switch. pa_gain_db: of an amplifier behind the chip.
    """

    def __init__(self, port, tcxo_mv=None, dio2_switch: bool = False, pa_gain_db: int = 0):
        Radio.__init__(self, port, "SX1262", (-9, 22), pa_gain_db)
        self._tcxo_mv = tcxo_mv
        self._dio2_switch = dio2_switch
        self._image = b""
        self._out = bytearray(9)
        self._outs = tuple([memoryview(self._out)[:n] for n in range(10)])
        self._register = bytearray(b"\x1d\x00\x00\x00")
        self._one = bytearray(1)
        self._two = bytearray(2)
        self._three = bytearray(3)
        self._set_rx = bytearray(b"\x82\x00\x00\x00")
        self._read_buffer = bytearray(b"\x1e\x00\x00")
        self._asked_us = 0  # length of the window staged
        self._ends_us = 0  # ticks_us: when an empty window is over, as long as _watching
        self._rounded = self._watching = False
        self._transfer_us = 0

    # --- contract

    def start(self) -> None:
        self._reset()
        self._image = b""
        self._ready()
        self._write(_STANDBY_RC)
        self._identify()
        if self._tcxo_mv is not None:
            ticks = _TCXO_START_MS * 64
            self._command(">BBBH", 0x97, _TCXO_MV.index(self._tcxo_mv), 0, ticks)
        # After a start without its TCXO the chip says so, and only the oscillators inside are calibrated.
        self._write(_CLEAR_ERRORS)
        self._write(_CALIBRATE_ALL)
        self._write(_STANDBY_XOSC)
        self._read(_GET_ERRORS, self._two)
        errors = self._two[0] << 8 | self._two[1]
        if errors & _XOSC_ERROR:
            raise RadioError("%s: its oscillator does not start; does tcxo_mv fit the board?" % self.name)
        if errors:
            raise RadioError("%s: calibration failed, errors 0x%04x" % (self.name, errors))
        if self._dio2_switch:
            self._write(_DIO2_SWITCH)
        self._write(_REGULATOR_DC_DC)
        self._write(_PACKET_TYPE_LORA)
        self._write(_FALLBACK_XOSC)
        self._write(_BUFFER_BASES_ZERO)
        self._store(_SYNC_WORD, _SYNC_PUBLIC[0])
        self._store(_SYNC_WORD + 1, _SYNC_PUBLIC[1])
        self._write(_DIO_IRQ)
        self._write(_TIMER_UNTIL_HEADER)
        self._measure()
        self.sleep()

    def transmit(self, frame, frequency_hz: int, sf: int, bandwidth_hz: int, power_dbm: int) -> None:
        size = len(frame)
        self._check(size)
        self._wake()
        self._tune(frequency_hz, sf, bandwidth_hz)
        self._command(">BHBBBB", 0x8C, 8, 0, size, 1, 0)
        self._change(_IQ_POLARITY, 4, 4)  # 15.4: normal IQ
        self._change(_TX_MODULATION, 4, 0 if bandwidth_hz == 500000 else 4)  # 15.1
        self._change(_TX_CLAMP, 0x1E, 0x1E)  # 15.2
        self._write(_PA_22_DBM)
        self._store(_OCP, 0x38)  # 140 mA; the command before sets it too
        self._command(">BbB", 0x8E, self._chip_dbm(power_dbm), _RAMP_40_US)
        self._ready()
        self._port.write_from(b"\x0e\x00", frame)
        self._write(_CLEAR_IRQ)
        self._port.antenna(1)
        self._watching = False
        ticks = (time_on_air_us(sf, bandwidth_hz, size) + 200000) // 125 * 8
        self._command(">BBH", 0x83, ticks >> 16, ticks & 0xFFFF)
        self._sends(time.ticks_add(time.ticks_us(), _XOSC_TO_TX_US), size, sf, bandwidth_hz)

    def stage(self, frequency_hz: int, sf: int, bandwidth_hz: int, symbols: int) -> None:
        self._check(1)
        self._wake()
        self._tune(frequency_hz, sf, bandwidth_hz)
        self._command(">BHBBBB", 0x8C, 8, 0, 255, 0, 1)
        self._change(_IQ_POLARITY, 4, 0)  # 15.4: inverted IQ
        self._store(_RX_GAIN, 0x96)  # boosted: 3 dB for 2 mA, and the window is short
        counted, code = symbol_timeout(symbols)
        self._command(">BB", 0xA0, counted)
        self._store(_SYMBOL_TIMEOUT, code)
        self._write(_CLEAR_IRQ)
        self._plan(counted, sf, bandwidth_hz)
        self._asked_us = symbols * symbol_us(sf, bandwidth_hz)
        self._rounded = counted > symbols
        ticks = (counted + _HEADER_SYMBOLS) * symbol_us(sf, bandwidth_hz) // 125 * 8
        struct.pack_into(">BH", self._set_rx, 1, ticks >> 16, ticks & 0xFFFF)
        self._port.antenna(0)
        self._ready()

    def listen(self, at_us: int) -> None:
        self._wait_for(at_us)
        self._port.write(self._set_rx)
        # The chip obeys at about the middle of a transfer: of this one, and of the one that ends the window. Three
        # quarters of one are taken off: what either takes more or less hardly makes a window shorter than asked for.
        spare_us = self._transfer_us * 3 >> 2
        self._ends_us = time.ticks_add(time.ticks_us(), _XOSC_TO_RX_US + self._asked_us - spare_us)
        self._watching = self._rounded
        self._opens(at_us)

    def poll(self):
        if not self._doing:
            return None
        if not self._port.dio1():
            if self._watching and self._is_empty():
                # Without _write's look at BUSY, which _is_empty() has had.
                self._port.write(_STANDBY_XOSC)
                self._doing = 0
                self._port.antenna(-1)
                return SILENT
            self._overdue()
            return None
        self._read(_GET_IRQ, self._two)
        irq = self._two[0] << 8 | self._two[1]
        if not irq & _ENDS:
            # A preamble: the time-outs of the chip stand behind what follows from it. The end may have come meanwhile.
            self._watching = False
            self._write(_CLEAR_PREAMBLE)
            return None
        self._write(_CLEAR_IRQ)
        if self._sending():
            self._sent()
            self._port.antenna(-1)
            if not irq & _TX_DONE:
                raise RadioError("%s: the frame was not sent, interrupts 0x%04x" % (self.name, irq))
            return SENT
        self._doing = 0
        self._port.antenna(-1)
        if not irq & _RX_DONE:
            self._write(_STANDBY_XOSC)  # after a broken header it would go on
            return DAMAGED if irq & _HEADER_ERROR else SILENT
        # 15.3: else the timer of this reception ends the next one.
        self._store(_RTC_CONTROL, 0)
        self._change(_EVENT_CLEAR, 2, 2)
        if irq & _CRC_ERROR:
            return DAMAGED
        self._fetch()
        return HEARD

    # --- inside

    def _is_empty(self) -> bool:
        """Whether the window asked for is over and nothing has begun in it. Waits for its end when that is near."""
        if time.ticks_diff(self._ends_us, time.ticks_us()) > SPIN_US:
            return False
        self._ready()
        while time.ticks_diff(self._ends_us, time.ticks_us()) > 0:
            pass
        return not self._port.dio1()

    def _go_to_sleep(self) -> None:
        self._write(_STANDBY_RC)
        self._write(_SET_SLEEP_WARM)

    def _identify(self) -> None:
        """The chip has no number: its sync word is known after a reset."""
        found = bytes((self._load(_SYNC_WORD), self._load(_SYNC_WORD + 1)))
        if found != _SYNC_AFTER_RESET:
            raise RadioError(
                "no %s: it reads %s where %s stands after a reset" % (self.name, found.hex(), _SYNC_AFTER_RESET.hex())
            )

    def _measure(self) -> None:
        """What a command of four bytes takes this processor: so much earlier SetRx has to begin."""
        self._ready()
        took_us = 0
        for _ in range(4):
            begin = time.ticks_us()
            self._port.write(_CLEAR_IRQ)
            took_us += time.ticks_diff(time.ticks_us(), begin)
            self._ready()
        self._transfer_us = took_us // 4
        self._lead_us = self._transfer_us + _XOSC_TO_RX_US

    def _wake(self) -> None:
        if self._asleep:
            self._port.nudge()
            self._ready()
            self._asleep = False
        self._write(_STANDBY_XOSC)

    def _tune(self, frequency_hz: int, sf: int, bandwidth_hz: int) -> None:
        for limit_mhz, command in _IMAGE_BANDS:
            if frequency_hz <= limit_mhz * 1000000:
                if command is not self._image:
                    self._write(command)
                    self._image = command
                break
        self._command(">BI", 0x86, frequency_code(frequency_hz))
        self._command(">BBBBB", 0x8B, sf, _BANDWIDTH_CODES[bandwidth_hz], 1, low_rate(sf, bandwidth_hz))

    def _fetch(self) -> None:
        self._read(_GET_RX_BUFFER, self._two)
        self._length = self._two[0]
        self._read_buffer[1] = self._two[1]
        self._read(self._read_buffer, self._buffer)
        self._read(_GET_PACKET_STATUS, self._three)
        snr = self._three[1]
        self.snr_qdb = snr - 256 if snr > 127 else snr
        self.rssi_dbm = -(self._three[2] >> 1)  # of the signal, without the noise around it

    def _ready(self) -> None:
        """Waits for BUSY to fall."""
        busy = self._port.busy
        if not busy():
            return
        begin = time.ticks_us()
        while busy():
            if time.ticks_diff(time.ticks_us(), begin) > _BUSY_LIMIT_US:
                self._doing = 0
                raise RadioError("no %s: BUSY stays high" % self.name)

    def _write(self, command) -> None:
        self._ready()
        self._port.write(command)

    def _command(self, form: str, *values) -> None:
        struct.pack_into(form, self._out, 0, *values)
        self._write(self._outs[struct.calcsize(form)])

    def _read(self, command, into) -> None:
        self._ready()
        self._port.exchange(command, into)

    def _load(self, register: int) -> int:
        self._register[1] = register >> 8
        self._register[2] = register & 0xFF
        self._read(self._register, self._one)
        return self._one[0]

    def _store(self, register: int, value: int) -> None:
        out = self._out
        # One by one: a tuple of four would be on the heap.
        out[0] = 0x0D
        out[1] = register >> 8
        out[2] = register & 0xFF
        out[3] = value
        self._write(self._outs[4])

    def _change(self, register: int, mask: int, value: int) -> None:
        """The bits of `mask` become those of `value`."""
        self._store(register, self._load(register) & ~mask | value)
