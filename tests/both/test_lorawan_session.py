"""What survives deep sleep and power loss, and that no counter comes back."""

import binascii

from lorawan_rig import ADDRESS, APP, NWK, Rig, abp, joined, otaa
from portable import Random

from node.link.lorawan import IDLE, SAVE, TRANSMIT, regions, session

FIELDS = (
    "joined dev_addr nwk_s_key app_s_key fcnt_up fcnt_reserved fcnt_down dev_nonce nonce_reserved join_nonce data_rate "
    "power nb_trans rx1_delay_s rx1_offset rx2_data_rate rx2_hz max_duty eirp dwell adr_count floor ack_due more_due "
    "answered joins join_failures uplinks downs refused"
).split()


def fields(state):
    """Everything a session is, to compare."""
    out = {}
    for name in FIELDS:
        out[name] = getattr(state, name)
    plan = state.plan
    out["answers"] = bytes(state.answers)
    out["masks"] = (bytes(plan.mask), bytes(plan.used), plan.banks)
    if not state.region.fixed:
        out["channels"] = (list(plan.up), list(plan.down), bytes(plan.rates))
    return out


def worst(region):
    """A session with everything in it that can be."""
    made = joined(region)
    state = made.mac.session
    rng = Random(5)
    state.fcnt_up, state.fcnt_reserved, state.fcnt_down = 0xFFFFFFF0, 0x100000000, 0xFFFFFFFE
    state.dev_nonce, state.nonce_reserved, state.join_nonce = 0xFFFC, 0x10004, 0xFFFFFE
    state.power, state.nb_trans, state.rx1_delay_s, state.rx1_offset = 7, 15, 15, state.region.offsets
    state.max_duty, state.adr_count, state.floor = 15, 0xFFFE, 254
    state.ack_due = state.more_due = True
    state.joins, state.join_failures, state.uplinks, state.downs = 0xFFFF, 0xFFFE, 0xFFFFFFFF, 0xFFFFFFFE
    state.refused = [250 + i % 6 for i in range(len(state.refused))]
    state.answers = bytearray(b"\x0a\x03" * 16)
    state.answered = 32
    if state.region.tx_param:
        state.eirp = 15
    if not state.region.fixed:
        low, high = state.region.low_hz // 100, state.region.high_hz // 100
        for channel in range(16):
            state.plan.up[channel] = high - channel if channel & 1 else low + channel
            state.plan.down[channel] = low if channel & 1 else high
            state.plan.rates[channel] = 0x50 + channel % 5
    for mask in (state.plan.mask, state.plan.used):
        mask[:] = rng.bytes(len(mask))
    state.plan.banks = 0x7F
    return made


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


# --- power loss


def test_after_power_loss_counters_go_on_where_the_reservation_ends():
    made = joined()
    for _ in range(5):
        made.send(b"x")
    made.power_cut()
    assert made.mac.session.joined
    made.send(b"y")
    assert made.up().counter == 64
    made.power_cut()
    made.send(b"y")
    assert made.up().counter == 128
    assert made.up().dev_addr == made.dev_addr


def test_one_write_for_64_uplinks():
    made = Rig()
    for _ in range(640):
        made.send(b"x")
    assert len(made.saves) == 10
    made.sleep()
    for _ in range(64):
        made.send(b"x")
    assert len(made.saves) == 11


def test_everything_survives_power_loss():
    # As of the last record, but for counters, which move on; here the record is of now.
    for region in regions.NAMES:
        made = joined(region)
        made.say(b"\x06\x08\x03")
        made.send(b"x")
        made.mac.session.plan.mask[0] ^= 1
        made.mac.session.adr_count = 77
        made.mac.checkpoint()
        made.run()
        before = fields(made.mac.session)
        made.power_cut()
        after = fields(made.mac.session)
        for name in before:
            if name not in ("fcnt_up", "dev_nonce"):
                assert after[name] == before[name], (region, name)
        assert after["fcnt_up"] == before["fcnt_reserved"] and after["dev_nonce"] == before["nonce_reserved"]


