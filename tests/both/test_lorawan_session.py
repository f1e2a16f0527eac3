"""What survives deep sleep, which of two memories counts, and blobs that are none of ours."""

import binascii

from lorawan_rig import ADDRESS, APP, NWK, Rig, abp, joined, otaa
from lorawan_states import fields, worst
from portable import Random

from node.link.lorawan import SAVE, TRANSMIT, regions, session


def test_everything_survives_deep_sleep_in_256_bytes():
    for region in regions.NAMES:
        made = worst(region)
        before = fields(made.mac.session)
        blob = made.mac.state(made.now_ms)
        assert len(blob) <= 256, (region, len(blob))
        made.sleep()
        after = fields(made.mac.session)
        for name in before:
            assert after[name] == before[name], (region, name, before[name], after[name])


def test_a_life_with_a_sleep_after_every_uplink():
    # The same commands and messages with and without sleep: the same frames on the air.
    logs = []
    for sleeping in (False, True):
        made = joined("eu868", seed=8)
        new_channel, link_adr = b"\x07\x03\x18\x4f\x84\x50", b"\x03\x51\x0f\x00\x02"
        for options in (b"", b"\x08\x02", new_channel, link_adr, b"\x06", b"", b"\x04\x01", b"") * 3:
            made.say(options, port=1, payload=b"d")
            made.send(b"message")
            if sleeping:
                made.sleep(0)
        logs.append([(up.counter, up.options, up.payload, up.control) for up in made.ups()])
        logs.append([sent.sf for sent in made.sent])
    assert logs[0] == logs[2] and logs[1] == logs[3]


def test_times_shrink_by_the_sleep():
    made = Rig(identity=abp(adr=False))
    for _ in range(3):
        made.send(bytes(51))
    wait = made.mac.session.budget.wait_ms(made.now_ms, 868100000, 2793472)
    assert wait > 100000
    for slept, left in ((0, wait), (60000, wait - 60000), (10 * wait, 0)):
        other = Rig(identity=made.identity, stored=made.stored, awake=made.mac.state(made.now_ms))
        other.now_ms = made.now_ms + slept
        other.start()
        found = max(other.mac.session.budget.wait_ms(other.now_ms, 868100000, 2793472), 0)
        assert left <= found <= left + 1000, (slept, left, found)
    # A clock that starts afresh gains nothing.
    other.now_ms = 3
    other.start()
    assert wait <= other.mac.session.budget.wait_ms(3, 868100000, 2793472) <= wait + 1000


def test_silence_of_the_network_survives():
    made = Rig("us915")
    made.command(b"\x04\x0f")
    left = made.mac.session.budget.quiet_ms - made.now_ms
    assert left > 1000000
    made.sleep(60000)
    assert made.mac.session.budget.quiet_ms - made.now_ms == left - 60000


def test_joining_goes_on_after_sleep():
    made = Rig(identity=otaa())
    made.mac.join()
    made.run()
    joining = made.mac.session.joining
    began, wait = joining.began_ms, joining.next_ms
    made.sleep(10000)
    joining = made.mac.session.joining
    assert abs(joining.began_ms - began) <= 1000 and joining.next_ms == wait
    assert (joining.used_ms, joining.attempts) == (1483, 1)
    assert made.mac.session.dev_nonce == 1 and made.mac.session.join_failures == 1


def test_uptime_past_32_bits():
    for now_ms in (0x7FFFFFFF, 0xFFFFFFF0, 0x100000000, 0x123456789AB):
        made = Rig(now_ms=now_ms)
        made.say(b"\x06", confirmed=True)
        assert made.send(b"x") and len(made.sent) == 2
        made.sleep()
        assert made.send(b"y") and made.up().counter == 2


# --- which of two memories


def test_the_newer_memory_counts():
    made = joined()
    made.send(b"x")
    old_awake, old_stored = made.mac.state(made.now_ms), made.stored
    for _ in range(3):
        made.send(b"x")
    new_awake = made.mac.state(made.now_ms)
    cases = (
        # flash, RTC memory, counter of the next uplink
        (old_stored, new_awake, 4),
        (old_stored, None, 64),
        (None, new_awake, 4),
        (old_stored, b"", 64),
        (old_stored, b"\0" * 200, 64),
        (old_stored, new_awake[:-1] + bytes((new_awake[-1] ^ 1,)), 64),
        (old_stored[:-1], new_awake, 4),
    )
    for stored, awake, counter in cases:
        other = Rig(identity=made.identity, stored=stored, awake=awake, now_ms=made.now_ms)
        other.send(b"y")
        assert int.from_bytes(other.sent[-1].frame[6:8], "little") == counter, counter
    # A checkpoint that is newer than what RTC memory remembers wins.
    made.say(port=1, payload=b"d")
    made.send(b"x")
    made.mac.checkpoint()
    made.run()
    other = Rig(identity=made.identity, stored=made.stored, awake=old_awake, now_ms=made.now_ms)
    assert other.mac.session.fcnt_down == 0 and other.mac.session.fcnt_up == 5 + 64


def test_a_new_session_in_flash_beats_the_old_one_in_rtc_memory():
    made = joined()
    made.send(b"x")
    awake = made.mac.state(made.now_ms)
    made.answer = lambda rig, sent, window: rig.accept(sent) if sent.joins() and window == 1 else None
    made.mac.join()
    made.run()
    other = Rig(identity=made.identity, stored=made.stored, awake=awake, now_ms=made.now_ms)
    assert other.mac.session.dev_addr == made.dev_addr


