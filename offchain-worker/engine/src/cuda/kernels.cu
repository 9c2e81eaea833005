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
    u32 count;
    u32 rows;
    u32 cols;
    u32 unused;
};

// What a launch asks for.
extern __shared__ float4 memory[];

__device__ __forceinline__ u32 lane_of_group() { return threadIdx.x & (LANES - 1); }

__device__ __forceinline__ u32 group_mask() { return 0xffffu << (threadIdx.x & 16); }

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

// --- y = x Wᵀ ------------------------------------------------------------------------------------

// Finds the output that item `item` belongs to, where each has one item for every `each` rows of W.
// The item's first row of W, or false behind the last.
__device__ __forceinline__ bool find(const Linear& job, u32 item, u32 each, u32& which, u32& first) {
    for (which = 0; which < job.count; which++) {
        const u32 items = (job.outputs[which].outs + each - 1) / each;
        if (item < items) {
            first = item * each;
            return true;
        }
        item -= items;
    }
    return false;
}

__device__ __forceinline__ void put(const Output& output, u32 row, u32 out, float sum) {
    if (output.bias) sum = __fadd_rn(sum, output.bias[out]);
    float* y = output.y + (u64)row * output.outs + out;
    *y = output.add ? __fadd_rn(*y, sum) : sum;
}

// Groups of a block of few_rows, and chunks that are under way or in use.
#define GROUPS 8
#define STAGES 4

// For up to N rows of x: a group takes one row of W, which is read once.
template <class W, int N>
__device__ __forceinline__ void few_rows(const Linear& job) {
    u32 which, first;
    if (!find(job, blockIdx.x, GROUPS, which, first)) return;
    const Output& output = job.outputs[which];
    const u32 cols = job.cols, lane = lane_of_group(), group = threadIdx.x / LANES;
    // A group without a row of its own does what its neighbour does and writes nothing.
    const u32 out = min(first + group, output.outs - 1);
    const u8* w = output.weight + (u64)out * output.stride;
    float acc[N] = {};
    if (cols % W::ALIGNED == 0) {
        const u32 stage = GROUPS * W::BYTES + N * CHUNK * 4, chunks = (cols + CHUNK - 1) / CHUNK;
        u8* memories = (u8*)memory;
        auto bring = [&](u32 chunk) {
            if (chunk < chunks) {
                u8* to = memories + chunk % STAGES * stage;
                const u32 from = chunk * CHUNK;
                W::bring(to + group * W::BYTES, w, from, cols);
                float* xs = (float*)(to + GROUPS * W::BYTES);
#pragma unroll
                for (u32 i = threadIdx.x * 4; i < N * CHUNK; i += GROUPS * LANES * 4) {
                    const u32 row = i / CHUNK, k = from + i % CHUNK;
                    if (row < job.rows && k < cols) copy_16(xs + i, job.x + (u64)row * cols + k);
                }
            }
            copies_end();
        };
#pragma unroll
        for (u32 chunk = 0; chunk < STAGES - 1; chunk++) bring(chunk);
        for (u32 chunk = 0; chunk < chunks; chunk++) {
            copies_wait<STAGES - 2>();
            // Behind this all have the chunk, and none uses the one before any more.
            __syncthreads();
            bring(chunk + STAGES - 1);
            const u8* at = memories + chunk % STAGES * stage;
            const u8* own = at + group * W::BYTES;
            const float* xs = (const float*)(at + GROUPS * W::BYTES);
            const u32 count = min(cols - chunk * CHUNK, CHUNK);
            if (count == CHUNK) {
#pragma unroll
                for (u32 i = 0; i < CHUNK; i += LANES) {
                    const float weight = W::in_chunk(own, i + lane);
#pragma unroll
                    for (u32 n = 0; n < N; n++) acc[n] = __fmaf_rn(weight, xs[n * CHUNK + i + lane], acc[n]);
                }
            } else {
                for (u32 k = lane; k < count; k += LANES) {
                    const float weight = W::in_chunk(own, k);
#pragma unroll
                    for (u32 n = 0; n < N; n++) acc[n] = __fmaf_rn(weight, xs[n * CHUNK + k], acc[n]);
                }
            }
        }
    } else {
        for (u32 k = lane; k < cols; k += LANES) {
            const float weight = W::at(w, k);
#pragma unroll
            for (u32 n = 0; n < N; n++) {
                if (n < job.rows) acc[n] = __fmaf_rn(weight, job.x[(u64)n * cols + k], acc[n]);
            }
        }
    }
    // A group's lanes leave the loops at different times.
    __syncwarp();
#pragma unroll
    for (u32 n = 0; n < N; n++) {
        const float sum = fold(acc[n]);
        if (lane == n && n < job.rows && first + group < output.outs) put(output, n, out, sum);
    }
}

