"""The serial boot loader of an ESP32, S3 or C3 over a flash file: bytes in, bytes out, no I/O of its own.

The protocol is the one esptool documents ("Serial Protocol"): SLIP frames, request `00 op len16 checksum32 data`,
reply `01 op len16 value32 data status`. The ROM answers with 4 status bytes, the flasher stub with 2.

    ROM --(MEM_BEGIN, MEM_DATA ..., MEM_END with an entry point)--> "OHAI", stub --(FLASH_END 0)--> ROM
    ROM --(FLASH_END)--> wants to run the application: `action` is "boot-run"
    any --(RTC watchdog enabled by a register write)--> `action` is "boot-run"
"""

from __future__ import annotations

import operator
import struct
from collections.abc import Callable
from functools import reduce

from judder.virtual import slip
from judder.virtual.counters import Counters
from judder.virtual.flash_session import FlashSession, LoaderFault, ReadSession, md5
from judder.virtual.identity import ChipIdentity
from judder.virtual.lines import BOOT_RUN
from judder.virtual.nor import NorFlash
from judder.virtual.spi_flash import Registers

DEFAULT_MAC = bytes.fromhex("024a55440001")  # locally administered, so it clashes with no real chip

FLASH_BEGIN, FLASH_DATA, FLASH_END = 0x02, 0x03, 0x04
MEM_BEGIN, MEM_END, MEM_DATA = 0x05, 0x06, 0x07
SYNC, WRITE_REG, READ_REG = 0x08, 0x09, 0x0A
SPI_SET_PARAMS, SPI_ATTACH, READ_FLASH_SLOW, CHANGE_BAUDRATE = 0x0B, 0x0D, 0x0E, 0x0F
FLASH_DEFL_BEGIN, FLASH_DEFL_DATA, FLASH_DEFL_END = 0x10, 0x11, 0x12
SPI_FLASH_MD5, GET_SECURITY_INFO = 0x13, 0x14
ERASE_FLASH, ERASE_REGION, READ_FLASH = 0xD0, 0xD1, 0xD2

_STUB_ONLY = (ERASE_FLASH, ERASE_REGION, READ_FLASH)
_NEEDS_FLASH = (
    *(FLASH_BEGIN, FLASH_DATA, FLASH_DEFL_BEGIN, FLASH_DEFL_DATA),
    *(SPI_FLASH_MD5, READ_FLASH_SLOW, ERASE_FLASH, ERASE_REGION, READ_FLASH),
)
_CHECKED = (FLASH_DATA, FLASH_DEFL_DATA, MEM_DATA)
_CHECKSUM_SEED = 0xEF
_SYNC_PATTERN = b"\x07\x07\x12\x20" + b"\x55" * 32
_SLOW_READ_BYTES = 64

# Faults as (ROM code, stub code); esptool's FatalError.WithResult has the words for them.
_BAD_LENGTH = (0x05, 0xC0)
_BAD_CHECKSUM = (0x07, 0xC1)
_NOT_READY = (0x06, 0xC6)
_UNKNOWN = (0x05, 0xFF)


def _accept(_data: bytes) -> tuple[int, bytes]:
    return 0, b""


