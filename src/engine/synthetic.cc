#include "engine/synthetic.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/check.h"
#include "base/memory.h"
#include "base/rng.h"
#include "engine/sequence_state.h"
#include "model/packed.h"
#include "tensor/dtype.h"

namespace ringlet {
namespace {

constexpr int64_t kPatternBytes = int64_t{1} << 20;
// Offsets into the pattern are multiples of this, a line of the cache and whole elements.
constexpr int64_t kOffsetStep = 64;
// INT8 codes of unit variance: scale * code, codes uniform in [-127, 127].
constexpr float kInt8Scale = 1.0f / 73.0f;
// Of a state that has summed the outer products of many normal keys and values.
constexpr float kAnchorDeviation = 4.0f;

int64_t PageCount(int64_t length) { return (length + kBlockPositions - 1) / kBlockPositions; }

// Random elements of one type, twice over, so that any kPatternBytes from an offset below
// kPatternBytes are there.
class Pattern {
 public:
  Pattern(KvType type, float deviation, Rng* rng) : bytes_(2 * kPatternBytes) {
    std::byte* out = bytes_.data();
    for (int64_t i = 0; i < kPatternBytes; i += KvElementBytes(type)) {
      switch (type) {
        case KvType::kF32: {
          const auto value = static_cast<float>(rng->Normal()) * deviation;
          std::memcpy(out + i, &value, sizeof(value));
          break;
        }
        case KvType::kBf16: {
          const bf16_t value = FloatToBf16(static_cast<float>(rng->Normal()) * deviation);
          std::memcpy(out + i, &value, sizeof(value));
          break;
        }
        case KvType::kInt8: {
          const auto code = static_cast<int8_t>(static_cast<int>(rng->Below(255)) - 127);
          std::memcpy(out + i, &code, sizeof(code));
          break;
        }
      }
    }
    std::memcpy(out + kPatternBytes, out, kPatternBytes);
  }

  // Fills `count` bytes, starting somewhere in the pattern.
  void Fill(std::byte* out, int64_t count, Rng* rng) const {
    while (count > 0) {
      const int64_t part = std::min(count, kPatternBytes);
      const auto offset =
          static_cast<int64_t>(rng->Below(kPatternBytes / kOffsetStep)) * kOffsetStep;
      std::memcpy(out, bytes_.data() + offset, static_cast<size_t>(part));
      out += part;
      count -= part;
    }
  }

 private:
  AlignedBuffer<std::byte> bytes_;
};

// Keys and values of `layers` layers for 64 positions.
void FillBlock(const KvLayout& kv, int64_t layers, const Pattern& pattern, PositionBlock* block,
               Rng* rng) {
  const int64_t bytes = layers * kv.block_bytes();
  pattern.Fill(block->data.data(), bytes, rng);
  if (kv.type != KvType::kInt8) return;
  const std::vector<bf16_t> scales(kBlockPositions, FloatToBf16(kInt8Scale));
  for (int64_t layer = 0; layer < layers; ++layer) {
    std::byte* base = block->data.data() + layer * kv.block_bytes();
    for (int64_t head = 0; head < kv.kv_heads; ++head) {
      std::memcpy(base + kv.key_scales(head), scales.data(), scales.size() * sizeof(bf16_t));
      std::memcpy(base + kv.value_scales(head), scales.data(), scales.size() * sizeof(bf16_t));
    }
  }
}

// The anchor and tail of lightning layers at a sequence's end. As after a real prefill, the anchor
// is also kept for restarts, so that the engine does not overwrite it.
void AddLinearState(const PackedModel& packed, int64_t length, Rng* rng, SequenceState* state) {
  if (packed.lightning_layers == 0) return;
  const KvLayout& kv = packed.lightning_kv;
  const int64_t anchor_position = length / kBlockPositions * kBlockPositions;
  if (anchor_position > 0) {
    const Pattern pattern(KvType::kF32, kAnchorDeviation, rng);
    const int64_t floats = packed.lightning_layers * kv.kv_heads * kv.head_dim * kv.head_dim;
    state->anchor = std::make_shared<Anchor>(static_cast<size_t>(floats));
    pattern.Fill(reinterpret_cast<std::byte*>(state->anchor->data.data()), floats * 4, rng);
    state->anchor->position = anchor_position;
    KeepAnchor(state->kept, state->anchor);
  }
  if (length > anchor_position) {
    const Pattern pattern(kv.type, 1.0f, rng);
    state->tail = std::make_shared<PositionBlock>(
        static_cast<size_t>(packed.lightning_layers * kv.block_bytes()));
    FillBlock(kv, packed.lightning_layers, pattern, state->tail.get(), rng);
  }
}

Status CheckMemory(const Model& model, int64_t length) {
  const auto needed = static_cast<uint64_t>(PageBytes(model, length));
  const uint64_t available = AvailableMemory();
  if (available == 0 || needed <= available) return Status::Ok();
  constexpr double kGiB = 1 << 30;
  return Status(StatusCode::kResource,
                fmt::format("keys and values of {} tokens need {:.1f} GiB of memory, {:.1f} GiB "
                            "are available",
                            length, static_cast<double>(needed) / kGiB,
                            static_cast<double>(available) / kGiB));
}

}  // namespace

int64_t PageBytes(const Model& model, int64_t length) {
  const PackedModel& packed = model.packed();
  return PageCount(length) * packed.softmax_layers * packed.softmax_kv.block_bytes();
}

Result<Sequence> SyntheticSequence(const Model& model, Context& context, int64_t length,
                                   uint64_t seed) {
  RINGLET_CHECK(length >= 0, "a length");
  RINGLET_RETURN_IF_ERROR(CheckMemory(model, length));
  const PackedModel& packed = model.packed();
  Rng rng(seed);
  Sequence sequence;
  SequenceState& state = sequence.state();
  state.tokens.resize(static_cast<size_t>(length));
  for (int32_t& token : state.tokens) {
    token = static_cast<int32_t>(rng.Below(static_cast<uint64_t>(model.config().vocab)));
  }
  const Pattern pattern(packed.softmax_kv.type, 1.0f, &rng);
  const int64_t bytes = packed.softmax_layers * packed.softmax_kv.block_bytes();
  for (int64_t page = 0; page < PageCount(length); ++page) {
    state.pages.push_back(NewPage(state, static_cast<size_t>(bytes)));
  }
  const uint64_t base = rng.Next();
  context.pool.ParallelFor(PageCount(length), [&](int64_t page, int) {
    Rng own(base + static_cast<uint64_t>(page));
    FillBlock(packed.softmax_kv, packed.softmax_layers, pattern,
              state.pages[static_cast<size_t>(page)].get(), &own);
  });
  AddLinearState(packed, length, &rng, &state);
  return sequence;
}

Sequence SyntheticPrefix(const Model& model, const Sequence& whole, int64_t length, uint64_t seed) {
  RINGLET_CHECK(length >= 0 && length <= whole.length(), "a prefix");
  Rng rng(seed);
  Sequence sequence;
  SequenceState& state = sequence.state();
  const SequenceState& from = whole.state();
  state.tokens.assign(from.tokens.begin(), from.tokens.begin() + length);
  state.pages.assign(from.pages.begin(), from.pages.begin() + PageCount(length));
  AddLinearState(model.packed(), length, &rng, &state);
  return sequence;
}

}  // namespace ringlet
