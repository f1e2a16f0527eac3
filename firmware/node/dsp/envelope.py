"""Viper kernels: RMS and peak of the envelope of a block, its high-frequency content. envelope_twin.py defines them.

    state = envelope_state.State(rate_hz)                   one per axis, kept
    envelope.summary(buf, n, mean, state, work, out)        block after block; state.reset() where the stream has a gap
    out[VALID], out[RMS_X16], out[PEAK_X16]

A failing bearing strikes sparks of ringing at some kHz; how loud they are and how often they come is in the envelope,
the outline of the signal above 500 Hz. What is computed, in the form Randall recommends (squared envelope):

- band-pass from 500 Hz to band_high: 0.4 of the sample rate, at most 10 kHz and at most (rate - 1 kHz) / 2. Third-order
  Butterworth each side, in three biquads. Attenuation: 3 dB at 477 Hz, 12 dB at 300, 23 dB at 200, 41 dB at 100, 59 dB
  at 50, 77 dB at 25 Hz (0.4 to 2 dB more at the slowest rates); 3 dB at band_high, from there on steeper than 18 dB per
  octave. In the band 0.3 dB or less from 800 Hz to 0.8 band_high for rates from 4 kHz.
- the square y**2. For a band-passed signal the analytic signal a (Hilbert) has mean |a|**2 = 2 mean y**2, so
  RMS = sqrt(2 mean y**2) is the RMS of the Hilbert envelope itself, its mean included, whatever is done next.
- low-pass of the square: sums of 1, 2, 4 or 8, the mean of every two, then three one-pole filters of 500 Hz (together
  3 dB down at 250 Hz, 14 dB at 700, 21 dB at 1 kHz; never ringing, never below zero). PEAK = sqrt(2 max). A burst
  shorter than a millisecond or so reads less than its top.

    rate Hz        26667      12000      4000     3200     under 3000 or over 64000
    band Hz     500-10000   500-4800  500-1500  500-1100   none: VALID is 0
    points / s      6667       6000      4000     3200

RMS and peak are within 3 % of scipy's hilbert() with the same filters in float64, noise modulated or steady, from 20
counts RMS in the band up (tests/device/test_envelope.py); a strong low frequency below does not change that.

Buffers: buf array('h'), work array('i', n + SPARE words), out array('i', WORDS zeros); the work buffer may be anyone's,
for instance the FFT's, between calls. Nothing here allocates. A block may have any length; filters and the samples of
a group begun run on into the next block. After a reset the first 8 ms are left out while the filters fill; a block
that ends before gives VALID 0, and so do rates without a band.

The envelope itself, for a spectrum of it, stays in work[0 .. out[POINTS] - 1] until the buffer is used for something
else: squared envelope at state.point_rate_dhz, envelope**2 = 2 * work[i] * 4**out[SHIFT] / 256 / out[GROUP] in counts,
the first out[SKIPPED] of them not settled. Contiguous blocks join without a seam, but SHIFT may differ.

Words of `out`:
  VALID               1 when RMS and PEAK have a value
  RMS_X16, PEAK_X16   in 1/16 count
  POINTS, SHIFT, GROUP, SKIPPED    the stream above
  the rest            sums

How: the biquads are direct form 1 with 14-bit coefficients, states in whole counts (below 2**17: the filters' impulse
responses sum to less than 4) and the fraction of each output carried into the next (first-order noise shaping),
without which the poles near 1 would turn rounding into counts of noise. Products wrap a 32-bit word, their sums do not.
The last output goes to `work` in 1/16 count. How far it may be shifted up before squaring is then known from its bits.
"""

import micropython
from micropython import const

from node.dsp import envelope_state, stats, word
from node.dsp.envelope_state import GROUP_BITS, LEFT, SETTLE
from node.dsp.stats import root

_WORD_BITS = const(32)

# Viper's ptr32 reads words without their sign where the machine word is longer.
_SIGN = const(_WORD_BITS - 32)

word.require(_WORD_BITS)

VALID = 0
RMS_X16 = 1
PEAK_X16 = 2
POINTS = 3
SHIFT = 4
GROUP = 5
SKIPPED = 6
WORDS = 12

# What the work buffer holds beyond a block: a group begun in the block before.
SPARE = 7


