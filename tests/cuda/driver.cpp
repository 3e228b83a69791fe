// Stand-in libcuda.so.1 for CI: device memory = host memory, kernels = host-compiled
// functions (emulated_launch_<name> in $STANDIN_KERNELS). Streams are LAZY: queued work
// runs only at a synchronisation point, so a missing sync gives wrong results in tests. Each GPU
// has a context, and memory, streams and modules of its own: calls that mix them fail.
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <dlfcn.h>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>
typedef int R; typedef unsigned long long DP;
enum { OK = 0, INVALID = 1, NOMEM = 2, NOT_INIT = 3, NO_DEVICE = 100, INVALID_DEV = 101, NO_CONTEXT = 201, NOT_FOUND = 500, NOT_READY = 600, ILLEGAL = 700 };
struct Stream { std::deque<std::function<void()>> q; int flags = 0; bool running = false; int gpu = 0; };
struct Event { Stream* s = nullptr; size_t left = 0; bool* done = nullptr; };
constexpr int MOST = 8; struct Memory { size_t bytes; int gpu; };
static std::recursive_mutex M; static Stream legacies[MOST]; static std::set<Stream*> streams;
static std::map<DP, Memory> mem; static thread_local void* cur; static int contexts[MOST]; static int fails; static long long n_launch, n_alloc, n_free, n_sync, n_context[MOST], n_out, n_in;
static bool trace = getenv("STANDIN_TRACE");
#define L std::lock_guard<std::recursive_mutex> lk(M)
#define T(...) do { if (trace) { fprintf(stderr, "stand-in: " __VA_ARGS__); fputc('\n', stderr); } } while (0)
// The GPU whose context is current; or none.
static int here() { auto c = (int*)cur; return c >= contexts && c < contexts + MOST ? (int)(c - contexts) : -1; }
static Stream* S(void* s) { return s == nullptr || s == (void*)1 || s == (void*)2 ? &legacies[here() < 0 ? 0 : here()] : (Stream*)s; }
// The GPU whose memory it is; or none, where it is not of ours.
static int owner(DP p) { auto it = mem.upper_bound(p); if (it == mem.begin()) return -1; --it; return p < it->first + it->second.bytes ? it->second.gpu : -1; }
static bool mixed(Stream* s, DP p) { int c = owner(p); bool bad = here() != s->gpu || (c >= 0 && c != s->gpu); if (bad) fprintf(stderr, "stand-in: context of GPU %d, stream of GPU %d, memory of GPU %d\n", here(), s->gpu, c); return bad; }
static void drain(Stream* s) { if (s->running) return; s->running = true; while (!s->q.empty()) { auto f = std::move(s->q.front()); s->q.pop_front(); f(); } s->running = false; }
static void drain_all() { for (auto& s : legacies) drain(&s); for (auto s : streams) drain(s); }
static void drain_gpu(int gpu) { drain(&legacies[gpu]); for (auto s : streams) if (s->gpu == gpu) drain(s); }
static void push(void* st, std::function<void()> f) { static bool eager = getenv("STANDIN_EAGER"); Stream* s = S(st); if (s == &legacies[s->gpu]) for (auto o : streams) if (o->gpu == s->gpu && !(o->flags & 1)) drain(o); s->q.push_back(std::move(f)); if (eager) drain(s); }
extern "C" {
R cuInit(unsigned) { return getenv("STANDIN_NODEV") ? NO_DEVICE : OK; }
// NVRTC asks for it, and does without.
R cuGetExportTable(const void**, const void*) { return NOT_FOUND; }
R cuDriverGetVersion(int* v) { *v = getenv("STANDIN_VERSION") ? atoi(getenv("STANDIN_VERSION")) : 13000; return OK; }
R cuDeviceGetCount(int* n) { *n = getenv("STANDIN_NDEV") ? atoi(getenv("STANDIN_NDEV")) : 1; return OK; }
R cuDeviceGet(int* d, int o) { int n; cuDeviceGetCount(&n); if (o < 0 || o >= n) return INVALID_DEV; *d = o; return OK; }
R cuDeviceGetAttribute(int* v, int a, int) { switch (a) { case 75: *v = getenv("STANDIN_MAJOR") ? atoi(getenv("STANDIN_MAJOR")) : 9; break; case 76: *v = getenv("STANDIN_MINOR") ? atoi(getenv("STANDIN_MINOR")) : 0; break; case 16: *v = 4; break; case 115: *v = 1; break; case 97: *v = 232448; break; case 8: *v = 49152; break; case 38: *v = 1 << 20; break; case 1: *v = 1024; break; default: *v = 0; } return OK; }
R cuDeviceGetName(char* s, int n, int) { snprintf(s, n, "Stand-in GPU"); return OK; }
R cuDeviceTotalMem_v2(size_t* b, int) { *b = 1ull << 34; return OK; }
R cuMemGetInfo_v2(size_t* f, size_t* t) { *f = *t = 1ull << 34; return OK; }
R cuDevicePrimaryCtxRetain(void** c, int d) { if (d < 0 || d >= MOST) return INVALID_DEV; legacies[d].gpu = d; *c = &contexts[d]; ++n_context[d]; return OK; }
R cuDevicePrimaryCtxRelease_v2(int) { return OK; }
R cuCtxGetCurrent(void** c) { *c = cur; return OK; }
R cuCtxSetCurrent(void* c) { cur = c; return OK; }
R cuCtxSynchronize() { L; ++n_sync; if (here() < 0) return NO_CONTEXT; drain_gpu(here()); return OK; }
R cuStreamCreate(void** s, unsigned f) { L; if (here() < 0) return NO_CONTEXT; auto x = new Stream; x->flags = f; x->gpu = here(); streams.insert(x); *s = x; return OK; }
R cuStreamCreateWithPriority(void** s, unsigned f, int) { return cuStreamCreate(s, f); }
R cuStreamDestroy_v2(void* s) { L; drain(S(s)); streams.erase(S(s)); delete S(s); return OK; }
// Asked to, it forgets to wait: tests see what would come of that.
R cuStreamSynchronize(void* s) { L; ++n_sync; if (getenv("STANDIN_FORGETS")) return OK; drain(S(s)); return OK; }
R cuEventCreate(void** e, unsigned) { *e = new Event; return OK; }
R cuEventDestroy_v2(void* e) { (void)e; return OK; /* leaked on purpose */ }
R cuEventRecord(void* e, void* s) { L; auto ev = (Event*)e; ev->s = S(s); ev->left = 1; push(s, [ev] { ev->left = 0; }); return OK; }
R cuEventQuery(void* e) { L; return ((Event*)e)->left ? NOT_READY : OK; }
R cuEventSynchronize(void* e) { L; ++n_sync; auto ev = (Event*)e; if (ev->left) drain(ev->s); return OK; }
R cuStreamWaitEvent(void* s, void* e, unsigned) { L; auto ev = (Event*)e; if (ev->s && ev->s != S(s)) { Stream* o = ev->s; push(s, [o] { drain(o); }); } return OK; }
R cuMemAlloc_v2(DP* p, size_t n) { L; if (here() < 0) return NO_CONTEXT; ++n_alloc; void* q = aligned_alloc(256, (n + 255) / 256 * 256 ? (n + 255) / 256 * 256 : 256); if (!q) return NOMEM; memset(q, 0xff, n); *p = (DP)q; mem[*p] = { n, here() }; return OK; }
R cuMemAllocAsync(DP* p, size_t n, void* s) { return mixed(S(s), 0) ? INVALID : cuMemAlloc_v2(p, n); }
R cuMemFree_v2(DP p) { L; drain_all(); if (!p) return OK; if (!mem.erase(p)) { fprintf(stderr, "stand-in: free of unknown pointer %llx\n", p); return INVALID; } ++n_free; free((void*)p); return OK; }
R cuMemFreeAsync(DP p, void* s) { L; if (!mem.count(p)) { fprintf(stderr, "stand-in: async free of foreign/unknown pointer %llx\n", p); return INVALID; } if (mixed(S(s), p)) return INVALID; push(s, [p] { size_t n = mem[p].bytes; mem.erase(p); ++n_free; memset((void*)p, 0xff, n); free((void*)p); }); return OK; }
R cuMemHostAlloc(void** p, size_t n, unsigned) { *p = malloc(n ? n : 1); return OK; }
R cuMemFreeHost(void* p) { free(p); return OK; }
R cuMemcpyHtoDAsync_v2(DP d, const void* h, size_t n, void* s) { L; T("HtoD %zu", n); n_in += n; if (mixed(S(s), d)) return INVALID; /* pageable: staged at call time */ std::vector<char> v((const char*)h, (const char*)h + n); push(s, [d, v] { memcpy((void*)d, v.data(), v.size()); }); return OK; }
R cuMemcpyHtoD_v2(DP d, const void* h, size_t n) { L; drain_all(); memcpy((void*)d, h, n); return OK; }
R cuMemcpyDtoHAsync_v2(void* h, DP d, size_t n, void* s) { L; T("DtoH %zu", n); n_out += n; if (mixed(S(s), d)) return INVALID; push(s, [=] { memcpy(h, (void*)d, n); }); return OK; }
R cuMemcpyDtoH_v2(void* h, DP d, size_t n) { L; drain_all(); memcpy(h, (void*)d, n); return OK; }
R cuMemcpyDtoDAsync_v2(DP a, DP b, size_t n, void* s) { L; if (mixed(S(s), a) || mixed(S(s), b)) return INVALID; push(s, [=] { memmove((void*)a, (void*)b, n); }); return OK; }
R cuMemsetD8Async(DP d, unsigned char c, size_t n, void* s) { L; if (mixed(S(s), d)) return INVALID; push(s, [=] { memset((void*)d, c, n); }); return OK; }
R cuMemsetD8_v2(DP d, unsigned char c, size_t n) { L; drain_all(); memset((void*)d, c, n); return OK; }
static std::map<std::string, int> launched;
struct Mod { void* h; int gpu; }; struct Fn { void (*f)(const unsigned*, const unsigned*, size_t, void**); std::string name; int gpu; unsigned shared; };
R cuModuleLoadData(void** m, const void* image) { const char* k = getenv("STANDIN_KERNELS"); T("module %.8s...", (const char*)image); void* h = k ? dlopen(k, RTLD_NOW | RTLD_LOCAL) : nullptr; if (!h) { fprintf(stderr, "stand-in: STANDIN_KERNELS: %s\n", dlerror()); return NOT_FOUND; } if (here() < 0) return NO_CONTEXT; *m = new Mod{ h, here() }; return OK; }
R cuModuleLoad(void** m, const char* p) { return cuModuleLoadData(m, p); }
R cuModuleUnload(void*) { return OK; }
R cuModuleGetFunction(void** f, void* m, const char* n) { void* s = dlsym(((Mod*)m)->h, (std::string("emulated_launch_") + n).c_str()); if (!s) return NOT_FOUND; *f = new Fn{ (void (*)(const unsigned*, const unsigned*, size_t, void**))s, n, ((Mod*)m)->gpu, 48 << 10 }; return OK; }
// 8: how much dynamic shared memory it may have; without asking, 48 KiB.
R cuFuncSetAttribute(void* f, int what, int v) { L; if (what == 8) { if (v < 0 || v > 99 << 10) return INVALID; ((Fn*)f)->shared = v; } return OK; }
R cuFuncGetAttribute(int* v, int, void*) { *v = 1024; return OK; }
// Parameters are copied at the launch, as the real driver does; the kernels say how large each is.
R cuLaunchKernel(void* f, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, unsigned smem, void* s, void** params, void**) {
    L; auto fn = (Fn*)f; if (!gx || gx >> 31 || !gy || gy > 65535 || !gz || gz > 65535 || bx * by * bz > 1024 || !bx || smem > fn->shared) return INVALID; if (fn->gpu != here() || mixed(S(s), 0)) return INVALID; if (fails && !--fails) return INVALID; ++n_launch; ++launched[fn->name]; T("launch %s <<<%u,%u>>>", fn->name.c_str(), gx, bx);
    Dl_info di; dladdr((void*)fn->f, &di); void* lib = dlopen(di.dli_fname, RTLD_NOLOAD | RTLD_NOW);
    int* n = (int*)dlsym(lib, ("emulated_arity_" + fn->name).c_str()); auto size = (int (*)(int))dlsym(lib, ("emulated_size_" + fn->name).c_str()); if (!n || !size) return NOT_FOUND;
    std::vector<std::vector<long long>> v; for (int i = 0; i < *n; ++i) { v.emplace_back((size(i) + 7) / 8); memcpy(v.back().data(), params[i], size(i)); for (auto word : v.back()) if (mixed(S(s), (DP)word)) return INVALID; }
    push(s, [=]() mutable { std::vector<void*> p; for (auto& b : v) p.push_back(b.data()); unsigned g[3] = { gx, gy, gz }, t[3] = { bx, by, bz }; fn->f(g, t, smem, p.data()); });
    return OK;
}
static int others_pool, our_pool;
R cuDeviceGetDefaultMemPool(void** p, int) { *p = &others_pool; return OK; }
R cuMemPoolCreate(void** p, const int* how) { *p = &our_pool; return how[0] == 1 && how[2] == 1 ? OK : INVALID; }
// The default pool is torch's as well: nobody sets it up.
R cuMemPoolSetAttribute(void* p, int, void*) { return p == &our_pool ? OK : INVALID; }
R cuMemAllocFromPoolAsync(DP* p, size_t n, void* pool, void* s) { return pool == &our_pool ? cuMemAllocAsync(p, n, s) : INVALID; }
R cuLaunchHostFunc(void* s, void (*f)(void*), void* u) { L; push(s, [=] { f(u); }); return OK; }
R cuGetErrorName(int e, const char** s) { *s = e == NO_DEVICE ? "CUDA_ERROR_NO_DEVICE" : e == INVALID_DEV ? "CUDA_ERROR_INVALID_DEVICE" : e == NO_CONTEXT ? "CUDA_ERROR_INVALID_CONTEXT" : e == INVALID ? "CUDA_ERROR_INVALID_VALUE" : "CUDA_ERROR"; return OK; }
R cuGetErrorString(int e, const char** s) { return cuGetErrorName(e, s); }
R cuPointerGetAttribute(void* o, int, DP p) { return owner(p) >= 0 ? (*(int*)o = 2, OK) : INVALID; }
void standin_counts(long long* o) { o[0] = n_launch; o[1] = n_alloc; o[2] = n_free; o[3] = n_sync; o[4] = mem.size(); o[5] = 0; for (auto s : streams) o[5] += s->q.size(); }
// Bytes that went to GPUs, and that came from them.
void standin_moved(long long* o) { o[0] = n_in; o[1] = n_out; }
// How often a kernel was launched.
int standin_launched(const char* name) { return launched[name]; }
int standin_here() { return here(); }
int standin_contexts(int gpu) { return (int)n_context[gpu]; }
// The launch that comes so many launches from now fails.
void standin_fails(int at) { fails = at; }
}
