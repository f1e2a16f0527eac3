"""Messages by the table: ranges, truncation to a link's limit, unknown kinds, extra fields."""

from portable import Random, mutate, raises

from judder_core import cbor, codec, schema
from judder_core.errors import DecodeError, EncodeError


def lowest_and_highest(row):
    _name, kind, _unit, _divisor, low, high, _meaning = row
    if kind == "int":
        return low, high
    if kind == "bytes":
        return bytes(low), bytes(high)
    return {}, dict.fromkeys(range(1, high + 1), 0)


def plausible(rng, kind):
    """Random values of a kind that pass every rule."""
    values = []
    for row in schema.fields(kind):
        _name, type_, _unit, _divisor, low, high, _meaning = row
        if type_ == "int":
            values.append(low + rng.below(min(high - low + 1, rng.choose((20, 300, 70000, 0xFFFFFFFF)))))
        elif type_ == "bytes":
            values.append(rng.bytes(2 * (1 + rng.below(20))))
        else:
            values.append({11: rng.below(86401), 3: "label"})
        if rng.below(5) == 0:
            values[-1] = None
    if kind in (schema.READING, schema.ALARM):
        values[0] = rng.choose((0, 0x21, 0x48, 0x1F80, 0x274))
    elif kind == schema.CAPTURE:
        values[1:3] = [2, 3]
        values[8:10] = [4096, 100]
    if values[0] is None:
        values[0] = 1
    return values


KINDS = [number for number, _name, _rows in schema.KINDS]


def test_every_field_takes_its_lowest_and_highest_value():
    for kind, name, rows in schema.KINDS:
        for i in range(len(rows)):
            for value in lowest_and_highest(rows[i]):
                if rows[i][0] == "state" or (name, rows[i][0]) in (("capture", "data"), ("capture", "index")):
                    continue  # their extremes contradict other rules, tested below
                values = [1 if name in ("hello", "spectrum") or j else 0 for j in range(i)] + [value]
                if name == "capture":
                    values = [1, 0, 1, 0, 1, 1, 1, 1, 4096, 0][:i] + [value]
                if i and name in ("reading", "alarm"):
                    values[0] = 0
                decoded = codec.decode(codec.encode(kind, values))
                assert decoded[0] == kind and decoded[1][i] == value, (name, rows[i])


def test_out_of_range_is_an_error_at_both_ends_and_names_the_field():
    for kind, name, rows in schema.KINDS:
        for i in range(len(rows)):
            field, type_, _unit, _divisor, low, high, _meaning = rows[i]
            if type_ != "int":
                continue
            for value in (low - 1, high + 1):
                values = [1] * i + [value]
                error = raises(EncodeError, codec.encode, kind, values)
                assert str(error) == "%s: %s: %d is outside %d..%d" % (name, field, value, low, high)
                error = raises(DecodeError, codec.decode, cbor.encode([kind] + values))
                assert field in error.reason


def test_wrong_types_are_refused():
    for value in (True, False, 1.5, "1", b"1", [1], {1: 1}):
        raises(EncodeError, codec.encode, schema.READING, [0, value])
    for value in (1, "x", [1]):
        raises(EncodeError, codec.encode, schema.COMMAND, [1, 0, None, value])
    for value in ({1: [1]}, {1: None}, {1: True}, {"a": 1}):
        raises(EncodeError, codec.encode, schema.COMMAND, [1, 0, None, value])
    raises(EncodeError, codec.encode, 99, [1])
    raises(EncodeError, codec.encode, schema.ACK, [1, 1, 1, 1, 1])


def test_first_field_is_always_there():
    for kind in KINDS:
        for values in ([], [None], [None, 1]):
            assert "missing" in str(raises(EncodeError, codec.encode, kind, values))
        assert "missing" in raises(DecodeError, codec.decode, cbor.encode([kind])).reason
        assert "null" in raises(DecodeError, codec.decode, cbor.encode([kind, None])).reason


def test_states_that_mean_nothing():
    fault = (schema.STATE_CLIPPED, schema.STATE_LOST, schema.STATE_SENSOR_FAULT)
    bad = [5, 6, 7, 3 << schema.STATE_ALARM_SHIFT] + [1 | bit for bit in fault]
    for state in bad:
        for kind in (schema.READING, schema.ALARM):
            raises(EncodeError, codec.encode, kind, [state])
            assert raises(DecodeError, codec.decode, cbor.encode([kind, state])).offset == 2
    for state in (1 | schema.STATE_BAND_NOT_COVERED, 4 | schema.STATE_NOT_RUNNING, 2 | schema.STATE_CLOCK_NOT_SET):
        assert codec.decode(codec.encode(schema.READING, [state]))[1][0] == state


