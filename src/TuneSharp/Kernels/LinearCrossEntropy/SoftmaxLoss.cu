// Cross-entropy of rows of logits and, in their place, its gradient. A block is a row: one sweep for maximum and sum together, one that writes.
// z′ = cap·tanh(z/cap) where cap > 0; loss = lse − z′[y] + ε·(z′[y] − mean z′) + λ·lse². A target below 0 does not count.
template <typename T, bool V>
__device__ void softmaxLoss(T* logits, const i64* targets, float* losses, int width, int ignore, int wants, float smoothing, float zLoss, float cap)
{
    i64 row = blockIdx.x;
    T* z = logits + row * width;
    i64 y = targets[row];
    if (y == ignore) {
        if (threadIdx.x == 0) losses[row] = 0.f;
        if (wants) {
            float zero[8] = {0, 0, 0, 0, 0, 0, 0, 0};
            for (int i = threadIdx.x * 8; i < width; i += blockDim.x * 8) store8<V>(z, i, width, zero);
        }
        return;
    }

    float top = -__int_as_float(0x7f800000), sum = 0.f, total = 0.f;
    for (int i = threadIdx.x * 8; i < width; i += blockDim.x * 8) {
        float v[8];
        load8<V>(z, i, width, v);
        float high = top;
#pragma unroll
        for (int j = 0; j < 8; j++) {
            if (!V && i + j >= width) v[j] = -__int_as_float(0x7f800000);
            else {
                if (cap > 0.f) v[j] = cap * tanhExact(v[j] / cap);
                total += v[j];
            }
            high = fmaxf(high, v[j]);
        }
        float part = 0.f;
#pragma unroll
        for (int j = 0; j < 8; j++) part += __expf(v[j] - high);
        sum = sum * __expf(top - high) + part;
        top = high;
    }

    __shared__ float tops[32], sums[32], totals[32];
    float m = warpMax(top);
    sum = warpSum(top == m ? sum : sum * __expf(top - m)); // equal infinities would give NaN
    total = warpSum(total);
    int warp = threadIdx.x >> 5, warps = blockDim.x >> 5;
    if ((threadIdx.x & 31) == 0) { tops[warp] = m; sums[warp] = sum; totals[warp] = total; }
    __syncthreads();
    m = tops[0];
    for (int i = 1; i < warps; i++) m = fmaxf(m, tops[i]);
    sum = 0.f; total = 0.f;
    for (int i = 0; i < warps; i++) {
        sum += sums[i] == 0.f ? 0.f : sums[i] * __expf(tops[i] - m);
        total += totals[i];
    }

    float lse = m + __logf(sum);
    bool inside = y >= 0 && y < width;
    float at = inside ? toFloat(z[inside ? y : 0]) : 0.f;
    if (cap > 0.f) at = cap * tanhExact(at / cap);
    if (threadIdx.x == 0) {
        float loss = lse - at + zLoss * lse * lse;
        if (smoothing > 0.f) loss += smoothing * (at - total / width);
        losses[row] = inside ? loss : __int_as_float(0x7fffffff); // a label beyond the vocabulary: NaN stops the run
    }
    if (!wants) return;
    __syncthreads(); // every thread has read z[y]
    float factor = (1.f + 2.f * zLoss * lse) / sum, everywhere = smoothing / width;
    for (int i = threadIdx.x * 8; i < width; i += blockDim.x * 8) {
        float v[8];
        load8<V>(z, i, width, v);
#pragma unroll
        for (int j = 0; j < 8; j++) {
            float slope = 1.f;
            if (cap > 0.f) {
                float t = tanhExact(v[j] / cap);
                v[j] = cap * t;
                slope = 1.f - t * t;
            }
            float p = __expf(v[j] - m) * factor - everywhere;
            if (i + j == y) p -= 1.f - smoothing;
            v[j] = p * slope;
        }
        store8<V>(z, i, width, v);
    }
}

#define KERNELS(T, V, SUFFIX) \
extern "C" __global__ void __launch_bounds__(1024) softmax_loss_##SUFFIX( \
    T* logits, const i64* targets, float* losses, int width, int ignore, int wants, float smoothing, float zLoss, float cap) \
{ softmaxLoss<T, V>(logits, targets, losses, width, ignore, wants, smoothing, zLoss, cap); }

KERNELS(bf16, true, bf16)
KERNELS(bf16, false, bf16_odd)
KERNELS(float, true, fp32)
KERNELS(float, false, fp32_odd)