// A tile of many_rows: rows of x, rows of W, columns at a time.
#define TILE 32
#define DEPTH 32
// Elements from one row to the next in shared memory: eight rows further is the other half of the banks.
#define PITCH (DEPTH + 2)

// Adds up LEFT of twice as many accumulators with the lane STEP away, which adds up the others.
template <int LEFT, int STEP>
__device__ __forceinline__ void halve(float (&acc)[64], u32 lane) {
    const bool upper = lane & STEP;
#pragma unroll
    for (int i = 0; i < LEFT; i++) {
        const float keep = upper ? acc[LEFT + i] : acc[i];
        const float give = upper ? acc[i] : acc[LEFT + i];
        acc[i] = __fadd_rn(keep, __shfl_xor_sync(0xffffffffu, give, STEP));
    }
}

// For any number of rows of x: a block of 256 threads takes 32 rows of x with 32 rows of W, a group 8 with 8.
template <class W>
__device__ __forceinline__ void many_rows(const Linear& job) {
    __shared__ float xs[2][TILE * PITCH];
    __shared__ float ws[2][TILE * PITCH];
    u32 which, first_out;
    if (!find(job, blockIdx.x, TILE, which, first_out)) return;
    const Output& output = job.outputs[which];
    const u32 first_row = blockIdx.y * TILE, cols = job.cols;

    // What this thread brings in: four columns of one row of each.
    const u32 brought = threadIdx.x / 8, column = threadIdx.x % 8 * 4;
    const u32 row = min(first_row + brought, job.rows - 1), out = min(first_out + brought, output.outs - 1);
    const float* x = job.x + (u64)row * cols;
    const u8* w = output.weight + (u64)out * output.stride;
    const bool whole = cols % 4 == 0;
    float xv[4], wv[4];
    auto bring = [&](u32 k) {
        if (whole && k < cols) {
            const float4 v = *(const float4*)(x + k);
            xv[0] = v.x, xv[1] = v.y, xv[2] = v.z, xv[3] = v.w;
            W::four(w, k, wv);
        } else {
#pragma unroll
            for (int i = 0; i < 4; i++) {
                xv[i] = k + i < cols ? x[k + i] : 0.0f;
                wv[i] = k + i < cols ? W::at(w, k + i) : 0.0f;
            }
        }
    };

    // What this thread sums up. The two groups of a warp share their rows of x.
    const u32 warp = threadIdx.x / 32, half = threadIdx.x / LANES % 2, lane = lane_of_group();
    const u32 own_row = warp % 4 * 8, own_out = (warp / 4 * 2 + half) * 8;
    float acc[64] = {};
    bring(column);
    u32 buffer = 0;
    for (u32 k = 0; k < cols; k += DEPTH, buffer ^= 1) {
#pragma unroll
        for (int i = 0; i < 4; i++) {
            xs[buffer][brought * PITCH + column + i] = xv[i];
            ws[buffer][brought * PITCH + column + i] = wv[i];
        }
        __syncthreads();
        if (k + DEPTH < cols) bring(k + DEPTH + column);
#pragma unroll
        for (int part = 0; part < DEPTH; part += LANES) {
            // Behind the last column a lane is left alone.
            if (k + part + lane >= cols) break;
            const float* from_x = &xs[buffer][own_row * PITCH + part + lane];
            const float* from_w = &ws[buffer][own_out * PITCH + part + lane];
            float a[8], b[8];
#pragma unroll
            for (int i = 0; i < 8; i++) a[i] = from_x[i * PITCH], b[i] = from_w[i * PITCH];
#pragma unroll
            for (int i = 0; i < 8; i++) {
#pragma unroll
                for (int j = 0; j < 8; j++) acc[i * 8 + j] = __fmaf_rn(b[j], a[i], acc[i * 8 + j]);
            }
        }
    }
    // The fold of 64 sums at once: each step leaves a lane half of them.
    __syncwarp();
    halve<32, 8>(acc, lane);
    halve<16, 4>(acc, lane);
    halve<8, 2>(acc, lane);
    halve<4, 1>(acc, lane);
    const u32 y_row = first_row + own_row + lane / 2;
    if (y_row >= job.rows) return;
#pragma unroll
    for (int i = 0; i < 4; i++) {
        const u32 y_out = first_out + own_out + lane % 2 * 4 + i;
        if (y_out < output.outs) put(output, y_row, y_out, acc[i]);
    }
}

