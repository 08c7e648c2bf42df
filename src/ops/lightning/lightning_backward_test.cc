#include "ops/lightning/lightning_backward.h"

#include <algorithm>
#include <memory>

#include "ops/testing/gradient_check.h"
#include "ops/testing/guarded_buffer.h"
#include "ops/testing/isa_list.h"
#include "ops/testing/kv_data.h"
#include "ops/testing/tolerance.h"

namespace ringlet {
namespace {

using namespace ringlet::testing;

class LightningBackwardTest : public IsaTest {};

// From the steepest head of a 16-head layer to one that forgets nothing.
constexpr double kDecays[] = {-0.84, -0.01, 0.0};

// One document and what its gradients depend on.
struct Document {
  Document(int64_t head_count, int64_t dim, int64_t row_count, bool with_states, Rng* rng)
      : heads(head_count),
        d(dim),
        rows(row_count),
        q(NormalFloats(rng, rows * heads * d)),
        k(NormalFloats(rng, rows * heads * d)),
        v(NormalFloats(rng, rows * heads * d)),
        dout(NormalFloats(rng, rows * heads * d)),
        log_lambda(kDecays, kDecays + heads),
        decay(MakeDecayTable(log_lambda)),
        kv(layout(), rows) {
    if (with_states) {
      anchor = NormalFloats(rng, heads * d * d, 2.0);
      last = NormalFloats(rng, heads * d * d, 2.0);
    }
    Store();
  }
  // The same with every value replaced by its magnitude.
  Document Magnitudes() const {
    Document other = *this;
    for (auto* values : {&other.q, &other.k, &other.v, &other.dout, &other.anchor, &other.last}) {
      for (float& value : *values) value = std::abs(value);
    }
    other.Store();
    return other;
  }
  Document(const Document& other)
      : heads(other.heads),
        d(other.d),
        rows(other.rows),
        q(other.q),
        k(other.k),
        v(other.v),
        dout(other.dout),
        anchor(other.anchor),
        last(other.last),
        log_lambda(other.log_lambda),
        decay(other.decay),
        kv(layout(), rows) {
    Store();
  }

  KvLayout layout() const { return {KvType::kF32, heads, d}; }
  // Keys and values to the blocks.
  void Store() {
    for (int64_t i = 0; i < rows * heads * d; ++i) {
      kv.SetKey(i / (heads * d), i / d % heads, i % d, k[static_cast<size_t>(i)]);
      kv.SetValue(i / (heads * d), i / d % heads, i % d, v[static_cast<size_t>(i)]);
    }
  }
  LightningBackwardArgs args() const {
    return {layout(), static_cast<float>(1.0 / std::sqrt(static_cast<double>(d))), &decay, {}};
  }
  LightningBackwardFeed feed() const {
    LightningBackwardFeed feed;
    feed.q = q.data();
    feed.dout = dout.data();
    feed.rows = rows;
    feed.chunks = kv.blocks();
    feed.anchor = anchor.empty() ? nullptr : anchor.data();
    feed.last_gradient = last.empty() ? nullptr : last.data();
    return feed;
  }

