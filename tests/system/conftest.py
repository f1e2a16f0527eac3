"""Images of the true firmware, built once for all system tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from judder.device import boards, images
from judder.device.boards import Board
from judder.device.ports import stop_virtual_boards

BEARINGS = Path(__file__).parents[3] / "shared" / "data" / "bearings"


@pytest.fixture(scope="session")
def board() -> Board:
    return boards.load(boards.DEFAULT)


@pytest.fixture(scope="session")
def made(board: Board) -> images.Images:
    return images.build(board)


@pytest.fixture
def bearings() -> Path:
    """Recordings of real bearings (Case Western Reserve University), where this machine has them."""
    if not (BEARINGS / "recordings.json").is_file():
        pytest.skip("no bearing recordings in ../shared/data: a clone has none")
    return BEARINGS


@pytest.fixture
def virtual_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """`--port virtual` keeps its flash here, and stops with the test."""
    monkeypatch.setenv("JUDDER_VIRTUAL_DIR", str(tmp_path / "virtual"))
    yield tmp_path
    stop_virtual_boards()
