"""The alarm engine of the node: random histories against a model written separately, then one story for each rule."""

import binascii
import struct

from alarm_model import CLIPPED, FAULT, LOST, Model
from portable import Random

from judder_core import schema, settings
from node.alarm.engine import STATE_BYTES, Engine

V, A, P, E, K, T, RISE, CHANGE = range(1, 9)
# Group 1, rigid: 2.3 / 4.5 / 7.1 mm/s.
PUMP = {"machine_group": "1", "machine_speed_rpm": 1480}


def stored(given):
    values = settings.defaults()
    for name in given:
        values[name] = settings.from_text(name, given[name])
    settings.check_together(values)
    return values


def engine(**given):
    return Engine(stored(given))


def run(alarms, metric, values, flags=0, start_s=0, every_s=1):
    """Levels after each value of one metric."""
    levels = []
    for index, value in enumerate(values):
        alarms.evaluate([(metric, 1, value)], flags, start_s + index * every_s)
        levels.append(alarms.level)
    return levels


# --- against the model


def random_settings(rng):
    given = {
        "machine_group": rng.choose((0, 0, 1, 2, 4)),
        "machine_support": rng.below(2),
        "machine_speed_rpm": rng.choose((1480, 1480, 600, 100)),
        "running_floor_mg": rng.choose((0, 0, 40)),
        "running_floor_cmm_s": rng.choose((0, 0, 30)),
        "baseline_readings": rng.choose((0, 1, 5)),
        "velocity_baseline_cmm_s": rng.choose((0, 0, 80)),
        "ambient_dc": rng.choose((-2731, 200, -100)),
        "hold_off_s": rng.choose((0, 0, 10, 60)),
        "hysteresis_cmm_s": rng.choose((0, 20, 1000)),
        "hysteresis_percent": rng.choose((0, 10, 50)),
        "change_rule": rng.below(2),
    }
    if given["machine_group"] == 4:
        given.update({"zone_ab_cmm_s": 101, "zone_bc_cmm_s": 203, "zone_cd_cmm_s": 307})
    if not given["machine_group"]:
        given["machine_speed_rpm"] = 0
    given["confirm_of"] = 1 + rng.below(8)
    given["confirm_readings"] = 1 + rng.below(given["confirm_of"])
    limits = (("velocity_rms", "cmm_s", 300), ("acceleration_rms", "mg", 100), ("envelope_rms", "mg", 50))
    limits += (("kurtosis", "c", 400), ("temperature", "dc", 500), ("temperature_rise", "dc", 100))
    limits += (("baseline", "percent", 150),)
    for stem, unit, usual in limits:
        warning = rng.choose((0, usual, usual + rng.below(usual)))
        given["%s_warning_%s" % (stem, unit)] = warning
        given["%s_danger_%s" % (stem, unit)] = rng.choose((0, warning, 2 * usual))
    values = settings.defaults()
    values.update(given)
    settings.check_together(values)
    return values


USUAL = {V: 200, A: 90, E: 45, K: 350, T: 450}


def random_reading(rng, mood):
    """Metrics, flags; around the limits, sometimes absent, sometimes an axis each, sometimes standing still."""
    metrics = []
    if not rng.below(12):
        mood[0] = rng.below(5)
    for metric in (V, A, E, K, T):
        for axis in (1, 2, 3) if metric != T and rng.below(4) == 0 else (0 if metric == T else 1,):
            # Mood 0: stopped; 1: quiet; up to 4: far above.
            top = (20, USUAL[metric], 2 * USUAL[metric], 3 * USUAL[metric], 9 * USUAL[metric])[mood[0]]
            value = rng.below(top) if metric != T else rng.below(top + 300) - 300
            metrics.append((metric, axis, value if rng.below(8) else None))
    if not rng.below(10):
        metrics.append((P, 1, 5000))
    return metrics, rng.choose((0,) * 8 + (CLIPPED, LOST, FAULT, schema.STATE_BAND_NOT_COVERED))


