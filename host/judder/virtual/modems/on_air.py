"""The inside of a modem's LoRaWAN on a real air: frames, keys, channels, receive windows, answers to MAC commands.

    network = OnAir(air, air.station("pump 3", board.clock))
    Wiring.for_board(board, network=network)

The other end is whatever hears that air: gateways and judder.virtual.lorawan.server. It shares frames and command
tables with that end, so that both agree proves nothing about LoRaWAN; it lets a modem take part.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from judder.virtual.lorawan import commands as mac
from judder.virtual.lorawan import crypto, frames, regions
from judder.virtual.lorawan.air import Emission, Medium, Reception, Tuning
from judder.virtual.lorawan.airtime import airtime_us
from judder.virtual.lorawan.frames import DataFrame, FrameError, JoinAccept
from judder.virtual.lorawan.mirror import Answer as Owed
from judder.virtual.lorawan.mirror import Mirror
from judder.virtual.modems.network import Answer, Clock, Downlink, Identity, Session, Uplink

_JOIN_DELAY_S = 5
_SECOND_US = 1_000_000
_EARLY_US = 5_000
_PREAMBLE_SYMBOLS = 8
_POWER_DBM = 14.0
# ADR_ACK_LIMIT and ADR_ACK_DELAY (RP002-1.0.4 section 3).
_ACK_LIMIT, _ACK_DELAY = 64, 32

Take = Callable[[Reception, int], bool]


@dataclass
class _State:
    """What a stack keeps of a session besides Session."""

    settings: Mirror
    fcnt_down: int = -1
    silent: int = 0
    ack: bool = False
    due: list[Owed] = field(default_factory=list)
    sticky: list[Owed] = field(default_factory=list)

    def options(self) -> bytes:
        """Answers due, as many as FOpts hold."""
        out = b""
        for owed in self.sticky + self.due:
            part = bytes((owed.cid,)) + (b"\xff\x00" if owed.cid == mac.DEV_STATUS else owed.payload)
            if len(out + part) <= frames.MAX_FOPTS:
                out += part
        return out

    def sent(self) -> None:
        """The answers have gone; some are repeated until a downlink comes."""
        self.sticky += [owed for owed in self.due if owed.sticky]
        self.due = []


class OnAir:
    """station: of that medium, with the clock of the modem's board. DevNonces count up and survive power losses.

    A board that sleeps for longer than the air remembers misses what came meanwhile.
    """

    def __init__(self, medium: Medium, station: object, *, seed: int = 1) -> None:
        self._medium = medium
        self._station = station
        self._random = random.Random(seed)
        self._nonces: dict[bytes, int] = {}
        self._states: dict[bytes, _State] = {}

    # --- Network

    def join(
        self, identity: Identity, data_rate: int, _air_us: int, clock: Clock, done: Callable[[Session | None], None]
    ) -> None:
        """See network.Network."""
        settings = _settings(identity.region, identity.channels)
        nonce = self._nonces[identity.dev_eui] = self._nonces.get(identity.dev_eui, -1) + 1
        joined: list[Session] = []

        def take(reception: Reception, _window: int) -> bool:
            try:
                accept = JoinAccept.parse(reception.emission.payload, identity.app_key)
            except FrameError:
                return False
            settings.joined(accept.dl_settings, accept.rx_delay, accept.cf_list)
            address = accept.dev_addr.to_bytes(4, "big")
            keys = crypto.session_keys(identity.app_key, accept.join_nonce, accept.net_id, nonce)
            self._states[address] = _State(settings)
            joined.append(Session(address, *keys, settings.rx1_delay_s))
            return True

        phy = frames.build_join_request(identity.app_key, identity.join_eui, identity.dev_eui, nonce)
        over = lambda: done(joined[0] if joined else None)  # noqa: E731
        self._exchange(clock, settings, phy, data_rate, _JOIN_DELAY_S, take, over)

    def uplink(
        self, session: Session, uplink: Uplink, _air_us: int, clock: Clock, done: Callable[[Answer], None]
    ) -> None:
        """See network.Network."""
        state = self._states.get(session.dev_addr)
        if state is None:  # ABP
            state = self._states[session.dev_addr] = _State(_settings(uplink.region, uplink.channels))
            state.settings.rx1_delay_s = session.rx1_delay_s
        settings = state.settings
        settings.dr = uplink.data_rate
        frame = DataFrame(
            frames.CONFIRMED_UP if uplink.confirmed else frames.UP,
            int.from_bytes(session.dev_addr, "big"),
            uplink.counter,
            adr=uplink.adr,
            adr_ack_req=uplink.adr and state.silent >= _ACK_LIMIT,
            ack=state.ack,
            fopts=state.options(),
            port=uplink.port,
            payload=uplink.payload,
        )
        phy = frame.build(session.nwk_s_key, session.app_s_key)
        state.ack = False
        state.sent()
        answers: list[Answer] = []
        left = settings.nb_trans

        def take(reception: Reception, window: int) -> bool:
            answer = self._take(session, state, reception, window, uplink.adr)
            answers.extend([] if answer is None else [answer])
            return answer is not None

        def send() -> None:
            self._exchange(clock, settings, phy, uplink.data_rate, settings.rx1_delay_s, take, over)

        def over() -> None:
            nonlocal left
            left -= 1
            if left and not any(answer.acknowledged or not uplink.confirmed for answer in answers):
                clock.at(clock.now_us + _SECOND_US * (1 + self._random.random()), send)
                return
            if not answers:
                state.silent += 1
                _back_off(state)
            heard = answers[-1] if answers else Answer()
            down = next((answer.downlink for answer in answers if answer.downlink is not None), None)
            acknowledged = any(answer.acknowledged for answer in answers)
            done(Answer(acknowledged, down, heard.pending, settings.dr, len(state.options())))

        send()

    # --- the radio

    def _exchange(
        self,
        clock: Clock,
        settings: Mirror,
        phy: bytes,
        data_rate: int,
        delay_s: int,
        take: Take,
        over: Callable[[], None],
    ) -> None:
        """Transmit now, listen in both windows, and say when that is over."""
        plan = settings.plan
        rate = plan.up[data_rate]
        channels = settings.channels
        fit = [number for number in sorted(settings.mask) if _carries(channels[number], data_rate)]
        number = self._random.choice(fit)
        tuning = Tuning(channels[number].frequency_hz, rate.sf, rate.bandwidth_hz)
        start_us = clock.now_us
        end_us = start_us + airtime_us(len(phy), rate.sf, rate.bandwidth_hz)
        power_dbm = min(_POWER_DBM, settings.max_eirp_dbm - 2.0 * settings.power)
        self._medium.transmit(Emission(self._station, start_us, end_us, tuning, power_dbm, phy))
        rx1_dr = plan.rx1_dr(data_rate, settings.rx1_offset, settings.dwell_down)
        windows = [(1, plan.rx1_hz(number, channels[number]), rx1_dr), (2, settings.rx2_hz, settings.rx2_dr)]

        def listen(place: int) -> None:
            if place == len(windows):
                over()
                return
            window, frequency_hz, window_dr = windows[place]
            if window_dr is None or window_dr not in plan.down:
                listen(place + 1)
                return
            down = plan.down[window_dr]
            tuned = Tuning(frequency_hz, down.sf, down.bandwidth_hz, inverted_iq=True)
            opened_us = end_us + (delay_s + window - 1) * _SECOND_US - _EARLY_US
            symbols = _PREAMBLE_SYMBOLS - (-2 * _EARLY_US // tuned.symbol_us)

            def close() -> None:
                locked = self._medium.locked(self._station, tuned, opened_us, symbols, clock.now_us)
                clock.at(clock.now_us if locked is None else locked.end_us, fetch)

            def fetch() -> None:
                found = self._medium.heard(self._station, tuned, opened_us, symbols, clock.now_us)
                if found is not None and not found.damaged and take(found, window):
                    over()
                else:
                    listen(place + 1)

            clock.at(opened_us + symbols * tuned.symbol_us, close)

        listen(0)

    @staticmethod
    def _take(session: Session, state: _State, reception: Reception, window: int, adr: bool) -> Answer | None:
        """Obey a downlink; None for what is none of this session."""
        try:
            frame = DataFrame.parse(reception.emission.payload)
        except FrameError:
            return None
        if frame.direction != crypto.DOWN or frame.dev_addr != int.from_bytes(session.dev_addr, "big"):
            return None
        fcnt = max(state.fcnt_down, 0) & ~0xFFFF | frame.fcnt
        if fcnt <= state.fcnt_down:
            fcnt += 0x10000
        if not frame.is_authentic(session.nwk_s_key, fcnt):
            return None
        plain = frame.plain(session.nwk_s_key, session.app_s_key, fcnt)
        state.fcnt_down, state.silent, state.sticky = fcnt, 0, []
        state.ack = frame.confirmed
        state.due = state.settings.process(plain if frame.port == 0 else frame.fopts, adr)
        down = None
        if frame.port:
            signal = (round(reception.rssi_dbm), round(reception.snr_db))
            down = Downlink(frame.port, plain, frame.confirmed, False, window, *signal)
        return Answer(frame.ack, down, frame.pending)


def _settings(region: str, channels: tuple[int, ...]) -> Mirror:
    settings = Mirror(regions.find(region))
    if channels and settings.plan.fixed:
        settings.mask &= set(channels)
    return settings


def _carries(channel: regions.Channel, data_rate: int) -> bool:
    return channel.min_dr <= data_rate <= channel.max_dr


def _back_off(state: _State) -> None:
    """Nobody has answered for long: more power, then a slower data rate, then all channels."""
    settings = state.settings
    if state.silent < _ACK_LIMIT + _ACK_DELAY or state.silent % _ACK_DELAY:
        return
    slower = [rate for rate in settings.plan.up if rate < settings.dr and settings.usable(rate)]
    if settings.power:
        settings.power = 0
    elif slower and settings.max_payload_up(max(slower)):
        settings.dr = max(slower)
    else:
        settings.mask = set(settings.channels)
