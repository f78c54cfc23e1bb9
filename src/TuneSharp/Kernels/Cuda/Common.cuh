// What all kernels share. Compiled by NVRTC, which has no CUDA headers: bf16 is converted by PTX.
typedef unsigned short bf16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef long long i64;

__device__ __forceinline__ float toFloat(float x) { return x; }
__device__ __forceinline__ float toFloat(bf16 x) { return __uint_as_float(((u32)x) << 16); }

__device__ __forceinline__ u32 pack2(float low, float high)
{
    u32 r;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(r) : "f"(high), "f"(low));
    return r;
}

template <typename T> __device__ __forceinline__ T fromFloat(float x);
template <> __device__ __forceinline__ float fromFloat<float>(float x) { return x; }
template <> __device__ __forceinline__ bf16 fromFloat<bf16>(float x) { return (bf16)pack2(x, 0.f); }

__device__ __forceinline__ float lowHalf(u32 x) { return __uint_as_float(x << 16); }
__device__ __forceinline__ float highHalf(u32 x) { return __uint_as_float(x & 0xffff0000u); }

// Eight elements at a time: 16 bytes of bf16, 32 of fp32. V: addresses are aligned and all eight exist.
template <bool V> __device__ __forceinline__ void load8(const bf16* p, i64 i, i64 n, float (&v)[8])
{
    if (V) {
        uint4 w = *(const uint4*)(p + i);
        v[0] = lowHalf(w.x); v[1] = highHalf(w.x); v[2] = lowHalf(w.y); v[3] = highHalf(w.y);
        v[4] = lowHalf(w.z); v[5] = highHalf(w.z); v[6] = lowHalf(w.w); v[7] = highHalf(w.w);
    } else {
#pragma unroll
        for (int j = 0; j < 8; j++) v[j] = i + j < n ? toFloat(p[i + j]) : 0.f;
    }
}

template <bool V> __device__ __forceinline__ void load8(const float* p, i64 i, i64 n, float (&v)[8])
{
    if (V) {
        float4 a = *(const float4*)(p + i), b = *(const float4*)(p + i + 4);
        v[0] = a.x; v[1] = a.y; v[2] = a.z; v[3] = a.w; v[4] = b.x; v[5] = b.y; v[6] = b.z; v[7] = b.w;
    } else {
#pragma unroll
        for (int j = 0; j < 8; j++) v[j] = i + j < n ? p[i + j] : 0.f;
    }
}

template <bool V> __device__ __forceinline__ void store8(bf16* p, i64 i, i64 n, const float (&v)[8])
{
    if (V) {
        uint4 w;
        w.x = pack2(v[0], v[1]); w.y = pack2(v[2], v[3]); w.z = pack2(v[4], v[5]); w.w = pack2(v[6], v[7]);
        *(uint4*)(p + i) = w;
    } else {
#pragma unroll
        for (int j = 0; j < 8; j++) if (i + j < n) p[i + j] = fromFloat<bf16>(v[j]);
    }
}

template <bool V> __device__ __forceinline__ void store8(float* p, i64 i, i64 n, const float (&v)[8])
{
    if (V) {
        *(float4*)(p + i) = make_float4(v[0], v[1], v[2], v[3]);
        *(float4*)(p + i + 4) = make_float4(v[4], v[5], v[6], v[7]);
    } else {
#pragma unroll
        for (int j = 0; j < 8; j++) if (i + j < n) p[i + j] = v[j];
    }
}

__device__ __forceinline__ float warpSum(float v)
{
#pragma unroll
    for (int o = 16; o > 0; o >>= 1) v += __shfl_xor_sync(0xffffffffu, v, o);
    return v;
}

__device__ __forceinline__ float warpMax(float v)
{
#pragma unroll
    for (int o = 16; o > 0; o >>= 1) v = fmaxf(v, __shfl_xor_sync(0xffffffffu, v, o));
    return v;
}

// Sum over the threads of a row: threadIdx.x runs along it, in whole warps; with more than one warp a block holds one row.
__device__ __forceinline__ float rowSum(float v)
{
    v = warpSum(v);
    if (blockDim.x == 32) return v;
    __shared__ float parts[32];
    int warp = threadIdx.x >> 5;
    __syncthreads(); // the one before may still be read
    if ((threadIdx.x & 31) == 0) parts[warp] = v;
    __syncthreads();
    v = threadIdx.x < (blockDim.x >> 5) ? parts[threadIdx.x & 31] : 0.f;
    if (warp == 0) {
        v = warpSum(v);
        if (threadIdx.x == 0) parts[0] = v;
    }
    __syncthreads();
    return parts[0];
}

__device__ __forceinline__ float sigmoid(float x) { return 1.f / (1.f + __expf(-x)); }

__device__ __forceinline__ float tanhExact(float x)
{
    float e = __expf(-2.f * fabsf(x));
    return copysignf((1.f - e) / (1.f + e), x);
}
