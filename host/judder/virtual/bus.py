"""The supervisor's end of the node's socket: messages to chips and back.

`FrameReader` cuts the stream into messages, `Bus` answers those about pins, SPI, I2C, 1-Wire, ADC and the radio. What
concerns the life of the process (reset, sleep, watchdog) is the supervisor's.
"""

from __future__ import annotations

import errno
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from judder.virtual.chips.base import SpiChip
from judder.virtual.pins import I2cPins, SpiPins
from judder.virtual.standin import _wire as wire
from judder.virtual.uart import Uarts
from judder.virtual.wiring import Wiring

_REQUEST = struct.Struct(wire.REQUEST)
_REPLY = struct.Struct(wire.REPLY)

# From connect() to an address on a network that is there: typical of a WPA2 association with DHCP.
ASSOCIATION_US = 1_200_000
_STAT_IDLE, _STAT_CONNECTING, _STAT_GOT_IP = 1000, 1001, 1010
_STAT_NO_AP_FOUND, _STAT_WRONG_PASSWORD = 201, 202
_SLOT_US = 70  # a bit on a 1-Wire line: 60 us and a gap


@dataclass(frozen=True)
class Frame:
    """One message from the node. time_us: board time when it was made."""

    operation: int
    wants_reply: bool
    sequence: int
    time_us: int
    payload: bytes

    def reply(self, payload: bytes = b"", status: int = 0) -> bytes:
        """The answer to it, as bytes for the socket."""
        return _REPLY.pack(status, 0, self.sequence, len(payload)) + payload


class FrameReader:
    """Bytes in whatever pieces they come -> whole messages, each once."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._last = 0

    def feed(self, data: bytes) -> Iterator[Frame]:
        self._buffer += data
        while len(self._buffer) >= wire.REQUEST_BYTES:
            operation, wants, sequence, length, time_us = _REQUEST.unpack_from(self._buffer)
            end = wire.REQUEST_BYTES + length
            if len(self._buffer) < end:
                return
            payload = bytes(self._buffer[wire.REQUEST_BYTES : end])
            del self._buffer[:end]
            if not 0 < (sequence - self._last & 0xFFFF) < 0x8000:
                continue  # sent twice
            self._last = sequence
            yield Frame(operation, bool(wants), sequence, time_us, payload)


class Refused(Exception):
    """The chip side says no; the node sees OSError(number)."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@dataclass
class AccessPoint:
    """The Wi-Fi network in the air. ssid None: any name is found. key None: any password is right."""

    up: bool = True
    ssid: str | None = None
    key: str | None = None


@dataclass
class _SpiBus:
    baudrate: int = 0
    mode: int = 0
    sck: int = -1
    mosi: int = -1
    miso: int = -1


