"""Who the node is when nobody has said, an EUI-64 made from the chip's MAC; and what its image was built with."""

import machine


def eui64(mac: bytes) -> bytes:
    """IEEE guidelines for EUI-64: FF-FE between manufacturer and serial part. mac: 6 bytes (8 pass as they are)."""
    if len(mac) == 8:
        return bytes(mac)
    return bytes(mac[:3]) + b"\xff\xfe" + bytes(mac[3:6])


def node_id() -> bytes:
    """8 bytes."""
    return eui64(machine.unique_id())


def tls_library() -> list:
    """Version of mbed TLS as numbers, [0, 0, 0] where there is none."""
    try:
        import tls

        major, minor, patch = tls.MBEDTLS_VERSION.split(" ")[-1].split(".")
        return [int(major), int(minor), int(patch)]
    except (ImportError, AttributeError, ValueError):
        return [0, 0, 0]
