// The forward pass on an NVIDIA GPU, operation for operation that of the CPU's kernels (src/cpu): the
// same sums in the same order, the same roundings, hence the same bits.
//
// A lane sum keeps sixteen accumulators, `a[k % 16] = fma(w[k], x[k], a[k % 16])` with k ascending, and
// folds them as l + 8, l + 4, l + 2, l + 1. In the products a lane is a thread and sixteen of them a
// group, which is half a warp; in attention one thread keeps all sixteen. Every multiplication and
// addition says how it rounds, so that the compiler joins none.
//
// Compiled by NVRTC with no header; PRECISIONS names the kernels that the model at hand needs.

typedef signed char i8;
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

#define LANES 16
#define INF __int_as_float(0x7f800000)

// One row of a batch: a new token of some sequence.
struct Row {
    // Keys and values of its sequence, [layers, 2, kv_heads, capacity, head_dim].
    float* cache;
    u32 position;
    u32 capacity;
};

// One matrix [outs, cols] and where its product goes.
struct Output {
    // The first row's first weight.
    const u8* weight;
    // Null where there is none.
    const float* bias;
    // [rows, outs].
    float* y;
    u32 outs;
    // Bytes from one row of weights to the next.
    u32 stride;
    // y += instead of y =.
    u32 add;
    u32 unused;
};

// Up to three matrices that share x.
struct Linear {
    Output outputs[3];
    // [rows, cols].
    const float* x;
    // Weight of the norm that held rows of x go through; null where they are taken as they are.
    const float* norm;
    u32 count;
    u32 rows;
    u32 cols;
    float epsilon;
    // Rows of x fit shared memory.
    u32 held;
    u32 unused;
};

// What a launch asks for.
extern __shared__ float4 memory[];

__device__ __forceinline__ u32 lane_of_group() { return threadIdx.x & (LANES - 1); }

__device__ __forceinline__ u32 group_mask() { return 0xffffu << (threadIdx.x & 16); }

// A kernel may start while the one before it still runs: it first lets the one after it start, fetches what nobody
// writes, and then waits for what the one before has written.
__device__ __forceinline__ void let_next_start() {
#if __CUDA_ARCH__ >= 900
    asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
#endif
}

__device__ __forceinline__ void wait_for_previous() {
#if __CUDA_ARCH__ >= 900
    asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}

// The fold of the sixteen accumulators of a group; every lane gets it.
__device__ __forceinline__ float fold(float a) {
    const u32 mask = group_mask();
    a = __fadd_rn(a, __shfl_xor_sync(mask, a, 8));
    a = __fadd_rn(a, __shfl_xor_sync(mask, a, 4));
    a = __fadd_rn(a, __shfl_xor_sync(mask, a, 2));
    return __fadd_rn(a, __shfl_xor_sync(mask, a, 1));
}

// The fold of sixteen accumulators of one thread.
__device__ __forceinline__ float fold_own(float (&a)[LANES]) {
#pragma unroll
    for (int l = 0; l < 8; l++) a[l] = __fadd_rn(a[l], a[l + 8]);
#pragma unroll
    for (int l = 0; l < 4; l++) a[l] = __fadd_rn(a[l], a[l + 4]);
    return __fadd_rn(__fadd_rn(a[0], a[2]), __fadd_rn(a[1], a[3]));
}

// --- elementary functions ---------------------------------------------------------------------------

// Lane sum of squares, by a group.
__device__ __forceinline__ float squares(const float* x, u32 len) {
    float acc = 0.0f;
#pragma unroll 16
    for (u32 k = lane_of_group(); k < len; k += LANES) acc = __fmaf_rn(x[k], x[k], acc);
    __syncwarp(group_mask());
    return fold(acc);
}

// What a normed element is multiplied by, before its weight.
__device__ __forceinline__ float norm_scale(const float* x, u32 len, float epsilon) {
    const float mean = __fdiv_rn(squares(x, len), (float)len);
    return __fdiv_rn(1.0f, __fsqrt_rn(__fadd_rn(mean, epsilon)));
}

// e^x as in src/cpu/math.rs.
__device__ __forceinline__ float exp_one(float x) {
    const float round = 12582912.0f;
    const float shifted = __fmaf_rn(x, 1.44269504f, round);
    const float n = __fsub_rn(shifted, round);
    const float r = __fmaf_rn(n, 1.9046542e-9f, __fmaf_rn(n, -0.693147182f, x));
    float p = __fmaf_rn(1.381461e-3f, r, 8.368711e-3f);
    p = __fmaf_rn(p, r, 4.166839e-2f);
    p = __fmaf_rn(p, r, 0.16666521f);
    p = __fmaf_rn(p, r, 0.49999994f);
    float e = __fadd_rn(__fmaf_rn(__fmul_rn(r, r), p, r), 1.0f);
    const int power = (int)((u32)__float_as_int(shifted) - (u32)__float_as_int(round));
    const int half = power >> 1;
    const u32 rest = (u32)power - (u32)half;
    e = __fmul_rn(__fmul_rn(e, __int_as_float((int)(((u32)half + 127u) << 23))),
                  __int_as_float((int)((rest + 127u) << 23)));
    e = x > 88.72283f ? INF : e;
    e = x < -87.33654f ? 0.0f : e;
    return x != x ? x : e;
}

// silu(gate) * up.
__device__ __forceinline__ float gated(float gate, float up) {
    return __fmul_rn(__fdiv_rn(gate, __fadd_rn(1.0f, exp_one(-gate))), up);
}

// --- copies into shared memory that are under way while the block computes ---------------------------

__device__ __forceinline__ void copy_16(void* shared, const void* global) {
#if __CUDA_ARCH__ >= 800
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"((u32)__cvta_generic_to_shared(shared)), "l"(global)
                 : "memory");
