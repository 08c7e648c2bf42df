#include "ops/lightning/lightning.h"

#include <limits>

#include "base/sanitizer.h"
#include "ops/kv_access.h"
#include "ops/testing/guarded_buffer.h"
#include "ops/testing/isa_list.h"
#include "ops/testing/kv_data.h"
#include "ops/testing/tolerance.h"

namespace ringlet {
namespace {

using namespace ringlet::testing;

class LightningTest : public IsaTest {};

// From the steepest head of a 16-head layer to one that forgets nearly nothing.
std::vector<double> Decays(int64_t heads) {
  const std::vector<double> all = {-0.84, -1e-5, -0.05, 0.0, -0.3, -1e-3};
  return {all.begin(), all.begin() + heads};
}

// One sequence: queries, keys and values of all positions, and the anchor before position 0.
struct Sequence {
  Sequence(KvType type, int64_t heads, int64_t d, int64_t length, bool with_anchor, Rng* rng)
      : layout{type, heads, d},
        rows(length),
        kv(layout, length),
        q(NormalFloats(rng, length * heads * d)),
        log_lambda(Decays(heads)),
        decay(MakeDecayTable(log_lambda)) {
    kv.FillNormal(rng, length);
    if (with_anchor) anchor = NormalFloats(rng, heads * d * d, 3.0);
  }
  LightningArgs args() const {
    const auto d = static_cast<double>(layout.head_dim);
    return {layout, static_cast<float>(1.0 / std::sqrt(d)), &decay, {}};
  }
  int64_t width() const { return layout.kv_heads * layout.head_dim; }
  size_t state_size() const { return static_cast<size_t>(width() * layout.head_dim); }

