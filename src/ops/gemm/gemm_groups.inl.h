// Integer weights in groups times int8 activations: the walk through a panel that the formats
// share. Included in the region of gemm_cpu.cc.
//
// A format has
//   kRows, kVectors  the tile of many rows: what its sums leave of the registers
//   kBytes           of the weights of kQuantGroup inputs of a panel, one block
//   Add<R, V>(tile, block, column, x, acc)
//                    adds a block's products; x[r] are row r's inputs of the block
//   Finish<R, V>(end, column, acc)
//                    after the last block, which ends at `end`

// R rows of V vectors of outputs from `column`.
template <typename Format, int R, int V>
RINGLET_INLINE void GroupedProduct(const GemmTile& tile, int64_t row, int column) {
  const QuantActGroup* x[R];
  for (int r = 0; r < R; ++r) x[r] = reinterpret_cast<const QuantActGroup*>(tile.inputs[row + r]);
  F32 acc[R][V];
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 16
    for (int v = 0; v < V; ++v) acc[r][v] = Zero();
  }
  const std::byte* block = tile.panel;
  const bool first = R > 1 && row == 0 && column == 0;
  for (int64_t i = 0; i < tile.k / kQuantGroup; ++i) {
    if (first) ReadAhead(block, Format::kBytes, Format::kBytes);
    // Many rows: the fp32 sums, used once a block, live in memory, so that the integer sums, used
    // eight times, have the registers.
    if constexpr (R * V >= 8 && R > 1) __asm__ volatile("" : : "r"(acc) : "memory");
    Format::template Add<R, V>(tile, block, column, x, acc);
    block += Format::kBytes;
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) ++x[r];
  }
  Format::template Finish<R, V>(block, column, acc);
  StoreBlock<R, V>(acc, tile, row, column);
}

// One row takes the whole panel at once, one linear stream; more rows go strip by strip.
template <typename Format, int R>
void GroupedRows(const GemmTile& tile, int64_t row) {
  // The scalar set has more vectors in a panel than a block can name.
  if constexpr (R == 1 && kLanes > 1) {
    return GroupedProduct<Format, 1, kPanelVectors>(tile, row, 0);
  } else {
    for (int column = 0; column < tile.columns; column += Format::kVectors * kLanes) {
      GroupedProduct<Format, R, Format::kVectors>(tile, row, column);
    }
  }
}

template <typename Format, int R>
void GroupedRemainder(const GemmTile& tile, int64_t row) {
  if constexpr (R > 0) {
    if (tile.rows - row == R) return GroupedRows<Format, R>(tile, row);
    GroupedRemainder<Format, R - 1>(tile, row);
  }
}

template <typename Format>
void GroupedTile(const GemmTile& tile) {
  constexpr int kRows = Format::kRows;
  const int64_t whole = tile.rows / kRows * kRows;
  if (whole > 0) {
    for (int column = 0; column < tile.columns; column += Format::kVectors * kLanes) {
      for (int64_t row = 0; row < whole; row += kRows) {
        GroupedProduct<Format, kRows, Format::kVectors>(tile, row, column);
      }
    }
  }
  GroupedRemainder<Format, kRows - 1>(tile, whole);
}
