"""Help with bearings: is a waveform consistent with a defect of this bearing at this speed, and on what evidence?

    from judder.diagnose import Bearing, diagnose

    bearing = Bearing.from_geometry(balls=9, ball=7.94, pitch=39.04)     # or Bearing.known("6205-2RS")
    found = diagnose(samples, rate_hz=12000, rpm=1797, bearing=bearing)  # one axis, any unit
    print(*found.lines(), sep="\\n")                                      # "consistent with an outer-race defect", ...

diagnose() needs numpy (in the extra `sim`); the multiples of a bearing need nothing.
"""

from judder.diagnose.bearing import PARTS, Bearing
from judder.diagnose.match import Evidence, Finding
from judder.diagnose.verdict import Diagnosis, diagnose

__all__ = ["PARTS", "Bearing", "Diagnosis", "Evidence", "Finding", "diagnose"]
