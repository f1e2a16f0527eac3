"""What the regions allow, as far as a modem has to be told or cannot tell (RP002-1.0.4)."""

SUB_BANDS = ("us915", "au915")
# Longest application payload by data rate (section 2, without repeater). AU915 and AS923 are counted with the uplink
# dwell time of 400 ms in force, from data rate 2 on: slower ones a modem uses only when the network has lifted it.
_DYNAMIC = (51, 51, 51, 115, 242, 242, 242, 242)
_DWELL = (51, 51, 11, 53, 125, 242, 242, 242)
_LIMITS = {"eu868": _DYNAMIC, "in865": _DYNAMIC, "us915": (11, 53, 125, 242, 242)}
# Slowest data rate that carries anything while the dwell time is in force.
_DWELL_DATA_RATE = 2
# EIRP of TXPower 0, and of the others.
_EIRP_DBM = {"us915": 30, "au915": 30, "in865": 30}
_USUAL_EIRP_DBM = 16
# What LoRaMac-based modems take off the EIRP for their antenna, in 0.01 dB.
_ASSUMED_GAIN_CDB = 215


def payload_limit(region: str, data_rate: int) -> int:
    """Longest application payload in bytes; for a data rate that is none of the region's, the shortest there is."""
    limits = _LIMITS.get(region, _DWELL)
    return limits[data_rate] if 0 <= data_rate < len(limits) else min(limits)


def first_data_rate(region: str, wanted: int) -> int:
    """The one to begin with that carries something."""
    return wanted if region in _LIMITS else max(wanted, _DWELL_DATA_RATE)


def power_step(region: str, max_eirp_dbm: int, gain_dbi: int) -> int:
    """Steps of 2 dB below the region's EIRP, for a modem that reckons with an antenna of 2.15 dBi."""
    eirp_dbm, cap_dbm = _eirp_dbm(region, max_eirp_dbm)
    over_cdb = (eirp_dbm - cap_dbm + gain_dbi) * 100 - _ASSUMED_GAIN_CDB
    return max(0, (over_cdb + 199) // 200)


def power_dbm(region: str, max_eirp_dbm: int, gain_dbi: int):
    """Conducted power that stays below the EIRP asked for, None where neither limit nor antenna is special."""
    if not max_eirp_dbm and gain_dbi <= 2:
        return None
    return _eirp_dbm(region, max_eirp_dbm)[1] - gain_dbi


def _eirp_dbm(region: str, max_eirp_dbm: int) -> tuple:
    """(what the region allows, what is asked for)."""
    eirp_dbm = _EIRP_DBM.get(region, _USUAL_EIRP_DBM)
    return eirp_dbm, min(max_eirp_dbm or eirp_dbm, eirp_dbm)
