#include "common.cuh"

// The centre nearest to each row, by tensor cores: argmax zᵀc − ½‖c‖², as in nearest.cu.

// From centers.rs: HIGH rows of a tile, 32 for each of 4 pairs of warps; SPAN centres, 64 for either of a
// pair; DEPTH columns, PITCH apart; rows are SKEW further apart than they are wide.
#define LARGE 1e38 // what terms are below, to be floats

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

// How far gaps of scores are off: by a share of the square of the terms' size; by what is too small for floats;
// by a share of the terms' product, where they are rounded to 11 bits.
struct NAME(Doubt) {
    double share, least, coarse;
    const double* longest;
};

// What a block looks at: rows, or those of them that are in a list of `many`.
struct NAME(Some) {
    const int *list, *many;
};

// The best two scores of four rows: a thread's, then a warp's.
struct NAME(Best) {
    float best[4], second[4], square[4];
    int at[4];
};

// A panel of columns of rows, around the place; as numbers of 11 bits where these are enough.
template <bool COARSE>
static __device__ __forceinline__ void rows_of(const NAME(Rows) & a, const int* list, i64 base, i64 n,
                                               int first, int wide, const double* place,
                                               float* left) {
    const int lane = threadIdx.x % 32, high = a.near ? HIGH : wide, along = a.near ? wide : HIGH;
    for (int e = threadIdx.x / 32; e < high; e += 8)
        for (int l = lane; l < along; l += 32) {
            const int r = a.near ? e : l, c = a.near ? l : e;
            const bool inside = base + r < n && first + c < a.p;
            const i64 i = list && inside ? list[base + r] : base + r;
            const float z = inside ? (float)((double)entry(a, i, first + c) - place[first + c]) : 0.0f;
            left[r * (wide + SKEW) + c] = COARSE ? as_float(to_tf32(z)) : z;
        }
}

// DEPTH columns of SPAN centres: from memory, and on into a room of their own.
struct NAME(Stage) {
    float of[8];
};
static __device__ __forceinline__ NAME(Stage) fetched(const float* centers, int steps, int stage) {
    NAME(Stage) next;
    for (int l = 0; l < 2; ++l) {
        const int e = threadIdx.x + THREADS * l;
        const i64 row = (i64)(stage / steps) * SPAN + e / 4;
        const float* from = centers + row * (steps * DEPTH) + stage % steps * DEPTH + e % 4 * 4;
        const float4 four = *(const float4*)from;
        next.of[4 * l] = four.x, next.of[4 * l + 1] = four.y;
        next.of[4 * l + 2] = four.z, next.of[4 * l + 3] = four.w;
    }
    return next;
}
template <bool COARSE>
static __device__ __forceinline__ void keep(const NAME(Stage) & next, float* right) {
    for (int l = 0; l < 2; ++l) {
        const int e = threadIdx.x + THREADS * l;
        for (int i = 0; i < 4; ++i) {
            const float x = next.of[4 * l + i];
            right[e / 4 * PITCH + e % 4 * 4 + i] = COARSE ? as_float(to_tf32(x)) : x;
        }
    }
}

// Adds the products of DEPTH columns of a warp's 32 rows and 64 centres, of which `most` there are.
template <bool COARSE>
static __device__ __forceinline__ void multiplied(float (&sums)[2][8][4], NAME(Best) & own, bool first,
                                                  const float* left, int pitch, const float* right,
                                                  int most) {
    const int lane = threadIdx.x % 32, g = lane / 4, t = lane % 4;
#pragma unroll
    for (int c = t; c < DEPTH + t; c += 8) {
        unsigned high[2][4], low[2][4];
#pragma unroll
        for (int m = 0; m < 2; ++m) {
            const float* of = left + (m * 16 + g) * pitch + c;
            const float z[4] = {of[0], of[8 * pitch], of[4], of[8 * pitch + 4]};
            if (COARSE)
                for (int i = 0; i < 4; ++i) high[m][i] = to_bits(z[i]);
            else
                split(z, high[m], low[m]);
            if (first)
                for (int h = 0; h < 2; ++h) own.square[2 * m + h] += z[h] * z[h] + z[h + 2] * z[h + 2];
        }
#pragma unroll
        for (int j = 0; j < 8; ++j) {
            if (j * 8 >= most) continue;
            const float x[2] = {right[(j * 8 + g) * PITCH + c], right[(j * 8 + g) * PITCH + c + 4]};
            unsigned top[2], rest[2];
            if (COARSE)
                for (int i = 0; i < 2; ++i) top[i] = to_bits(x[i]);
            else
                split(x, top, rest);
#pragma unroll
            for (int m = 0; m < 2; ++m) {
                if (!COARSE) {
                    multiply(sums[m][j], low[m], top);
                    multiply(sums[m][j], high[m], rest);
                }
                multiply(sums[m][j], high[m], top);
            }
        }
    }
}

