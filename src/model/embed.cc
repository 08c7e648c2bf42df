#include "model/embed.h"

#include "ops/parallel_rows.h"

namespace ringlet {

void EmbedRows(Context& context, const PackedModel& model, std::span<const int32_t> tokens,
               std::span<const int64_t> positions, AlignedBuffer<float>* x,
               AlignedBuffer<float>* cos_sin) {
  RINGLET_CHECK(tokens.size() == positions.size(), "a position for each token");
  const MatrixRef& embedding = model.embedding.rows;
  const size_t hidden = static_cast<size_t>(embedding.cols);
  const size_t rotary = 2 * model.rope.inv_freq.size();
  x->Reset(tokens.size() * hidden);
  cos_sin->Reset(tokens.size() * rotary);
  ParallelRows(context, static_cast<int64_t>(tokens.size()), 4 * embedding.cols, [&](int64_t row) {
    const auto i = static_cast<size_t>(row);
    embedding.DecodeRow(tokens[i], x->data() + i * hidden);
    RopeAngles(model.rope, positions[i], cos_sin->span().subspan(i * rotary, rotary));
  });
}

}  // namespace ringlet
