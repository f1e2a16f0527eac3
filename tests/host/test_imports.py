"""Who may know whom (DESIGN section 1), kept true by walking every import statement."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FIRMWARE = ROOT / "firmware"
HOST = ROOT / "host" / "judder"
STAGES = ("sensors", "dsp", "alarm", "message", "store", "link")
# `from judder import decode` names no more than that.
PUBLIC_NAMES = {"Tracker", "__version__", "decode_batch", "encode_command", "explain", "records"}
CHIP_MODULES = {"machine", "network", "esp32"}


def imported_names(source: str) -> Iterator[str]:
    """Every absolute module named by an import statement, those inside functions included."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide who knows whom"
            assert node.module is not None
            yield node.module
            # `from node import dsp` knows node.dsp as much as `import node.dsp` does.
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def imports_below(folder: Path) -> Iterator[tuple[str, str]]:
    for path in sorted(folder.rglob("*.py")):
        if "standin" in path.parts:
            continue  # MicroPython's own modules, imitated; nothing of ours may import them
        for name in imported_names(path.read_text()):
            yield path.relative_to(ROOT).as_posix(), name


def root_of(name: str) -> str:
    return name.split(".")[0]


def test_contract_imports_nothing_of_ours_and_only_what_both_runtimes_have() -> None:
    allowed = {"judder_core", "struct", "binascii"}
    wrong = [(path, name) for path, name in imports_below(FIRMWARE / "judder_core") if root_of(name) not in allowed]
    assert not wrong


def test_stages_of_the_node_do_not_import_each_other() -> None:
    wrong = []
    for stage in STAGES:
        for path, name in imports_below(FIRMWARE / "node" / stage):
            parts = name.split(".")
            if parts[0] == "node" and len(parts) > 1 and parts[1] != stage:
                wrong.append((path, name))
    assert not wrong


@pytest.mark.parametrize("stage", ["dsp", "alarm", "message", "store", "link/lorawan"])
def test_pure_stages_do_not_know_the_chip_the_clock_or_randomness(stage: str) -> None:
    forbidden = CHIP_MODULES | {"time", "random", "os", "socket", "select", "sys"}
    if stage == "dsp":
        forbidden -= {"sys"}  # word-size check at import
    wrong = [(path, name) for path, name in imports_below(FIRMWARE / "node" / stage) if root_of(name) in forbidden]
    assert not wrong


def test_chip_modules_appear_only_at_the_edges() -> None:
    edges = ("firmware/node/hal/", "firmware/node/link/wifi.py", "firmware/node/link/serial.py")
    edges += ("firmware/node/link/radio/spi.py", "firmware/node/link/modem/uart.py")
    edges += ("firmware/node/sensors/bus.py", "firmware/boot.py")
    wrong = [
        (path, name)
        for path, name in imports_below(FIRMWARE)
        if root_of(name) in CHIP_MODULES and not path.startswith(edges)
    ]
    assert not wrong


def test_node_is_never_imported_by_the_host() -> None:
    assert not [(path, name) for path, name in imports_below(HOST) if root_of(name) == "node"]


def test_nothing_imports_the_command_line() -> None:
    wrong = [
        (path, name)
        for path, name in imports_below(HOST)
        if name.startswith("judder.cli") and not path.startswith("host/judder/cli/")
    ]
    assert not wrong


def test_decode_does_no_input_or_output() -> None:
    forbidden = {"os", "io", "pathlib", "socket", "sys", "logging", "time", "serial", "subprocess", "urllib", "asyncio"}
    wrong = [(path, name) for path, name in imports_below(HOST / "decode") if root_of(name) in forbidden]
    assert not wrong


def test_decode_loads_nothing_optional() -> None:
    """At import: cbor2 and the standard library. What a batch needs beyond is imported where it is used."""
    allowed = {"cbor2", "judder", "judder_core", "__future__"} | set(sys.stdlib_module_names)
    needs_extra = ("judder.decode.arrow", "judder.decode.arrow_table", "judder.decode.lockstep")  # by the first batch
    wrong = []
    for path in sorted((HOST / "decode").rglob("*.py")):
        if f"judder.decode.{path.stem}" in needs_extra:
            continue
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                names = set(imported_names(ast.unparse(node)))
                wrong += [(path.name, name) for name in names if root_of(name) not in allowed or name in needs_extra]
    assert not wrong


# Package or module of the data flow -> those of ours it may know. `judder` itself stands for its public names.
FLOW = {
    "errors.py": (),
    "tls.py": ("errors",),
    "flow.py": ("decode", "errors"),
    "decode": ("decode", "errors", "flow"),
    "integrate": ("integrate", "decode", "errors", "flow"),
    "ingest": ("ingest", "decode", "errors", "flow"),
    "sink": ("sink", "integrate", "decode", "errors", "flow", "tls"),
    "gateway": ("gateway", "ingest", "decode", "sink", "errors", "flow", "tls"),
}


@pytest.mark.parametrize("stage", FLOW)
def test_data_flows_one_way(stage: str) -> None:
    path = HOST / stage
    names = imported_names(path.read_text()) if stage.endswith(".py") else (name for _path, name in imports_below(path))
    known = {name.split(".")[1] for name in names if name.startswith("judder.")}
    assert known <= set(FLOW[stage]) | PUBLIC_NAMES, known


def test_esptool_stays_behind_its_adapter() -> None:
    users = {path for path, name in imports_below(HOST) if root_of(name) == "esptool"}
    assert users <= {"host/judder/device/esptool_adapter.py"}


def test_cryptography_stays_behind_the_network_server() -> None:
    users = {path for path, name in imports_below(HOST) if root_of(name) == "cryptography"}
    assert users == {"host/judder/virtual/lorawan/crypto.py"}


def test_import_judder_costs_cbor2_and_the_standard_library_only() -> None:
    program = (
        "import sys; before = set(sys.modules); import judder; judder.decode;"
        "print(*sorted({m.split('.')[0] for m in set(sys.modules) - before}))"
    )
    out = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    foreign = {name for name in out if name not in sys.stdlib_module_names} - {"judder", "judder_core", "cbor2"}
    # Compiled helpers of cbor2 itself carry its name with an underscore in front.
    assert not {name for name in foreign if not name.startswith("_")}


def test_the_rules_notice_a_breach() -> None:
    source = "def f():\n    from node.alarm import threshold\n    import machine\n"
    assert {"node.alarm", "node.alarm.threshold", "machine"} <= set(imported_names(source))
