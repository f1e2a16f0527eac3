"""AES-CMAC and what LoRaWAN 1.0 makes of AES-128: MIC, payload encryption, session keys.

A device only ever encrypts: payloads are a counter mode by hand, a join accept is *decrypted* by the server, so that
encrypting it again gives the plain text (L2 1.0.4 section 6.2.6).
"""


class Key:
    """One AES-128 key. aes: key of 16 bytes -> object with encrypt(block of 16) -> 16 bytes."""

    def __init__(self, aes, key: bytes):
        self.encrypt = aes(key).encrypt
        # Subkeys of RFC 4493 section 2.3.
        self._k1 = _doubled(self.encrypt(bytes(16)))
        self._k2 = _doubled(self._k1)

    def cmac(self, message) -> bytes:
        """AES-CMAC of bytes (RFC 4493 section 2.4): 16 bytes."""
        size = len(message)
        last = (size - 1) // 16 * 16 if size else 0
        block = bytearray(16)
        for at in range(0, last, 16):
            for i in range(16):
                block[i] ^= message[at + i]
            block[:] = self.encrypt(block)
        subkey = self._k1
        if size - last != 16:
            block[size - last] ^= 0x80
            subkey = self._k2
        for i in range(size - last):
            block[i] ^= message[last + i]
        for i in range(16):
            block[i] ^= subkey[i]
        return self.encrypt(block)

    def crypt(self, down: int, address: bytes, counter: int, data, start: int, end: int) -> None:
        """Encrypt or decrypt data[start:end] in place (L2 1.0.4 section 4.3.3). address: as on the air."""
        block = block_of(0x01, down, address, counter, 0)
        for at in range(start, end, 16):
            block[15] += 1
            stream = self.encrypt(block)
            for i in range(min(16, end - at)):
                data[at + i] ^= stream[i]


def _doubled(block: bytes) -> bytes:
    """A block times x in GF(2^128), most significant bit first."""
    out = bytearray(16)
    carry = 0
    for i in range(15, -1, -1):
        value = block[i] << 1 | carry
        out[i] = value & 0xFF
        carry = value >> 8
    if carry:
        out[15] ^= 0x87
    return bytes(out)


def block_of(kind: int, down: int, address: bytes, counter: int, last: int) -> bytearray:
    """Block A_i (kind 1, `last` its number) or B0 (kind 0x49, `last` the length): sections 4.3.3 and 4.4."""
    block = bytearray(16)
    block[0] = kind
    block[5] = down
    block[6:10] = address
    for i in range(4):
        block[10 + i] = counter >> 8 * i & 0xFF
    block[15] = last
    return block