def test_random_histories_equal_the_model():
    changes = zones = stopped = 0
    for seed in range(1, 41):
        rng = Random(seed * 7919)
        values = random_settings(rng)
        alarms, model = Engine(values), Model(values)
        mood, now_s = [1], rng.below(1000)
        for step in range(45):
            now_s = rng.below(5) if not rng.below(40) else now_s + rng.below(25)
            metrics, flags = random_reading(rng, mood)
            wanted = model.evaluate(metrics, flags, now_s)
            where = "seed %d, step %d: %r" % (seed, step, metrics)
            assert list(alarms.evaluate(metrics, flags, now_s)) == wanted, where
            assert alarms.level == model.level and alarms.not_running == model.stopped, where
            velocity = rng.below(900)
            assert alarms.zone(velocity) == model.zone(velocity), where
            changes += len(wanted)
            zones += alarms.zone(velocity) > 0
            stopped += alarms.not_running
            if not rng.below(6):
                # A deep sleep: another engine goes on, and knows what the first knew to the bit.
                kept = alarms.state()
                alarms = Engine(values)
                assert alarms.restore(kept) and alarms.state() == kept, where
                assert alarms.level == model.level, where
    # The histories must have shown something.
    assert changes > 300 and zones > 200 and stopped > 50, (changes, zones, stopped)


# --- limits


def test_set_limits_of_every_metric():
    given = {}
    for stem, unit in (
        ("velocity_rms", "cmm_s"),
        ("acceleration_rms", "mg"),
        ("envelope_rms", "mg"),
        ("kurtosis", "c"),
        ("temperature", "dc"),
        ("temperature_rise", "dc"),
    ):
        given["%s_warning_%s" % (stem, unit)] = 400
        given["%s_danger_%s" % (stem, unit)] = 600
    alarms = engine(ambient_dc=0, hysteresis_percent=10, **given)
    low = [(V, 1, 399), (A, 2, 399), (E, 3, 399), (K, 1, 399), (T, 0, 399)]
    assert alarms.evaluate(low, 0, 0) == ()
    for metric, axis in ((V, 1), (A, 2), (E, 3), (K, 1)):
        assert alarms.evaluate([(metric, axis, 400)], 0, 1) == ((metric, axis, 1, 400, 400),)
        assert alarms.evaluate([(metric, axis, 600)], 0, 2) == ((metric, axis, 2, 600, 600),)
        assert alarms.level == 2
        # 0.2 mm/s for velocity, 10 % elsewhere.
        holds = 580 if metric == V else 540
        assert alarms.evaluate([(metric, axis, holds)], 0, 3) == ()
        assert alarms.evaluate([(metric, axis, holds - 1)], 0, 4) == ((metric, axis, 1, holds - 1, 600),)
        assert alarms.evaluate([(metric, axis, 0)], 0, 5) == ((metric, axis, 0, 0, 400),)
        assert alarms.level == 0
    assert alarms.evaluate([(T, 0, 650)], 0, 6) == ((T, 0, 2, 650, 600), (RISE, 0, 2, 650, 600))
    assert alarms.evaluate([(T, 0, -400)], 0, 7) == ((T, 0, 0, -400, 400), (RISE, 0, 0, -400, 400))


def test_nothing_is_judged_by_default():
    alarms = engine()
    loud = [(metric, 1, 60000) for metric in (V, A, P, E, K, T)]
    for now_s in range(50):
        assert alarms.evaluate(loud, 0, now_s) == ()
    assert (alarms.level, alarms.zone(60000), alarms.not_running) == (0, 0, False)


def test_worst_axis_decides_and_is_named():
    alarms = engine(velocity_rms_warning_cmm_s=450)
    # As a vector 4.49, 4.49, 4.49 would be 7.8.
    assert alarms.evaluate([(V, 1, 449), (V, 2, 449), (V, 3, 449)], 0, 0) == ()
    assert alarms.evaluate([(V, 1, 449), (V, 2, 451), (V, 3, None)], 0, 1) == ((V, 2, 1, 451, 450),)