def test_without_flash_what_is_sent_is_reserved_first():
    made = joined()
    for _ in range(3):
        made.send(b"x")
    other = Rig(identity=made.identity, awake=made.mac.state(made.now_ms), now_ms=made.now_ms)
    other.mac.send(other.now_ms, 1, b"x", False)
    assert other.mac.next(other.now_ms)[0] == SAVE


# --- blobs that are none of ours


def test_damaged_blobs_are_ignored():
    made = joined()
    made.send(b"x")
    for blob in (made.stored, made.mac.state(made.now_ms)):
        rng = Random(17)
        for size in (0, 1, 8, 100, len(blob) - 1):
            assert not Rig(identity=otaa(), stored=blob[:size], awake=blob[:size]).mac.session.joined
        for _ in range(100):
            bad = bytearray(blob)
            bad[rng.below(len(bad))] ^= 1 << rng.below(8)
            assert not Rig(identity=otaa(), stored=bytes(bad), awake=bytes(bad)).mac.session.joined
        for size in (9, 130, 222, 256, 4096):
            assert not Rig(identity=otaa(), stored=rng.bytes(size), awake=rng.bytes(size)).mac.session.joined


def test_another_version_is_ignored():
    made = joined()
    blob = bytearray(made.stored[:-4])
    blob[0] += 1
    blob = bytes(blob) + (binascii.crc32(bytes(blob)) & 0xFFFFFFFF).to_bytes(4, "little")
    assert not Rig(identity=otaa(), stored=blob).mac.session.joined


def test_another_identity_starts_afresh_but_reuses_no_dev_nonce():
    made = joined()
    made.send(b"x")
    blob = made.stored
    others = (
        session.otaa(made.identity.dev_eui, made.identity.join_eui, b"another key 1234"),
        session.otaa(made.identity.dev_eui, b"\1" * 8, made.identity.app_key),
        session.otaa(b"\1" * 8, made.identity.join_eui, made.identity.app_key),
    )
    for identity in others:
        other = Rig(identity=identity, stored=blob)
        assert not other.mac.session.joined and other.mac.session.join_nonce == -1
        other.mac.join()
        other.run()
        assert int.from_bytes(other.sent[0].frame[17:19], "little") == 8
    # ABP of the same node.
    other = Rig(identity=abp(), stored=blob)
    assert other.mac.session.fcnt_up == 0 and other.mac.session.dev_addr == ADDRESS


def test_another_region_or_window_keeps_the_counters():
    made = joined()
    made.send(b"x")
    for memory in ({"stored": made.stored}, {"awake": made.mac.state(made.now_ms)}):
        for region, given in (("in865", {}), ("us915", {}), ("us915", {"sub_band": 2})):
            other = Rig(region, otaa(**given), now_ms=made.now_ms, **memory)
            state = other.mac.session
            assert not state.joined and state.join_nonce == 1 and state.dev_nonce >= 1
            assert state.data_rate == 0 and state.region.name == region
    # The same keys with the same numbers would be the same keystream twice.
    made = Rig()
    for _ in range(3):
        made.send(b"x")
    for region, given in (("in865", {}), ("us915", {}), ("eu868", {"rx1_delay_s": 5}), ("eu868", {"rx2_data_rate": 3})):
        other = Rig(region, abp(**given), stored=made.stored)
        other.send(b"x")
        assert other.up().counter == 64, (region, given)
        assert other.mac.session.rx1_delay_s == given.get("rx1_delay_s", 1)
        other = Rig(region, abp(**given), stored=made.stored, awake=made.mac.state(made.now_ms), now_ms=made.now_ms)
        other.send(b"x")
        assert other.up().counter == 3, (region, given)
        assert other.mac.session.rx2_data_rate == given.get("rx2_data_rate", other.region.rx2_data_rate)


def test_abp_goes_on_with_its_own_keys():
    made = Rig()
    for _ in range(3):
        made.send(b"x")
    made.sleep()
    made.send(b"x")
    assert made.up().counter == 3
    made.power_cut()
    made.send(b"x")
    assert made.up().counter == 64
    # New keys: counters from 0 again.
    other = Rig(identity=session.abp(ADDRESS, APP, NWK), stored=made.stored)
    assert other.mac.session.fcnt_up == 0


def test_settings_that_are_no_identity_may_change():
    made = joined(adr=True)
    made.command(b"\x03\x53\x07\x00\x03")
    assert (made.mac.session.data_rate, made.mac.session.power, made.mac.session.nb_trans) == (5, 3, 3)
    made.identity.adr = False
    made.identity.data_rate = 2
    made.identity.antenna_gain_db = 5
    made.sleep()
    made.send(b"x")
    assert made.up().counter == 2 and not made.up().adr
    assert (made.sent[-1].power_dbm, made.sent[-1].sf) == (11, 10)
    assert made.mac.session.nb_trans == 1


def test_a_node_that_browns_out_while_it_joins_falls_silent():
    # TR007-1.1 section 4.1.2: power goes with every request, and comes back a second later.
    made = Rig(identity=otaa())
    sent = 0
    for _ in range(60):
        made.mac.join()
        for _ in range(3):
            if made.mac.next(made.now_ms)[0] == TRANSMIT:
                sent += 1
                break
            made.step()
            if made.waits:
                break
        made.waits = []
        made.power_cut()
    assert 5 <= sent <= 25, sent
