// Rows of one head, and the fp32 layouts of a KV block (ops/kv_block.h), into each other. Rows are
// d values, `stride` floats apart (which may be negative). What lies beyond d or beyond the rows is
// not read, and zero where it is written. Included in a region after vec.inl.h and transpose.inl.h.

RINGLET_INLINE int64_t PaddedDim(int64_t d) {
  return (d + kStripColumns - 1) / kStripColumns * kStripColumns;
}

// out[0..padded) = in[0..n), then zeros; padded is a multiple of 16.
RINGLET_INLINE void CopyRow(const float* in, int64_t n, float* out, int64_t padded) {
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) Store(Load(in + i), out + i);
  for (; i < padded; i += kLanes) {
    const int64_t rest = n - i;
    Store(rest <= 0 ? Zero() : LoadN(in + i, static_cast<int>(rest < kLanes ? rest : kLanes)),
          out + i);
  }
}

// Rows to rows [count][R], padded with zeros.
[[maybe_unused]] static void PadRows(const float* in, int64_t stride, int64_t count, int64_t d,
                                     float* rows) {
  const int64_t padded = PaddedDim(d);
  for (int64_t r = 0; r < count; ++r) CopyRow(in + r * stride, d, rows + r * padded, padded);
}

// Rows to keys: position r is row r, zero from `count` on.
[[maybe_unused]] static void RowsToKeys(const float* in, int64_t stride, int64_t count, int64_t d,
                                        float* keys) {
  for (int64_t first = 0; first < kBlockPositions; first += kStripColumns) {
    float* strip = keys + first * d;
    const int64_t rest = count - first;
    if (rest < kStripColumns) {
      for (int64_t i = 0; i < d * kStripColumns; i += kLanes) Store(Zero(), strip + i);
    }
    if (rest <= 0) continue;
    Transpose([&](int64_t r) { return in + (first + r) * stride; },
              rest < kStripColumns ? rest : kStripColumns, d, strip, kStripColumns);
  }
}

[[maybe_unused]] static void RowsToValues(const float* in, int64_t stride, int64_t count, int64_t d,
                                          float* values) {
  for (int64_t column = 0; column < d; column += kStripColumns) {
    float* strip = values + column * kBlockPositions;
    const int64_t n = d - column < kStripColumns ? d - column : kStripColumns;
    for (int64_t r = 0; r < kBlockPositions; ++r) {
      CopyRow(in + r * stride + column, r < count ? n : 0, strip + r * kStripColumns,
              kStripColumns);
    }
  }
}

// Keys, `terms` >= d to a strip, to rows [count][R].
[[maybe_unused]] static void KeysToRows(const float* keys, int64_t terms, int64_t count, int64_t d,
                                        float* rows) {
  const int64_t padded = PaddedDim(d);
  for (int64_t first = 0; first < count; first += kStripColumns) {
    const float* strip = keys + first * terms;
    const int64_t n = count - first < kStripColumns ? count - first : kStripColumns;
    Transpose([&](int64_t i) { return strip + i * kStripColumns; }, d, n, rows + first * padded,
              padded);
  }
  if (padded == d) return;
  for (int64_t r = 0; r < count; ++r) {
    for (int64_t i = d; i < padded; ++i) rows[r * padded + i] = 0.0f;
  }
}

[[maybe_unused]] static void ValuesToRows(const float* values, int64_t count, int64_t d,
                                          float* rows) {
  const int64_t padded = PaddedDim(d);
  for (int64_t column = 0; column < d; column += kStripColumns) {
    const float* strip = values + column * kBlockPositions;
    const int64_t n = d - column < kStripColumns ? d - column : kStripColumns;
    for (int64_t r = 0; r < count; ++r) {
      CopyRow(strip + r * kStripColumns, n, rows + r * padded + column, kStripColumns);
    }
  }
}
