"""Who hears whom: SNR, capture, locking on a preamble, half duplex, loss."""

from __future__ import annotations

import pytest

from judder.virtual.clock import BoardClock
from judder.virtual.lorawan import propagation
from judder.virtual.lorawan.air import Emission, Tuning
from judder.virtual.lorawan.airtime import airtime_us
from judder.virtual.lorawan.medium import Air
from judder.virtual.lorawan.station import Station

SF7 = Tuning(868_100_000, 7, 125_000)
SF12 = Tuning(868_100_000, 12, 125_000)


class Scene:
    """A receiver and two senders whose power at the receiver is what they send minus 100 dB."""

    def __init__(self, path_loss: propagation.PathLoss | float = 100.0, **options: float) -> None:
        self.air = Air(path_loss, **options)  # type: ignore[arg-type]
        self.clock = BoardClock("virtual")
        self.ear = self.air.station("ear", self.clock)
        self.one = self.air.station("one")
        self.two = self.air.station("two")

    def send(
        self, sender: Station, start_us: int, tuning: Tuning = SF7, power_dbm: float = 14.0, size: int = 20
    ) -> Emission:
        end_us = start_us + airtime_us(size, tuning.sf, tuning.bandwidth_hz)
        emission = Emission(sender, start_us, end_us, tuning, power_dbm, bytes(size))
        self.air.transmit(emission)
        return emission

    def hear(self, opened_us: int = 0, tuning: Tuning = SF7, symbols: int = 0, now_us: int = 10_000_000) -> str:
        self.clock.observe(now_us)
        found = self.air.heard(self.ear, tuning, opened_us, symbols, now_us)
        if found is None:
            return "nothing"
        assert isinstance(found.emission.sender, Station)
        return found.emission.sender.name + (" damaged" if found.damaged else "")


def test_snr_is_power_over_thermal_noise() -> None:
    scene = Scene(120.0)
    scene.send(scene.one, 0, power_dbm=14.0)
    scene.clock.observe(1_000_000)
    found = scene.air.heard(scene.ear, SF7, 0, 0, 1_000_000)
    assert found is not None
    assert found.rssi_dbm == pytest.approx(-106.0)
    # -174 + 10 log10(125000) + 6 = -117.03 dBm
    assert found.snr_db == pytest.approx(-106.0 + 117.03, abs=0.01)


# SX1276 data sheet table 13.
@pytest.mark.parametrize(("sf", "limit_db"), [(7, -7.5), (8, -10), (9, -12.5), (10, -15), (11, -17.5), (12, -20)])
def test_a_frame_is_heard_down_to_the_snr_of_its_spreading_factor(sf: int, limit_db: float) -> None:
    tuning = Tuning(868_100_000, sf, 125_000)
    noise_dbm = -117.031
    for above_db, expected in ((0.1, "one"), (-0.1, "nothing")):
        scene = Scene(0.0)
        scene.send(scene.one, 0, tuning, power_dbm=noise_dbm + limit_db + above_db)
        assert scene.hear(0, tuning) == expected


@pytest.mark.parametrize(
    ("second_dbm", "expected"), [(14.0, "one damaged"), (8.1, "one damaged"), (8.0, "one"), (-10.0, "one")]
)
def test_capture_takes_six_decibels(second_dbm: float, expected: str) -> None:
    scene = Scene()
    scene.send(scene.one, 0, power_dbm=14.0)
    scene.send(scene.two, 20_000, power_dbm=second_dbm)
    assert scene.hear() == expected


def test_of_two_that_begin_together_the_stronger_is_heard() -> None:
    scene = Scene()
    scene.send(scene.one, 0, power_dbm=2.0)
    scene.send(scene.two, 1_000, power_dbm=14.0)
    assert scene.hear() == "two"


