"""What a device has to make of MAC commands: LoRaWAN L2 1.0.4 chapter 5 and RP002-1.0.4, case by case."""

from __future__ import annotations

import pytest

from judder.virtual.lorawan import commands as mac
from judder.virtual.lorawan import frames, network_plan, regions
from judder.virtual.lorawan.mirror import Mirror
from judder.virtual.lorawan.regions import Channel


def mirror(region: str = "EU868", extra: bool = True) -> Mirror:
    plan = regions.find(region)
    found = Mirror(plan)
    if extra and not plan.fixed:
        found.joined(plan.rx2_dr, 1, network_plan.cf_list(plan))
    return found


def answers(settings: Mirror, *commands: mac.Command) -> list[str]:
    return [str(answer) for answer in settings.process(mac.join(commands))]


# --- LinkADRReq


# EU868 with eight channels. mask, ChMaskCntl -> answer, channels on afterwards.
@pytest.mark.parametrize(
    ("mask", "control", "status", "on"),
    [
        (0x00FF, 0, 7, range(8)),
        (0x0001, 0, 7, [0]),
        (0x0100, 0, 6, range(8)),  # channel 8 is not defined
        (0x0000, 0, 6, range(8)),  # nothing would be left
        (0x0000, 6, 7, range(8)),  # all on
        (0x00FF, 1, 6, range(8)),  # RFU
        (0x00FF, 5, 6, range(8)),
        (0x00FF, 7, 6, range(8)),
    ],
)
def test_masks_of_dynamic_plans(mask: int, control: int, status: int, on: list[int]) -> None:
    settings = mirror()
    got = settings.process(mac.join([mac.link_adr(5, 1, mask, control, 2)]))
    assert len(got) == 1
    assert got[0].payload[0] & got[0].care[0] == status & got[0].care[0]
    assert got[0].fits((mac.LINK_ADR, bytes((status,))))
    assert settings.mask == set(on)
    assert (settings.dr, settings.power, settings.nb_trans) == ((5, 1, 2) if status == 7 else (0, 0, 1))


@pytest.mark.parametrize(
    ("mask", "control", "on"),
    [
        (0xFF00, 0, {*range(8, 16), *range(16, 72)}),
        (0x00FF, 1, {*range(16), *range(16, 24), *range(32, 72)}),
        (0x0001, 3, {*range(48), 48, *range(64, 72)}),
        (0x0002, 4, {*range(64), 65}),
        (0x0002, 5, {*range(8, 16), 65}),  # bank 2
        (0x0081, 5, {*range(8), *range(56, 64), 64, 71}),
        (0x0002, 6, {*range(64), 65}),
    ],
)
def test_masks_of_fixed_plans(mask: int, control: int, on: set[int]) -> None:
    settings = mirror("US915")
    assert answers(settings, mac.link_adr(3, 0, mask, control)) == ["LinkADRAns 07"]
    assert settings.mask == on


def test_a_block_turns_all_off_and_a_sub_band_on() -> None:
    settings = mirror("US915")
    block = mac.mask_commands([*range(8, 16), 65], True, dr=3)
    assert [payload.hex() for _cid, payload in block] == ["3f020070", "3f00ff00"]
    assert answers(settings, *block) == ["LinkADRAns 07"] * 2
    assert settings.mask == {*range(8, 16), 65}


def test_a_block_is_all_or_nothing() -> None:
    settings = mirror()
    bad = mac.link_adr(13, 0, 0x0007, 0)
    good = mac.link_adr(5, 3, 0x0007, 0)
    # The last data rate and power of a block count; every command gets the same answer.
    assert answers(settings, bad, good) == ["LinkADRAns 07"] * 2
    settings = mirror()
    assert answers(settings, good, bad) == ["LinkADRAns 05"] * 2
    assert (settings.dr, settings.power, settings.mask) == (0, 0, set(range(8)))


def test_blocks_that_are_not_contiguous_are_two() -> None:
    settings = mirror()
    got = answers(settings, mac.link_adr(5, 0, 7), mac.dev_status(), mac.link_adr(13, 0, 7))
    assert got == ["LinkADRAns 07", "DevStatusAns 0000", "LinkADRAns 05"]
    assert settings.dr == 5


@pytest.mark.parametrize(
    ("region", "dr", "power", "status"),
    [
        ("EU868", 6, 0, 5),  # exists, and no channel takes it
        ("EU868", 7, 0, 5),  # FSK
        ("EU868", 5, 8, 3),
        ("EU868", 5, 7, 7),
        ("EU868", 15, 15, 7),
        ("IN865", 5, 10, 7),
        ("IN865", 5, 11, 3),
        ("US915", 3, 14, 7),
        ("US915", 5, 0, 5),
    ],
)
def test_rate_and_power(region: str, dr: int, power: int, status: int) -> None:
    settings = mirror(region)
    assert answers(settings, mac.link_adr(dr, power, 0x00FF)) == [f"LinkADRAns {status:02x}"]


def test_us915_hops_over_two_narrow_channels_at_least() -> None:
    for mask, status in ((0x0001, 6), (0x0003, 7)):
        block = [mac.link_adr(3, 0, 0xFF, 7), mac.link_adr(3, 0, mask, 0)]
        settings = mirror("US915")
        got = settings.process(mac.join(block))
        assert all(answer.fits((mac.LINK_ADR, bytes((status,)))) for answer in got)
        assert (0 in settings.mask and 5 not in settings.mask) == (status == 7)


def test_nothing_to_keep_changes_nothing() -> None:
    settings = mirror()
    settings.process(mac.join([mac.link_adr(3, 2, 0xFF, 0, 3)]))
    settings.process(mac.join([mac.link_adr(15, 15, 0x0F, 0, 0)]))
    assert (settings.dr, settings.power, settings.nb_trans, settings.mask) == (3, 2, 3, {0, 1, 2, 3})


