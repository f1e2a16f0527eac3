"""One antenna of the air, and how its board's clock relates to the time of the air."""

from __future__ import annotations

from judder.virtual import clock as clock_states
from judder.virtual.clock import BoardClock
from judder.virtual.lorawan.timeline import Timeline


class Station:
    """What a radio is to the air. Made by Air.station(); hashed by identity.

    name: for path loss and reports. gain_dbi: antenna gain less cable loss, counted when it sends and when it hears.
    noise_figure_db: of its receiver. clock: the board's; None for one that lives on the time of the air itself.
    power_ons: how often its board's power came back. later_us: when its power comes on for the first time, from now.

    A board's time starts at zero whenever its power comes on; the air's never goes back. A board that was off, at the
    prompt or set aside goes on from the air's present.
    """

    def __init__(
        self,
        timeline: Timeline,
        name: str,
        clock: BoardClock | None,
        gain_dbi: float,
        noise_figure_db: float,
        later_us: int = 0,
    ) -> None:
        self.name = name
        self.gain_dbi = gain_dbi
        self.noise_figure_db = noise_figure_db
        self.clock = clock
        self._timeline = timeline
        self._offset_us = 0
        self._seen_us = 0
        self.power_ons = 0
        if clock is None:
            return
        with timeline.lock:
            self._member = timeline.join(name)
            self._seen_us = clock.now_us
            self._offset_us = timeline.now_us - self._seen_us + later_us
            clock.watchers.append(self._look)
            self._look()

    def __repr__(self) -> str:
        return f"Station({self.name!r})"

    def to_air_us(self, board_us: int) -> int:
        """A moment of the board's clock on the time of the air."""
        return board_us + self._offset_us

    def to_board_us(self, air_us: int) -> int:
        """A moment of the air on the board's clock."""
        return air_us - self._offset_us

    def wait(self, air_us: int) -> bool:
        """Block until everything up to this moment is known; False when the board lost its power meanwhile."""
        if self.clock is None:
            return True
        if self.clock.state == clock_states.OFF:
            return False
        return self._timeline.wait(self._member, air_us)

    def leave(self) -> None:
        """The board is gone for good."""
        if self.clock is not None:
            self.clock.watchers.remove(self._look)
            self._timeline.leave(self._member)

    def _look(self) -> None:
        """The clock has changed."""
        assert self.clock is not None
        timeline, member = self._timeline, self._member
        with timeline.lock:
            state, now_us = self.clock.state, self.clock.now_us
            if state == clock_states.OFF:
                if member.goes or member.waits:
                    timeline.stop(member)
                return
            if now_us < self._seen_us:  # power came on
                self.power_ons += 1
                self._offset_us = timeline.now_us - now_us
            self._seen_us = now_us
            if not (member.goes or timeline.real) and self.to_air_us(now_us) < timeline.now_us:
                self._offset_us = timeline.now_us - now_us
            if state == clock_states.IDLE:
                if member.goes:
                    timeline.stop(member)
            elif not member.goes:
                timeline.go(member, self.to_air_us(now_us))
            timeline.advance(member, self.to_air_us(now_us))