def test_limits_of_a_rated_machine_before_and_after_learning():
    alarms = engine(baseline_readings=3, change_rule="off", **PUMP)
    assert alarms.evaluate([(V, 1, 449)], FAULT, 0) == ()
    # B/C is the limit until a baseline is known, and 1.25 x C/D = 8.875 is danger.
    assert alarms.evaluate([(V, 1, 450)], 0, 1) == ((V, 1, 1, 450, 450),)
    assert alarms.evaluate([(V, 1, 888)], 0, 2) == ((V, 1, 2, 888, 888),)
    alarms = engine(baseline_readings=3, change_rule="off", **PUMP)
    assert run(alarms, V, [79, 80, 81]) == [0, 0, 0]
    # 0.8 + 0.25 x 4.5 = 1.925 mm/s: 1.92 is below, 1.93 reaches it.
    assert alarms.evaluate([(V, 1, 192)], 0, 10) == ()
    assert alarms.evaluate([(V, 1, 193)], 0, 11) == ((V, 1, 1, 193, 193),)
    fixed = engine(velocity_baseline_cmm_s=80, change_rule="off", **PUMP)
    assert fixed.evaluate([(V, 1, 193)], 0, 0) == ((V, 1, 1, 193, 193),)
    # At most 1.25 x 4.5 = 5.625, however loud it always was.
    loud = engine(velocity_baseline_cmm_s=9000, change_rule="off", velocity_rms_danger_cmm_s=9000, **PUMP)
    assert loud.evaluate([(V, 1, 562)], 0, 0) == ()
    assert loud.evaluate([(V, 1, 563)], 0, 1) == ((V, 1, 1, 563, 563),)


def test_limits_that_are_set_win_and_keep_their_order():
    alarms = engine(velocity_rms_danger_cmm_s=300, **PUMP)
    assert alarms.evaluate([(V, 1, 299)], 0, 0) == (), "B/C is 4.5, but warning is never above danger"
    assert alarms.evaluate([(V, 1, 300)], 0, 1) == ((V, 1, 2, 300, 300),)
    alarms = engine(velocity_rms_warning_cmm_s=1000, **PUMP)
    assert alarms.evaluate([(V, 1, 999)], 0, 0) == (), "1.25 x C/D is 8.875, but danger is never below warning"
    assert alarms.evaluate([(V, 1, 1000)], 0, 1) == ((V, 1, 2, 1000, 1000),)


def test_change_of_a_quarter_of_b_c_up_or_down():
    # 0.25 x 4.5 = 1.125: 1.13 is the first reading that is so much away.
    alarms = engine(velocity_baseline_cmm_s=200, velocity_rms_warning_cmm_s=2000, **PUMP)
    assert alarms.evaluate([(V, 2, 312)], 0, 0) == ()
    assert alarms.evaluate([(V, 2, 313)], 0, 1) == ((CHANGE, 2, 1, 113, 113),)
    assert alarms.evaluate([(V, 2, 200)], 0, 2) == ((CHANGE, 2, 0, 0, 113),)
    assert alarms.evaluate([(V, 3, 87)], 0, 3) == ((CHANGE, 3, 1, -113, -113),)
    assert alarms.evaluate([(V, 3, 107)], 0, 4) == ()
    assert alarms.evaluate([(V, 3, 108)], 0, 5) == ((CHANGE, 3, 0, -92, -113),)
    assert engine(velocity_baseline_cmm_s=200, change_rule="off", **PUMP).evaluate([(V, 1, 10)], 0, 0) == ()
    assert engine(velocity_baseline_cmm_s=200).evaluate([(V, 1, 10)], 0, 0) == (), "no B/C without a profile"


