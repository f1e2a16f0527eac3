"""The link a node has, from its settings and its board. Only what it needs is imported."""

import os

from judder_core import schema


def make(board, values: dict, node_id: bytes, console, keep, say):  # noqa: ARG001  keep: for radios
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
        raise ValueError("this firmware has no driver for %s yet" % chip)
    return console
