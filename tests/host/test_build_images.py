"""Compiling and packing: from a small tree of the test's own, and from the firmware there is."""

import importlib
import io
import shutil
from pathlib import Path

import pytest

from judder.device import assets, boards, build, images, layout
from judder.errors import FlashError, InputError
from judder_core import schema

littlefs = importlib.import_module("littlefs")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A firmware tree of four files, one of them a kernel with the word-size line."""
    folder = tmp_path / "firmware"
    for name, text in {
        "boot.py": "BOOT = 1\n",
        "main.py": "MAIN = 1\n",
        "judder_core/__init__.py": "",
        "node/__init__.py": "",
        "node/kernel.py": "from micropython import const\n_WORD_BITS = const(32)\nBITS = _WORD_BITS\n",
        "node/not_a_kernel.py": 'TEXT = "_WORD_BITS = const(32)"\n',
    }.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def unpack(image: bytes) -> dict[str, bytes]:
    """Files of an image, read by littlefs-python with its own defaults rather than ours."""
    fs = littlefs.LittleFS(block_size=4096, block_count=len(image) // 4096, mount=False)
    fs.context.buffer = bytearray(image)
    fs.mount()
    found = {}
    for folder, _folders, names in fs.walk("/"):
        for name in names:
            path = f"{folder.rstrip('/')}/{name}".lstrip("/")
            with fs.open(path, "rb") as file:
                found[path] = file.read()
    return found


def test_tree_compiles_to_mpy_for_every_chip(tree: Path, tmp_path: Path) -> None:
    # .mpy header (MicroPython docs, "MicroPython .mpy files"): 'M', version 6, then architecture << 2 | sub-version
    # in the flags byte of files with native code; these have none, so it is the same for all.
    for arch in ("xtensawin", "rv32imc", "x64"):
        out = tmp_path / arch
        made = build.compile_tree(arch, out, firmware=tree)
        expected = ["judder_core/__init__.mpy", "node/__init__.mpy", "node/kernel.mpy", "node/not_a_kernel.mpy"]
        assert [path for path, _size in made] == expected
        for path, size in made:
            data = (out / path).read_bytes()
            assert len(data) == size and data[:2] == b"M\x06"


def test_word_size_is_substituted_on_64_bit_only_and_only_that_line(tree: Path, tmp_path: Path) -> None:
    def compiled(arch: str, name: str) -> bytes:
        build.compile_tree(arch, tmp_path / arch, firmware=tree)
        return (tmp_path / arch / "node" / name).read_bytes()

    # The same source with 64 written by hand is what x64 must come out as.
    by_hand = tmp_path / "by_hand.mpy"
    text = (tree / "node/kernel.py").read_text()
    source = tmp_path / "by_hand.py"
    source.write_text(text.replace("(32)", "(64)"))
    build.compile_file(source, by_hand, "xtensawin", "node/kernel.py")
    assert compiled("x64", "kernel.mpy") == by_hand.read_bytes()
    assert compiled("xtensawin", "kernel.mpy") != by_hand.read_bytes()
    assert b"_WORD_BITS = const(32)" in compiled("x64", "not_a_kernel.mpy")


def test_source_that_does_not_compile_is_named(tree: Path, tmp_path: Path) -> None:
    (tree / "node/broken.py").write_text("x = 1\ndef f(:\n")
    with pytest.raises(InputError, match=r"node/broken.py does not compile for xtensawin: SyntaxError.*line 2"):
        build.compile_tree("xtensawin", tmp_path / "out", firmware=tree)


def test_board_module_holds_the_constants_of_the_contract() -> None:
    values: dict[str, object] = {}
    exec(build.board_module(boards.load("esp32-generic")), values)  # noqa: S102
    assert (values["NAME"], values["NUMBER"], values["CHIP"]) == ("esp32-generic", 2, "esp32")
    assert (values["SPI_ID"], values["SPI_CS"], values["I2C_TMP117"]) == (2, 5, 0x48)
    assert values["LED"] is values["BATTERY_ADC"] is values["BATTERY_NUMERATOR"] is None
    assert values["FIRMWARE"] == (0, 1, 0)


def test_images_fill_their_partitions_and_hold_the_files(tree: Path) -> None:
    board = boards.load("virtual-esp32s3")
    made = images.build(board, firmware=tree)
    assert len(made.vfs) == 0x20000 and len(made.app_a) == 0xA0000
    assert unpack(made.vfs) == {"boot.py": b"BOOT = 1\n", "main.py": b"MAIN = 1\n"}
    assert set(unpack(made.app_a)) == {
        *("board.mpy", "judder_core/__init__.mpy"),
        *("node/__init__.mpy", "node/kernel.mpy", "node/not_a_kernel.mpy"),
    }


def test_images_are_the_same_every_time(tree: Path, tmp_path: Path) -> None:
    board = boards.load("virtual-esp32s3")
    first = images.build(board, firmware=tree)
    second = images.build(board, firmware=tree, output=tmp_path)
    assert (first.vfs, first.app_a) == (second.vfs, second.app_a)
    assert (tmp_path / "app_a.img").read_bytes() == first.app_a
    assert (tmp_path / "app" / "node" / "kernel.mpy").is_file()


def test_an_image_bigger_than_its_partition_names_both_sizes() -> None:
    slot = layout.find(layout.layout(4 << 20), "app_a")
    with pytest.raises(FlashError, match=r"partition app_a is too big: 700000 bytes in 1 files.* holds 655360 bytes"):
        images.littlefs({"big.bin": bytes(700_000)}, slot)


def test_superblock_says_block_size_and_count() -> None:
    # littlefs specification, "superblock": "littlefs", then version 2.1, block size, block count, little-endian.
    slot = layout.find(layout.layout(4 << 20), "vfs")
    image, _used = images.littlefs({"a": b"1"}, slot)
    at = image.index(b"littlefs")
    fields = io.BytesIO(image[at + 8 :])
    assert b"\x01\x00\x02\x00" + (4096).to_bytes(4, "little") + (32).to_bytes(4, "little") in fields.read(64)


def test_the_real_firmware_fits_every_board() -> None:
    for name in boards.names():
        made = images.build(boards.load(name))
        assert {"judder_core/schema.mpy", "board.mpy"} <= {path for path, _size in made.files["app_a"]}
        assert made.used["app_a"] <= 0xA0000
        assert [path for path, _size in made.files["vfs"]] == ["boot.py", "main.py"]


@pytest.mark.parametrize(
    ("name", "ways"),
    [
        ("esp32-generic", set()),
        ("esp32-generic-rak3172", {"modem"}),
        ("heltec-v3", {"lorawan", "radio"}),
        ("lilygo-t3-v16", {"lorawan", "radio"}),
    ],
)
def test_a_board_gets_the_way_to_lorawan_that_it_has(name: str, ways: set[str], tmp_path: Path) -> None:
    everything = {path for path, _size in build.compile_tree("xtensawin", tmp_path)}
    there = {path for path, _size in build.compile_tree("xtensawin", tmp_path, boards.load(name))}
    left_out = everything - there
    ways_out = {"lorawan", "radio", "modem"} - ways
    assert {path.split("/")[2] for path in left_out} == ways_out
    assert all(f"node/link/{way}/__init__.mpy" in (there if way in ways else left_out) for way in ways | ways_out)


def test_a_folder_that_is_no_firmware_tree_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no folder judder_core"):
        build.compile_tree("xtensawin", tmp_path / "out", firmware=tmp_path)


def test_a_wheel_has_the_contract_once_and_builds_the_same(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    board = boards.load("virtual-esp32s3")
    checkout = tmp_path / "checkout"
    shutil.copytree(tree, checkout)
    shutil.rmtree(checkout / "judder_core")
    shutil.copytree(
        assets.firmware() / "judder_core", checkout / "judder_core", ignore=shutil.ignore_patterns("*cache*")
    )
    wheel = tmp_path / "wheel"
    shutil.copytree(checkout, wheel)
    shutil.rmtree(wheel / "judder_core")
    monkeypatch.setattr(assets, "firmware", lambda: wheel)
    assert images.build(board).app_a == images.build(board, firmware=checkout).app_a


def test_the_node_gets_the_tables_of_the_contract_without_their_words() -> None:
    """They must differ in nothing else: a table read wrong would still compile."""
    for name, tables in (("schema", [name for _number, name, _rows in schema.KINDS]), ("settings", ["SETTINGS"])):
        path = Path(f"judder_core/{name}.py")
        source = (assets.firmware() / path).read_text()
        stripped: dict[str, object] = {}
        exec(compile(build._for_node(path, source), name, "exec"), stripped)  # noqa: S102
        whole: dict[str, object] = {}
        exec(compile(source, name, "exec"), whole)  # noqa: S102
        for table in tables:
            key = table if table == "SETTINGS" else f"{table.upper()}_FIELDS"
            here, there = whole[key], stripped[key]
            assert isinstance(here, tuple) and isinstance(there, tuple)
            assert [row[:-1] for row in here] == [row[:-1] for row in there]
            assert {row[-1] for row in there} == {""} and all(row[-1] for row in here)
        others = [key for key, value in whole.items() if key[0] != "_" and isinstance(value, (int, tuple))]
        others = [key for key in (*others, "_LIMITS") if key in whole and key not in ("SETTINGS", "KINDS")]
        assert [key for key in others if not key.endswith("_FIELDS") and whole[key] != stripped[key]] == []
        assert build._for_node(Path("node/x.py"), source) == source