def test_a_share_of_the_baseline():
    alarms = engine(baseline_readings=2, baseline_warning_percent=200, baseline_danger_percent=400)
    assert run(alarms, E, [9000, 1000, 9999]) == [0, 0, 0]
    assert alarms.evaluate([(E, 2, 10000)], 0, 9) == ((E, 2, 1, 10000, 10000),)
    assert alarms.evaluate([(E, 2, 20000)], 0, 9) == ((E, 2, 2, 20000, 20000),)
    assert alarms.evaluate([(A, 1, 60000)], 0, 9) == (), "acceleration has no baseline yet"
    # A limit that is set wins over a share of the baseline.
    both = engine(baseline_readings=2, baseline_warning_percent=200, acceleration_rms_warning_mg=150)
    assert run(both, A, [50, 51, 149]) == [0, 0, 0]
    assert both.evaluate([(A, 2, 150)], 0, 9) == ((A, 2, 1, 150, 150),)
    odd = engine(baseline_readings=2, baseline_warning_percent=200)
    assert run(odd, A, [50, 51, 101, 102]) == [0, 0, 0, 1], "50.5 is rounded to 51"
    silent = engine(baseline_readings=1, baseline_warning_percent=200)
    assert run(silent, A, [0, 0, 1]) == [0, 0, 1], "twice nothing is still a limit"


def test_temperature_rise_over_ambient_or_what_was_learned():
    alarms = engine(ambient_dc=250, temperature_rise_warning_dc=300)
    assert alarms.evaluate([(T, 0, 549)], 0, 0) == ()
    assert alarms.evaluate([(T, 0, 550)], 0, 1) == ((RISE, 0, 1, 300, 300),)
    alarms = engine(baseline_readings=2, temperature_rise_warning_dc=300)
    assert run(alarms, T, [-20, -11, 283]) == [0, 0, 0], "usual are -1.5 degC, rounded up from -1.55"
    assert alarms.evaluate([(T, 0, 285)], 0, 9) == ((RISE, 0, 1, 300, 300),)


# --- readings that do not count


def test_bad_readings_neither_raise_nor_clear_nor_confirm_nor_learn():
    for flag in (CLIPPED, LOST, FAULT, CLIPPED | LOST):
        alarms = engine(confirm_readings=2, confirm_of=3, baseline_readings=2, **PUMP)
        assert run(alarms, V, [9000] * 9, flag) == [0] * 9
        assert alarms.zone(9000) == 0 and not alarms.not_running
        # Two good ones are needed, and a bad one between takes nobody's place.
        assert run(alarms, V, [500]) == [0]
        assert run(alarms, V, [0, 0, 0], flag) == [0, 0, 0]
        assert run(alarms, V, [500]) == [1]
        assert run(alarms, V, [0, 0, 0, None], flag) == [1, 1, 1, 1]
        learned = engine(baseline_readings=1, change_rule="off", **PUMP)
        run(learned, V, [80], flag)
        assert learned.evaluate([(V, 1, 200)], 0, 1) == (), "80 was not learned, so 1.93 is no limit"


def test_what_is_clipped_is_at_least_as_large():
    a = 2
    alarms = engine(acceleration_rms_warning_mg=500, confirm_readings=2, confirm_of=3)
    assert run(alarms, a, [600], CLIPPED) == [0], "confirmation is asked of it too"
    assert run(alarms, a, [100], CLIPPED) == [0], "and this is no vote"
    assert run(alarms, a, [600], CLIPPED) == [1]
    assert run(alarms, a, [0] * 9, CLIPPED) == [1] * 9, "it never speaks for going down"
    assert run(alarms, a, [900] * 3, CLIPPED | LOST) == [1] * 3
    assert run(alarms, a, [0, 0]) == [1, 0]
    for flag in (LOST, FAULT, CLIPPED | FAULT):
        assert run(engine(acceleration_rms_warning_mg=500), a, [900], flag) == [0]


def test_a_bad_block_says_nothing_about_temperature():
    alarms = engine(temperature_warning_dc=600)
    assert alarms.evaluate([(V, 1, 9000), (T, 0, 600)], CLIPPED, 0) == ((T, 0, 1, 600, 600),)


def test_band_not_covered_is_rated_all_the_same():
    alarms = engine(**PUMP)
    alarms.evaluate([(V, 1, 300)], schema.STATE_BAND_NOT_COVERED, 0)
    assert alarms.zone(300) == 2


