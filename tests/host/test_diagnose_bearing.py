"""A bearing's rates: formulas, catalogue numbers, and what people type."""

import subprocess
import sys

import pytest

from judder.diagnose import PARTS, Bearing
from judder.errors import InputError


def test_geometry_of_the_reference() -> None:
    """n = 9, d = 7.94, D = 39.04 mm, angle 0: the numbers every text on the Case Western rig prints."""
    bearing = Bearing.from_geometry(9, 7.94, 39.04)
    assert bearing.ftf == pytest.approx(0.3983, abs=5e-5)
    assert bearing.bpfo == pytest.approx(3.5848, abs=5e-5)
    assert bearing.bpfi == pytest.approx(5.4152, abs=5e-5)
    assert bearing.bsf == pytest.approx(2.3567, abs=1e-4)
    assert bearing.bsf2 == pytest.approx(4.7135, abs=1e-4)


def test_contact_angle() -> None:
    """Rexnord ZA-2115 at 2000 r/min, as published with the run-to-failure data of the University of Cincinnati."""
    bearing = Bearing.known("ZA-2115")
    per_second = 2000 / 60
    assert bearing.bpfo * per_second == pytest.approx(236.4, abs=0.05)
    assert bearing.bpfi * per_second == pytest.approx(296.9, abs=0.05)
    assert bearing.bsf * per_second == pytest.approx(139.9, abs=0.05)
    assert bearing.ftf * per_second == pytest.approx(14.8, abs=0.05)


@pytest.mark.parametrize("name", PARTS)
def test_parts_of_the_table_are_bearings(name: str) -> None:
    """What one source lists must hang together: BPFO + BPFI = n, FTF = BPFO / n, BSF from g, to the digits printed."""
    part = PARTS[name]
    n = round(part.bpfo + part.bpfi)
    assert part.bpfo + part.bpfi == pytest.approx(n, abs=0.002)
    assert part.ftf == pytest.approx(part.bpfo / n, abs=0.001)
    g = (part.bpfi - part.bpfo) / n
    assert part.bsf <= (1 - g * g) / (2 * g) * 1.002  # equal for a contact angle of 0
    assert part.source


def test_6203_from_its_dimensions() -> None:
    """SKF 6203-2RS JEM: 8 balls of 0.2656 in on 1.122 in, from the same page as its multiples."""
    made, listed = Bearing.from_geometry(8, 0.2656, 1.122), Bearing.known("6203")
    for name in ("ftf", "bpfo", "bpfi", "bsf"):
        assert getattr(made, name) == pytest.approx(getattr(listed, name), rel=5e-4), name


@pytest.mark.parametrize(
    "text", ["6205-2RS JEM", "6205-2rs", "6205", "SKF 6205-2RS JEM", "skf6205", "bpfo=3.5848,bpfi=5.4152"]
)
def test_ways_to_name_one_bearing(text: str) -> None:
    bearing = Bearing.parse(text)
    assert (bearing.bpfo, bearing.bpfi) == (3.5848, 5.4152)
    assert bearing.ftf == pytest.approx(0.39828, abs=5e-5)
    assert bearing.bsf == pytest.approx(2.3567, abs=1e-4)


def test_geometry_as_text() -> None:
    assert Bearing.parse("balls=9, ball=7.94, pitch=39.04") == Bearing.from_geometry(9, 7.94, 39.04)
    assert Bearing.parse("balls=16,ball=0.331,pitch=2.815,angle=15.17").bpfo == pytest.approx(7.092, abs=5e-4)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no bearing ''"),
        ("9999", "there are SKF 6205"),
        ("SKF 62", "no bearing"),  # two begin so
        ("bpfo=3.5848", "both needed"),
        ("bpfo=5.4152,bpfi=3.5848", "not below"),
        ("bpfo=107.4,bpfi=162.2", "multiples of shaft speed"),
        ("bpfo=3.5848,bpfi=5.4152,bsf=4.7135", "2 x BSF"),
        ("bpfo=3.5848,bpfi=5.4152,bsf=3.1", "at most 2.356"),
        ("bpfo=3.5848,bpfi=5.4152,ftf=0.6", "ftf = 0.6"),
        ("bpfo=3.5848,bpfi=nan", "above 0"),
        ("bpfo=-1,bpfi=5", "above 0"),
        ("bpfo=3.5848,bpfo=3.5848,bpfi=5.4152", "twice"),
        ("bpfo=three,bpfi=5", "name=number"),
        ("balls=9,ball=7.94", "all needed"),
        ("balls=9.5,ball=7.94,pitch=39.04", "how many"),
        ("balls=2,ball=7.94,pitch=39.04", "3 to 500"),
        ("balls=9,ball=39.04,pitch=7.94", "0 < ball < pitch"),
        ("balls=9,ball=nan,pitch=39.04", "0 < ball < pitch"),
        ("balls=20,ball=7.94,pitch=39.04", "do not fit"),
        ("balls=9,ball=7.94,pitch=39.04,angle=90", "contact angle"),
        ("balls=9,ball=7.94,bpfi=5.4", "not a mixture"),
        ("diameter=3", "not a mixture"),
    ],
)
def test_what_is_no_bearing(text: str, words: str) -> None:
    with pytest.raises(InputError) as raised:
        Bearing.parse(text)
    assert words in str(raised.value)
    assert "\n" not in str(raised.value)


def test_multiples_need_no_numpy() -> None:
    program = (
        "import sys; sys.modules['numpy'] = None; from judder.diagnose import Bearing;"
        "print(Bearing.from_geometry(9, 7.94, 39.04).bpfo)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert float(done.stdout) == pytest.approx(3.5848, abs=5e-5)
