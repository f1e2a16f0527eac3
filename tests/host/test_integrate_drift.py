"""What `make generate` wrote is what the contract says today."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from tests.tools import npm_packages

from judder.errors import InputError
from judder.integrate import codec, generate

ROOT = Path(__file__).parents[2]
HINT = "the contract has changed: run `make generate` and commit what it writes"


@pytest.mark.parametrize("name", generate.files())
def test_file(name: str) -> None:
    assert (ROOT / name).read_text(encoding="utf-8") == generate.files()[name], HINT


def test_codec_names_its_source() -> None:
    first = (ROOT / generate.CODEC).read_text(encoding="utf-8").partition("\n")[0]
    found = re.search(r"from ([0-9a-f]{8})\. ", first)
    assert found and found[1] == codec.digest(codec.source(packed=True)), HINT


def test_codec_is_made_from_its_source() -> None:
    try:
        terser = npm_packages.install() / "terser" / "bin" / "terser"
        made = codec.shrink(codec.source(packed=True), terser)
    except (npm_packages.Unavailable, InputError) as error:
        if os.environ.get("CI"):
            pytest.fail(str(error))
        pytest.skip(str(error))
    assert (ROOT / generate.CODEC).read_text(encoding="utf-8") == made, HINT
