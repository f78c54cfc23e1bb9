// 4-bit weights back to numbers, and steps of Adam with 8-bit states. Layout: bitsandbytes'.

// A warp holds the sixteen values, one a lane, and passes them round: a lookup is one shuffle. Each thread gives eight neighbours back.
template <typename T>
__device__ void dequantize(
    const unsigned char* codes, const void* absmax, const float* nested, float offset, const float* map, const float* book, T* y, i64 groups, int shift)
{
    float mine = book[threadIdx.x & 15];
#pragma unroll
    for (int part = 0; part < 4; part++) {
        i64 group = ((i64)blockIdx.x * 4 + part) * blockDim.x + threadIdx.x;
        bool inside = group < groups;
        i64 at = inside ? group : groups - 1; // every lane takes part in the shuffles
        u32 word = ((const u32*)codes)[at];
        i64 block = (at * 8) >> shift;
        float scale;
        if (nested) scale = __fadd_rn(__fmul_rn(map[((const unsigned char*)absmax)[block]], nested[block >> 8]), offset);
        else scale = ((const float*)absmax)[block];
        float v[8];
#pragma unroll
        for (int j = 0; j < 4; j++) {
            u32 byte = word >> (8 * j);
            v[2 * j] = __shfl_sync(0xffffffffu, mine, (byte >> 4) & 15) * scale; // the even element lies in the high nibble
            v[2 * j + 1] = __shfl_sync(0xffffffffu, mine, byte & 15) * scale;
        }
        if (inside) store8<true>(y, at * 8, 0, v);
    }
}

extern "C" __global__ void __launch_bounds__(256) dequantize4_bf16(
    const unsigned char* codes, const void* absmax, const float* nested, float offset, const float* map, const float* book, bf16* y, i64 groups, int shift)
{ dequantize<bf16>(codes, absmax, nested, offset, map, book, y, groups, shift); }

extern "C" __global__ void __launch_bounds__(256) dequantize4_fp32(
    const unsigned char* codes, const void* absmax, const float* nested, float offset, const float* map, const float* book, float* y, i64 groups, int shift)
{ dequantize<float>(codes, absmax, nested, offset, map, book, y, groups, shift); }

__device__ __forceinline__ float blockMax(float v)
{
    __shared__ float parts[8];
    v = warpMax(v);
    __syncthreads(); // the one before may still be read
    if ((threadIdx.x & 31) == 0) parts[threadIdx.x >> 5] = v;
    __syncthreads();
    v = parts[0];
#pragma unroll
    for (int i = 1; i < 8; i++) v = fmaxf(v, parts[i]);
    return v;
}

// Rank of x among 255 ascending thresholds: how many lie below it.
__device__ __forceinline__ int rank(float x, const float* thresholds)
{
    int low = 0;
#pragma unroll
    for (int step = 128; step > 0; step >>= 1)
        if (x > thresholds[low + step - 1]) low += step;
    return low;
}

// Adam with both states in blocks of 256: signed dynamic codes for the mean, unsigned ones for the square. A block of threads is a block of state.
template <typename T>
__device__ void adam8(
    T* weight, const T* gradient, unsigned char* codes1, float* absmax1, unsigned char* codes2, float* absmax2, const float* map1, const float* map2,
    const float* bounds1, const float* bounds2, i64 n, float beta1, float beta2, float eps, float stepSize, float decay)
{
    __shared__ float values1[256], values2[256], thresholds1[256], thresholds2[256];
    int t = threadIdx.x;
    values1[t] = map1[t];
    values2[t] = map2[t];
    thresholds1[t] = t < 255 ? bounds1[t] : __int_as_float(0x7f800000);
    thresholds2[t] = t < 255 ? bounds2[t] : __int_as_float(0x7f800000);
    __syncthreads();
    i64 blocks = (n + 255) / 256;
    for (i64 block = blockIdx.x; block < blocks; block += gridDim.x) {
        i64 i = block * 256 + t;
        bool inside = i < n;
        float g = inside ? toFloat(gradient[i]) : 0.f;
        bool finite = fabsf(g) <= 3.402823466e38f;
        float m = inside ? values1[codes1[i]] * absmax1[block] : 0.f;
        float v = inside ? values2[codes2[i]] * absmax2[block] : 0.f;
        m = finite ? beta1 * m + (1.f - beta1) * g : 0.f;
        v = finite ? beta2 * v + (1.f - beta2) * g * g : 0.f;
        float top1 = blockMax(fabsf(m)), top2 = blockMax(v);
        if (inside) {
            if (finite) {
                float w = toFloat(fromFloat<T>(toFloat(weight[i]) - stepSize * (m / (sqrtf(v) + eps))));
                weight[i] = fromFloat<T>(w * decay);
            }
            int c1 = top1 > 0.f ? rank(m * (1.f / top1), thresholds1) : 127; // code 127 is 0
            bool wrong = (__float_as_uint(values1[c1]) ^ __float_as_uint(m)) >> 31;
            if (wrong) c1 = (m > 0.f ? c1 + 1 : c1 - 1) & 255;
            codes1[i] = (unsigned char)c1;
            codes2[i] = (unsigned char)(top2 > 0.f ? rank(v * (1.f / top2), thresholds2) : 0);
        }
        if (t == 0) { absmax1[block] = top1; absmax2[block] = top2; }
        __syncthreads();
    }
}

#define ADAM(T, SUFFIX) \
extern "C" __global__ void __launch_bounds__(256) adam8_##SUFFIX( \
    T* w, const T* g, unsigned char* c1, float* a1, unsigned char* c2, float* a2, const float* m1, const float* m2, const float* b1, const float* b2, i64 n, \
    float beta1, float beta2, float eps, float stepSize, float decay) \
{ adam8<T>(w, g, c1, a1, c2, a2, m1, m2, b1, b2, n, beta1, beta2, eps, stepSize, decay); }

ADAM(bf16, bf16)
ADAM(float, fp32)