// x[r] = row ids[r] of the embedding; a block for each row.
template <class W>
__device__ __forceinline__ void look_up(const Output& table, const u32* ids, u32 cols, float* x) {
    const u8* row = table.weight + (u64)ids[blockIdx.x] * table.stride;
    for (u32 k = threadIdx.x; k < cols; k += blockDim.x) x[(u64)blockIdx.x * cols + k] = W::at(row, k);
}

#define KERNELS(W, NAME)                                                                                   \
    extern "C" __global__ void __launch_bounds__(128) few_1_##NAME(const Linear job) { few_rows<W, 1>(job); } \
    extern "C" __global__ void __launch_bounds__(128) few_2_##NAME(const Linear job) { few_rows<W, 2>(job); } \
    extern "C" __global__ void __launch_bounds__(128) few_4_##NAME(const Linear job) { few_rows<W, 4>(job); } \
    extern "C" __global__ void __launch_bounds__(128) few_8_##NAME(const Linear job) { few_rows<W, 8>(job); } \
    extern "C" __global__ void __launch_bounds__(256, 2) many_##NAME(const Linear job) { many_rows<W>(job); } \
    extern "C" __global__ void look_up_##NAME(const Output table, const u32* ids, u32 cols, float* x) {       \
        look_up<W>(table, ids, cols, x);                                                                   \
    }
PRECISIONS

// --- norm, gate, rows ------------------------------------------------------------------------------

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

// y[r] = rms_norm(x[r]) * weight; a block for each row, which waits in shared memory where `staged`.
extern "C" __global__ void rms_norm(const float* x, const float* weight, float epsilon, u32 cols, u32 staged, float* y) {
    __shared__ float scale;
    const float* row = x + (u64)blockIdx.x * cols;
    if (staged) {
        float* copy = (float*)memory;
        for (u32 k = threadIdx.x; k < cols; k += blockDim.x) copy[k] = row[k];
        row = copy;
        __syncthreads();
    }
    if (threadIdx.x < LANES) {
        const float own = norm_scale(row, cols, epsilon);
        if (threadIdx.x == 0) scale = own;
    }
    __syncthreads();
    const float s = scale;
    for (u32 k = threadIdx.x; k < cols; k += blockDim.x)
        y[(u64)blockIdx.x * cols + k] = __fmul_rn(__fmul_rn(row[k], s), weight[k]);
}

// to[r] = from[index[r]]; a block for each row.
extern "C" __global__ void gather(const float* from, const u32* index, u32 cols, float* to) {
    const float* row = from + (u64)index[blockIdx.x] * cols;
    for (u32 k = threadIdx.x; k < cols; k += blockDim.x) to[(u64)blockIdx.x * cols + k] = row[k];
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

// gate[i] = silu(gate[i]) * up[i].
extern "C" __global__ void silu_gate(float* gate, const float* up, u32 len) {
    const u32 i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= len) return;
    const float x = gate[i];
    gate[i] = __fmul_rn(__fdiv_rn(x, __fadd_rn(1.0f, exp_one(-x))), up[i]);
}

