// act(gate)∘up, and both gradients. A 0: silu; 1: GELU by its tanh formula. Outputs may lie over inputs: each thread reads before it writes.
template <int A> __device__ __forceinline__ void activate(float x, float& value, float& slope)
{
    if (A == 0) {
        float s = sigmoid(x);
        value = x * s;
        slope = s * (1.f + x * (1.f - s));
    } else {
        const float c = 0.7978845608028654f; // √(2/π)
        float t = tanhExact(c * (x + 0.044715f * x * x * x));
        value = 0.5f * x * (1.f + t);
        slope = 0.5f * (1.f + t) + 0.5f * x * (1.f - t * t) * c * (1.f + 3.f * 0.044715f * x * x);
    }
}

template <typename T, int A, bool V>
__device__ void forward(const T* gate, const T* up, T* y, i64 n)
{
    i64 i = ((i64)blockIdx.x * blockDim.x + threadIdx.x) * 8;
    if (i >= n) return;
    float g[8], u[8];
    load8<V>(gate, i, n, g);
    load8<V>(up, i, n, u);
#pragma unroll
    for (int j = 0; j < 8; j++) {
        float value, slope;
        activate<A>(g[j], value, slope);
        u[j] *= value;
    }
    store8<V>(y, i, n, u);
}

// dGate = dy·up·act′, dUp = dy·act; y again where it is wanted (the gradient of the next product's weight needs it).
template <typename T, int A, bool V>
__device__ void backward(const T* gate, const T* up, const T* dy, T* dGate, T* dUp, T* y, i64 n)
{
    i64 i = ((i64)blockIdx.x * blockDim.x + threadIdx.x) * 8;
    if (i >= n) return;
    float g[8], u[8], d[8];
    load8<V>(gate, i, n, g);
    load8<V>(up, i, n, u);
    load8<V>(dy, i, n, d);
    float a[8], b[8], c[8];
#pragma unroll
    for (int j = 0; j < 8; j++) {
        float value, slope;
        activate<A>(g[j], value, slope);
        a[j] = d[j] * u[j] * slope;
        b[j] = d[j] * value;
        c[j] = value * u[j];
    }
    store8<V>(dGate, i, n, a);
    store8<V>(dUp, i, n, b);
    if (y) store8<V>(y, i, n, c);
}

#define KERNELS(T, A, V, SUFFIX) \
extern "C" __global__ void __launch_bounds__(256) swiglu_##SUFFIX(const T* gate, const T* up, T* y, i64 n) { forward<T, A, V>(gate, up, y, n); } \
extern "C" __global__ void __launch_bounds__(256) swiglu_backward_##SUFFIX(const T* gate, const T* up, const T* dy, T* dGate, T* dUp, T* y, i64 n) \
{ backward<T, A, V>(gate, up, dy, dGate, dUp, y, n); }

KERNELS(bf16, 0, true, silu_bf16)
KERNELS(bf16, 0, false, silu_bf16_odd)
KERNELS(float, 0, true, silu_fp32)
KERNELS(float, 0, false, silu_fp32_odd)
KERNELS(bf16, 1, true, gelu_bf16)
KERNELS(bf16, 1, false, gelu_bf16_odd)
KERNELS(float, 1, true, gelu_fp32)
KERNELS(float, 1, false, gelu_fp32_odd)
