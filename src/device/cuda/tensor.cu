#include "common.cuh"

// The nearest centre on tensor cores, for either type of rows: numbers are split in two of 11 bits (TF32), of
// whose products the three largest are summed, as exact as products of floats. Rows for which that is
// not enough are marked, as `nearest` of nearest.cu marks them, and settled in double.

#define HIGH 128   // rows of a tile: 16 for each of 8 warps
#define SPAN 64    // its centres
#define DEPTH 16   // its columns
#define PITCH (DEPTH + 4)
#define EIGHTS (SPAN / 8)

#ifndef EMULATED
static __device__ __forceinline__ float as_float(unsigned bits) { return __uint_as_float(bits); }
static __device__ __forceinline__ unsigned to_tf32(float x) {
    unsigned bits;
    asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(x));
    return bits;
}
// c += a b of 16 × 8 by 8 × 8, spread over a warp as PTX has it: row and column of a thread are g and t.
static __device__ __forceinline__ void multiply(float (&c)[4], const unsigned (&a)[4],
                                                const unsigned (&b)[2]) {
    asm volatile(
        "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
        "{%0,%1,%2,%3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
#endif

// High and low part.
template <int N>
static __device__ __forceinline__ void split(const float (&x)[N], unsigned (&high)[N],
                                             unsigned (&low)[N]) {
    for (int i = 0; i < N; ++i) {
        high[i] = to_tf32(x[i]);
        low[i] = to_tf32(x[i] - as_float(high[i]));
    }
}

// The best and the second best of what two threads have; of equals the first.
static __device__ __forceinline__ void unite(float& best, float& second, int& at, int step) {
    const float other = __shfl_xor_sync(0xffffffffu, best, step);
    const float less = __shfl_xor_sync(0xffffffffu, second, step);
    const int place = __shfl_xor_sync(0xffffffffu, at, step);
    const bool wins = other > best || (other == best && place < at);
    const float lost = wins ? best : other;
    if (wins) {
        best = other;
        at = place;
    }
    second = lost > second ? lost : second;
    second = less > second ? less : second;
}

// As `nearest`; centres and ½‖c‖² as floats. Blocks: 128 rows; 256 threads. Reads each row k / 64 times,
// mostly from cache; writes 4 bytes a row.
extern "C" __global__ void NAME(nearest_tf32)(NAME(Rows) a, const double* place, const float* centers,
                                              const float* halves, int k, double share, double longest,
                                              int* labels) {
    __shared__ float left[HIGH][PITCH];
    __shared__ float right[SPAN][PITCH];
    const int lane = threadIdx.x % 32, own = threadIdx.x / 32 * 16, g = lane / 4, t = lane % 4;
    const i64 base = (i64)blockIdx.x * HIGH;
    float best[2], second[2], square[2] = {0.0f, 0.0f};
    int at[2] = {0, 0};
    for (int h = 0; h < 2; ++h) best[h] = second[h] = (float)-infinite();
    for (int first = 0; first < k; first += SPAN) {
        float sums[EIGHTS][4];
        for (int j = 0; j < EIGHTS; ++j)
            for (int i = 0; i < 4; ++i) sums[j][i] = 0.0f;
        for (int column = 0; column < a.p; column += DEPTH) {
            for (int e = threadIdx.x; e < HIGH * DEPTH; e += 256) {
                int r = a.near ? e / DEPTH : e % HIGH, c = a.near ? e % DEPTH : e / HIGH;
                bool inside = base + r < a.n && column + c < a.p;
                double x = inside ? (double)entry(a, base + r, column + c) - place[column + c] : 0.0;
                left[r][c] = (float)x;
            }
            for (int e = threadIdx.x; e < SPAN * DEPTH; e += 256) {
                int r = e / DEPTH, c = e % DEPTH;
                bool inside = first + r < k && column + c < a.p;
                right[r][c] = inside ? centers[(i64)(first + r) * a.p + column + c] : 0.0f;
            }
            __syncthreads();
            for (int c = t; c < DEPTH; c += 8) {
                const float z[4] = {left[own + g][c], left[own + g + 8][c], left[own + g][c + 4],
                                    left[own + g + 8][c + 4]};
                unsigned high[4], low[4];
                split(z, high, low);
                if (first == 0)
                    for (int h = 0; h < 2; ++h) square[h] += z[h] * z[h] + z[h + 2] * z[h + 2];
                for (int j = 0; j < EIGHTS; ++j) {
                    const float x[2] = {right[j * 8 + g][c], right[j * 8 + g][c + 4]};
                    unsigned top[2], rest[2];
                    split(x, top, rest);
                    multiply(sums[j], low, top);
                    multiply(sums[j], high, rest);
                    multiply(sums[j], high, top);
                }
            }
            __syncthreads();
        }
        for (int j = 0; j < EIGHTS; ++j)
            for (int i = 0; i < 4; ++i) {
                const int center = first + j * 8 + 2 * t + i % 2, h = i / 2;
                if (center >= k) continue;
                const float score = sums[j][i] - halves[center];
                if (score > best[h]) {
                    second[h] = best[h];
                    best[h] = score;
                    at[h] = center;
                } else if (score > second[h]) {
                    second[h] = score;
                }
            }
    }
    for (int h = 0; h < 2; ++h) {
        for (int step = 1; step <= 2; step *= 2) {
            unite(best[h], second[h], at[h], step);
            square[h] += __shfl_xor_sync(0xffffffffu, square[h], step);
        }
        const i64 i = base + own + g + 8 * h;
        if (t > 0 || i >= a.n) continue;
        const double size = sqrt((double)square[h]) + longest;
        labels[i] = (double)best[h] - second[h] > share * size * size ? at[h] : -1 - at[h];
    }
}