// Compares the scores of a tile of centres, from `first` on.
static __device__ __forceinline__ void compared(const float (&sums)[2][8][4], NAME(Best) & own, int first,
                                                const float* halves, int most) {
#pragma unroll
    for (int j = 0; j < 8; ++j) {
        if (j * 8 >= most) continue;
#pragma unroll
        for (int i = 0; i < 2; ++i) {
            const int center = first + j * 8 + threadIdx.x % 4 * 2 + i;
            const float half = halves[center];
#pragma unroll
            for (int r = 0; r < 4; ++r) {
                const float score = sums[r / 2][j][r % 2 * 2 + i] - half;
                const bool wins = score > own.best[r];
                const float lost = wins ? own.best[r] : score;
                own.second[r] = lost > own.second[r] ? lost : own.second[r];
                own.best[r] = wins ? score : own.best[r];
                own.at[r] = wins ? center : own.at[r];
            }
        }
    }
}

// Labels of a tile of rows; those that are in doubt are added to a list, where there is one.
static __device__ __forceinline__ void labelled(NAME(Best) & own, const NAME(Some) & of, i64 base, i64 n,
                                                const NAME(Doubt) & doubt, float* scratch, int* labels,
                                                int* list, int* many) {
    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, t = lane % 4;
    const double longest = *doubt.longest;
    float *best = scratch, *second = scratch + HIGH;
    int *at = (int*)(scratch + 2 * HIGH), *slots = (int*)(scratch + 3 * HIGH), slot[4];
    for (int r = 0; r < 4; ++r) {
        for (int step = 1; step <= 2; step *= 2) {
            unite(own.best[r], own.second[r], own.at[r], step);
            own.square[r] += __shfl_xor_sync(0xffffffffu, own.square[r], step);
        }
        const int row = warp % 4 * 32 + r * 8 + lane / 4;
        if (warp < 4 || t > 0) continue;
        best[row] = own.best[r], second[row] = own.second[r], at[row] = own.at[r];
    }
    if (threadIdx.x == 0) slots[0] = 0;
    __syncthreads();
    for (int r = 0; r < 4; ++r) {
        const int row = warp % 4 * 32 + r * 8 + lane / 4;
        slot[r] = -1;
        if (warp >= 4 || t > 0 || base + row >= n) continue;
        const bool wins = best[row] > own.best[r]; // equal ones are in doubt
        const float top = wins ? best[row] : own.best[r], lost = wins ? own.best[r] : best[row];
        float next = own.second[r] > second[row] ? own.second[r] : second[row];
        next = lost > next ? lost : next;
        const int label = wins ? at[row] : own.at[r];
        const double length = sqrt((double)own.square[r] * 1.002), size = length + longest;
        const double off = doubt.share * size * size + doubt.coarse * length * longest;
        const bool sure = (double)top - (double)next > off + doubt.least && size * size < LARGE;
        labels[of.list ? of.list[base + row] : base + row] = sure ? label : -1 - label;
        if (!sure && list) slot[r] = atomicAdd(slots, 1);
    }
    if (!list) return;
    __syncthreads();
    if (threadIdx.x == 0) slots[1] = atomicAdd(many, slots[0]);
    __syncthreads();
    for (int r = 0; r < 4; ++r)
        if (slot[r] >= 0) list[slots[1] + slot[r]] = (int)(base + warp % 4 * 32 + r * 8 + lane / 4);
}

