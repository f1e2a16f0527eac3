"""AES for CPython and MicroPython, and the frames of a network, made without the node's code.

CMAC is RFC 4493 over big integers, frames are put together byte by byte from LoRaWAN L2 1.0.4.
"""

try:
    import cryptolib
except ImportError:
    cryptolib = None


class _Aes:
    """The one mode a node uses, on CPython."""

    def __init__(self, key):
        from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

        cipher = Cipher(algorithms.AES(bytes(key)), modes.ECB())
        self._encrypt = cipher.encryptor().update
        self._decrypt = cipher.decryptor().update

    def encrypt(self, block):
        assert len(block) == 16
        return self._encrypt(bytes(block))

    def decrypt(self, block):
        assert len(block) % 16 == 0
        return self._decrypt(bytes(block))


def aes(key):
    """What the MAC is given: an object with encrypt(block)."""
    return cryptolib.aes(key, 1) if cryptolib else _Aes(key)


def encrypt(key, block):
    return aes(key).encrypt(block)


def decrypt(key, block):
    return aes(key).decrypt(block)


def cmac(key, message):
    """RFC 4493, all 16 bytes."""
    whole = (1 << 128) - 1
    subkey = int.from_bytes(encrypt(key, bytes(16)), "big")
    size = len(message)
    full = size > 0 and size % 16 == 0
    for _ in range(1 if full else 2):
        subkey = (subkey << 1 & whole) ^ (0x87 if subkey >> 127 else 0)
    padded = bytes(message) if full else bytes(message) + b"\x80" + bytes(15 - size % 16)
    state = 0
    for at in range(0, len(padded), 16):
        state ^= int.from_bytes(padded[at : at + 16], "big")
        if at + 16 == len(padded):
            state ^= subkey
        state = int.from_bytes(encrypt(key, state.to_bytes(16, "big")), "big")
    return state.to_bytes(16, "big")


def little(value, size):
    return value.to_bytes(size, "little")


def turned(data):
    return bytes(reversed(bytes(data)))


def stream(key, direction, dev_addr, counter, data):
    """Encrypt or decrypt a payload: L2 1.0.4 section 4.3.3."""
    out = b""
    for number in range((len(data) + 15) // 16):
        a = b"\x01\0\0\0\0" + bytes((direction,)) + turned(dev_addr) + little(counter, 4) + b"\0" + bytes((number + 1,))
        pad = encrypt(key, a)
        part = data[16 * number : 16 * number + 16]
        out += bytes([part[i] ^ pad[i] for i in range(len(part))])
    return out


def mic(nwk, direction, dev_addr, counter, message):
    b0 = b"\x49\0\0\0\0" + bytes((direction,)) + turned(dev_addr) + little(counter, 4) + b"\0" + bytes((len(message),))
    return cmac(nwk, b0 + message)[:4]


def down(nwk, app, dev_addr, counter, options=b"", port=None, payload=b"", confirmed=False, ack=False, pending=False):
    """A data downlink."""
    control = (0x20 if ack else 0) | (0x10 if pending else 0) | len(options)
    frame = bytes((0xA0 if confirmed else 0x60,)) + turned(dev_addr) + bytes((control,)) + little(counter & 0xFFFF, 2)
    frame += options
    if port is not None:
        frame += bytes((port,)) + stream(app if port else nwk, 1, dev_addr, counter, payload)
    return frame + mic(nwk, 1, dev_addr, counter, frame)


def accept(app_key, join_nonce, net_id, dev_addr, settings=0, delay=1, cf_list=b""):
    """A join accept: encrypted with AES decrypt (section 6.2.6)."""
    plain = little(join_nonce, 3) + turned(net_id) + turned(dev_addr) + bytes((settings, delay)) + cf_list
    plain += cmac(app_key, b"\x20" + plain)[:4]
    return b"\x20" + b"".join([decrypt(app_key, plain[at : at + 16]) for at in range(0, len(plain), 16)])


def keys(app_key, join_nonce, net_id, dev_nonce):
    """(NwkSKey, AppSKey)."""
    rest = little(join_nonce, 3) + turned(net_id) + little(dev_nonce, 2) + bytes(7)
    return encrypt(app_key, b"\x01" + rest), encrypt(app_key, b"\x02" + rest)


class Up:
    """A data uplink taken apart. counter: the 32 bits expected by the caller, of which the frame carries 16."""

    def __init__(self, frame, nwk, app, high=0):
        frame = bytes(frame)
        self.confirmed = frame[0] == 0x80
        assert self.confirmed or frame[0] == 0x40, frame[0]
        self.dev_addr = turned(frame[1:5])
        self.control = frame[5] & 0xF0
        self.adr = bool(frame[5] & 0x80)
        self.adr_request = bool(frame[5] & 0x40)
        self.ack = bool(frame[5] & 0x20)
        self.counter = int.from_bytes(frame[6:8], "little") | high << 16
        body = 8 + (frame[5] & 0x0F)
        self.options = frame[8:body]
        assert frame[-4:] == mic(nwk, 0, self.dev_addr, self.counter, frame[:-4]), "MIC of the uplink"
        self.port = None
        self.payload = b""
        if body < len(frame) - 4:
            self.port = frame[body]
            self.payload = stream(app if self.port else nwk, 0, self.dev_addr, self.counter, frame[body + 1 : -4])
            assert self.port or not self.options, "MAC commands in FOpts and on port 0"

    def commands(self):
        """Answers and requests it carries, wherever."""
        return self.options if self.port != 0 else self.payload