def test_worst_cases_fit_their_links():
    # LoRaWAN payload limits: 11 bytes on US915 DR0, 51 on EU868 DR0 (regional parameters RP002).
    widest = []
    for row in schema.READING_FIELDS:
        low, high = row[4], row[5]
        widest.append(high if cbor.size(high) >= cbor.size(low) else low)
    widest[0] = 0x1FE0
    assert len(codec.encode(schema.READING, widest[:3])) <= 11
    assert len(codec.encode(schema.READING, widest[:15])) <= 51
    assert codec.decode(codec.encode(schema.READING, widest, 11))[1][:4] == widest[:3] + [None]
    assert codec.decode(codec.encode(schema.READING, widest, 51))[1][:16] == widest[:15] + [None]
    for value in (-0x80000000, 0x7FFFFFFF):
        frame = codec.encode(schema.ALARM, [0x1FE8, 23, value, value, 0xFFFFFFFF, 0xFFFFFFFF], 11)
        assert len(frame) <= 11 and codec.decode(frame)[1][2] == value


def test_truncation_keeps_a_prefix_and_the_longest_that_fits():
    rng = Random(5)
    for _ in range(200):
        kind = rng.choose((schema.HELLO, schema.READING, schema.ALARM, schema.ACK))
        values = plausible(rng, kind)
        whole = codec.encode(kind, values)
        for limit in (11, 24, 25, 26, 51, len(whole) - 1, len(whole)):
            try:
                frame = codec.encode(kind, values, limit)
            except EncodeError:
                # Only because kind and first field alone are longer.
                assert len(codec.encode(kind, values[:1])) > limit
                continue
            assert len(frame) <= limit
            kept = codec.decode(frame)[1]
            count = len(kept)
            while kept[count - 1] is None:
                count -= 1
            assert kept[:count] == values[:count]
            # The next field that is present would not have fitted.
            following = count
            while following < len(values) and values[following] is None:
                following += 1
            if following < len(values):
                assert len(codec.encode(kind, values[: following + 1])) > limit


def test_captures_and_commands_are_never_shortened():
    command = [7, 0, None, {11: 60}]
    whole = codec.encode(schema.COMMAND, command)
    assert codec.encode(schema.COMMAND, command, len(whole)) == whole
    raises(EncodeError, codec.encode, schema.COMMAND, command, len(whole) - 1)
    capture = [1, 0, 1, 0, 1, 1, 1, 1, 4, 0, bytes(8)]
    whole = codec.encode(schema.CAPTURE, capture)
    raises(EncodeError, codec.encode, schema.CAPTURE, capture, len(whole) - 1)
    raises(EncodeError, codec.encode, schema.READING, [0], 2)


def test_an_error_shows_whatever_the_limit():
    raises(EncodeError, codec.encode, schema.READING, [0, 1, 1, 1, 1, 70000], 5)


def test_capture_fragments_lie_within_their_capture():
    good = [1, 1, 2, 0, 3, 9, 266670, 488, 8, 4, bytes(8)]
    assert codec.decode(codec.encode(schema.CAPTURE, good))[1] == good
    for place, value in ((1, 2), (10, bytes(7)), (9, 5), (8, 7)):
        bad = list(good)
        bad[place] = value
        raises(EncodeError, codec.encode, schema.CAPTURE, bad)
        raises(DecodeError, codec.decode, cbor.encode([schema.CAPTURE] + bad))


def test_unknown_kinds_and_extra_fields_are_surfaced():
    assert codec.decode(cbor.encode([99, 1, "x", [None]])) == (99, None, [1, "x", [None]])
    kind, values, extra = codec.decode(cbor.encode([4, 1, 2, 3, 4, 5, "new"]))
    assert (kind, values, extra) == (4, [1, 2, 3, 4], [5, "new"])


def test_round_trip_of_random_messages():
    rng = Random(77)
    for _ in range(1500):
        kind = rng.choose(KINDS)
        values = plausible(rng, kind)
        frame = codec.encode(kind, values)
        assert codec.decode(frame) == (kind, values, [])
        assert cbor.decode(frame)[0] == kind


def test_mutated_frames_end_in_values_or_the_one_error():
    rng = Random(20)
    frames = [codec.encode(kind, plausible(rng, kind)) for kind in KINDS for _ in range(6)]
    accepted = 0
    for _ in range(4000):
        data = mutate(rng, rng.choose(frames))
        try:
            kind, values, extra = codec.decode(data)
        except DecodeError as error:
            assert 0 <= error.offset <= len(data)
            continue
        accepted += 1
        items = [kind] + (extra if values is None else values + extra)
        # What was accepted is the one spelling of what it says, trailing absent fields aside.
        assert cbor.decode(data) == items[: len(cbor.decode(data))]
        assert cbor.encode(cbor.decode(data)) == data
    assert 100 < accepted < 3900


def test_tables_keep_their_promises():
    for number, name, rows in schema.KINDS:
        assert schema.fields(number) is rows
        assert codec.kind_name(number) == name
        names = [row[0] for row in rows]
        assert len(set(names)) == len(names), name
        for _name, type_, _unit, divisor, low, high, meaning in rows:
            assert type_ in ("int", "bytes", "map") and divisor >= 1 and low < high and meaning
    assert schema.fields(99) is None
    assert codec.kind_name(99) == "kind 99"
