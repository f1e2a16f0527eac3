"""The power chip of a T-Beam: AXP192 (v1.0, v1.1) or AXP2101 (v1.2), both at I2C address 0x34, told apart by type.

Registers: AXP2101 data sheet V1.4; AXP192 as in XPowersLib, whose use by LilyGO's examples also says which output feeds
the radio. Not tried on hardware. Only that output is touched: the ESP32 hangs on another one of the same registers.
"""

from node.link.radio import RadioError

_ADDRESS = 0x34
_TYPE = 0x03
# type, name, voltage register, its mask, 3.3 V in it, switch register, bit.
_CHIPS = (
    (0x03, "AXP192", 0x28, 0xF0, 0xF0, 0x12, 0x04),  # LDO2: 1.8 V + 0.1 V * n in the upper half
    (0x4A, "AXP2101", 0x93, 0x1F, 28, 0x90, 0x02),  # ALDO2: 0.5 V + 0.1 V * n
)


def feed_radio(i2c) -> None:
    """3.3 V for the radio, or RadioError. i2c: machine.I2C."""
    try:
        found = i2c.readfrom_mem(_ADDRESS, _TYPE, 1)[0]
        for number, _name, voltage, mask, value, switch, bit in _CHIPS:
            if found == number:
                _change(i2c, voltage, mask, value)
                _change(i2c, switch, bit, bit)
                return
    except OSError as error:
        raise RadioError("the power chip that feeds the radio does not answer at 0x%02x (%s)" % (_ADDRESS, error))
    raise RadioError("the power chip at 0x%02x is of type 0x%02x: neither AXP192 nor AXP2101" % (_ADDRESS, found))


def _change(i2c, register: int, mask: int, value: int) -> None:
    before = i2c.readfrom_mem(_ADDRESS, register, 1)[0]
    i2c.writeto_mem(_ADDRESS, register, bytes((before & ~mask | value,)))
