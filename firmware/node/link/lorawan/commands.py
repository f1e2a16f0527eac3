"""MAC commands of the network carried out, and the answers due (L2 1.0.4 section 5).

Answers and the node's own requests wait in session.answers in the order they came up, as they go on the air. Those of
RXParamSetupReq, RXTimingSetupReq, TXParamSetupReq and DlChannelReq are sticky: in every uplink until a downlink comes.
"""

from node.link.lorawan.frames import COMMAND
from node.link.lorawan.session import ANSWER_BYTES

LINK_CHECK = 0x02
LINK_ADR = 0x03
DUTY_CYCLE = 0x04
RX_PARAM = 0x05
DEV_STATUS = 0x06
NEW_CHANNEL = 0x07
RX_TIMING = 0x08
TX_PARAM = 0x09
DL_CHANNEL = 0x0A
DEVICE_TIME = 0x0D

# Payload bytes by command, down and up; _NO is no command of 1.0.4.
_NO = 0xFF
_DOWN = b"\xff\xff\x02\x04\x01\x04\x00\x05\x01\x01\x04\xff\xff\x05"
_UP = b"\x00\x00\x00\x01\x00\x01\x02\x01\x00\x00\x01\x00\x00\x00"
_STICKY = (RX_PARAM, RX_TIMING, TX_PARAM, DL_CHANNEL)

# Data rate and power "as it is" (since 1.0.4).
_KEEP = 15


