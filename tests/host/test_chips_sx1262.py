"""The SX1262 model at its commands. Opcodes, registers, times: Semtech, data sheet SX1261/2 rev. 2.1."""

import pytest
from sx1262_host import CRC_ERROR, DOWN, HEADER, PREAMBLE, RX_DONE, TIMEOUT, TX_DONE, XOSC_START, Host, awake

from judder.virtual.lorawan.air import Tuning


@pytest.fixture
def host() -> Host:
    return awake()


# --- life


def test_start_takes_3500_us_and_ends_in_standby() -> None:
    host = Host()
    assert host.ready() == 3500  # table 8-2, cold start
    assert host.ask("c0", 1)[0] >> 4 & 7 == 2  # STBY_RC, table 13-76
    assert host.errors() == 0
    assert (host.register(0x0740), host.register(0x0741)) == (0x14, 0x24)
    assert host.register(0x08E7) == 0x18


def test_a_command_while_busy_is_lost_and_written_down() -> None:
    host = Host()
    host.transfer("0d07403444")
    host.ready()
    assert host.register(0x0740) == 0x14
    assert len(host.chip.faults) == 1 and "0x0d while BUSY" in host.chip.faults[0]


def test_reset_pin_and_supply(host: Host) -> None:
    host.do("0d07403444")
    host.chip.reset(0, host.now_us)
    assert host.chip.busy(host.now_us) == 1
    host.chip.reset(1, host.now_us)
    assert host.ready() == 3500
    assert host.register(0x0740) == 0x14
    host.chip.supplies["vext"] = True
    host.chip.set_supply("vext", False, host.now_us)
    assert host.transfer("c000") == b"\xff\xff" and host.chip.busy(host.now_us) == 1
    host.chip.set_supply("vext", True, host.now_us)
    assert host.ready() == 3500


# Table 8-2: typical times from mode to mode.
@pytest.mark.parametrize(
    ("before", "command", "us", "mode"),
    [("8000", "8001", 31, 3), ("8000", "c1", 50, 4), ("8001", "c1", 40, 4), ("8000", "82000000", 83, 5)]
    + [("8001", "82000000", 62, 5), ("8000", "83000000", 126, 6), ("8001", "83000000", 105, 6)]
    + [("c1", "82000000", 41, 5), ("c1", "83000000", 76, 6)],
)
def test_times_of_mode_changes(host: Host, before: str, command: str, us: int, mode: int) -> None:
    host.tune()
    host.do(before)
    host.do(command)
    assert host.ready() == us
    assert host.ask("c0", 1)[0] >> 4 & 7 == mode


def test_sleep_keeps_what_it_should(host: Host) -> None:
    host.tune()
    host.do("0e00aabbcc", "0d08ac96", "0d029f0108ac")  # retention list: one register, 08AC
    host.do("8000", "8404")
    host.wait(1_000_000)
    assert host.chip.busy(host.now_us) == 1, "BUSY is high in sleep"
    host.chip.select(host.now_us)
    host.chip.deselect(host.now_us)
    assert host.ready() == 340  # table 8-2, warm start
    assert host.ask("1e0000", 3) == bytes(3), "section 6.3: the buffer is lost"
    assert (host.register(0x0740), host.register(0x08AC)) == (0x34, 0x96)
    assert (host.register(0x0889), host.register(0x08D8)) == (0x01, 0xC8), "not on the list"
    host.do("8000", "8400")
    host.chip.select(host.now_us)
    host.chip.deselect(host.now_us)
    assert host.ready() == 3500
    assert host.register(0x0740) == 0x14
    assert host.chip.faults == []


# --- oscillator


def test_a_tcxo_is_an_error_until_it_is_fed() -> None:
    host = Host(tcxo_mv=1800, tcxo_start_us=3000)
    host.ready()
    assert host.errors() & XOSC_START
    host.tune()
    host.do("070000", "82000000")
    assert host.errors() & XOSC_START, "no oscillator, no reception"
    # Table 13-35: 2 is 1.8 V; the delay counts 15.625 us: 5 ms.
    host.do("9702000140", "070000", "897f")
    assert host.ready() >= 3500 + 5000
    assert host.errors() == 0
    host.do("8001")
    assert host.ready() == 5000 + 31
    host.do("82000000")
    assert host.ready() == 62, "it runs on in standby with the crystal oscillator"
    host.do("8000", "82000000")
    assert host.ready() == 5000 + 83


