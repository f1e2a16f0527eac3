"""PHYPayloads of LoRaWAN 1.0.x: taken apart and put together. EUIs are bytes as printed, a DevAddr is an int."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from judder.virtual.lorawan import crypto

JOIN_REQUEST, JOIN_ACCEPT, UP, DOWN, CONFIRMED_UP, CONFIRMED_DOWN = range(6)

_ADR, _ADR_ACK_REQ, _ACK, _PENDING = 0x80, 0x40, 0x20, 0x10
MAX_FOPTS = 15


class FrameError(ValueError):
    """Bytes that are no frame; says why."""


def message_type(phy: bytes) -> int:
    """MType. Raises FrameError for an empty frame or a major version that is not R1."""
    if not phy or phy[0] & 0x1F:
        raise FrameError("not a LoRaWAN R1 frame")
    return phy[0] >> 5


@dataclass(frozen=True)
class JoinRequest:
    """What a device asks to join with."""

    join_eui: bytes
    dev_eui: bytes
    dev_nonce: int
    mic: bytes
    signed: bytes

    @classmethod
    def parse(cls, phy: bytes) -> JoinRequest:
        """Raises FrameError."""
        if message_type(phy) != JOIN_REQUEST or len(phy) != 23:
            raise FrameError(f"a join-request has 23 bytes, not {len(phy)}")
        return cls(phy[8:0:-1], phy[16:8:-1], int.from_bytes(phy[17:19], "little"), phy[19:], phy[:19])

    def is_authentic(self, app_key: bytes) -> bool:
        """Whether its MIC is right."""
        return crypto.cmac(app_key, self.signed)[:4] == self.mic


def build_join_request(app_key: bytes, join_eui: bytes, dev_eui: bytes, dev_nonce: int) -> bytes:
    """The device's side of a join."""
    signed = b"\0" + join_eui[::-1] + dev_eui[::-1] + dev_nonce.to_bytes(2, "little")
    return signed + crypto.cmac(app_key, signed)[:4]


@dataclass(frozen=True)
class JoinAccept:
    """The network's answer. cf_list: none or 16 bytes."""

    join_nonce: int
    net_id: int
    dev_addr: int
    dl_settings: int
    rx_delay: int
    cf_list: bytes = b""

    def build(self, app_key: bytes) -> bytes:
        """Encrypted PHYPayload."""
        body = self.join_nonce.to_bytes(3, "little") + self.net_id.to_bytes(3, "little")
        body += self.dev_addr.to_bytes(4, "little") + bytes((self.dl_settings, self.rx_delay)) + self.cf_list
        body += crypto.cmac(app_key, b"\x20" + body)[:4]
        return b"\x20" + crypto.decrypt_blocks(app_key, body)

    @classmethod
    def parse(cls, phy: bytes, app_key: bytes) -> JoinAccept:
        """Decrypt and check. Raises FrameError."""
        if message_type(phy) != JOIN_ACCEPT or len(phy) not in (17, 33):
            raise FrameError(f"a join-accept has 17 or 33 bytes, not {len(phy)}")
        body = crypto.encrypt_blocks(app_key, phy[1:])
        if crypto.cmac(app_key, b"\x20" + body[:-4])[:4] != body[-4:]:
            raise FrameError("join-accept: MIC")
        join_nonce, net_id, dev_addr = (int.from_bytes(body[a:b], "little") for a, b in ((0, 3), (3, 6), (6, 10)))
        return cls(join_nonce, net_id, dev_addr, body[10], body[11], body[12:-4])


def cf_list_frequencies(frequencies_hz: Sequence[int]) -> bytes:
    """CFList type 0: up to five more channels."""
    fields = [(hz // 100).to_bytes(3, "little") for hz in frequencies_hz]
    return b"".join(fields + [bytes(3)] * (5 - len(fields))) + b"\x00"


def cf_list_masks(channels: Sequence[int]) -> bytes:
    """CFList type 1: the channels of a fixed plan that are on."""
    bits = sum(1 << number for number in channels)
    return bits.to_bytes(15, "little") + b"\x01"


@dataclass(frozen=True)
class DataFrame:
    """A data frame, up or down. fcnt: as sent, 16 bits, or all 32 when built. payload: encrypted when parsed."""

    kind: int
    dev_addr: int
    fcnt: int
    adr: bool = False
    adr_ack_req: bool = False
    ack: bool = False
    pending: bool = False
    fopts: bytes = b""
    port: int | None = None
    payload: bytes = b""
    mic: bytes = b""
    signed: bytes = b""

    @property
    def confirmed(self) -> bool:
        return self.kind in (CONFIRMED_UP, CONFIRMED_DOWN)

    @property
    def direction(self) -> int:
        return crypto.DOWN if self.kind in (DOWN, CONFIRMED_DOWN) else crypto.UP

    @classmethod
    def parse(cls, phy: bytes) -> DataFrame:
        """Raises FrameError."""
        kind = message_type(phy)
        if kind not in (UP, DOWN, CONFIRMED_UP, CONFIRMED_DOWN) or len(phy) < 12:
            raise FrameError("not a data frame")
        control = phy[5]
        options = control & 0x0F
        body = phy[8:-4]
        if options > len(body):
            raise FrameError("FOpts longer than the frame")
        rest = body[options:]
        return cls(
            kind,
            int.from_bytes(phy[1:5], "little"),
            int.from_bytes(phy[6:8], "little"),
            adr=bool(control & _ADR),
            adr_ack_req=bool(control & _ADR_ACK_REQ),
            ack=bool(control & _ACK),
            pending=bool(control & _PENDING),
            fopts=body[:options],
            port=rest[0] if rest else None,
            payload=rest[1:],
            mic=phy[-4:],
            signed=phy[:-4],
        )

    def is_authentic(self, nwk_s_key: bytes, fcnt: int) -> bool:
        """Whether the MIC is right for a 32-bit counter."""
        return crypto.data_mic(nwk_s_key, self.direction, self.dev_addr, fcnt, self.signed) == self.mic

    def plain(self, nwk_s_key: bytes, app_s_key: bytes, fcnt: int) -> bytes:
        """FRMPayload in clear."""
        key = nwk_s_key if self.port == 0 else app_s_key
        return crypto.cipher_payload(key, self.direction, self.dev_addr, fcnt, self.payload)

    def build(self, nwk_s_key: bytes, app_s_key: bytes) -> bytes:
        """PHYPayload; `payload` is in clear here and fcnt has 32 bits."""
        control = _ADR * self.adr | _ADR_ACK_REQ * self.adr_ack_req | _ACK * self.ack | _PENDING * self.pending
        out = bytes((self.kind << 5,)) + self.dev_addr.to_bytes(4, "little")
        out += bytes((control | len(self.fopts),)) + (self.fcnt & 0xFFFF).to_bytes(2, "little") + self.fopts
        if self.port is not None:
            out += bytes((self.port,)) + self.plain(nwk_s_key, app_s_key, self.fcnt)
        return out + crypto.data_mic(nwk_s_key, self.direction, self.dev_addr, self.fcnt, out)
