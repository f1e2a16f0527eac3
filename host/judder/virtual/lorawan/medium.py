"""The air: who hears whom, how well, and what collides. Implements air.Medium."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from judder.virtual.clock import BoardClock
from judder.virtual.lorawan import propagation
from judder.virtual.lorawan.air import LOCK_SYMBOLS, Emission, Reception, Tuning
from judder.virtual.lorawan.propagation import PathLoss
from judder.virtual.lorawan.station import Station
from judder.virtual.lorawan.timeline import Timeline

NOISE_FIGURE_DB = 6.0
# An emission is forgotten so long after its end: longer than any receiver stays open for one frame.
_KEEP_US = 30_000_000
# A network server has said all it has to say about a frame: join-accepts come last, 6 s after.
_ANSWERED_US = 10_000_000

OnEmission = Callable[[Emission], None]


class Air:
    """Radio channel between stations. Times of its own methods are the stations' board times.

    path_loss: dB between two stations by name. loss: share of receptions lost at random, per receiver; the same seed
    and the same run lose the same ones. real: the time is this computer's (see timeline).

    on_start: told of each frame that is put into the air, perhaps before its time. on_emission: of each that is over.
    on_heard: which frame a station's receiver delivered. All hold `lock`, on the time of the air; they must not start,
    stop or reset a board.
    """

    def __init__(
        self,
        path_loss: PathLoss | float = 110.0,
        *,
        loss: float = 0.0,
        seed: int = 1,
        real: bool = False,
        patience_s: float = 60.0,
    ) -> None:
        self.timeline = Timeline(real=real, patience_s=patience_s)
        self.lock = self.timeline.lock
        self.path_loss = path_loss if callable(path_loss) else propagation.fixed(path_loss)
        self.loss = loss
        self.seed = seed
        self.emissions = 0
        self.on_start: list[OnEmission] = []
        self.on_emission: list[OnEmission] = []
        self.on_heard: list[Callable[[Station, Emission], None]] = []
        self._live: list[Emission] = []

    def station(
        self,
        name: str,
        clock: BoardClock | None = None,
        *,
        gain_dbi: float = 0.0,
        noise_figure_db: float = NOISE_FIGURE_DB,
        later_us: int = 0,
    ) -> Station:
        """A new antenna. clock: of its board; from now on everybody waits for it unless it stands still.

        later_us: the moment at which a board that is at its zero gets its power, from now.
        """
        return Station(self.timeline, name, clock, gain_dbi, noise_figure_db, later_us)

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Time stands still meanwhile: to place stations that are to begin together."""
        member = self.timeline.join("hold")
        try:
            yield
        finally:
            self.timeline.leave(member)

    # --- Medium

    def transmit(self, emission: Emission) -> None:
        """The sender, a Station, transmits from start_us to end_us (which may still be to come).

        Blocks like heard(), so that nobody fills the air far ahead of the others.
        """
        station = _station(emission.sender)
        station.wait(station.to_air_us(emission.start_us))
        with self.lock:
            start_us, end_us = station.to_air_us(emission.start_us), station.to_air_us(emission.end_us)
            emission = replace(emission, start_us=start_us, end_us=end_us)
            self.emissions += 1
            oldest_us = self.timeline.now_us - _KEEP_US
            self._live = [one for one in self._live if one.end_us >= oldest_us]
            self._live.append(emission)
            for listener in self.on_start:
                listener(emission)
            self.timeline.at(end_us, lambda: self._ended(emission))

    def heard(self, station: object, tuning: Tuning, opened_us: int, symbols: int, now_us: int) -> Reception | None:
        """See air.Medium."""
        receiver = _station(station)
        found = self._find(receiver, tuning, opened_us, symbols, now_us)
        if found is None or found.end_us > receiver.to_air_us(now_us):
            return None
        with self.lock:
            reception = self.receive(receiver, found)
            if not reception.damaged:
                for listener in self.on_heard:
                    listener(receiver, found)
        start_us, end_us = receiver.to_board_us(found.start_us), receiver.to_board_us(found.end_us)
        return replace(reception, emission=replace(found, start_us=start_us, end_us=end_us))

    def locked(self, station: object, tuning: Tuning, opened_us: int, symbols: int, now_us: int) -> Emission | None:
        """See air.Medium."""
        receiver = _station(station)
        found = self._find(receiver, tuning, opened_us, symbols, now_us)
        if found is None or found.end_us <= receiver.to_air_us(now_us):
            return None
        return replace(found, start_us=receiver.to_board_us(found.start_us), end_us=receiver.to_board_us(found.end_us))

    # --- on the time of the air, for gateways and for whoever holds `lock`

    def rssi_dbm(self, receiver: Station, emission: Emission) -> float:
        """Power at the receiver's connector."""
        sender = _station(emission.sender)
        loss_db = self.path_loss(sender.name, receiver.name)
        return emission.power_dbm + sender.gain_dbi - loss_db + receiver.gain_dbi

    def snr_db(self, receiver: Station, emission: Emission) -> float:
        """Signal over thermal noise."""
        noise_dbm = propagation.noise_floor_dbm(emission.tuning.bandwidth_hz, receiver.noise_figure_db)
        return self.rssi_dbm(receiver, emission) - noise_dbm

    def audible(self, receiver: Station, emission: Emission) -> bool:
        """Strong enough, not lost at random, and the receiver does not send meanwhile itself."""
        if emission.sender is receiver or self.snr_db(receiver, emission) < _required_snr_db(emission.tuning):
            return False
        for other in self._live:
            if other.sender is receiver and other.start_us < emission.end_us and other.end_us > emission.start_us:
                return False
        if not self.loss:
            return True
        # By what is received and where, not in the order in which threads ask.
        draw = random.Random(f"{self.seed}/{_station(emission.sender).name}/{emission.start_us}/{receiver.name}")
        return draw.random() >= self.loss

    def receive(self, receiver: Station, emission: Emission) -> Reception:
        """How an emission that a modem has locked on arrives; all that overlaps it must be known."""
        rssi_dbm = self.rssi_dbm(receiver, emission)
        return Reception(
            emission, rssi_dbm, self.snr_db(receiver, emission), self._drowned(receiver, emission, rssi_dbm)
        )

    def _drowned(self, receiver: Station, emission: Emission, rssi_dbm: float) -> bool:
        # What goes before the last symbols of the preamble does no harm (Bor, Roedig, Voigt, Alonso, "Do LoRa low-power
        # wide-area networks scale?", MSWiM 2016, section 4: critical section).
        critical_us = _preamble_end_us(emission) - LOCK_SYMBOLS * emission.tuning.symbol_us
        for other in self._live:
            if other is emission or other.start_us >= emission.end_us or other.end_us <= critical_us:
                continue
            if not propagation.overlap(emission.tuning, other.tuning):
                continue
            margin_db = rssi_dbm - self.rssi_dbm(receiver, other)
            if margin_db < propagation.protection_db(emission.tuning, other.tuning):
                return True
        return False

    def _find(self, receiver: Station, tuning: Tuning, opened_us: int, symbols: int, now_us: int) -> Emission | None:
        """The emission this receiver has locked on by now."""
        opened_us, now_us = receiver.to_air_us(opened_us), receiver.to_air_us(now_us)
        if not receiver.wait(now_us):
            return None
        with self.lock:
            best: Emission | None = None
            for emission in sorted(self._live, key=lambda one: one.start_us):
                lock_us = max(opened_us, emission.start_us) + LOCK_SYMBOLS * emission.tuning.symbol_us
                deadline_us = _preamble_end_us(emission)
                if symbols:
                    deadline_us = min(deadline_us, opened_us + symbols * tuning.symbol_us)
                if not lock_us <= min(deadline_us, now_us):
                    continue
                if not (propagation.understands(tuning, emission.tuning) and self.audible(receiver, emission)):
                    continue
                if best is None or self._captures(receiver, emission, best):
                    best = emission
            return best

    def _captures(self, receiver: Station, later: Emission, first: Emission) -> bool:
        """A much stronger preamble takes over while the modem is still in the first one's preamble."""
        if later.start_us >= _preamble_end_us(first):
            return False
        stronger_db = self.rssi_dbm(receiver, later) - self.rssi_dbm(receiver, first)
        return stronger_db >= propagation.CAPTURE_DB

    def _ended(self, emission: Emission) -> None:
        for listener in tuple(self.on_emission):
            listener(emission)

    # --- life

    def start(self) -> Air:
        """real=True: let events happen from here on."""
        self.timeline.start()
        return self

    def finish(self) -> None:
        """Let what is in the air arrive and be answered, once every board is off."""
        with self.lock:
            self.timeline.finish(max([one.end_us for one in self._live], default=0) + _ANSWERED_US)

    def close(self) -> None:
        """Nobody waits for anybody any more."""
        self.timeline.close()

    def __enter__(self) -> Air:
        return self.start()

    def __exit__(self, *_exception: object) -> None:
        self.close()


def _station(station: object) -> Station:
    if not isinstance(station, Station):
        raise TypeError(f"{station!r} is not a station of this air: Air.station() makes one")
    return station


def _preamble_end_us(emission: Emission) -> int:
    return emission.start_us + emission.preamble_symbols * emission.tuning.symbol_us


def _required_snr_db(tuning: Tuning) -> float:
    return propagation.REQUIRED_SNR_DB[tuning.sf]
