"""Frames of LoRaWAN 1.0.4 as bytes: join request, join accept, data up, data down (L2 1.0.4 sections 4 and 6.2).

EUIs and DevAddr are taken and given in the order they are printed, most significant byte first; on the air all fields
are little-endian. A frame that is not right gives the index of its reason in REFUSED instead of a tuple.

FCtrl of an uplink: ADR, ADRACKReq, ACK, ClassB, length of FOpts; of a downlink: ADR, RFU, ACK, FPending, length.
"""

from node.link.lorawan import const
from node.link.lorawan.crypto import Key, block_of

ADR = 0x80
ADR_ACK_REQUEST = 0x40
ACK = 0x20
PENDING = 0x10

# Positions in REFUSED.
LENGTH = 0
TYPE = 1
ADDRESS = 2
MIC = 3
REPLAY = 4
JOIN_NONCE = 5
OPTIONS = 6
COMMAND = 7
FULL = 8

# MHDR: type in bits 7-5, major version 0.
_JOIN_REQUEST = const(0x00)
_JOIN_ACCEPT = const(0x20)
_UP = const(0x40)
_DOWN = const(0x60)
_UP_CONFIRMED = const(0x80)
_DOWN_CONFIRMED = const(0xA0)

_COUNTERS = const(0x10000)
PHY_BYTES = 255  # longest PHYPayload: MACPayload of 250, MHDR and MIC
OVERHEAD = 13  # MHDR, DevAddr, FCtrl, FCnt, FPort, MIC


def reverse(data) -> bytes:
    """Printed order to air order and back."""
    return bytes([data[i] for i in range(len(data) - 1, -1, -1)])


def join_request(key: Key, join_eui: bytes, dev_eui: bytes, nonce: int) -> bytes:
    """23 bytes (section 6.2.5). key: AppKey."""
    frame = bytes((_JOIN_REQUEST,)) + reverse(join_eui) + reverse(dev_eui) + bytes((nonce & 0xFF, nonce >> 8))
    return frame + key.cmac(frame)[:4]


def join_accept(key: Key, frame):
    """(join_nonce, net_id, dev_addr, settings, delay, cf_list) or a reason. net_id: 3 bytes, cf_list: 16 or none."""
    size = len(frame)
    if size not in (17, 33):
        return LENGTH
    if frame[0] != _JOIN_ACCEPT:
        return TYPE
    plain = bytes(frame[:1])
    for at in range(1, size, 16):
        plain += key.encrypt(bytes(frame[at : at + 16]))
    if key.cmac(plain[:-4])[:4] != plain[-4:]:
        return MIC
    nonce = plain[1] | plain[2] << 8 | plain[3] << 16
    return nonce, reverse(plain[4:7]), reverse(plain[7:11]), plain[11], plain[12], plain[13:-4]


def session_keys(key: Key, join_nonce: int, net_id: bytes, dev_nonce: int) -> tuple:
    """(NwkSKey, AppSKey), 16 bytes each (section 6.2.6)."""
    block = bytearray(16)
    for i in range(3):
        block[1 + i] = join_nonce >> 8 * i & 0xFF
        block[4 + i] = net_id[2 - i]
    block[7] = dev_nonce & 0xFF
    block[8] = dev_nonce >> 8
    keys = []
    for kind in (1, 2):
        block[0] = kind
        keys.append(bytes(key.encrypt(block)))
    return tuple(keys)


def uplink(into, nwk, app, dev_addr: bytes, counter: int, confirmed: bool, control: int, options, port, payload) -> int:
    """Write a data frame into a bytearray of PHY_BYTES; returns its length.

    control: FCtrl without the length. options: FOpts, at most 15 bytes, none with port 0. port None: no FPort, no
    payload. Port 0 is encrypted with NwkSKey (section 4.3.3).
    """
    address = reverse(dev_addr)
    into[0] = _UP_CONFIRMED if confirmed else _UP
    into[1:5] = address
    into[5] = control | len(options)
    into[6] = counter & 0xFF
    into[7] = counter >> 8 & 0xFF
    at = 8 + len(options)
    into[8:at] = options
    if port is not None:
        into[at] = port
        start = at + 1
        at = start + len(payload)
        into[start:at] = payload
        (app if port else nwk).crypt(0, address, counter, into, start, at)
    into[at : at + 4] = _mic(nwk, 0, address, counter, into, at)
    return at + 4


def downlink(frame, nwk, app, dev_addr: bytes, last: int, limit: int):
    """(counter, confirmed, control, options, port, payload) of a data frame for us, or a reason.

    last: FCntDown of the newest one taken, -1 for none. limit: longest MACPayload of the window it came in.
    port None: there is none. payload: decrypted.
    """
    size = len(frame)
    if not 12 <= size <= limit + 5:
        return LENGTH
    if frame[0] not in (_DOWN, _DOWN_CONFIRMED):
        return TYPE
    address = reverse(dev_addr)
    if bytes(frame[1:5]) != address:
        return ADDRESS
    body = 8 + (frame[5] & 0x0F)
    end = size - 4
    if body > end:
        return LENGTH
    # The upper half of the counter is ours to infer: the next one that ends in these 16 bits (section 4.3.1.5; no
    # MAX_FCNT_GAP since 1.0.4).
    counter = (frame[6] | frame[7] << 8) + (last + 1) // _COUNTERS * _COUNTERS
    if counter <= last:
        counter += _COUNTERS
    mic = bytes(frame[end:])
    if counter > 0xFFFFFFFF or _mic(nwk, 1, address, counter, frame, end) != mic:
        # Only to tell an old frame sent again from a bad one.
        if counter >= _COUNTERS and _mic(nwk, 1, address, counter - _COUNTERS, frame, end) == mic:
            return REPLAY
        return MIC
    port = None
    payload = bytearray()
    if body < end:
        port = frame[body]
        if body > 8 and not port:
            return OPTIONS
        payload = bytearray(frame[body + 1 : end])
        (app if port else nwk).crypt(1, address, counter, payload, 0, len(payload))
    return counter, frame[0] == _DOWN_CONFIRMED, frame[5] & 0xF0, bytes(frame[8:body]), port, bytes(payload)


def _mic(nwk, down: int, address: bytes, counter: int, frame, end: int) -> bytes:
    return nwk.cmac(bytes(block_of(0x49, down, address, counter, end)) + bytes(frame[:end]))[:4]
