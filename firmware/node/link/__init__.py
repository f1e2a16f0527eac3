"""Links share one contract. A link carries one message at a time and never waits longer than it says.

    step(wait_ms=0)  let it work: connect, keep alive, receive; waits at most wait_ms for the other side, except where
                     the network stack gives no choice (name look-up)
    ready()          a message can be sent now
    send(message, confirmed, repeat=False) -> ACKED, FAILED, or WAITING: ask outcome() until it is one of the others
    outcome()        of the message under way, after a step
    poll()           -> list of downlink payloads received since the last call
    limit()          -> longest message in bytes
    close()          give up radio and sockets; the next step starts again
    failures         failed connections and sends so far
    refused          downlinks dropped by the link itself (too long, too many)

repeat: this very message was sent before and ended in FAILED, so the other side may have it already.
"""

ACKED = True
FAILED = False
WAITING = None
