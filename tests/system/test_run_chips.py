"""Chips reached from MicroPython code over the stand-in machine module, on the wheel and on the 32-bit MicroPython."""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from run_board import Recorded, files_in, make_flash
from tests.tools import micropython32

from judder.device import boards
from judder.virtual.signal import Recording
from judder.virtual.wiring import Wiring

RATE_HZ = 26_000.0
LSB_G = 0.488e-3

# A driver of a few lines, so that nothing of the firmware can hide a mistake of the board.
DRIVER = """
import machine, struct, time
from machine import Pin
spi = machine.SPI(1, baudrate=10000000, polarity=1, phase=1, sck=Pin(12), mosi=Pin(11), miso=Pin(13))
cs = Pin(10, Pin.OUT, value=1)
def write(register, value):
    cs(0); spi.write(bytes((register, value))); cs(1)
def read(register, buf):
    cs(0); spi.write(bytes((register | 0x80,))); spi.readinto(buf); cs(1)
    return buf
def level():
    s = read(0x3A, bytearray(2))
    return s[0] | (s[1] & 3) << 8
def start():
    write(0x12, 0x44); write(0x09, 0x0A); write(0x0A, 6); write(0x10, 0xA4)
def take(n):
    got = bytearray()
    burst = bytearray(128 * 7)
    while len(got) < n * 7:
        if level() >= 128:
            got += read(0x78, burst)
        else:
            time.sleep_ms(1)
    return got
"""


def wiring(values: np.ndarray) -> Wiring:
    return Wiring.for_board(boards.load("virtual-esp32s3"), Recording(values * LSB_G, RATE_HZ))


@pytest.fixture
def values() -> np.ndarray:
    return np.random.default_rng(1).integers(-32768, 32768, (8192, 3))


@pytest.fixture
def node(tmp_path: Path, values: np.ndarray) -> Iterator[Recorded]:
    flash = make_flash(tmp_path / "flash.bin", boot=DRIVER)
    with Recorded(flash, clock="virtual", wiring=wiring(values)) as recorded:
        recorded.wait(">>> $")
        yield recorded


def test_fifo_bursts_deliver_every_sample(node: Recorded, values: np.ndarray) -> None:
    said = node.exec("start()\ng = take(8192)\nf = open('taken.bin', 'wb'); f.write(g); f.close()\nprint(len(g))")
    assert said.splitlines()[-1] == str(8192 * 7)
    node.board.stop()
    raw = np.frombuffer(files_in(node.board.flash.path)["taken.bin"], np.uint8).reshape(-1, 7)
    assert (raw[:, 0] >> 3 == 2).all()
    assert (np.ascontiguousarray(raw[:, 1:]).view("<i2") == values).all()
    assert node.board.wiring.vibration is not None
    assert node.board.wiring.vibration.samples_lost == 0


def test_samples_made_are_rate_times_time(node: Recorded) -> None:
    said = node.exec(
        "start()\nlevel()\na = time.ticks_ms(); time.sleep(600); level(); print(time.ticks_diff(time.ticks_ms(), a))"
    )
    chip = node.board.wiring.vibration
    assert chip is not None
    seconds = int(said) / 1e3
    assert seconds == pytest.approx(600, abs=0.01)
    assert chip.samples_made == pytest.approx(600 * RATE_HZ - 0.010 * RATE_HZ, abs=0.002 * RATE_HZ)
    assert chip.samples_lost == chip.samples_made - 512


def test_an_overrun_is_seen_by_the_node_and_counted_exactly(node: Recorded) -> None:
    said = node.exec("start()\ntime.sleep_ms(40)\nprint(level(), read(0x3B, bytearray(1))[0] & 0x40)\n")
    chip = node.board.wiring.vibration
    assert chip is not None
    assert said == "512 64\n"
    assert chip.samples_lost == chip.samples_made - 512 > 100


def test_wrong_pins_mode_or_speed_talk_to_nobody(node: Recorded) -> None:
    who = "print(read(0x0F, bytearray(1))[0])"
    assert node.exec(who) == "123\n"
    assert node.exec("spi.init(polarity=0, phase=1)\n" + who) == "255\n"
    assert node.exec("spi.init(polarity=0, phase=0)\n" + who) == "123\n"  # mode 0 is the other one it takes
    assert node.exec("spi.init(baudrate=20000000)\n" + who) == "255\n"
    assert node.exec("spi.init(baudrate=10000000, miso=machine.Pin(14))\n" + who) == "255\n"
    assert node.exec("spi.init(miso=machine.Pin(13))\ncs = machine.Pin(5, machine.Pin.OUT)\n" + who) == "255\n"