#else
    *(float4*)shared = *(const float4*)global;
#endif
}

// Ends a set of copies.
__device__ __forceinline__ void copies_end() {
#if __CUDA_ARCH__ >= 800
    asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}

// Waits until all but the last `LEFT` sets are there, for this thread.
template <int LEFT>
__device__ __forceinline__ void copies_wait() {
#if __CUDA_ARCH__ >= 800
    asm volatile("cp.async.wait_group %0;" ::"n"(LEFT) : "memory");
#endif
}

// Copies a row's bytes, a multiple of 16, by a group.
__device__ __forceinline__ void copy_row(u8* shared, const u8* global, u32 bytes) {
    for (u32 at = lane_of_group() * 16; at < bytes; at += LANES * 16) copy_16(shared + at, global + at);
}

// --- weights in the precision in which they are held ------------------------------------------------

// Columns that are brought into shared memory at once.
#define CHUNK 256u

// Of each: `ALIGNED` columns divide a row that can be read sixteen bytes at a time; `bring` starts to copy a chunk
// of a row into BYTES bytes of shared memory, by a group; `in_chunk` is column k of it.
struct F32 {
    static const u32 ALIGNED = 4, BYTES = 4 * CHUNK;
    static __device__ __forceinline__ void bring(u8* to, const u8* row, u32 first, u32 cols) {
        copy_row(to, row + 4 * first, 4 * min(cols - first, CHUNK));
    }
    static __device__ __forceinline__ float in_chunk(const u8* chunk, u32 k) { return ((const float*)chunk)[k]; }
    static __device__ __forceinline__ float at(const u8* row, u32 k) { return __ldg((const float*)row + k); }
    static __device__ __forceinline__ void four(const u8* row, u32 k, float (&out)[4]) {
        const float4 v = __ldg((const float4*)((const float*)row + k));
        out[0] = v.x, out[1] = v.y, out[2] = v.z, out[3] = v.w;
    }
};

struct Bf16 {
    static const u32 ALIGNED = 8, BYTES = 2 * CHUNK;
    static __device__ __forceinline__ void bring(u8* to, const u8* row, u32 first, u32 cols) {
        copy_row(to, row + 2 * first, 2 * min(cols - first, CHUNK));
    }
    static __device__ __forceinline__ float in_chunk(const u8* chunk, u32 k) { return wide(((const u16*)chunk)[k]); }
    static __device__ __forceinline__ float wide(u32 bits) { return __int_as_float((int)(bits << 16)); }
    static __device__ __forceinline__ float at(const u8* row, u32 k) { return wide(__ldg((const u16*)row + k)); }
    static __device__ __forceinline__ void four(const u8* row, u32 k, float (&out)[4]) {
        const uint2 v = __ldg((const uint2*)((const u16*)row + k));
        out[0] = wide(v.x & 0xffffu), out[1] = wide(v.x >> 16);
        out[2] = wide(v.y & 0xffffu), out[3] = wide(v.y >> 16);
    }
};

struct F16 {
    static const u32 ALIGNED = 8, BYTES = 2 * CHUNK;
    static __device__ __forceinline__ void bring(u8* to, const u8* row, u32 first, u32 cols) {
        copy_row(to, row + 2 * first, 2 * min(cols - first, CHUNK));
    }
    static __device__ __forceinline__ float in_chunk(const u8* chunk, u32 k) { return wide(((const u16*)chunk)[k]); }
    static __device__ __forceinline__ float wide(u32 bits) {
        float value;
        asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"((u16)bits));
        return value;
    }
    static __device__ __forceinline__ float at(const u8* row, u32 k) { return wide(__ldg((const u16*)row + k)); }
    static __device__ __forceinline__ void four(const u8* row, u32 k, float (&out)[4]) {
        const uint2 v = __ldg((const uint2*)((const u16*)row + k));
        out[0] = wide(v.x & 0xffffu), out[1] = wide(v.x >> 16);
        out[2] = wide(v.y & 0xffffu), out[3] = wide(v.y >> 16);
    }
};

// Integers in blocks of 32; the scale of block b lies 4 * (b + 1) bytes before the first integer.
struct Int8 {
    static const u32 ALIGNED = 4, BYTES = CHUNK + CHUNK / 32 * 4;
    static __device__ __forceinline__ void bring(u8* to, const u8* row, u32 first, u32 cols) {
        // Rows are padded to whole blocks, scales to whole fours.
        const u32 count = min(cols - first, CHUNK);
        copy_row(to, row + first, (count + 15) / 16 * 16);
        const u32 four = lane_of_group();
        if (four * 128 < count) copy_16(to + CHUNK + four * 16, row - 16 * (first / 128 + four + 1));
    }
    static __device__ __forceinline__ float in_chunk(const u8* chunk, u32 k) {
        const float* scales = (const float*)(chunk + CHUNK);
        const u32 block = k / 32;
        return __fmul_rn((float)((const i8*)chunk)[k], scales[block / 4 * 4 + 3 - block % 4]);
    }
    static __device__ __forceinline__ float scale(const u8* row, u32 k) {
        return __ldg((const float*)row - (k / 32 + 1));
    }
    static __device__ __forceinline__ float at(const u8* row, u32 k) {
        return __fmul_rn((float)__ldg((const i8*)row + k), scale(row, k));
    }
    static __device__ __forceinline__ void four(const u8* row, u32 k, float (&out)[4]) {
        const u32 v = __ldg((const u32*)(row + k));
        const float s = scale(row, k);
#pragma unroll
        for (int i = 0; i < 4; i++) out[i] = __fmul_rn((float)(i8)(u8)(v >> (8 * i)), s);
    }
};
