"""Mutated downlinks and join accepts: no crash, and no state that changes. Random commands of a real network: no crash.

How many: a few on MicroPython, more on CPython, a million with JUDDER_FULL=1 (`make soak`).
"""

import os
import sys

from lorawan_fuzz import OFTEN, Pair, accepts, downlinks
from lorawan_rig import Rig, abp, otaa
from lorawan_states import fields
from portable import Random, raises

if sys.implementation.name == "micropython":
    DOWNLINKS, ACCEPTS, COMMANDS = 600, 100, 500
elif os.environ.get("JUDDER_FULL"):
    DOWNLINKS, ACCEPTS, COMMANDS = 200000, 20000, 40000
else:
    DOWNLINKS, ACCEPTS, COMMANDS = 4600, 400, 3000


def mutated_downlinks(region, seed):
    pair = Pair(region, abp(), downlinks(Random(seed)))
    pair.set_up(OFTEN[region])
    number = 0
    while pair.heard < DOWNLINKS:
        number += 1
        pair.uplink(lambda node, number=number: node.mac.send(node.now_ms, 1 + number % 223, b"m", number % 3 == 0))
    print("\n%s: %d downlinks that nobody signed, no state changed" % (region, pair.heard))


def test_mutated_downlinks_eu868():
    mutated_downlinks("eu868", 41)


def test_mutated_downlinks_us915():
    mutated_downlinks("us915", 42)


def test_mutated_downlinks_au915():
    mutated_downlinks("au915", 43)


def test_mutated_downlinks_as923():
    mutated_downlinks("as923-1", 44)


def test_mutated_downlinks_in865():
    mutated_downlinks("in865", 45)


def test_mutated_accepts():
    pair = Pair("eu868", otaa(data_rate=5), accepts(Random(46)))
    while pair.heard < ACCEPTS:
        pair.uplink(lambda node: node.mac.join())
        assert not pair.hearing.mac.session.joined
    print("\neu868: %d join accepts that nobody signed, no state changed" % pair.heard)


def test_the_pair_sees_a_node_that_obeys_before_it_checks():
    # The control.
    pair = Pair("eu868", abp(), downlinks(Random(47)))
    pair.set_up(OFTEN["eu868"])
    mac = pair.hearing.mac
    heard = mac.heard

    def hasty(now_ms, frame, rssi_dbm, snr_qdb):
        heard(now_ms, frame, rssi_dbm, snr_qdb)
        if len(frame) > 12 and frame[8] == 0x08:
            mac.session.rx1_delay_s = 5

    mac.heard = hasty
    error = raises(AssertionError, pair.uplink, lambda node: node.mac.send(node.now_ms, 1, b"m", False))
    assert "state changed" in str(error)


def random_commands(region, seed):
    """Authentic, but nonsense: whatever they say, the node stays alive, on the air, and in its region."""
    made = Rig(region)
    rng = Random(seed)
    state = made.mac.session
    for n in range(COMMANDS // 5):
        kinds = (2, 3, 3, 4, 5, 6, 7, 8, 9, 10, 13, rng.below(256))
        options = b""
        while len(options) < 10:
            options += bytes((rng.choose(kinds),)) + rng.bytes(rng.below(6))
        # Or it would be silent for days.
        state.max_duty = 0
        if n % 2:
            made.say(b"", 1 + n // 2 % 2, port=0, payload=options)
        else:
            made.say(options[:15], 1 + n // 2 % 2)
        assert made.send(b"x" * min(made.mac.limit(), 11)), (region, options)
        state.budget.quiet_ms = 0
        sent = made.sent[-1]
        assert made.region.rate(made.region.up, state.data_rate), region
        assert state.data_rate >= made.region.lowest(state.dwell)
        assert 1 <= state.nb_trans <= 15 and 1 <= state.rx1_delay_s <= 15
        assert made.region.usable(state.rx2_hz)
        assert made.region.rate(made.region.down, state.rx2_data_rate)
        assert len(made.mac.state(made.now_ms)) <= 256
        if made.region.fixed:
            assert 902000000 <= sent.frequency_hz <= 928000000
        else:
            assert made.region.usable(sent.frequency_hz)
        if n % 10 == 9:
            before = fields(state)
            made.sleep()
            state = made.mac.session
            assert fields(state) == before, (region, n)
            del made.sent[:-1], made.waits[:], made.saves[:], made.outcomes[:]
    assert state.downs > COMMANDS // 6
    print("\n%s: %d downlinks of random commands obeyed" % (region, state.downs))


def test_random_commands_eu868():
    random_commands("eu868", 51)


def test_random_commands_us915():
    random_commands("us915", 52)


def test_random_commands_au915():
    random_commands("au915", 53)


def test_random_commands_as923():
    random_commands("as923-1", 54)


def test_random_commands_in865():
    random_commands("in865", 55)
