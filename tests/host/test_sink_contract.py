"""What every sink has in common: the list of them, their options, what they take, the id of a row."""

import re
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from tests.host import sinks

from judder import sink
from judder.decode.records import Record
from judder.errors import InputError
from judder.flow import Observation
from judder.sink import rows
from judder.sink.base import BaseSink


def test_names_are_those_of_the_modules() -> None:
    folder = Path(sink.__file__).parent
    found = {path.stem for path in folder.glob("*.py") if "\nPLUGIN = " in path.read_text()}
    assert found == set(sink.names())


@pytest.mark.parametrize("name", sink.names())
def test_a_plugin_is_its_name_and_options_with_a_word_each(name: str) -> None:
    plugin = sink.load(name)
    assert issubclass(plugin.options, sink.SinkOptions)
    described = " ".join(cls.__doc__ or "" for cls in plugin.options.__mro__)
    for key in plugin.options.__dataclass_fields__:
        assert re.search(rf"\b{key}\b", described), key


def test_an_unknown_name_gets_the_nearest() -> None:
    with pytest.raises(InputError, match="no sink 'ndjsn'; did you mean 'ndjson'"):
        sink.load("ndjsn")
    with pytest.raises(InputError, match="no sink 'xyz'; There are ndjson"):
        sink.load("xyz")


def test_an_unknown_kind_names_the_key() -> None:
    with pytest.raises(InputError, match="kinds: 'readings' is not one of reading, alarm"):
        sink.SinkOptions(kinds=("readings",))
    with pytest.raises(InputError, match="batch_size: 0"):
        sink.SinkOptions(batch_size=0)


def test_kinds_are_those_of_records() -> None:
    def below(cls: type[Record]) -> set[str]:
        return {cls.kind} | {kind for sub in cls.__subclasses__() for kind in below(sub)}

    assert below(Record) - {""} == set(sink.KINDS)


def test_duplicates_and_other_kinds_are_left_out() -> None:
    class Silent(BaseSink):
        name = "silent"
        KINDS = ("reading", "alarm")

    twice = sinks.reading(1, problems=("late", "duplicate"))
    usual, all_, alarms = (
        Silent(o) for o in (sink.SinkOptions(), sink.SinkOptions(duplicates=True), sink.SinkOptions(kinds=("alarm",)))
    )
    assert [s.takes(twice) for s in (usual, all_, alarms)] == [False, True, False]
    assert [s.takes(sinks.alarm()) for s in (usual, all_, alarms)] == [True, True, True]
    assert [s.takes(sinks.hello()) for s in (usual, all_, alarms)] == [False, False, False]


class Mine(BaseSink):
    name = "mine"

    def write(self, batch: object) -> None: ...


MINE = sink.Plugin(sink.SinkOptions, Mine)


def test_plug_ins_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    points = [
        EntryPoint("mine", "tests.host.test_sink_contract:MINE", sink.ENTRY_POINTS),
        EntryPoint("broken", "tests.host.nonesuch:PLUGIN", sink.ENTRY_POINTS),
        EntryPoint("wrong", "tests.host.test_sink_contract:Mine", sink.ENTRY_POINTS),
    ]

    def found(*, group: str, name: str | None = None) -> list[EntryPoint]:
        assert group == "judder.sinks"
        return [point for point in points if name in (None, point.name)]

    monkeypatch.setattr(sink, "entry_points", found)
    assert sink.names()[-3:] == ("broken", "mine", "wrong")
    assert sink.load("mine").make(sink.SinkOptions()).name == "mine"
    with pytest.raises(InputError, match=r"broken.*nonesuch"):
        sink.load("broken")
    with pytest.raises(InputError, match=r"'wrong'.*Plugin is expected"):
        sink.load("wrong")


def test_an_id_is_that_of_the_uplink() -> None:
    first = rows.identity(sinks.reading(1))
    assert first == rows.identity(sinks.reading(1)) and first.version == 5
    others = [
        sinks.reading(2),
        sinks.reading(1, node=sinks.OTHER),
        sinks.reading(1, received_at=sinks.T0 + 60.001),
        sinks.reading(1, fcnt=0),
        sinks.reading(1, session="a"),
    ]
    assert len({first, *map(rows.identity, others)}) == 6
    # What the Tracker says of it makes it no other.
    assert first == rows.identity(sinks.reading(1, problems=("late",)))


@pytest.mark.parametrize(
    ("measured_at", "heard_at", "problems", "expected"),
    [
        (5.0, 9.0, (), 5.0),
        (None, 9.0, (), 9.0),
        (None, 9.0, ("clock-ahead",), 9.0),
        (None, None, ("clock-ahead",), None),
        (None, None, ("clock-behind",), None),
        (None, None, ("late",), 12.0),
    ],
)
def test_when_it_was_true(
    measured_at: float | None, heard_at: float | None, problems: tuple[str, ...], expected: float | None
) -> None:
    uplink = sinks.reading(1, received_at=12.0).uplink
    assert Observation(uplink, sinks.reading(1).record, measured_at, problems, heard_at).at == expected


def test_no_field_of_a_record_hides_one_of_the_row() -> None:
    for observation in sinks.one_of_each():
        row = rows.nested(observation)
        own = observation.record.to_dict()
        assert {name: row[name] for name in own} == own
        assert row["node"] == sinks.NODE and row["payload"] == observation.uplink.payload.hex()


def test_importing_every_sink_costs_no_optional_package() -> None:
    program = (
        "import sys; from judder import sink\n"
        "before = set(sys.modules)\n"
        "for name in sink.names(): sink.load(name)\n"
        "print(*sorted({m.split('.')[0] for m in set(sys.modules) - before} - set(sys.stdlib_module_names)))"
    )
    out = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert set(out) <= {"judder", "judder_core", "cbor2"}
