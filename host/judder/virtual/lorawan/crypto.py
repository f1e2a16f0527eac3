"""Keys and codes of LoRaWAN 1.0.x, with `cryptography` (RFC 4493 for the CMAC)."""

from __future__ import annotations

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.cmac import CMAC

UP, DOWN = 0, 1


def cmac(key: bytes, message: bytes) -> bytes:
    """AES-CMAC, 16 bytes."""
    code = CMAC(algorithms.AES(key))
    code.update(message)
    return code.finalize()


def encrypt_blocks(key: bytes, blocks: bytes) -> bytes:
    """AES-128 on each block of 16 bytes by itself."""
    engine = Cipher(algorithms.AES(key), modes.ECB()).encryptor()
    return engine.update(blocks) + engine.finalize()


def decrypt_blocks(key: bytes, blocks: bytes) -> bytes:
    """The way back."""
    engine = Cipher(algorithms.AES(key), modes.ECB()).decryptor()
    return engine.update(blocks) + engine.finalize()


def _head(direction: int, dev_addr: int, fcnt: int) -> bytes:
    return bytes((0, 0, 0, 0, direction)) + dev_addr.to_bytes(4, "little") + fcnt.to_bytes(4, "little") + b"\0"


def data_mic(nwk_s_key: bytes, direction: int, dev_addr: int, fcnt: int, message: bytes) -> bytes:
    """MIC of a data frame over MHDR..FRMPayload (L2 1.0.4 section 4.4). fcnt: all 32 bits."""
    block = b"\x49" + _head(direction, dev_addr, fcnt) + bytes((len(message),))
    return cmac(nwk_s_key, block + message)[:4]


def cipher_payload(key: bytes, direction: int, dev_addr: int, fcnt: int, payload: bytes) -> bytes:
    """Encrypt or decrypt FRMPayload (L2 1.0.4 section 4.3.3). key: AppSKey, or NwkSKey on port 0."""
    count = -(-len(payload) // 16)
    blocks = b"".join(b"\x01" + _head(direction, dev_addr, fcnt) + bytes((i,)) for i in range(1, count + 1))
    stream = encrypt_blocks(key, blocks) if blocks else b""
    return bytes(a ^ b for a, b in zip(payload, stream, strict=False))


def session_keys(app_key: bytes, join_nonce: int, net_id: int, dev_nonce: int) -> tuple[bytes, bytes]:
    """NwkSKey, AppSKey of an accepted join (L2 1.0.4 section 6.2.6)."""
    tail = join_nonce.to_bytes(3, "little") + net_id.to_bytes(3, "little") + dev_nonce.to_bytes(2, "little") + bytes(7)
    return encrypt_blocks(app_key, b"\x01" + tail), encrypt_blocks(app_key, b"\x02" + tail)
