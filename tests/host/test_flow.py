"""The shared types: what they promise to sinks, and ids as servers write them."""

import copy
import pickle

import pytest

from judder import flow
from judder.decode.records import Reading
from judder.errors import InputError


def test_an_observation_knows_who_and_when() -> None:
    uplink = flow.Uplink("70b3d57ed0000001", b"\x82\x01\x00", 1764043200.5, "mqtt", tags={"hall": "3"})
    seen = flow.Observation(uplink, Reading.of(age_s=5), measured_at=1764043195.5)
    assert (seen.node, seen.received_at, seen.problems) == ("70b3d57ed0000001", 1764043200.5, ())
    assert pickle.loads(pickle.dumps(seen)) == seen == copy.deepcopy(seen)
    with pytest.raises(AttributeError):
        seen.nonesuch = 1  # type: ignore[attr-defined]


def test_uplinks_share_no_tags() -> None:
    first, second = (flow.Uplink("", b"", 0.0, "file") for _ in range(2))
    assert first.tags == {} and first.tags is not second.tags


@pytest.mark.parametrize("text", ["70B3D57ED0000001", "70-b3-d5-7e-d0-00-00-01", "70:B3:D5:7E:D0:00:00:01 "])
def test_node_id_takes_what_servers_write(text: str) -> None:
    assert flow.node_id(text) == "70b3d57ed0000001"


@pytest.mark.parametrize("text", ["", "70b3d57ed000000", "70b3d57ed00000011", "70b3d57ed000000g", "eui-70b3d57ed000"])
def test_node_id_refuses_the_rest(text: str) -> None:
    with pytest.raises(InputError, match="16 hex digits"):
        flow.node_id(text)