# --- the others


@pytest.mark.parametrize(
    ("region", "command", "answer"),
    [
        ("EU868", mac.rx_param_setup(869_525_000, 3, 2), "RXParamSetupAns 07"),
        ("EU868", mac.rx_param_setup(433_000_000, 3, 2), "RXParamSetupAns 06"),
        ("EU868", mac.rx_param_setup(869_525_000, 9, 2), "RXParamSetupAns 05"),
        ("EU868", mac.rx_param_setup(869_525_000, 3, 6), "RXParamSetupAns 03"),
        ("US915", mac.rx_param_setup(923_300_000, 3, 0), "RXParamSetupAns 05"),  # an uplink rate
        ("US915", mac.rx_param_setup(923_300_000, 13, 4), "RXParamSetupAns 03"),
        ("EU868", mac.new_channel(8, 866_100_000, 0, 5), "NewChannelAns 03"),
        ("EU868", mac.new_channel(8, 866_100_000, 5, 0), "NewChannelAns 01"),
        ("EU868", mac.new_channel(8, 433_100_000, 0, 5), "NewChannelAns 02"),
        ("EU868", mac.new_channel(8, 0), "NewChannelAns 03"),
        ("EU868", mac.dl_channel(0, 869_100_000), "DlChannelAns 03"),
        ("EU868", mac.dl_channel(12, 869_100_000), "DlChannelAns 01"),
        ("EU868", mac.dl_channel(0, 100_000_000), "DlChannelAns 02"),
        ("EU868", mac.duty_cycle(7), "DutyCycleAns"),
        ("EU868", mac.rx_timing_setup(5), "RXTimingSetupAns"),
        ("AS923-1", mac.tx_param_setup(False, True, 5), "TxParamSetupAns"),
        ("AU915", mac.tx_param_setup(False, False, 5), "TxParamSetupAns"),
    ],
)
def test_answers(region: str, command: mac.Command, answer: str) -> None:
    assert answers(mirror(region), command) == [answer]


@pytest.mark.parametrize(
    ("region", "command"),
    [
        ("EU868", mac.tx_param_setup(True, True, 5)),
        ("US915", mac.tx_param_setup(True, True, 5)),
        ("US915", mac.new_channel(3, 905_000_000)),
        ("US915", mac.dl_channel(3, 905_000_000)),
        ("EU868", mac.link_check_answer(10, 1)),
        ("EU868", mac.device_time_answer(0)),
    ],
)
def test_what_is_dropped_without_an_answer(region: str, command: mac.Command) -> None:
    assert answers(mirror(region), command, mac.dev_status()) == ["DevStatusAns 0000"]


def test_default_channels_are_not_touched() -> None:
    settings = mirror()
    (answer,) = settings.process(mac.join([mac.new_channel(1, 866_100_000)]))
    assert not answer.fits((mac.NEW_CHANNEL, b"\x03"))
    assert all(answer.fits((mac.NEW_CHANNEL, bytes((status,)))) for status in (0, 1, 2))
    assert settings.channels[1].frequency_hz == 868_300_000


def test_settings_taken_over() -> None:
    settings = mirror("AS923-1")
    settings.process(
        mac.join(
            [
                mac.rx_param_setup(923_600_000, 4, 3),
                mac.rx_timing_setup(0),
                mac.tx_param_setup(False, True, 3),
                mac.duty_cycle(4),
                mac.new_channel(9, 924_600_000, 2, 4),
                mac.dl_channel(9, 925_000_000),
            ]
        )
    )
    assert (settings.rx2_hz, settings.rx2_dr, settings.rx1_offset) == (923_600_000, 4, 3)
    assert (settings.rx1_delay_s, settings.dwell_up, settings.dwell_down) == (1, False, True)
    assert (settings.max_eirp_dbm, settings.duty) == (13, 4)  # RP002: index 3 is 13 dBm
    assert settings.channels[9] == Channel(924_600_000, 2, 4, 925_000_000)
    assert 9 in settings.mask
    settings.process(mac.join([mac.new_channel(9, 0)]))
    assert 9 not in settings.channels
    assert 9 not in settings.mask


def test_join_accepts() -> None:
    settings = mirror("EU868", extra=False)
    settings.joined(0x23, 0, frames.cf_list_frequencies([867_100_000, 433_000_000]))
    assert (settings.rx1_offset, settings.rx2_dr, settings.rx1_delay_s) == (2, 3, 1)
    assert settings.channels[3] == Channel(867_100_000, 0, 5)
    assert set(settings.channels) == {0, 1, 2, 3} == settings.mask
    settings = mirror("US915")
    settings.joined(0x08, 5, frames.cf_list_masks([*range(8), 64]))
    assert settings.mask == {*range(8), 64}
    assert settings.rx1_delay_s == 5


def test_split_stops_at_what_it_does_not_know() -> None:
    data = mac.join([mac.dev_status(), mac.rx_timing_setup(1)]) + b"\x7f\x06"
    assert mac.split(data, mac.DOWN_BYTES) == ([(6, b""), (8, b"\x01")], b"\x7f\x06")
    assert mac.split(b"\x03\x50\x07", mac.DOWN_BYTES) == ([], b"\x03\x50\x07")
    assert mac.split(b"", mac.DOWN_BYTES) == ([], b"")


def test_device_time_counts_256ths() -> None:
    assert mac.device_time_answer(1_400_000_000_500_000) == (0x0D, (1_400_000_000).to_bytes(4, "little") + b"\x80")
