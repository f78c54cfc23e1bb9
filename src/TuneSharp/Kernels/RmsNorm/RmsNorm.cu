// Root-mean-square norm over rows. y = x·r·(w + offset), r = 1/√(mean(x²) + ε); with a residual: s = x + d is stored and normed.
template <typename T, bool V>
__device__ void forward(const T* x, const T* d, const T* w, T* s, T* y, i64 rows, int width, float eps, float offset)
{
    i64 row = (i64)blockIdx.x * blockDim.y + threadIdx.y;
    if (row >= rows) return; // whole warps only: a block of several rows has one warp for each
    i64 at = row * width;
    float sum = 0.f;
    for (int i = threadIdx.x * 8; i < width; i += blockDim.x * 8) {
        float v[8];
        load8<V>(x + at, i, width, v);
        if (d) {
            float u[8];
            load8<V>(d + at, i, width, u);
#pragma unroll
            for (int j = 0; j < 8; j++) v[j] = toFloat(fromFloat<T>(v[j] + u[j]));
            store8<V>(s + at, i, width, v);
        }
#pragma unroll
        for (int j = 0; j < 8; j++) sum += v[j] * v[j];
    }

    float r = rsqrtf(rowSum(sum) / width + eps);
    const T* from = d ? s : x;
    for (int i = threadIdx.x * 8; i < width; i += blockDim.x * 8) {
        float v[8], u[8];
        load8<V>(from + at, i, width, v);
        load8<V>(w, i, width, u);
#pragma unroll
        for (int j = 0; j < 8; j++) v[j] = v[j] * r * (u[j] + offset);
        store8<V>(y + at, i, width, v);
    }
}

// dx = r·(m − x·r²·mean(m∘x)) + e, m = dy∘(w + offset). Blocks walk rows; with dw each keeps its sums in shared memory.
template <typename T, bool V>
__device__ void backward(
    const T* x, const T* w, const T* dy, const T* e, T* dx, float* dw, i64 rows, int width, float eps, float offset)
{
    extern __shared__ float sums[];
    if (dw)
        for (int i = threadIdx.x * 8; i < width; i += blockDim.x * 8)
            for (int j = 0; j < 8; j++) if (i + j < width) sums[(i64)threadIdx.y * width + i + j] = 0.f;

    for (i64 row = (i64)blockIdx.x * blockDim.y + threadIdx.y; row < rows; row += (i64)gridDim.x * blockDim.y) {
        i64 at = row * width;
        float squares = 0.f, dot = 0.f;
        for (int i = threadIdx.x * 8; i < width; i += blockDim.x * 8) {
            float v[8], g[8], u[8];
            load8<V>(x + at, i, width, v);
            load8<V>(dy + at, i, width, g);
            load8<V>(w, i, width, u);
#pragma unroll
            for (int j = 0; j < 8; j++) {
                squares += v[j] * v[j];
                dot += v[j] * g[j] * (u[j] + offset);
            }
        }

        float r = rsqrtf(rowSum(squares) / width + eps);
        float pull = -r * r * r * rowSum(dot) / width;
        for (int i = threadIdx.x * 8; i < width; i += blockDim.x * 8) {
            float v[8], g[8], u[8], o[8];
            load8<V>(x + at, i, width, v);
            load8<V>(dy + at, i, width, g);
            load8<V>(w, i, width, u);
#pragma unroll
            for (int j = 0; j < 8; j++) o[j] = r * g[j] * (u[j] + offset) + v[j] * pull;
            if (dw)
                for (int j = 0; j < 8; j++) if (i + j < width) sums[(i64)threadIdx.y * width + i + j] += g[j] * v[j] * r;
            if (e) {
                load8<V>(e + at, i, width, u);
#pragma unroll
                for (int j = 0; j < 8; j++) o[j] += u[j];
            }
            store8<V>(dx + at, i, width, o);
        }
    }

    if (dw) {
        // A column belongs to one thread of each row of threads: sum these, write the block's part.
        __syncthreads();
        for (int i = threadIdx.y * blockDim.x + threadIdx.x; i < width; i += blockDim.x * blockDim.y) {
            float sum = 0.f;
            for (int k = 0; k < blockDim.y; k++) sum += sums[(i64)k * width + i];
            dw[(i64)blockIdx.x * width + i] = sum;
        }
    }
}

#define KERNELS(T, V, SUFFIX) \
extern "C" __global__ void rms_norm_##SUFFIX(const T* x, const T* d, const T* w, T* s, T* y, i64 rows, int width, float eps, float offset) \
{ forward<T, V>(x, d, w, s, y, rows, width, eps, offset); } \
extern "C" __global__ void rms_norm_backward_##SUFFIX(const T* x, const T* w, const T* dy, const T* e, T* dx, float* dw, i64 rows, int width, float eps, float offset) \
{ backward<T, V>(x, w, dy, e, dx, dw, rows, width, eps, offset); }

KERNELS(bf16, true, bf16)
KERNELS(bf16, false, bf16_odd)
KERNELS(float, true, fp32)
KERNELS(float, false, fp32_odd)