// --- attention -------------------------------------------------------------------------------------

struct Place {
    // [count, kv_heads, width].
    const float* k;
    const float* v;
    // [active, heads, width], in place.
    float* q;
    // Of each head; null where there are none.
    const float* k_norm;
    const float* q_norm;
    // [count] and [active].
    const Row* rows;
    const Row* active_rows;
    // [count, width] and [active, width]: a row's cosines, then its sines.
    const float* rope;
    const float* active_rope;
    u32 count;
    u32 active;
    u32 heads;
    u32 kv_heads;
    u32 width;
    u32 layer;
    float epsilon;
    float scale;
};

// Norms and rotates a head into `to`, by a group.
__device__ __forceinline__ void rotate(const float* x, const float* weight, const float* rope, u32 width, float epsilon,
                                       float scale, bool scaled, float* to) {
    const u32 planes = width / 2;
    float s = 1.0f;
    if (weight) s = norm_scale(x, width, epsilon);
    for (u32 i = lane_of_group(); i < planes; i += LANES) {
        float a = x[i], b = x[i + planes];
        if (weight) {
            a = __fmul_rn(__fmul_rn(a, s), weight[i]);
            b = __fmul_rn(__fmul_rn(b, s), weight[i + planes]);
        }
        const float cosine = rope[i], sine = rope[i + planes];
        float c = __fmaf_rn(-b, sine, __fmul_rn(a, cosine));
        float d = __fmaf_rn(a, sine, __fmul_rn(b, cosine));
        if (scaled) c = __fmul_rn(c, scale), d = __fmul_rn(d, scale);
        to[i] = c;
        to[i + planes] = d;
    }
}

// Keys and values go behind those in the sequences, queries are made ready; a group for each head.
extern "C" __global__ void place(const Place job) {
    u32 item = (blockIdx.x * blockDim.x + threadIdx.x) / LANES;
    const u32 kv = job.count * job.kv_heads, width = job.width;
    if (item < kv) {
        const u32 row = item / job.kv_heads, head = item % job.kv_heads;
        const Row at = job.rows[row];
        const u64 block = (u64)at.capacity * width;
        float* key = at.cache + ((u64)job.layer * 2 * job.kv_heads + head) * block + (u64)at.position * width;
        float* value = key + job.kv_heads * block;
        const float* v = job.v + (u64)item * width;
        rotate(job.k + (u64)item * width, job.k_norm, job.rope + (u64)row * width, width, job.epsilon, 1.0f, false, key);
        for (u32 i = lane_of_group(); i < width; i += LANES) value[i] = v[i];
        return;
    }
    item -= kv;
    if (item >= job.active * job.heads) return;
    float* q = job.q + (u64)item * width;
    rotate(q, job.q_norm, job.active_rope + (u64)(item / job.heads) * width, width, job.epsilon, job.scale, true, q);
}

struct Attention {
    // [rows, heads, width], rotated and scaled.
    const float* q;
    float* out;
    const Row* rows;
    // [rows of this launch, heads, pitch], where scores do not fit shared memory; else null.
    float* scores;
    u32 pitch;
    u32 first_row;
    u32 heads;
    u32 kv_heads;
    u32 width;
    u32 layer;
    // Positions whose values wait in shared memory at once.
    u32 tile;
    u32 unused;
};

