"""The link a node has, from its settings and its board. Only what it needs is imported."""

import os

from judder_core import schema, settings


def make(board, values: dict, node_id: bytes, console, keep, say):
    """The link of setting `link`. console: the serial link, which is there anyway.

    keep: node.keep.Keep. Raises LinkError, SensorError, JudderError, OSError or ValueError when the board has not what
    the link needs.
    """
    name = schema.LINKS[values["link"]]
    if name == "wifi":
        from node.link.wifi import Wifi

        return Wifi(values, node_id, os.urandom, say=say)
    if name == "lorawan":
        chip = board.RADIO_CHIP
        if chip is None:
            raise ValueError("board %s names no LoRa radio or modem" % board.NAME)
        if board.RADIO_UART_ID is None:
            return _lorawan(board, values, node_id, keep, say)
        from node.link import modem

        return modem.make(board, values, node_id, os.urandom, say, keep.session, keep.asleep_ms)
    return console


def _lorawan(board, values: dict, node_id: bytes, keep, say):
    import time

    from cryptolib import aes

    from node.link.lorawan import mac, regions, session
    from node.link.lorawan.link import Lorawan
    from node.link.radio import spi

    if values["lorawan_activation"]:
        identity = session.abp(values["dev_addr"], values["nwk_s_key"], values["app_s_key"])
    else:
        join_eui = values["join_eui"] or bytes(8)
        identity = session.otaa(values["dev_eui"] or node_id, join_eui, values["app_key"])
    identity.adr = bool(values["lorawan_adr"])
    identity.data_rate = values["lorawan_data_rate"]
    identity.sub_band = values["lorawan_sub_band"]
    identity.max_eirp_dbm = values["lorawan_max_eirp_dbm"]
    identity.antenna_gain_db = values["antenna_gain_db"]
    identity.rx1_delay_s = values["lorawan_rx1_delay_s"]
    identity.rx2_data_rate = values["lorawan_rx2_data_rate"]
    identity.rx2_hz = values["lorawan_rx2_hz"]
    return Lorawan(
        mac.Mac(
            regions.find(settings.REGIONS[values["lorawan_region"]]),
            identity,
            lambda key: aes(key, 1),
            os.urandom,
            keep.clock.uptime_ms(),
            keep.stored(),
            keep.session or None,
        ),
        spi.radio(board),
        time,
        keep.clock,
        keep,
        keep.put,
        keep.tick,
        values["lorawan_confirm"],
        keep.set_time,
        say,
    )
