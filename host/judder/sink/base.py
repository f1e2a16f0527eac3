"""What sinks have in common: name, wishes, and which observations they take."""

from __future__ import annotations

from types import TracebackType
from typing import ClassVar, Self

from judder.flow import Observation
from judder.sink import SinkOptions


class BaseSink:
    """Parent of the sinks here; a context manager. KINDS: records it can say something with, empty: all."""

    name: ClassVar[str]
    KINDS: ClassVar[tuple[str, ...]] = ()

    def __init__(self, options: SinkOptions) -> None:
        self.batch_size = options.batch_size
        self.linger_s = options.linger_s
        self._kinds = frozenset(options.kinds or self.KINDS)
        self._duplicates = options.duplicates

    def takes(self, observation: Observation) -> bool:
        if self._kinds and observation.record.kind not in self._kinds:
            return False
        return self._duplicates or "duplicate" not in observation.problems

    def open(self) -> None:
        """Nothing to get ready."""

    def close(self) -> None:
        """Nothing to let go of."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
