"""The host's error tree. Every error says what happened and what to do next, on one line.

JudderError
  EncodeError, DecodeError, SettingsError   from the contract
  InputError       a recording, profile or option that cannot be used          exit 7
  BoardError       board.toml is wrong: names file, key and allowed values     exit 1
  DeviceError      the attached board                                          exit 2, 3, 4
    NoBoard, PortBusy, Refused, WrongChip, FlashError, Timeout, SelfTestFailed
"""

from judder_core.errors import DecodeError, EncodeError, JudderError, SettingsError

__all__ = [
    "BoardError",
    "DecodeError",
    "DeviceError",
    "EncodeError",
    "FlashError",
    "InputError",
    "JudderError",
    "NoBoard",
    "PortBusy",
    "Refused",
    "SelfTestFailed",
    "SettingsError",
    "Timeout",
    "WrongChip",
    "exit_code",
]


class InputError(JudderError):
    """Input data that cannot be used: a recording, a profile, a payload file."""


class BoardError(JudderError):
    """A board.toml that is wrong or an unknown board name."""


class DeviceError(JudderError):
    """Something between this computer and a board."""


class NoBoard(DeviceError):
    """No port, or nothing that answers on it."""


class PortBusy(NoBoard):
    """The port is there and another program holds it."""


class WrongChip(DeviceError):
    """The chip attached is not the one the board description names."""


class FlashError(DeviceError):
    """Writing or verifying flash failed, or an image does not fit."""


class Refused(DeviceError):
    """The node answered and said no."""


class Timeout(DeviceError):
    """The node did not answer in time."""


class SelfTestFailed(DeviceError):
    """The node works and its self-test did not pass. report: what was found, where there is one."""

    def __init__(self, message: str, report: object = None) -> None:
        super().__init__(message)
        self.report = report


# DESIGN: 0 ok, 1 usage, 2 no board, 3 flash or verify, 4 self-test, 5 registration, 6 part of a batch, 7 bad input.
# First match wins, so subclasses stand before their parents.
_EXIT_CODES: tuple[tuple[type[JudderError], int], ...] = (
    (NoBoard, 2),
    (WrongChip, 3),
    (FlashError, 3),
    (SelfTestFailed, 4),
    (Refused, 4),
    (Timeout, 4),
    (DeviceError, 3),
    (DecodeError, 7),
    (SettingsError, 7),
    (EncodeError, 7),
    (InputError, 7),
    (BoardError, 1),
)


def exit_code(error: JudderError) -> int:
    """Exit code of the command line for an error."""
    for kind, code in _EXIT_CODES:
        if isinstance(error, kind):
            return code
    return 1
