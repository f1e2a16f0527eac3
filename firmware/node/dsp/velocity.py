"""Velocity RMS, strongest lines and bands of three axes, from blocks of a running stream. Glue between kernels: no
loop over samples here, and nothing allocated after __init__.

    v = Velocity(decimate, fft, spectrum, slow=False)       modules of kernels, or their twins
    v.feed(buffers, n, rate_dhz, scale_ug, contiguous)      how many records that completed
    v.ready, v.velocity_c, v.lines, v.bands, v.band_low_dhz, v.band_high_hz, v.covered

Blocks go through the decimator into a record per axis; when it is full, a Hann-windowed FFT gives its spectrum, which
is weighted with 1/f**2 and summed over the band. The next record begins half-way, so that every sample counts about
equally; velocity_c of a block that completes several is the root of their mean square. A gap empties the record.

Chosen over filters in time (high-pass, integrator, low-pass) because it costs no more, gives the lines as well, has
edges ten times as steep for the same length of signal and no drift: 10-1000 Hz read within 1 % (docs/accuracy.md).

The record holds 1024, 2048 or 4096 points, a second or a little more (0.7 s at worst, from sensors of 4 to 5.8 kHz).
A line at the very edge of the band spreads over two bins outside it, so the sum reaches one bin further, with weights
(_EDGE) found by linear programming: the steepest edge that keeps a line in the band within 1.5 %, wherever the edge
falls between bins. A bin below 10 Hz a line reads 0.79 of itself at most, two bins below 0.31, three 0.02.
Below 2.4 bins nothing can be told.
"""

from array import array

POINTS = 4096
LINES = 8
BANDS = 4

_HIGH_DHZ = 10000
# A sensor slower than this has no band worth the name, and its numbers no room here.
_LOWEST_DHZ = 1000
# A line's power beyond its own bin, of the strongest that may be a side lobe of the window, as a shift: 3 to 9 bins on.
_SIDE_LOBE = (10, 13, 15, 17, 19, 20, 21)
# Bins below this are noise of the transform, 80 dB below the largest it could take.
_OWN_NOISE = 6
# Bins 2 to 6 where the band begins there: weights in 1/256 that keep the reading of a line of 2.4 bins or more flat.
_LOWEST = (304, 239, 273, 244, 266)
# Weights of bins around an edge of the band, from 1.25 bins outside to 1 bin inside, each quarter of a bin; in 1/256.
_EDGE = (0, 182, 218, 246, 292, 269, 269, 266, 241, 256)
_EDGE_BEGINS = 320
# sqrt(4/3), for the window, times g in m/s**2, over 2 pi; 100 * 256 times that.
_TO_VELOCITY = 46137
# sqrt(3/2): a line from its top instead of from its sum; in 1/16384.
_TOP = 20066


