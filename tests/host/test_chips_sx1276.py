"""The SX1276 model at its registers. Semtech, data sheet SX1276/77/78/79 rev. 7; errata note 2.1 and 2.3."""

import pytest
from tests.radio_air import OneOther

from judder.virtual.chips.sx1276 import Sx1276
from judder.virtual.lorawan.air import Tuning

SLEEP, STANDBY, TX, RX_CONTINUOUS, RX_SINGLE = 0x80, 0x81, 0x83, 0x85, 0x86
TX_DONE, RX_DONE, RX_TIMEOUT, CRC_ERROR, HEADER = 0x08, 0x40, 0x80, 0x20, 0x10
# 868.1 MHz in steps of 32 MHz / 2^19 is D90666.
TUNED_HZ = 868_099_976
DOWN = Tuning(TUNED_HZ, 7, 125_000, inverted_iq=True, sync_word=0x34)
STARTED_US = 10_000  # section 7.2.1


class Host:
    """The processor's end of the bus, with a clock of its own."""

    def __init__(self, now_us: int = STARTED_US, **options: object) -> None:
        self.ether = OneOther(-100.0, 5.0)
        self.chip = Sx1276(self.ether, **options)  # type: ignore[arg-type]
        self.now_us = now_us

    def transfer(self, data: bytes) -> bytes:
        self.chip.select(self.now_us)
        answer = self.chip.exchange(data, self.now_us)
        self.chip.deselect(self.now_us)
        return answer

    def write(self, address: int, *values: int) -> None:
        self.transfer(bytes((address | 0x80, *values)))

    def read(self, address: int, count: int = 1) -> bytes:
        return self.transfer(bytes((address,)) + bytes(count))[1:]

    def one(self, address: int) -> int:
        return self.read(address)[0]

    def wait(self, us: float) -> None:
        self.now_us += round(us)

    def mode(self) -> int:
        return self.one(0x01)

    def tune(self, sf: int = 7, bandwidth: int = 7, inverted: bool = False, symbols: int = 100) -> None:
        """LoRa standby on 868.1 MHz, everything as it should be; the image calibrated up there."""
        self.write(0x01, 0x00)
        self.write(0x01, 0x01)
        self.write(0x06, 0xD9, 0x06, 0x66)
        self.write(0x3B, 0x42)
        self.wait(10_000)
        self.write(0x01, 0x00)
        self.write(0x01, SLEEP)
        self.write(0x01, STANDBY)
        self.wait(250)
        low_rate = (sf, bandwidth) in ((11, 7), (12, 7), (12, 8))
        self.write(0x1D, bandwidth << 4 | 2, sf << 4 | 4 | symbols >> 8, symbols & 0xFF, 0, 8)
        self.write(0x26, 0x0C if low_rate else 0x04)
        self.write(0x39, 0x34)
        self.write(0x33, 0x67 if inverted else 0x27)
        self.write(0x3B, 0x19 if inverted else 0x1D)
        self.write(0x09, 0xFC)
        wide = bandwidth == 9
        self.write(0x31, 0xC3 if wide else 0x43)
        self.write(0x36, 0x02 if wide else 0x03)
        self.write(0x3A, 0x64)
        if not wide:
            self.write(0x2F, 0x40, 0x00)
        self.write(0x0E, 0, 0)
        self.write(0x12, 0xFF)


@pytest.fixture
def host() -> Host:
    return Host()


def test_identity_and_reset_values(host: Host) -> None:
    assert host.one(0x42) == 0x12
    assert host.mode() == 0x09  # FSK, low-frequency page, standby
    assert host.one(0x0B) == 0x2B and host.one(0x4D) == 0x84
    host.tune()
    host.write(0x42, 0x99)
    assert host.one(0x42) == 0x12
    host.chip.reset(0, host.now_us)
    assert host.read(0x42) == b"\xff"
    host.chip.reset(1, host.now_us)
    assert host.read(0x42) == b"\xff" and "out of reset" in host.chip.faults[-1]
    host.wait(5000)  # section 7.2.2
    assert (host.one(0x42), host.mode()) == (0x12, 0x09)


def test_the_lora_bit_changes_in_sleep_only(host: Host) -> None:
    host.write(0x01, STANDBY)
    assert host.mode() == 0x01
    assert "LoRa bit changed outside sleep" in host.chip.faults[0]
    host.write(0x01, 0x00)
    host.write(0x01, SLEEP)
    assert host.mode() == SLEEP
    host.write(0x01, STANDBY)
    assert host.mode() == STANDBY


