"""The registers of a virtual chip, and the SPI flash commands a flasher runs by writing them."""

from __future__ import annotations

from judder.virtual.identity import ChipIdentity, jedec_id

_USER_COMMAND = 1 << 18  # in SPI_CMD: start; reads back zero when done
_WATCHDOG_ENABLE = 1 << 31

_READ_JEDEC_ID = 0x9F
_READ_SFDP = 0x5A
_SFDP_SIGNATURE = int.from_bytes(b"SFDP", "little")  # JEDEC JESD216, first word


class Registers:
    """Readable and writable 32-bit words; a write to the SPI command register runs a flash command.

    The flash chip answers only while `attached` is true: its pins are not routed to the SPI controller before.
    `watchdog_fired` turns true when the RTC watchdog is enabled and locked again: nobody feeds it in the boot loader.
    (It bites milliseconds after it is enabled, by which time the host has locked it; there is no clock here.)
    """

    def __init__(self, identity: ChipIdentity, mac: bytes, flash_size: int) -> None:
        self._identity = identity
        self._jedec_id = jedec_id(flash_size)
        self._values = identity.register_values(mac)
        self.attached = False
        self.watchdog_fired = False

    def read(self, address: int) -> int:
        """Word at `address`; what this model does not know reads zero."""
        return self._values.get(address, 0)

    def write(self, address: int, value: int, mask: int = 0xFFFFFFFF) -> None:
        """Replace the bits in `mask`."""
        value = (self.read(address) & ~mask | value & mask) & 0xFFFFFFFF
        identity = self._identity
        if address == identity.spi_base and value & _USER_COMMAND:
            self._values[identity.spi_base + identity.spi_w0] = self._run_flash_command()
            value = 0
        self._values[address] = value
        if address == identity.watchdog_protect and value == 0 and identity.watchdog_config is not None:
            self.watchdog_fired = bool(self.read(identity.watchdog_config) & _WATCHDOG_ENABLE)

    def _run_flash_command(self) -> int:
        identity = self._identity
        if not self.attached:
            return 0xFFFFFF
        command = self.read(identity.spi_base + identity.spi_usr2) & 0xFF
        if command == _READ_JEDEC_ID:
            return self._jedec_id
        if command == _READ_SFDP:
            address = self.read(identity.spi_base + 4)
            if identity.spi_address_in_high_bits:
                address >>= 8
            return _SFDP_SIGNATURE if address == 0 else 0xFFFFFFFF
        return 0  # status registers: idle, nothing protected
