# Loader, part one: is the BOOT button held? Mount the application slot read-only and put it on the path.
# Whatever is wrong with the slot, this ends at the REPL with one line: a boot loop could not be repaired over USB.
# main.py runs the application if RUN_APPLICATION says so.
import micropython

# Ctrl-C must not find the slot half mounted: whoever sends it wants to use what is in there. Hence first of all.
micropython.kbd_intr(-1)

import sys  # noqa: E402

import esp32  # noqa: E402
import machine  # noqa: E402
import vfs  # noqa: E402

RUN_APPLICATION = False


def _boot_held():
    # BOOT is the chip's strapping pin, not the board's choice: GPIO 9 on RISC-V chips, GPIO 0 on the others. Held
    # during the reset itself it starts the ROM loader, so it has to go down just after: hence the short wait, which a
    # node that wakes from deep sleep is spared.
    chip = getattr(sys.implementation, "_machine", "").split(" with ")[-1]
    button = machine.Pin(9 if chip.startswith("ESP32C") else 0, machine.Pin.IN, machine.Pin.PULL_UP)
    if machine.reset_cause() == machine.DEEPSLEEP_RESET:
        return False
    from time import sleep_ms

    for _ in range(20):
        if button.value() == 0:
            return True
        sleep_ms(10)
    return False


def _mount():
    found = esp32.Partition.find(esp32.Partition.TYPE_DATA, label="app_a")
    if not found:
        raise OSError("no partition app_a")
    vfs.mount(found[0], "/app", readonly=True)
    sys.path.insert(0, "/app")


try:
    try:
        if "/app" not in sys.path:
            _mount()
    finally:
        micropython.kbd_intr(3)
    if _boot_held():
        print("judder: safe mode, BOOT is held: the application does not run")
    else:
        RUN_APPLICATION = True
except KeyboardInterrupt:
    print("judder: stopped before the application ran")
except Exception as error:
    print("judder: no application (%s): flash the board again with 'judder flash'" % error)
