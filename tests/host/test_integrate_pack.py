"""Tables as short text, and the generator's ends: what it says where a program is missing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judder.errors import InputError
from judder.integrate import codec
from judder.integrate.pack import pack, unpack


def test_by_hand() -> None:
    # What is written twice and is long enough, once; a piece costs its length and a sign between pieces.
    assert pack(["velocity_rms|velocity_peak|velocity_x"], "X") == (["Xrms|Xpeak|Xx"], ["velocity_"])
    assert pack(["abcabc"], "XY") == (["abcabc"], [])
    # Counted without overlap: seven of "ab" save as much as three of "abab", and come first.
    assert pack(["ababababababab"], "X") == (["XXXXXXX"], ["ab"])


@given(st.lists(st.text("ab|;_", max_size=60), max_size=4))
def test_comes_back(texts: list[str]) -> None:
    short, pieces = pack(texts, "XYZ")
    assert [unpack(text, pieces, "XYZ") for text in short] == texts
    assert sum(map(len, short)) + sum(len(piece) + 1 for piece in pieces) <= sum(map(len, texts))


def test_a_letter_of_the_text_stands_for_nothing() -> None:
    with pytest.raises(ValueError, match="X stand in the text"):
        pack(["aXb"], "XY")


def test_says_what_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match=r"install Node\.js"):
        codec.shrink("var a;", tmp_path / "terser")


def test_a_terser_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"terser failed|install Node\.js"):
        codec.shrink("var a;", tmp_path / "terser")


def test_a_codec_that_is_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a program in the place of Node that gives back what it gets."""
    real = subprocess.run
    monkeypatch.setattr(subprocess, "run", lambda _argv, **how: real(["cat"], **how))
    assert codec.shrink("var a;", Path("terser")).endswith("\nvar a;")
    with pytest.raises(InputError, match="8192 are allowed"):
        codec.shrink("x" * codec.MAX_BYTES, Path("terser"))


def test_the_command_says_how_it_is_called() -> None:
    done = subprocess.run([sys.executable, "-m", "judder.integrate"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and "make generate" in done.stderr