// Lane sum of a query and a key, by one thread.
__device__ __forceinline__ float lane_dot(const float* q, const float* key, u32 width) {
    float acc[LANES] = {};
    const u32 whole = width / LANES * LANES;
    if (width % 4 == 0) {
#pragma unroll 4
        for (u32 at = 0; at < whole; at += LANES) {
#pragma unroll
            for (int i = 0; i < LANES; i += 4) {
                const float4 a = *(const float4*)(key + at + i), b = *(const float4*)(q + at + i);
                acc[i] = __fmaf_rn(a.x, b.x, acc[i]);
                acc[i + 1] = __fmaf_rn(a.y, b.y, acc[i + 1]);
                acc[i + 2] = __fmaf_rn(a.z, b.z, acc[i + 2]);
                acc[i + 3] = __fmaf_rn(a.w, b.w, acc[i + 3]);
            }
        }
    } else {
        for (u32 at = 0; at < whole; at += LANES) {
#pragma unroll
            for (int i = 0; i < LANES; i++) acc[i] = __fmaf_rn(key[at + i], q[at + i], acc[i]);
        }
    }
#pragma unroll
    for (int i = 0; i < LANES; i++) {
        if (whole + i < width) acc[i] = __fmaf_rn(key[whole + i], q[whole + i], acc[i]);
    }
    return fold_own(acc);
}

// Causal attention; a block for each row and head. Shared memory: the query, a tile of values, the scores.
extern "C" __global__ void __launch_bounds__(512) attention(const Attention job) {
    __shared__ float maxima[32];
    __shared__ float sum;
    const u32 width = job.width, padded = (width + 3) / 4 * 4;
    const u32 row = job.first_row + blockIdx.x, head = blockIdx.y;
    float* query = (float*)memory;
    float* tile = query + padded;
    const Row at = job.rows[row];
    const u32 limit = at.position + 1;
    float* scores = job.scores ? job.scores + ((u64)blockIdx.x * job.heads + head) * job.pitch
                               : tile + (job.tile * width + 3) / 4 * 4;
    const u64 block = (u64)at.capacity * width;
    const u32 kv_head = head / (job.heads / job.kv_heads);
    const float* keys = at.cache + ((u64)job.layer * 2 * job.kv_heads + kv_head) * block;
    const float* values = keys + job.kv_heads * block;
    const u64 place = ((u64)row * job.heads + head) * width;

    for (u32 i = threadIdx.x; i < width; i += blockDim.x) query[i] = job.q[place + i];
    __syncthreads();
    float greatest = -INF;
    for (u32 t = threadIdx.x; t < limit; t += blockDim.x) {
        const float score = lane_dot(query, keys + (u64)t * width, width);
        scores[t] = score;
        greatest = score > greatest ? score : greatest;
    }
#pragma unroll
    for (int step = 16; step > 0; step /= 2) {
        const float other = __shfl_xor_sync(0xffffffffu, greatest, step);
        greatest = other > greatest ? other : greatest;
    }
    if (threadIdx.x % 32 == 0) maxima[threadIdx.x / 32] = greatest;
    __syncthreads();
    for (u32 i = 0; i < blockDim.x / 32; i++) greatest = maxima[i] > greatest ? maxima[i] : greatest;
    for (u32 t = threadIdx.x; t < limit; t += blockDim.x) scores[t] = exp_one(__fsub_rn(scores[t], greatest));
    __syncthreads();
    // The last group sums the numerators up while the others bring in values.
    if (threadIdx.x >= blockDim.x - LANES) {
        float acc = 0.0f;
#pragma unroll 8
        for (u32 t = lane_of_group(); t < limit; t += LANES) acc = __fadd_rn(acc, scores[t]);
        __syncwarp(group_mask());
        acc = fold(acc);
        if (lane_of_group() == 0) sum = acc;
    }
    float mixed = 0.0f;
    for (u32 from = 0; from < limit; from += job.tile) {
        const u32 count = min(job.tile, limit - from);
        const float* source = values + (u64)from * width;
        if (width % 4 == 0) {
            for (u32 i = threadIdx.x; i < count * width / 4; i += blockDim.x)
                ((float4*)tile)[i] = ((const float4*)source)[i];
        } else {
            for (u32 i = threadIdx.x; i < count * width; i += blockDim.x) tile[i] = source[i];
        }
        __syncthreads();
        if (threadIdx.x < width) {
#pragma unroll 8
            for (u32 t = 0; t < count; t++) mixed = __fmaf_rn(scores[from + t], tile[t * width + threadIdx.x], mixed);
        }
        __syncthreads();
    }
    if (threadIdx.x < width) job.out[place + threadIdx.x] = __fdiv_rn(mixed, sum);
}