def obey(mac, data: bytes, snr_qdb: int) -> None:
    """Carry out the commands of one downlink in their order; stop at one that is unknown or cut off.

    mac: gets refuse(), margin_db, gateways, network_time(); its session is what changes.
    """
    session = mac.session
    out = bytearray()
    at = 0
    while at < len(data):
        kind = data[at]
        size = _DOWN[kind] if kind < len(_DOWN) else _NO
        if size == _NO or at + 1 + size > len(data):
            mac.refuse(COMMAND)
            break
        if kind == LINK_ADR:
            # Contiguous ones are one request (section 5.2).
            end = at + 5
            while end + 5 <= len(data) and data[end] == LINK_ADR:
                end += 5
            out += bytes((LINK_ADR, _link_adr(session, data[at:end]))) * ((end - at) // 5)
            at = end
            continue
        body = data[at + 1 : at + 1 + size]
        at += 1 + size
        if kind == LINK_CHECK:
            mac.margin_db, mac.gateways = body[0], body[1]
        elif kind == DEVICE_TIME:
            mac.network_time(_number(body, 0, 4), body[4])
        elif kind == DEV_STATUS:
            # Six bits, signed, to the nearest dB (section 5.5).
            snr_db = min(max(snr_qdb + 2 >> 2, -32), 31)
            out += bytes((DEV_STATUS, mac.battery, snr_db & 0x3F))
        elif kind == DUTY_CYCLE:
            session.max_duty = body[0] & 0x0F
            out.append(kind)
        elif kind == RX_TIMING:
            session.rx1_delay_s = body[0] & 0x0F or 1
            out.append(kind)
        elif kind == RX_PARAM:
            out += bytes((kind, _rx_param(session, body)))
        elif kind == TX_PARAM:
            if session.region.tx_param:  # else no answer (section 5.8)
                session.eirp = body[0] & 0x0F
                session.dwell = body[0] >> 4 & 3
                session.data_rate = max(session.data_rate, session.region.lowest(session.dwell))
                out.append(kind)
        elif not session.region.fixed:  # likewise (section 5.6)
            change = _new_channel if kind == NEW_CHANNEL else _dl_channel
            out += bytes((kind, change(session, body)))
    # What does not fit is cut off behind the last whole answer.
    at = 0
    while at < len(out) and len(session.answers) + 1 + _UP[out[at]] <= ANSWER_BYTES:
        end = at + 1 + _UP[out[at]]
        session.answers += out[at:end]
        at = end


def ask(session, kind: int) -> None:
    """A request of the node's own, once, with the next uplink."""
    at = 0
    while at < len(session.answers):
        if session.answers[at] == kind:
            return
        at += 1 + _UP[session.answers[at]]
    if at < ANSWER_BYTES:
        session.answers.append(kind)


def fitting(answers, room: int) -> int:
    """Bytes of whole answers from the front that fit."""
    at = 0
    while at < len(answers) and at + 1 + _UP[answers[at]] <= room:
        at += 1 + _UP[answers[at]]
    return at


def settle(session, carried: int, heard: bool) -> bool:
    """An uplink is over that carried so many bytes of answers. heard: a downlink came. True: it had DeviceTimeReq."""
    answers = session.answers
    gone = max(carried, session.answered)
    kept = bytearray()
    asked = False
    at = 0
    while at < gone:
        end = at + 1 + _UP[answers[at]]
        if answers[at] in _STICKY and not heard:
            kept += answers[at:end]
        asked = asked or answers[at] == DEVICE_TIME
        at = end
    session.answers = kept + answers[gone:]
    session.answered = len(kept)
    return asked


def _number(data, at: int, size: int) -> int:
    value = 0
    for i in range(size):
        value |= data[at + i] << 8 * i
    return value


def _link_adr(session, block: bytes) -> int:
    """A block of LinkADRReq: status for each of them. All of it is done, or none (section 5.2).

    Without ADR the node keeps its data rate, power and NbTrans, says so, and takes the channel mask (4.3.1.1).
    """
    region, plan = session.region, session.plan
    mask = bytearray(plan.mask)
    allowed = True
    for at in range(0, len(block), 5):
        if not plan.masked(mask, block[at + 4] >> 4 & 7, block[at + 2] | block[at + 3] << 8):
            allowed = False
    rate, power, nb_trans = block[-4] >> 4, block[-4] & 0x0F, block[-1] & 0x0F
    adr = session.identity.adr
    data_rate = session.data_rate if rate == _KEEP or not adr else rate
    status = 0
    if allowed and plan.lawful(mask, data_rate):
        status = 1
    if (
        region.rate(region.up, data_rate)
        and data_rate >= region.lowest(session.dwell)
        and region.rx1(data_rate, session.rx1_offset, session.dwell) is not None
        and (not status or plan.count(mask, data_rate))
    ):
        status |= 2
    if power == _KEEP or power <= region.powers:
        status |= 4
    if adr and status == 7:
        plan.mask[:] = mask
        session.data_rate = data_rate
        session.power = session.power if power == _KEEP else power
        session.nb_trans = nb_trans or 1
    elif not adr:
        if status & 3 == 3:
            plan.mask[:] = mask
        else:
            status &= ~1
        if rate not in (_KEEP, session.data_rate):
            status &= ~2
        if power not in (_KEEP, session.power):
            status &= ~4
    return status


def _rx_param(session, body: bytes) -> int:
    region = session.region
    offset, data_rate = body[0] >> 4 & 7, body[0] & 0x0F
    frequency_hz = _number(body, 1, 3) * 100
    status = 0
    if region.usable(frequency_hz):
        status = 1
    if region.rate(region.down, data_rate):
        status |= 2
    if offset <= region.offsets and region.rx1(session.data_rate, offset, session.dwell) is not None:
        status |= 4
    if status == 7:
        session.rx1_offset, session.rx2_data_rate, session.rx2_hz = offset, data_rate, frequency_hz
    return status


def _new_channel(session, body: bytes) -> int:
    region, plan = session.region, session.plan
    channel, up, rates = body[0], _number(body, 1, 3), body[4]
    if not len(region.defaults) <= channel < region.channels:
        return 0
    if not up:
        plan.define(channel, 0, 0)
        session.usable_channels()
        return 3
    status = 0
    if plan.allowed(up):
        status = 1
    if rates & 0x0F <= rates >> 4 and region.rate(region.up, rates >> 4):
        status |= 2
    if status == 3:
        plan.define(channel, up, rates)
        session.usable_channels()
    return status


def _dl_channel(session, body: bytes) -> int:
    plan = session.plan
    channel, down = body[0], _number(body, 1, 3)
    status = 0
    if session.region.usable(down * 100):
        status = 1
    if channel < session.region.channels and plan.up[channel]:
        status |= 2
    if status == 3:
        plan.down[channel] = down
    return status