@pytest.mark.parametrize("command", ["9703000140", "9702000064"])
def test_a_tcxo_fed_wrongly_or_not_waited_for(command: str) -> None:
    host = Host(tcxo_mv=1800, tcxo_start_us=3000)
    host.do(command, "070000", "897f")
    assert host.errors() & XOSC_START


def test_a_crystal_does_not_run_under_tcxo_control(host: Host) -> None:
    host.do("9702000140", "070000", "8001")
    assert host.errors() & XOSC_START


def test_without_calibration_the_synthesizer_does_not_lock() -> None:
    host = Host(tcxo_mv=1800, tcxo_start_us=3000)
    host.tune()
    host.do("9702000140", "070000", "82000000")
    assert host.errors() == 0x40  # PLL_LOCK_ERR, table 13-85


# --- sending


# Semtech's LoRa calculator; test_air.py has the whole table.
@pytest.mark.parametrize(
    ("sf", "bandwidth", "size", "ms"), [(12, 4, 33, 1810), (7, 4, 23, 61.7), (7, 5, 13, 23.2), (8, 6, 255, 177)]
)
def test_time_on_air(host: Host, sf: int, bandwidth: int, size: int, ms: float) -> None:
    host.tune(sf, bandwidth, length=size)
    host.do("8001", "83000000")
    sent = host.ether.sent[-1]
    assert sent.start_us == host.now_us + 105
    assert (sent.end_us - sent.start_us) / 1000 == pytest.approx(ms, abs=0.55 if isinstance(ms, int) else 0.06)
    host.wait(sent.end_us - host.now_us - 1)
    assert host.chip.dio1(host.now_us) == 0
    host.wait(1)
    assert host.chip.dio1(host.now_us) == 1
    assert host.irq() == TX_DONE
    assert host.chip.faults == []


def test_what_is_sent(host: Host) -> None:
    host.tune(length=3)
    host.do("0efe010203", "8ffe00", "8001", "83000000")
    sent = host.ether.sent[0]
    assert (sent.payload, sent.crc, sent.preamble_symbols, sent.power_dbm) == (b"\x01\x02\x03", True, 8, 14.0)
    assert sent.tuning == Tuning(868_100_000, 7, 125_000, inverted_iq=False, sync_word=0x34)
    host.do("0200ff")
    assert host.chip.faults == []
    host.do("8001")
    assert "cut short" in host.chip.faults[-1]


def test_interrupts_show_on_dio1_as_they_are_masked(host: Host) -> None:
    host.tune()
    host.do("080001000000000000", "8001", "83000000")  # TxDone enabled, on no pin
    host.wait(100_000)
    assert (host.irq(), host.chip.dio1(host.now_us)) == (TX_DONE, 0)
    host.do("020001")
    assert host.irq() == 0
    host.do("080000000100000000", "83000000")
    host.wait(100_000)
    assert host.irq() == 0, "not enabled: not even a flag"


# Table 13-21: amplifier settings; SetTxParams counts down from what they give at 22.
@pytest.mark.parametrize(
    ("config", "power", "dbm"),
    [("04070001", "16", 22), ("03050001", "16", 20), ("02030001", "16", 17), ("02020001", "16", 14)]
    + [("04070001", "f7", -9), ("04070001", "00", 0)],
)
def test_power(host: Host, config: str, power: str, dbm: int) -> None:
    host.tune()
    host.do("95" + config, f"8e{power}02", "83000000")
    assert host.ether.sent[0].power_dbm == dbm
    assert host.chip.faults == []


def test_over_current_protection_limits_22_dbm(host: Host) -> None:
    host.tune()
    host.do("8e1602", "0d08e718", "83000000")  # 60 mA
    assert host.ether.sent[0].power_dbm < 20
    assert "over-current" in host.chip.faults[0]


@pytest.mark.parametrize(
    ("command", "said"),
    [("8e1702", "power 23"), ("8ef602", "power -10"), ("9504080001", "PA configuration")]
    + [
        ("8b0d040100", "modulation parameters"),
        ("9311", "fallback"),
        ("42", "unknown command"),
        ("8e16", "parameters"),
    ],
)
def test_what_the_chip_does_not_take(host: Host, command: str, said: str) -> None:
    host.tune()
    host.do(command)
    assert said in host.chip.faults[0]
    assert host.ask("c0", 1)[0] >> 1 & 7 in (0, 4)


# --- receiving


