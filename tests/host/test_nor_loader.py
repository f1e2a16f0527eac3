"""NOR rules, reset lines, SLIP, Telnet and the boot loader, one by one; the real esptool has its own tests."""

import hashlib
import struct
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judder.virtual import slip, telnet
from judder.virtual.counters import Counters
from judder.virtual.identity import ESP32, ESP32_S3, identity_of, jedec_id
from judder.virtual.lines import ResetLines
from judder.virtual.loader import Loader
from judder.virtual.nor import NorFlash

MB = 1 << 20


@pytest.fixture
def flash(tmp_path: Path) -> NorFlash:
    return NorFlash(tmp_path / "flash.bin", 4 * MB)


# --- NOR


def test_a_new_chip_is_blank_and_keeps_what_is_programmed(tmp_path: Path) -> None:
    with NorFlash(tmp_path / "f", 64 * 1024) as chip:
        assert chip.read(0, 64 * 1024) == b"\xff" * 64 * 1024
        chip.program(100, b"kept")
    with NorFlash(tmp_path / "f", 64 * 1024) as chip:
        assert chip.read(98, 8) == b"\xff\xffkept\xff\xff"


def test_programming_only_clears_bits(flash: NorFlash) -> None:
    # Measured on a raw partition of an emulated ESP32: 0x0F, then 0xF3 over it, reads back 0x03.
    flash.program(0, b"\x0f\x55\xff")
    flash.program(0, b"\xf3\xff\x81")
    assert flash.read(0, 3) == b"\x03\x55\x81"
    # Only the first byte was asked for ones it could not get: 0xFF means "leave it".
    assert flash.counters.over_programs == 1


def test_erasing_works_by_whole_sectors(flash: NorFlash) -> None:
    flash.program(0, bytes(3 * 4096))
    flash.erase_sector(1)
    assert flash.read(0, 3 * 4096) == bytes(4096) + b"\xff" * 4096 + bytes(4096)
    flash.erase(4095, 2)
    assert flash.read(0, 3 * 4096) == b"\xff" * 8192 + bytes(4096)
    assert flash.counters.sectors_erased == 3


def test_power_cut_before_an_operation_leaves_it_undone(tmp_path: Path) -> None:
    seen: list[tuple[str, int, int]] = []

    def cut(operation: str, offset: int, data: bytes) -> None:
        seen.append((operation, offset, len(data)))
        if len(seen) == 3:
            raise RuntimeError("power")

    chip = NorFlash(tmp_path / "f", 64 * 1024, hook=cut)
    chip.program(0, b"\0")
    with pytest.raises(RuntimeError, match="power"):
        chip.erase(0, 8192)
    assert seen == [("program", 0, 1), ("erase", 0, 0), ("erase", 4096, 0)]
    assert chip.counters.sectors_erased == 1


@pytest.mark.parametrize(("offset", "count"), [(-1, 1), (4 * MB, 1), (4 * MB - 1, 2)])
def test_addresses_outside_the_chip_are_refused(flash: NorFlash, offset: int, count: int) -> None:
    with pytest.raises(ValueError, match="outside"):
        flash.read(offset, count)
    with pytest.raises(ValueError, match="outside"):
        flash.program(offset, bytes(count))


def test_a_file_of_another_size_is_refused(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"\xff" * 4096)
    with pytest.raises(ValueError, match="holds 4096 bytes"):
        NorFlash(tmp_path / "f", 8192)


# --- DTR and RTS


def play(*states: tuple[int, int]) -> list[str | None]:
    lines = ResetLines()
    return [action for dtr, rts in states if (action := lines.update(bool(dtr), bool(rts)))]


def test_esptools_sequence_over_separate_messages_ends_in_download() -> None:
    # classic_bootloader_reset: DTR off, RTS on, DTR on, RTS off, DTR off; pyserial opened with both on.
    assert play((1, 0), (1, 1), (0, 1), (1, 1), (1, 0), (0, 0)) == ["hold", "boot-download"]


def test_hard_reset_runs_the_application() -> None:
    assert play((0, 1), (0, 0)) == ["hold", "boot-run"]


def test_opening_and_closing_a_port_resets_nothing() -> None:
    assert play((1, 0), (1, 1)) == []
    assert play((1, 0), (1, 1), (1, 0), (0, 0)) == []


# --- framing


@given(st.binary(max_size=300), st.integers(1, 7))
def test_slip_round_trip_in_any_pieces(frame: bytes, step: int) -> None:
    decoder = slip.Decoder()
    wire = b"noise" + slip.encode(frame) * 2
    got = [out for at in range(0, len(wire), step) for out in decoder.feed(wire[at : at + step])]
    assert [out for out in got if out != b"noise"] == ([frame, frame] if frame and frame != b"noise" else [])