def test_fifo_is_wiped_in_sleep_and_closed(host: Host) -> None:
    host.tune()
    host.write(0x0D, 0xFE)
    host.write(0x00, 1, 2, 3)
    assert host.one(0x0D) == 1, "it goes round at 256"
    host.write(0x0D, 0xFE)
    assert host.read(0x00, 3) == b"\x01\x02\x03"
    host.write(0x01, SLEEP)
    host.read(0x00)
    host.write(0x00, 1)
    assert [fault.split(": ")[1] for fault in host.chip.faults] == ["FIFO read in sleep", "FIFO written in sleep"]
    host.write(0x01, STANDBY)
    host.write(0x0D, 0xFE)
    assert host.read(0x00, 3) == bytes(3)
    assert host.one(0x39) == 0x34, "registers stay"


def test_addresses_count_on(host: Host) -> None:
    host.tune()
    host.write(0x06, 0xD9, 0x00, 0x01)
    assert host.read(0x06, 3) == b"\xd9\x00\x01"


# Semtech's LoRa calculator; test_air.py has the whole table.
@pytest.mark.parametrize(
    ("sf", "bandwidth", "size", "ms"), [(12, 7, 33, 1810), (7, 7, 23, 61.7), (7, 8, 13, 23.2), (8, 9, 255, 177)]
)
def test_time_on_air(host: Host, sf: int, bandwidth: int, size: int, ms: float) -> None:
    host.tune(sf, bandwidth)
    host.write(0x40, 0x40)
    host.write(0x22, size)
    host.write(0x01, TX)
    sent = host.ether.sent[-1]
    assert sent.start_us - host.now_us == 120  # PLL 60 us, PA
    assert (sent.end_us - sent.start_us) / 1000 == pytest.approx(ms, abs=0.55 if isinstance(ms, int) else 0.06)
    host.wait(sent.end_us - host.now_us - 1)
    assert host.chip.dio0(host.now_us) == 0
    host.wait(1)
    assert host.chip.dio0(host.now_us) == 1
    assert (host.one(0x12), host.mode()) == (TX_DONE, STANDBY)
    host.write(0x12, 0xFF)
    assert host.one(0x12) == 0
    assert host.chip.faults == []


def test_what_is_sent(host: Host) -> None:
    host.tune()
    host.write(0x0E, 0x80)
    host.write(0x0D, 0x80)
    host.write(0x00, 7, 8, 9)
    host.write(0x22, 3)
    host.write(0x01, TX)
    sent = host.ether.sent[0]
    assert (sent.payload, sent.crc, sent.preamble_symbols, sent.power_dbm) == (b"\x07\x08\x09", True, 8, 14)
    assert sent.tuning == Tuning(TUNED_HZ, 7, 125_000, inverted_iq=False, sync_word=0x34)


# Sections 5.4.2 and 5.4.3: PA_BOOST gives 2 + OutputPower, with RegPaDac 0x87 three more.
@pytest.mark.parametrize(
    ("config", "dac", "ocp", "dbm", "said"),
    [(0xF0, 0x84, 0x2B, 2, ""), (0xFF, 0x84, 0x2B, 17, ""), (0xFF, 0x87, 0x31, 20, "")]
    + [(0xFF, 0x87, 0x2B, 15, "over-current"), (0xFF, 0x84, 0x20, 12, "over-current")]
    + [(0x7F, 0x84, 0x2B, -40, "RFO selected"), (0xF5, 0x87, 0x31, 10, "")],
)
def test_power(host: Host, config: int, dac: int, ocp: int, dbm: int, said: str) -> None:
    host.tune()
    host.write(0x09, config)
    host.write(0x4D, dac)
    host.write(0x0B, ocp)
    host.write(0x01, TX)
    assert host.ether.sent[0].power_dbm == dbm
    assert (said in host.chip.faults[0]) if said else host.chip.faults == []


@pytest.mark.parametrize("symbols", [4, 44, 161, 1023])
def test_symbol_time_out(host: Host, symbols: int) -> None:
    host.tune(inverted=True, symbols=symbols)
    host.write(0x01, RX_SINGLE)
    host.wait(130 + symbols * 1024 - 1)
    assert host.chip.dio1(host.now_us) == 0
    host.wait(1)
    assert (host.chip.dio1(host.now_us), host.one(0x12), host.mode()) == (1, RX_TIMEOUT, STANDBY)
    assert host.chip.windows[0].on_us == symbols * 1024
    assert host.chip.faults == []


