"""Files of lines after a crash: however long the batch was that nobody acknowledged, no line is there twice."""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.host import sinks

from judder.errors import InputError
from judder.sink import SinkOptions, append
from judder.sink.csv import CsvOptions, CsvSink
from judder.sink.ndjson import NdjsonOptions, NdjsonSink
from judder.sink.senml import SenmlOptions, SenmlSink

MAKE: dict[str, Callable[[Path], Any]] = {
    "ndjson": lambda folder: NdjsonSink(NdjsonOptions(path=folder / "r.ndjson")),
    "csv": lambda folder: CsvSink(CsvOptions(folder=folder)),
    "senml": lambda folder: SenmlSink(SenmlOptions(path=folder / "r.senml")),
}
OPTIONS: dict[str, Callable[[int], SinkOptions]] = {
    "ndjson": lambda size: NdjsonOptions(batch_size=size),
    "csv": lambda size: CsvOptions(batch_size=size),
    "senml": lambda size: SenmlOptions(path=Path("r.senml"), batch_size=size),
}
every_sink = pytest.mark.parametrize("make", MAKE.values(), ids=list(MAKE))


def kept(folder: Path) -> list[str]:
    return [line for path in sorted(folder.iterdir()) for line in path.read_text().splitlines()]


@every_sink
def test_the_largest_batch_comes_again_in_smaller_ones(
    make: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """batch_size was lowered between the crash and the start. One day, so that it is one file."""
    monkeypatch.setattr(append, "MOST", 600)
    monkeypatch.setattr(append, "_PIECE_BYTES", 16_384)
    batch = [sinks.reading(n, received_at=sinks.T0 + n) for n in range(append.MOST)]
    with make(tmp_path) as sink:
        sink.write(batch)
    whole = kept(tmp_path)
    assert len(whole) >= append.MOST and sum(map(len, whole)) > 8 * append._PIECE_BYTES
    with make(tmp_path) as sink:
        for first in range(0, len(batch), 50):
            sink.write(batch[first : first + 50])
    assert kept(tmp_path) == whole


@every_sink
def test_wherever_the_pieces_end_that_are_read(make: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    batch = [sinks.reading(n, received_at=sinks.T0 + n) for n in range(4)]
    with make(tmp_path) as sink:
        sink.write(batch)
    whole = kept(tmp_path)
    size = sum(path.stat().st_size for path in tmp_path.iterdir())
    for piece in range(7, size + 9, 97):
        monkeypatch.setattr(append, "_PIECE_BYTES", piece)
        with make(tmp_path) as sink:
            sink.write(batch)
        assert kept(tmp_path) == whole, piece


def test_no_more_is_read_than_may_come_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of years is not read through at every start; and what is not known is written again, which shows that
    the tests above can fail."""
    monkeypatch.setattr(append, "MOST", 3)
    monkeypatch.setattr(append, "_PIECE_BYTES", 64)
    batch = [sinks.reading(n) for n in range(8)]
    for _ in range(2):
        with NdjsonSink(NdjsonOptions(path=tmp_path / "r.ndjson", batch_size=3)) as sink:
            sink.write(batch)
    found = Counter(json.loads(line)["sequence"] for line in kept(tmp_path))
    assert found == {**dict.fromkeys(range(5), 2), 5: 1, 6: 1, 7: 1}


@pytest.mark.parametrize("options", OPTIONS.values(), ids=list(OPTIONS))
def test_a_larger_batch_is_refused(options: Any) -> None:
    assert options(append.MOST).batch_size == append.MOST
    with pytest.raises(InputError, match=r"^batch_size: 10001 is not at most 10000"):
        options(append.MOST + 1)