template <bool COARSE>
static __device__ __forceinline__ void nearest_of(const NAME(Rows) & a, const NAME(Some) & of,
                                                  const double* place, const float* centers,
                                                  const float* halves, int k, int wide,
                                                  const NAME(Doubt) & doubt, int* labels, int* list,
                                                  int* many) {
    DYNAMIC(float, left);
    float* right = left + HIGH * (wide + SKEW);
    const int warp = threadIdx.x / 32, rows = warp % 4 * 32, columns = warp / 4 * 64;
    const int steps = (a.p + DEPTH - 1) / DEPTH, stages = (k + SPAN - 1) / SPAN * steps;
    const i64 n = of.list ? *of.many : a.n;
    for (i64 base = (i64)blockIdx.x * HIGH; base < n; base += (i64)gridDim.x * HIGH) {
        NAME(Best) own;
        for (int r = 0; r < 4; ++r) {
            own.best[r] = own.second[r] = (float)-infinite();
            own.square[r] = 0.0f;
            own.at[r] = 0;
        }
        float sums[2][8][4];
        keep<COARSE>(fetched(centers, steps, 0), right);
        for (int stage = 0; stage < stages; ++stage) {
            const int step = stage % steps, first = stage / steps * SPAN + columns;
            const int within = step * DEPTH % wide;
            NAME(Stage) next;
            if (stage + 1 < stages) next = fetched(centers, steps, stage + 1);
            if (within == 0 && (stage == 0 || steps * DEPTH > wide)) {
                __syncthreads(); // nobody reads those before
                rows_of<COARSE>(a, of.list, base, n, step * DEPTH, wide, place, left);
            }
            __syncthreads();
            if (step == 0)
                for (int e = 0; e < 64; ++e) sums[e / 32][e / 4 % 8][e % 4] = 0.0f;
            const float* those = right + (stage & 1) * (SPAN * PITCH) + columns * PITCH;
            multiplied<COARSE>(sums, own, stage < steps, left + rows * (wide + SKEW) + within, wide + SKEW,
                               those, k - first);
            if (step == steps - 1) compared(sums, own, first, halves, k - first);
            if (stage + 1 < stages) keep<COARSE>(next, right + ((stage + 1) & 1) * (SPAN * PITCH));
        }
        __syncthreads();
        labelled(own, of, base, n, doubt, right, labels, list, many);
        __syncthreads();
    }
}

// The nearest centre, for either type of rows, as `nearest` of nearest.cu: rows for which floats are not
// enough are marked, and settled in double. Centres and ½‖c‖² are floats in whole tiles: zeros beyond p,
// infinite halves beyond k. Rows of a tile stay in shared memory, `wide` columns at a time. Blocks: any; 256
// threads; shared: HIGH (wide + 4) + 2 SPAN PITCH floats. Reads each row once if p ≤ wide, else k / 128
// times; writes 4 bytes a row.
extern "C" __global__ void __launch_bounds__(THREADS, 2)
    NAME(nearest_tf32x3)(NAME(Rows) a, NAME(Some) of, const double* place, const float* centers,
                         const float* halves, int k, int wide, NAME(Doubt) doubt, int* labels) {
    nearest_of<false>(a, of, place, centers, halves, k, wide, doubt, labels, nullptr, nullptr);
}

// The same by single products of numbers of 11 bits; rows for which these are not enough are listed, in
// any order.
extern "C" __global__ void __launch_bounds__(THREADS, 2)
    NAME(nearest_tf32)(NAME(Rows) a, const double* place, const float* centers, const float* halves, int k,
                       int wide, NAME(Doubt) doubt, int* labels, int* list, int* many) {
    const NAME(Some) of = {nullptr, nullptr};
    nearest_of<true>(a, of, place, centers, halves, k, wide, doubt, labels, list, many);
}
