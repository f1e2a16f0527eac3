"""LoRaWAN cryptography and frames against published vectors, and against frames built another way."""

import lorawan_air as air
from portable import Random, load_json

from node.link.lorawan import REFUSED, crypto, frames

VECTORS = load_json("tests/vectors/lorawan_1_0.json")
NWK = bytes(range(16))
APP = bytes(range(100, 116))
ADDRESS = b"\x26\x01\x1b\xda"


def unhex(text):
    return bytes([int(text[i : i + 2], 16) for i in range(0, len(text), 2)])


def key(data):
    return crypto.Key(air.aes, data)


def sent(nwk, app, dev_addr, counter, confirmed=False, control=0, options=b"", port=None, payload=b""):
    into = bytearray(frames.PHY_BYTES)
    size = frames.uplink(into, key(nwk), key(app), dev_addr, counter, confirmed, control, options, port, payload)
    return bytes(into[:size])


def taken(frame, last=-1, limit=250, nwk=NWK, app=APP, dev_addr=ADDRESS):
    result = frames.downlink(frame, key(nwk), key(app), dev_addr, last, limit)
    return REFUSED[result] if isinstance(result, int) else result


# --- published


def test_cmac_of_rfc_4493():
    for case in VECTORS["cmac"]:
        assert key(unhex(case["key"])).cmac(unhex(case["message"])) == unhex(case["mac"]), case
        assert air.cmac(unhex(case["key"]), unhex(case["message"])) == unhex(case["mac"]), case


def test_aes_that_the_tests_bring():
    for case in VECTORS["aes"]:
        assert bytes(key(unhex(case["key"])).encrypt(unhex(case["plain"]))) == unhex(case["cipher"])
        assert bytes(air.decrypt(unhex(case["key"]), unhex(case["cipher"]))) == unhex(case["plain"])


def test_published_uplinks():
    for case in VECTORS["up"]:
        nwk, app, dev_addr = unhex(case["nwk"]), unhex(case["app"]), unhex(case["dev_addr"])
        options, payload = unhex(case["options"]), unhex(case["payload"])
        made = sent(
            nwk, app, dev_addr, case["counter"], case["confirmed"], case["control"], options, case["port"], payload
        )
        assert made == unhex(case["frame"]), case["source"]
        read = air.Up(made, nwk, app)
        assert (read.port, read.payload, read.options) == (case["port"], payload, options), case["source"]


def test_published_join_requests():
    for case in VECTORS["joins"]:
        made = frames.join_request(
            key(unhex(case["key"])), unhex(case["join_eui"]), unhex(case["dev_eui"]), case["dev_nonce"]
        )
        assert made == unhex(case["frame"]), case["source"]


def test_published_join_accepts():
    for case in VECTORS["accepts"]:
        app_key = key(unhex(case["key"]))
        found = frames.join_accept(app_key, unhex(case["frame"]))
        net_id, dev_addr, cf_list = unhex(case["net_id"]), unhex(case["dev_addr"]), unhex(case["cf_list"])
        expected = (case["join_nonce"], net_id, dev_addr, case["settings"], case["delay"], cf_list)
        assert found == expected, case["source"]
        again = air.accept(unhex(case["key"]), *expected)
        assert again == unhex(case["frame"]), case["source"]
        if "nwk" in case:
            made = frames.session_keys(app_key, case["join_nonce"], net_id, case["dev_nonce"])
            assert made == (unhex(case["nwk"]), unhex(case["app"])), case["source"]
            assert made == air.keys(unhex(case["key"]), case["join_nonce"], net_id, case["dev_nonce"])


def test_a_join_accept_of_1_1_is_not_for_us():
    # Its MIC covers JoinEUI and DevNonce too; a 1.0.4 device must see a wrong MIC. The vector's own MIC: our CMAC.
    case = VECTORS["foreign"]["accept"]
    app_key = key(unhex(case["key"]))
    assert frames.join_accept(app_key, unhex(case["frame"])) == frames.MIC
    frame = unhex(case["frame"])
    plain = air.encrypt(unhex(case["key"]), frame[1:])
    assert bytes(plain[-4:]) == unhex(case["mic"])
    head = b"\xff" + air.turned(unhex(case["join_eui"])) + air.little(case["dev_nonce"], 2) + b"\x20"
    assert app_key.cmac(head + bytes(plain[:-4]))[:4] == unhex(case["mic"])


