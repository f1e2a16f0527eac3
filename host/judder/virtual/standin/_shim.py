# What runs before boot.py: the part of MicroPython for ESP32 that is C or frozen. Reached as
#   micropython -i -c "import _shim; _shim.run(<socket>, globals())"
# The wheel's real REPL takes over when run() returns.
import gc
import json
import sys

import _bus
import _clock
import _wire
import micropython


def run(fd, names):
    """Mount the flash file's vfs as "/", run boot.py and main.py in `names` (the namespace of the REPL)."""
    # An interrupt now would find half a machine; on an ESP32 too the interrupt character works from boot.py on.
    micropython.kbd_intr(-1)
    _bus.open_fd(fd)
    _bus.set_now(lambda: 0)
    config = json.loads(bytes(_bus.call(_wire.HELLO)))
    _clock.setup(config)

    # These are now found in sys.modules, wherever the node imports them from.
    import select  # noqa: F401  found by its name later
    import time  # noqa: F401

    import _sys
    import ds18x20  # noqa: F401
    import esp32
    import machine
    import network
    import onewire  # noqa: F401

    flash = open(config["flash"], "r+b")
    esp32.setup(flash, config)
    machine.setup(config)
    network.setup(config)

    import vfs

    vfs.umount("/")
    sys.path[:] = ["", ".frozen", "/lib"]
    _sys.setup(_sys.__dict__, config)
    sys.modules["sys"] = _sys
    for name in list(names):
        if name != "__name__":
            del names[name]
    sys.atexit(_exit)
    _track_files()
    gc.collect()

    mounted = _mount(vfs, esp32)
    try:
        micropython.kbd_intr(3)
        _bus.call(_wire.RUN)
        while not mounted:
            _complain()
        if _file("boot.py", names) and not config["raw_repl"]:
            _file("main.py", names)
    except KeyboardInterrupt as error:
        # Between the files rather than in one of them.
        sys.print_exception(error)
    except SystemExit:
        _exit()
        _bus.call(_wire.SOFT_RESET)
    micropython.kbd_intr(-1)
    _bus.call(_wire.REPL)


def _mount(vfs, esp32):
    # As the frozen _boot.py, flashbdev.py and inisetup.py of the ESP32 port do. False: not mountable and not blank.
    found = esp32.Partition.find(esp32.Partition.TYPE_DATA, label="vfs")
    if not found:
        return True
    try:
        vfs.mount(found[0], "/")
        return True
    except OSError:
        pass
    first = bytearray(4096)
    found[0].readblocks(0, first)
    if first != b"\xff" * 4096:
        return False
    print("Performing initial setup")
    vfs.VfsLfs2.mkfs(found[0])
    vfs.mount(found[0], "/")
    with open("boot.py", "w") as f:
        f.write("# This file is executed on every boot (including wake-boot from deepsleep)\n")
    return True


def _complain():
    import utime

    print("The filesystem appears to be corrupted. If you had important data there, you")
    print("may want to make a flash snapshot to try to recover it. Otherwise, perform")
    print("factory reprogramming of MicroPython firmware (completely erase flash, followed")
    print("by firmware programming).")
    # Three seconds of this computer: on a virtual clock they would flood the console.
    utime.sleep(3)


def _file(name, names):
    """Run a file as the REPL would: False if it raised. SystemExit goes through, it is a soft reset."""
    try:
        import os

        os.stat(name)
    except OSError:
        return True
    try:
        execfile(name, names)
    except SystemExit:
        raise
    except BaseException as error:
        sys.print_exception(error)
        return False
    return True


_writing = []


def _track_files():
    # A soft reset closes every file by sweeping the heap, and so does the collector. Here it cannot: a file system
    # closes a written file through the block device, which is Python, and Python cannot run inside the collector.
    # So files open for writing are kept from it and closed before the process ends.
    import builtins

    real = open

    def tracking(name, mode="r", *rest, **named):
        file = real(name, mode, *rest, **named)
        if "r" not in mode or "+" in mode:
            _writing[:] = [f for f in _writing if _is_open(f)]
            _writing.append(file)
        return file

    builtins.open = tracking


def _is_open(file):
    try:
        file.tell()
        return True
    except (OSError, ValueError):
        return False


def _exit():
    for file in _writing:
        try:
            file.close()
        except (OSError, ValueError):
            pass
    _bus.flush()
