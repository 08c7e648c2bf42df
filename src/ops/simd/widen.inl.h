// A K or V half block as fp32: bf16 is widened into scratch (exactly), fp32 is used in place.
// Included in a region after vec.inl.h.
RINGLET_INLINE const float* WidenHalf(KvType type, const std::byte* half, int64_t elements,
                                      float* scratch) {
  if (type == KvType::kF32) return reinterpret_cast<const float*>(half);
  const auto* values = reinterpret_cast<const uint16_t*>(half);
  // 64 * D elements: always whole vectors.
  for (int64_t i = 0; i < elements; i += kLanes) Store(LoadBf16(values + i), scratch + i);
  return scratch;
}
