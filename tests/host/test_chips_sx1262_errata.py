"""What the SX1262 model does without the workarounds of section 15 of its data sheet (SX1261/2 rev. 2.1)."""

import pytest
from sx1262_host import DOWN, RX_DONE, TIMEOUT, Host, awake


@pytest.fixture
def host() -> Host:
    return awake()


def test_15_1_modulation_at_500_khz(host: Host) -> None:
    for bandwidth in (4, 6):
        host.tune(bandwidth=bandwidth)
        host.do("83000000")
        host.wait(100_000)
        good = host.ether.sent[-1].power_dbm
        host.do(f"0d0889{0x05 if bandwidth == 6 else 0x01:02x}", "83000000")
        host.wait(100_000)
        assert host.ether.sent[-1].power_dbm < good
        assert "15.1" in host.chip.faults.pop()


def test_15_2_clamp(host: Host) -> None:
    host.tune()
    host.do("0d08d8c8", "83000000")
    assert host.ether.sent[0].power_dbm < 14 and "15.2" in host.chip.faults[0]


def test_15_3_the_timer_of_a_reception_ends_the_next(host: Host) -> None:
    for cure in (False, True):
        host.tune(inverted=1)
        host.ether.says(host.now_us + 1000, DOWN, b"hello")
        host.do("8001", "82004000")  # 16384 * 15.625 us = 256 ms
        host.wait(100_000)
        assert host.irq() & RX_DONE
        host.do("02ffff")
        if cure:
            host.do("0d090200", "0d094402")
        host.do("8001", "82000000")  # without a time-out
        host.wait(1_000_000)
        assert bool(host.irq() & TIMEOUT) == (not cure)
        host.do("02ffff", "8001")


def test_15_4_polarity_bit_loses_longer_frames(host: Host) -> None:
    for size, bit, whole in ((17, 0x0D, True), (33, 0x0D, False), (33, 0x09, True)):
        host.tune(inverted=1)
        host.do(f"0d0736{bit:02x}", "8001")
        payload = bytes(range(size))
        host.ether.says(host.now_us + 1000, DOWN, payload)
        host.do("82000000")
        host.wait(100_000)
        assert host.irq() & RX_DONE
        assert (host.ask("1e0000", size) == payload) == whole
        host.do("02ffff")