def summary(buf, n: int, mean: int, state, work, out) -> None:
    """Every word of out for buf[:n], the block that follows the last one (or the first after state.reset()).

    mean: of the block, in counts; used after a reset only. Raises ValueError when n is negative, more than
    stats.MAX_SAMPLES or more than buf holds, or work or out are short.
    """
    # The kernels write and read through bare pointers, so this is what stands between a slip and a crash.
    if not 0 <= n <= stats.MAX_SAMPLES or n > len(buf):
        raise ValueError("block of %d samples, buffer of %d, limit %d" % (n, len(buf), stats.MAX_SAMPLES))
    if len(work) < n + SPARE or len(out) < WORDS:
        raise ValueError("work and out hold %d and %d, %d and %d needed" % (len(work), len(out), n + SPARE, WORDS))
    words = state.words
    if len(words) != envelope_state.WORDS:
        raise ValueError("not a State of envelope_state")
    _clear(out, WORDS)
    if n == 0 or not state.usable:
        return
    state.begin(mean)
    left = words[LEFT]
    _take(work, words, left)
    _band(buf, n, work, words, left, out)
    points = (left + n) >> words[GROUP_BITS]
    _scale(words, out)
    _keep(work, words, left + n)
    _square(work, 0, points, words)
    skipped = min(points, words[SETTLE])
    words[SETTLE] -= skipped
    _smooth(work, 0, skipped, words, out)
    _smooth(work, skipped, points - skipped, words, out)
    out[POINTS] = points
    out[GROUP] = 1 << words[GROUP_BITS]
    out[SKIPPED] = skipped
    if points > skipped:
        _finish((points - skipped) << words[GROUP_BITS], words[GROUP_BITS], out)
        out[VALID] = 1


@micropython.viper
def _clear(out: ptr32, n: int):
    while n:
        n -= 1
        out[n] = 0


@micropython.viper
def _take(work: ptr32, words: ptr32, n: int):
    """Samples of a group begun go in front of the block's."""
    while n:
        n -= 1
        work[n] = words[27 + n]


@micropython.viper
def _keep(work: ptr32, words: ptr32, n: int):
    """Samples of a group not yet full are kept for the next block."""
    count = n & ((1 << words[25]) - 1)
    words[26] = count
    while count:
        count -= 1
        n -= 1
        words[27 + count] = work[n]


# fmt: off
@micropython.viper
def _band(p: ptr16, v: int, work: ptr32, f: ptr32, left: int, out: ptr32):
    """The three biquads over v samples at p; outputs in 1/16 count to work[left:], their magnitudes or-ed to out[7].

    x, w, y, z are the signal before, between and behind the sections, a and b their last two values.
    """
    end = int(p) + (v << 1)
    q = ptr32(int(work) + (left << 2))
    g1 = f[0]
    c1 = f[1] << _SIGN >> _SIGN
    d1 = f[2] << _SIGN >> _SIGN
    g2 = f[3]
    c2 = f[4] << _SIGN >> _SIGN
    d2 = f[5] << _SIGN >> _SIGN
    g3 = f[6]
    c3 = f[7] << _SIGN >> _SIGN
    d3 = f[8] << _SIGN >> _SIGN
    xa = f[9] << _SIGN >> _SIGN
    xb = f[10] << _SIGN >> _SIGN
    wa = f[11] << _SIGN >> _SIGN
    wb = f[12] << _SIGN >> _SIGN
    ya = f[13] << _SIGN >> _SIGN
    yb = f[14] << _SIGN >> _SIGN
    za = f[15] << _SIGN >> _SIGN
    zb = f[16] << _SIGN >> _SIGN
    e1 = f[17]
    e2 = f[18]
    t = 0
    m = 0
    mask = 16383
    half = 8192
    while int(p) < end:
        t = xb - xa - xa
        xb = xa
        xa = (v := (p[0] ^ 0x8000) - 0x8000)
        v = (v + t) * g1 + e1
        v = c1 * wa + v
        v = d1 * wb + v
        e1 = v & mask
        t = wb
        wb = wa
        wa = (v := v >> 14)
        v = (v - t) * g2 + e2
        v = c2 * ya + v
        v = d2 * yb + v
        e2 = v & mask
        t = ya + ya + yb
        yb = ya
        ya = (v := v >> 14)
        v = (v + t) * g3
        v = c3 * za + v
        v = d3 * zb + v
        zb = za
        za = v + half >> 14
        q[0] = (v := v >> 10)
        m = (v ^ (v >> 31)) | m
        q = ptr32(int(q) + 4)
        p = ptr16(int(p) + 2)
    f[9] = xa
    f[10] = xb
    f[11] = wa
    f[12] = wb
    f[13] = ya
    f[14] = yb
    f[15] = za
    f[16] = zb
    f[17] = e1
    f[18] = e2
    out[7] = m


