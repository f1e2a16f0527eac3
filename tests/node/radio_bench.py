"""Radio drivers of the node on the radio models, on CPython: a port on the models' pins, and an air with one other end.

Time is a number that transfers, looks at pins and sleeps move.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from chips import Time
from tests.radio_air import OneOther

import node.link.radio as contract
from judder.virtual.chips.sx1262 import Sx1262
from judder.virtual.chips.sx1276 import Sx1276
from judder.virtual.lorawan.air import Emission, Tuning
from node.link.radio import sx1262, sx1276

# What a transfer costs beside its bytes, on average, half before them and half after; each between half and one and
# a half of that. The virtual board charges 20 us; on an ESP32 a transfer of a driver in Python takes a few hundred.
FAST_US, USUAL_US, SLOW_US = 20, 300, 1000
BITS_PER_US = 8


class Port:
    """node.link.radio.spi.Port on a model. cost_us: of a transfer, about; a look at a pin costs a tenth of it."""

    def __init__(self, chip: Any, clock: Time, cost_us: int = USUAL_US) -> None:
        self.name = "SPI 1, chip select 18"
        self.chip = chip
        self.clock = clock
        self.cost_us = cost_us
        self._chance = random.Random(1)
        self.writes: list[bytes] = []
        self.antennas: list[int] = []
        self.powered = 0
        self.dio1: Callable[[], int] | None = self._dio1

    def _pass(self, share: float) -> None:
        self.clock.now_us += max(1, round(self.cost_us * share * self._chance.uniform(0.5, 1.5)))

    def _look(self) -> int:
        self._pass(0.1)
        return self.clock.now_us

    def busy(self) -> int:
        return int(self.chip.busy(self._look()))

    def dio0(self) -> int:
        return int(self.chip.dio0(self._look()))

    def _dio1(self) -> int:
        return int(self.chip.dio1(self._look()))

    def power(self) -> None:
        self.powered += 1

    def reset(self, level: int) -> None:
        self.chip.reset(level, self._look())

    def antenna(self, way: int) -> None:
        self.antennas.append(way)
        for name, number in (("tx", 1), ("rx", 0)):
            self.chip.switch_levels[name] = int(way == number)

    def _transfer(self, *pieces: bytes) -> bytes:
        self._pass(0.5)
        self.chip.select(self.clock.now_us)
        answer = b""
        for piece in pieces:
            answer = self.chip.exchange(bytes(piece), self.clock.now_us)
            self.clock.now_us += len(piece) * 8 // BITS_PER_US
        self.chip.deselect(self.clock.now_us)
        self._pass(0.5)
        return answer

    def write(self, data: Any) -> None:
        self.writes.append(bytes(data))
        self._transfer(bytes(data))

    def write_from(self, head: Any, data: Any) -> None:
        self.writes.append(bytes(head) + bytes(data))
        self._transfer(bytes(head), bytes(data))

    def exchange(self, command: Any, into: Any) -> None:
        self.writes.append(bytes(command))
        into[:] = self._transfer(bytes(command), bytes(len(into)))

    def nudge(self) -> None:
        self.clock.now_us += 30
        self.chip.select(self.clock.now_us)
        self.chip.deselect(self.clock.now_us)


class Bench:
    """A driver, its chip and what is around them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, chip: str, cost_us: int = USUAL_US, **options: Any) -> None:
        self.clock = Time(1_000_000)
        self.take_time(monkeypatch)
        self.air = OneOther()
        self.name = chip
        gain_db = options.pop("pa_gain_db", 0)
        if chip == "sx1262":
            self.chip: Any = Sx1262(self.air, **{"tcxo_mv": 1800, **options})
            self.port = Port(self.chip, self.clock, cost_us)
            dio2 = self.chip.switch == "dio2"
            self.radio: Any = sx1262.SX1262(self.port, self.chip.tcxo_mv, dio2, gain_db)
        else:
            self.chip = Sx1276(self.air, **options)
            self.port = Port(self.chip, self.clock, cost_us)
            self.radio = sx1276.SX1276(self.port, self.chip.tcxo, gain_db)

    def take_time(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The drivers' clock is this bench's from now on."""
        for module in (contract, sx1262, sx1276):
            monkeypatch.setattr(module, "time", self.clock)

    def wait(self, step_us: int = 1000, limit_us: int = 20_000_000) -> Any:
        """What poll() says at last."""
        until_us = self.clock.now_us + limit_us
        while self.clock.now_us < until_us:
            found = self.radio.poll()
            if found is not None:
                return found
            self.clock.now_us += step_us
        raise AssertionError("nothing happened")

    def send(
        self, payload: bytes = bytes(23), frequency_hz: int = 868_100_000, sf: int = 7, **options: Any
    ) -> Emission:
        """One frame, to its end."""
        self.radio.transmit(payload, frequency_hz, sf, options.get("bandwidth_hz", 125_000), options.get("dbm", 14))
        assert self.wait(options.get("step_us", 1000)) == contract.SENT
        return self.air.sent[-1]

    def window(self, delay_us: int, tuning: Tuning, symbols: int = 6) -> Any:
        """Open a window delay_us after the last frame; what came of it."""
        self.radio.stage(tuning.frequency_hz, tuning.sf, tuning.bandwidth_hz, symbols)
        self.radio.listen(self.clock.ticks_add(self.radio.ended_us, delay_us))
        return self.wait()


CHIPS = ("sx1262", "sx1276")
