"""LoRaWAN class A, L2 1.0.4, without I/O: time and received frames go in, one action at a time comes out.

No clock, radio, randomness or storage is imported here: the shell carries out what next() asks for and says what came
of it. LoRa modulation only; an FSK or LR-FHSS data rate is answered "not acknowledged".

    identity = session.otaa(dev_eui, join_eui, app_key)      8, 8, 16 bytes, EUIs as they are printed
    identity = session.abp(dev_addr, nwk_s_key, app_s_key)   4, 16, 16 bytes, address as it is printed
        and, as attributes with their defaults: adr=True, data_rate=0 (first, or fixed without ADR), sub_band=0 (US915
        and AU915: 1..8, 0 all), max_eirp_dbm=0 (0: the region's), antenna_gain_db=2, clock_error_ms=20, clock_ppm=0
        (drift that comes on top, for a clock that is no crystal); ABP only: rx1_delay_s=1, rx2_data_rate=15, rx2_hz=0
        (15 and 0: the region's).
    mac = Mac(regions.find("eu868"), identity, aes, random, now_ms, stored=None, awake=None)
        aes(key16) -> object with encrypt(block16) -> 16 bytes: lambda key: cryptolib.aes(key, 1). random: os.urandom.
        now_ms: uptime of the node in ms, any size, on one scale that goes on through deep sleep; it never goes back.
        stored: the last blob a SAVE wrote, or None. awake: what state() gave, from RTC memory, or None. What is
        damaged, or belongs to another identity, is ignored; awake counts only if it is not older than stored.

Requests
    mac.limit()        longest payload of the next send(), in bytes: by region, data rate, dwell time and answers due
    mac.ready()        send() may be called: nothing of the application's is under way
    mac.send(now_ms, port, payload, confirmed)     one message, port 1..223. Joins first by itself where needed.
    mac.check_link(), mac.ask_time()               LinkCheckReq, DeviceTimeReq with the next uplink
    mac.join()         join now, or again: then the session stays in use until a new one is accepted. One attempt a call
    mac.cancel()       give up the message under way (outcome False) and what waits to be repeated, unless a frame is on
                       the air or a window due. Before a deep sleep: else what that frame carried goes out again
    mac.checkpoint()   a SAVE with the counters of now: a downlink obeyed so far cannot be replayed after a power loss
    mac.battery        0 external supply, 1..254 level, 255 unknown (the default): for DevStatusAns

Work: next(now_ms) gives ONE action, the same again until what it waits for has been told:
    (SAVE, blob)                    write blob to flash, then saved(now_ms). Nothing is sent that depends on it before;
                                    where flash refuses, nothing at all: try again later.
    (TRANSMIT, frame, frequency_hz, sf, bandwidth_hz, power_dbm)   put state(now_ms) into RTC memory, transmit, then
                                    sent(now_ms) at the end of the last symbol; not_sent(now_ms) when the radio failed.
                                    frame: memoryview, valid until sent. power_dbm: conducted, antenna gain deducted.
    (RECEIVE, delay_us, frequency_hz, sf, bandwidth_hz, symbols)   open the receiver delay_us after the end of the
                                    transmission (clock error included already), for so many symbols; then
                                    heard(now_ms, frame, rssi_dbm, snr_qdb) with SNR in quarters of a dB, or
                                    silent(now_ms) for nothing and for a damaged frame. A delay already past: at once.
    (WAIT, until_ms)                nothing to do before then: duty cycle, back-off, repetition, an answer of its own
    (IDLE,)                         nothing to do
The state has to be in RTC memory before a frame goes out, so that a crash afterwards cannot bring its counter back.

Results
    mac.outcome()      of the last send(): None under way; True: acknowledged, or sent where unconfirmed; False: failed
    mac.downlinks      list of (port, payload, fcnt); the shell takes them out. At most 4 wait, more are dropped
    mac.time           (gps_seconds, fraction_256, at_ms) after DeviceTimeAns: GPS time at at_ms, the end of the uplink
    mac.margin_db, mac.gateways      after LinkCheckAns, None before
    mac.rssi_dbm, mac.snr_qdb        of the last downlink taken, None before
    mac.session        joined, data_rate, power, fcnt_up, dev_addr, ...: to look at, not to touch; and counters that
                       survive deep sleep: joins, join_failures, uplinks, downs, refused (a list of counts in the order
                       of REFUSED, each stops at 255)
    mac.state(now_ms)  bytes, at most 256: everything, keys too, for RTC memory. A message under way is not in it: the
                       application still has it and sends it again.

send() raises LorawanError with a reason of: "busy", "port", "length", "counter" (FCntUp used up and no way to join),
"nonce" (DevNonce used up). regions.find raises it with "region"; session.otaa and abp, and Mac, with "identity".
"""

from judder_core.errors import JudderError

try:
    from micropython import const
except ImportError:

    def const(value):
        """On CPython; MicroPython's compiler puts the number where the name stands."""
        return value


SAVE = 1
TRANSMIT = 2
RECEIVE = 3
WAIT = 4
IDLE = 5

# Why a frame, or part of it, was not taken; positions in Mac.refused.
REFUSED = (
    "length",  # too short, too long, or not the length its type has
    "type",  # not a downlink, not what this window is for
    "address",  # another node's DevAddr
    "mic",  # message integrity code: wrong key, damaged, or forged
    "replay",  # a frame counter that was there before
    "join_nonce",  # a join accept that was there before
    "options",  # MAC commands in FOpts and on port 0 at once, or a reserved port
    "command",  # unknown or cut off MAC command: it and what follows is left out
    "full",  # a downlink while four wait to be taken
)


class LorawanError(JudderError):
    """A request that cannot be carried out. reason: one word, listed above; the message says what to do."""

    def __init__(self, reason: str, message: str) -> None:
        self.reason = reason
        super().__init__(message)