def test_what_ends_before_the_last_symbols_of_the_preamble_does_no_harm() -> None:
    # 5 of 8 symbols are needed: the first 3 (3.07 ms) may be drowned.
    for end_us, expected in ((3_000, "one"), (3_200, "one damaged")):
        scene = Scene()
        scene.air.transmit(Emission(scene.two, -40_000, end_us, SF7, 14.0, b"x", crc=True))
        scene.send(scene.one, 0)
        assert scene.hear(opened_us=-1_000) == expected


@pytest.mark.parametrize(("above_db", "expected"), [(15.0, "one"), (17.0, "one damaged")])
def test_spreading_factors_are_nearly_orthogonal(above_db: float, expected: str) -> None:
    # Goursaud and Gorce 2015: SF7 stands an SF8 signal 16 dB stronger.
    scene = Scene()
    scene.send(scene.one, 0, power_dbm=0.0)
    scene.send(scene.two, 1_000, Tuning(868_100_000, 8, 125_000), power_dbm=above_db)
    assert scene.hear() == expected


def test_chirps_of_one_slope_collide_whatever_their_bandwidth() -> None:
    assert propagation.protection_db(Tuning(0, 8, 125_000), Tuning(0, 12, 500_000)) == 6
    assert propagation.protection_db(Tuning(0, 8, 125_000), Tuning(0, 11, 500_000)) < 0
    assert propagation.protection_db(SF7, Tuning(0, 7, 125_000, inverted_iq=True)) < 0


def test_other_channels_do_not_matter() -> None:
    scene = Scene()
    scene.send(scene.one, 0, power_dbm=0.0)
    scene.send(scene.two, 0, Tuning(868_300_000, 7, 125_000), power_dbm=20.0)
    assert scene.hear() == "one"


@pytest.mark.parametrize(
    "other",
    [
        Tuning(868_300_000, 7, 125_000),
        Tuning(868_100_000, 8, 125_000),
        Tuning(868_100_000, 7, 250_000),
        Tuning(868_100_000, 7, 125_000, inverted_iq=True),
        Tuning(868_100_000, 7, 125_000, sync_word=0x12),
    ],
)
def test_a_modem_hears_only_what_it_is_tuned_to(other: Tuning) -> None:
    scene = Scene()
    scene.send(scene.one, 0, other)
    assert scene.hear() == "nothing"
    assert scene.hear(tuning=other) == "one"


def test_a_crystal_may_be_off_by_a_quarter_of_the_bandwidth() -> None:
    scene = Scene()
    scene.send(scene.one, 0)
    assert scene.hear(tuning=Tuning(868_131_000, 7, 125_000)) == "one"
    assert scene.hear(tuning=Tuning(868_132_000, 7, 125_000)) == "nothing"


# --- windows: preamble of 8 symbols of 1024 us from 100 ms on


@pytest.mark.parametrize(
    ("opened_us", "symbols", "expected"),
    [
        (100_000, 6, "one"),
        (103_072, 6, "one"),  # 5 symbols of preamble are left
        (103_100, 6, "nothing"),
        (98_976, 6, "one"),  # 5 of its 6 symbols carry preamble
        (98_900, 6, "nothing"),
        (98_900, 7, "one"),
        (0, 0, "one"),  # no time-out
        (0, 6, "nothing"),
    ],
)
def test_a_window_needs_five_symbols_of_the_preamble(opened_us: int, symbols: int, expected: str) -> None:
    scene = Scene()
    scene.send(scene.one, 100_000)
    assert scene.hear(opened_us, symbols=symbols) == expected


def test_a_receiver_that_has_locked_on_waits_for_the_end() -> None:
    scene = Scene()
    emission = scene.send(scene.one, 100_000)
    scene.clock.observe(2_000_000)
    locked_us = 100_000 + 5 * 1024

    def state(now_us: int) -> tuple[bool, bool]:
        locked = scene.air.locked(scene.ear, SF7, 99_900, 6, now_us)
        return locked is not None, scene.air.heard(scene.ear, SF7, 99_900, 6, now_us) is not None

    assert state(locked_us - 1) == (False, False)
    assert state(locked_us) == (True, False)
    assert state(emission.end_us - 1) == (True, False)
    assert state(emission.end_us) == (False, True)