class Velocity:
    """decimate, fft, spectrum: kernel modules. slow: the band begins at 2 Hz. bands: (low Hz, high Hz) each, 0: off.

    velocity_c, bands: 0.01 mm/s (array of 3; of 4 for each axis, -1 where off). fine: velocity in 1/256 of that.
    lines: for each axis LINES times (0.1 Hz, 0.01 mm/s), strongest first, zeros behind the last. ready: these have
    values, of a record not long ago. count: of records, ever. clipped: a sample of the record was at full scale.
    band_low_dhz (0.1 Hz), band_high_hz: what velocity_c covers; covered: whether that is the band it should be.
    work: array('i') that anyone may use between calls.
    """

    def __init__(self, decimate, fft, spectrum, slow: bool = False, bands=()):
        self._decimate = decimate
        self._fft = fft
        self._spectrum = spectrum
        self._records = tuple([array("h", bytes(2 * POINTS)) for _ in range(3)])
        self.work = array("i", bytes(4 * (POINTS + 32)))
        self._table = array("i", bytes(4 * fft.TABLE_WORDS))
        self._weights = array("h", bytes(2 * spectrum.WEIGHTS))
        self._states = tuple([array("i", bytes(4 * decimate.STATE_WORDS)) for _ in range(3)])
        self._out = array("i", bytes(4 * spectrum.SURVEY_WORDS))
        self._tops = array("i", bytes(4 * spectrum.PEAK_WORDS))
        self.fine = array("i", [0, 0, 0])
        self.velocity_c = array("i", [0, 0, 0])
        self.lines = array("i", bytes(4 * 3 * 2 * LINES))
        self.bands = array("i", [-1] * (3 * BANDS))
        self._band_dhz = array("i", [0] * (2 * BANDS))
        for i in range(min(BANDS, len(bands))):
            self._band_dhz[2 * i] = 10 * bands[i][0]
            self._band_dhz[2 * i + 1] = 10 * bands[i][1]
        self._low_dhz = 20 if slow else 100
        self._sensor_low_dhz = 0
        self._sensor_high_dhz = _HIGH_DHZ
        self._factor = 0
        self._planned_dhz = 0
        self._n = POINTS
        self._at = 0
        self._rate_dhz = 0
        self._unit = 0
        self._shift = 0
        self._exponent = 0
        self._age = 0
        self._stain = 0
        self.count = 0
        self.span = POINTS
        self.ready = self.covered = self.clipped = False
        self.band_low_dhz = self.band_high_hz = self.resolution_mhz = 0
        fft.table(self._table)

    def sensor_band(self, low_hz: int, high_hz: int) -> None:
        """What the sensor itself passes; velocity is said to cover no more than that."""
        self._sensor_low_dhz = 10 * low_hz
        self._sensor_high_dhz = 10 * high_hz

    @property
    def missing(self) -> int:
        """Samples until the record is full, if they follow without a gap."""
        return (self._n - self._at) * max(1, self._factor)

    def forget(self) -> None:
        """Empty the record and drop the results."""
        self._at = 0
        self._stain = 0
        self.ready = False

    def muldiv(self, a: int, b: int, c: int) -> int:
        """a * b // c of numbers that are not negative, with room for the product."""
        return self._spectrum.muldiv(a, b, c)

    def feed(
        self, buffers, n: int, rate_dhz: int, scale_ug: int, contiguous: bool = True, clipped: bool = False
    ) -> int:
        """Take n samples (a multiple of 8) of three array('h'); how many records were completed.

        rate_dhz: measured, 0.1 Hz. scale_ug: micro-g per count. contiguous: they follow the last ones without a gap;
        otherwise the record begins anew. clipped: some are at full scale. A result stays for the time of four records.
        """
        if rate_dhz < _LOWEST_DHZ:
            self.forget()
            return 0
        # The plan stays while the rate is about the same: at a limit it would change with every measurement.
        if not self._factor or abs(rate_dhz - self._planned_dhz) > self._planned_dhz >> 4:
            self._plan(rate_dhz)
            contiguous = False
        if not contiguous:
            self._at = 0
        self._age += n
        if self._age > 4 * self.span:
            self.ready = False
        if clipped:
            self._stain = self._n + n // self._factor
        decimate = self._decimate
        factor = self._factor
        if self._at == 0:
            for axis in range(3):
                decimate.prime(buffers[axis][0], self._states[axis])
        self._rate_dhz = rate_dhz
        first = 0
        done = 0
        while first < n:
            take = min(n - first, (self._n - self._at) * factor)
            for axis in range(3):
                decimate.decimate(factor, buffers[axis], first, take, self._states[axis], self._records[axis], self._at)
            first += take
            self._at += take // factor
            self._stain = max(0, self._stain - take // factor)
            if self._at == self._n:
                self._evaluate(scale_ug * decimate.scale(factor), done)
                done += 1
                half = self._n >> 1
                for record in self._records:
                    decimate.decimate(1, record, half, half, None, record, 0)
                self._at = half
                self._age = n - first
        return done

    # --- inside

    def _plan(self, rate_dhz: int) -> None:
        factor = self._decimate.ratio(rate_dhz)
        if factor != self._factor:
            self._factor = factor
            self._spectrum.weights(factor, self._weights)
        self._planned_dhz = rate_dhz
        slowed = rate_dhz // factor
        self._n = 1024 if slowed <= 10240 else 2048 if slowed <= 20480 else POINTS
        self.span = self._n * factor

    def _evaluate(self, scale_ug: int, before: int) -> None:
        """Results of the full records. before: how many were completed in this block already."""
        spectrum = self._spectrum
        rate = self._rate_dhz
        span = self.span
        self.resolution_mhz = spectrum.muldiv(rate, 100, span)
        # The unit of velocity per unit of the root of power, in 1/256 of 0.01 mm/s.
        self._unit = spectrum.muldiv(scale_ug * span, _TO_VELOCITY, 100 * rate)
        high_dhz = min(_HIGH_DHZ, self._sensor_high_dhz, rate * 25 // (64 * self._factor))
        self.band_high_hz = high_dhz // 10
        lowest = (rate * 12 + 5 * span - 1) // (5 * span)
        self.band_low_dhz = max(self._low_dhz, self._sensor_low_dhz, lowest)
        self.covered = high_dhz >= _HIGH_DHZ and self.band_low_dhz <= self._low_dhz
        for axis in range(3):
            self._axis(axis, high_dhz, before)
        self.clipped = self._stain > 0
        self.ready = True
        self.count += 1

    def _axis(self, axis: int, high_dhz: int, before: int) -> None:
        spectrum = self._spectrum
        out = self._out
        n = self._n
        record = self._records[axis]
        lines = 2 * LINES * axis
        for i in range(lines, lines + 2 * LINES):
            self.lines[i] = 0
        fine = 0
        spectrum.survey(record, n, out)
        self._shift = shift = out[spectrum.SHIFT]
        found = shift >= 0
        if found:
            spectrum.load(record, n, out[spectrum.CENTRE], shift, self.work, self._table)
            self._fft.finish(self.work, n >> 1, self._table)
            self._fft.real(self.work, n >> 1, self._table)
            last = self._edge(high_dhz, 1)
            first = self._edge(self._low_dhz, -1)
            self._power(max(1, first >> 8), (last >> 8) + 2)
            fine = self._sum(first, last, self._low_dhz < 100)
            self._lines(lines, (first >> 8) + 1, (last >> 8) + 1)
        for band in range(BANDS):
            low, high = self._band_dhz[2 * band], self._band_dhz[2 * band + 1]
            value = 0 if high else -1
            low, high = max(low, self._low_dhz), min(high, high_dhz)
            if found and low < high:
                value = (self._sum(self._edge(low, -1), self._edge(high, 1), False) + 128) >> 8
            self.bands[BANDS * axis + band] = value
        if before:
            fine = self._mean(self.fine[axis], before, fine)
        self.fine[axis] = fine
        self.velocity_c[axis] = (fine + 128) >> 8

    def _edge(self, dhz: int, side: int) -> int:
        """Where the sum begins (side -1) or ends (1) for a band's edge, in 1/256 bin."""
        at = self._spectrum.muldiv(dhz * 256, self.span, self._rate_dhz) + side * _EDGE_BEGINS
        return max(at, 256)

    def _power(self, first: int, last: int) -> None:
        """Bins -> P, with an exponent that uses 15 bits for the largest."""
        spectrum = self._spectrum
        work = self.work
        octave = 0
        while 2 << octave <= first:
            octave += 1
        lowest = octave
        # At most this, or the shift of the lowest octave would be negative.
        exponent = 14 + octave
        while 1 << octave < last:
            # Bin 1 has no weight, whatever is in it.
            low, high = max(first, 1 << octave, 2), min(last, 2 << octave)
            if low < high:
                exponent = min(exponent, 14 + octave - spectrum.ceiling(work, low, high))
            octave += 1
        self._exponent = exponent
        octave = lowest
        while 1 << octave < last:
            low, high = max(first, 1 << octave), min(last, 2 << octave)
            spectrum.power(work, self._weights, low, high, 14 + octave - exponent)
            octave += 1

    def _sum(self, first: int, last: int, slow: bool) -> int:
        """Velocity RMS between two edges in 1/256 bin, in 1/256 of 0.01 mm/s."""
        spectrum = self._spectrum
        out = self._out
        work = self.work
        low = (first >> 8) + 1
        high = (last - 1) >> 8
        if high < low + 3:
            return 0
        spectrum.total(work, low, high + 1, out)
        a, b = out[spectrum.SUM_LOW], out[spectrum.SUM_HIGH]
        for inside in range(3):
            # Near both ends a bin counts for more or less than itself.
            part = self._beyond(low + inside, ((low + inside) << 8) - first)
            a += part & 0xFFFF
            b += part >> 16
            part = self._beyond(high - inside, last - ((high - inside) << 8))
            a += part & 0xFFFF
            b += part >> 16
        if slow:
            for k in range(low, 7):
                part = (work[2 * k] >> 8) * (_LOWEST[k - 2] - 256)
                a += part & 0xFFFF
                b += part >> 16
        # 64 times the sum in three digits; its root is 8 times that of the sum.
        b = max(0, b + (a >> 16))
        b = (b << 6) + ((a & 0xFFFF) >> 10)
        a = (a << 6) & 0xFFFF
        return self._scaled(spectrum.root(b >> 16, b & 0xFFFF, a), 3)

    def _beyond(self, k: int, inside: int) -> int:
        """P of a bin times what its weight is more than one. inside: 1/256 bin from where the edge begins."""
        step = inside >> 6
        if step >= 9:
            return 0
        weight = (_EDGE[step] * (64 - (inside & 63)) + _EDGE[step + 1] * (inside & 63)) >> 6
        return (self.work[2 * k] >> 8) * (weight - 256)

    def _scaled(self, value: int, places: int) -> int:
        """value * 2**-places in units of the root of power -> 1/256 of 0.01 mm/s."""
        places += self._exponent + self._shift
        if places > 28:
            return self._spectrum.muldiv(value, self._unit, 1 << 28) >> (places - 28)
        return self._spectrum.muldiv(value, self._unit, 1 << places)

    def _mean(self, a: int, count: int, b: int) -> int:
        """Root mean square of b and of `count` values whose own is a."""
        top = max(a, b)
        if not top:
            return 0
        muldiv = self._spectrum.muldiv
        a = muldiv(a, 8192, top)
        b = muldiv(b, 8192, top)
        square = (a * a * count + b * b) // (count + 1)
        return muldiv(top, self._spectrum.root(0, square >> 16, square & 0xFFFF), 8192)

    def _lines(self, place: int, first: int, last: int) -> None:
        """The strongest tops of P that are no side lobes of stronger ones, refined between bins, into lines[place:]."""
        spectrum = self._spectrum
        tops = self._tops
        spectrum.peaks(self.work, first, last, tops)
        count = 0
        for i in range(spectrum.PEAKS):
            p = tops[2 * i]
            k = tops[2 * i + 1]
            if not p or count == LINES:
                break
            own = True
            for j in range(i):
                # A top that was refused stands for the stronger one it belongs to.
                if self._is_side_lobe(p, k, tops[2 * j], tops[2 * j + 1]):
                    own = False
                    break
            if own:
                count += self._refine(place, count, k)

    def _is_side_lobe(self, p: int, k: int, stronger: int, at: int) -> bool:
        away = abs(k - at)
        if away < 3:
            return True
        if away > 9:
            return False
        muldiv = self._spectrum.muldiv
        # In acceleration, where the window's side lobes are what they are.
        return p < muldiv(muldiv(stronger >> _SIDE_LOBE[away - 3], at, k), at, k)

    def _refine(self, place: int, count: int, k: int) -> int:
        """The line around bin k into its place among `count` others; 1, or 0 for one that rounds to nothing or is the
        FFT's own rounding.

        For a Hann window and magnitudes a, b, c of three neighbours the line is 2 (c - a) / (a + 2 b + c) bins from
        the middle, exactly; its top is b over sinc(d) / (1 - d**2), here by the series of that in d**2.
        """
        spectrum = self._spectrum
        muldiv = spectrum.muldiv
        work = self.work
        b = spectrum.magnitude(work, k)
        if (b >> 6) * k >> max(0, self._exponent) < _OWN_NOISE:
            return 0
        a = muldiv(spectrum.magnitude(work, k - 1), k - 1, k)
        c = muldiv(spectrum.magnitude(work, k + 1), k + 1, k)
        d = muldiv(abs(c - a), 8192, a + b + b + c)
        if d > 2458:
            d = 2458
        square = d * d >> 12
        top = 16384 + (10566 * square >> 12) + ((4083 * square >> 12) * square >> 12)
        if c < a:
            d = -d
        value = muldiv(muldiv(b, top, 16384), _TOP, 16384)
        at = (k << 12) + d
        value = muldiv(value, (k << 12) + 2048 // k, at)
        value = (self._scaled(value, 6) + 128) >> 8
        if not value:
            return 0
        dhz = (muldiv(2 * at, self._rate_dhz, self.span << 12) + 1) >> 1
        i = place + 2 * count
        while i > place and self.lines[i - 1] < value:
            self.lines[i] = self.lines[i - 2]
            self.lines[i + 1] = self.lines[i - 1]
            i -= 2
        self.lines[i] = dhz
        self.lines[i + 1] = value
        return 1