class Loader:
    """One boot loader, from reset to reset.

    feed(bytes) -> bytes to send back. After each call look at `action`: "boot-run" when the chip is about to leave
    the loader. `in_stub` tells which of the two loaders answers.
    """

    def __init__(
        self,
        flash: NorFlash,
        identity: ChipIdentity,
        counters: Counters | None = None,
        mac: bytes = DEFAULT_MAC,
    ) -> None:
        self.flash = flash
        self.identity = identity
        self.mac = mac
        self.counters = flash.counters if counters is None else counters
        self._handlers: dict[int, Callable[[bytes], tuple[int, bytes]]] = {
            SYNC: self._sync,
            READ_REG: self._read_register,
            WRITE_REG: self._write_register,
            MEM_BEGIN: self._mem_begin,
            MEM_DATA: self._mem_data,
            MEM_END: self._mem_end,
            FLASH_BEGIN: lambda data: self._flash_begin(data, compressed=False),
            FLASH_DATA: self._flash_data,
            FLASH_END: self._flash_end,
            FLASH_DEFL_BEGIN: lambda data: self._flash_begin(data, compressed=True),
            FLASH_DEFL_DATA: self._flash_data,
            FLASH_DEFL_END: self._flash_end,
            SPI_ATTACH: self._attach,
            SPI_SET_PARAMS: _accept,
            CHANGE_BAUDRATE: _accept,
            SPI_FLASH_MD5: self._md5,
            READ_FLASH_SLOW: self._read_slow,
            GET_SECURITY_INFO: self._security_info,
            ERASE_FLASH: self._erase_flash,
            ERASE_REGION: self._erase_region,
            READ_FLASH: self._read_flash,
        }
        self.reset()

    def reset(self) -> bytes:
        """Back to the ROM loader, as after a reset in download mode; returns the banner the ROM prints."""
        self._slip = slip.Decoder()
        self._registers = Registers(self.identity, self.mac, self.flash.size)
        self._session: FlashSession | None = None
        self._reading: ReadSession | None = None
        self._memory_left = 0
        self._memory_block = 0
        self._after = b""  # frames that follow the reply
        self.in_stub = self._next_in_stub = False
        self.action: str | None = None
        return (
            self.identity.banner + "rst:0x1 (POWERON),boot:0x3 (DOWNLOAD_BOOT)\r\nwaiting for download\r\n"
        ).encode()

    def feed(self, data: bytes) -> bytes:
        """Bytes from the host -> bytes for the host."""
        return b"".join(map(self._frame, self._slip.feed(data)))

    def _frame(self, frame: bytes) -> bytes:
        if self._reading is not None and len(frame) == 4:
            answer = self._reading.acknowledged(int.from_bytes(frame, "little"))
            if self._reading.done:
                self._reading = None
            return answer
        if len(frame) < 8 or frame[0] != 0:
            return b""  # the ROM ignores what is not a request
        _direction, op, length, checksum = struct.unpack_from("<BBHI", frame)
        self.counters.commands += 1
        data = frame[8:]
        try:
            value, payload = self._answer(op, length, checksum, data)
        except LoaderFault as fault:
            self.counters.commands_refused += 1
            if fault.codes == _UNKNOWN and not self.in_stub:
                # A ROM that does not know a request answers eight times and does not echo its number: esptool's
                # detection of the classic ESP32 rests on that.
                return self._reply(0, 0, b"", (1, fault.codes[0])) * 8
            status = (fault.codes[1], 0) if self.in_stub else (1, fault.codes[0])
            return self._reply(op, 0, b"", status)
        reply = self._reply(op, value, payload, (0, 0))
        if op == SYNC:
            reply *= 8
        if self._next_in_stub != self.in_stub:  # only now: the reply was still the old loader's
            self.in_stub = self._registers.attached = self._next_in_stub
            self._session = None
        after, self._after = self._after, b""
        return reply + after

    def _reply(self, op: int, value: int, payload: bytes, status: tuple[int, int]) -> bytes:
        body = payload + bytes(status) + (b"" if self.in_stub else b"\0\0")
        return slip.encode(struct.pack("<BBHI", 1, op, len(body), value) + body)

    def _answer(self, op: int, length: int, checksum: int, data: bytes) -> tuple[int, bytes]:
        handler = self._handlers.get(op)
        if handler is None or (op in _STUB_ONLY and not self.in_stub):
            raise LoaderFault(_UNKNOWN)
        if length != len(data):
            raise LoaderFault(_BAD_LENGTH)
        if op in _NEEDS_FLASH and not self._registers.attached:
            raise LoaderFault(_NOT_READY)
        if op in _CHECKED and checksum & 0xFF != reduce(operator.xor, data[16:], _CHECKSUM_SEED):
            raise LoaderFault(_BAD_CHECKSUM)
        try:
            return handler(data)
        except struct.error:
            raise LoaderFault(_BAD_LENGTH) from None
        except ValueError:  # outside the flash chip
            raise LoaderFault((0x08, 0xC4)) from None

    # --- connecting, registers

    def _sync(self, data: bytes) -> tuple[int, bytes]:
        if data != _SYNC_PATTERN:
            raise LoaderFault(_BAD_LENGTH)
        # esptool takes zero here for "the stub is already running".
        return (0 if self.in_stub else 0x20120707), b""

    def _read_register(self, data: bytes) -> tuple[int, bytes]:
        (address,) = struct.unpack("<I", data)
        return self._registers.read(address), b""

    def _write_register(self, data: bytes) -> tuple[int, bytes]:
        for address, value, mask, _delay_us in struct.iter_unpack("<IIII", data):
            self._registers.write(address, value, mask)
        if self._registers.watchdog_fired:
            self.action = BOOT_RUN
        return 0, b""

    def _security_info(self, _data: bytes) -> tuple[int, bytes]:
        if not self.identity.has_security_info:
            raise LoaderFault(_UNKNOWN)
        # flags, flash encryption count, seven key purposes, chip id, API version
        return 0, struct.pack("<IB7xII", 0, 0, self.identity.chip.image_chip_id, 0)

    # --- loading the stub into RAM

    def _mem_begin(self, data: bytes) -> tuple[int, bytes]:
        size, _blocks, self._memory_block, _address = struct.unpack("<IIII", data)
        self._memory_left = size
        return 0, b""

    def _mem_data(self, data: bytes) -> tuple[int, bytes]:
        size, _sequence = struct.unpack_from("<II", data)
        if size != len(data) - 16 or size > min(self._memory_left, self._memory_block):
            raise LoaderFault(_BAD_LENGTH)
        self._memory_left -= size
        return 0, b""

    def _mem_end(self, data: bytes) -> tuple[int, bytes]:
        stay, entry = struct.unpack("<II", data)
        if self._memory_left:
            raise LoaderFault(_NOT_READY)
        if entry and not stay:
            # Any program sent is taken for the flasher stub, which greets and has attached the flash.
            self._after = slip.encode(b"OHAI")
            self._next_in_stub = True
        return 0, b""

    # --- flash

    def _attach(self, _data: bytes) -> tuple[int, bytes]:
        self._registers.attached = True
        return 0, b""

    def _flash_begin(self, data: bytes, compressed: bool) -> tuple[int, bytes]:
        size, blocks, block, offset = struct.unpack_from("<IIII", data)
        self._session = FlashSession(
            self.flash, offset, size, blocks * block, compressed=compressed, is_rom=not self.in_stub
        )
        return 0, b""

    def _flash_data(self, data: bytes) -> tuple[int, bytes]:
        size, _sequence = struct.unpack_from("<II", data)
        if self._session is None:
            raise LoaderFault(_NOT_READY)
        if size != len(data) - 16:
            raise LoaderFault(_BAD_LENGTH)
        self._session.write(data[16:])
        return 0, b""

    def _flash_end(self, data: bytes) -> tuple[int, bytes]:
        (stay,) = struct.unpack("<I", data)
        if self._session is None and self.in_stub:
            raise LoaderFault(_NOT_READY)
        if self._session is not None:
            self._session.finish()
            self._session = None
        if not self.in_stub:
            self.action = BOOT_RUN
        elif not stay:
            self._next_in_stub = False
        return 0, b""

    def _md5(self, data: bytes) -> tuple[int, bytes]:
        offset, size = struct.unpack_from("<II", data)
        digest = md5(self.flash.read(offset, size))
        return 0, digest if self.in_stub else digest.hex().encode()

    def _read_slow(self, data: bytes) -> tuple[int, bytes]:
        offset, size = struct.unpack("<II", data)
        if size > _SLOW_READ_BYTES:
            raise LoaderFault(_BAD_LENGTH)
        return 0, self.flash.read(offset, size).ljust(_SLOW_READ_BYTES, b"\0")

    def _read_flash(self, data: bytes) -> tuple[int, bytes]:
        offset, size, block, in_flight = struct.unpack("<IIII", data)
        self._reading = ReadSession(self.flash, offset, size, block, in_flight)
        self._after = self._reading.begin()
        if self._reading.done:
            self._reading = None
        return 0, b""

    def _erase_flash(self, _data: bytes) -> tuple[int, bytes]:
        self.flash.erase(0, self.flash.size)
        return 0, b""

    def _erase_region(self, data: bytes) -> tuple[int, bytes]:
        offset, size = struct.unpack("<II", data)
        self.flash.erase(offset, size)
        return 0, b""
