"""The other end of a node that loses its power: a join server and network that can be copied, and keep strict account.

Frames, keys, plans and what a device makes of commands are the network server's (judder.virtual.lorawan), nothing is
the node's. What L2 1.0.4 forbids a device to do is a fault: to use a DevNonce or FCntUp again, to send on a channel
that is off. One device; a downlink for each uplink that wants one, in the first or the second window.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from judder.virtual.lorawan import commands as mac
from judder.virtual.lorawan import crypto, frames, network_plan
from judder.virtual.lorawan.commands import Command
from judder.virtual.lorawan.device import Session
from judder.virtual.lorawan.downlink import Window, channel_of, windows
from judder.virtual.lorawan.frames import DataFrame, JoinAccept, JoinRequest, message_type
from judder.virtual.lorawan.mirror import Mirror
from judder.virtual.lorawan.regions import DataRate, Plan

NET_ID = 0x000013
# A window may open so much before or after the moment the network sends: clock error, and half a window.
_NEAR_US = 150_000


@dataclass
class OtherEnd:
    """app_key empty: ABP, with `session` given. script: number of an uplink taken -> commands to send from then on.

    lose: each so-manieth answer is lost, 0 for none. faults: in words. taken: (number of the session, FCntUp).
    """

    plan: Plan
    app_key: bytes = b""
    session: Session | None = None
    script: dict[int, list[Command]] = field(default_factory=dict)
    lose: int = 0
    offered: Session | None = None
    trial: Mirror | None = None  # settings when the commands sent have been obeyed
    last_nonce: int = -1
    joins: int = 0
    answers: int = 0
    faults: list[str] = field(default_factory=list)
    taken: list[tuple[int, int]] = field(default_factory=list)
    _last: bytes = b""
    _reply: bytes = b""
    _windows: list[Window] = field(default_factory=list)

    def copied(self) -> OtherEnd:
        """A snapshot that goes its own way."""
        other = _twin(self)
        other.session, other.offered = _copied(self.session), _copied(self.offered)
        other.trial = None if self.trial is None else mirrored(self.trial)
        other.script, other.faults, other.taken = dict(self.script), list(self.faults), list(self.taken)
        return other

    # --- what the radio brings

    def up(self, phy: bytes, frequency_hz: int, sf: int, bandwidth_hz: int) -> None:
        """A frame is over."""
        self._reply, self._windows = b"", []
        heard = SimpleNamespace(frequency_hz=frequency_hz, rate=DataRate(sf, bandwidth_hz), time_us=0)
        if message_type(phy) == frames.JOIN_REQUEST:
            self._join(JoinRequest.parse(phy), heard)
        else:
            self._data(phy, heard)

    def down(self, delay_us: int, frequency_hz: int, sf: int, bandwidth_hz: int) -> bytes | None:
        """What a window hears that opens so long after the end of the uplink."""
        for window in self._windows:
            near = abs(window.time_us - delay_us) < _NEAR_US and window.frequency_hz == frequency_hz
            if self._reply and near and window.rate == DataRate(sf, bandwidth_hz):
                reply, self._reply = self._reply, b""
                return reply
        return None

    def _answer(self, phy: bytes, settings: Mirror, heard: SimpleNamespace, delay_s: int) -> None:
        self.answers += 1
        if self.lose and self.answers % self.lose == 0:
            return
        found = windows(settings, heard, delay_s)  # type: ignore[arg-type]
        # Each second one in the second window.
        self._windows = found[self.answers % 2 :] or found
        self._reply = phy

    # --- joining

    def _join(self, request: JoinRequest, heard: SimpleNamespace) -> None:
        if not request.is_authentic(self.app_key):
            self.faults.append("join request with a wrong MIC")
            return
        if request.dev_nonce <= self.last_nonce:
            self.faults.append(f"DevNonce {request.dev_nonce} after {self.last_nonce}")
            return
        self.last_nonce = request.dev_nonce
        self.joins += 1
        settings = Mirror(self.plan)
        accept = JoinAccept(
            self.joins, NET_ID, 0x26010000 + self.joins, self.plan.rx2_dr, 1, network_plan.cf_list(self.plan)
        )
        keys = crypto.session_keys(self.app_key, self.joins, NET_ID, request.dev_nonce)
        settings.joined(accept.dl_settings, accept.rx_delay, accept.cf_list)
        self.offered = Session(accept.dev_addr, *keys, settings)
        self._answer(accept.build(self.app_key), Mirror(self.plan), heard, 5)

    # --- data

    def _data(self, phy: bytes, heard: SimpleNamespace) -> None:
        frame = DataFrame.parse(phy)
        session = next((one for one in (self.offered, self.session) if one and _signed(frame, one)), None)
        if session is None:
            self.faults.append("a frame that no session has signed")
            return
        if session is self.offered:
            self.session, self.offered, self.trial = session, None, None
        if frame.fcnt < session.fcnt_up or (frame.fcnt == session.fcnt_up and phy != self._last):
            self.faults.append(f"FCntUp {frame.fcnt} after {session.fcnt_up}")
            return
        new = frame.fcnt > session.fcnt_up
        session.fcnt_up = frame.fcnt
        self._last = phy
        if new:
            self.taken.append((session.dev_addr, frame.fcnt))
        self._check_channel(session, heard)
        self._take_answers(session, frame)
        if new:
            session.to_send += self.script.pop(len(self.taken), [])
        options = mac.join(session.to_send)
        if session.to_send:
            self.trial = mirrored(session.settings)
            self.trial.process(options, frame.adr)
        if frame.confirmed or options or frame.adr_ack_req:
            reply = DataFrame(
                frames.DOWN, session.dev_addr, session.fcnt_down, frame.adr, ack=frame.confirmed, fopts=options
            )
            session.fcnt_down += 1
            phy = reply.build(session.nwk_s_key, session.app_s_key)
            self._answer(phy, session.settings, heard, session.settings.rx1_delay_s)

    def _check_channel(self, session: Session, heard: SimpleNamespace) -> None:
        """The channel has to be on, as far as the network knows."""
        dr = self.plan.up_dr(heard.rate.sf, heard.rate.bandwidth_hz)
        for settings in (session.settings, self.trial):
            if (
                settings is not None
                and dr is not None
                and channel_of(settings, heard.frequency_hz, dr) in settings.mask
            ):
                return
        self.faults.append(f"{heard.frequency_hz / 1e6:.4f} MHz at {heard.rate} is off")

    def _take_answers(self, session: Session, frame: DataFrame) -> None:
        """Commands sent are in force when their answers are there, of which none may say no."""
        data = frame.plain(session.nwk_s_key, session.app_s_key, frame.fcnt) if frame.port == 0 else frame.fopts
        answers, rest = mac.split(data, mac.UP_BYTES)
        asked = [cid for cid, _payload in session.to_send]
        given = [cid for cid, _payload in answers if cid not in mac.ASKED_BY_DEVICE]
        if rest or (self.trial is not None and any(not _agreed(answer) for answer in answers)):
            self.faults.append(f"answers {data.hex()}")
        # Those that are repeated come again behind the new ones' turn.
        if self.trial is not None and asked and all(cid in given for cid in asked):
            session.settings, self.trial, session.to_send = self.trial, None, []


def _agreed(answer: Command) -> bool:
    cid, payload = answer
    whole = {mac.LINK_ADR: 7, mac.RX_PARAM_SETUP: 7, mac.NEW_CHANNEL: 3, mac.DL_CHANNEL: 3}
    return cid not in whole or payload[0] == whole[cid]


def _signed(frame: DataFrame, session: Session) -> bool:
    return frame.dev_addr == session.dev_addr and frame.is_authentic(session.nwk_s_key, frame.fcnt)


def mirrored(settings: Mirror) -> Mirror:
    """A copy; quicker than its own, which is deep."""
    other = _twin(settings)
    other.channels, other.mask = dict(settings.channels), set(settings.mask)
    return other


def _copied(session: Session | None) -> Session | None:
    if session is None:
        return None
    other = _twin(session)
    other.settings, other.to_send = mirrored(session.settings), list(session.to_send)
    return other


def _twin(one: Any) -> Any:
    """The same attributes. copy.copy takes ten times as long, and this is done at every step."""
    other = object.__new__(type(one))
    other.__dict__.update(one.__dict__)
    return other
