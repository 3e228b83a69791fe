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

// What tensor cores multiply. Floats are split in two numbers of 11 bits (TF32), of whose products the three
// largest are summed: as exact as products of floats.
#ifndef EMULATED
#define DYNAMIC(T, name) extern __shared__ T name[]
static __device__ __forceinline__ float as_float(unsigned bits) { return __uint_as_float(bits); }
static __device__ __forceinline__ unsigned to_bits(float x) { return __float_as_uint(x); }
static __device__ __forceinline__ unsigned to_tf32(float x) {
    unsigned bits;
    asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(x));
    return bits;
}
// c += a b of 16 × 8 by 8 × 8, spread over a warp as PTX has it: row and column of a thread are g and t.
static __device__ __forceinline__ void multiply(float (&c)[4], const unsigned (&a)[4],
                                                const unsigned (&b)[2]) {
    asm(
        "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
        "{%0,%1,%2,%3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
// The same of 8 × 4 by 4 × 8, in double.
static __device__ __forceinline__ void multiply(double (&c)[2], double a, double b) {
    asm("mma.sync.aligned.m8n8k4.row.col.f64.f64.f64.f64 {%0,%1}, {%2}, {%3}, {%0,%1};"
                 : "+d"(c[0]), "+d"(c[1])
                 : "d"(a), "d"(b));
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
