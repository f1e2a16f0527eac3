"""Air-time: duty cycle of bands in any hour, the network's own limit, and the spans of joining."""

from portable import Random

from node.link.lorawan import airtime, regions
from node.link.lorawan.duty import Budget, JoinLimit

HOUR = 3600000
# One frequency in each band of EU868 with its allowance of an hour in ms.
BANDS = ((863500000, 3600), (867100000, 36000), (868100000, 36000), (868800000, 3600), (869525000, 360000))


def most_in_an_hour(log):
    """Most air-time in us within any hour of (start ms, us) entries: windows that end with each frame."""
    most = 0
    for i in range(len(log)):
        start = log[i][0] - HOUR
        most = max(most, sum([us for at, us in log[: i + 1] if at > start]))
    return most


def test_no_hour_has_more_than_its_allowance():
    # As fast as it lets us, frames of all sizes that a band takes at once: a quarter of its allowance.
    rng = Random(21)
    for hz, allowance in BANDS:
        for longest in (30, allowance // 8, allowance // 4):
            budget = Budget(regions.find("eu868"))
            now, log = 0, []
            while now < 3 * HOUR and len(log) < 400:
                us = 1000 * (longest // 2 + rng.below(longest // 2 + 1))
                wait = budget.wait_ms(now, hz, us)
                if wait > 0:
                    now += wait
                    assert budget.wait_ms(now, hz, us) <= 0
                budget.spend(now, hz, us, 0)
                log.append((now, us))
                now += us // 1000 + rng.below(2) * rng.below(20000)
            assert most_in_an_hour(log) <= allowance * 1000, (hz, longest)
            if len(log) < 400:
                # And it is used: three quarters flow in steadily.
                assert sum([us for _, us in log]) >= 3 * allowance * 1000 * 7 // 10, (hz, longest)


def test_a_quarter_of_the_allowance_goes_out_at_once():
    # 9 s in a band of 1 %: three reports of 51 bytes at SF12 without waiting, and an alarm behind a report.
    budget = Budget(regions.find("eu868"))
    us = airtime.time_on_air_us(12, 125000, 64)
    for _ in range(3):
        assert budget.wait_ms(5000, 868100000, us) <= 0
        budget.spend(5000, 868100000, us, 0)
    assert budget.wait_ms(5000, 868300000, us) > 0
    # The other band has its own.
    assert budget.wait_ms(5000, 867100000, us) <= 0


def test_a_frame_longer_than_a_quarter_waits_for_an_empty_band():
    # 0.1 %: 3.6 s an hour, 0.9 s at once; a report at SF12 lasts 2.8 s.
    budget = Budget(regions.find("eu868"))
    us = airtime.time_on_air_us(12, 125000, 64)
    assert budget.wait_ms(1000, 868800000, us) <= 0
    budget.spend(1000, 868800000, us, 0)
    wait = budget.wait_ms(1000, 868800000, us)
    # 2.8 s at three quarters of 3.6 s an hour; never sooner than the 99.9 % of silence of the usual rule.
    assert us * 999 // 1000 <= wait <= us * 1000 * 4 // 3 // 1000 + 2
    assert budget.wait_ms(1000 + wait, 868800000, us) <= 0


def test_regions_without_duty_cycle_do_not_wait():
    for name in ("us915", "au915", "in865"):
        region = regions.find(name)
        budget = Budget(region)
        for _ in range(100):
            assert budget.wait_ms(0, region.defaults[0], 2800000) <= 0
            budget.spend(0, region.defaults[0], 2800000, 0)


def test_as923_has_one_band():
    region = regions.find("as923-2")
    budget = Budget(region)
    for _ in range(30):
        budget.spend(0, region.defaults[0], 300000, 0)
    assert budget.wait_ms(0, region.defaults[1], 300000) > 0


# DutyCycleReq: T_off = T * (2^MaxDutyCycle - 1), L2 1.0.4 section 5.3. MaxDutyCycle, air-time ms, silence ms.
QUIET = ((0, 1000, 0), (1, 1000, 1000), (2, 100, 300), (4, 61, 915), (7, 1483, 188341), (15, 2793, 91518231))


def test_the_network_s_own_limit():
    for limit, ms, silence in QUIET:
        budget = Budget(regions.find("us915"))
        budget.spend(10000, 902300000, 1000 * ms, limit)
        end = 10000 + ms
        if limit:
            assert budget.quiet_ms - end == silence + 1
        else:
            assert budget.quiet_ms == 0


# --- joining

SPANS = ((0, HOUR, 36000), (HOUR, 11 * HOUR, 36000)) + tuple(
    [((11 + 24 * n) * HOUR, (35 + 24 * n) * HOUR, 8700) for n in range(5)]
)


def attempts(us, until, random):
    """Start times of as many join requests as are allowed."""
    limit = JoinLimit()
    now, log = 777, []
    began = now
    while True:
        wait = limit.wait_ms(now, us)
        if wait > 0:
            now += wait
        if now - began > until:
            return log
        assert limit.wait_ms(now, us) <= 0
        limit.spend(now, us, random)
        log.append(now - began)
        now += us // 1000 + 8000


def test_air_time_of_joining():
    for sf, bandwidth in ((12, 125000), (10, 125000), (8, 500000)):
        us = airtime.time_on_air_us(sf, bandwidth, 23)
        # The real numbers, and a source that always draws the shortest delay.
        for random in (Random(31).bytes, bytes):
            log = attempts(us, 131 * HOUR, random)
            for start, end, allowed in SPANS:
                spent = sum([us for at in log if start <= at < end]) / 1000
                assert spent <= allowed, (sf, start, spent)
                assert spent >= allowed * 0.3, (sf, start, spent)


def test_attempts_are_spread_and_differ_between_nodes():
    us = airtime.time_on_air_us(12, 125000, 23)
    first = attempts(us, HOUR, Random(1).bytes)
    second = attempts(us, HOUR, Random(2).bytes)
    assert first[1:] != second[1:]
    gaps = [first[i + 1] - first[i] for i in range(len(first) - 1)]
    # An even share of an hour is 100 times the air-time, 148 s; half to one and a half of it.
    assert min(gaps) >= 74000 and max(gaps) <= 223000
    assert len(set(gaps)) > len(gaps) // 2


def test_a_new_period_begins_when_joined():
    limit = JoinLimit()
    for _ in range(30):
        limit.spend(1000, 1482752, bytes)
    assert limit.wait_ms(2000, 1482752) > 0
    limit.reset()
    assert limit.wait_ms(2000, 1482752) <= 0
    assert limit.attempts == 0
