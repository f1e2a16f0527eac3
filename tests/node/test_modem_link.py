"""Both modems behind the link's contract: joining, sending, downlinks, sleep, what survives. On CPython, against the
models of judder.virtual.modems."""

from __future__ import annotations

from typing import Any

import pytest
from modem_bench import APP_KEY, JOIN_EUI, KINDS, NODE_ID, Bench, Table, command, message

from judder.virtual.modems.network import Answer, Downlink
from judder_core import schema

both = pytest.mark.parametrize("kind", list(KINDS))
LONG = message(schema.COMMAND, 242)
FAST = {"lorawan_data_rate": 5}  # a frame takes 0.06 s, so that the duty cycle is over in a few


def joined(kind: str, settings: dict[str, Any] | None = None, **options: Any) -> Bench:
    bench = Bench(kind, {**FAST, **(settings or {})}, **options)
    bench.join()
    bench.idle(15)  # the join request has used up the duty cycle
    return bench


@both
def test_joins_with_what_the_settings_say(kind: str) -> None:
    bench = Bench(kind)
    assert not bench.link.ready()
    bench.join()
    ((identity, data_rate, _),) = bench.network.joins
    assert (identity.dev_eui, identity.join_eui, identity.app_key) == (NODE_ID, JOIN_EUI, APP_KEY)
    assert (identity.region, data_rate) == ("eu868", 0)
    assert bench.said == [f"modem: {bench.link.CHIP}: joined as 024A44FFFE000001, firmware {bench.model.version}"]
    assert (dict(bench.link.report())["joins"], bench.link.failures) == (1, 0)


@both
def test_dev_eui_of_the_settings_comes_before_the_nodes_id(kind: str) -> None:
    own = bytes.fromhex("0004A30B001A2B3C")
    bench = Bench(kind, {"dev_eui": own}, Table({own: (JOIN_EUI, APP_KEY)}))
    bench.join()
    assert bench.network.joins[0][0].dev_eui == own


@both
@pytest.mark.parametrize("confirmed", [True, False])
def test_messages_on_the_port_of_their_kind(kind: str, confirmed: bool) -> None:
    bench = joined(kind)
    sent = [message(number) for number in (schema.READING, schema.ALARM, schema.HELLO, schema.ACK, schema.SPECTRUM)]
    for one in sent:
        assert bench.send(one, confirmed)
        bench.idle(15)
    assert bench.network.messages == [(number, one) for number, one in zip((2, 3, 1, 5, 6), sent, strict=True)]
    assert {uplink.confirmed for uplink in bench.network.uplinks} == {confirmed}
    assert bench.link.failures == 0


@both
@pytest.mark.parametrize("chunk", [1, 3])
@pytest.mark.parametrize("take", [1, 7])
def test_any_chunking_means_the_same(kind: str, chunk: int, take: int) -> None:
    network = Table(answers=[Answer(acknowledged=True, downlink=command(9))])
    bench = joined(kind, network=network, chunk=chunk, take=take)
    assert bench.send(message())
    bench.run(bench.link.ready)
    assert bench.link.poll() == [command(9).payload]
    assert bench.network.messages == [(1, message())]
    assert (bench.link.failures, bench.link.refused) == (0, 0)


@both
def test_longest_message(kind: str) -> None:
    bench = joined(kind)
    assert bench.link.limit() == 242
    long = message(schema.READING, 242)
    assert bench.send(long)
    assert bench.network.messages == [(2, long)]
    bench.run(bench.link.ready)
    assert bench.link.send(message(schema.READING, 243), True) is False


@both
def test_downlinks_with_and_without_acknowledgement(kind: str) -> None:
    answers = [
        Answer(acknowledged=True, downlink=command(1)),
        Answer(downlink=command(2)),
        Answer(downlink=Downlink(17, LONG, window=2)),
    ]
    bench = joined(kind, network=Table(answers=answers))
    for confirmed, payload in ((True, command(1).payload), (False, command(2).payload), (False, LONG)):
        assert bench.send(message(), confirmed)
        bench.idle(15)
        assert bench.link.poll() == [payload]
        assert bench.link.poll() == []


@both
def test_a_confirmed_downlink_is_answered_and_more_is_fetched(kind: str) -> None:
    first = Downlink(17, command(1).payload, confirmed=True)
    bench = joined(kind, network=Table(answers=[Answer(acknowledged=True, downlink=first, pending=True)]))
    assert bench.send(message())
    bench.idle(20)
    assert bench.link.poll() == [first.payload]
    # The next message goes out whatever the modem did by itself meanwhile.
    bench.deliver(message(schema.ALARM))
    assert bench.network.messages == [(1, message()), (3, message(schema.ALARM))]


