#include "model/embed.h"

#include "ops/parallel_rows.h"

namespace ringlet {

void EmbedTokens(Context& context, const PackedModel& model, std::span<const int32_t> tokens,
                 AlignedBuffer<float>* x) {
  const MatrixRef& embedding = model.embedding.rows;
  x->Reset(tokens.size() * static_cast<size_t>(embedding.cols));
  ParallelRows(context, static_cast<int64_t>(tokens.size()), 4 * embedding.cols, [&](int64_t row) {
    embedding.DecodeRow(tokens[static_cast<size_t>(row)], x->data() + row * embedding.cols);
  });
}

void PositionAngles(Context& context, const PackedModel& model, std::span<const int64_t> positions,
                    AlignedBuffer<float>* cos_sin) {
  const size_t dim = 2 * model.rope.inv_freq.size();
  cos_sin->Reset(positions.size() * dim);
  constexpr int64_t kCost = 16;  // of the sine and cosine of one angle, in multiplications
  ParallelRows(context, static_cast<int64_t>(positions.size()), kCost * static_cast<int64_t>(dim),
               [&](int64_t row) {
                 const auto i = static_cast<size_t>(row);
                 RopeAngles(model.rope, positions[i], cos_sin->span().subspan(i * dim, dim));
               });
}

}  // namespace ringlet
