"""The LoRaWAN MAC with one region stays within its 24 KiB of .mpy, whichever region that is."""

from tests.bench import bench_lorawan


def test_mac_and_one_region_fit_their_budget() -> None:
    assert 12_000 < bench_lorawan.sizes() <= bench_lorawan.MPY_BYTES


def test_one_region_is_really_one() -> None:
    source = (bench_lorawan.MAC / "regions.py").read_text()
    for region in bench_lorawan.MAKERS:
        alone: dict[str, object] = {}
        exec(bench_lorawan.with_one_region(source, region), alone)  # noqa: S102  our own source
        found = alone["find"](region)  # type: ignore[operator]
        assert found.name == region
        assert len([name for name in alone if name.startswith("_") and name[1:] in ("eu868", "as923", "in865")]) <= 1
