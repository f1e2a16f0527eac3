"""The systemd unit: systemd itself finds nothing wrong with it, little is open in it, and the service keeps its side.

No service manager runs here: what it would hand over and listen for is played by the test.
"""

import os
import shlex
import socket
import subprocess
import sys
from pathlib import Path

from tests.system.daemon import program
from tests.system.gateway_process import GatewayProcess, wait_for

from judder.ingest.broker import free_port

UNIT = Path(__file__).parents[2] / "host" / "integrations" / "systemd" / "judder-gateway.service"
# Of systemd's scale, ten times: 1.2 is "OK"; a service without any hardening has 9.6.
EXPOSURE = "15"


def values(key: str) -> list[str]:
    lines = [line.partition("=") for line in UNIT.read_text().splitlines() if line and not line.startswith("#")]
    return [value for name, _, value in lines if name == key]


def test_systemd_takes_it_and_finds_little_open(tmp_path: Path) -> None:
    analyze = program("systemd-analyze")
    here = tmp_path / UNIT.name
    # Where it is to be installed, there is nothing on this machine.
    here.write_text(UNIT.read_text().replace("/opt/judder/bin/judder", "/bin/true"))
    for command in (["verify"], ["security", "--offline=true", f"--threshold={EXPOSURE}", "--no-pager"]):
        done = subprocess.run([analyze, *command, str(here)], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0 and "judder" not in done.stderr, done.stdout + done.stderr


def test_its_commands_are_ours(tmp_path: Path) -> None:
    (check,), (start,) = values("ExecStartPre"), values("ExecStart")
    assert check.replace(" --check", "") == start.replace(" --json", "")
    path = tmp_path / "gateway.toml"
    path.write_text('[[source]]\ntype = "mqtt"\n[[sink]]\ntype = "sqlite"\n')
    words = shlex.split(check.replace("/etc/judder/gateway.toml", str(path)))[1:]
    environ = {**os.environ, "STATE_DIRECTORY": str(tmp_path / "state")}
    done = subprocess.run(
        [sys.executable, "-m", "judder.cli.main", *words], capture_output=True, text=True, timeout=60, env=environ
    )
    assert done.returncode == 0 and f"data    {tmp_path / 'state'}" in done.stdout


def test_the_service_says_what_systemd_listens_for(tmp_path: Path) -> None:
    program("mosquitto", "/usr/sbin", "/usr/local/sbin")
    state, secrets = tmp_path / "state", tmp_path / "secrets"
    secrets.mkdir()
    (secrets / "pump").write_text("s3cret")
    sections = (
        f'[[source]]\ntype = "broker"\nport = {free_port()}\nusers = {{ pump = {{ credential = "pump" }} }}\n'
        '[[sink]]\ntype = "sqlite"\n'
    )
    gateway = GatewayProcess(tmp_path, sections)
    gateway.path.write_text(gateway.path.read_text().replace('data = "data"\n', ""))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager, gateway:
        address = str(tmp_path / "notify")
        manager.bind(address)
        manager.settimeout(60)
        gateway.start(
            NOTIFY_SOCKET=address,
            WATCHDOG_USEC="400000",
            STATE_DIRECTORY=str(state),
            CREDENTIALS_DIRECTORY=str(secrets),
        )
        said: list[str] = []

        def heard(word: str) -> bool:
            while not any(word in one for one in said):
                said.append(manager.recv(4096).decode())
            return True

        assert heard("READY=1") and said[0].startswith("READY=1\nSTATUS=0 uplinks; ")
        assert heard("WATCHDOG=1")
        assert (state / "spool.db").is_file() and (state / "broker").is_dir()
        assert gateway.stop() == 0 and heard("STOPPING=1")
        wait_for(lambda: gateway.lines("stopped"), "the last line")
