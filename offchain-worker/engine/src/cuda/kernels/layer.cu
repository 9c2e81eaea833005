// What lies between the products of a layer.

// --- norm, gate, rows ------------------------------------------------------------------------------

// y[r] = rms_norm(x[r]) * weight; a block for each row, which waits in shared memory where `staged`.
extern "C" __global__ void rms_norm(const float* x, const float* weight, float epsilon, u32 cols, u32 staged, float* y) {
    __shared__ float scale;
    let_next_start();
    wait_for_previous();
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
    let_next_start();
    wait_for_previous();
    const float* row = from + (u64)index[blockIdx.x] * cols;
    for (u32 k = threadIdx.x; k < cols; k += blockDim.x) to[(u64)blockIdx.x * cols + k] = row[k];
}

// gate[i] = silu(gate[i]) * up[i].
extern "C" __global__ void silu_gate(float* gate, const float* up, u32 len) {
    const u32 i = blockIdx.x * blockDim.x + threadIdx.x;
    let_next_start();
    wait_for_previous();
    if (i >= len) return;
    gate[i] = gated(gate[i], up[i]);
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
    let_next_start();
    wait_for_previous();
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

// Causal attention; a block for each row and head. Shared memory: the query, two tiles of values, the scores.
__device__ __forceinline__ void attend(const Attention& job) {
    __shared__ float maxima[32];
    __shared__ float sum;
    let_next_start();
    const u32 width = job.width, padded = (width + 3) / 4 * 4, tile = (job.tile * width + 3) / 4 * 4;
    const u32 row = job.first_row + blockIdx.x, head = blockIdx.y;
    float* query = (float*)memory;
    float* tiles = query + padded;
    wait_for_previous();
    const Row at = job.rows[row];
    const u32 limit = at.position + 1;
    float* scores =
        job.scores ? job.scores + ((u64)blockIdx.x * job.heads + head) * job.pitch : tiles + 2 * tile;
    const u64 block = (u64)at.capacity * width;
    const u32 kv_head = head / (job.heads / job.kv_heads);
    const float* keys = at.cache + ((u64)job.layer * 2 * job.kv_heads + kv_head) * block;
    const float* values = keys + job.kv_heads * block;
    const u64 place = ((u64)row * job.heads + head) * width;

    // Values come while scores are computed.
    auto bring = [&](u32 index) {
        const u32 from = index * job.tile;
        if (from < limit) {
            const u32 len = min(job.tile, limit - from) * width;
            const float* source = values + (u64)from * width;
            float* to = tiles + index % 2 * tile;
            if (width % 4 == 0) {
                for (u32 i = threadIdx.x * 4; i < len; i += blockDim.x * 4) copy_16(to + i, source + i);
            } else {
                for (u32 i = threadIdx.x; i < len; i += blockDim.x) to[i] = source[i];
            }
        }
        copies_end();
    };
    bring(0);
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
    // The last group sums the numerators up while others begin to mix.
    if (threadIdx.x >= blockDim.x - LANES) {
        float acc = 0.0f;
#pragma unroll 8
        for (u32 t = lane_of_group(); t < limit; t += LANES) acc = __fadd_rn(acc, scores[t]);
        __syncwarp(group_mask());
        acc = fold(acc);
        if (lane_of_group() == 0) sum = acc;
    }
    float mixed = 0.0f;
    for (u32 from = 0, index = 0; from < limit; from += job.tile, index++) {
        bring(index + 1);
        copies_wait<1>();
        __syncthreads();
        const u32 count = min(job.tile, limit - from);
        const float* own = tiles + index % 2 * tile + threadIdx.x;
        if (threadIdx.x < width) {
#pragma unroll 8
            for (u32 t = 0; t < count; t++) mixed = __fmaf_rn(scores[from + t], own[t * width], mixed);
        }
        __syncthreads();
    }
    if (threadIdx.x < width) job.out[place + threadIdx.x] = __fdiv_rn(mixed, sum);
}

// With all registers for few blocks; with many blocks at once.
extern "C" __global__ void __launch_bounds__(512, 1) attention_512(const Attention job) { attend(job); }
extern "C" __global__ void __launch_bounds__(256, 4) attention_256(const Attention job) { attend(job); }
