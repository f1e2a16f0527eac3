"""A session as bytes, through deep sleep and power loss.

One blob serves both: in RTC memory it is exact; from flash the counters start where the reservation ends, because any
of the numbers before it may have been used. A blob: version, tags of the identity, fields, CRC-32; at most 256 bytes.
"""

import binascii
import struct

from node.link.lorawan import const
from node.link.lorawan.session import NONE, Session

# Whatever comes after it has to read the counters of this one: for ABP a blob ignored is a keystream used twice.
VERSION = 1
COUNTERS_AHEAD = 64  # FCntUp and
NONCES_AHEAD = 8  # DevNonce reserved in flash at a time

_HEAD = "<BII"
_HEAD_BYTES = const(9)
# Saved at (40 bits), flags, DevAddr, keys, FCntUp and how many more are reserved, FCntDown, the same of DevNonce,
# JoinNonce (24 bits), data rate and power, NbTrans and delay, RX1 offset and RX2 rate, RX2 frequency (24), duty cycle
# and EIRP, ADR counter, floor steps.
_FIELDS = "<IBH4s16s16sIBIIBHBBBBHBBHB"
_COUNTS = "<HHII"
_TIMES = "<IIHBIBB"
_CRC = "<I"

# Bits of the flags: joined; a downlink, a join accept was taken; acknowledgement due, more to come; joining began;
# MaxEIRP was set; from here on dwell time.
_DWELL_SHIFT = const(7)

# 17 bits hold any frequency of a region as steps of 100 Hz above its lowest one, and 0 for none.
_BITS = const(17)
_MASK = const(0x1FFFF)


