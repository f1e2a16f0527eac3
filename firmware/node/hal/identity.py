"""Who the node is when nobody has said: an EUI-64 made from the chip's MAC."""

import machine


def eui64(mac: bytes) -> bytes:
    """IEEE guidelines for EUI-64: FF-FE between manufacturer and serial part. mac: 6 bytes (8 pass as they are)."""
    if len(mac) == 8:
        return bytes(mac)
    return bytes(mac[:3]) + b"\xff\xfe" + bytes(mac[3:6])


def node_id() -> bytes:
    """8 bytes."""
    return eui64(machine.unique_id())
