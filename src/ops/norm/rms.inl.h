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
  // Four sums hide the latency of the multiply-add.
  F32 sums[4] = {Zero(), Zero(), Zero(), Zero()};
  int64_t i = 0;
  for (; i + 4 * kLanes <= n; i += 4 * kLanes) {
    for (int j = 0; j < 4; ++j) {
      const F32 value = Load(x + i + j * kLanes);
      sums[j] = Fma(value, value, sums[j]);
    }
  }
  F32 sum = Add(Add(sums[0], sums[1]), Add(sums[2], sums[3]));
  for (; i < n; i += kLanes) {
    const F32 value = LoadN(x + i, static_cast<int>(n - i < kLanes ? n - i : kLanes));
    sum = Fma(value, value, sum);
  }
  const float mean = ReduceAdd(sum) / static_cast<float>(n);
  return 1.0f / __builtin_sqrtf(mean + eps);
}
