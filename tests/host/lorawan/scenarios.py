"""What a network may say to a device, by name: region, MAC commands, settings that both sides must have afterwards."""

from __future__ import annotations

from judder.virtual.lorawan import commands as mac

SCENARIOS: dict[str, tuple[str, list[mac.Command], dict[str, object]]] = {
    "rate, power, repetitions": ("EU868", [mac.link_adr(4, 2, 0xFF, 0, 2)], {"dr": 4, "power": 2, "nb_trans": 2}),
    "one channel": ("EU868", [mac.link_adr(5, 0, 0x04)], {"mask": {2}}),
    "all on": ("EU868", [mac.link_adr(15, 15, 0x01), mac.link_adr(15, 15, 0, 6)], {"mask": set(range(8))}),
    "no channel": ("EU868", [mac.link_adr(3, 0, 0)], {"dr": 5, "mask": set(range(8))}),
    "unknown channel": ("EU868", [mac.link_adr(3, 0, 0x8000)], {"dr": 5}),
    "no such rate": ("EU868", [mac.link_adr(9, 0, 0xFF)], {"dr": 5}),
    "no such power": ("EU868", [mac.link_adr(3, 9, 0xFF)], {"dr": 5}),
    "bank 2": ("US915", [mac.link_adr(3, 0, 0x02, 5)], {"mask": {*range(8, 16), 65}}),
    "wide only by block": (
        "US915",
        [mac.link_adr(3, 5, 0x0002, 7), mac.link_adr(3, 5, 0xFF00, 0)],
        {"mask": {*range(8, 16), 65}, "power": 5},
    ),
    "group 4": ("AU915", [mac.link_adr(5, 0, 0x02, 4)], {"mask": {*range(8, 16), 65}}),
    "six": ("AU915", [mac.link_adr(5, 0, 0x02, 6), mac.link_adr(5, 0, 0x0200, 7), mac.link_adr(5, 0, 0xFF00, 0)], {}),
    "duty cycle": ("EU868", [mac.duty_cycle(3)], {"duty": 3}),
    "window 2": ("EU868", [mac.rx_param_setup(869_525_000, 3, 2)], {"rx2_dr": 3, "rx1_offset": 2}),
    "window 2 impossible": ("EU868", [mac.rx_param_setup(100_000_000, 14, 7)], {"rx2_dr": 0, "rx1_offset": 0}),
    "status": ("EU868", [mac.dev_status()], {}),
    "new channel": ("EU868", [mac.new_channel(8, 866_100_000), mac.new_channel(9, 100)], {}),
    "new channel, gone again": ("EU868", [mac.new_channel(7, 0)], {"mask": set(range(7))}),
    "default channel": ("EU868", [mac.new_channel(0, 866_100_000)], {}),
    "delay": ("EU868", [mac.rx_timing_setup(7)], {"rx1_delay_s": 7}),
    "delay 0": ("EU868", [mac.rx_timing_setup(0)], {"rx1_delay_s": 1}),
    "dwell off": ("AU915", [mac.tx_param_setup(False, False, 15)], {"dwell_up": False, "max_eirp_dbm": 36}),
    "dwell on": ("AS923-1", [mac.tx_param_setup(True, True, 0)], {"dwell_up": True, "max_eirp_dbm": 8}),
    "not in this region": ("EU868", [mac.tx_param_setup(True, True, 0), mac.duty_cycle(1)], {"duty": 1}),
    "down channel": ("EU868", [mac.dl_channel(0, 869_100_000), mac.dl_channel(9, 869_100_000)], {}),
    "dropped in fixed plans": ("US915", [mac.new_channel(9, 915_000_000), mac.dl_channel(9, 923_300_000)], {}),
    "everything": (
        "IN865",
        [
            mac.link_adr(4, 3, 0xFF, 0, 1),
            mac.duty_cycle(0),
            mac.rx_param_setup(866_550_000, 4, 1),
            mac.dev_status(),
            mac.new_channel(9, 866_900_000),
            mac.rx_timing_setup(3),
            mac.dl_channel(9, 866_700_000),
        ],
        {"dr": 4, "power": 3, "rx1_delay_s": 3},
    ),
}

# MAC bytes that make no sense, or not all of them.
SENSELESS = [
    b"\x7f\x06",  # unknown, then a real one that has to be left out
    b"\x06\x80\x06",  # a real one, then unknown
    b"\x03\x50\x07",  # cut off
    b"\x03\x57\x00\x00\x01" + b"\x03\x57\xff\x00\x01",
    bytes(15),
    b"\xff" * 15,
    b"\x06" * 15,
    b"\x06" * 40,  # on port 0
    b"\x05\x00" + b"\xff" * 3,
    b"\x02",
]