def test_encrypted_options_of_1_1_look_like_unknown_commands():
    # MIC and payload are as in 1.0, so it is taken; its FOpts start with 0x22, which no 1.0.4 command does.
    case = VECTORS["foreign"]["down"]
    frame, dev_addr = unhex(case["frame"]), unhex(case["dev_addr"])
    got = taken(frame, -1, 250, unhex(case["nwk"]), unhex(case["app"]), dev_addr)
    assert got == (0, False, 0, unhex(case["wire_options"]), case["port"], unhex(case["payload"]))
    # The block of 1.1: byte 4 is 2, the last one 1. Keystream from our AES.
    block = crypto.block_of(0x01, 1, air.turned(dev_addr), 0, 1)
    block[4] = 2
    pad = key(unhex(case["options_key"])).encrypt(block)
    options = unhex(case["options"])
    assert bytes([options[i] ^ pad[i] for i in range(3)]) == unhex(case["wire_options"])


# --- against frames built another way


def test_cmac_of_every_length():
    rng = Random(1)
    for size in range(66):
        message = rng.bytes(size)
        assert key(NWK).cmac(message) == air.cmac(NWK, message), size


def test_uplinks_of_every_shape():
    rng = Random(2)
    for options in range(16):
        for port, size in ((None, 0), (0, 15), (1, 0), (1, 1), (2, 15), (3, 16), (4, 17), (223, 222), (9, 242)):
            if port == 0 and options:
                continue
            if options + size > 242:
                continue
            given = rng.bytes(options), rng.bytes(size)
            counter = rng.below(0x10000)
            control = rng.choose((0, 0x80, 0xC0, 0x20, 0xE0))
            frame = sent(NWK, APP, ADDRESS, counter, bool(size & 1), control, given[0], port, given[1])
            read = air.Up(frame, NWK, APP)
            assert (read.dev_addr, read.counter, read.confirmed) == (ADDRESS, counter, bool(size & 1))
            assert (read.control, read.options, read.port, read.payload) == (control, given[0], port, given[1])
            assert len(frame) == 12 + options + (0 if port is None else 1 + size)


def test_counter_of_32_bits_is_in_mic_and_cipher():
    for counter in (0xFFFF, 0x10000, 0x12345678, 0xFFFFFFFF):
        frame = sent(NWK, APP, ADDRESS, counter, port=5, payload=b"hello")
        assert air.Up(frame, NWK, APP, counter >> 16).payload == b"hello"


def test_downlinks_of_every_shape():
    rng = Random(3)
    for options in range(16):
        for port, size in ((None, 0), (0, 20), (1, 0), (7, 1), (8, 16), (9, 33), (10, 222)):
            if port == 0 and options:
                continue
            given = rng.bytes(options), rng.bytes(size)
            counter = 1 + rng.below(1000)
            confirmed, ack, pending = bool(size & 1), bool(options & 1), bool(options & 2)
            frame = air.down(NWK, APP, ADDRESS, counter, given[0], port, given[1], confirmed, ack, pending)
            control = (0x20 if ack else 0) | (0x10 if pending else 0)
            assert taken(frame, 0) == (counter, confirmed, control, given[0], port, given[1])


# --- downlink counters: L2 1.0.4 section 4.3.1.5

COUNTERS = (
    # newest taken, counter of the frame, what comes of it
    (-1, 0, 0),
    (-1, 1, 1),
    (-1, 65535, 65535),
    (0, 1, 1),
    (0, 0, "replay"),
    (5, 4, "replay"),
    (5, 5, "replay"),
    (5, 6, 6),
    (5, 65535, 65535),
    (5, 16384 + 6, 16384 + 6),  # no MAX_FCNT_GAP since 1.0.4
    (65534, 65535, 65535),
    (65535, 65536, 65536),
    (65535, 65535, "replay"),
    (65535, 65536 + 65535, 65536 + 65535),
    (65536, 65537, 65537),
    (65536, 65535, "replay"),
    (70000, 70001, 70001),
    (70000, 69999, "replay"),
    (70000, 70000, "replay"),
    (70000, 135535, 135535),
    (70000, 135537, "mic"),  # 65537 ahead: cannot be told from 70001
    (0x7FFFFFFE, 0x7FFFFFFF, 0x7FFFFFFF),
    (0xFFFFFFFD, 0xFFFFFFFE, 0xFFFFFFFE),
    (0xFFFFFFFE, 0xFFFFFFFF, 0xFFFFFFFF),
    (0xFFFFFFFF, 0xFFFFFFFF, "replay"),
    (0xFFFFFFFF, 0, "mic"),
)


