"""The processor's UARTs: wires, speed, and the buffer that runs over when nobody reads."""

from __future__ import annotations

import struct
from collections.abc import Mapping

from judder.virtual.chips.base import UartDevice
from judder.virtual.pins import UartPins
from judder.virtual.standin import _wire as wire

_BITS = 10  # start, 8 data, stop


class _Uart:
    """One UART that was set up. lost: characters that came when the buffer was full."""

    def __init__(self, device: UartDevice | None, baudrate: int, room: int, now_us: int) -> None:
        self.device = device
        self.baudrate = baudrate
        self.room = room
        self.buffer = bytearray()
        self.lost = 0
        self._sent_us = float(now_us)
        if device is not None:
            device.speak(now_us, baudrate)  # what was said before anybody listened

    def write(self, data: bytes, now_us: int) -> None:
        start_us = max(float(now_us), self._sent_us)
        self._sent_us = start_us + len(data) * _BITS * 1e6 / self.baudrate
        if self.device is not None:
            self.device.hear(data, start_us, self.baudrate)

    def fetch(self, now_us: int) -> bytearray:
        if self.device is not None:
            came = self.device.speak(now_us, self.baudrate)
            fits = max(0, self.room - len(self.buffer))
            self.buffer += came[:fits]
            self.lost += len(came) - len(came[:fits])
        return self.buffer


class Uarts:
    """Answers the messages of machine.UART. A UART on other pins, or not set up, talks to nobody."""

    def __init__(self, devices: Mapping[UartPins, UartDevice]) -> None:
        self._devices = devices
        self._open: dict[int, _Uart] = {}

    def handle(self, operation: int, payload: bytes, now_us: int) -> bytes:
        """One message; empty for those that need no answer."""
        if operation == wire.UART_INIT:
            number, baudrate, tx, rx, room = struct.unpack("<BIBBH", payload)
            self._open[number] = _Uart(self._devices.get(UartPins(tx, rx)), baudrate, room, now_us)
            return b""
        uart = self._open.get(payload[0])
        if operation == wire.UART_WRITE:
            if uart is not None:
                uart.write(payload[1:], now_us)
            return b""
        buffer = bytearray() if uart is None else uart.fetch(now_us)
        if operation == wire.UART_ANY:
            return struct.pack("<H", len(buffer))
        (most,) = struct.unpack_from("<H", payload, 1)
        part = bytes(buffer[:most])
        del buffer[:most]
        return part
