// Many tensors in one launch: a table of pieces, each an address and a number of elements; a block takes a piece.
template <typename T> __device__ void squares(const u64* table, float* sums)
{
    const T* p = (const T*)table[2 * blockIdx.x];
    i64 n = (i64)table[2 * blockIdx.x + 1];
    float sum = 0.f;
    bool aligned = ((u64)p & 15) == 0;
    for (i64 i = threadIdx.x * 8; i < n; i += blockDim.x * 8) {
        float v[8];
        if (aligned && i + 8 <= n) load8<true>(p, i, n, v);
        else load8<false>(p, i, n, v);
#pragma unroll
        for (int j = 0; j < 8; j++) sum += v[j] * v[j];
    }
    sum = rowSum(sum);
    if (threadIdx.x == 0) sums[blockIdx.x] = sum;
}

// result[0]: norm of what the gradients are after the factor; result[1]: what they are multiplied by.
extern "C" __global__ void clip_factor(const float* sums, int count, float factor, float most, float* result)
{
    float sum = 0.f;
    for (int i = threadIdx.x; i < count; i += blockDim.x) sum += sums[i];
    sum = rowSum(sum);
    if (threadIdx.x == 0) {
        float norm = sqrtf(sum) * factor;
        float clip = most / (norm + 1e-6f);
        result[0] = norm;
        result[1] = factor * (clip < 1.f ? clip : 1.f); // a norm that is no number clips nothing: the caller stops
    }
}

template <typename T> __device__ void scale(const u64* table, const float* result)
{
    T* p = (T*)table[2 * blockIdx.x];
    i64 n = (i64)table[2 * blockIdx.x + 1];
    float f = result[1];
    bool aligned = ((u64)p & 15) == 0;
    for (i64 i = threadIdx.x * 8; i < n; i += blockDim.x * 8) {
        float v[8];
        bool whole = aligned && i + 8 <= n;
        if (whole) load8<true>(p, i, n, v);
        else load8<false>(p, i, n, v);
#pragma unroll
        for (int j = 0; j < 8; j++) v[j] *= f;
        if (whole) store8<true>(p, i, n, v);
        else store8<false>(p, i, n, v);
    }
}

template <typename T> __device__ void zero(const u64* table)
{
    T* p = (T*)table[2 * blockIdx.x];
    i64 n = (i64)table[2 * blockIdx.x + 1];
    for (i64 i = threadIdx.x; i < n; i += blockDim.x) p[i] = fromFloat<T>(0.f);
}

#define KERNELS(T, SUFFIX) \
extern "C" __global__ void __launch_bounds__(512) sum_squares_##SUFFIX(const u64* table, float* sums) { squares<T>(table, sums); } \
extern "C" __global__ void __launch_bounds__(512) scale_##SUFFIX(const u64* table, const float* result) { scale<T>(table, result); } \
extern "C" __global__ void __launch_bounds__(512) zero_##SUFFIX(const u64* table) { zero<T>(table); }

KERNELS(bf16, bf16)
KERNELS(float, fp32)
