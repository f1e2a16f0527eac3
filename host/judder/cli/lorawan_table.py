"""LoRaWAN events as lines for people, and the report of a run as a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from judder.virtual.lorawan.fleet import Outcome

_COLUMNS = (
    ("node", -10), ("joins", 7), ("uplinks", 8), ("lost", 5), ("repeats", 8), ("data rates", -30), ("SNR dB", 7),
    ("air-time s", 11), ("downlinks", 10), ("acked", 6),
)  # fmt: skip


def line(event: dict[str, Any]) -> str | None:
    """One line for an event of a Ledger or a fleet; None for what is only worth a line in JSON."""
    kind = event["event"]
    if kind == "message":
        return _message(event)
    if kind.startswith("forwarder"):
        return _forwarder(event)
    if kind in ("log", "bad payload"):
        return click.style(f"{'':10}  {event['node']:<10} {kind}: {event['description']}", fg="yellow")
    if kind == "join":
        text = f"{event['time_s']:10.3f}  {event['node']:<10} has joined, DevAddr {event['dev_addr']}"
        return click.style(text, fg="green")
    if kind not in ("uplink", "join-request", "downlink", "unknown"):
        return None
    words = [f"{event['time_s']:10.3f}  {event['node']:<10} {kind:<12} {event['data_rate']:<9}"]
    words.append(f"{event['frequency_mhz']:8.3f} MHz {event['bytes']:4} B")
    if kind in ("uplink", "join-request"):
        words.append(f"{event['airtime_ms']:7.1f} ms")
        if event["gateways"]:
            words.append(f"{event['rssi_dbm']:5} dBm {event['snr_db']:5.1f} dB")
            if event["gateways"] > 1:
                words.append(f"{event['gateways']} gateways")
        else:
            words.append("not heard")
    if kind in ("uplink", "downlink") and "f_cnt" in event:
        words.append(f"FCnt {event['f_cnt']}")
    words += [name for name in ("confirmed", "repeated", "ack") if event.get(name)]
    colour = "yellow" if event.get("gateways") == 0 else "cyan" if kind == "join-request" else None
    return click.style("  ".join(words), fg=colour)


def _message(event: dict[str, Any]) -> str | None:
    kind = event["kind"]
    if kind == "alarm":
        text = f"ALARM {event['alarm_level']}: {event['metric']} {event['value']}"
        return click.style(f"{'':10}  {event['node']:<10} {text}", fg="red", bold=True)
    if kind == "hello":
        return f"{'':10}  {event['node']:<10} HELLO firmware {event['firmware']}"
    return None


def _forwarder(event: dict[str, Any]) -> str:
    kind = event["event"].removeprefix("forwarder ")
    if kind == "downlink":
        text = f"downlink {event['rate']} {event['frequency_hz'] / 1e6:.3f} MHz, {event['bytes']} B"
        if event["error"] != "NONE":
            return click.style(f"{'':10}  gateway {event['gateway']} refuses a {text}: {event['error']}", fg="yellow")
        return f"{'':10}  gateway {event['gateway']} takes a {text}"
    words = {"connected": "is connected with", "silent": "hears nothing any more from"}[kind]
    return click.style(f"{'':10}  gateway {event['gateway']} {words} {event['server']}", fg="cyan")


def table(outcome: Outcome) -> list[str]:
    """The report: a row for each node, the sum, the gateways, and what was against the rules."""
    accounts = list(outcome.ledger.accounts.values())
    lines = [click.style(_row([name for name, _width in _COLUMNS]), bold=True)]
    for account in accounts:
        row = account.to_dict()
        rates = ", ".join(f"{count} {rate}" for rate, count in sorted(row["data_rates"].items()))
        snr = "-" if row["snr_db"] is None else f"{row['snr_db']:.1f}"
        cells = [row["node"], str(row["joins"]), str(row["uplinks"]), str(row["lost"]), str(_repeats(row)), rates, snr]
        cells += [f"{row['airtime_s']:.2f}", str(row["downlinks"]), str(row["acknowledged"])]
        lines.append(_row(cells))
    rows = [account.to_dict() for account in accounts]
    total = {name: sum(row[name] for row in rows) for name in ("joins", "uplinks", "lost", "downlinks", "acknowledged")}
    airtime_s = sum(row["airtime_s"] for row in rows)
    cells = ["all", str(total["joins"]), str(total["uplinks"]), str(total["lost"]), str(sum(map(_repeats, rows))), ""]
    cells += ["", f"{airtime_s:.2f}", str(total["downlinks"]), str(total["acknowledged"])]
    lines.append(click.style(_row(cells), bold=True))
    for gateway in outcome.gateways:
        refused = "".join(f", {count} refused ({reason})" for reason, count in gateway["refused"].items())
        lines.append(
            f"gateway {gateway['gateway']}: {gateway['received']} received, {gateway['damaged']} damaged, "
            f"{gateway['deaf']} missed while sending; {gateway['sent']} sent in {gateway['sent_s']:.2f} s{refused}"
        )
    lines.append(f"{outcome.messages} messages, {outcome.alarms} alarms, {outcome.node_seconds:.0f} node seconds")
    if outcome.bad_payloads:
        lines.append(click.style(f"{outcome.bad_payloads} payloads did not decode", fg="red"))
    if outcome.set_aside:
        lines.append(click.style(f"stood still and were set aside: {', '.join(outcome.set_aside)}", fg="red"))
    lines += [click.style(f"against the rules: {text}", fg="red") for text in outcome.violations]
    return lines


def _repeats(row: dict[str, Any]) -> int:
    return int(row["transmissions"] - row["uplinks"] - row["join_requests"])


def _row(cells: Sequence[str]) -> str:
    pairs = zip(cells, _COLUMNS, strict=True)
    return " ".join(f"{cell:<{-width}}" if width < 0 else f"{cell:>{width}}" for cell, (_name, width) in pairs)
