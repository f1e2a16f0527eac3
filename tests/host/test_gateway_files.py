"""Files that grow: rotation, restarts, long and torn lines; and what a line holds."""

import os
import random
from pathlib import Path

import pytest
from tests.host import servers
from tests.host.gateways import NODE, T0
from tests.host.tracking import reading

from judder.errors import InputError
from judder.flow import Poison, Uplink
from judder.gateway import source
from judder.gateway.source import tail as tail_module
from judder.gateway.source.file import FileOptions, arrivals_of
from judder.gateway.source.tail import Line, Tail


def read(tail: Tail) -> list[bytes]:
    """All there is for now."""
    found: list[bytes] = []
    for _ in range(6):  # a moved file is left when its end was seen twice
        found += [line.data for line in tail.lines()]
    return found


def add(path: Path, text: bytes) -> None:
    with path.open("ab") as file:
        file.write(text)


def test_lines_come_when_they_are_whole(tmp_path: Path) -> None:
    path = tmp_path / "log"
    tail = Tail(path)
    assert read(tail) == [] and tail.position() is None
    add(path, b"one\ntw")
    assert read(tail) == [b"one"]
    add(path, b"o\n\nthree")
    assert read(tail) == [b"two", b""]
    tail.close()


def test_it_goes_on_where_it_was(tmp_path: Path) -> None:
    path = tmp_path / "log"
    add(path, b"one\ntwo\nthr")
    tail = Tail(path)
    read(tail)
    position = tail.position()
    tail.close()
    add(path, b"ee\nfour\n")
    again = Tail(path, position)
    assert read(again) == [b"three", b"four"] and again.replaced == 0
    again.close()


def test_the_first_time_from_the_end(tmp_path: Path) -> None:
    path = tmp_path / "log"
    add(path, b"old\n")
    tail = Tail(path, at_end=True)
    assert read(tail) == []
    add(path, b"new\n")
    assert read(tail) == [b"new"]
    tail.close()


@pytest.mark.parametrize("restart", [False, True])
def test_a_file_moved_away_is_read_to_its_end(tmp_path: Path, restart: bool) -> None:
    path = tmp_path / "log"
    add(path, b"one\n")
    tail = Tail(path)
    assert read(tail) == [b"one"]
    add(path, b"two\n")
    path.rename(tmp_path / "log.1")
    add(tmp_path / "log.1", b"three")  # whoever writes has it still open
    add(path, b"four\n")
    if restart:
        position = tail.position()
        tail.close()
        tail = Tail(path, position)
    assert read(tail) == [b"two", b"three", b"four"] and tail.replaced == 0
    tail.close()


def test_one_cut_short_is_begun_again(tmp_path: Path) -> None:
    path = tmp_path / "log"
    add(path, b"one\ntwo\n")
    tail = Tail(path)
    read(tail)
    os.truncate(path, 0)  # copytruncate
    assert read(tail) == []
    add(path, b"three\n")
    assert read(tail) == [b"three"]
    tail.close()


def test_another_file_of_that_name_is_told(tmp_path: Path) -> None:
    path = tmp_path / "log"
    add(path, b"one\ntwo\n")
    tail = Tail(path)
    read(tail)
    position = tail.position()
    tail.close()
    path.write_bytes(b"other\nand longer than before\n")  # the same inode, other contents
    again = Tail(path, position)
    assert read(again) == [b"other", b"and longer than before"] and again.replaced == 1
    again.close()


def test_a_line_without_end_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tail_module, "_CHUNK", 100)
    path = tmp_path / "log"
    add(path, b"x" * 1234 + b"\nnext\n")
    tail = Tail(path)
    found: list[Line] = []
    for _ in range(30):
        found += tail.lines()
    assert [(line.whole, line.data[:4]) for line in found] == [(False, b"xxxx"), (True, b"next")]
    assert len(found[0].data) <= 200
    tail.close()


def test_any_pieces_any_restarts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tail_module, "_CHUNK", 64)
    for seed in range(30):
        rng = random.Random(seed)
        path = tmp_path / f"log-{seed}"
        path.touch()
        lines = [b"%d " % n + b"y" * rng.randint(0, 40) for n in range(60)]
        text = b"".join(line + b"\n" for line in lines)
        tail, found, at, moved = Tail(path), [], 0, 0
        while at < len(text) or len(found) < len(lines):
            size = rng.randint(0, 90)
            add(path, text[at : at + size])
            at += size
            found += [line.data for line in tail.lines()]
            if rng.random() < 0.3:
                position = tail.position()
                tail.close()
                tail = Tail(path, position)
            if rng.random() < 0.1 and text[:at].endswith(b"\n"):
                found += read(tail)
                moved += 1
                path.rename(path.with_name(f"{path.name}.{moved}"))
                path.touch()
        assert found == lines, seed
        tail.close()


def test_what_a_line_holds() -> None:
    chirpstack = servers.body(servers.named("chirpstack: up, one gateway"))
    (up,) = arrivals_of(Line(chirpstack), T0)
    assert isinstance(up.event, Uplink) and up.event.source == "chirpstack"
    row = f'{{"node": "{NODE}", "payload": "{reading(1).hex()}"}}'.encode()
    (row_,) = arrivals_of(Line(b"\xef\xbb\xbf" + row + b"\r"), T0)
    assert isinstance(row_.event, Uplink) and (row_.event.node, row_.event.received_at) == (NODE, T0)
    for nothing in (b"", b"   ", b"# a comment"):
        assert arrivals_of(Line(nothing), T0) == []
    for bad in (Line(b"no sense!"), Line(b'{"a": 1}'), Line(b"\xff\xfe"), Line(b"x" * 100, whole=False)):
        (found,) = arrivals_of(bad, T0)
        assert isinstance(found.event, Poison) and found.event.uplink.payload == bad.data


def test_options() -> None:
    with pytest.raises(InputError, match="begin: 'middle' is not start or end"):
        FileOptions(path=Path("x"), begin="middle")
    assert source.load("file").make(FileOptions(path=Path("x"))).where() == "x"
