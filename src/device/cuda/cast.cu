#include "common.cuh"

// A number of DLPack's kinds: 0 whole, 1 whole and not negative (truth as well), 2 float, 4 bfloat; of so
// many bytes.
static __device__ double number(const unsigned char* at, int kind, int bytes) {
    unsigned long long bits = 0;
    for (int b = bytes - 1; b >= 0; --b) bits = bits << 8 | at[b];
    if (kind == 0) {
        const int spare = 64 - 8 * bytes;
        return (double)((i64)(bits << spare) >> spare);
    }
    if (kind == 1) return (double)bits;
    if (kind == 2 && bytes == 8) {
        union { unsigned long long i; double x; } found;
        found.i = bits;
        return found.x;
    }
    if (kind == 4) bits <<= 16;
    if (kind == 2 && bytes == 2) {  // half: 5 bits of exponent, 10 of fraction
        const unsigned sign = (unsigned)(bits >> 15) << 31, least = (unsigned)bits & 1023;
        const unsigned power = (unsigned)(bits >> 10) & 31;
        if (power == 0) return (sign ? -1.0 : 1.0) * least / 16777216.0;
        bits = sign | (power == 31 ? 255u : power + 112u) << 23 | least << 13;
    }
    union { unsigned i; float x; } found;
    found.i = (unsigned)bits;
    return (double)found.x;
}

// Numbers of another kind as REAL, row by row; steps count numbers. A thread a number.
extern "C" __global__ void NAME(cast)(const unsigned char* from, i64 n, i64 p, i64 row, i64 column, int kind,
                                      int bytes, REAL* out) {
    const i64 at = (i64)blockIdx.x * blockDim.x + threadIdx.x;
    if (at >= n * p) return;
    out[at] = (REAL)number(from + (at / p * row + at % p * column) * bytes, kind, bytes);
}

// Numbers of each row times the root of one of its own, or by that, if it is not less than `least`; row by
// row. Steps count numbers. A thread a number.
extern "C" __global__ void NAME(scaled)(const REAL* from, i64 n, i64 p, i64 row, i64 column,
                                        const REAL* squares, i64 step, int by, double least, REAL* out) {
    const i64 at = (i64)blockIdx.x * blockDim.x + threadIdx.x;
    if (at >= n * p) return;
    const REAL x = from[at / p * row + at % p * column], root = sqrt(squares[at / p * step]);
    out[at] = by ? x / (root < (REAL)least ? (REAL)least : root) : x * root;
}
