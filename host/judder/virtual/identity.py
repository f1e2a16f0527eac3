"""Who a virtual chip says it is: the registers a flasher looks at, as data.

Addresses are those of Espressif's technical reference manuals (eFuse, SPI and RTC controller chapters) as far as
esptool reads them; a register not named here reads zero. Values describe common silicon: ESP32-D0WD-V3 v3.1,
ESP32-S3 QFN56 v0.2, ESP32-C3 QFN32 v0.4, each with a 40 MHz crystal, no secure boot, no flash encryption and a
Winbond flash.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from judder.device import chips
from judder.device.chips import Chip

# Register read by every esptool before it knows the chip; only the classic ESP32 is told by it.
CHIP_MAGIC_REGISTER = 0x40001000


@dataclass(frozen=True)
class ChipIdentity:
    """One chip: numbers and register layout, no behaviour."""

    chip: Chip
    magic: int | None  # CHIP_MAGIC_REGISTER, where that tells the chip
    has_security_info: bool
    spi_base: int
    spi_usr: int
    spi_usr2: int
    spi_w0: int
    spi_address_in_high_bits: bool
    mac_low: int  # register holding the last four bytes of the MAC; the next one holds the first two
    watchdog_config: int | None  # RTC watchdog: bit 31 enables it
    watchdog_protect: int | None  # its write protection: anything but the key locks it
    registers: Mapping[int, int]
    banner: str  # first lines of the boot ROM

    def register_values(self, mac: bytes) -> dict[int, int]:
        """Registers of one chip with this 6-byte MAC."""
        if len(mac) != 6:
            raise ValueError(f"a MAC has 6 bytes, not {len(mac)}")
        values = dict(self.registers)
        if self.magic is not None:
            values[CHIP_MAGIC_REGISTER] = self.magic
        values[self.mac_low] = int.from_bytes(mac[2:], "big")
        values[self.mac_low + 4] = int.from_bytes(mac[:2], "big")
        return values


_ESP32_EFUSE = 0x3FF5A000
_S3_EFUSE = 0x60007000
_C3_EFUSE = 0x60008800

ESP32 = ChipIdentity(
    chip=chips.ESP32,
    magic=0x00F01D83,
    has_security_info=False,
    spi_base=0x3FF42000,
    spi_usr=0x1C,
    spi_usr2=0x24,
    spi_w0=0x80,
    spi_address_in_high_bits=True,
    mac_low=_ESP32_EFUSE + 0x04,
    watchdog_config=None,
    watchdog_protect=None,
    registers={
        _ESP32_EFUSE + 0x0C: 1 << 15 | 1 << 9,  # word 3: revision bit 0, package 1 (D0WD)
        _ESP32_EFUSE + 0x10: 0xCC,  # word 4: frequency of the 8 MHz oscillator
        _ESP32_EFUSE + 0x14: 1 << 24 | 1 << 20,  # word 5: minor revision 1, revision bit 1
        0x3FF6607C: 1 << 31,  # APB_CTL_DATE: revision bit 2
        0x3FF40014: 347,  # UART clock divider at 115200 baud with a 40 MHz crystal
        0x3FF5F06C: 502 << 7,  # RTC calibration: 502 * 15625 * 0xCC / 40 = 40.0 MHz
    },
    banner="ets Jul 29 2019 12:21:46\r\n\r\n",
)

ESP32_S3 = ChipIdentity(
    chip=chips.ESP32_S3,
    magic=None,
    has_security_info=True,
    spi_base=0x60002000,
    spi_usr=0x18,
    spi_usr2=0x20,
    spi_w0=0x58,
    spi_address_in_high_bits=False,
    mac_low=_S3_EFUSE + 0x44,
    watchdog_config=0x60008098,
    watchdog_protect=0x600080B0,
    registers={
        _S3_EFUSE + 0x50: 2 << 18,  # block 1 word 3: revision v0.2, package 0, no flash in the package
        0x60004038: 1 << 3,  # strapping: SPI boot
        0x60000014: 347,
    },
    banner="ESP-ROM:esp32s3-20210327\r\nBuild:Mar 27 2021\r\n",
)

ESP32_C3 = ChipIdentity(
    chip=chips.ESP32_C3,
    magic=None,
    has_security_info=True,
    spi_base=0x60002000,
    spi_usr=0x18,
    spi_usr2=0x20,
    spi_w0=0x58,
    spi_address_in_high_bits=False,
    mac_low=_C3_EFUSE + 0x44,
    watchdog_config=0x60008090,
    watchdog_protect=0x600080A8,
    registers={
        _C3_EFUSE + 0x50: 4 << 18,  # block 1 word 3: revision v0.4, package 0
        0x60000014: 347,
    },
    banner="ESP-ROM:esp32c3-api1-20210207\r\nBuild:Feb  7 2021\r\n",
)

IDENTITIES: Mapping[str, ChipIdentity] = {entry.chip.name: entry for entry in (ESP32, ESP32_S3, ESP32_C3)}


def identity_of(name: str) -> ChipIdentity:
    """Identity by its board.toml name. Raises ValueError naming the chips there are."""
    try:
        return IDENTITIES[name]
    except KeyError:
        raise ValueError(f"no virtual chip '{name}': there are {', '.join(IDENTITIES)}") from None


def jedec_id(flash_size: int) -> int:
    """What the flash chip answers to command 0x9F: Winbond, W25Q series, log2 of the size in bytes."""
    capacity = flash_size.bit_length() - 1
    if 1 << capacity != flash_size:
        raise ValueError(f"a flash chip of {flash_size} bytes is not made: the size is a power of two")
    return capacity << 16 | 0x40 << 8 | 0xEF
