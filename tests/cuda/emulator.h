// Kernels on the host: the subset of CUDA C++ that they use. One fiber for each CUDA thread, one block
// at a time, so that barriers and shuffles really interleave threads, in any order. It knows nothing of
// weak memory, of lockstep in a warp, or of speed. x86-64 only.
#pragma once
#include <cstdint>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <cmath>
#include <tuple>
#include <utility>
#include <vector>
#include <algorithm>
#include <random>
#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#include <sanitizer/asan_interface.h>
#define EMULATOR_ASAN 1
#endif
typedef long long i64;
struct Three { unsigned x, y, z; };
namespace emulated {
extern "C" void emulated_switch(void** save, void* to);
#ifdef EMULATOR_IMPL
asm(R"(
.text
.globl emulated_switch
.type emulated_switch,@function
emulated_switch:
  pushq %rbp; pushq %rbx; pushq %r12; pushq %r13; pushq %r14; pushq %r15
  movq %rsp,(%rdi); movq %rsi,%rsp
  popq %r15; popq %r14; popq %r13; popq %r12; popq %rbx; popq %rbp
  ret
.size emulated_switch,.-emulated_switch
)");
#endif
enum { READY, BARRIER, WARP, DONE };
constexpr size_t STACK = 64 << 10;
struct Fiber { void* sp; char* stack; int st; Three t; unsigned lin; };
struct Warp { unsigned arrived = 0; unsigned long long gen = 0; double buf[32]; unsigned mask = 0; unsigned frag[32][6]; double left[32], right[32]; };
struct Block {
    Three bidx, bdim, gdim; void* main_sp; std::vector<Fiber> f; std::vector<Warp> w;
    unsigned live, waiting; Fiber* cur; void (*body)(void*); void* arg; unsigned char* dyn; unsigned long long switches = 0;
    bool* uniform;
};
inline thread_local Block* B;
inline void to_main() { Fiber* f = B->cur; ++B->switches;
#ifdef EMULATOR_ASAN
    void* fs; __sanitizer_start_switch_fiber(&fs, nullptr, 0);
#endif
    emulated_switch(&f->sp, B->main_sp);
#ifdef EMULATOR_ASAN
    __sanitizer_finish_switch_fiber(fs, nullptr, nullptr);
#endif
}
inline void entry() {
#ifdef EMULATOR_ASAN
    __sanitizer_finish_switch_fiber(nullptr, nullptr, nullptr);
#endif
    B->body(B->arg); B->cur->st = DONE; --B->live; to_main(); abort(); }
inline void syncthreads() { B->cur->st = BARRIER; ++B->waiting; to_main(); }
// all lanes of `mask` must arrive (exited lanes must not be in the mask: reported as deadlock)
inline void warp_sync(unsigned mask) {
    Warp& w = B->w[B->cur->lin / 32]; unsigned lane = B->cur->lin % 32;
    unsigned nl = std::min<unsigned>(32, (unsigned)B->f.size() - B->cur->lin / 32 * 32);
    if (nl < 32) mask &= (1u << nl) - 1;
    w.arrived |= 1u << lane;
    if ((w.arrived & mask) == mask) { w.arrived &= ~mask; ++w.gen; return; }
    auto g = w.gen; B->cur->st = WARP; while (w.gen == g) to_main(); B->cur->st = READY;
}
template <class T> inline T shfl(unsigned mask, T v, unsigned src) {
    static_assert(sizeof(T) <= 8); Warp& w = B->w[B->cur->lin / 32]; unsigned lane = B->cur->lin % 32;
    memcpy(&w.buf[lane], &v, sizeof(T)); warp_sync(mask); T r; memcpy(&r, &w.buf[src & 31], sizeof(T)); warp_sync(mask); return r;
}
struct Opts { int order = 0; unsigned seed = 1; bool trace = false; };
inline Opts& opts() { static Opts o = [] { Opts o; if (auto e = getenv("EMULATOR_ORDER")) { o.order = !strcmp(e, "rev") ? 1 : !strncmp(e, "rand", 4) ? 2 : 0; if (o.order == 2 && e[4] == ':') o.seed = atoi(e + 5); } o.trace = getenv("EMULATOR_TRACE") != nullptr; return o; }(); return o; }
inline void run_block(Block& b, unsigned nt, char* stacks, std::mt19937& rng) {
    B = &b; b.f.resize(nt); b.w.assign((nt + 31) / 32, Warp{}); b.live = nt; b.waiting = 0;
    for (unsigned i = 0; i < nt; ++i) {
        Fiber& f = b.f[i]; f.lin = i; f.t = { i % b.bdim.x, i / b.bdim.x % b.bdim.y, i / (b.bdim.x * b.bdim.y) }; f.st = READY; f.stack = stacks + i * STACK;
#ifdef EMULATOR_ASAN
        ASAN_UNPOISON_MEMORY_REGION(f.stack, STACK);
#endif
        void** sp = (void**)(f.stack + STACK - 64); sp = (void**)((uintptr_t)sp & ~15ull); *--sp = nullptr; *--sp = (void*)&entry; for (int r = 0; r < 6; ++r) *--sp = nullptr; f.sp = sp;
    }
    std::vector<unsigned> ord(nt); for (unsigned i = 0; i < nt; ++i) ord[i] = i;
    if (opts().order == 1) std::reverse(ord.begin(), ord.end());
    while (b.live) {
        if (opts().order == 2) std::shuffle(ord.begin(), ord.end(), rng);
        bool progress = false;
        for (unsigned i : ord) {
            Fiber& f = b.f[i]; if (f.st == DONE || f.st == BARRIER) continue;
            int before = f.st; auto g = b.w[i / 32].gen; b.cur = &f;
#ifdef EMULATOR_ASAN
            void* fs; __sanitizer_start_switch_fiber(&fs, f.stack, STACK);
#endif
            emulated_switch(&b.main_sp, f.sp);
#ifdef EMULATOR_ASAN
            __sanitizer_finish_switch_fiber(fs, nullptr, nullptr);
#endif
            if (before != WARP || f.st != WARP || b.w[i / 32].gen != g) progress = true;
        }
        if (b.live && b.waiting == b.live) { b.waiting = 0; for (auto& f : b.f) if (f.st == BARRIER) f.st = READY; progress = true; }
        if (!progress && b.live) { fprintf(stderr, "emulator: deadlock: %u of %zu threads wait at __syncthreads, %u live\n", b.waiting, b.f.size(), b.live); abort(); }
    }
}
extern "C" char __start_emulated_shared[] __attribute__((weak, visibility("hidden"))), __stop_emulated_shared[] __attribute__((weak, visibility("hidden")));
// Not by memset, which AddressSanitizer looks at: there are its zones between arrays.
inline void poison(char* from, char* to) { size_t count = to - from; asm volatile("rep stosb" : "+D"(from), "+c"(count) : "a"(0xff) : "memory"); }
template <class... A, size_t... I> inline std::tuple<A...> unpack(void** p, std::index_sequence<I...>) { return std::tuple<A...>(*(A*)p[I]...); }
template <class... A> inline void launch(const char* name, void (*k)(A...), const unsigned* g, const unsigned* t, size_t smem, void** params) {
    struct Ctx { void (*k)(A...); std::tuple<A...> a; } c{ k, unpack<A...>(params, std::index_sequence_for<A...>{}) };
    unsigned nt = t[0] * t[1] * t[2]; std::vector<unsigned char> dyn(smem + 16);
    static thread_local std::vector<char> stacks; if (stacks.size() < nt * STACK + 64) stacks.resize(nt * STACK + 64);
    std::mt19937 rng(opts().seed); std::vector<unsigned> blocks((size_t)g[0] * g[1] * g[2]); for (size_t i = 0; i < blocks.size(); ++i) blocks[i] = i;
    if (opts().order == 1) std::reverse(blocks.begin(), blocks.end()); else if (opts().order == 2) std::shuffle(blocks.begin(), blocks.end(), rng);
    Block b; unsigned long long sw = 0;
    for (unsigned i : blocks) {
        memset(dyn.data(), 0xff, dyn.size()); // poison: NaN
        poison(__start_emulated_shared, __stop_emulated_shared);
        b.bdim = { t[0], t[1], t[2] }; b.gdim = { g[0], g[1], g[2] }; b.bidx = { i % g[0], i / g[0] % g[1], i / (g[0] * g[1]) };
        b.dyn = (unsigned char*)(((uintptr_t)dyn.data() + 15) & ~15ull); b.arg = &c; b.body = [](void* p) { auto* c = (Ctx*)p; std::apply(c->k, c->a); };
        run_block(b, nt, stacks.data(), rng);
    }
    if (opts().trace) fprintf(stderr, "emulator: %s<<<(%u,%u,%u),(%u,%u,%u),%zu>>> switches=%llu\n", name, g[0], g[1], g[2], t[0], t[1], t[2], smem, b.switches + sw);
}
template <class T> inline T aadd(T* p, T v) { T o, n; do { __atomic_load(p, &o, __ATOMIC_RELAXED); n = o + v; } while (!__atomic_compare_exchange(p, &o, &n, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED)); return o; }
template <class T> inline T amax(T* p, T v) { T o; do { __atomic_load(p, &o, __ATOMIC_RELAXED); if (!(o < v)) return o; } while (!__atomic_compare_exchange(p, &o, &v, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED)); return o; }
inline float as_float(unsigned u) { float f; memcpy(&f, &u, 4); return f; }
inline unsigned to_bits(float x) { unsigned u; memcpy(&u, &x, 4); return u; }
inline unsigned to_tf32(float x) { unsigned u; memcpy(&u, &x, 4); return (u + 0x1000u) & 0xffffe000u; } // cvt.rna
// Towards zero, as tensor cores round their sums.
inline float cut(double x) { float f = (float)x; return std::fabs((double)f) > std::fabs(x) ? std::nextafter(f, 0.0f) : f; }
// mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32: fragments as in the PTX ISA
inline void multiply(float (&c)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
    Warp& w = B->w[B->cur->lin / 32]; unsigned lane = B->cur->lin % 32, g = lane >> 2, t = lane & 3;
    for (int i = 0; i < 4; ++i) w.frag[lane][i] = a[i];
    for (int i = 0; i < 2; ++i) w.frag[lane][4 + i] = b[i];
    warp_sync(0xffffffffu);
    auto left = [&](unsigned r, unsigned k) { unsigned l = (r & 7) * 4 + (k & 3); return as_float(w.frag[l][(r >> 3) + 2 * (k >> 2)] & 0xffffe000u); };
    auto right = [&](unsigned k, unsigned n) { unsigned l = n * 4 + (k & 3); return as_float(w.frag[l][4 + (k >> 2)] & 0xffffe000u); };
    for (int i = 0; i < 4; ++i) { unsigned r = g + 8 * (i >> 1), n = 2 * t + (i & 1); double s = c[i]; for (unsigned k = 0; k < 8; ++k) s += (double)left(r, k) * right(k, n); c[i] = cut(s); }
    warp_sync(0xffffffffu);
}
// mma.sync.aligned.m8n8k4.row.col.f64.f64.f64.f64
inline void multiply(double (&c)[2], double a, double b) {
    Warp& w = B->w[B->cur->lin / 32]; unsigned lane = B->cur->lin % 32, g = lane >> 2, t = lane & 3;
    w.left[lane] = a; w.right[lane] = b;
    warp_sync(0xffffffffu);
    for (unsigned i = 0; i < 2; ++i) for (unsigned k = 0; k < 4; ++k) c[i] += w.left[g * 4 + k] * w.right[(2 * t + i) * 4 + k];
    warp_sync(0xffffffffu);
}
} // namespace emulated
#define EMULATED
struct alignas(16) float4 { float x, y, z, w; };
using emulated::as_float; using emulated::to_bits; using emulated::to_tf32; using emulated::multiply;
#define __global__
#define __device__
#define __host__
#define __constant__ static
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __align__(n) alignas(n)
// All in one section, which every block finds full of NaN. One thread of the host runs kernels at a time.
#define __shared__ static __attribute__((section("emulated_shared")))
#define threadIdx (emulated::B->cur->t)
#define blockIdx (emulated::B->bidx)
#define blockDim (emulated::B->bdim)
#define gridDim (emulated::B->gdim)
#define warpSize 32
#define __syncthreads() emulated::syncthreads()
#define __syncwarp(...) emulated::warp_sync(0xffffffffu)
template <class T> inline T __shfl_xor_sync(unsigned m, T v, int o, int = 32) { return emulated::shfl(m, v, emulated::B->cur->lin % 32 ^ o); }
template <class T> inline T __shfl_down_sync(unsigned m, T v, unsigned o, int = 32) { unsigned l = emulated::B->cur->lin % 32; return emulated::shfl(m, v, l + o < 32 ? l + o : l); }
template <class T> inline T __shfl_sync(unsigned m, T v, int s, int = 32) { return emulated::shfl(m, v, s); }
inline unsigned __ballot_sync(unsigned m, bool v) { unsigned r = 0; for (int l = 0; l < 32; ++l) r |= (unsigned)emulated::shfl(m, (int)v, l) << l; return r; }
inline int __ffs(int x) { return __builtin_ffs(x); }
template <class T, class U> inline T atomicAdd(T* p, U v) { return emulated::aadd<T>(p, (T)v); }
template <class T, class U> inline T atomicMax(T* p, U v) { return emulated::amax<T>(p, (T)v); }
template <class T> inline T __ldg(const T* p) { return *p; }
#define DYNAMIC(T, name) T* name = reinterpret_cast<T*>(emulated::B->dyn)
template <class... A> constexpr int emulated_parameters(void (*)(A...)) { return sizeof...(A); }
template <class... A> int emulated_bytes(void (*)(A...), int at) { int all[] = { (int)sizeof(A)... }; return all[at]; }
// What the stand-in driver and the tests find a kernel by: how many parameters, their sizes, the launch.
#define REGISTER_AS(k) extern "C" { int emulated_arity_##k = emulated_parameters(&k); int emulated_size_##k(int at) { return emulated_bytes(&k, at); } void emulated_launch_##k(const unsigned* g, const unsigned* t, size_t s, void** p) { emulated::launch(#k, &k, g, t, s, p); } }
#define REGISTER(k) REGISTER_AS(k)
#ifdef EMULATOR_IMPL
extern "C" void emulated_order(int order, unsigned seed) { emulated::opts().order = order; emulated::opts().seed = seed; }
#endif
