#include "common.cuh"

// What scores say of classes: n × m, row by row; of two classes that of the second alone, m = 1. `lanes`
// threads, a power of two up to 32, share a row, so that neighbours in memory are read together.

// Whether a score is above another. As NumPy has it, what is no number is above all that are.
static __device__ __forceinline__ bool above(REAL a, REAL b) { return a > b || (a != a && b == b); }

// Of each row the number of its highest score, the first of equals, as `int`; where there are classes, the
// class of that number, of 1, 2, 4 or 8 bytes. Of one score: whether it is above zero. 256 threads.
// Reads each row once, and writes four bytes, or those of a class.
extern "C" __global__ void NAME(best)(const REAL* scores, i64 n, int m, int lanes, const void* classes,
                                      int bytes, void* out) {
    const i64 at = (i64)blockIdx.x * blockDim.x + threadIdx.x, i = at / lanes;
    const int lane = (int)(at % lanes);
    const REAL* row = scores + (i < n ? i : n - 1) * m;
    int best = lane < m ? lane : 0;
    REAL most = row[best];
    for (int c = lane + lanes; c < m; c += lanes)
        if (above(row[c], most)) {
            most = row[c];
            best = c;
        }
    for (int step = lanes / 2; step > 0; step /= 2) {
        const REAL other = __shfl_xor_sync(0xffffffffu, most, step);
        const int its = __shfl_xor_sync(0xffffffffu, best, step);
        if (above(other, most) || (!above(most, other) && its < best)) {
            most = other;
            best = its;
        }
    }
    if (m == 1) best = most > REAL(0);
    if (lane > 0 || i >= n) return;
    if (!classes) ((int*)out)[i] = best;
    else if (bytes == 8) ((i64*)out)[i] = ((const i64*)classes)[best];
    else if (bytes == 4) ((int*)out)[i] = ((const int*)classes)[best];
    else if (bytes == 2) ((short*)out)[i] = ((const short*)classes)[best];
    else ((char*)out)[i] = ((const char*)classes)[best];
}

// Probabilities of classes, n × m, or their logarithms: the softmax of scores; of one score the sigmoids of
// both classes, n × 2. In double, rounded once. 256 threads. Reads each row once from memory and twice from
// cache, and writes as much; of one score twice as much.
extern "C" __global__ void NAME(probabilities)(const REAL* scores, i64 n, int m, int lanes, int logarithms,
                                        REAL* out) {
    const i64 at = (i64)blockIdx.x * blockDim.x + threadIdx.x, i = at / lanes;
    const int lane = (int)(at % lanes);
    const REAL* row = scores + (i < n ? i : n - 1) * m;
    if (m == 1) {
        for (int c = 0; c < 2 && i < n; ++c) {
            const double x = c ? (double)row[0] : -(double)row[0];
            double found = 1.0 / (1.0 + exp(-x));
            if (logarithms) found = x < 0.0 ? x - log1p(exp(x)) : -log1p(exp(-x));
            out[2 * i + c] = (REAL)found;
        }
        return;
    }
    double most = -infinite(), sum = 0.0;
    for (int c = lane; c < m; c += lanes) most = fmax(most, (double)row[c]);
    for (int step = lanes / 2; step > 0; step /= 2)
        most = fmax(most, __shfl_xor_sync(0xffffffffu, most, step));
    if (logarithms && !(fabs(most) < infinite())) most = 0.0;
    for (int c = lane; c < m; c += lanes) sum += exp((double)row[c] - most);
    for (int step = lanes / 2; step > 0; step /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, step);
    const double whole = logarithms ? log(sum) : sum;
    for (int c = lane; c < m && i < n; c += lanes) {
        const double x = (double)row[c] - most;
        out[i * m + c] = (REAL)(logarithms ? x - whole : exp(x) / whole);
    }
}