def test_a_downlink_obeyed_cannot_be_replayed_after_a_checkpoint():
    for checkpoint in (False, True):
        made = joined()
        made.send(b"x")
        frame = made.down(port=17, payload=b"reboot")
        made.answer = lambda _rig, _sent, window, frame=frame: frame if window == 1 else None
        made.send(b"x")
        assert len(made.mac.downlinks) == 1
        if checkpoint:
            made.mac.checkpoint()
            made.run()
        made.power_cut()
        made.send(b"x")
        # Without it this is what could happen: the application calls it when it obeyed a command.
        assert len(made.mac.downlinks) == (0 if checkpoint else 1)


def test_a_checkpoint_reserves_anew():
    made = Rig()
    made.send(b"x")
    made.mac.checkpoint()
    made.run()
    assert len(made.saves) == 2
    assert made.mac.session.fcnt_reserved == 1 + 64
    made.mac.checkpoint()
    made.mac.send(made.now_ms, 1, b"x", False)
    assert made.mac.next(made.now_ms)[0] == SAVE


def test_nothing_goes_out_before_its_record():
    made = Rig(identity=otaa())
    made.mac.join()
    for _ in range(5):
        assert made.mac.next(made.now_ms)[0] == SAVE
    made.mac.saved(made.now_ms)
    assert made.mac.next(made.now_ms)[0] == TRANSMIT


def cuts(script, sabotage=None):
    """Power cut at every action of a life; the numbers that went out, as (session, counter) and DevNonces.

    script: rig -> None, runs until it is over. The life is replayed up to each action, cut there before or after it
    was carried out, and goes on from flash (or, where only the chip was reset, from RTC memory).
    """
    at = 0
    while True:
        for kind in ("before", "after", "reset"):
            made = Rig(identity=otaa(), seed=6, answer=script.network())
            if sabotage:
                sabotage(made)
            done = script.run(made, at, kind)
            numbers = []
            for sent in made.sent:
                if sent.joins():
                    numbers.append(("join", sent.frame[17:19]))
                else:
                    numbers.append((sent.frame[1:5], sent.frame[6:8]))
            yield at, kind, made, numbers
        if done:
            return
        at += 1


class Life:
    """Joins, then messages; the network commands now and then."""

    def __init__(self, messages):
        self.messages = messages

    def network(self):
        def answer(rig, sent, window):
            if sent.joins():
                return rig.accept(sent) if window == 1 and len(rig.sent) % 2 == 0 else None
            if window == 1 and len(rig.sent) % 3 == 0:
                return rig.down(b"\x06", port=1, payload=b"d")
            return None

        return answer

    def run(self, made, at, kind):
        """True when the life ended before that action came."""
        actions = [0]
        cut = [False]

        def step():
            action = made.mac.next(made.now_ms)
            if action[0] == IDLE:
                return False
            if actions[0] == at and not cut[0]:
                cut[0] = True
                if kind != "before":
                    made.step()
                if kind == "reset":
                    made.start()
                else:
                    made.power_cut()
                return True
            actions[0] += 1
            return made.step()

        left = self.messages
        for _ in range(400):
            if not left:
                break
            if made.mac.ready():
                made.mac.send(made.now_ms, 1, b"m", True)
            if not step() and made.mac.outcome() is not None:
                left -= 1
            if made.mac.outcome() is not None:
                left -= 1
                while step():
                    pass
        return not cut[0]


def test_no_number_is_used_twice_whenever_the_power_goes():
    lives = 0
    for at, kind, made, numbers in cuts(Life(5)):
        assert len(set(numbers)) == len(numbers), (at, kind)
        assert made.mac.session.joined or made.mac.session.join_failures, (at, kind)
        lives += 1
    assert lives > 60


def test_sabotaged_records_are_noticed():
    # Controls for the test above: a node that never writes its record, and one that does not reserve.
    def never(made):
        step = made.step

        def forget():
            result = step()
            made.stored = None
            return result

        made.step = forget

    def exact(made):
        start = made.start

        def restart():
            result = start()
            if made.stored and made.awake is None:
                # As if the record held the counter of its time instead of the reservation.
                made.mac.session.fcnt_up = max(made.mac.session.fcnt_up - 64, 0)
            return result

        made.start = restart

    for sabotage in (never, exact):
        twice = 0
        for _at, _kind, _made, numbers in cuts(Life(5), sabotage):
            twice += len(set(numbers)) != len(numbers)
        assert twice, sabotage


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