@both
def test_downlinks_nobody_can_use_are_counted(kind: str) -> None:
    answers = [
        Answer(acknowledged=True, downlink=Downlink(17, command(1).payload, multicast=True)),
        Answer(acknowledged=True, downlink=Downlink(224, b"\x01")),
        *[Answer(acknowledged=True, downlink=command(number)) for number in range(5)],
    ]
    bench = joined(kind, network=Table(answers=answers))
    for _ in range(7):
        assert bench.send(message())
        bench.idle(15)
    assert bench.link.refused == 3, "multicast, a port of the MAC, one too many"
    assert bench.link.poll() == [command(number).payload for number in range(4)]


@both
def test_a_lost_acknowledgement_fails_and_the_message_goes_again(kind: str) -> None:
    bench = joined(kind, network=Table(losses=1))
    assert bench.send(message()) is False
    assert bench.link.failures == 1
    bench.idle(15)
    assert bench.send(message()) is True
    assert bench.network.messages == [(1, message())] * 2


@both
def test_second_start_writes_only_what_it_cannot_read(kind: str) -> None:
    bench = joined(kind)
    before = len(bench.wire.commands())
    writes = getattr(bench.model, "writes", 0)
    bench.link = bench.make()
    bench.join()
    given = [line for line in bench.wire.commands()[before:] if "=" in line and "=?" not in line]
    names = {line.split("=")[0] for line in given}
    assert names <= {"AT+JOIN", "AT+KEY", "AT+LW", "AT+ID"}
    assert getattr(bench.model, "writes", 0) == writes, "flash of the modem"


@both
def test_waking_up_does_not_join_again(kind: str) -> None:
    bench = joined(kind, {"mode": 0})
    assert bench.send(message())
    bench.run(bench.link.ready)
    bench.link.close()
    session = bench.link.session()
    assert len(session) <= 32
    bench.time.sleep_ms(60_000)
    bench.link = bench.make(session, 60_000)
    woke_us = bench.time.now_us
    bench.join()
    assert bench.time.now_us - woke_us < 1_500_000
    assert bench.send(message(schema.READING))
    assert len(bench.network.joins) == 1
    assert bench.network.messages == [(1, message()), (2, message(schema.READING))]


@both
def test_another_identity_joins_even_if_the_node_slept_before_the_modem_could(kind: str) -> None:
    bench = joined(kind, {"mode": 0})
    key = bytes(range(16, 32))
    bench.settings["app_key"] = key
    bench.network.devices[NODE_ID] = (JOIN_EUI, key)
    # Used up: the modem refuses to join at once.
    assert bench.send(message(schema.READING, 51))
    bench.link = bench.make()
    bench.run(bench.link.pause_ms)
    session = bench.link.session()
    assert len(bench.network.joins) == 1
    bench.link.close()
    bench.time.sleep_ms(3_600_000)
    bench.link = bench.make(session, 3_600_000)
    bench.join()
    assert [identity.app_key for identity, _, _ in bench.network.joins] == [APP_KEY, key]


@both
@pytest.mark.parametrize(("confirm", "asked"), [(0, [False, False]), (1, [False, True]), (2, [True, True])])
def test_the_setting_says_what_is_confirmed(kind: str, confirm: int, asked: list[bool]) -> None:
    bench = joined(kind, {"lorawan_confirm": confirm})
    for number in (schema.READING, schema.ALARM):
        assert bench.send(message(number), False)
        bench.idle(15)
    assert [uplink.confirmed for uplink in bench.network.uplinks] == asked


@both
def test_what_it_tells_of_the_radio(kind: str) -> None:
    down = Downlink(17, command(1).payload, rssi_dbm=-117, snr_db=-6)
    bench = joined(kind, network=Table(answers=[Answer(acknowledged=True, downlink=down, data_rate=3)]))
    report = {"joins": 1, "join_failures": 0, "downlinks": 0, "data_rate": 5, "rssi": None, "snr": None}
    assert dict(bench.link.report()) == report
    assert (bench.link.proofs, bench.link.fault) == (1, False)
    assert bench.send(message())
    bench.run(bench.link.ready)
    assert dict(bench.link.report()) == report | {"downlinks": 1, "data_rate": 3, "rssi": -117, "snr": -24}
    assert bench.link.proofs == 3, "joined, acknowledged, a downlink"


@both
def test_keys_do_not_stand_in_what_is_kept(kind: str) -> None:
    bench = joined(kind)
    assert APP_KEY not in bench.link.session()
    assert not any(APP_KEY[at : at + 4] in bench.link.session() for at in range(13))


