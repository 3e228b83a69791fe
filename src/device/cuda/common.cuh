// What all kernels share. REAL is the type of the rows: float or double.
#pragma once
typedef long long i64;

#define JOINED(a, b) a##_##b
#define JOIN(a, b) JOINED(a, b)
// Kernels of both types may stand side by side.
#define NAME(of) JOIN(of, REAL)

// Rows as they lie. Steps count numbers; `near` says whether neighbours in memory are of one row.
struct NAME(Rows) {
    const REAL *x, *y, *w;
    i64 n, x_row, x_column, y_row, y_column, w_row;
    int p, m, near, pad;
};

// Entry j of row i of [x y].
static __device__ __forceinline__ REAL entry(const NAME(Rows) & a, i64 i, int j) {
    return j < a.p ? a.x[i * a.x_row + j * a.x_column] : a.y[i * a.y_row + (j - a.p) * a.y_column];
}

static __device__ __forceinline__ double weight(const NAME(Rows) & a, i64 i) {
    return a.w ? (double)a.w[i * a.w_row] : 1.0;
}

// The rows of a chunk end here.
static __device__ __forceinline__ i64 end_of(const NAME(Rows) & a, i64 chunk, i64 size) {
    i64 end = (chunk + 1) * size;
    return end < a.n ? end : a.n;
}

static __device__ __forceinline__ double infinite() { return 1.0 / 0.0; }
