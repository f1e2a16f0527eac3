"""Runs test files on MicroPython: `micropython tests/both/run.py test_cbor.py ...`; no names: all it finds.

Prints one line for each test; exit status 1 when one failed.
"""

import os
import sys

HERE = sys.argv[0].rsplit("/", 1)[0] if "/" in sys.argv[0] else "."
sys.path.insert(0, HERE)
sys.path.insert(0, HERE + "/../../firmware")

import portable  # noqa: E402  the path must be set first


def run(name: str) -> int:
    """Number of tests of a module that failed."""
    module = __import__(name)
    failed = 0
    tests = sorted(entry for entry in dir(module) if entry.startswith("test_"))
    if not tests:
        print("FAIL", name, "holds no test")
        return 1
    for test in tests:
        try:
            getattr(module, test)()
        except portable.Skipped as reason:
            print("skip %s.%s: %s" % (name, test, reason))
        except Exception as error:
            failed += 1
            print("FAIL %s.%s" % (name, test))
            sys.print_exception(error)
        else:
            print("ok   %s.%s" % (name, test))
    return failed


def main() -> None:
    names = sys.argv[1:] or sorted(os.listdir(HERE))
    names = [name[:-3] for name in names if name.startswith("test_") and name.endswith(".py")]
    failed = 0
    for name in names:
        if name != "test_on_micropython":
            failed += run(name)
    print("%d failed" % failed)
    sys.exit(1 if failed else 0)


main()
