// Gradient of an RMSNorm, for kernels that normalise: included in a region after rms.inl.h.

// dx = r (dy w - x r^2 mean(x dy w)), added to what is there if add_dx; dy x r is added to dweight
// unless that is null.
RINGLET_INLINE void RmsBackward(const float* x, const float* weight, const float* dy, float* dx,
                                bool add_dx, float* dweight, int64_t n, float eps) {
  const float r = InverseRms(x, n, eps);
  const F32 inverse = Set(r);
  F32 sums[2] = {Zero(), Zero()};
  int64_t i = 0;
  for (; i + 2 * kLanes <= n; i += 2 * kLanes) {
    for (int j = 0; j < 2; ++j) {
      const int64_t at = i + j * kLanes;
      sums[j] = Fma(Load(x + at), Mul(Load(dy + at), Load(weight + at)), sums[j]);
    }
  }
  for (; i < n; i += kLanes) {
    const int count = static_cast<int>(n - i < kLanes ? n - i : kLanes);
    sums[0] =
        Fma(LoadN(x + i, count), Mul(LoadN(dy + i, count), LoadN(weight + i, count)), sums[0]);
  }
  const F32 factor = Set(ReduceAdd(Add(sums[0], sums[1])) / static_cast<float>(n) * r * r);
  ForEachVector(n, [&](int64_t at, int count) {
    const F32 value = LoadN(x + at, count);
    const F32 dout = LoadN(dy + at, count);
    const F32 part = Sub(Mul(dout, LoadN(weight + at, count)), Mul(value, factor));
    const F32 older = add_dx ? LoadN(dx + at, count) : Zero();
    if (dweight != nullptr) {
      const F32 scaled = Mul(value, inverse);
      StoreN(Fma(dout, scaled, LoadN(dweight + at, count)), dweight + at, count);
    }
    StoreN(Fma(part, inverse, older), dx + at, count);
  });
}