@both
def test_what_is_kept_counts_only_for_the_same_settings(kind: str) -> None:
    bench = joined(kind)
    session = bench.link.session()
    key = bytes(range(16, 32))
    bench.settings["app_key"] = key
    bench.network.devices[NODE_ID] = (JOIN_EUI, key)
    bench.idle(60)
    bench.link = bench.make(session, 1000)
    bench.join()
    assert [identity.app_key for identity, _, _ in bench.network.joins] == [APP_KEY, key]


@both
@pytest.mark.parametrize("session", [b"", b"x", bytes(20), b"\xff" * 20, bytes(200)])
def test_garbage_in_rtc_memory_is_a_fresh_start(kind: str, session: bytes) -> None:
    bench = Bench(kind, FAST)
    bench.link = bench.make(session)
    bench.join()
    assert len(bench.network.joins) == 1


@both
def test_a_modem_that_lost_power_while_the_node_slept_joins_again(kind: str) -> None:
    bench = joined(kind, {"mode": 0})
    bench.link.close()
    session = bench.link.session()
    bench.time.sleep_ms(3_600_000)
    bench.model.reset(bench.time.now_us - 1_000_000)
    bench.link = bench.make(session, 3_600_000)
    bench.deliver(message())
    assert bench.network.messages == [(1, message())]
    assert len(bench.network.joins) == 2


@both
def test_personalised(kind: str) -> None:
    address, keys = bytes.fromhex("26011BDA"), (bytes(range(16)), bytes(range(16, 32)))
    settings = {"lorawan_activation": 1, "dev_addr": address, "nwk_s_key": keys[0], "app_s_key": keys[1]}
    settings |= {"lorawan_rx1_delay_s": 5, "lorawan_rx2_data_rate": 3, "lorawan_rx2_hz": 869_525_000}
    bench = Bench(kind, settings, Table(sessions={address}))
    bench.join()
    assert bench.network.joins == []
    session = bench.model.station.session
    assert (session.dev_addr, session.nwk_s_key, session.app_s_key, session.rx1_delay_s) == (address, *keys, 5)
    rx2 = {"rak3172": {"RX2DR": "3", "RX2FQ": "869525000"}, "wioe5": {"RXWIN2": "869.525000,DR3"}}[kind]
    assert rx2.items() <= bench.model.settings.items()
    assert bench.send(message())
    assert bench.network.messages == [(1, message())]


@both
def test_close_ends_what_is_under_way_and_the_next_step_starts_again(kind: str) -> None:
    bench = joined(kind, {"mode": 0})
    assert bench.link.send(message(), True) is None
    bench.idle(0.5)
    bench.link.close()
    assert bench.link.outcome() is False
    assert not bench.link.ready()
    bench.run(bench.link.ready)
    bench.idle(15)
    assert bench.send(message())
    assert len(bench.network.joins) == 1


@both
def test_steps_wait_no_longer_than_they_may_and_look_no_oftener_than_needed(kind: str) -> None:
    bench = Bench(kind, FAST)
    reads = 0
    real = bench.wire.readinto

    def counting(buffer: bytearray) -> int | None:
        nonlocal reads
        reads += 1
        return real(buffer)

    bench.wire.readinto = counting  # type: ignore[method-assign]
    for wait_ms in (0, 1, 20, 50) * 200:
        began_us = bench.time.now_us
        bench.link.step(wait_ms)
        assert bench.time.now_us - began_us <= (wait_ms + 2) * 1000
    bench.join()
    reads, began_s = 0, bench.now_s
    bench.idle(60)
    assert reads / (bench.now_s - began_s) <= 150


@both
def test_ticks_that_wrap_change_nothing(kind: str) -> None:
    wrap_us = (1 << 30) * 1000
    for before_s in (0.1, 3, 9, 30):
        bench = Bench(kind, FAST)
        bench.time.now_us = wrap_us - int(before_s * 1e6)
        bench.model.reset(bench.time.now_us - 1_000_000)
        bench.link = bench.make()
        bench.join()
        bench.idle(15)
        assert bench.send(message())
        assert bench.link.failures == 0


@both
def test_a_pause_long_over_does_not_come_back_when_ticks_wrap(kind: str) -> None:
    bench = joined(kind)
    assert bench.link.send(message(), True) is None
    bench.run(lambda: bench.link.outcome() is not None)
    for _ in range(9):  # a day each
        bench.time.sleep_ms(86_400_000)
        bench.link.step(0)
        assert bench.link.ready() or bench.run(bench.link.ready, 5)
