"""MicroPython images: which are taken, which are refused and with what advice; the stand-in for the virtual board."""

import contextlib
import hashlib
import http.server
import importlib
import threading
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from judder.device import boards, espimage, micropython, partitions
from judder.device.boards import Board
from judder.device.chips import CHIPS
from judder.errors import FlashError, InputError
from judder.virtual.image import APP_OFFSET, STOCK_TABLE, synthetic_micropython

S3 = boards.load("esp32s3-generic")


@pytest.fixture(scope="module")
def image() -> bytes:
    return synthetic_micropython("esp32s3")


def with_application(image: bytes, application: bytes) -> bytes:
    return image[:APP_OFFSET] + application


def resealed(application: bytes, at: int, new: bytes) -> bytes:
    """Application with bytes of its first segment replaced, checksum and digest made right again."""
    data = bytearray(application[: espimage.read(application).size - 32])
    for index, byte in enumerate(new):
        data[-1] ^= data[at + index] ^ byte
        data[at + index] = byte
    return bytes(data + hashlib.sha256(data).digest())


@pytest.mark.parametrize("chip", list(CHIPS))
def test_stand_in_is_valid_to_espressifs_own_reader(chip: str) -> None:
    bin_image = importlib.import_module("esptool.bin_image")
    data = synthetic_micropython(chip)
    assert len(data) == 1_740_000
    for part in (data, data[APP_OFFSET - CHIPS[chip].boot_loader_offset :]):
        parsed = bin_image.LoadFirmwareImage(chip, part)
        assert parsed.checksum == parsed.calculate_checksum()
        assert parsed.stored_digest == parsed.calc_digest
        assert parsed.chip_id == CHIPS[chip].image_chip_id


def test_stand_in_compresses_like_the_real_thing_and_never_changes(image: bytes) -> None:
    # Reference: a 1 740 000 B firmware image deflates to 61 %.
    assert len(zlib.compress(image, 9)) / len(image) == pytest.approx(0.61, abs=0.02)
    assert synthetic_micropython("esp32s3") == image


def test_compose_keeps_the_application_and_swaps_the_table(image: bytes) -> None:
    head, application, table = micropython.compose(S3, image)
    assert (head.offset, application.offset, table.offset) == (0, 0x10000, 0x8000)
    assert application.data == image[0x10000:][: len(application.data)]
    assert set(image[0x10000 + len(application.data) :]) <= {0xFF}
    assert [row.label for row in partitions.parse(table.data)][-2:] == ["cfg", "ring"]


def test_compose_writes_the_flash_size_where_the_boot_loader_looks(image: bytes) -> None:
    head = micropython.compose(S3, image)[0].data
    assert espimage.read(image).flash_size_bytes == 4 << 20
    assert espimage.read(head).flash_size_bytes == 8 << 20
    parsed = importlib.import_module("esptool.bin_image").LoadFirmwareImage("esp32s3", head)
    assert parsed.stored_digest == parsed.calc_digest
    assert parsed.flash_size_freq >> 4 == 3  # esptool's FLASH_SIZES: 8MB 0x30


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda _data: b"hello", "does not begin with 0xE9"),
        (lambda _data: synthetic_micropython("esp32c3"), r"is for the ESP32-C3, board esp32s3-generic has an ESP32-S3"),
        (lambda data: data[0x10000:], r"so it is an \.app-bin: download the installation \.bin"),
        (lambda data: data[:0x11000], "cut short"),
        (lambda data: data[:0x20000] + b"\0" + data[0x20001:], "damaged"),
        (lambda data: data[:100] + b"\0\0\0" + data[103:], "damaged"),
    ],
)
def test_unusable_images_are_refused_with_advice(image: bytes, spoil, said: str) -> None:
    with pytest.raises(FlashError, match=said):
        micropython.compose(S3, spoil(image))


def test_an_ota_variant_is_refused(image: bytes) -> None:
    table = partitions.encode([replace(row, subtype=0x10) if row.label == "factory" else row for row in STOCK_TABLE])
    with pytest.raises(FlashError, match="an OTA variant"):
        micropython.compose(S3, image[:0x8000] + table + image[0x9000:])


def test_an_application_bigger_than_its_partition_names_both_sizes() -> None:
    data = synthetic_micropython("esp32s3", 0x10000 + 0x1F0000 + 0x8000)
    with pytest.raises(FlashError, match=r"too big: 20\d{5} bytes, its partition holds 2031616 bytes"):
        micropython.compose(S3, data)


@pytest.mark.parametrize(("version", "good"), [("v1.23.0", False), ("v1.24.1", True), ("1.26.0-preview", True)])
def test_releases_older_than_the_board_needs_are_refused(image: bytes, version: str, good: bool) -> None:
    old = with_application(image, resealed(image[0x10000:], 32 + 16, version.encode().ljust(32, b"\0")))
    if good:
        micropython.compose(S3, old)
        return
    with pytest.raises(FlashError, match=r"MicroPython v1\.23\.0, board esp32s3-generic needs 1\.24"):
        micropython.compose(S3, old)


def test_a_board_without_a_hash_sends_people_to_the_page() -> None:
    with pytest.raises(FlashError, match=r"https://micropython\.org/download/ESP32_GENERIC_S3/.*--micropython FILE"):
        micropython.image_for(S3, None)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        micropython.image_for(S3, tmp_path / "nothing.bin")


# --- download, from a server on this machine


@pytest.fixture
def server(image: bytes) -> Iterator[tuple[str, list[str]]]:
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200 if self.path == "/mp.bin" else 404)
            self.end_headers()
            with contextlib.suppress(OSError):
                self.wfile.write(image)

        def log_message(self, *_arguments: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as httpd:
        thread = threading.Thread(target=httpd.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{httpd.server_port}", asked
        httpd.shutdown()
        thread.join()


def board_with(url: str, sha256: str) -> Board:
    return replace(S3, micropython=replace(S3.micropython, url=url, sha256=sha256))


def test_download_is_checked_and_kept(server: tuple[str, list[str]], image: bytes, tmp_path: Path) -> None:
    url, asked = server
    board = board_with(url + "/mp.bin", hashlib.sha256(image).hexdigest())
    assert micropython.image_for(board, None, tmp_path) == image
    assert micropython.image_for(board, None, tmp_path) == image
    assert asked == ["/mp.bin"]


def test_a_damaged_cache_is_fetched_again(server: tuple[str, list[str]], image: bytes, tmp_path: Path) -> None:
    url, asked = server
    board = board_with(url + "/mp.bin", hashlib.sha256(image).hexdigest())
    (tmp_path / f"{board.micropython.sha256}.bin").write_bytes(b"half")
    assert micropython.image_for(board, None, tmp_path) == image
    assert asked == ["/mp.bin"]


def test_a_download_with_another_hash_is_not_used(server: tuple[str, list[str]], tmp_path: Path) -> None:
    with pytest.raises(FlashError, match=r"board\.toml records 0000"):
        micropython.image_for(board_with(server[0] + "/mp.bin", "0" * 64), None, tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_download_that_fails_says_what_to_do(server: tuple[str, list[str]], tmp_path: Path) -> None:
    with pytest.raises(FlashError, match=r"cannot be fetched .*404.*--micropython FILE"):
        micropython.image_for(board_with(server[0] + "/gone.bin", "0" * 64), None, tmp_path)
