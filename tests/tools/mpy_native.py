"""Machine code inside a .mpy file: its functions, their size, and how many instructions their loops take.

Format: py/persistentcode.c of MicroPython 1.24 to 1.29, .mpy version 6. The count is static: every instruction from a
loop's first to its closing backward branch, those a forward branch may skip included, so it bounds what is executed.
"""

import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass

XTENSA_OBJDUMP = "xtensa-lx106-elf-objdump"

_BYTECODE, _NATIVE_PY, _VIPER, _ASM = 2, 3, 4, 5
# MP_SCOPE_FLAG_VIPERRELOC, VIPERRODATA, VIPERBSS: data sections of natmods, which mpy-cross never emits from Python.
_VIPER_SECTIONS = 0x70


@dataclass(frozen=True)
class Loop:
    """One loop of a function: byte offsets of its first and last instruction, and its instructions as text."""

    start: int
    end: int
    listing: tuple[str, ...]

    @property
    def instructions(self) -> int:
        return len(self.listing)


def functions(source: str, mpy: bytes) -> dict[str, bytes]:
    """Machine code of each viper or native function of a module, by name, constants included.

    A .mpy does not hold names beside the code, so they are read off the source text, in order. ValueError when the
    counts differ or the file is not a version 6 .mpy.
    """
    names = re.findall(r"@micropython\.(?:viper|native)\ndef (\w+)", source)
    return dict(zip(names, _native_code(mpy), strict=True))


def rv32_loops(code: bytes) -> list[Loop]:
    """Loops of rv32imc code, in the order they close."""
    import capstone

    engine = capstone.Cs(capstone.CS_ARCH_RISCV, capstone.CS_MODE_RISCV32 | capstone.CS_MODE_RISCVC)
    listing = list(engine.disasm(code, 0))
    loops = []
    for item in listing:
        target = _branch_target(item.mnemonic, item.op_str, item.address)
        if target is not None and target < item.address:
            body = tuple(f"{i.mnemonic} {i.op_str}" for i in listing if target <= i.address <= item.address)
            loops.append(Loop(target, item.address, body))
    return loops


def xtensa_loops(code: bytes) -> list[Loop]:
    """Loops of xtensawin code, in the order they close, by Debian's binutils for an older Xtensa (XTENSA_OBJDUMP).

    That core has no register windows, so the entry and calls of a function come out as unknown instructions of the
    right length; loops over samples have neither. FileNotFoundError when the tool is not installed.
    """
    tool = shutil.which(XTENSA_OBJDUMP)
    if tool is None:
        raise FileNotFoundError(f"{XTENSA_OBJDUMP} is not installed (Debian: binutils-xtensa-lx106)")
    # The code starts with a jump over its constants: three bytes, opcode 6 and the distance from the fourth on.
    if code[0] & 0x3F != 0x06:
        raise ValueError(f"xtensawin code starts with {code[:3].hex()}, not with a jump over its constants")
    start = 4 + (int.from_bytes(code[:3], "little") >> 6)
    with tempfile.NamedTemporaryFile(prefix="judder-", suffix=".bin") as file:
        file.write(code)
        file.flush()
        argv = [tool, "-D", "-b", "binary", "-m", "xtensa", f"--start-address={start}", file.name]
        text = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    listing = []
    for line in text.splitlines():
        match = re.fullmatch(r"\s*([0-9a-f]+):\t[0-9a-f]+\s*\t(\S+)\s*(.*)", line)
        if match:
            listing.append((int(match[1], 16), match[2], match[3]))
    loops = []
    for address, mnemonic, operands in listing:
        match = re.fullmatch(r"(?:.*, )?0x([0-9a-f]+)", operands)
        if mnemonic[0] in "bj" and match and start <= (target := int(match[1], 16)) < address:
            body = tuple(f"{m} {o}".strip() for a, m, o in listing if target <= a <= address)
            loops.append(Loop(target, address, body))
    return loops


def own_instructions(loops: list[Loop]) -> list[int]:
    """Instructions of each loop that are not in a loop inside it."""
    inside = {loop: [other for other in loops if _within(other, loop)] for loop in loops}
    found = []
    for loop in loops:
        direct = [one for one in inside[loop] if not any(one in inside[other] for other in inside[loop])]
        found.append(loop.instructions - sum(one.instructions for one in direct))
    return found


def _within(inner: Loop, outer: Loop) -> bool:
    return inner is not outer and outer.start <= inner.start and inner.end <= outer.end


def _branch_target(mnemonic: str, operands: str, address: int) -> int | None:
    if mnemonic.removeprefix("c.")[0] not in "bj":
        return None
    match = re.fullmatch(r"(?:.*, )?(-?(?:0x[0-9a-f]+|\d+))", operands)
    # jalr takes its target from a register: mpy-cross emits it for calls and far forward jumps only.
    return None if match is None or "jalr" in mnemonic else address + int(match[1], 0)


def _native_code(mpy: bytes) -> list[bytes]:
    if mpy[:2] != b"M\x06":
        raise ValueError(f"not a version 6 .mpy: starts with {mpy[:2].hex()}")
    reader = _Reader(mpy)
    reader.take(4)
    n_qstr, n_obj = reader.uint(), reader.uint()
    for _ in range(n_qstr):
        length = reader.uint()
        # An odd value is the index of a string every firmware holds.
        if not length & 1:
            reader.take((length >> 1) + 1)
    for _ in range(n_obj):
        _skip_object(reader)
    return list(_raw_code(reader))


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def take(self, count: int) -> bytes:
        if self.at + count > len(self.data):
            raise ValueError(f".mpy ends inside an item at byte {self.at}")
        self.at += count
        return self.data[self.at - count : self.at]

    def uint(self) -> int:
        value = 0
        while True:
            byte = self.take(1)[0]
            value = value << 7 | byte & 0x7F
            if byte < 0x80:
                return value


def _skip_object(reader: _Reader) -> None:
    kind = reader.take(1)[0]
    if kind <= 4:  # function table, None, False, True, Ellipsis
        return
    if kind == 10:  # tuple
        for _ in range(reader.uint()):
            _skip_object(reader)
        return
    length = reader.uint()
    reader.take(length + (1 if kind in (5, 6) else 0))  # str and bytes carry a closing zero


def _raw_code(reader: _Reader) -> Iterator[bytes]:
    head = reader.uint()
    kind = (head & 3) + _BYTECODE
    code = reader.take(head >> 3)
    if kind == _NATIVE_PY:
        reader.uint()
    elif kind in (_VIPER, _ASM):
        if reader.uint() & _VIPER_SECTIONS:
            raise ValueError("data sections in a native function: not something mpy-cross emits")
        if kind == _ASM:
            reader.uint()
            reader.uint()
    if kind != _BYTECODE:
        yield code
    if head & 4:
        for _ in range(reader.uint()):
            yield from _raw_code(reader)
