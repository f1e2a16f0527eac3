"""Links share one contract. A link carries one message at a time and never waits longer than it says.

    step(wait_ms=0)  let it work: connect, keep alive, receive; waits at most wait_ms for the other side, except where
                     the network stack gives no choice (name look-up)
    ready()          a message can be sent now
    send(message, confirmed, repeat=False) -> ACKED, FAILED, or WAITING: ask outcome() until it is one of the others
    outcome()        of the message under way, after a step
    poll()           -> list of downlink payloads received since the last call
    limit()          -> longest message in bytes
    busy()           something of the link's own is under way that sleep would cut off
    pause_ms()       no message can go before so many ms are over (duty cycle, back-off); 0: not known, or none
    session()        bytes for RTC memory, handed in again when the node wakes; empty where there is nothing to keep
    report()         (name of a HELLO field, value) of what the link knows
    close()          give up radio and sockets; the next step starts again
    failures         failed connections and sends so far
    refused          downlinks dropped by the link itself (too long, too many)
    fault            the radio or modem is absent or does not work
    linger_ms        how long to listen on after the last message: the other side may have kept something
    proofs           times the other side was really heard, or a wire written to

confirmed: the application wants proof that it arrived, whatever the link does otherwise.
repeat: this very message was sent before and ended in FAILED, so the other side may have it already.
"""

ACKED = True
FAILED = False
WAITING = None


class Link:
    """What links have alike that keep nothing and hold back nothing."""

    failures = 0
    refused = 0
    proofs = 0
    fault = False
    linger_ms = 0

    def busy(self) -> bool:
        return False

    def pause_ms(self) -> int:
        return 0

    def session(self) -> bytes:
        return b""

    def report(self) -> tuple:
        return ()
