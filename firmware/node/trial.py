"""Settings that came over the air are on trial: kept when the other side is heard, taken back after too many failures.

trial = Trial(config, state, link, delivery)
trial.judge() -> True when the settings before are in force again and the node has to restart
"""

from judder_core import schema

_TAKEN_BACK = schema.ACK_STATUSES.index("taken back")


class Trial:
    """config: node.config.Config. state: hal.rtc.State, which counts failures over restarts. build: node.message.build.

    While a trial lasts every message asks for proof that it arrived.
    """

    def __init__(self, config, state, link, delivery, build, say):
        self._config = config
        self._state = state
        self._link = link
        self._delivery = delivery
        self._build = build
        self._say = say
        self._failures = link.failures
        self._proofs = link.proofs
        delivery.insist = config.trial is not None

    def judge(self, now_ms: int) -> bool:
        """Call after the link worked."""
        config, state = self._config, self._state
        failed = self._link.failures - self._failures
        self._failures += failed
        if config.trial is None:
            state.trial_failures = 0
            return False
        try:
            if self._link.proofs != self._proofs:
                config.prove()
                self._delivery.insist = False
                state.trial_failures = 0
                return False
            state.trial_failures = min(state.trial_failures + failed, 0xFFFF)
            if state.trial_failures < config.values["revert_after"]:
                return False
            tag = config.trial
            back = config.take_back()
        except OSError as error:
            # Flash said no; the trial goes on, and so does the node.
            self._say("settings on trial: " + str(error))
            return False
        state.trial_failures = 0
        self._delivery.insist = False
        if not back:
            self._say("settings on trial stay: those before them are lost")
            return False
        self._say("nothing arrives with the new settings: back to those before")
        self._delivery.put(schema.ACK, self._build.ack(tag, _TAKEN_BACK, 0, config.crc), now_ms)
        return True
