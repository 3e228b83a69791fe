#include "common.cuh"

#define BATCH 64
#define WIDTH 16
#define TARGETS 4

// X C + b, row by row, or y less that: n × m, in the type of the rows. Blocks: 64 rows, fours of
// targets; 256 threads. Reads each row once for four targets.
extern "C" __global__ void NAME(product)(NAME(Rows) a, const REAL* coef, const REAL* intercept, int m,
                                         int less, REAL* out) {
    __shared__ REAL z[BATCH][WIDTH + 1];
    const int t = threadIdx.x, r = t % BATCH, target = blockIdx.y * TARGETS + t / BATCH;
    const i64 base = (i64)blockIdx.x * BATCH, i = base + r;
    const bool there = i < a.n && target < m;
    REAL sum = 0;
    for (int column = 0; column < a.p; column += WIDTH) {
        for (int e = t; e < BATCH * WIDTH; e += 256) {
            int row = a.near ? e / WIDTH : e % BATCH, c = a.near ? e % WIDTH : e / BATCH;
            bool inside = base + row < a.n && column + c < a.p;
            z[row][c] = inside ? entry(a, base + row, column + c) : REAL(0);
        }
        __syncthreads();
        for (int c = 0; c < WIDTH && column + c < a.p && there; ++c)
            sum += z[r][c] * coef[(i64)(column + c) * m + target];
        __syncthreads();
    }
    if (!there) return;
    sum += intercept[target];
    out[i * m + target] = less ? entry(a, i, a.p + target) - sum : sum;
}
