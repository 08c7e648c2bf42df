// Included in a region after vec.inl.h, by kernels that need the sigmoid's derivative.

// s = 1 / (1 + e^-x) and 1 - s without cancellation. Below -80 both stay as there.
struct SigmoidPair {
  F32 s;
  F32 rest;
};
RINGLET_INLINE SigmoidPair Sigmoids(F32 x) {
  const F32 one = Set(1.0f);
  const F32 e = Exp(Min(Set(80.0f), Sub(Zero(), x)));
  const F32 s = Div(one, Add(one, e));
  return {s, Mul(e, s)};
}
