// Turns neighbouring pairs of queries and keys by the angles of their token: (a, b) to (a·cos − b·sin, b·cos + a·sin). Outputs may be inputs.
// direction −1 turns back, which is the gradient. A thread keeps the angles of eight elements and walks over heads.
template <typename T>
__device__ void rope(
    const T* q, const T* k, T* qTurned, T* kTurned, const float* angles, i64 tokens, i64 angleRows, int qHeads, int kHeads, int width, float direction)
{
    i64 token = (i64)blockIdx.x * blockDim.y + threadIdx.y;
    int at = threadIdx.x * 8;
    if (token >= tokens || at >= width) return;
    float turn[8];
    load8<true>(angles, (token % angleRows) * width + at, 0, turn);
    int heads = qHeads + kHeads;
    int from = blockIdx.y * 8, to = min(heads, from + 8);
#pragma unroll 4
    for (int head = from; head < to; head++) {
        bool query = head < qHeads;
        i64 offset = (query ? token * qHeads + head : token * kHeads + head - qHeads) * width;
        float v[8], o[8];
        load8<true>((query ? q : k) + offset, at, 0, v);
#pragma unroll
        for (int j = 0; j < 8; j += 2) {
            float c = turn[j], s = turn[j + 1] * direction;
            o[j] = v[j] * c - v[j + 1] * s;
            o[j + 1] = v[j + 1] * c + v[j] * s;
        }
        store8<true>((query ? qTurned : kTurned) + offset, at, 0, o);
    }
}

#define KERNELS(T, SUFFIX) \
extern "C" __global__ void rope_##SUFFIX( \
    const T* q, const T* k, T* qTurned, T* kTurned, const float* a, i64 tokens, i64 rows, int qHeads, int kHeads, int width, float d) \
{ rope<T>(q, k, qTurned, kTurned, a, tokens, rows, qHeads, kHeads, width, d); }

KERNELS(bf16, bf16)
KERNELS(float, fp32)
