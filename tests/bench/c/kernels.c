/* What the viper kernels compute, the straightforward way in C: what a compiler makes of it is the limit they are
 * measured against. Nothing runs this; bench_kernels.py compiles it for rv32imc and counts the loops. */
#include <stdint.h>

/* stats.py _fused */
void fused(const int16_t *x, int n, int64_t *out)
{
    int32_t sum = 0, peak = 0;
    int64_t squares = 0;
    for (int i = 0; i < n; i++) {
        int32_t v = x[i], s = v * v;
        sum += v;
        squares += s;
        if (s > peak)
            peak = s;
    }
    out[0] = sum;
    out[1] = squares;
    out[2] = peak;
}

/* stats.py _peak_about */
void peak_about(const int16_t *x, int n, int32_t *out)
{
    int32_t low = 32767, high = -32768;
    for (int i = 0; i < n; i++) {
        if (x[i] > high)
            high = x[i];
        if (x[i] < low)
            low = x[i];
    }
    out[0] = low;
    out[1] = high;
}

/* moments.py _sums, without rounding in turns: a compiler's user would not need it, having 64 bits */
void moments(const int16_t *x, int n, int32_t mean, int64_t *out)
{
    int64_t cubes = 0, fourths = 0;
    for (int i = 0; i < n; i++) {
        int32_t v = x[i] - mean, e = (v * v) >> 13;
        cubes += (int32_t)(e * v);
        fourths += (int32_t)(e * e);
    }
    out[0] = cubes;
    out[1] = fourths;
}

/* envelope.py _band: three biquads with the fraction carried in two of them */
void band(const int16_t *x, int n, int32_t *y, int32_t *f)
{
    int32_t g1 = f[0], c1 = f[1], d1 = f[2], g2 = f[3], c2 = f[4], d2 = f[5], g3 = f[6], c3 = f[7], d3 = f[8];
    int32_t xa = 0, xb = 0, wa = 0, wb = 0, ya = 0, yb = 0, za = 0, zb = 0, e1 = 0, e2 = 0, most = 0;
    for (int i = 0; i < n; i++) {
        int32_t v = x[i], exact, w, u;
        exact = g1 * (v - 2 * xa + xb) + c1 * wa + d1 * wb + e1;
        xb = xa;
        xa = v;
        w = exact >> 14;
        e1 = exact & 16383;
        exact = g2 * (w - wb) + c2 * ya + d2 * yb + e2;
        wb = wa;
        wa = w;
        u = exact >> 14;
        e2 = exact & 16383;
        exact = g3 * (u + 2 * ya + yb) + c3 * za + d3 * zb;
        yb = ya;
        ya = u;
        zb = za;
        za = (exact + 8192) >> 14;
        y[i] = exact >> 10;
        most |= y[i] ^ (y[i] >> 31);
    }
    f[9] = most;
}

/* envelope.py _square, groups of four */
void square(int32_t *x, int points, int shift)
{
    for (int i = 0; i < points; i++) {
        int32_t a = x[4 * i] >> shift, b = x[4 * i + 1] >> shift, c = x[4 * i + 2] >> shift, d = x[4 * i + 3] >> shift;
        x[i] = a * a + b * b + c * c + d * d;
    }
}

/* envelope.py _smooth */
void smooth(int32_t *x, int points, int32_t alpha, int64_t *out)
{
    int32_t s1 = 0, s2 = 0, s3 = 0, last = 0, peak = 0;
    int64_t sum = 0;
    for (int i = 0; i < points; i++) {
        int32_t v = x[i] >> 1;
        sum += x[i];
        s1 -= ((s1 - (v + last)) >> 5) * alpha;
        s2 -= ((s2 - s1) >> 5) * alpha;
        s3 -= ((s3 - s2) >> 5) * alpha;
        last = v;
        x[i] = s3;
        if (s3 > peak)
            peak = s3;
    }
    out[0] = sum;
    out[1] = peak;
}

/* decimate.py _eighth: one output of eight samples, the sign of a sample being the compiler's affair */
#define PAIR(p, y)                          \
    y = p[0] + 5 * x + s + t;               \
    s = t;                                  \
    t = 4 * p[1] + p[0];                    \
    x = p[0];

#define SECTION(y, x, last, a, bits)        \
    v = (((x) - y) * a >> bits) + last;     \
    last = x;                               \
    y = v;

