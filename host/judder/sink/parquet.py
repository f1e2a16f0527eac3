"""Observations as Parquet, for data lakes: reading/day=2026-03-01/00000001-00000001.parquet. Needs the extra `batch`.

Every write() leaves a whole file for each kind and day it touched, on the disk, under a name it has from the beginning
(written hidden, synced, renamed, folder synced). Small ones are put together as they become many, and when their day is
over. Columns: who and when, then those of decode_batch. A day is that of receipt, in UTC.

Written again, a row is left out: the ids in all files whose times of receipt overlap are looked at, however old.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from judder.errors import InputError
from judder.flow import Observation
from judder.sink import Plugin, SinkOptions, daily, needs
from judder.sink.base import BaseSink

if TYPE_CHECKING:
    from judder.sink.parquet_store import Store

COMPRESSIONS = ("zstd", "snappy", "gzip", "none")


@dataclass(slots=True, kw_only=True)
class ParquetOptions(SinkOptions):
    """folder: where the files go, it is made; one process writes there. file_mb: about the size files are put together
    to, in 10^6 bytes. compression: "zstd", "snappy", "gzip" or "none"."""

    folder: Path = Path("parquet")
    file_mb: int = 128
    compression: str = "zstd"
    batch_size: int = 20_000
    linger_s: float = 60.0

    def __post_init__(self) -> None:
        SinkOptions.__post_init__(self)
        self.folder = Path(self.folder)
        if self.file_mb < 1:
            raise InputError(f"file_mb: {self.file_mb} is not at least 1")
        if self.compression not in COMPRESSIONS:
            raise InputError(f"compression: {self.compression!r} is not one of {', '.join(COMPRESSIONS)}")


class ParquetSink(BaseSink):
    """Waits for many, or a minute: each write is a file or more."""

    name = "parquet"

    def __init__(self, options: ParquetOptions) -> None:
        super().__init__(options)
        try:
            from judder.sink import parquet_store, parquet_table
        except ImportError as error:
            raise needs("numpy and pyarrow", "batch", error) from error
        self._store: Store = parquet_store.Store(options.folder, options.file_mb * 1_000_000, options.compression)
        self._tables: Any = parquet_table

    def write(self, batch: Sequence[Observation]) -> None:
        parts: dict[tuple[str, str], list[int]] = {}
        for index, observation in enumerate(batch):
            parts.setdefault((observation.record.kind, daily.day(observation)), []).append(index)
        # All of them before the first is stored: what cannot be written is then known.
        tables = {part: self._tables.table(part[0], batch, indexes) for part, indexes in parts.items()}
        for (kind, day), table in tables.items():
            self._store.add(kind, day, table)

    def close(self) -> None:
        self._store.close()


PLUGIN = Plugin(ParquetOptions, ParquetSink)