def test_full_duplex_and_software_spi(node: Recorded) -> None:
    said = node.exec(
        "buf = bytearray(2); cs(0); spi.write_readinto(b'\\x8f\\x00', buf); cs(1); print(buf[1])\n"
        "spi = machine.SoftSPI(sck=machine.Pin(12), mosi=machine.Pin(11), miso=machine.Pin(13))\n"
        "print(read(0x0F, bytearray(1))[0])"
    )
    assert said == "123\n123\n"


def test_thermometer_battery_and_absent_devices(node: Recorded) -> None:
    said = node.exec(
        "i2c = machine.I2C(0, scl=machine.Pin(9), sda=machine.Pin(8), freq=400000)\n"
        "print(i2c.scan(), i2c.readfrom_mem(0x48, 15, 2).hex())\n"
        "time.sleep(1); print(struct.unpack('>h', i2c.readfrom_mem(0x48, 0, 2))[0] / 128)\n"
        "try: i2c.readfrom(0x49, 1)\nexcept OSError as e: print(e.errno)\n"
        "try: machine.I2C(0, scl=Pin(1), sda=Pin(2)).writeto(0x48, b'\\x00')\nexcept OSError as e: print(e.errno)\n"
        "print(machine.ADC(machine.Pin(4), atten=machine.ADC.ATTN_11DB).read_uv(), machine.ADC(5).read_u16())"
    )
    assert said.splitlines() == ["[72] 0117", "24.0", "19", "19", "1850000 0"]


def test_pins_can_be_watched_and_pressed(node: Recorded) -> None:
    node.exec("machine.Pin(2, machine.Pin.OUT, value=1)")
    assert node.board.bus.outputs[2] == 1
    assert node.exec("b = machine.Pin(0, machine.Pin.IN, machine.Pin.PULL_UP); print(b.value())") == "1\n"
    node.board.wiring.inputs[0] = 0
    assert node.exec("print(b.value())") == "0\n"


def test_a_register_read_costs_little(node: Recorded) -> None:
    """A bound that only a blunder breaks: four messages and one answer, tens of microseconds on a quiet machine."""
    said = node.exec(
        "import utime\nb = bytearray(1)\nbest = 10**9\n"
        "for _ in range(20):\n"
        " a = utime.ticks_us()\n"
        " for _ in range(20): read(0x0F, b)\n"
        " best = min(best, utime.ticks_diff(utime.ticks_us(), a) // 20)\n"
        "print(best)"
    )
    assert int(said) < 2000


# --- the word size of an ESP32


@pytest.fixture(scope="module")
def narrow() -> list[str]:
    command = micropython32.command()
    if command is None:
        reason = f"no 32-bit MicroPython: {micropython32.why()}"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return command


NARROW_MAIN = (
    DRIVER
    + """
import sys, esp32
print('words', sys.maxsize == 2147483647, sys.platform)
start()
g = take(1024)
print('first', struct.unpack('<hhh', g[1:7]), 'last', struct.unpack('<hhh', g[1024 * 7 - 6:]))
a = time.ticks_ms(); time.sleep(7200)
print('slept', time.ticks_diff(time.ticks_ms(), a), time.time() >= 7200)
p = esp32.Partition.find(1, label='cfg')[0]
p.writeblocks(0, bytes(range(256)) * 16)
with open('left.txt', 'w') as f: f.write('from 32 bits')
n = len(machine.RTC().memory())
machine.RTC().memory(bytes(n + 1))
if n == 0: machine.deepsleep(3600000)
if n == 1: machine.reset()
print('done', n, machine.reset_cause())
while n == 2: pass
"""
)


def test_run_mode_on_a_32_bit_micropython(tmp_path: Path, values: np.ndarray, narrow: list[str]) -> None:
    flash = make_flash(tmp_path / "flash.bin", main=NARROW_MAIN)
    with Recorded(flash, clock="virtual", wiring=wiring(values), micropython=narrow) as node:
        node.wait(r"words True esp32\r\n")
        first = tuple(int(v) for v in values[0])
        last = tuple(int(v) for v in values[1023])
        node.wait(rf"first \({first[0]}, {first[1]}, {first[2]}\) last \({last[0]}, {last[1]}, {last[2]}\)")
        node.wait(r"slept 72000\d\d True")
        node.wait("rst:0x5 .*rst:0xc .*done 2 2", 20)
        assert node.board.now_us > 3 * 7200e6
        node.board.type(b"\x03")
        node.wait("KeyboardInterrupt")
    assert files_in(flash)["left.txt"] == b"from 32 bits"
    assert flash.read_bytes()[0x360000:0x361000] == bytes(range(256)) * 16
