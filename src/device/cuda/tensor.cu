#include "common.cuh"

// Products of columns by tensor cores: in split floats, or in double.

// From moments.rs: PANEL columns of a tile.
#define DEPTH 32   // rows of a tile; as many are summed as floats, for tensor cores cut each sum off

// Panels (i, j), j ≤ i, in the order (0, 0), (1, 0), (1, 1), ….
static __device__ __forceinline__ void panels(int at, int& i, int& j) {
    for (i = 0; at > i; ++i) at -= i + 1;
    j = at;
}

// The chunk's place, of the columns of panels i and j.
template <typename A>
static __device__ __forceinline__ void placed(const NAME(Rows) & a, int i, int j, const double* center,
                                              A* place) {
    if (threadIdx.x >= 2 * PANEL) return;
    const int column = (threadIdx.x < PANEL ? i : j) * PANEL + threadIdx.x % PANEL;
    place[threadIdx.x] = center && column < a.p + a.m ? (A)center[column] : A(0);
}

// A tile of DEPTH rows of panels i and j of [x y], around that place, the second by weight.
template <typename A, int S>
static __device__ __forceinline__ void both(const NAME(Rows) & a, i64 base, i64 end, int i, int j,
                                            const A* place, A (*left)[S], A (*right)[S]) {
    const int q = a.p + a.m;
#pragma unroll 4
    for (int l = 0; l < DEPTH * PANEL / THREADS; ++l) {
        const int e = threadIdx.x + THREADS * l;
        const int r = a.near ? e / PANEL : e % DEPTH, c = a.near ? e % PANEL : e / DEPTH;
        const int u = i * PANEL + c, v = j * PANEL + c;
        const bool inside = base + r < end;
        A du = 0, dv = 0;
        if (inside && u < q) du = (A)entry(a, base + r, u) - place[c];
        if (i == j)
            dv = du;
        else if (inside && v < q)
            dv = (A)entry(a, base + r, v) - place[PANEL + c];
        left[r][c] = du;
        right[r][c] = inside && a.w ? dv * (A)weight(a, base + r) : dv;
    }
}

// As `products` of moments.cu, of rows that are floats. A warp has 16 by 32 entries.
extern "C" __global__ void __launch_bounds__(THREADS, 3)
    NAME(products_tf32)(NAME(Rows) a, i64 size, const double* centers, double* parts) {
    __shared__ float left[DEPTH][PANEL + 8];
    __shared__ float right[DEPTH][PANEL + 8];
    __shared__ float place[2 * PANEL];
    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, g = lane / 4, t = lane % 4;
    const int row = warp % 4 * 16 + g, column = warp / 4 * 32;
    const i64 chunk = blockIdx.y, end = end_of(a, chunk, size);
    const double* center = centers ? centers + chunk * (a.p + a.m) : nullptr;
    int i, j;
    panels(blockIdx.x, i, j);
    placed(a, i, j, center, place);
    __syncthreads();
    double sums[4][4];
    for (int n = 0; n < 4; ++n)
        for (int l = 0; l < 4; ++l) sums[n][l] = 0.0;
    for (i64 base = chunk * size; base < end; base += DEPTH) {
        both(a, base, end, i, j, place, left, right);
        __syncthreads();
        float own[4][4] = {};
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
        for (int n = 0; n < 4; ++n)
            for (int l = 0; l < 4; ++l) sums[n][l] += own[n][l];
    }
    double* out = parts + (chunk * gridDim.x + blockIdx.x) * PANEL * PANEL;
    for (int n = 0; n < 4; ++n)
        for (int l = 0; l < 4; ++l)
            out[(row + l / 2 * 8) * PANEL + column + n * 8 + 2 * t + l % 2] = sums[n][l];
}

// The same in double, of either type of rows. A warp has 8 by 64 entries.
extern "C" __global__ void __launch_bounds__(THREADS, 3)
    NAME(products_f64)(NAME(Rows) a, i64 size, const double* centers, double* parts) {
    __shared__ double left[DEPTH][PANEL + 4];
    __shared__ double right[DEPTH][PANEL + 4];
    __shared__ double place[2 * PANEL];
    const int lane = threadIdx.x % 32, g = lane / 4, t = lane % 4, row = threadIdx.x / 32 * 8 + g;
    const i64 chunk = blockIdx.y, end = end_of(a, chunk, size);
    const double* center = centers ? centers + chunk * (a.p + a.m) : nullptr;
    int i, j;
    panels(blockIdx.x, i, j);
    placed(a, i, j, center, place);
    __syncthreads();
    double sums[8][2];
    for (int n = 0; n < 8; ++n) sums[n][0] = sums[n][1] = 0.0;
    for (i64 base = chunk * size; base < end; base += DEPTH) {
        both(a, base, end, i, j, place, left, right);
        __syncthreads();
        for (int r = t; r < DEPTH; r += 4)
            for (int n = 0; n < 8; ++n) multiply(sums[n], left[r][row], right[r][n * 8 + g]);
        __syncthreads();
    }
    double* out = parts + (chunk * gridDim.x + blockIdx.x) * PANEL * PANEL;
    for (int n = 0; n < 8; ++n)
        for (int l = 0; l < 2; ++l) out[row * PANEL + n * 8 + 2 * t + l] = sums[n][l];
}