def test_slip_known_bytes() -> None:
    # RFC 1055: END 300 octal, ESC 333, ESC END 334, ESC ESC 335.
    assert slip.encode(b"\x01\xc0\xdb\x02") == bytes.fromhex("c001dbdcdbdd02c0")


def test_slip_drops_a_bad_escape() -> None:
    assert slip.Decoder().feed(b"\xc0a\xdbb\xc0ok\xc0") == [b"ok"]


@given(st.lists(st.binary(max_size=40), max_size=5), st.integers(1, 9))
def test_telnet_keeps_data_and_commands_in_order(chunks: list[bytes], step: int) -> None:
    wire = b"".join(telnet.escape(chunk) + telnet.com_port(5, b"\xff") for chunk in chunks)
    decoder = telnet.Decoder()
    events = [event for at in range(0, len(wire), step) for event in decoder.feed(wire[at : at + step])]
    data = b"".join(event.data for event in events if isinstance(event, telnet.Data))
    assert data == b"".join(chunks)
    assert [event for event in events if isinstance(event, telnet.ComPort)] == [telnet.ComPort(5, b"\xff")] * len(
        chunks
    )


def test_telnet_known_bytes() -> None:
    # RFC 2217, section 3: SET-CONTROL 8 is DTR on; 255 within a value is doubled.
    assert telnet.com_port(telnet.SET_CONTROL, b"\x08") == bytes.fromhex("fffa2c0508fff0")
    assert telnet.negotiate(telnet.WILL, telnet.BINARY) == bytes.fromhex("fffb00")


def test_an_endless_telnet_command_does_not_fill_memory() -> None:
    decoder = telnet.Decoder()
    decoder.feed(b"\xff\xfa" + b"x" * 5000)
    assert len(decoder._rest) < 2000


# --- the loader's protocol (esptool documentation, "Serial Protocol")


def request(op: int, data: bytes = b"", checksum: int = 0) -> bytes:
    return slip.encode(struct.pack("<BBHI", 0, op, len(data), checksum) + data)


def answers(loader: Loader, wire: bytes) -> list[bytes]:
    return slip.Decoder().feed(loader.feed(wire))


def block(data: bytes) -> tuple[bytes, int]:
    checksum = 0xEF
    for byte in data:
        checksum ^= byte
    return struct.pack("<IIII", len(data), 0, 0, 0) + data, checksum


def stub_loader(flash: NorFlash) -> Loader:
    loader = Loader(flash, ESP32_S3)
    loader.feed(request(0x05, struct.pack("<IIII", 0, 0, 0x1800, 0x40378000)))
    assert answers(loader, request(0x06, struct.pack("<II", 0, 0x40378000)))[-1] == b"OHAI"
    return loader


def test_sync_is_answered_eight_times_and_tells_rom_from_stub(flash: NorFlash) -> None:
    sync = request(0x08, b"\x07\x07\x12\x20" + b"\x55" * 32)
    rom = answers(Loader(flash, ESP32), sync)
    assert len(rom) == 8 and rom[0] == bytes.fromhex("010804000707122000000000")
    stub = answers(stub_loader(flash), sync)
    assert len(stub) == 8 and stub[0] == bytes.fromhex("010802000000000000" + "00")


def test_unknown_request_on_a_rom_is_not_echoed(flash: NorFlash) -> None:
    replies = answers(Loader(flash, ESP32), request(0x14))
    assert len(replies) == 8
    assert replies[0][1] != 0x14 and replies[0][8:10] == b"\x01\x05"


def test_a_bad_checksum_writes_nothing(flash: NorFlash) -> None:
    loader = stub_loader(flash)
    loader.feed(request(0x02, struct.pack("<IIIII", 4, 1, 0x4000, 0x1000, 0)))
    data, checksum = block(b"data")
    assert answers(loader, request(0x03, data, checksum ^ 1))[0][8:] == b"\xc1\0"
    assert flash.read(0x1000, 4) == b"\xff" * 4
    assert answers(loader, request(0x03, data, checksum))[0][8:] == b"\0\0"
    assert flash.read(0x1000, 4) == b"data"


def test_rom_erases_at_begin_and_stub_as_it_writes(flash: NorFlash) -> None:
    begin = struct.pack("<IIIII", 8192, 2, 0x1000, 0x2000, 0)
    flash.program(0x2000, bytes(8192))
    rom = Loader(flash, ESP32_S3)
    rom.feed(request(0x0D, bytes(8)) + request(0x02, begin))
    assert flash.read(0x2000, 8192) == b"\xff" * 8192
    flash.program(0x2000, bytes(8192))
    stub = stub_loader(flash)
    stub.feed(request(0x02, begin))
    assert flash.read(0x2000, 8192) == bytes(8192)
    data, checksum = block(b"\x11" * 4096)
    stub.feed(request(0x03, data, checksum))
    assert flash.read(0x2000, 8192) == b"\x11" * 4096 + bytes(4096)