void eighth(const int16_t *p, int n, int16_t *out, int32_t *st)
{
    int32_t x = st[0], s = st[1], t = st[2], xb = st[3], b = st[4], xc = st[5], c = st[6], xd = st[7], d = st[8];
    int32_t e = st[9], xf = st[10], f = st[11], g = st[12], carry = st[13], v, y, last;
    for (int i = 0; i < n; i += 8, p += 8) {
        PAIR(p, y)
        SECTION(b, y, xb, 1123, 11)
        PAIR((p + 2), y)
        SECTION(c, y, xc, 954, 13)
        y = b + c;
        last = d;
        SECTION(d, y, xd, 434, 11)
        SECTION(e, d, last, 402, 9)
        PAIR((p + 4), y)
        SECTION(b, y, xb, 1123, 11)
        PAIR((p + 6), y)
        SECTION(c, y, xc, 954, 13)
        y = b + c;
        last = f;
        SECTION(f, y, xf, 449, 13)
        SECTION(g, f, last, 466, 10)
        v = e + g + carry;
        *out++ = v >> 8;
        carry = v & 255;
    }
    st[0] = x + s + t + xb + b + xc + c + xd + d + e + xf + f + g + carry;
}

/* fft.py _first */
void fft_first(int32_t *p, int points)
{
    for (int32_t *end = p + 2 * points; p < end; p += 8) {
        int32_t a = p[0] + p[2], b = p[0] - p[2], c = p[4] + p[6], d = p[4] - p[6];
        int32_t e = p[1] + p[3], f = p[1] - p[3], g = p[5] + p[7], h = p[5] - p[7];
        p[0] = (a + c + 1) >> 2;
        p[1] = (e + g + 1) >> 2;
        p[2] = (b + h + 1) >> 2;
        p[3] = (f - d + 1) >> 2;
        p[4] = (a - c + 2) >> 2;
        p[5] = (e - g + 2) >> 2;
        p[6] = (b - h + 2) >> 2;
        p[7] = (f + d + 2) >> 2;
    }
}

/* fft.py _fours; a table of three quarters of a turn, so that nothing has to be folded */
void fft_fours(int32_t *x, int points, const int32_t *table)
{
    int r = 2;
    for (int apart = 4, stride = 512; apart < points; apart *= 4, stride /= 4, r = 3 - r)
        for (int k = 0; k < apart; k++) {
            const int32_t *w = table + k * stride, *ww = w + k * stride, *www = ww + k * stride;
            int32_t c1 = w[0], s1 = w[1], c2 = ww[0], s2 = ww[1], c3 = www[0], s3 = www[1];
            for (int32_t *p = x + 2 * k; p < x + 2 * points; p += 8 * apart) {
                int32_t *second = p + 2 * apart, *third = second + 2 * apart, *fourth = third + 2 * apart;
                int32_t b = (second[0] * c2 + second[1] * s2 + 8192) >> 14;
                int32_t e = (second[1] * c2 - second[0] * s2 + 8192) >> 14;
                int32_t c = (third[0] * c1 + third[1] * s1 + 8192) >> 14;
                int32_t f = (third[1] * c1 - third[0] * s1 + 8192) >> 14;
                int32_t d = (fourth[0] * c3 + fourth[1] * s3 + 8192) >> 14;
                int32_t g = (fourth[1] * c3 - fourth[0] * s3 + 8192) >> 14;
                int32_t l = p[0] + r - b, m = p[1] + r - e, t = p[0] + r + b, u = p[1] + r + e;
                p[0] = (t + c + d) >> 2;
                p[1] = (u + f + g) >> 2;
                second[0] = (l + f - g) >> 2;
                second[1] = (m - c + d) >> 2;
                third[0] = (t - c - d) >> 2;
                third[1] = (u - f - g) >> 2;
                fourth[0] = (l - f + g) >> 2;
                fourth[1] = (m + c - d) >> 2;
            }
        }
}

/* tests/device/programs/alone.py squares */
void squares(const int16_t *x, int n, int64_t *out)
{
    int64_t sum = 0;
    for (int i = 0; i < n; i++)
        sum += x[i] * x[i];
    *out = sum;
}

/* No kernel of ours: the FFT most would write, radix 2, twiddle of each butterfly looked up, a stage at a time */
void fft_plain(int16_t *x, int points, const int16_t *table)
{
    for (int half = 1, stride = points / 2; half < points; half *= 2, stride /= 2)
        for (int start = 0; start < points; start += 2 * half)
            for (int i = 0; i < half; i++) {
                int32_t c = table[2 * i * stride], s = table[2 * i * stride + 1];
                int16_t *p = x + 2 * (start + i), *q = p + 2 * half;
                int32_t re = (q[0] * c + q[1] * s) >> 15, im = (q[1] * c - q[0] * s) >> 15;
                int32_t pr = p[0], pi = p[1];
                p[0] = (pr + re) >> 1;
                p[1] = (pi + im) >> 1;
                q[0] = (pr - re) >> 1;
                q[1] = (pi - im) >> 1;
            }
}
