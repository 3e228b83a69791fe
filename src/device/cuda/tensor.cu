#include "common.cuh"

// What tensor cores multiply. Floats are split in two numbers of 11 bits (TF32), of whose products the three
// largest are summed: as exact as products of floats.

#define HIGH 128   // rows of a tile: 16 for each of 8 warps
#define SPAN 64    // its centres
#define DEPTH 16   // its columns
#define PITCH (DEPTH + 4)
#define EIGHTS (SPAN / 8)
#define PANEL 64   // columns of a tile of products
#define FLUSH 16   // rows whose products are summed as floats: tensor cores cut each sum off

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
// The same of 8 × 4 by 4 × 8, in double.
static __device__ __forceinline__ void multiply(double (&c)[2], double a, double b) {
    asm volatile("mma.sync.aligned.m8n8k4.row.col.f64.f64.f64.f64 {%0,%1}, {%2}, {%3}, {%0,%1};"
                 : "+d"(c[0]), "+d"(c[1])
                 : "d"(a), "d"(b));
}
#endif

// Panels (i, j), j ≤ i, in the order (0, 0), (1, 0), (1, 1), ….
static __device__ __forceinline__ void panels(int at, int& i, int& j) {
    for (i = 0; at > i; ++i) at -= i + 1;
    j = at;
}

// A tile of DEPTH rows of panels i and j of [x y], around the chunk's place, the second by weight.
template <typename A, int S>
static __device__ __forceinline__ void both(const NAME(Rows) & a, i64 base, i64 end, int i, int j,
                                            const double* center, A (*left)[S], A (*right)[S]) {
    const int q = a.p + a.m;
    for (int e = threadIdx.x; e < DEPTH * PANEL; e += 256) {
        const int r = a.near ? e / PANEL : e % DEPTH, c = a.near ? e % PANEL : e / DEPTH;
        const int u = i * PANEL + c, v = j * PANEL + c;
        const bool inside = base + r < end;
        A du = 0, dv = 0;
        if (inside && u < q) du = (A)entry(a, base + r, u) - (center ? (A)center[u] : A(0));
        if (inside && v < q) dv = (A)entry(a, base + r, v) - (center ? (A)center[v] : A(0));
        left[r][c] = du;
        right[r][c] = inside ? dv * (A)weight(a, base + r) : A(0);
    }
}

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

// As `products` of moments.cu, of rows that are floats. A warp has 16 by 32 entries.
extern "C" __global__ void NAME(products_tf32)(NAME(Rows) a, i64 size, const double* centers,
                                               double* parts) {
    __shared__ float left[DEPTH][PANEL + 8];
    __shared__ float right[DEPTH][PANEL + 8];
    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, g = lane / 4, t = lane % 4;
    const int row = warp % 4 * 16 + g, column = warp / 4 * 32;
    const i64 chunk = blockIdx.x, end = end_of(a, chunk, size);
    const double* center = centers ? centers + chunk * (a.p + a.m) : nullptr;
    int i, j;
    panels(blockIdx.y, i, j);
    double sums[4][4];
    float own[4][4];
    for (int n = 0; n < 4; ++n)
        for (int l = 0; l < 4; ++l) sums[n][l] = own[n][l] = 0.0f;
    for (i64 base = chunk * size; base < end; base += DEPTH) {
        both<float>(a, base, end, i, j, center, left, right);
        __syncthreads();
        for (int r = t; r < DEPTH; r += 8) {
            const float z[4] = {left[r][row], left[r][row + 8], left[r + 4][row], left[r + 4][row + 8]};
            unsigned high[4], low[4];
            split(z, high, low);
            for (int n = 0; n < 4; ++n) {
                const float x[2] = {right[r][column + n * 8 + g], right[r + 4][column + n * 8 + g]};
                unsigned top[2], rest[2];
                split(x, top, rest);
                multiply(own[n], low, top);
                multiply(own[n], high, rest);
                multiply(own[n], high, top);
            }
        }
        __syncthreads();
        if ((base / DEPTH + 1) % (FLUSH / DEPTH) == 0 || base + DEPTH >= end)
            for (int n = 0; n < 4; ++n)
                for (int l = 0; l < 4; ++l) {
                    sums[n][l] += own[n][l];
                    own[n][l] = 0.0f;
                }
    }
    double* out = parts + (chunk * gridDim.y + blockIdx.y) * PANEL * PANEL;
    for (int n = 0; n < 4; ++n)
        for (int l = 0; l < 4; ++l)
            out[(row + l / 2 * 8) * PANEL + column + n * 8 + 2 * t + l % 2] = sums[n][l];
}

// The same in double, of either type of rows. A warp has 8 by 64 entries.
extern "C" __global__ void NAME(products_f64)(NAME(Rows) a, i64 size, const double* centers,
                                              double* parts) {
    __shared__ double left[DEPTH][PANEL + 4];
    __shared__ double right[DEPTH][PANEL + 4];
    const int lane = threadIdx.x % 32, g = lane / 4, t = lane % 4, row = threadIdx.x / 32 * 8 + g;
    const i64 chunk = blockIdx.x, end = end_of(a, chunk, size);
    const double* center = centers ? centers + chunk * (a.p + a.m) : nullptr;
    int i, j;
    panels(blockIdx.y, i, j);
    double sums[8][2];
    for (int n = 0; n < 8; ++n) sums[n][0] = sums[n][1] = 0.0;
    for (i64 base = chunk * size; base < end; base += DEPTH) {
        both<double>(a, base, end, i, j, center, left, right);
        __syncthreads();
        for (int r = t; r < DEPTH; r += 4)
            for (int n = 0; n < 8; ++n) multiply(sums[n], left[r][row], right[r][n * 8 + g]);
        __syncthreads();
    }
    double* out = parts + (chunk * gridDim.y + blockIdx.y) * PANEL * PANEL;
    for (int n = 0; n < 8; ++n)
        for (int l = 0; l < 2; ++l) out[row * PANEL + n * 8 + 2 * t + l] = sums[n][l];
}

// The nearest centre, for either type of rows, as `nearest` of nearest.cu: rows for which floats are not
// enough are marked, and settled in double. Centres and ½‖c‖² as floats. Blocks: 128 rows; 256 threads. Reads each row k / 64 times,
// mostly from cache; writes 4 bytes a row.
extern "C" __global__ void NAME(nearest_tf32)(NAME(Rows) a, const double* place, const float* centers,
                                              const float* halves, int k, double share, double least,
                                              double longest, int* labels) {
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
        const bool sure = (double)best[h] - second[h] > share * size * size + least;
        labels[i] = sure ? at[h] : -1 - at[h];
    }
}