class Bus:
    """Routes transfers to the chips of a Wiring. handle() raises Refused for what no chip acknowledges."""

    def __init__(self, wiring: Wiring, access_point: AccessPoint | None = None) -> None:
        self.wiring = wiring
        self.access_point = access_point or AccessPoint()
        self.transfers = 0
        self._levels: dict[int, int] = {}
        self._now_us = 0
        self.reset()

    def reset(self) -> None:
        """The processor was reset: pins are inputs again, so no chip is selected; chips keep what they hold."""
        before, self._levels = self._levels, {}
        self._spi: dict[int, _SpiBus] = {}
        self._i2c: dict[int, I2cPins] = {}
        self._selected: dict[SpiPins, SpiChip] = {}
        self._connect: tuple[int, str, str] | None = None
        self._uarts = Uarts(self.wiring.uart)
        for chip in self.wiring.spi.values():
            chip.deselect(self._now_us)
        for pin in before:
            self._tell(pin)

    @property
    def outputs(self) -> dict[int, int]:
        """Levels the node has put on its pins."""
        return dict(self._levels)

    def handle(self, frame: Frame) -> bytes:
        """Answer one peripheral message (empty for one-way ones)."""
        operation, payload, now_us = frame.operation, frame.payload, frame.time_us
        self.transfers += 1
        self._now_us = now_us
        if operation == wire.PIN_SET:
            return self._pin_set(payload[0], payload[1], now_us)
        if operation == wire.PIN_GET:
            return bytes((self._level(payload[0], now_us),))
        if operation == wire.SPI_INIT:
            number, baudrate, polarity, phase, *pins = struct.unpack("<BIBBBBB", payload)
            self._spi[number] = _SpiBus(baudrate, polarity << 1 | phase, *pins)
            return b""
        if operation == wire.SPI_WRITE:
            self._exchange(payload[0], payload[1:], now_us)
            return b""
        if operation == wire.SPI_READ:
            number, fill, count = struct.unpack("<BBI", payload)
            return self._exchange(number, bytes((fill,)) * count, now_us)
        if operation == wire.SPI_DUPLEX:
            return self._exchange(payload[0], payload[1:], now_us)
        if operation == wire.I2C_INIT:
            number, _frequency, scl, sda = struct.unpack("<BIBB", payload)
            self._i2c[number] = I2cPins(scl, sda)
            return b""
        if operation == wire.I2C_TRANSFER:
            return self._i2c_transfer(payload, now_us)
        if operation == wire.ADC_READ:
            source = self.wiring.adc.get(payload[0])
            return struct.pack("<I", 0 if source is None else max(0, round(source.microvolts(now_us))))
        if operation in (wire.OW_RESET, wire.OW_READ, wire.OW_WRITE):
            return self._one_wire(operation, payload, now_us)
        if wire.UART_INIT <= operation <= wire.UART_ANY:
            return self._uarts.handle(operation, payload, now_us)
        return self._network(operation, payload, now_us)

    def _level(self, pin: int, now_us: int) -> int:
        if pin in self._levels:
            return self._levels[pin]
        driven = self.wiring.driven.get(pin)
        return self.wiring.inputs.get(pin, 1) if driven is None else driven(now_us)

    def _tell(self, pin: int) -> None:
        """A chip may hang on a pin the node has changed."""
        watcher = self.wiring.watchers.get(pin)
        if watcher is not None:
            watcher(self._levels.get(pin, self.wiring.inputs.get(pin, 1)), self._now_us)

    def _pin_set(self, pin: int, level: int, now_us: int) -> bytes:
        self._levels[pin] = level
        self._tell(pin)
        for place, chip in self.wiring.spi.items():
            if place.cs == pin:
                if level == 0:
                    self._selected[place] = chip
                    chip.select(now_us)
                elif place in self._selected:
                    del self._selected[place]
                    chip.deselect(now_us)
        return b""

    def _exchange(self, number: int, data: bytes, now_us: int) -> bytes:
        bus = self._spi.get(number, _SpiBus())
        for place, chip in self._selected.items():
            wired = (place.sck, place.mosi, place.miso) == (bus.sck, bus.mosi, bus.miso)
            if wired and bus.mode in chip.spi_modes and bus.baudrate <= chip.max_baudrate:
                return chip.exchange(data, now_us)
        return b"\xff" * len(data)  # nobody drives the line, the pull-up does

    def _i2c_transfer(self, payload: bytes, now_us: int) -> bytes:
        number, address, _stop, count = struct.unpack_from("<BBBH", payload)
        chips = self.wiring.i2c.get(self._i2c.get(number, I2cPins(-1, -1)), {})
        chip = chips.get(address)
        if chip is None:
            raise Refused(errno.ENODEV)
        written = payload[5:]
        if written:
            chip.write(written, now_us)
        return chip.read(count, now_us) if count else b""

    def _one_wire(self, operation: int, payload: bytes, now_us: int) -> bytes:
        line = self.wiring.one_wire.get(payload[0], ())
        if operation == wire.OW_RESET:
            # Every chip has to hear it.
            return bytes((sum([chip.reset(now_us) for chip in line]) > 0,))
        bits, value = payload[1], 0
        for place in range(bits):
            at_us = now_us + place * _SLOT_US
            if operation == wire.OW_WRITE:
                for chip in line:
                    chip.write_bit(payload[2] >> place & 1, at_us)
            else:
                # Open drain: one that pulls is enough.
                value |= min([1, *[chip.read_bit(at_us) for chip in line]]) << place
        return b"" if operation == wire.OW_WRITE else bytes((value,))

    def _network(self, operation: int, payload: bytes, now_us: int) -> bytes:
        if operation == wire.NET_CONNECT:
            end = 1 + payload[0]
            self._connect = (now_us, payload[1:end].decode(), payload[end:].decode())
            return b""
        if operation == wire.NET_DISCONNECT:
            self._connect = None
            return b""
        if operation == wire.NET_STATUS:
            return struct.pack("<H", self._station_status(now_us))
        raise Refused(errno.EINVAL)

    def _station_status(self, now_us: int) -> int:
        if self._connect is None:
            return _STAT_IDLE
        since_us, ssid, key = self._connect
        if now_us - since_us < ASSOCIATION_US:
            return _STAT_CONNECTING
        point = self.access_point
        if not point.up or point.ssid not in (None, ssid):
            return _STAT_NO_AP_FOUND
        if point.key not in (None, key):
            return _STAT_WRONG_PASSWORD
        return _STAT_GOT_IP
