"""Real mpremote, library and command line, and our wrapper of it, against the virtual board over RFC 2217 and a pty."""

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from run_board import Recorded, make_flash

from judder.device import ports
from judder.device.repl import Repl
from judder.errors import NoBoard, PortBusy, Refused, Timeout

LOOP = "import time\nprint('running')\nwhile True: time.sleep(1)\n"
STUBBORN = "import micropython\nmicropython.kbd_intr(-1)\nprint('deaf')\nwhile True: pass\n"


@pytest.fixture(params=["rfc2217", "pty"])
def board(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Recorded]:
    """A board whose main.py loops for ever, on either kind of port; paced, so that the loop leaves others some time."""
    flash = make_flash(tmp_path / "flash.bin", main=LOOP)
    with Recorded(flash, clock="virtual", pace=20, pty=request.param == "pty") as recorded:
        recorded.wait("running")
        yield recorded


@pytest.fixture
def idle(tmp_path: Path) -> Iterator[Recorded]:
    with Recorded(make_flash(tmp_path / "flash.bin", main=""), clock="virtual") as recorded:
        recorded.wait(">>> $")
        yield recorded


def mpremote(board: Recorded, *arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """The command line, with the quick RFC 2217 client in its path as judder has it."""
    program = (
        "import sys\nfrom judder.device import ports\nports.enable_fast_rfc2217()\n"
        "from mpremote.main import main\nsys.exit(main())"
    )
    command = [sys.executable, "-c", program, "connect", board.board.port, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=cwd, check=False)


# --- mpremote's command line


def test_mpremote_runs_code_and_reports_exceptions(board: Recorded) -> None:
    done = mpremote(board, "exec", "print(6 * 7)")
    assert (done.returncode, done.stdout.strip()) == (0, "42")
    failed = mpremote(board, "exec", "1/0")
    assert failed.returncode == 1
    assert "ZeroDivisionError" in failed.stdout + failed.stderr


def test_mpremote_copies_both_ways_every_byte(board: Recorded, tmp_path: Path) -> None:
    data = bytes(range(256)) * 20
    (tmp_path / "out.bin").write_bytes(data)
    done = mpremote(
        board, "cp", str(tmp_path / "out.bin"), ":data.bin", "+", "cp", ":data.bin", str(tmp_path / "in.bin")
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "in.bin").read_bytes() == data
    listed = mpremote(board, "fs", "ls")
    assert "5120 data.bin" in listed.stdout


def test_mpremote_mounts_a_folder_and_imports_from_it(board: Recorded, tmp_path: Path) -> None:
    (tmp_path / "greeting.py").write_text("text = 'from the host'\n")
    (tmp_path / "blob.bin").write_bytes(bytes(range(256)) * 3)
    code = "import greeting; print(greeting.text, open('/remote/blob.bin', 'rb').read() == bytes(range(256)) * 3)"
    done = mpremote(board, "mount", str(tmp_path), "exec", code)
    assert "from the host True" in done.stdout, done.stdout + done.stderr


def test_mpremote_soft_resets(board: Recorded) -> None:
    done = mpremote(board, "soft-reset", "exec", "import machine; print('cause', machine.reset_cause())")
    assert "cause 5" in done.stdout, done.stdout + done.stderr


# --- our wrapper


def test_entering_stops_the_program_and_exec_answers(board: Recorded) -> None:
    with Repl(board.board.port) as repl:
        repl.enter()
        assert repl.exec("print('a'); print('b')") == "a\nb\n"
        assert repl.eval_json("print('noise')\nimport json; print(json.dumps({'x': [1, 2]}))") == {"x": [1, 2]}
        repl.put("note.bin", bytes(range(256)))
        assert repl.get("note.bin") == bytes(range(256))
        repl.exec("kept = 1")
        repl.soft_reset()
        assert repl.exec("print('kept' in globals())") == "False\n"
    assert board.board.counters.boots == 1


def test_exceptions_of_the_node_become_refused(idle: Recorded) -> None:
    with Repl(idle.board.port) as repl:
        with pytest.raises(Refused, match="the node raised ValueError: too much") as caught:
            repl.exec("def f():\n raise ValueError('too much')\nf()")
        assert "line 2, in f" in caught.value.__notes__[0]
        with pytest.raises(Refused, match="answered 'hello' where JSON"):
            repl.eval_json("print('hello')")
        with pytest.raises(Refused, match="answered 'nothing'"):
            repl.eval_json("pass")
        with pytest.raises(Refused, match=r"the node refused: not_there\.txt"):
            repl.get("not_there.txt")
        assert repl.exec("print(1)") == "1\n"


def test_silence_is_a_timeout_and_the_repl_recovers(idle: Recorded) -> None:
    with Repl(idle.board.port) as repl:
        repl.enter()
        with pytest.raises(Timeout, match="fell silent"):
            repl.exec("while True: pass", timeout_s=0.5)
        assert repl.exec("print('again')") == "again\n"


def test_restart_runs_the_application_and_its_console_is_heard(board: Recorded) -> None:
    with Repl(board.board.port) as repl:
        repl.enter()
        repl.restart()
        heard = b""
        deadline = time.monotonic() + 10
        while b"running\r\n" not in heard and time.monotonic() < deadline:
            heard += repl.read_available(0.5)
        assert b"running\r\n" in heard
    assert board.board.counters.boots == 2


def test_a_program_that_ignores_ctrl_c_is_reset(tmp_path: Path) -> None:
    # Interruptible for a moment after a reset, as a node is while its application loads.
    main = "import time\nprint('starting')\ntime.sleep(1)\n" + STUBBORN
    with Recorded(make_flash(tmp_path / "flash.bin", main=main)) as recorded:
        recorded.wait("deaf")
        with Repl(recorded.board.port) as repl:
            repl.enter()
            assert repl.exec("print('tamed')") == "tamed\n"
        assert recorded.board.counters.boots == 2


def test_a_program_nobody_can_stop_ends_in_a_timeout_that_says_what_to_do(tmp_path: Path) -> None:
    with (
        Recorded(make_flash(tmp_path / "flash.bin", main=STUBBORN), pty=True) as recorded,
        Repl(recorded.board.port) as repl,
    ):
        recorded.wait("deaf")  # a busy computer may knock before main.py has begun
        with pytest.raises(Timeout, match=r"press RESET \(EN\)"):
            repl.enter(timeout_s=1)
        with pytest.raises(Refused, match="no reset lines"):
            repl.hard_reset()


def test_a_halted_board_says_to_flash_it(tmp_path: Path) -> None:
    with (
        Recorded(tmp_path / "blank.bin") as recorded,
        Repl(recorded.board.port) as repl,
        pytest.raises(Timeout, match="judder flash"),
    ):
        repl.enter(timeout_s=1)


def test_ports_that_are_busy_or_absent(idle: Recorded) -> None:
    with Repl(idle.board.port), pytest.raises(PortBusy, match="in use"):
        Repl(idle.board.port).enter()
    with pytest.raises(NoBoard, match="no such port"):
        Repl("/dev/tty-not-there")
    with socket.create_server(("127.0.0.1", 0)) as free:
        unused = free.getsockname()[1]
    with pytest.raises(NoBoard):
        Repl(f"rfc2217://127.0.0.1:{unused}")


def test_a_board_that_goes_away_is_no_board(idle: Recorded) -> None:
    with Repl(idle.board.port) as repl:
        repl.enter()
        idle.board.stop()
        with pytest.raises((NoBoard, Timeout)):
            repl.exec("print(1)", timeout_s=1)


def test_socket_port_has_no_reset_lines_and_restart_still_works(idle: Recorded) -> None:
    """socket:// is what ser2net and the like offer: a plain byte stream."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"socket://127.0.0.1:{server.getsockname()[1]}"
        bridge = threading.Thread(target=_bridge, args=(server, idle), daemon=True)
        bridge.start()
        with Repl(address) as repl:
            repl.enter()
            assert repl.exec("print('over a socket')") == "over a socket\n"
            with pytest.raises(Refused, match=r"no reset lines: press RESET \(EN\)"):
                repl.hard_reset()
            repl.restart()
            deadline = time.monotonic() + 5
            while idle.board.counters.boots < 2 and time.monotonic() < deadline:
                time.sleep(0.01)
        bridge.join(5)
    assert idle.board.counters.boots == 2


def _bridge(server: socket.socket, board: Recorded) -> None:
    client, _address = server.accept()
    board.board.console(lambda data: client.sendall(data))
    with client:
        while data := client.recv(4096):
            board.board.type(data)
        board.board._callbacks.pop()


def test_provisioning_size_exchange_is_quick_and_counted(idle: Recorded) -> None:
    ports.enable_fast_rfc2217()
    with Repl(idle.board.port) as repl:
        repl.enter()
        before = idle.board.counters.snapshot()
        started = time.monotonic()
        for _ in range(10):
            repl.eval_json("print('{}')")
        seconds = time.monotonic() - started
        after = idle.board.counters.snapshot()
    assert seconds < 5
    # Raw-paste: request, code with its end mark, next prompt: about three turns a call.
    assert (after["turns"] - before["turns"]) / 10 <= 4
