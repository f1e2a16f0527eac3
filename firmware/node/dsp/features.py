"""Everything one block of three axes says, in units: which kernels run when, and their words as mg, 0.01 and 0.01 mm/s.

    features = Features(kernels, slow=False, bands=())      kernels: this package's modules, see KERNELS
    features.take(buffers, n, rate_dhz, scale_ug, clip, contiguous)
    features.rms_mg, .peak_mg, ..., .velocity.velocity_c

RMS, peak, peak-to-peak and mean are of every block, and so is what goes into the record of velocity. Kurtosis,
skewness and envelope cost several times as much: a sensor's FIFO may run over meanwhile, and with a gap after every
block a record would never fill. So a caller in a hurry (brief) gets them of the block that completes a record only;
after that a gap does no harm. `whole` says whether this block was worked on whole.

Nothing is allocated after __init__ (but for new envelope filters when the rate turns out to be another).
"""

from array import array

from node.dsp import envelope_state
from node.dsp.velocity import Velocity

# Names of the kernel modules, in the order Features takes them: the viper ones, or their twins.
KERNELS = ("stats", "moments", "envelope", "decimate", "fft", "spectrum")


class Features:
    """kernels: modules in order of KERNELS. slow, bands: of Velocity. Blocks have at most velocity.POINTS samples.

    Arrays of three, one entry an axis: rms_mg, peak_mg (largest distance from the mean), peak_to_peak_mg, mean_mg;
    kurtosis_c, skewness_c (0.01), envelope_rms_mg, envelope_peak_mg of the last block that was worked on whole, as far
    as moments_valid and envelope_valid say. clipped: a sample at full scale, in the block or in velocity's record.
    stuck: every axis gave one value all along.
    """

    def __init__(self, kernels, slow: bool = False, bands=(), nominal_hz: int = 26667):
        self._stats, self._moments, self._envelope, decimate, fft, spectrum = kernels
        self.velocity = Velocity(decimate, fft, spectrum, slow, bands)
        self._words = tuple([array("i", [0] * self._stats.WORDS) for _ in range(3)])
        self._moment_words = array("i", [0] * self._moments.WORDS)
        self._envelope_words = array("i", [0] * self._envelope.WORDS)
        self._envelopes = tuple([envelope_state.State(nominal_hz) for _ in range(3)])
        self.rms_mg = array("i", [0, 0, 0])
        self.peak_mg = array("i", [0, 0, 0])
        self.peak_to_peak_mg = array("i", [0, 0, 0])
        self.mean_mg = array("i", [0, 0, 0])
        self.kurtosis_c = array("i", [0, 0, 0])
        self.skewness_c = array("i", [0, 0, 0])
        self.envelope_rms_mg = array("i", [0, 0, 0])
        self.envelope_peak_mg = array("i", [0, 0, 0])
        # Per axis: whether there is something to divide by, and whether the rate allows an envelope.
        self.moments_valid = array("b", [0, 0, 0])
        self.envelope_valid = array("b", [0, 0, 0])
        self.clipped = self.stuck = self.whole = self.new_velocity = False
        self._envelope_broken = True

    def take(
        self,
        buffers,
        n: int,
        rate_dhz: int,
        scale_ug: int,
        clip: int,
        contiguous: bool,
        lost: int = 0,
        brief: bool = False,
        last: bool = False,
    ) -> None:
        """Work on the next block. clip: counts from which a sample is at full scale. lost: samples missing inside it.

        brief: only the block that completes a record matters. last: no other will follow, so this one does.
        """
        self._levels(buffers, n, scale_ug)
        self.stuck = True
        clipped = False
        for words in self._words:
            if words[self._stats.PEAK_TO_PEAK]:
                self.stuck = False
            if words[self._stats.PEAK_RAW] >= clip:
                clipped = True
        velocity = self.velocity
        self.new_velocity = False
        if self.stuck or lost:
            # What is in the block is no vibration, or not all of it; what comes next does not follow it.
            velocity.forget()
        else:
            self.new_velocity = velocity.feed(buffers, n, rate_dhz, scale_ug, contiguous, clipped) > 0
        self.clipped = clipped or (velocity.ready and velocity.clipped)
        self.whole = self.new_velocity or last or not brief
        if self.stuck or lost or not contiguous:
            self._envelope_broken = True
        if self.whole:
            self._rest(buffers, n, rate_dhz, scale_ug)
        else:
            # Its filters do not see this block.
            self._envelope_broken = True

    def has_moments(self) -> bool:
        """Whether this block gave a kurtosis."""
        return self.whole and (self.moments_valid[0] or self.moments_valid[1] or self.moments_valid[2]) > 0

    def has_envelope(self) -> bool:
        """Whether this block gave an envelope."""
        return self.whole and (self.envelope_valid[0] or self.envelope_valid[1] or self.envelope_valid[2]) > 0

    def forget(self) -> None:
        """The sensor failed or was switched off: nothing of before belongs to what comes."""
        self.velocity.forget()
        self.whole = self.new_velocity = self.clipped = self.stuck = False
        self._envelope_broken = True
        for axis in range(3):
            self.moments_valid[axis] = self.envelope_valid[axis] = 0

    # --- inside

    def _levels(self, buffers, n: int, scale_ug: int) -> None:
        stats = self._stats
        for axis in range(3):
            words = self._words[axis]
            stats.summary(buffers[axis], n, words)
            self.rms_mg[axis] = self._mg(words[stats.RMS_X16], 16, scale_ug)
            self.peak_mg[axis] = self._mg(words[stats.PEAK], 1, scale_ug)
            self.peak_to_peak_mg[axis] = self._mg(words[stats.PEAK_TO_PEAK], 1, scale_ug)
            mean = words[stats.MEAN]
            self.mean_mg[axis] = self._mg(mean, 1, scale_ug) if mean >= 0 else -self._mg(-mean, 1, scale_ug)

    def _rest(self, buffers, n: int, rate_dhz: int, scale_ug: int) -> None:
        moments, envelope = self._moments, self._envelope
        out = self._envelope_words
        for axis in range(3):
            words = self._words[axis]
            moments.summary(buffers[axis], n, words, self._moment_words)
            self.moments_valid[axis] = self._moment_words[moments.VALID]
            self.kurtosis_c[axis] = self._moment_words[moments.KURTOSIS_C]
            self.skewness_c[axis] = self._moment_words[moments.SKEWNESS_C]
            state = self._envelopes[axis]
            if rate_dhz:
                state.retune((rate_dhz + 5) // 10)
            if self._envelope_broken:
                state.reset()
            envelope.summary(buffers[axis], n, words[self._stats.MEAN], state, self.velocity.work, out)
            self.envelope_valid[axis] = out[envelope.VALID]
            self.envelope_rms_mg[axis] = self._mg(out[envelope.RMS_X16], 16, scale_ug)
            self.envelope_peak_mg[axis] = self._mg(out[envelope.PEAK_X16], 16, scale_ug)
        self._envelope_broken = False

    def _mg(self, value: int, parts: int, scale_ug: int) -> int:
        """value / parts counts in mg, rounded. Twelve milli-g a count leave no room for a plain product."""
        return (self.velocity.muldiv(value, scale_ug, 500 * parts) + 1) >> 1
