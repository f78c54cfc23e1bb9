// act(gate + s·lowG·BGᵀ) ∘ (up + s·lowU·BUᵀ) and its gradients: the adapters' products are made by the tensor cores inside the kernel that reads their
// sums, so no pass over memory adds them. A warp makes 16 rows by 32 columns at a time with mma.m16n8k16. The columns of its four products are
// dealt so that each thread ends with eight neighbours of two rows: product j's column 2t + e is the tile's column 8t + 2j + e.

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

__device__ __forceinline__ void mma(float (&c)[4], const u32 (&a)[4], u32 b0, u32 b1)
{
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3]) : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

// The rows of a [columns, 16·K] factor that a warp's 32 columns need, as the second operand of its products.
template <int K> struct Factor
{
    u32 b[4][K][2];

    __device__ __forceinline__ void load(const bf16* from, int column, int g, int t)
    {
#pragma unroll
        for (int j = 0; j < 4; j++) {
            const bf16* row = from + (i64)(column + 8 * (g >> 1) + 2 * j + (g & 1)) * (16 * K);
#pragma unroll
            for (int k = 0; k < K; k++) {
                b[j][k][0] = *(const u32*)(row + 16 * k + 2 * t);
                b[j][k][1] = *(const u32*)(row + 16 * k + 2 * t + 8);
            }
        }
    }

    // delta[0]: row g, delta[1]: row g + 8; eight neighbours each.
    __device__ __forceinline__ void multiply(const bf16* low, i64 row0, i64 row1, int t, float scale, float (&delta)[2][8]) const
    {
        float c[4][4] = {};
#pragma unroll
        for (int k = 0; k < K; k++) {
            u32 a[4];
            const bf16 *p = low + row0 * (16 * K) + 16 * k + 2 * t, *q = low + row1 * (16 * K) + 16 * k + 2 * t;
            a[0] = *(const u32*)p;
            a[1] = *(const u32*)q;
            a[2] = *(const u32*)(p + 8);
            a[3] = *(const u32*)(q + 8);
#pragma unroll
            for (int j = 0; j < 4; j++) mma(c[j], a, b[j][k][0], b[j][k][1]);
        }
#pragma unroll
        for (int j = 0; j < 4; j++) {
            delta[0][2 * j] = scale * c[j][0];
            delta[0][2 * j + 1] = scale * c[j][1];
            delta[1][2 * j] = scale * c[j][2];
            delta[1][2 * j + 1] = scale * c[j][3];
        }
    }
};

constexpr int Tiles = 8; // of 16 rows that a warp goes through

template <int K, int A>
__device__ void forward(
    const bf16* gate, const bf16* up, const bf16* lowGate, const bf16* lowUp, const bf16* bGate, const bf16* bUp, bf16* y, i64 rows, int width,
    float scaleGate, float scaleUp)
{
    int lane = threadIdx.x & 31, g = lane >> 2, t = lane & 3;
    int column = (blockIdx.x * (blockDim.x >> 5) + (threadIdx.x >> 5)) * 32;
    if (column >= width) return;
    Factor<K> fg, fu;
    fg.load(bGate, column, g, t);
    fu.load(bUp, column, g, t);
    for (int tile = 0; tile < Tiles; tile++) {
        i64 first = ((i64)blockIdx.y * Tiles + tile) * 16;
        if (first >= rows) return;
        i64 row[2] = {min(first + g, rows - 1), min(first + g + 8, rows - 1)};
        float e[2][8], u[2][8], dg[2][8], du[2][8];
#pragma unroll
        for (int r = 0; r < 2; r++) {
            load8<true>(gate, row[r] * width + column + 8 * t, 0, e[r]);
            load8<true>(up, row[r] * width + column + 8 * t, 0, u[r]);
        }
        fg.multiply(lowGate, row[0], row[1], t, scaleGate, dg);
        fu.multiply(lowUp, row[0], row[1], t, scaleUp, du);
#pragma unroll
        for (int r = 0; r < 2; r++) {
#pragma unroll
            for (int j = 0; j < 8; j++) {
                float value, slope;
                activate<A>(e[r][j] + dg[r][j], value, slope);
                u[r][j] = value * (u[r][j] + du[r][j]);
            }
            if (first + g + 8 * r < rows) store8<true>(y, row[r] * width + column + 8 * t, 0, u[r]);
        }
    }
}

