# time, as on an ESP32: the year 2000 is the epoch, ticks wrap at 2**30.
import _clock
import utime

_EPOCH_2000 = 946684800
_PERIOD = 1 << 30


def sleep_us(us):
    _clock.sleep_us(us)


def sleep_ms(ms):
    _clock.sleep_us(ms * 1000)


def sleep(seconds):
    _clock.sleep_us(int(seconds * 1000000))


def ticks_us():
    return _clock.now_us() & (_PERIOD - 1)


def ticks_ms():
    return (_clock.now_us() // 1000) & (_PERIOD - 1)


def ticks_cpu():
    return ticks_us()


def ticks_add(ticks, delta):
    if not -_PERIOD // 2 < delta < _PERIOD // 2:
        raise OverflowError("ticks interval overflow")
    return (ticks + delta) & (_PERIOD - 1)


def ticks_diff(end, start):
    return ((end - start + _PERIOD // 2) & (_PERIOD - 1)) - _PERIOD // 2


def time():
    return _clock.now_us() // 1000000 + _clock.rtc_offset_s


def time_ns():
    return _clock.now_us() * 1000 + _clock.rtc_offset_s * 1000000000


def gmtime(seconds=None):
    # Eight numbers: the unix port adds a ninth for daylight saving.
    return utime.gmtime((time() if seconds is None else int(seconds)) + _EPOCH_2000)[:8]


localtime = gmtime


def mktime(date):
    days = _days(date[0], date[1], date[2]) - _days(2000, 1, 1)
    return ((days * 24 + date[3]) * 60 + date[4]) * 60 + date[5]


def _days(year, month, day):
    # Days of the proleptic Gregorian calendar; the year starts in March so that the leap day comes last.
    if month <= 2:
        year -= 1
        month += 12
    return 365 * year + year // 4 - year // 100 + year // 400 + (153 * (month - 3) + 2) // 5 + day