def test_what_is_worked_out_here_is_not_taken_from_outside():
    alarms = engine(velocity_baseline_cmm_s=200, ambient_dc=0, temperature_rise_warning_dc=100, **PUMP)
    assert alarms.evaluate([(RISE, 0, 900), (CHANGE, 1, 900), (P, 1, 9)], 0, 0) == ()
    assert alarms.evaluate([(CHANGE, 1, 900), (RISE, 0, 900), (V, 1, 200), (T, 0, 90)], 0, 0) == ()


def test_values_not_measured_are_no_vote():
    alarms = engine(confirm_readings=2, confirm_of=2, velocity_rms_warning_cmm_s=450)
    assert run(alarms, V, [450, None, None, 450]) == [0, 0, 0, 1]
    assert alarms.zone(None) == 0


# --- the gate


def test_zone_of_a_running_machine_only():
    alarms = engine(running_floor_mg=50, hysteresis_percent=10, **PUMP)
    assert alarms.zone(100) == 0, "nothing evaluated yet"
    for rms, zone, stopped in ((50, 1, False), (45, 1, False), (44, 0, True), (49, 0, True), (50, 1, False)):
        alarms.evaluate([(A, 1, rms), (V, 1, 100)], 0, 0)
        assert (alarms.zone(100), alarms.not_running) == (zone, stopped), rms
    assert [alarms.zone(v) for v in (None, 0, 229, 230, 449, 450, 709, 710)] == [0, 1, 1, 2, 2, 3, 3, 4]


def test_a_machine_that_stops_ends_its_vibration_alarms_and_keeps_the_others():
    alarms = engine(
        running_floor_mg=50,
        acceleration_rms_warning_mg=400,
        temperature_warning_dc=600,
        confirm_readings=2,
        confirm_of=2,
        hold_off_s=3600,
        velocity_baseline_cmm_s=100,
        **PUMP,
    )
    running = [(A, 2, 500), (V, 2, 800), (T, 0, 700)]
    assert alarms.evaluate(running, 0, 0) == ()
    changes = alarms.evaluate(running, 0, 1)
    assert [change[:3] for change in changes] == [(V, 2, 1), (A, 2, 1), (T, 0, 1), (CHANGE, 2, 1)]
    # Standing still: at once, unconfirmed, inside the hold-off; each says so.
    changes = alarms.evaluate([(A, 1, 4), (V, 3, 2), (T, 0, 690)], 0, 2)
    assert changes == ((V, 3, 0, 2, 213), (A, 1, 0, 4, 400), (CHANGE, 3, 0, -98, -113))
    assert alarms.not_running and alarms.level == 1, "the temperature is still too high"
    # A bad reading says nothing about running, and the next good one is again below the floor.
    alarms.evaluate(running, CLIPPED, 3)
    assert not alarms.not_running and alarms.zone(800) == 0
    assert alarms.evaluate([(A, 1, 4), (V, 3, 9000)], 0, 4) == () and alarms.not_running
    # Running again: confirmed anew.
    assert alarms.evaluate(running, 0, 5) == ()
    assert len(alarms.evaluate(running, 0, 6)) == 3


def test_two_floors_and_what_is_not_known():
    alarms = engine(running_floor_mg=50, running_floor_cmm_s=40, hysteresis_cmm_s=10, **PUMP)
    alarms.evaluate([(A, 1, 10)], 0, 0)
    assert not alarms.not_running and alarms.zone(300) == 0, "its velocity may be above the floor: not known"
    alarms.evaluate([(V, 1, 40)], 0, 1)
    assert alarms.zone(300) == 2, "one value above its floor is enough"
    alarms.evaluate([(A, 1, 10)], 0, 2)
    assert alarms.zone(300) == 2, "nothing new about velocity"
    alarms.evaluate([(A, 1, 10), (V, 1, 29)], 0, 3)
    assert alarms.not_running


def test_nothing_is_learned_from_a_machine_that_stands_still():
    alarms = engine(running_floor_mg=50, baseline_readings=2, temperature_rise_warning_dc=100, **PUMP)
    for now_s in range(5):
        alarms.evaluate([(A, 1, 3), (V, 1, 1), (T, 0, 200)], 0, now_s)
    for now_s in range(2):
        assert alarms.evaluate([(A, 1, 60), (V, 1, 80), (T, 0, 400)], 0, 5 + now_s) == ()
    changes = alarms.evaluate([(A, 1, 60), (V, 1, 193), (T, 0, 500)], 0, 7)
    assert changes == ((V, 1, 1, 193, 193), (RISE, 0, 1, 100, 100), (CHANGE, 1, 1, 113, 113))


