"""What survives power loss, and that no counter comes back whenever it comes.

On flash: tests/node/test_lorawan_powercut.py.
"""

from lorawan_rig import Rig, joined, otaa
from lorawan_states import fields

from node.link.lorawan import IDLE, SAVE, TRANSMIT, regions


def test_after_power_loss_counters_go_on_where_the_reservation_ends():
    made = joined()
    for _ in range(5):
        made.send(b"x")
    made.power_cut()
    assert made.mac.session.joined
    made.send(b"y")
    assert made.up().counter == 64
    made.power_cut()
    made.send(b"y")
    assert made.up().counter == 128
    assert made.up().dev_addr == made.dev_addr


def test_one_write_for_64_uplinks():
    made = Rig()
    for _ in range(640):
        made.send(b"x")
    assert len(made.saves) == 10
    made.sleep()
    for _ in range(64):
        made.send(b"x")
    assert len(made.saves) == 11


def test_everything_survives_power_loss():
    # As of the last record, but for counters, which move on; here the record is of now.
    for region in regions.NAMES:
        made = joined(region)
        made.say(b"\x06\x08\x03")
        made.send(b"x")
        made.mac.session.plan.mask[0] ^= 1
        made.mac.session.adr_count = 77
        made.mac.checkpoint()
        made.run()
        before = fields(made.mac.session)
        made.power_cut()
        after = fields(made.mac.session)
        for name in before:
            if name not in ("fcnt_up", "dev_nonce"):
                assert after[name] == before[name], (region, name)
        assert after["fcnt_up"] == before["fcnt_reserved"] and after["dev_nonce"] == before["nonce_reserved"]


def test_a_downlink_obeyed_cannot_be_replayed_after_a_checkpoint():
    for checkpoint in (False, True):
        made = joined()
        made.send(b"x")
        frame = made.down(port=17, payload=b"reboot")
        made.answer = lambda _rig, _sent, window, frame=frame: frame if window == 1 else None
        made.send(b"x")
        assert len(made.mac.downlinks) == 1
        if checkpoint:
            made.mac.checkpoint()
            made.run()
        made.power_cut()
        made.send(b"x")
        # Without it this is what could happen: the application calls it when it obeyed a command.
        assert len(made.mac.downlinks) == (0 if checkpoint else 1)


def test_a_checkpoint_reserves_anew():
    made = Rig()
    made.send(b"x")
    made.mac.checkpoint()
    made.run()
    assert len(made.saves) == 2
    assert made.mac.session.fcnt_reserved == 1 + 64
    made.mac.checkpoint()
    made.mac.send(made.now_ms, 1, b"x", False)
    assert made.mac.next(made.now_ms)[0] == SAVE


def test_nothing_goes_out_before_its_record():
    made = Rig(identity=otaa())
    made.mac.join()
    for _ in range(5):
        assert made.mac.next(made.now_ms)[0] == SAVE
    made.mac.saved(made.now_ms)
    assert made.mac.next(made.now_ms)[0] == TRANSMIT


def cuts(script, sabotage=None):
    """Power cut at every action of a life; the numbers that went out, as (session, counter) and DevNonces.

    script: rig -> None, runs until it is over. The life is replayed up to each action, cut there before or after it
    was carried out, and goes on from flash (or, where only the chip was reset, from RTC memory).
    """
    at = 0
    while True:
        for kind in ("before", "after", "reset"):
            made = Rig(identity=otaa(), seed=6, answer=script.network())
            if sabotage:
                sabotage(made)
            done = script.run(made, at, kind)
            numbers = []
            for sent in made.sent:
                if sent.joins():
                    numbers.append(("join", sent.frame[17:19]))
                else:
                    numbers.append((sent.frame[1:5], sent.frame[6:8]))
            yield at, kind, made, numbers
        if done:
            return
        at += 1


class Life:
    """Joins, then messages; the network commands now and then."""

    def __init__(self, messages):
        self.messages = messages

    def network(self):
        def answer(rig, sent, window):
            if sent.joins():
                return rig.accept(sent) if window == 1 and len(rig.sent) % 2 == 0 else None
            if window == 1 and len(rig.sent) % 3 == 0:
                return rig.down(b"\x06", port=1, payload=b"d")
            return None

        return answer

    def run(self, made, at, kind):
        """True when the life ended before that action came."""
        actions = [0]
        cut = [False]

        def step():
            action = made.mac.next(made.now_ms)
            if action[0] == IDLE:
                return False
            if actions[0] == at and not cut[0]:
                cut[0] = True
                if kind != "before":
                    made.step()
                if kind == "reset":
                    made.start()
                else:
                    made.power_cut()
                return True
            actions[0] += 1
            return made.step()

        left = self.messages
        for _ in range(400):
            if not left:
                break
            if made.mac.ready():
                made.mac.send(made.now_ms, 1, b"m", True)
            if not step() and made.mac.outcome() is not None:
                left -= 1
            if made.mac.outcome() is not None:
                left -= 1
                while step():
                    pass
        return not cut[0]


def test_no_number_is_used_twice_whenever_the_power_goes():
    lives = 0
    for at, kind, made, numbers in cuts(Life(5)):
        assert len(set(numbers)) == len(numbers), (at, kind)
        assert made.mac.session.joined or made.mac.session.join_failures, (at, kind)
        lives += 1
    assert lives > 60


def test_sabotaged_records_are_noticed():
    # Controls for the test above: a node that never writes its record, and one that does not reserve.
    def never(made):
        step = made.step

        def forget():
            result = step()
            made.stored = None
            return result

        made.step = forget

    def exact(made):
        start = made.start

        def restart():
            result = start()
            if made.stored and made.awake is None:
                # As if the record held the counter of its time instead of the reservation.
                made.mac.session.fcnt_up = max(made.mac.session.fcnt_up - 64, 0)
            return result

        made.start = restart

    for sabotage in (never, exact):
        twice = 0
        for _at, _kind, _made, numbers in cuts(Life(5), sabotage):
            twice += len(set(numbers)) != len(numbers)
        assert twice, sabotage
