"""A rolling bearing as what its defects repeat at: multiples of shaft speed, from geometry, from a table or as given.

With n rolling elements of diameter d on a pitch circle D, contact angle p, g = d / D cos p, inner ring turning:

    FTF  = 1/2 (1 - g)          the cage
    BPFO = n/2 (1 - g)          elements over a point of the outer race
    BPFI = n/2 (1 + g)          elements over a point of the inner race
    BSF  = D/(2d) (1 - g^2)     spin of an element; a dent in it strikes a race twice a turn: 2 x BSF

(e.g. R. B. Randall, J. Antoni, "Rolling element bearing diagnostics - a tutorial", MSSP 25 (2011), section 2.1.)
These hold for rolling without slip; real bearings are 1 to 2 % beside them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from judder.errors import InputError

# What is given with two digits or more belongs together within these; see _checked.
_AGREEMENT = 0.02
_OFF_WHOLE = 0.1


@dataclass(frozen=True)
class Bearing:
    """Multiples of shaft speed. ftf: cage; bpfo, bpfi: outer and inner race; bsf: spin of a rolling element.

    name: the part, or empty. source: where the numbers come from.
    """

    ftf: float
    bpfo: float
    bpfi: float
    bsf: float
    name: str = ""
    source: str = ""

    @property
    def bsf2(self) -> float:
        """2 x BSF: what a defect of a rolling element strikes at."""
        return 2 * self.bsf

    @classmethod
    def from_geometry(
        cls, balls: int, ball: float, pitch: float, angle: float = 0.0, *, name: str = "", source: str = "geometry"
    ) -> Bearing:
        """balls: rolling elements in a row. ball, pitch: diameters, in one unit. angle: contact angle in degrees.

        Raises InputError for what cannot be a bearing.
        """
        if not (isinstance(balls, int) and 3 <= balls <= 500):
            raise InputError(f"balls = {balls}: a bearing has 3 to 500 rolling elements in a row")
        if not all(map(math.isfinite, (ball, pitch, angle))) or not 0 < ball < pitch:
            raise InputError(f"ball = {ball:g}, pitch = {pitch:g}: need 0 < ball < pitch, diameters in the same unit")
        if not 0 <= angle < 90:
            raise InputError(f"angle = {angle:g}: the contact angle is from 0 to below 90 degrees")
        # Neighbours' centres are a chord apart; what overlaps is a slip of the pen (2 % for rounded dimensions).
        if pitch * math.sin(math.pi / balls) < 0.98 * ball:
            raise InputError(f"{balls} balls of {ball:g} do not fit on a pitch circle of {pitch:g}; check the numbers")
        g = ball / pitch * math.cos(math.radians(angle))
        return cls(
            ftf=(1 - g) / 2,
            bpfo=balls * (1 - g) / 2,
            bpfi=balls * (1 + g) / 2,
            bsf=pitch / (2 * ball) * (1 - g * g),
            name=name,
            source=source,
        )

    @classmethod
    def from_multiples(
        cls, bpfo: float, bpfi: float, ftf: float | None = None, bsf: float | None = None, *, name: str = ""
    ) -> Bearing:
        """As catalogues list them. ftf follows from the other two; bsf does too where the contact angle is 0.

        Raises InputError for numbers that are not of one bearing, the usual mix-ups named.
        """
        return _checked(bpfo, bpfi, ftf, bsf, name)

    @classmethod
    def known(cls, part: str) -> Bearing:
        """A part of the table below, by its number with or without the maker, or the beginning of it.

        Raises InputError naming the parts there are.
        """
        wanted = _bare(part)
        found = [name for name in PARTS if wanted and any(word.startswith(wanted) for word in _names(name))]
        exact = [name for name in found if wanted in _names(name)]
        if len(exact or found) != 1:
            raise InputError(
                f"no bearing '{part}' (there are {', '.join(PARTS)}); give its geometry, "
                "balls=9,ball=7.94,pitch=39.04, or its multiples, bpfo=3.585,bpfi=5.415"
            )
        return PARTS[(exact or found)[0]]

    @classmethod
    def parse(cls, text: str) -> Bearing:
        """A part number; or `balls=9,ball=7.94,pitch=39.04[,angle=0]`; or `bpfo=3.585,bpfi=5.415[,ftf=...][,bsf=...]`.

        Raises InputError.
        """
        if "=" not in text:
            return cls.known(text)
        values = _numbers(text)
        if set(values) <= {"bpfo", "bpfi", "ftf", "bsf"}:
            if not {"bpfo", "bpfi"} <= set(values):
                raise InputError(f"bearing {text}: bpfo and bpfi are both needed; ftf and bsf may follow")
            return _checked(values["bpfo"], values["bpfi"], values.get("ftf"), values.get("bsf"), "")
        if set(values) <= {"balls", "ball", "pitch", "angle"}:
            if not {"balls", "ball", "pitch"} <= set(values):
                raise InputError(f"bearing {text}: balls, ball and pitch are all needed; angle may follow")
            if values["balls"] != int(values["balls"]):
                raise InputError(f"bearing {text}: balls is how many rolling elements there are")
            return cls.from_geometry(int(values["balls"]), values["ball"], values["pitch"], values.get("angle", 0.0))
        raise InputError(f"bearing {text}: use balls, ball, pitch, angle, or bpfo, bpfi, ftf, bsf, not a mixture")

    def to_dict(self) -> dict[str, object]:
        """For JSON."""
        return {
            "name": self.name,
            "source": self.source,
            "ftf": round(self.ftf, 5),
            "bpfo": round(self.bpfo, 5),
            "bpfi": round(self.bpfi, 5),
            "bsf": round(self.bsf, 5),
            "bsf2": round(self.bsf2, 5),
        }


def _checked(bpfo: float, bpfi: float, ftf: float | None, bsf: float | None, name: str, source: str = "") -> Bearing:
    given = [value for value in (bpfo, bpfi, ftf, bsf) if value is not None]
    if not all(math.isfinite(value) and 0 < value < 1000 for value in given):
        raise InputError("multiples of shaft speed are numbers above 0, such as bpfo=3.585,bpfi=5.415")
    if bpfo >= bpfi:
        raise InputError(f"bpfo = {bpfo:g} is not below bpfi = {bpfi:g}: the inner race meets more elements per turn")
    # From the formulas: BPFO + BPFI = n, BPFI - BPFO = n g, FTF = BPFO / n, and BSF = (1 - g^2) cos p / (2 g).
    n = bpfo + bpfi
    g = (bpfi - bpfo) / n
    if not 2.9 < n < 500 or abs(n - round(n)) > _OFF_WHOLE:
        raise InputError(
            f"bpfo + bpfi = {n:g} must be the number of rolling elements; are both multiples of shaft speed?"
        )
    cage, spin = bpfo / n, (1 - g * g) / (2 * g)
    if ftf is not None and abs(ftf - cage) > _AGREEMENT * cage:
        raise InputError(f"ftf = {ftf:g} does not belong to bpfo and bpfi, which make it {cage:.4f}; leave it out")
    if bsf is not None and bsf > (1 + 2 * _AGREEMENT) * spin:
        hint = "that is 2 x BSF: give half of it" if abs(bsf / spin - 2) < 0.1 else f"at most {spin:.4f} is possible"
        raise InputError(f"bsf = {bsf:g} does not belong to bpfo and bpfi: {hint}")
    return Bearing(
        ftf=cage if ftf is None else ftf,
        bpfo=bpfo,
        bpfi=bpfi,
        bsf=spin if bsf is None else bsf,
        name=name,
        source=source or "given",
    )


def _numbers(text: str) -> dict[str, float]:
    values: dict[str, float] = {}
    for part in text.split(","):
        name, _, number = part.partition("=")
        name = name.strip().lower()
        if name in values:
            raise InputError(f"bearing {text}: {name} is there twice")
        try:
            values[name] = float(number)
        except ValueError:
            raise InputError(f"bearing {text}: '{part.strip()}' is not name=number") from None
    return values


def _bare(text: str) -> str:
    return "".join(letter for letter in text.lower() if letter.isalnum())


def _names(name: str) -> tuple[str, str]:
    """With and without the maker."""
    return _bare(name), _bare(name.partition(" ")[2])


_CWRU = "Case Western Reserve University Bearing Data Center, bearing information"
_TIMKEN = "Timken ball bearing housed unit catalogue, table A-9, frequency coefficients"
_QIU = "Qiu, Lee, Lin, Yu, Journal of Sound and Vibration 289 (2006), dimensions in inches"

# Facts from the named sources. The same number from another maker may have other elements inside.
PARTS: Mapping[str, Bearing] = {
    "SKF 6205-2RS JEM": _checked(3.5848, 5.4152, 0.39828, 2.3567, "SKF 6205-2RS JEM", _CWRU),
    # There the rolling element is listed as 3.9874, which is 2 x BSF.
    "SKF 6203-2RS JEM": _checked(3.0530, 4.9469, 0.3817, 3.9874 / 2, "SKF 6203-2RS JEM", _CWRU),
    "LDK UER204": Bearing.from_geometry(8, 7.92, 34.55, name="LDK UER204", source="XJTU-SY bearing data sets"),
    "Rexnord ZA-2115": Bearing.from_geometry(16, 0.331, 2.815, 15.17, name="Rexnord ZA-2115", source=_QIU),
    "Timken 204K": _checked(3.052, 4.948, 0.382, 1.992, "Timken 204K", _TIMKEN),
    "Timken 205K": _checked(3.574, 5.426, 0.397, 2.328, "Timken 205K", _TIMKEN),
    "Timken 206K": _checked(3.568, 5.432, 0.396, 2.311, "Timken 206K", _TIMKEN),
    "Timken 207K": _checked(3.565, 5.435, 0.396, 2.303, "Timken 207K", _TIMKEN),
    "Timken 208K": _checked(3.547, 5.453, 0.394, 2.256, "Timken 208K", _TIMKEN),
    "Timken 209K": _checked(3.621, 5.379, 0.402, 2.461, "Timken 209K", _TIMKEN),
    "Timken 210K": _checked(4.093, 5.907, 0.409, 2.665, "Timken 210K", _TIMKEN),
}
