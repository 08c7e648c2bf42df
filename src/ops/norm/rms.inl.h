// Shared by kernels that normalise: included in a region after vec.inl.h.

// Calls body(i, count) for consecutive vectors of [0, n); count is kLanes but for the last one.
template <typename Body>
RINGLET_INLINE void ForEachVector(int64_t n, const Body& body) {
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) body(i, kLanes);
  if (i < n) body(i, static_cast<int>(n - i));
}

// 1 / sqrt(mean(x^2) + eps).
RINGLET_INLINE float InverseRms(const float* x, int64_t n, float eps) {
  F32 sum = Zero();
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    const F32 value = Load(x + i);
    sum = Fma(value, value, sum);
  }
  if (i < n) {
    const F32 value = LoadN(x + i, static_cast<int>(n - i));
    sum = Fma(value, value, sum);
  }
  const float mean = ReduceAdd(sum) / static_cast<float>(n);
  return 1.0f / __builtin_sqrtf(mean + eps);
}
