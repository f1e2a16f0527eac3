"""The small accelerometers of ST: output registers 0x28..0x2D that are the FIFO's oldest sample while the FIFO is on,
and over which a long read goes round (LIS3DH: AN3308, section "FIFO"; LIS2DW12: AN5038, same).
"""

from __future__ import annotations

from typing import ClassVar

from judder.virtual.chips.fifo import BYPASS, FifoChip

WHO_AM_I = 0x0F
OUT_X_L, OUT_Z_H = 0x28, 0x2D


class StFifoChip(FifoChip):
    """CHIP_ID, DEFAULTS (register -> value), WRITABLE: what a subclass has. _write(register, before, now_us) acts."""

    CHIP_ID: int
    DEFAULTS: ClassVar[dict[int, int]]
    WRITABLE: frozenset[int]
    DEPTH = 32

    def _reset(self) -> None:
        self._registers = dict(self.DEFAULTS)
        self._held = bytes(6)
        super()._reset()

    @property
    def _rolls(self) -> bool:
        return self._mode != BYPASS

    def _following(self, register: int) -> int:
        if register == OUT_Z_H and self._rolls:
            return OUT_X_L
        return register + 1 & 0x7F

    def _burst(self, register: int, count: int) -> bytes:
        if register != OUT_X_L or not self._rolls:
            return b""
        return self._pop(count // 6)

    def _get(self, register: int, now_us: int) -> int:  # noqa: ARG002
        if register == WHO_AM_I:
            return self.CHIP_ID if self.identity is None else self.identity
        if OUT_X_L <= register <= OUT_Z_H:
            return self._output(register - OUT_X_L)
        return self._registers.get(register, 0)

    def _output(self, index: int) -> int:
        if index == 0:
            self._new_data = False
            if self._mode == BYPASS:
                self._held = self._encode(self._newest_codes())
            elif self._level:
                self._held = self._pop(1)
        return self._held[index]

    def _set(self, register: int, value: int, now_us: int) -> None:
        if register in self.WRITABLE:
            before, mode = self._registers[register], self._mode
            self._settings_change()
            self._registers[register] = value
            self._write(register, before, now_us)
            if mode != BYPASS and self._mode == BYPASS:
                self._clear_fifo()

    def _write(self, register: int, before: int, now_us: int) -> None:
        raise NotImplementedError
