"""The network side's crypto and frames against published vectors; each names where its numbers come from."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judder.virtual.lorawan import crypto, frames
from judder.virtual.lorawan.frames import DataFrame, FrameError, JoinAccept, JoinRequest

RFC_KEY = bytes.fromhex("2b7e151628aed2a6abf7158809cf4f3c")
ONE_TO_16 = bytes(range(1, 17))
DOWN_TO_1 = bytes(range(16, 0, -1))


# RFC 4493 section 4, examples 1 to 4.
@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("", "bb1d6929e95937287fa37d129b756746"),
        ("6bc1bee22e409f96e93d7e117393172a", "070a16b46b4d4144f79bdd9dd04a287c"),
        (
            "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e5130c81c46a35ce411",
            "dfa66747de9ae63030ca32611497c827",
        ),
        (
            "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
            "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710",
            "51f0bebf7e3b9d92fc49741779363cfe",
        ),
    ],
)
def test_cmac(message: str, code: str) -> None:
    assert crypto.cmac(RFC_KEY, bytes.fromhex(message)).hex() == code


def test_cipher_is_aes() -> None:
    # FIPS 197 appendix B.
    block = bytes.fromhex("3243f6a8885a308d313198a2e0370734")
    sealed = crypto.encrypt_blocks(RFC_KEY, block)
    assert sealed.hex() == "3925841d02dc09fbdc118597196a0b32"
    assert crypto.decrypt_blocks(RFC_KEY, sealed) == block


def test_data_up_of_lora_packet() -> None:
    # README of npm lora-packet.
    app, nwk = "ec925802ae430ca77fd3dd73cb2cc588", "44024241ed4ce9a68c6a8bc055233fd3"
    phy = bytes.fromhex("40F17DBE4900020001954378762B11FF0D")
    frame = DataFrame.parse(phy)
    keys = bytes.fromhex(nwk), bytes.fromhex(app)
    assert (frame.kind, frame.dev_addr, frame.fcnt, frame.port) == (frames.UP, 0x49BE7DF1, 2, 1)
    assert frame.is_authentic(keys[0], 2)
    assert not frame.is_authentic(keys[0], 2 + 0x10000)
    assert frame.plain(*keys, 2) == b"test"
    assert DataFrame(frames.UP, 0x49BE7DF1, 2, port=1, payload=b"test").build(*keys) == phy


def test_confirmed_up_of_chirpstack() -> None:
    # ChirpStack, lrwn: confirmed uplink with DevStatusAns(battery 115, margin 7) in FOpts.
    phy = bytes.fromhex("80040302010300000673070ae264d4f7e117d2c0")
    frame = DataFrame.parse(phy)
    assert (frame.kind, frame.dev_addr, frame.fcnt, frame.port) == (frames.CONFIRMED_UP, 0x01020304, 0, 10)
    assert frame.confirmed
    assert frame.fopts.hex() == "067307"
    assert frame.is_authentic(ONE_TO_16, 0)
    assert frame.plain(ONE_TO_16, DOWN_TO_1, 0) == bytes((1, 2, 3, 4))


def test_data_up_of_lora_rs() -> None:
    # lora-rs: NwkSKey 16 x 02, AppSKey 16 x 01.
    phy = bytes.fromhex("400403020180010001a694642615d6c3b582")
    frame = DataFrame.parse(phy)
    assert (frame.dev_addr, frame.fcnt, frame.port, frame.adr) == (0x01020304, 1, 1, True)
    assert frame.is_authentic(bytes([2] * 16), 1)
    assert frame.plain(bytes([2] * 16), bytes([1] * 16), 1) == b"hello"
    built = DataFrame(frames.UP, 0x01020304, 1, adr=True, port=1, payload=b"hello")
    assert built.build(bytes([2] * 16), bytes([1] * 16)) == phy


def test_join_request_of_lora_rs() -> None:
    phy = bytes.fromhex("00040302010403020105040302050403022d106a990e12")
    request = JoinRequest.parse(phy)
    assert (request.join_eui.hex(), request.dev_eui.hex()) == ("0102030401020304", "0203040502030405")
    assert request.dev_nonce == 0x102D
    assert request.is_authentic(bytes([1] * 16))
    assert not request.is_authentic(bytes([2] * 16))
    assert frames.build_join_request(bytes([1] * 16), request.join_eui, request.dev_eui, request.dev_nonce) == phy


def test_join_accept_of_chirpstack() -> None:
    # ChirpStack, lrwn: join-accept 1.0; AppKey 0102..0f10.
    accept = JoinAccept(0x010101, 0x020202, 0x01020304, 0, 0)
    phy = bytes.fromhex("2023cf335489aae3183c0be0baa8dee5f3")
    assert accept.build(ONE_TO_16) == phy
    assert JoinAccept.parse(phy, ONE_TO_16) == accept
    assert crypto.encrypt_blocks(ONE_TO_16, phy[1:])[-4:].hex() == "3449f212"


def test_join_accept_of_lora_rs() -> None:
    key = bytes.fromhex("00112233445566778899aabbccddeeff")
    accept = JoinAccept.parse(bytes.fromhex("20493eeb51fba2116f810edb3742975142"), key)
    # Clear: c70b57 011122 80190302 00 00, MIC 43485bbc.
    assert accept == JoinAccept(0x570BC7, 0x221101, 0x02031980, 0, 0)


def test_join_and_session_keys() -> None:
    # Made with npm lora-packet 0.9.3 and re-checked with an independent AES and CMAC.
    join_eui, dev_eui = bytes.fromhex("70b3d57ed0000001"), bytes.fromhex("0102030405060708")
    request = frames.build_join_request(RFC_KEY, join_eui, dev_eui, 7)
    assert request.hex() == "00010000d07ed5b37008070605040302010700efda66a9"
    extra = frames.cf_list_frequencies([867_100_000, 867_300_000, 867_500_000, 867_700_000, 867_900_000])
    accept = JoinAccept(1, 0x000013, 0x26011BDA, 3, 5, extra)
    expected = "20e79f4b9e6ea1ff5aaa49620cd945834e2b6244abbe58ea599df7f70e47f56e8c"
    assert accept.build(RFC_KEY).hex() == expected
    assert JoinAccept.parse(bytes.fromhex(expected), RFC_KEY) == accept
    nwk_s_key, app_s_key = crypto.session_keys(RFC_KEY, 1, 0x13, 7)
    assert nwk_s_key.hex() == "f3943954d422ec3b473dcd5754399c02"
    assert app_s_key.hex() == "412c6f093db8a28738af593a63e19239"


def test_cf_list_masks() -> None:
    # RP002-1.0.4 section 2.5.4: five masks of 16 bits, RFU, type 1. Sub-band 2: channels 8 to 15 and 65.
    assert frames.cf_list_masks([*range(8, 16), 65]).hex() == "00ff" + "0000" * 3 + "0200" + "0000000000" + "01"


@pytest.mark.parametrize(
    "phy", ["", "00", "41" + "00" * 12, "40" + "00" * 10, "4000000000" + "0f" + "000000000000", "e0" + "00" * 20]
)
def test_what_is_no_data_frame_is_refused(phy: str) -> None:
    with pytest.raises(FrameError):
        DataFrame.parse(bytes.fromhex(phy))


def test_joins_of_the_wrong_length_or_key_are_refused() -> None:
    with pytest.raises(FrameError, match="23 bytes, not 22"):
        JoinRequest.parse(bytes(22))
    with pytest.raises(FrameError, match="17 or 33 bytes, not 18"):
        JoinAccept.parse(b"\x20" + bytes(17), RFC_KEY)
    with pytest.raises(FrameError, match="MIC"):
        JoinAccept.parse(JoinAccept(1, 1, 1, 0, 0).build(RFC_KEY), ONE_TO_16)


@given(
    st.sampled_from((frames.UP, frames.DOWN, frames.CONFIRMED_UP, frames.CONFIRMED_DOWN)),
    st.integers(0, 0xFFFFFFFF),
    st.integers(0, 0xFFFFFFFF),
    st.binary(max_size=15),
    st.one_of(st.none(), st.integers(0, 255)),
    st.binary(max_size=222),
    st.lists(st.booleans(), min_size=4, max_size=4),
)
def test_what_is_built_is_read_back(
    kind: int, address: int, fcnt: int, fopts: bytes, port: int | None, payload: bytes, flags: list[bool]
) -> None:
    adr, adr_ack_req, ack, pending = flags
    payload = b"" if port is None else payload
    frame = DataFrame(kind, address, fcnt, adr, adr_ack_req, ack, pending, fopts, port, payload)
    got = DataFrame.parse(frame.build(RFC_KEY, ONE_TO_16))
    assert got.is_authentic(RFC_KEY, fcnt)
    assert got.plain(RFC_KEY, ONE_TO_16, fcnt) == payload
    assert (got.kind, got.dev_addr, got.fcnt, got.fopts, got.port) == (kind, address, fcnt & 0xFFFF, fopts, port)
    assert [got.adr, got.adr_ack_req, got.ack, got.pending] == flags


@given(st.binary(max_size=64))
def test_any_bytes_are_read_or_refused(phy: bytes) -> None:
    for read in (DataFrame.parse, JoinRequest.parse, lambda data: JoinAccept.parse(data, RFC_KEY)):
        try:
            read(phy)
        except FrameError as error:
            assert str(error)