def test_flash_is_unreachable_in_rom_until_attached(flash: NorFlash) -> None:
    loader = Loader(flash, ESP32)
    md5 = request(0x13, struct.pack("<IIII", 0, 4096, 0, 0))
    assert answers(loader, md5)[0][8] == 1
    loader.feed(request(0x0D, bytes(8)))
    assert answers(loader, md5)[0][8:40] == hashlib.md5(b"\xff" * 4096).hexdigest().encode()


def test_compressed_data_that_is_cut_short_or_too_long_is_refused(flash: NorFlash) -> None:
    packed = zlib.compress(bytes(range(256)) * 8)

    def run(size: int, sent: bytes) -> bytes:
        loader = stub_loader(flash)
        loader.feed(request(0x10, struct.pack("<IIIII", size, 1, 0x4000, 0, 0)))
        data, checksum = block(sent)
        last = answers(loader, request(0x11, data, checksum))[-1][8:]
        return last if last != b"\0\0" else answers(loader, request(0x12, struct.pack("<I", 1)))[-1][8:]

    assert run(2048, packed) == b"\0\0"
    assert run(4096, packed) == b"\xc8\0"
    assert run(1024, packed) == b"\xc9\0"
    assert run(2048, b"not deflate") == b"\xc7\0"


def test_writing_outside_the_chip_is_refused(flash: NorFlash) -> None:
    begin = struct.pack("<IIIII", 8192, 1, 0x4000, 4 * MB - 4096, 0)
    assert answers(stub_loader(flash), request(0x02, begin))[0][8:] == b"\xc4\0"


def test_read_flash_waits_for_acknowledgements(flash: NorFlash) -> None:
    flash.program(0, bytes(range(256)) * 64)
    loader = stub_loader(flash)
    first = answers(loader, request(0xD2, struct.pack("<IIII", 0, 16384, 4096, 2)))
    assert [len(frame) for frame in first] == [10, 4096, 4096]
    assert [len(frame) for frame in answers(loader, slip.encode(struct.pack("<I", 4096)))] == [4096]
    assert [len(frame) for frame in answers(loader, slip.encode(struct.pack("<I", 8192)))] == [4096]
    assert answers(loader, slip.encode(struct.pack("<I", 12288))) == []
    last = answers(loader, slip.encode(struct.pack("<I", 16384)))
    assert last == [hashlib.md5(bytes(range(256)) * 64).digest()]


def test_watchdog_and_flash_end_leave_the_loader(flash: NorFlash) -> None:
    loader = stub_loader(flash)
    # ESP32-S3 technical reference manual, RTC watchdog: CONFIG0 at 0x60008098 (bit 31 enables), WPROTECT at 0x600080B0.
    loader.feed(request(0x09, struct.pack("<IIII", 0x60008098, 1 << 31, 0xFFFFFFFF, 0)))
    assert loader.action is None
    loader.feed(request(0x09, struct.pack("<IIII", 0x600080B0, 0, 0xFFFFFFFF, 0)))
    assert loader.action == "boot-run"
    rom = Loader(flash, ESP32)
    rom.feed(request(0x04, struct.pack("<I", 0)))
    assert rom.action == "boot-run"


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> NorFlash:
    return NorFlash(tmp_path_factory.mktemp("noise") / "flash.bin", 2 * MB)


@given(noise=st.binary(max_size=200))
def test_noise_never_raises(scratch: NorFlash, noise: bytes) -> None:
    for wire in (noise, slip.encode(noise), slip.encode(b"\0" + noise)):
        Loader(scratch, ESP32_S3).feed(wire)


def test_identities() -> None:
    # JEDEC capacity byte is log2 of the size: 0x16 4 MB, 0x17 8 MB, 0x18 16 MB (Winbond W25Q data sheets).
    assert [jedec_id(size * MB) for size in (4, 8, 16)] == [0x1640EF, 0x1740EF, 0x1840EF]
    with pytest.raises(ValueError, match="power of two"):
        jedec_id(3 * MB)
    with pytest.raises(ValueError, match="there are esp32, esp32s3, esp32c3"):
        identity_of("esp8266")


def test_turns_count_changes_of_direction() -> None:
    counters = Counters()
    for _ in range(3):
        counters.received(10)
        counters.received(5)
        counters.sent(7)
    assert (counters.turns, counters.bytes_in, counters.bytes_out) == (3, 45, 21)
