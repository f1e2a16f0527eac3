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

/* decimate.py _quarter and _half: one output of eight samples */
#define BINOMIALS(p, out)                                 \
    y = 4 * (p[0] + b + c) + 2 * c + a + p[1];            \
    v = 4 * (p[0] + p[2] + p[1]) + 2 * p[1] + c + p[3];   \
    a = p[1];                                             \
    b = p[2];                                             \
    c = p[3];                                             \
    out = (6 * y + v + r) >> 8;                           \
    r = 20 * y + 15 * v + s;                              \
    s = 6 * y + 15 * v + t;                               \
    t = v;

void half(const int16_t *x, int n, int16_t *out, int32_t *q)
{
    int32_t a = 0, b = 0, c = 0, r = 0, s = 0, t = 0, carry = 32768, y, v;
    for (int i = 0; i < n; i += 8, x += 8, q += 2) {
        BINOMIALS(x, q[22])
        BINOMIALS((x + 4), q[23])
        v = carry - 15 * (q[0] + q[22]) + 56 * (q[2] + q[20]) - 146 * (q[4] + q[18]);
        v += 330 * (q[6] + q[16]) - 740 * (q[8] + q[14]) + 2563 * (q[10] + q[12]) + (q[11] << 12);
        *out++ = v >> 16;
        carry = v & 0xFFFF;
    }
}

/* fft.py: radix 2, twiddle of each butterfly looked up, a stage at a time */
void fft(int16_t *x, int points, const int16_t *table)
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
