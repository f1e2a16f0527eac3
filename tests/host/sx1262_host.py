"""The processor's end of an SX1262 model's pins, for its tests. Opcodes and registers: data sheet SX1261/2 rev. 2.1."""

from __future__ import annotations

from tests.radio_air import OneOther

from judder.virtual.chips.sx1262 import Sx1262
from judder.virtual.lorawan.air import Tuning

TX_DONE, RX_DONE, PREAMBLE, HEADER, CRC_ERROR, TIMEOUT = 1, 2, 4, 16, 64, 512
XOSC_START = 0x20
DOWN = Tuning(868_100_000, 7, 125_000, inverted_iq=True, sync_word=0x34)


class Host:
    """The processor's end of the bus, with a clock of its own."""

    def __init__(self, **options: object) -> None:
        self.ether = OneOther(-100.0, 5.0)
        self.chip = Sx1262(self.ether, **options)  # type: ignore[arg-type]
        self.now_us = 0

    def transfer(self, hexadecimal: str) -> bytes:
        self.chip.select(self.now_us)
        answer = self.chip.exchange(bytes.fromhex(hexadecimal), self.now_us)
        self.chip.deselect(self.now_us)
        return answer

    def do(self, *commands: str) -> None:
        """Commands, each when BUSY is low."""
        for command in commands:
            self.ready()
            self.transfer(command)

    def ask(self, command: str, count: int) -> bytes:
        self.ready()
        return self.transfer(command + "00" * count)[-count:]

    def ready(self) -> int:
        """Wait for BUSY; how long that took."""
        begin_us = self.now_us
        while self.chip.busy(self.now_us):
            self.now_us += 1
            assert self.now_us - begin_us < 100_000, "BUSY stays high"
        return self.now_us - begin_us

    def irq(self) -> int:
        return int.from_bytes(self.ask("1200", 2), "big")

    def errors(self) -> int:
        return int.from_bytes(self.ask("1700", 2), "big")

    def register(self, address: int) -> int:
        return self.ask(f"1d{address:04x}00", 1)[0]

    def tune(self, sf: int = 7, bandwidth: int = 4, inverted: int = 0, length: int = 13, crc: int = 1) -> None:
        """LoRa on 868.1 MHz, everything as it should be."""
        low_rate = int((sf, bandwidth) in ((11, 4), (12, 4), (12, 5)))
        self.do("8000", "8a01", "98d7db", "863641999a", f"8b{sf:02x}{bandwidth:02x}01{low_rate:02x}")
        self.do(f"8c000800{length:02x}{crc:02x}{inverted:02x}", "0d07403444", "08ffffffff00000000")
        self.do(f"0d0736{0x09 if inverted else 0x0D:02x}", f"0d0889{0x01 if bandwidth == 6 else 0x05:02x}")
        self.do("0d08d8de", "9504070001", "8e0e02", "9d01", "8f0000")

    def wait(self, us: float) -> None:
        self.now_us += round(us)


def awake() -> Host:
    """A chip with a crystal, awake and calibrated."""
    found = Host()
    found.ready()
    return found
