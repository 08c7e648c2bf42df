// A K or V half block as fp32: bf16 is widened into scratch (exactly), fp32 is used in place.
// Included in a region after matmul.inl.h.
RINGLET_INLINE const float* WidenHalf(KvType type, const std::byte* half, int64_t elements,
                                      float* scratch) {
  if (type == KvType::kF32) return reinterpret_cast<const float*>(half);
  const auto* values = reinterpret_cast<const uint16_t*>(half);
  // 64 * D elements: always whole vectors.
  for (int64_t i = 0; i < elements; i += kLanes) Store(LoadBf16(values + i), scratch + i);
  return scratch;
}

// Calls body(weights) with the half block as fp32 or, when so few rows will read it that widening
// it beforehand does not pay, as the BF16 values themselves. The products have the same bits.
template <typename Body>
RINGLET_INLINE void WithHalf(KvType type, const std::byte* half, int64_t elements, int64_t rows,
                             float* scratch, const Body& body) {
  if (type == KvType::kBf16 && rows <= kMatMulRows) {
    body(reinterpret_cast<const uint16_t*>(half));
  } else {
    body(WidenHalf(type, half, elements, scratch));
  }
}
