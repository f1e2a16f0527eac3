"""LoRaWAN frames through Debian's tshark: a capture with LoRaTap headers in, the fields it finds out.

What tshark 4.0 (Debian 12) can and cannot check, read in its dissector and seen here:
- A table of more than three keys crashes it, so each run has one.
- It knows 16 bits of a counter. A frame without FPort it takes apart wrongly, and one with more than 239 bytes before
  the MIC, or 240 of payload, it counts wrongly.
- Payloads it always decrypts with AppSKey: for port 0 give it NwkSKey there, then it names the MAC commands (of 1.0).
- A join accept it wants in clear, and finds its key by DevAddr; a join request's by JoinEUI. Both use "AppSKey".
"""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
from collections.abc import Sequence
from pathlib import Path

LONGEST = 230  # FOpts and payload together
LINK_TYPE_LORATAP = 270
_SYNC_PUBLIC = 0x34
_RUN_S = 120


def find() -> str | None:
    """Its path, or None."""
    return shutil.which("tshark")


def capture(frames: Sequence[bytes]) -> bytes:
    """A pcap file (libpcap 2.4): each frame behind a LoRaTap header, version 0."""
    out = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, LINK_TYPE_LORATAP)
    for number, frame in enumerate(frames):
        # Version, padding, length; Hz, bandwidth in 125 kHz, SF; RSSI of packet, highest, current; SNR; sync word.
        packet = struct.pack(">BBHIBBBBBBB", 0, 0, 15, 868_100_000, 1, 7, 60, 60, 60, 40, _SYNC_PUBLIC) + frame
        out += struct.pack("<IIII", number, 0, len(packet), len(packet)) + packet
    return out


def read(
    folder: Path, frames: Sequence[bytes], addr: bytes, nwk: bytes, app: bytes, join_eui: bytes, fields: Sequence[str]
) -> list[list[str]]:
    """Each frame's fields as tshark prints them. addr, join_eui: as printed; its table has them as on the air."""
    settings = folder / "wireshark"
    settings.mkdir(exist_ok=True)
    row = (addr[::-1], nwk, app, join_eui[::-1])
    text = ",".join(f'"{part.hex()}"' for part in row)
    (settings / "encryption_keys_lorawan").write_text(text + "\n")
    path = folder / "frames.pcap"
    path.write_bytes(capture(frames))
    argv = [find() or "tshark", "-r", str(path), "-T", "fields", "-E", "separator=|", "-E", "occurrence=a"]
    for field in fields:
        argv += ["-e", field]
    env = {**os.environ, "WIRESHARK_CONFIG_DIR": str(settings)}
    done = subprocess.run(argv, env=env, capture_output=True, text=True, timeout=_RUN_S)
    if done.returncode:
        raise RuntimeError(f"tshark ended with {done.returncode}: {done.stderr[-500:]}")
    return [line.split("|") for line in done.stdout.splitlines()]
