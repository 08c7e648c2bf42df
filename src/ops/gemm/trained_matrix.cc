#include "ops/gemm/trained_matrix.h"

#include <algorithm>
#include <cstring>

#include "tensor/dtype.h"

namespace ringlet {
namespace {

PackedMatrix Shape(PackedFormat format, int64_t n, int64_t k,
                   const std::shared_ptr<AlignedBuffer<std::byte>>& bytes) {
  PackedMatrix matrix{.format = format, .n = n, .k = k, .panel_bytes = PanelBytes(format, {}, k)};
  bytes->Reset(static_cast<size_t>(matrix.panels() * matrix.panel_bytes));
  matrix.data = SharedBytes(bytes->span(), bytes);
  return matrix;
}

uint32_t Pair(float first, float second) {
  return FloatToBf16(first) | static_cast<uint32_t>(FloatToBf16(second)) << 16;
}

// Panel `panel` of the matrix whose output n has input k at values(n, k).
template <typename Values>
void PackPanel(const PackedMatrix& matrix, int64_t panel, std::byte* base, const Values& values) {
  const int64_t first = panel * kPanel;
  const int64_t lanes = std::min(kPanel, matrix.n - first);
  const bool bf16 = matrix.format == PackedFormat::kBf16;
  const int64_t step = bf16 ? 2 : 1;
  for (int64_t k = 0; k < matrix.k; k += step) {
    auto* words = reinterpret_cast<uint32_t*>(base) + k / step * kPanel;
    if (!bf16) {
      for (int64_t lane = 0; lane < lanes; ++lane) {
        words[lane] = std::bit_cast<uint32_t>(values(first + lane, k));
      }
    } else if (k + 1 < matrix.k) {
      for (int64_t lane = 0; lane < lanes; ++lane) {
        words[lane] = Pair(values(first + lane, k), values(first + lane, k + 1));
      }
    } else {
      for (int64_t lane = 0; lane < lanes; ++lane) {
        words[lane] = FloatToBf16(values(first + lane, k));
      }
    }
    std::fill(words + lanes, words + kPanel, 0u);
  }
}

}  // namespace

TrainedMatrix::TrainedMatrix(PackedFormat format, int64_t n, int64_t k)
    : forward_bytes_(std::make_shared<AlignedBuffer<std::byte>>()),
      transposed_bytes_(std::make_shared<AlignedBuffer<std::byte>>()) {
  RINGLET_CHECK(format == PackedFormat::kF32 || format == PackedFormat::kBf16,
                "quantized weights are not trained");
  forward_ = Shape(format, n, k, forward_bytes_);
  transposed_ = Shape(format, k, n, transposed_bytes_);
}

void TrainedMatrix::Pack(Context& context, const float* master) {
  const int64_t k = forward_.k;
  const int64_t panels = forward_.panels();
  context.pool.ParallelFor(panels + transposed_.panels(), [&](int64_t i, int) {
    if (i < panels) {
      PackPanel(forward_, i, forward_bytes_->data() + i * forward_.panel_bytes,
                [&](int64_t row, int64_t column) { return master[row * k + column]; });
    } else {
      const int64_t panel = i - panels;
      PackPanel(transposed_, panel, transposed_bytes_->data() + panel * transposed_.panel_bytes,
                [&](int64_t row, int64_t column) { return master[column * k + row]; });
    }
  });
}

}  // namespace ringlet
