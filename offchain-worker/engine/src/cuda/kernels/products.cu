// Products: y = x Wᵀ.

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

// Groups of a block of few_rows.
#define GROUPS 8

// For up to N rows of x: a group takes one row of W, which is read once. With GATE it takes one of each of two
// matrices, and y is silu of the first's product times the second's. Rows of x that fit are held in shared memory,
// normed there if asked; others come chunk by chunk with the weights.
template <class W, int N, bool GATE>
__device__ __forceinline__ void few_rows(const Linear& job) {
    // Chunks that are under way or in use.
    const u32 STAGES = N > 16 ? 2 : N > 8 ? 3 : 4, OWN = GATE ? 2 : 1;
    __shared__ float scales[N];
    let_next_start();
    u32 which = 0, first = blockIdx.x * GROUPS;
    if (!GATE && !find(job, blockIdx.x, GROUPS, which, first)) {
        wait_for_previous();
        return;
    }
    const bool held = job.held;
    const u32 stage = GROUPS * OWN * W::BYTES + (held ? 0 : N * CHUNK * 4);
    const u32 rows = job.rows, cols = job.cols, lane = lane_of_group(), group = threadIdx.x / LANES;
    const u32 outs = job.outputs[which].outs;
    // A group without a row of its own does what its neighbour does and writes nothing.
    const u32 out = min(first + group, outs - 1);
    const u8* w[OWN];
#pragma unroll
    for (u32 p = 0; p < OWN; p++) {
        const Output& output = job.outputs[which + p];
        w[p] = output.weight + (u64)out * output.stride;
    }
    // None where rows of W cannot be read sixteen bytes at a time.
    const u32 chunks = cols % W::ALIGNED == 0 ? (cols + CHUNK - 1) / CHUNK : 0;
    u8* memories = (u8*)memory;
    float* held_x = (float*)(memories + STAGES * stage);
    float* held_norm = held_x + rows * cols;
    auto bring_weights = [&](u32 chunk) {
        if (chunk >= chunks) return;
        u8* to = memories + chunk % STAGES * stage + group * OWN * W::BYTES;
#pragma unroll
        for (u32 p = 0; p < OWN; p++) W::bring(to + p * W::BYTES, w[p], chunk * CHUNK, cols);
    };
    auto bring_rows = [&](u32 chunk) {
        if (!held && chunk < chunks) {
            float* to = (float*)(memories + chunk % STAGES * stage + GROUPS * OWN * W::BYTES);
            for (u32 i = threadIdx.x * 4; i < N * CHUNK; i += GROUPS * LANES * 4) {
                const u32 row = i / CHUNK, k = chunk * CHUNK + i % CHUNK;
                if (row < rows && k < cols) copy_16(to + i, job.x + (u64)row * cols + k);
            }
        }
        copies_end();
    };
#pragma unroll
    for (u32 chunk = 0; chunk < STAGES - 1; chunk++) {
        bring_weights(chunk);
        if (held) copies_end();
    }
    if (job.norm) {
#pragma unroll 4
        for (u32 k = threadIdx.x; k < cols; k += GROUPS * LANES) held_norm[k] = __ldg(job.norm + k);
    }
    wait_for_previous();
    if (held) {
        if (rows * cols % 4 == 0) {
#pragma unroll 4
            for (u32 i = threadIdx.x; i < rows * cols / 4; i += GROUPS * LANES)
                ((float4*)held_x)[i] = ((const float4*)job.x)[i];
        } else {
            for (u32 i = threadIdx.x; i < rows * cols; i += GROUPS * LANES) held_x[i] = job.x[i];
        }
        __syncthreads();
        if (job.norm) {
            for (u32 row = group; row < rows; row += GROUPS) {
                const float scale = norm_scale(held_x + row * cols, cols, job.epsilon);
                if (lane == 0) scales[row] = scale;
            }
            __syncthreads();
            for (u32 row = 0; row < rows; row++) {
                const float scale = scales[row];
#pragma unroll 4
                for (u32 k = threadIdx.x; k < cols; k += GROUPS * LANES) {
                    float* value = held_x + row * cols + k;
                    *value = __fmul_rn(__fmul_rn(*value, scale), held_norm[k]);
                }
            }
            __syncthreads();
        }
    } else {
#pragma unroll
        for (u32 chunk = 0; chunk < STAGES - 1; chunk++) bring_rows(chunk);
    }
    float acc[OWN][N] = {};
    for (u32 chunk = 0; chunk < chunks; chunk++) {
        copies_wait<STAGES - 2>();
        // Behind this all have the chunk, and none uses the one before any more.
        __syncthreads();
        bring_weights(chunk + STAGES - 1);
        bring_rows(chunk + STAGES - 1);
        const u8* at = memories + chunk % STAGES * stage;
        const u8* own = at + group * OWN * W::BYTES;
        const float* xs = held ? held_x + chunk * CHUNK : (const float*)(at + GROUPS * OWN * W::BYTES);
        // Of many rows none is held, and all have their place; of few, those that are not there are read elsewhere.
        const u32 pitch = N <= 8 && held ? cols : CHUNK;
        u32 x[N];
#pragma unroll
        for (u32 n = 0; n < N; n++) x[n] = (N > 8 || n < rows ? n : 0) * pitch + lane;
        const u32 count = min(cols - chunk * CHUNK, CHUNK);
        if (count == CHUNK) {
#pragma unroll(N < 4 ? 16 / N : 4)
            for (u32 i = 0; i < CHUNK; i += LANES) {
                float weight[OWN];
#pragma unroll
                for (u32 p = 0; p < OWN; p++) weight[p] = W::in_chunk(own + p * W::BYTES, i + lane);
#pragma unroll
                for (u32 n = 0; n < N; n++) {
                    const float value = xs[x[n] + i];
#pragma unroll
                    for (u32 p = 0; p < OWN; p++) acc[p][n] = __fmaf_rn(weight[p], value, acc[p][n]);
                }
            }
        } else {
            for (u32 i = 0; i + lane < count; i += LANES) {
                float weight[OWN];
#pragma unroll
                for (u32 p = 0; p < OWN; p++) weight[p] = W::in_chunk(own + p * W::BYTES, i + lane);
#pragma unroll
                for (u32 n = 0; n < N; n++) {
                    const float value = xs[x[n] + i];
#pragma unroll
                    for (u32 p = 0; p < OWN; p++) acc[p][n] = __fmaf_rn(weight[p], value, acc[p][n]);
                }
            }
        }
    }
    if (chunks == 0) {
        const float* x = held ? held_x : job.x;
        for (u32 k = lane; k < cols; k += LANES) {
#pragma unroll
            for (u32 n = 0; n < N; n++) {
                if (n >= rows) continue;
#pragma unroll
                for (u32 p = 0; p < OWN; p++)
                    acc[p][n] = __fmaf_rn(W::at(w[p], k), x[(u64)n * cols + k], acc[p][n]);
            }
        }
    }
    // A group's lanes leave the loops at different times.
    __syncwarp();
#pragma unroll
    for (u32 n = 0; n < N; n++) {
        float sum = fold(acc[0][n]);
        const bool writes = lane == n % LANES && n < rows && first + group < outs;
        if (GATE) {
            float up = fold(acc[OWN - 1][n]);
            if (!writes) continue;
            const Output &gate = job.outputs[0], &other = job.outputs[1];
            if (gate.bias) sum = __fadd_rn(sum, gate.bias[out]);
            if (other.bias) up = __fadd_rn(up, other.bias[out]);
            gate.y[(u64)n * outs + out] = gated(sum, up);
        } else if (writes) {
            put(job.outputs[which], n, out, sum);
        }
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
    let_next_start();
    wait_for_previous();
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
    let_next_start();
    wait_for_previous();
    const u8* row = table.weight + (u64)ids[blockIdx.x] * table.stride;
    for (u32 k = threadIdx.x; k < cols; k += blockDim.x) x[(u64)blockIdx.x * cols + k] = W::at(row, k);
}

#define FEW(W, NAME, N)                                                                     \
    extern "C" __global__ void __launch_bounds__(128) few_##N##_##NAME(const Linear job) {  \
        few_rows<W, N, false>(job);                                                         \
    }                                                                                       \
    extern "C" __global__ void __launch_bounds__(128) gate_##N##_##NAME(const Linear job) { \
        few_rows<W, N, true>(job);                                                          \
    }
#define KERNELS(W, NAME)                                                                                      \
    FEW(W, NAME, 1)                                                                                           \
    FEW(W, NAME, 2)                                                                                           \
    FEW(W, NAME, 4)                                                                                           \
    FEW(W, NAME, 8)                                                                                           \
    FEW(W, NAME, 16)                                                                                          \
    FEW(W, NAME, 32)                                                                                          \
    extern "C" __global__ void __launch_bounds__(256, 2) many_##NAME(const Linear job) { many_rows<W>(job); } \
    extern "C" __global__ void look_up_##NAME(const Output table, const u32* ids, u32 cols, float* x) {       \
        look_up<W>(table, ids, cols, x);                                                                      \
    }
PRECISIONS