def test_downlink_counters():
    for last, counter, expected in COUNTERS:
        frame = air.down(NWK, APP, ADDRESS, counter, port=1, payload=b"x")
        got = taken(frame, last)
        assert (got if isinstance(got, str) else got[0]) == expected, (last, counter, got)


# --- what is not a downlink for us


def good():
    return air.down(NWK, APP, ADDRESS, 1, b"\x06", 3, b"payload")


def test_any_bit_flipped_is_refused():
    frame = good()
    for bit in range(8 * len(frame)):
        bad = bytearray(frame)
        bad[bit // 8] ^= 1 << bit % 8
        assert isinstance(taken(bytes(bad)), str), bit


def test_any_length_but_its_own_is_refused():
    frame = good()
    for size in range(len(frame)):
        assert isinstance(taken(frame[:size]), str), size
    for more in range(1, 20):
        assert isinstance(taken(frame + bytes(more)), str), more


def test_reasons():
    frame = good()
    options_and_port_0 = air.down(NWK, APP, ADDRESS, 1, b"\x06", 0, b"\x06")
    cases = (
        (b"", "length"),
        (frame[:11], "length"),
        (bytes((0x60,)) + frame[1:5] + b"\x0f" + frame[6:12] + frame[-4:], "length"),
        (b"\x40" + frame[1:], "type"),
        (b"\x80" + frame[1:], "type"),
        (b"\x20" + frame[1:], "type"),
        (b"\xe0" + frame[1:], "type"),
        (b"\x61" + frame[1:], "type"),  # major version 1
        (frame[:1] + b"\x00" + frame[2:], "address"),
        (frame[:-1] + bytes((frame[-1] ^ 1,)), "mic"),
        (options_and_port_0, "options"),
    )
    for bad, reason in cases:
        assert taken(bad) == reason, (bad, reason)
    assert taken(frame, 1) == "replay"
    assert taken(frame, nwk=APP) == "mic"
    assert taken(frame, dev_addr=b"\x26\x01\x1b\xdb") == "address"


def test_longer_than_the_window_allows():
    frame = air.down(NWK, APP, ADDRESS, 1, port=1, payload=bytes(51))
    assert taken(frame, -1, 59)[5] == bytes(51)
    assert taken(frame, -1, 58) == "length"


def test_uplink_direction_is_not_taken_for_a_downlink():
    # Same bytes, MIC of the other direction: a frame of ours, thrown back at us.
    own = bytearray(sent(NWK, APP, ADDRESS, 1, port=1, payload=b"abc"))
    own[0] = 0x60
    assert taken(bytes(own)) == "mic"


def test_join_accepts_refused():
    frame = air.accept(NWK, 5, b"\0\0\x13", ADDRESS, 3, 5, bytes(16))
    app_key = key(NWK)
    assert frames.join_accept(app_key, frame)[0] == 5
    for size in range(33):
        if size != 17:
            assert frames.join_accept(app_key, frame[:size]) == frames.LENGTH
    assert frames.join_accept(app_key, frame[:17]) == frames.MIC
    assert frames.join_accept(app_key, b"\x60" + frame[1:]) == frames.TYPE
    assert frames.join_accept(key(APP), frame) == frames.MIC
    for bit in range(8, 8 * len(frame)):
        bad = bytearray(frame)
        bad[bit // 8] ^= 1 << bit % 8
        assert frames.join_accept(app_key, bytes(bad)) == frames.MIC, bit


def test_frames_may_be_views():
    frame = memoryview(bytearray(good()))
    assert taken(frame)[5] == b"payload"
    accept = memoryview(bytearray(air.accept(NWK, 5, b"\0\0\x13", ADDRESS)))
    assert frames.join_accept(key(NWK), accept)[2] == ADDRESS