def test_a_symbol_time_out_below_four_is_written_down(host: Host) -> None:
    host.tune(symbols=3)
    host.write(0x01, RX_SINGLE)
    assert "4 to 1023" in host.chip.faults[0]


def hear(host: Host, payload: bytes = b"hello", crc: bool = False, mode: int = RX_SINGLE) -> None:
    host.tune(inverted=True)
    host.write(0x0F, 0x40)
    host.ether.says(host.now_us + 1000, DOWN, payload, crc)
    host.write(0x01, mode)
    host.wait(100_000)


def test_a_frame_is_heard(host: Host) -> None:
    hear(host)
    assert host.chip.dio0(host.now_us) == 1
    assert (host.one(0x12), host.mode()) == (RX_DONE | HEADER, STANDBY)
    assert (host.one(0x10), host.one(0x13)) == (0x40, 5)
    host.write(0x0D, 0x40)
    assert host.read(0x00, 5) == b"hello"
    assert host.one(0x19) == 20
    assert -157 + 16 / 15 * host.one(0x1A) == pytest.approx(-100, abs=0.6)  # section 5.5.5
    assert host.chip.faults == []


def test_continuous_reception_goes_on(host: Host) -> None:
    hear(host, mode=RX_CONTINUOUS)
    assert host.one(0x12) & RX_DONE and host.mode() == RX_CONTINUOUS
    host.write(0x12, 0xFF)
    host.ether.says(host.now_us + 1000, DOWN, b"again")
    host.wait(100_000)
    assert host.one(0x12) & RX_DONE


def test_masked_flags_are_not_set(host: Host) -> None:
    host.tune()
    host.write(0x11, 0xFF)
    host.write(0x01, TX)
    host.wait(1_000_000)
    assert (host.one(0x12), host.mode()) == (0, STANDBY)


def test_strength_below_the_noise(host: Host) -> None:
    host.ether.rssi_dbm, host.ether.snr_db = -130.0, -8.0
    hear(host)
    snr = host.one(0x19) - 256
    assert snr == -32
    assert -157 + host.one(0x1A) + snr / 4 == pytest.approx(-130, abs=0.6)


@pytest.mark.parametrize("crc", [False, True])
def test_damage_is_seen_only_with_a_crc(host: Host, crc: bool) -> None:
    host.ether.damaged = True
    hear(host, crc=crc)
    assert bool(host.one(0x12) & CRC_ERROR) == crc
    host.write(0x0D, 0x40)
    assert host.read(0x00, 5) != b"hello"


# Registers that do not go with the rest -> what is written down.
@pytest.mark.parametrize(
    ("bandwidth", "address", "value", "said"),
    [(7, 0x31, 0xC3, "errata 2.3"), (7, 0x2F, 0x20, "errata 2.3"), (9, 0x31, 0x43, "errata 2.3")]
    + [(9, 0x36, 0x03, "errata 2.1"), (9, 0x3A, 0x65, "errata 2.1"), (7, 0x36, 0x02, "errata 2.1")]
    + [(7, 0x3B, 0x1D, "RegInvertIQ2"), (7, 0x26, 0x0C, "low data rate"), (7, 0x37, 0x0C, "SF6")]
    + [(7, 0x4B, 0x19, "RegTcxo")],
)
def test_settings_that_cost_frames(host: Host, bandwidth: int, address: int, value: int, said: str) -> None:
    host.tune(bandwidth=bandwidth, inverted=True)
    host.write(address, value)
    host.write(0x01, RX_SINGLE)
    assert said in host.chip.faults[0]


def test_the_image_is_calibrated_at_434_mhz_by_itself(host: Host) -> None:
    host.write(0x01, 0x00)
    host.write(0x01, SLEEP)
    host.write(0x01, STANDBY)
    host.write(0x06, 0xD9, 0x06, 0x66)
    host.write(0x31, 0x43)
    host.write(0x2F, 0x40, 0x00)
    host.write(0x01, RX_SINGLE)
    assert "image not calibrated" in host.chip.faults[0]


def test_image_calibration_takes_10_ms(host: Host) -> None:
    host.write(0x01, 0x00)
    host.write(0x01, 0x01)
    host.write(0x3B, 0x42)
    assert host.one(0x3B) & 0x20
    host.wait(10_000)
    assert not host.one(0x3B) & 0x20


def test_modem_registers_are_left_alone_while_it_works(host: Host) -> None:
    host.tune()
    host.write(0x01, TX)
    host.write(0x1E, 0x94)
    assert "written in mode 3" in host.chip.faults[0]
    host.write(0x01, STANDBY)
    assert "cut short" in host.chip.faults[1]
