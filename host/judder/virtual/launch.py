"""Becomes the MicroPython of a virtual board. Run as a script with `python -I -S`, never imported.

    launch.py TERMINAL_FD module DIRECTORY ARGUMENT...    the MicroPython of the wheel, which is a Python module
    launch.py TERMINAL_FD exec PROGRAM ARGUMENT...        a MicroPython program

The terminal becomes the controlling terminal of this session and is used for nothing else: when the supervisor goes,
however it goes, the kernel hangs the terminal up and SIGHUP ends this process, even in an endless loop.
"""

import fcntl
import os
import signal
import sys
import termios


def main() -> None:
    terminal, kind, what, *arguments = sys.argv[1:]
    # Ignored it would be inherited, from nohup say, and this process would outlive its supervisor.
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    fcntl.ioctl(int(terminal), termios.TIOCSCTTY, 0)
    # MicroPython sets its own handler while code runs. Until then an interrupt finds nothing to interrupt.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if kind == "exec":
        os.execv(what, [what, *arguments])
    sys.path.insert(0, what)
    import micropython_run  # type: ignore[import-not-found,unused-ignore]

    sys.exit(micropython_run.run_main(["micropython", *arguments]))


main()
