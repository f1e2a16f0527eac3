"""Settings on trial against every power cut: a node is left with settings that worked or with those being tried."""

from collections.abc import Callable
from typing import Any

from tests.powercut import Cut, Flash, Report, survey

from judder_core import cbor, settings
from node.config import Config
from node.store.records import SECTOR_BYTES, Records

BLANK = b"\xff" * (2 * SECTOR_BYTES)
INTERVAL = settings.row("interval_s")[0]
REVERT = settings.row("revert_after")[0]
PROVISIONED, PROVED, TRIED = 60, 61, 62
TAG = 7


def held(flash: Flash, make: Callable[[Flash], Config]) -> tuple[int, int | None]:
    config = make(flash)
    assert config.provisioned, config.fault or "no settings at all"
    interval_s = config.values["interval_s"]
    assert isinstance(interval_s, int)
    return interval_s, config.trial


def real(flash: Flash) -> Config:
    return Config(Records(flash))


def change(config: Config, interval_s: int) -> None:
    config.change({**cbor.decode(config.payload), INTERVAL: interval_s}, TAG)


def survey_trial(make: Callable[[Flash], Config], ends: str) -> Report:
    """Provisioned; changed and proved once; changed again and then, as `ends` says, proved or taken back."""

    def workload(flash: Flash) -> None:
        Records(flash).save(settings.pack({"interval_s": PROVISIONED, "revert_after": 3}))
        flash.mark("provisioned")
        config = make(flash)
        change(config, PROVED)
        flash.mark("heard")
        config.prove()
        flash.mark("proved")
        change(config, TRIED)
        flash.mark("tried")
        assert getattr(config, ends)() is not False
        flash.mark("over")

    def recover(flash: Flash, cut: Cut) -> Any:
        if "provisioned" not in cut.marks:
            return None
        interval_s, trial = held(flash, make)
        if "proved" not in cut.marks:
            allowed = [(PROVISIONED, None), (PROVED, TAG), (PROVED, None)]
        elif "tried" not in cut.marks:
            allowed = [(PROVED, None), (TRIED, TAG)]
        else:
            end = (TRIED if ends == "prove" else PROVED, None)
            allowed = [end] if "over" in cut.marks else [(TRIED, TAG), end]
        assert (interval_s, trial) in allowed, f"found {interval_s}, trial {trial}"
        if trial is None:
            return None
        # The new settings cut the node off: what worked has to come back, from whatever the cut left.
        config = make(flash)
        back = config.take_back()
        heard = "heard" in cut.marks if interval_s == PROVED else ends == "prove" and "tried" in cut.marks
        assert back or heard, "the settings before are lost, and those on trial never worked"
        if not back:
            assert held(flash, make) == (interval_s, None)
            return None
        worked = PROVISIONED if interval_s == PROVED else PROVED
        assert held(flash, make) == (worked, None)
        return worked

    def judge(flash: Flash, _cut: Cut, worked: Any) -> None:
        if worked is not None:
            interval_s, trial = held(flash, make)
            assert (interval_s == worked and trial is None) or trial == TAG

    return survey(BLANK, workload, recover, judge)


def test_every_power_cut_of_a_trial_that_is_proved() -> None:
    report = survey_trial(real, "prove")
    assert report.failures == []
    assert report.cuts > 10_000


def test_every_power_cut_of_a_trial_that_is_taken_back() -> None:
    report = survey_trial(real, "take_back")
    assert report.failures == []


class ProvesAtOnce(Config):
    """Forgets that settings are on trial."""

    def change(self, record: dict, tag: int) -> None:
        super().change(record, tag)
        self.prove()


class WipesFirst(Config):
    """Makes room before it writes."""

    def change(self, record: dict, tag: int) -> None:
        self.records.wipe()
        super().change(record, tag)


class ChangesTwice(Config):
    """Writes the settings on trial a second time, to be sure: into the slot of those that worked."""

    def change(self, record: dict, tag: int) -> None:
        super().change(record, tag)
        self.records.save(bytes(self.records.load()))


def test_the_survey_catches_what_is_not_safe() -> None:
    for sabotaged in (ProvesAtOnce, WipesFirst, ChangesTwice):
        report = survey_trial(lambda flash, kind=sabotaged: kind(Records(flash)), "prove")
        assert report.failures, sabotaged.__doc__