# --- state


def test_state_is_compact_and_survives():
    assert STATE_BYTES <= 400
    values = stored(dict(PUMP, baseline_readings=5, confirm_readings=2, confirm_of=4, running_floor_mg=10))
    alarms = Engine(values)
    for now_s in range(4):
        alarms.evaluate([(A, 1, 100), (V, 1, 300)], 0, now_s)
    kept = alarms.state()
    assert len(kept) == STATE_BYTES and type(kept) is bytes
    again = Engine(values)
    assert again.restore(kept) and again.state() == kept
    # What the baseline lacks is one reading: 3.0 + 1.125 after it.
    again.evaluate([(A, 1, 100), (V, 1, 300)], 0, 4)
    again.evaluate([(A, 1, 100), (V, 1, 413)], 0, 5)
    changes = again.evaluate([(A, 1, 100), (V, 1, 413)], 0, 6)
    assert changes == ((V, 1, 1, 413, 413), (CHANGE, 1, 1, 113, 113))


def test_garbage_is_a_fresh_start():
    values = stored(dict(PUMP, velocity_rms_warning_cmm_s=100, running_floor_mg=1))
    loud = Engine(values)
    loud.evaluate([(A, 1, 100), (V, 1, 300)], 0, 5)
    kept = loud.state()
    fresh = Engine(values).state()
    rng = Random(11)
    damaged = [b"", b"\0", kept[:-1], kept + b"\0", bytes(STATE_BYTES), b"\xff" * STATE_BYTES]
    damaged += [rng.bytes(STATE_BYTES) for _ in range(50)]
    for at in range(STATE_BYTES):
        one = bytearray(kept)
        one[at] ^= 1 << rng.below(8)
        damaged.append(bytes(one))
    for data in damaged:
        alarms = Engine(values)
        assert not alarms.restore(data)
        assert alarms.state() == fresh and alarms.level == 0
    # Nothing is left of what was known before either.
    assert not loud.restore(b"") and loud.state() == fresh and loud.level == 0


def test_the_state_of_another_layout_is_a_fresh_start():
    alarms = engine(velocity_rms_warning_cmm_s=100)
    alarms.evaluate([(V, 1, 300)], 0, 5)
    other = bytearray(alarms.state())
    other[0] += 1
    other[-4:] = struct.pack("<I", binascii.crc32(other[:-4]) & 0xFFFFFFFF)
    assert not alarms.restore(bytes(other)) and alarms.level == 0


def test_settings_changed_during_sleep():
    before = Engine(stored(dict(PUMP, velocity_rms_warning_cmm_s=300, baseline_readings=1, change_rule="off")))
    before.evaluate([(V, 1, 200)], 0, 0)
    before.evaluate([(V, 1, 300)], 0, 1)
    kept = before.state()
    assert before.level == 1
    # The limit is off now, and so is its level.
    unrated = engine(baseline_readings=1)
    assert unrated.restore(kept) and unrated.level == 0
    # The same machine, its limit now from the baseline: 2.0 + 1.125, and 3.0 is 0.2 below that or less.
    follows = engine(baseline_readings=1, change_rule="off", **PUMP)
    assert follows.restore(kept) and follows.level == 1
    assert follows.evaluate([(V, 1, 293)], 0, 2) == ()
    assert follows.evaluate([(V, 1, 292)], 0, 3) == ((V, 1, 0, 292, 313),)
    # Another baseline_number: learned again.
    anew = engine(baseline_readings=1, baseline_number=1, change_rule="off", **PUMP)
    assert anew.restore(kept)
    anew.evaluate([(V, 1, 100)], 0, 2)
    assert anew.level == 0
    assert anew.evaluate([(V, 1, 213)], 0, 3) == ((V, 1, 1, 213, 213),)