@pytest.mark.parametrize(
    ("asked", "counted"), [(6, 6), (9, 8), (44, 44), (62, 62), (63, 62), (168, 168), (161, 160), (248, 248)]
)
def test_symbol_time_out_by_command_rounds_down(host: Host, asked: int, counted: int) -> None:
    """LoRaMac-node issue 935: pairs; above, the register's eights."""
    host.tune(inverted=1)
    host.do(f"a0{asked:02x}", "8001", "82000000")
    host.wait(62 + counted * 1024 - 1)
    assert host.chip.dio1(host.now_us) == 0
    host.wait(1)
    assert host.irq() == TIMEOUT
    assert host.chip.windows[0].on_us == counted * 1024
    assert host.ask("c0", 1)[0] >> 4 & 7 == 2, "back to STBY_RC"


@pytest.mark.parametrize(("code", "symbols"), [(0x18, 6), (0xF8, 62), (0xA9, 168), (0xF9, 248), (0x22, 128)])
def test_symbol_time_out_by_register(host: Host, code: int, symbols: int) -> None:
    """Semtech's sx126x_driver: mantissa in bits 7:3, times 2^(2 * exponent + 1)."""
    host.tune(inverted=1)
    host.do("a006", f"0d0706{code:02x}", "8001", "82000000")
    host.wait(1_000_000)
    host.irq()
    assert host.chip.windows[0].on_us == symbols * 1024


def test_timer_ends_a_reception_without_a_header(host: Host) -> None:
    host.tune(inverted=1)
    start_us = host.now_us + 100_000
    host.ether.says(start_us, DOWN, bytes(20))
    host.wait(start_us - host.now_us)
    host.do("8001", "82000400")  # 1024 * 15.625 us = 16 ms; the header is in after 20.25 symbols
    host.wait(200_000)
    assert host.irq() == TIMEOUT | PREAMBLE
    host.do("02ffff", "9f01", "8001")
    host.now_us = host.now_us + 1000
    start_us = host.now_us + 1000
    host.ether.says(start_us, DOWN, bytes(20))
    host.do("82000400")
    host.wait(200_000)
    assert host.irq() & RX_DONE, "the timer stops when a preamble is detected"


def test_a_frame_is_heard(host: Host) -> None:
    host.tune(inverted=1)
    host.do("8f0080", "a006", "8001")
    host.ether.says(host.now_us + 1000, DOWN, b"hello")
    host.do("82000000")
    host.wait(30_000)
    assert host.irq() == PREAMBLE | HEADER
    host.wait(30_000)
    assert host.irq() == PREAMBLE | HEADER | RX_DONE
    assert host.ask("1300", 2) == b"\x05\x80"
    assert host.ask("1e8000", 5) == b"hello"
    # Table 13-82: -2 * RSSI, 4 * SNR, -2 * RSSI of the signal.
    assert host.ask("1400", 3) == bytes((200, 20, 200))
    assert host.chip.faults == []


def test_below_the_noise_the_packet_rssi_is_the_noise(host: Host) -> None:
    host.tune(inverted=1)
    host.ether.rssi_dbm, host.ether.snr_db = -128.0, -7.25
    host.ether.says(host.now_us + 1000, DOWN, b"hello")
    host.do("8001", "82000000")
    host.wait(100_000)
    whole, snr, signal = host.ask("1400", 3)
    assert (snr - 256, signal) == (-29, 255)
    assert -whole / 2 == pytest.approx(-128 + 7.25, abs=0.5)


@pytest.mark.parametrize("crc", [False, True])
def test_damage_is_seen_only_with_a_crc(host: Host, crc: bool) -> None:
    host.tune(inverted=1)
    host.ether.damaged = True
    host.ether.says(host.now_us + 1000, DOWN, b"hello", crc)
    host.do("8001", "82000000")
    host.wait(100_000)
    assert bool(host.irq() & CRC_ERROR) == crc
    assert host.ask("1e0000", 5) != b"hello"


def test_fallback_mode_follows_a_frame(host: Host) -> None:
    host.tune()
    host.do("9330", "8001", "83000000")
    host.wait(100_000)
    host.irq()
    assert host.ask("c0", 1)[0] >> 4 & 7 == 3


def test_an_image_calibrated_elsewhere_is_written_down(host: Host) -> None:
    host.tune()
    host.do("98e1e9", "8001", "82000000")
    assert "outside the band" in host.chip.faults[0]


def test_dio2_must_turn_the_switch_where_it_is_wired_so(host: Host) -> None:
    host.tune()
    host.do("9d00", "8001", "83000000")
    assert host.ether.sent[0].power_dbm < 0 and "switch" in host.chip.faults[0]