// d holds dy·W of the product down; its adapter's part, s·backD·AD, joins here. Writes dGate over gate, dUp over up, the forward result over d.
template <int K, int A>
__device__ void backward(
    bf16* gate, bf16* up, bf16* d, const bf16* lowGate, const bf16* lowUp, const bf16* backDown, const bf16* bGate, const bf16* bUp, const bf16* aDown,
    i64 rows, int width, float scaleGate, float scaleUp, float scaleDown)
{
    int lane = threadIdx.x & 31, g = lane >> 2, t = lane & 3;
    int column = (blockIdx.x * (blockDim.x >> 5) + (threadIdx.x >> 5)) * 32;
    if (column >= width) return;
    Factor<K> fg, fu, fd;
    fg.load(bGate, column, g, t);
    fu.load(bUp, column, g, t);
    fd.load(aDown, column, g, t);
    for (int tile = 0; tile < Tiles; tile++) {
        i64 first = ((i64)blockIdx.y * Tiles + tile) * 16;
        if (first >= rows) return;
        i64 row[2] = {min(first + g, rows - 1), min(first + g + 8, rows - 1)};
        float e[2][8], u[2][8], o[2][8], dg[2][8], du[2][8], dd[2][8];
#pragma unroll
        for (int r = 0; r < 2; r++) {
            i64 at = row[r] * width + column + 8 * t;
            load8<true>(gate, at, 0, e[r]);
            load8<true>(up, at, 0, u[r]);
            load8<true>(d, at, 0, o[r]);
        }
        __syncwarp(); // rows past the end are read from the last one: before it is overwritten
        fg.multiply(lowGate, row[0], row[1], t, scaleGate, dg);
        fu.multiply(lowUp, row[0], row[1], t, scaleUp, du);
        fd.multiply(backDown, row[0], row[1], t, scaleDown, dd);
#pragma unroll
        for (int r = 0; r < 2; r++) {
            float y[8];
#pragma unroll
            for (int j = 0; j < 8; j++) {
                float value, slope, upper = u[r][j] + du[r][j], back = o[r][j] + dd[r][j];
                activate<A>(e[r][j] + dg[r][j], value, slope);
                e[r][j] = back * upper * slope;
                u[r][j] = back * value;
                y[j] = value * upper;
            }
            if (first + g + 8 * r < rows) {
                i64 at = row[r] * width + column + 8 * t;
                store8<true>(gate, at, 0, e[r]);
                store8<true>(up, at, 0, u[r]);
                store8<true>(d, at, 0, y);
            }
        }
    }
}

#define KERNELS(K, A, SUFFIX) \
extern "C" __global__ void __launch_bounds__(256) swiglu_low_##SUFFIX( \
    const bf16* gate, const bf16* up, const bf16* lg, const bf16* lu, const bf16* bg, const bf16* bu, bf16* y, i64 rows, int width, float sg, float su) \
{ forward<K, A>(gate, up, lg, lu, bg, bu, y, rows, width, sg, su); } \
extern "C" __global__ void __launch_bounds__(256) swiglu_low_backward_##SUFFIX( \
    bf16* gate, bf16* up, bf16* d, const bf16* lg, const bf16* lu, const bf16* bd, const bf16* bg, const bf16* bu, const bf16* ad, i64 rows, int width, \
    float sg, float su, float sd) \
{ backward<K, A>(gate, up, d, lg, lu, bd, bg, bu, ad, rows, width, sg, su, sd); }

KERNELS(1, 0, silu_16)
KERNELS(2, 0, silu_32)
KERNELS(1, 1, gelu_16)
KERNELS(2, 1, gelu_32)
