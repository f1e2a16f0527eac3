"""Sessions to compare, and one with everything in it that can be."""

from lorawan_rig import joined
from portable import Random

FIELDS = (
    "joined dev_addr nwk_s_key app_s_key fcnt_up fcnt_reserved fcnt_down dev_nonce nonce_reserved join_nonce data_rate "
    "power nb_trans rx1_delay_s rx1_offset rx2_data_rate rx2_hz max_duty eirp dwell adr_count floor ack_due more_due "
    "answered joins join_failures uplinks downs refused"
).split()


def fields(state):
    """Everything a session is, to compare."""
    out = {}
    for name in FIELDS:
        out[name] = getattr(state, name)
    plan = state.plan
    out["answers"] = bytes(state.answers)
    out["masks"] = (bytes(plan.mask), bytes(plan.used), plan.banks)
    if not state.region.fixed:
        out["channels"] = (list(plan.up), list(plan.down), bytes(plan.rates))
    return out


def worst(region):
    """A session with everything in it that can be."""
    made = joined(region)
    state = made.mac.session
    rng = Random(5)
    state.fcnt_up, state.fcnt_reserved, state.fcnt_down = 0xFFFFFFF0, 0x100000000, 0xFFFFFFFE
    state.dev_nonce, state.nonce_reserved, state.join_nonce = 0xFFFC, 0x10004, 0xFFFFFE
    state.power, state.nb_trans, state.rx1_delay_s, state.rx1_offset = 7, 15, 15, state.region.offsets
    state.max_duty, state.adr_count, state.floor = 15, 0xFFFE, 254
    state.ack_due = state.more_due = True
    state.joins, state.join_failures, state.uplinks, state.downs = 0xFFFF, 0xFFFE, 0xFFFFFFFF, 0xFFFFFFFE
    state.refused = [250 + i % 6 for i in range(len(state.refused))]
    state.answers = bytearray(b"\x0a\x03" * 16)
    state.answered = 32
    if state.region.tx_param:
        state.eirp = 15
    if not state.region.fixed:
        low, high = state.region.low_hz // 100, state.region.high_hz // 100
        for channel in range(16):
            state.plan.up[channel] = high - channel if channel & 1 else low + channel
            state.plan.down[channel] = low if channel & 1 else high
            state.plan.rates[channel] = 0x50 + channel % 5
    for mask in (state.plan.mask, state.plan.used):
        mask[:] = rng.bytes(len(mask))
    state.plan.banks = 0x7F
    return made