def pack(session, now_ms: int, fcnt_reserved: int, nonce_reserved: int) -> bytes:
    """The blob, with reservations as given."""
    joining = session.joining
    flags = session.dwell << _DWELL_SHIFT | session.joined
    flags |= (session.fcnt_down != NONE) << 1 | (session.join_nonce != NONE) << 2 | session.ack_due << 3
    flags |= session.more_due << 4 | (joining.began_ms is not None) << 5 | (session.eirp != NONE) << 6
    rx2 = session.rx2_hz // 100
    join_nonce = max(session.join_nonce, 0)
    out = struct.pack(_HEAD, VERSION, *session.identity.tags(session.region))
    out += struct.pack(
        _FIELDS,
        now_ms & 0xFFFFFFFF,
        now_ms >> 32 & 0xFF,
        flags,
        session.dev_addr,
        session.nwk_s_key,
        session.app_s_key,
        min(session.fcnt_up, 0xFFFFFFFF),
        max(fcnt_reserved - session.fcnt_up, 0),
        max(session.fcnt_down, 0),
        session.dev_nonce,
        max(nonce_reserved - session.dev_nonce, 0),
        join_nonce & 0xFFFF,
        join_nonce >> 16,
        session.data_rate << 4 | session.power,
        session.nb_trans << 4 | session.rx1_delay_s,
        session.rx1_offset << 4 | session.rx2_data_rate,
        rx2 & 0xFFFF,
        rx2 >> 16,
        session.max_duty << 4 | max(session.eirp, 0),
        session.adr_count,
        session.floor,
    )
    out += struct.pack(
        _COUNTS,
        min(session.joins, 0xFFFF),
        min(session.join_failures, 0xFFFF),
        session.uplinks & 0xFFFFFFFF,
        session.downs & 0xFFFFFFFF,
    )
    began_ms = now_ms if joining.began_ms is None else joining.began_ms
    out += struct.pack(
        _TIMES,
        _left(session.budget.quiet_ms, now_ms),
        (now_ms - began_ms) // 1000,
        joining.used_ms,
        joining.span,
        _left(joining.next_ms, now_ms),
        joining.attempts & 0xFF,
        session.plan.banks,
    )
    for empty_ms in session.budget.empty_ms:
        out += struct.pack("<H", min((_left(empty_ms, now_ms) + 999) // 1000, 0xFFFF))
    out += bytes(session.refused) + bytes((len(session.answers), session.answered)) + bytes(session.answers)
    out += bytes(session.plan.mask) + bytes(session.plan.used)
    if not session.region.fixed:
        low = session.region.low_hz // 100 - 1
        packed = 0
        for table in (session.plan.down, session.plan.up):
            for frequency in table:
                packed = packed << _BITS | (frequency - low if frequency else 0)
        out += packed.to_bytes(2 * _BITS * session.region.channels // 8, "little") + bytes(session.plan.rates)
    return out + struct.pack(_CRC, binascii.crc32(out) & 0xFFFFFFFF)


def _counters(session, v) -> None:
    """What must not come back, from the fields of a blob."""
    session.fcnt_up = v[6]
    session.fcnt_reserved = v[6] + v[7]
    session.fcnt_down = v[8] if v[2] & 2 else NONE
    session.dev_nonce = v[9]
    session.nonce_reserved = v[9] + v[10]
    session.join_nonce = v[11] | v[12] << 16 if v[2] & 4 else NONE


def unpack(session, blob: bytes, v: tuple, now_ms: int) -> None:
    """Take over a blob that sound() accepted and whose tags are ours, with its reservations. v: its fields."""
    at = _HEAD_BYTES + struct.calcsize(_FIELDS)
    flags = v[2]
    session.dwell = flags >> _DWELL_SHIFT
    session.joined = bool(flags & 1)
    session.ack_due = bool(flags & 8)
    session.more_due = bool(flags & 16)
    session.dev_addr, session.nwk_s_key, session.app_s_key = v[3:6]
    _counters(session, v)
    session.power = v[13] & 0x0F
    session.nb_trans = v[14] >> 4
    session.settle_rate(v[13] >> 4)
    session.rx1_delay_s = v[14] & 0x0F
    session.rx1_offset = v[15] >> 4
    session.rx2_data_rate = v[15] & 0x0F
    session.rx2_hz = (v[16] | v[17] << 16) * 100
    session.max_duty = v[18] >> 4
    session.eirp = v[18] & 0x0F if flags & 64 else NONE
    session.adr_count = v[19]
    session.floor = v[20]
    session.joins, session.join_failures, session.uplinks, session.downs = struct.unpack_from(_COUNTS, blob, at)
    at += struct.calcsize(_COUNTS)
    # Time that went by since; none when the clock started afresh, which makes every wait as long as it can be.
    gone_ms = max(now_ms - (v[0] | v[1] << 32), 0)
    then_ms = now_ms - gone_ms
    quiet, since, used, span, wait, attempts, session.plan.banks = struct.unpack_from(_TIMES, blob, at)
    at += struct.calcsize(_TIMES)
    session.budget.quiet_ms = then_ms + quiet
    joining = session.joining
    joining.began_ms = then_ms - 1000 * since if flags & 32 else None
    joining.used_ms, joining.span, joining.attempts = used, span, attempts
    joining.next_ms = then_ms + wait
    for i in range(len(session.budget.empty_ms)):
        session.budget.empty_ms[i] = then_ms + 1000 * struct.unpack_from("<H", blob, at)[0]
        at += 2
    session.refused = list(blob[at : at + len(session.refused)])
    at += len(session.refused)
    size, session.answered = blob[at], blob[at + 1]
    session.answers = bytearray(blob[at + 2 : at + 2 + size])
    at += 2 + size
    for mask in (session.plan.mask, session.plan.used):
        mask[:] = blob[at : at + len(mask)]
        at += len(mask)
    if not session.region.fixed:
        size = 2 * _BITS * session.region.channels // 8
        packed = int.from_bytes(blob[at : at + size], "little")
        low = session.region.low_hz // 100 - 1
        for table in (session.plan.up, session.plan.down):
            for i in range(len(table) - 1, -1, -1):
                step = packed & _MASK
                table[i] = step + low if step else 0
                packed >>= _BITS
        at += size
        session.plan.rates[:] = blob[at : at + session.region.channels]


def _left(until_ms: int, now_ms: int) -> int:
    return min(max(until_ms - now_ms, 0), 0xFFFFFFFF)


def sound(blob) -> bool:
    """Whether these bytes are a blob of this version, whole."""
    if not blob or len(blob) < 128 or blob[0] != VERSION:
        return False
    return struct.unpack(_CRC, blob[-4:])[0] == binascii.crc32(blob[:-4]) & 0xFFFFFFFF


def _order(session) -> tuple:
    """Later ones of the same identity are greater."""
    return session.join_nonce, session.dev_nonce, session.fcnt_up, session.fcnt_down


def recover(region, identity, stored, awake, now_ms: int) -> Session:
    """The session to go on with, from flash and RTC memory; a new one where neither is of use."""
    tags = identity.tags(region)
    found = []
    nonce = 0
    for blob in (stored, awake):
        session = None
        if sound(blob):
            _version, keys, setup = struct.unpack_from(_HEAD, blob)
            v = struct.unpack_from(_FIELDS, blob, _HEAD_BYTES)
            if keys != tags[0]:
                # Another identity's: of no use but for DevNonce, which must not come back for the same JoinEUI.
                nonce = max(nonce, v[9] + v[10])
            else:
                session = Session(region, identity)
                if setup == tags[1]:
                    unpack(session, blob, v, now_ms)
                else:
                    # Region or windows were set anew: OTAA joins again, ABP goes on with its counters.
                    _counters(session, v)
        found.append(session)
    kept, awake = found
    if awake is not None and (kept is None or _order(awake) >= _order(kept)):
        if kept is None:
            # What flash should hold it does not: reserve anew before anything is sent.
            awake.fcnt_reserved = awake.fcnt_up
            awake.nonce_reserved = awake.dev_nonce
        return awake
    if kept is not None:
        kept.fcnt_up = kept.fcnt_reserved
        kept.dev_nonce = kept.nonce_reserved
        joining = kept.joining
        if joining.began_ms is not None or not kept.joined:
            # After power-up the hours count afresh, air-time that is used does not come back: a node that browns out
            # while it joins must not send for ever (TR007-1.1 section 4.1.2). One request may be missing in it.
            joining.began_ms = now_ms
            joining.span = 0
            joining.used_ms = min(joining.used_ms + 1500, 36000)
        return kept
    session = Session(region, identity)
    session.dev_nonce = session.nonce_reserved = nonce
    return session