  KvLayout layout;
  int64_t rows;
  KvSequence kv;
  std::vector<float> q;
  std::vector<float> anchor;
  std::vector<double> log_lambda;
  DecayTable decay;
};

// The recurrence on magnitudes: what rounding errors are relative to. out [rows, H, D], state
// [H, D, D] at the end of the last complete chunk.
void Magnitudes(const Sequence& sequence, std::vector<double>* out, std::vector<double>* state) {
  const int64_t d = sequence.layout.head_dim;
  const int64_t heads = sequence.layout.kv_heads;
  const double scale = sequence.args().scale;
  out->assign(sequence.q.size(), 0.0);
  state->assign(sequence.state_size(), 0.0);
  std::vector<double> s(sequence.state_size(), 0.0);
  for (size_t i = 0; i < sequence.anchor.size(); ++i) s[i] = std::abs(sequence.anchor[i]);
  for (int64_t t = 0; t < sequence.rows; ++t) {
    const std::byte* block = sequence.kv.blocks()[t / 64];
    for (int64_t h = 0; h < heads; ++h) {
      const double lambda = std::exp(sequence.log_lambda[static_cast<size_t>(h)]);
      for (int64_t i = 0; i < d; ++i) {
        const double key = std::abs(KeyAt(sequence.layout, block, h, t % 64, i));
        const double query = std::abs(sequence.q[static_cast<size_t>((t * heads + h) * d + i)]);
        for (int64_t c = 0; c < d; ++c) {
          double& value = s[static_cast<size_t>((h * d + i) * d + c)];
          value = lambda * value + key * std::abs(ValueAt(sequence.layout, block, h, t % 64, c));
          (*out)[static_cast<size_t>((t * heads + h) * d + c)] += scale * query * value;
        }
      }
    }
    if (t % 64 == 63) *state = s;
  }
}

// Every term of an output or a state passes at most: its products and powers, 64 additions for each
// chunk it is carried through (the decayed state is an addend as well), and the final dot product.
int64_t Roundings(const Sequence& sequence) {
  return (sequence.rows / 64 + 1) * (64 + 2) + sequence.layout.head_dim + 64 + 8;
}

std::vector<double> BoundsOf(const Sequence& sequence, const std::vector<double>& magnitudes) {
  std::vector<double> bounds;
  for (const double m : magnitudes) bounds.push_back(SumBound(Roundings(sequence), m));
  return bounds;
}

struct Outcome {
  std::vector<float> out;
  std::vector<float> state;  // after the last complete chunk; the first anchor when there is none
};

// Feeds the sequence in pieces of the given sizes, as an engine does.
Outcome RunInPieces(Context& context, const Sequence& sequence, const std::vector<int64_t>& pieces,
                    bool in_place) {
  GuardedBuffer<float> out(sequence.q.size(), 1);
  GuardedBuffer<float> first(sequence.state_size());
  GuardedBuffer<float> second(sequence.state_size());
  float* anchor = nullptr;
  float* spare = first.data();
  if (!sequence.anchor.empty()) {
    std::copy(sequence.anchor.begin(), sequence.anchor.end(), first.data());
    anchor = first.data();
    spare = second.data();
  }
  int64_t position = 0;
  for (const int64_t rows : pieces) {
    LightningFeed feed;
    feed.q = sequence.q.data() + position * sequence.width();
    feed.out = out.data() + position * sequence.width();
    feed.rows = rows;
    feed.first_slot = position % 64;
    feed.chunks = sequence.kv.blocks() + position / 64;
    feed.anchor = anchor;
    feed.next_anchor = in_place && anchor != nullptr ? anchor : spare;
    LightningArgs args = sequence.args();
    args.feeds = std::span(&feed, 1);
    Lightning(context, args);
    position += rows;
    if (feed.first_slot + rows >= 64 && feed.next_anchor != anchor) {
      spare = anchor == nullptr ? second.data() : anchor;
      anchor = feed.next_anchor;
    }
  }
  EXPECT_EQ(position, sequence.rows);
  Outcome outcome;
  outcome.out.assign(out.data(), out.data() + out.size());
  if (anchor != nullptr) outcome.state.assign(anchor, anchor + sequence.state_size());
  return outcome;
}

void CheckAgainstReference(Context& context, const Sequence& sequence) {
  const Outcome got = RunInPieces(context, sequence, {sequence.rows}, false);
  std::vector<double> want(sequence.q.size());
  std::vector<double> state(sequence.state_size());
  LightningFeed feed;
  feed.q = sequence.q.data();
  feed.rows = sequence.rows;
  feed.chunks = sequence.kv.blocks();
  feed.anchor = sequence.anchor.empty() ? nullptr : sequence.anchor.data();
  LightningRef(sequence.args(), feed, sequence.log_lambda, want.data(), state.data());
  std::vector<double> magnitudes;
  std::vector<double> state_magnitudes;
  Magnitudes(sequence, &magnitudes, &state_magnitudes);
  ASSERT_TRUE(Within(got.out, want, BoundsOf(sequence, magnitudes)));
  if (sequence.rows < 64) return;
  // The anchor is the state after the last complete chunk.
  feed.rows = sequence.rows / 64 * 64;
  LightningRef(sequence.args(), feed, sequence.log_lambda, want.data(), state.data());
  ASSERT_TRUE(Within(got.state, state, BoundsOf(sequence, state_magnitudes)));
}

TEST_P(LightningTest, MatchesTheRecurrence) {
  Context context(isa(), 2);
  Rng rng(1);
  for (const KvType type : {KvType::kF32}) {
    for (const int64_t d : {24, 64, 128}) {
      for (const int64_t length : {1, 7, 63, 64, 65, 200}) {
        if (kSanitized && d * length > 10000) continue;
        for (const bool with_anchor : {false, true}) {
          const Sequence sequence(type, d == 24 ? 6 : 3, d, length, with_anchor, &rng);
          ASSERT_NO_FATAL_FAILURE(CheckAgainstReference(context, sequence))
              << "d " << d << " length " << length << " anchor " << with_anchor;
        }
      }
    }
  }
}

TEST_P(LightningTest, MatchesTheRecurrenceOverManyChunks) {
  Context context(isa(), 1);
  Rng rng(2);
  const Sequence sequence(KvType::kF32, 4, 24, 1000, true, &rng);
  CheckAgainstReference(context, sequence);
}

// The same bytes for the whole sequence at once and for any split, in place or not, on any number
// of threads.
TEST_P(LightningTest, AnySplitGivesTheSameBytes) {
  Rng rng(3);
  for (const bool with_anchor : {false, true}) {
    const Sequence sequence(KvType::kF32, 3, 40, 300, with_anchor, &rng);
    Context one(isa(), 1);
    const Outcome whole = RunInPieces(one, sequence, {300}, false);
    for (int threads = 1; threads <= 4; ++threads) {
      Context context(isa(), threads);
      for (int trial = 0; trial < (kSanitized ? 3 : 12); ++trial) {
        std::vector<int64_t> pieces;
        const int64_t largest = trial == 0 ? 1 : Between(&rng, 2, 150);
        for (int64_t left = 300; left > 0; left -= pieces.back()) {
          pieces.push_back(std::min(left, Between(&rng, 1, largest)));
        }
        const Outcome split = RunInPieces(context, sequence, pieces, trial % 2 == 0);
        ASSERT_TRUE(SameBits(whole.out, split.out)) << "trial " << trial;
        ASSERT_TRUE(SameBits(whole.state, split.state)) << "trial " << trial;
      }
    }
  }
}

// Feeds of several sequences in one call give what each gives alone.
TEST_P(LightningTest, FeedsAreIndependent) {
  Rng rng(4);
  std::vector<Sequence> sequences;
  for (const int64_t length : {1, 64, 150, 63, 129}) {
    sequences.emplace_back(KvType::kF32, 2, 24, length, length % 2 == 0, &rng);
  }
  Context context(isa(), 3);
  std::vector<LightningFeed> feeds;
  std::vector<std::vector<float>> outs;
  std::vector<std::vector<float>> states;
  for (const Sequence& sequence : sequences) {
    outs.emplace_back(sequence.q.size());
    states.emplace_back(sequence.state_size());
    feeds.push_back({.q = sequence.q.data(),
                     .out = outs.back().data(),
                     .rows = sequence.rows,
                     .first_slot = 0,
                     .chunks = sequence.kv.blocks(),
                     .anchor = sequence.anchor.empty() ? nullptr : sequence.anchor.data(),
                     .next_anchor = states.back().data()});
  }
  LightningArgs args = sequences[0].args();
  args.feeds = feeds;
  Lightning(context, args);
  for (size_t i = 0; i < sequences.size(); ++i) {
    const Outcome alone = RunInPieces(context, sequences[i], {sequences[i].rows}, false);
    ASSERT_TRUE(SameBits(alone.out, outs[i])) << "sequence " << i;
    if (sequences[i].rows >= 64) {
      ASSERT_TRUE(SameBits(alone.state, states[i])) << "sequence " << i;
    }
  }
}

// Slots after the last row may hold anything; a row does not see later rows; an incomplete chunk
// leaves next_anchor alone.
TEST_P(LightningTest, LaterSlotsDoNotMatter) {
  Context context(isa(), 1);
  Rng rng(5);
  Sequence sequence(KvType::kF32, 2, 24, 100, true, &rng);
  const Outcome clean = RunInPieces(context, sequence, {100}, false);
  for (int64_t position = 90; position < 100; ++position) {
    sequence.kv.SetKey(position, 0, 3, std::numeric_limits<float>::quiet_NaN());
    sequence.kv.SetValue(position, 1, 3, std::numeric_limits<float>::infinity());
  }
  const Outcome dirty = RunInPieces(context, sequence, {100}, false);
  const auto before = static_cast<size_t>(90 * sequence.width());
  ASSERT_TRUE(SameBits(std::span<const float>(clean.out).first(before),
                       std::span<const float>(dirty.out).first(before)));
  ASSERT_TRUE(SameBits(clean.state, dirty.state));

  GuardedBuffer<float> next(sequence.state_size());
  std::vector<float> out(sequence.q.size());
  const LightningFeed feed{.q = sequence.q.data(),
                           .out = out.data(),
                           .rows = 63,
                           .first_slot = 0,
                           .chunks = sequence.kv.blocks(),
                           .anchor = nullptr,
                           .next_anchor = next.data()};
  LightningArgs args = sequence.args();
  args.feeds = std::span(&feed, 1);
  Lightning(context, args);
  for (const float value : next.span()) ASSERT_TRUE(std::isnan(value));
}

RINGLET_INSTANTIATE_ISAS(LightningTest);

TEST(DecayTableTest, PowersAreRoundedOnce) {
  const std::vector<double> log_lambda = {-0.84, 0.0, -1e-5};
  const DecayTable table = MakeDecayTable(log_lambda);
  for (size_t h = 0; h < log_lambda.size(); ++h) {
    const float* powers = table.head(static_cast<int64_t>(h));
    for (int i = 0; i <= 64; ++i) {
      const double exact = std::exp(log_lambda[h] * i);
      EXPECT_LE(std::abs(powers[i] - exact), exact * kF32Round * 1.0001) << h << " " << i;
    }
    EXPECT_EQ(powers[0], 1.0f);
  }
}

}  // namespace
}  // namespace ringlet