@micropython.viper
def _square(p: ptr32, v: int, points: int, f: ptr32):
    """Sums of 1, 2, 4 or 8 squares, in place. Values are shifted down first, so that a sum is at most 2**30."""
    q = ptr32(int(p))
    shift = f[23]
    fours = (1 << f[25]) >> 2
    ones = 0 if fours else 1 << f[25]
    t = 0
    left = 0
    while points:
        t = 0
        if _WORD_BITS & 32:
            left = fours
            while left:
                t = (v := p[0] >> shift) * v + t
                t = (v := p[1] >> shift) * v + t
                t = (v := p[2] >> shift) * v + t
                t = (v := p[3] >> shift) * v + t
                p = ptr32(int(p) + 16)
                left -= 1
            left = ones
        else:
            left = ones + (fours << 2)
        while left:
            v = p[0] << _SIGN >> _SIGN >> shift
            t = v * v + t
            p = ptr32(int(p) + 4)
            left -= 1
        q[0] = t
        q = ptr32(int(q) + 4)
        points -= 1


@micropython.viper
def _smooth(p: ptr32, v: int, points: int, f: ptr32, out: ptr32):
    """Means of two and three one-pole filters over points from p[v], in place.

    The sum of what goes in is left in out[8:10], the peak of what comes out in out[2].
    """
    p = ptr32(int(p) + (v << 2))
    end = int(p) + (points << 2)
    alpha = f[24]
    s1 = f[19]
    s2 = f[20]
    s3 = f[21]
    last = f[22]
    t = 0
    a = 0
    h = 0
    m = 0
    while int(p) < end:
        a = (v := p[0]) + a
        h = (v >> 16) + h
        t = last
        last = (v := v >> 1)
        v = v + t
        # Rounded so that what is left of a silence is never negative.
        s1 = (v := s1 - (s1 - v >> 5) * alpha)
        s2 = (v := s2 - (s2 - v >> 5) * alpha)
        s3 = (v := s3 - (s3 - v >> 5) * alpha)
        p[0] = v
        if v > m:
            m = v
        p = ptr32(int(p) + 4)
    f[19] = s1
    f[20] = s2
    f[21] = s3
    f[22] = last
    out[2] = m
    out[8] = a
    t = a - (h << 16)
    out[9] = (h >> 16) + (((h & 0xFFFF) + (t >> 16)) >> 16)
# fmt: on


@micropython.viper
def _scale(f: ptr32, out: ptr32):
    """How far this block's outputs are shifted down before squaring; the smoothing filters follow.

    A louder block: at once. A softer one: as far as what is still in the filters leaves room.
    """
    bits = 15 - ((f[25] + 1) >> 1)
    m = out[7]
    left = f[26]
    while left:
        left -= 1
        v = f[27 + left] << _SIGN >> _SIGN
        m = m | (v ^ (v >> 31))
    shift = 0
    while m >> (bits + shift):
        shift += 1
    now = f[23]
    while now < shift:
        f[19] = f[19] >> 2
        f[20] = f[20] >> 2
        f[21] = f[21] >> 2
        f[22] = f[22] >> 2
        now += 1
    while now > shift:
        if (f[19] | f[20] | f[21] | f[22]) >> 28:
            break
        f[19] = f[19] << 2
        f[20] = f[20] << 2
        f[21] = f[21] << 2
        f[22] = f[22] << 2
        now -= 1
    f[23] = now
    out[4] = now


@micropython.viper
def _finish(n: int, group_bits: int, out: ptr32):
    """RMS and peak in 1/16 count from the sum of n squares and the highest smoothed sum of a group."""
    shift = out[4]
    # 2 * 1024 times the sum over n: its root is 32 times the RMS. Digits of 16 bits, divided one by one.
    d0 = (out[8] & 0xFFFF) << 11
    d1 = (((out[8] >> 16) & 0xFFFF) << 11) + (d0 >> 16)
    d2 = ((out[9] & 0xFFFF) << 11) + (d1 >> 16)
    t = ((d2 >> 16) % n << 16) + (d2 & 0xFFFF)
    d2 = t // n
    t = (t % n << 16) + (d1 & 0xFFFF)
    d1 = t // n
    d0 = ((t % n << 16) + (d0 & 0xFFFF)) // n
    out[1] = ((int(root(d2, d1, d0)) << shift) + 16) >> 5

    d0 = (out[2] & 0xFFFF) << (11 - group_bits)
    d1 = ((out[2] >> 16) << (11 - group_bits)) + (d0 >> 16)
    out[2] = ((int(root(d1 >> 16, d1 & 0xFFFF, d0 & 0xFFFF)) << shift) + 16) >> 5