def test_a_radio_that_sends_hears_nothing() -> None:
    scene = Scene()
    scene.send(scene.one, 0)
    scene.air.transmit(Emission(scene.ear, 50_000, 60_000, SF12, 14.0, b"x"))
    assert scene.hear() == "nothing"


def test_random_loss_is_of_the_size_asked_for_and_the_same_every_time() -> None:
    def run(seed: int) -> list[bool]:
        scene = Scene(loss=0.3, seed=seed)
        out = []
        for number in range(1000):
            start_us = number * 100_000
            scene.send(scene.one, start_us)
            out.append(scene.hear(start_us, now_us=start_us + 99_000) == "one")
        return out

    first = run(1)
    assert run(1) == first
    assert run(2) != first
    assert 0.25 < 1 - sum(first) / len(first) < 0.35  # 3 sigma of 1000 draws are 0.043


def test_path_loss_per_pair() -> None:
    table = propagation.matrix({("one", "ear"): 100.0})
    assert (table("one", "ear"), table("ear", "one"), table("two", "ear")) == (100.0, 100.0, 200.0)
    scene = Scene(table)
    scene.send(scene.two, 0)
    assert scene.hear() == "nothing"


def test_log_distance_grows_and_is_the_same_both_ways() -> None:
    places = {"a": (0.0, 0.0), "b": (1000.0, 0.0), "c": (10_000.0, 0.0)}
    plain = propagation.log_distance(places, shadowing_db=0.0)
    assert plain("a", "b") == pytest.approx(7.7 + 37.6 * 3)
    assert plain("a", "c") - plain("a", "b") == pytest.approx(37.6)
    shadowed = propagation.log_distance(places)
    assert shadowed("a", "b") == shadowed("b", "a") != plain("a", "b")


def test_only_stations_of_the_air_may_use_it() -> None:
    with pytest.raises(TypeError, match=r"Air\.station"):
        Air().transmit(Emission("me", 0, 1, SF7, 14.0, b""))


# --- time on air: lorawan.md section 5.6, ms as printed there (Semtech's calculator)
_SIZES = (13, 23, 24, 33, 64, 128, 255)
_TIMES_MS = {
    (12, 125): (1155, 1483, 1483, 1810, 2793, 4923, 9019),
    (11, 125): (577, 823, 823, 987, 1561, 2708, 5001),
    (10, 125): (289, 371, 371, 453, 698, 1231, 2296),
    (9, 125): (165, 206, 206, 247, 390, 677, 1250),
    (8, 125): (82, 113, 113, 134, 216, 379, 707),
    (7, 125): (46.3, 61.7, 61.7, 71.9, 118, 215, 400),
    (7, 250): (23.2, 30.8, 30.8, 36.0, 59.0, 108, 200),
    (8, 500): (20.6, 28.3, 28.3, 33.4, 53.9, 94.8, 177),
}


@pytest.mark.parametrize("key", _TIMES_MS, ids=str)
def test_time_on_air(key: tuple[int, int]) -> None:
    sf, bandwidth_khz = key
    got = [airtime_us(size, sf, bandwidth_khz * 1000) / 1000 for size in _SIZES]
    for value, expected in zip(got, _TIMES_MS[key], strict=True):
        assert value == pytest.approx(expected, abs=0.06 if isinstance(expected, float) else 0.6)


def test_dwell_proof_figures() -> None:
    # lorawan.md section 5.6: the largest US915 uplinks stay just under 400 ms.
    largest = ((10, 11, 370.7), (9, 53, 390.1), (8, 125, 399.9), (7, 242, 399.6))
    for sf, size, expected_ms in largest:
        assert airtime_us(size + 13, sf, 125_000) / 1000 == pytest.approx(expected_ms, abs=0.06)
