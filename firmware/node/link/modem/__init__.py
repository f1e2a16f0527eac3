"""LoRaWAN by a modem with AT commands: a RAK3172 or a Wio-E5 behind the same contract as every link.

The modem does joining, keys, counters, ADR and receive windows; it is set to what the settings say when it differs,
and keys are written and never told. What the modem keeps survives a deep sleep of the node as long as the modem has
power: the node does not join again.

DevEui is the setting dev_eui, or else the node's id, as with a radio of its own; the number printed on the modem counts
only when somebody enters it as dev_eui.
"""


def make(board, values: dict, node_id: bytes, random, say=None, session: bytes = b"", asleep_ms: int = 0):
    """The link for a board with a modem: RADIO_CHIP is rak3172 or wioe5.

    values: settings by name. random: n -> n random bytes. say: called with one line of text for the console.
    session: what link.session() gave before a deep sleep of asleep_ms milliseconds or a restart, b"" for nothing.
    """
    import time

    from node.link.modem import uart

    wires = uart.Uart(
        board.RADIO_UART_ID,
        board.RADIO_TX,
        board.RADIO_RX,
        board.RADIO_BAUDRATE,
        board.RADIO_RESET,
        board.RADIO_ENABLE,
    )
    if board.RADIO_CHIP == "rak3172":
        from node.link.modem.rak3172 import RAK3172 as kind
    else:
        from node.link.modem.wioe5 import WioE5 as kind
    return kind(wires, values, node_id, random, time, say, session, asleep_ms)