  int64_t heads;
  int64_t d;
  int64_t rows;
  std::vector<float> q;
  std::vector<float> k;
  std::vector<float> v;
  std::vector<float> dout;
  std::vector<float> anchor;
  std::vector<float> last;
  std::vector<double> log_lambda;
  DecayTable decay;
  KvSequence kv;
};

struct Reference {
  explicit Reference(const Document& document)
      : dq(document.q.size()),
        dk(document.q.size()),
        dv(document.q.size()),
        danchor(static_cast<size_t>(document.heads * document.d * document.d)) {
    LightningBackwardRef(document.args(), document.feed(), document.log_lambda, dq.data(),
                         dk.data(), dv.data(), danchor.data());
  }
  std::vector<double> dq;
  std::vector<double> dk;
  std::vector<double> dv;
  std::vector<double> danchor;
};

struct Outcome {
  explicit Outcome(const Document& document)
      : dq(document.q.size(), 1),
        dk(document.q.size(), 2),
        dv(document.q.size(), 3),
        danchor(static_cast<size_t>(document.heads * document.d * document.d)) {}
  LightningBackwardFeed Into(LightningBackwardFeed feed) {
    feed.dq = dq.data();
    feed.dk = dk.data();
    feed.dv = dv.data();
    feed.danchor = danchor.data();
    return feed;
  }
  GuardedBuffer<float> dq;
  GuardedBuffer<float> dk;
  GuardedBuffer<float> dv;
  GuardedBuffer<float> danchor;
};

void RunOne(Context& context, const Document& document, Outcome* result) {
  const LightningBackwardFeed feed = result->Into(document.feed());
  LightningBackwardArgs args = document.args();
  args.feeds = std::span(&feed, 1);
  LightningBackward(context, args);
}

// As in the forward pass: products and powers, 64 additions and the decay for each chunk a term is
// carried through, the dot products; and the scaling of the last state's gradient.
std::vector<double> Bounds(const Document& document, const std::vector<double>& magnitudes) {
  const int64_t roundings = (document.rows / 64 + 2) * (64 + 2) + document.d + 64 + 14;
  std::vector<double> bounds;
  for (const double m : magnitudes) bounds.push_back(SumBound(roundings, m));
  return bounds;
}

TEST_P(LightningBackwardTest, MatchesReference) {
  Context context(isa(), 2);
  Rng rng(1);
  for (const int64_t d : {1, 5, 16, 24, 40}) {
    for (const int64_t rows : {1, 2, 15, 63, 64, 65, 127, 128, 150, 200}) {
      for (const bool states : {false, true}) {
        const Document document(3, d, rows, states, &rng);
        Outcome got(document);
        RunOne(context, document, &got);
        const Reference want(document);
        const Reference magnitudes(document.Magnitudes());
        const auto where = [&] {
          return "d " + std::to_string(d) + " rows " + std::to_string(rows) +
                 (states ? " with states" : "");
        };
        ASSERT_TRUE(Within(got.dq.span(), want.dq, Bounds(document, magnitudes.dq))) << where();
        ASSERT_TRUE(Within(got.dk.span(), want.dk, Bounds(document, magnitudes.dk))) << where();
        ASSERT_TRUE(Within(got.dv.span(), want.dv, Bounds(document, magnitudes.dv))) << where();
        ASSERT_TRUE(Within(got.danchor.span(), want.danchor, Bounds(document, magnitudes.danchor)))
            << where();
      }
    }
  }
}

TEST(LightningBackwardRefTest, AgreesWithFiniteDifferences) {
  Rng rng(2);
  Document document(2, 3, 70, true, &rng);
  for (auto* values : {&document.q, &document.k, &document.v, &document.anchor}) {
    *values = Coarse(*values);
  }
  document.Store();
  const Reference want(document);
  std::vector<double> out(document.q.size());
  std::vector<double> state(document.last.size());
  const auto loss = [&] {
    document.Store();
    LightningFeed feed;
    feed.q = document.q.data();
    feed.rows = document.rows;
    feed.chunks = document.kv.blocks();
    feed.anchor = document.anchor.data();
    const LightningBackwardArgs args = document.args();
    LightningRef({args.kv, args.scale, args.decay, {}}, feed, document.log_lambda, out.data(),
                 state.data());
    return Inner(document.dout, out) + Inner(document.last, state);
  };
  EXPECT_TRUE(MatchesDifferences(document.q, want.dq, loss));
  EXPECT_TRUE(MatchesDifferences(document.k, want.dk, loss));
  EXPECT_TRUE(MatchesDifferences(document.v, want.dv, loss));
  EXPECT_TRUE(MatchesDifferences(document.anchor, want.danchor, loss));
}

// Documents in any order and company, on any number of threads, have the same gradients.
TEST_P(LightningBackwardTest, NeighboursAndThreadsChangeNothing) {
  Rng rng(3);
  std::vector<std::unique_ptr<Document>> documents;
  for (const int64_t rows : {70, 1, 64, 200, 33}) {
    documents.push_back(std::make_unique<Document>(3, 20, rows, rows == 64, &rng));
  }
  std::vector<std::unique_ptr<Outcome>> alone;
  Context one(isa(), 1);
  for (const auto& document : documents) {
    alone.push_back(std::make_unique<Outcome>(*document));
    RunOne(one, *document, alone.back().get());
  }
  for (int threads = 1; threads <= 4; ++threads) {
    Context context(isa(), threads);
    std::rotate(documents.begin(), documents.begin() + 2, documents.end());
    std::rotate(alone.begin(), alone.begin() + 2, alone.end());
    std::vector<std::unique_ptr<Outcome>> results;
    std::vector<LightningBackwardFeed> feeds;
    for (const auto& document : documents) {
      results.push_back(std::make_unique<Outcome>(*document));
      feeds.push_back(results.back()->Into(document->feed()));
    }
    LightningBackwardArgs args = documents[0]->args();
    args.feeds = feeds;
    LightningBackward(context, args);
    for (size_t i = 0; i < documents.size(); ++i) {
      const Outcome& a = *alone[i];
      const Outcome& b = *results[i];
      ASSERT_TRUE(SameBits<float>(a.dq.span(), b.dq.span()));
      ASSERT_TRUE(SameBits<float>(a.dk.span(), b.dk.span()));
      ASSERT_TRUE(SameBits<float>(a.dv.span(), b.dv.span()));
      ASSERT_TRUE(SameBits<float>(a.danchor.span(), b.danchor.span()));
    }
  }
}

// A document in two parts, joined by its state and the state's gradient, has the gradients of the
// whole.
TEST_P(LightningBackwardTest, PartsJoinedByTheirStates) {
  Rng rng(4);
  Context context(isa(), 1);
  const Document whole(2, 16, 150, true, &rng);
  const int64_t cut = 128;
  const auto width = static_cast<size_t>(whole.heads * whole.d);
  Outcome got(whole);
  LightningFeed forward;
  std::vector<float> out(whole.q.size());
  std::vector<float> state(whole.anchor.size());
  forward.q = whole.q.data();
  forward.out = out.data();
  forward.rows = cut;
  forward.chunks = whole.kv.blocks();
  forward.anchor = whole.anchor.data();
  forward.next_anchor = state.data();
  LightningBackwardArgs args = whole.args();
  Lightning(context, {args.kv, args.scale, args.decay, std::span(&forward, 1)});

  LightningBackwardFeed second = got.Into(whole.feed());
  second.q += cut * static_cast<int64_t>(width);
  second.dout += cut * static_cast<int64_t>(width);
  second.dq += cut * static_cast<int64_t>(width);
  second.dk += cut * static_cast<int64_t>(width);
  second.dv += cut * static_cast<int64_t>(width);
  second.rows -= cut;
  second.chunks += cut / 64;
  second.anchor = state.data();
  std::vector<float> joint(state.size());
  second.danchor = joint.data();
  args.feeds = std::span(&second, 1);
  LightningBackward(context, args);
  LightningBackwardFeed first = got.Into(whole.feed());
  first.rows = cut;
  first.last_gradient = joint.data();
  args.feeds = std::span(&first, 1);
  LightningBackward(context, args);

  const Reference exact(whole);
  const Reference magnitudes(whole.Magnitudes());
  ASSERT_TRUE(Within(got.dq.span(), exact.dq, Bounds(whole, magnitudes.dq)));
  ASSERT_TRUE(Within(got.dk.span(), exact.dk, Bounds(whole, magnitudes.dk)));
  ASSERT_TRUE(Within(got.dv.span(), exact.dv, Bounds(whole, magnitudes.dv)));
  ASSERT_TRUE(Within(got.danchor.span(), exact.danchor, Bounds(whole, magnitudes.danchor)));
}

RINGLET_INSTANTIATE_ISAS(LightningBackwardTest);

}  // namespace
}  // namespace ringlet
