#include "ops/attention/attention_backward.h"

#include <algorithm>
#include <memory>

#include "ops/attention/attention.h"
#include "ops/kv_access.h"
#include "ops/testing/gradient_check.h"
#include "ops/testing/guarded_buffer.h"
#include "ops/testing/isa_list.h"
#include "ops/testing/kv_data.h"
#include "ops/testing/tolerance.h"

namespace ringlet {
namespace {

using namespace ringlet::testing;

class AttentionBackwardTest : public IsaTest {};

struct Document {
  Document(KvType type, int64_t head_count, int64_t kv_heads, int64_t d, int64_t row_count,
           double scale, Rng* rng)
      : heads(head_count),
        rows(row_count),
        layout{type, kv_heads, d},
        q(NormalFloats(rng, rows * heads * d, scale)),
        dout(NormalFloats(rng, rows * heads * d)),
        kv(layout, rows) {
    kv.FillNormal(rng, rows);
  }
  AttentionBackwardArgs args() const {
    return {heads,
            layout,
            static_cast<float>(1.0 / std::sqrt(static_cast<double>(layout.head_dim))),
            {}};
  }
  double Key(int64_t j, int64_t kv_head, int64_t c) const {
    return KeyAt(layout, kv.blocks()[j / 64], kv_head, j % 64, c);
  }
  double Value(int64_t j, int64_t kv_head, int64_t c) const {
    return ValueAt(layout, kv.blocks()[j / 64], kv_head, j % 64, c);
  }
  size_t kv_size() const { return static_cast<size_t>(rows * layout.kv_heads * layout.head_dim); }

  int64_t heads;
  int64_t rows;
  KvLayout layout;
  std::vector<float> q;
  std::vector<float> dout;
  KvSequence kv;
};

struct Doubles {
  explicit Doubles(const Document& document)
      : dq(document.q.size()), dk(document.kv_size()), dv(document.kv_size()) {}
  std::vector<double> dq;
  std::vector<double> dk;
  std::vector<double> dv;
};

Doubles Reference(const Document& document) {
  Doubles want(document);
  AttentionBackwardFeed feed;
  feed.q = document.q.data();
  feed.dout = document.dout.data();
  feed.rows = document.rows;
  feed.blocks = document.kv.blocks();
  AttentionBackwardRef(document.args(), feed, want.dq.data(), want.dk.data(), want.dv.data());
  return want;
}

// What rounding can do. A probability is off by a factor of 1 + e: twice the error of the scores
// (here and in the log-sum-exp), the rounding of both, and two exponentials (2^-22 each). The inner
// products g.v and g.out have magnitudes m; out has the error of its probabilities. The rest are
// sums over d, positions or rows.
struct RowErrors {
  std::vector<double> p;
  std::vector<double> products;  // of g.v
  double out_product = 0;        // sum of p g.v magnitudes
  double factor = 0;
};

RowErrors ErrorsOfRow(const Document& t, int64_t head, int64_t i) {
  const int64_t d = t.layout.head_dim;
  const int64_t kv_head = head * t.layout.kv_heads / t.heads;
  const auto at = static_cast<size_t>((i * t.heads + head) * d);
  const double scale = t.args().scale;
  RowErrors row;
  double largest = -HUGE_VAL;
  double magnitude = 0;
  for (int64_t j = 0; j <= i; ++j) {
    double score = 0;
    double absolute = 0;
    double product = 0;
    for (int64_t c = 0; c < d; ++c) {
      const double term = scale * t.q[at + static_cast<size_t>(c)] * t.Key(j, kv_head, c);
      score += term;
      absolute += std::abs(term);
      product += std::abs(t.dout[at + static_cast<size_t>(c)] * t.Value(j, kv_head, c));
    }
    row.p.push_back(score);
    row.products.push_back(product);
    largest = std::max(largest, score);
    magnitude = std::max(magnitude, absolute);
  }
  double sum = 0;
  for (double& p : row.p) sum += p = std::exp(p - largest);
  for (size_t j = 0; j < row.p.size(); ++j) {
    row.p[j] /= sum;
    row.out_product += row.p[j] * row.products[j];
  }
  const double e = 4 * DotBound(d + 4, magnitude) +
                   8 * kF32Round * (std::abs(largest) + std::log(sum)) + 0x1p-20;
  row.factor = 3 * e + SumBound(2 * d + i + 40, 1.0);
  return row;
}

Doubles Bounds(const Document& t) {
  const int64_t d = t.layout.head_dim;
  Doubles bounds(t);
  const double sums = SumBound(t.rows * t.heads / t.layout.kv_heads + 8, 1.0);
  for (int64_t head = 0; head < t.heads; ++head) {
    const int64_t kv_head = head * t.layout.kv_heads / t.heads;
    for (int64_t i = 0; i < t.rows; ++i) {
      const RowErrors row = ErrorsOfRow(t, head, i);
      for (int64_t j = 0; j <= i; ++j) {
        const double p = row.p[static_cast<size_t>(j)] * (row.factor + sums);
        const double ds =
            p * t.args().scale * (row.products[static_cast<size_t>(j)] + row.out_product);
        for (int64_t c = 0; c < d; ++c) {
          const auto at = static_cast<size_t>((i * t.heads + head) * d + c);
          const auto to = static_cast<size_t>((j * t.layout.kv_heads + kv_head) * d + c);
          bounds.dq[at] += ds * std::abs(t.Key(j, kv_head, c)) + 1e-35;
          bounds.dk[to] += ds * std::abs(t.q[at]) + 1e-35;
          bounds.dv[to] += p * std::abs(t.dout[at]) + 1e-35;
        }
      }
    }
  }
  return bounds;
}

// Forward, then backward.
struct Outcome {
  explicit Outcome(const Document& document)
      : out(document.q.size()),
        lse(static_cast<size_t>(document.rows * document.heads), 1),
        dq(document.q.size(), 1),
        dk(document.kv_size(), 2),
        dv(document.kv_size(), 3) {}

  AttentionBackwardFeed Forward(Context& context, const Document& document) {
    const int64_t width = document.heads * document.layout.head_dim;
    std::vector<AttentionRow> rows;
    for (int64_t i = 0; i < document.rows; ++i) {
      rows.push_back({document.q.data() + i * width, out.data() + i * width, document.kv.blocks(),
                      i + 1, lse.data() + i * document.heads});
    }
    const AttentionBackwardArgs args = document.args();
    Attention(context, {args.heads, args.kv, args.scale, rows});
    return {document.q.data(), out.data(),           lse.data(), document.dout.data(),
            document.rows,     document.kv.blocks(), dq.data(),  dk.data(),
            dv.data()};
  }
  void Both(Context& context, const Document& document) {
    const AttentionBackwardFeed feed = Forward(context, document);
    AttentionBackwardArgs args = document.args();
    args.feeds = std::span(&feed, 1);
    AttentionBackward(context, args);
  }

  std::vector<float> out;
  GuardedBuffer<float> lse;
  GuardedBuffer<float> dq;
  GuardedBuffer<float> dk;
  GuardedBuffer<float> dv;
};

TEST_P(AttentionBackwardTest, MatchesReference) {
  Context context(isa(), 2);
  Rng rng(1);
  const int64_t shapes[][3] = {{1, 1, 1}, {4, 2, 5}, {6, 2, 24}, {2, 1, 33}};
  for (const auto& [heads, kv_heads, d] : shapes) {
    for (const int64_t rows : {1, 17, 64, 130}) {
      for (const KvType type : {KvType::kF32, KvType::kBf16}) {
        const Document document(type, heads, kv_heads, d, rows, 2.0, &rng);
        Outcome run(document);
        run.Both(context, document);
        const Doubles want = Reference(document);
        const Doubles bounds = Bounds(document);
        const auto where = [&, h = heads, dim = d] {
          return std::string(KvTypeName(type)) + " heads " + std::to_string(h) + " d " +
                 std::to_string(dim) + " rows " + std::to_string(rows);
        };
        ASSERT_TRUE(Within(run.dq.span(), want.dq, bounds.dq)) << where();
        ASSERT_TRUE(Within(run.dk.span(), want.dk, bounds.dk)) << where();
        ASSERT_TRUE(Within(run.dv.span(), want.dv, bounds.dv)) << where();
      }
    }
  }
}

TEST(AttentionBackwardRefTest, AgreesWithFiniteDifferences) {
  Rng rng(2);
  const int64_t d = 4;
  Document document(KvType::kF32, 4, 2, d, 7, 1.0, &rng);
  document.q = Coarse(document.q);
  std::vector<float> k = Coarse(NormalFloats(&rng, 7 * 2 * d));
  std::vector<float> v = Coarse(NormalFloats(&rng, 7 * 2 * d));
  std::vector<double> out(document.q.size());
  const auto loss = [&] {
    for (int64_t i = 0; i < 7 * 2 * d; ++i) {
      document.kv.SetKey(i / (2 * d), i / d % 2, i % d, k[static_cast<size_t>(i)]);
      document.kv.SetValue(i / (2 * d), i / d % 2, i % d, v[static_cast<size_t>(i)]);
    }
    const AttentionBackwardArgs args = document.args();
    for (int64_t i = 0; i < 7; ++i) {
      AttentionRow row;
      row.q = document.q.data() + i * 4 * d;
      row.blocks = document.kv.blocks();
      row.length = i + 1;
      AttentionRef({args.heads, args.kv, args.scale, {}}, row, out.data() + i * 4 * d);
    }
    return Inner(document.dout, out);
  };
  loss();
  const Doubles want = Reference(document);
  EXPECT_TRUE(MatchesDifferences(document.q, want.dq, loss));
  EXPECT_TRUE(MatchesDifferences(k, want.dk, loss));
  EXPECT_TRUE(MatchesDifferences(v, want.dv, loss));
}

// The log-sum-exp of the forward pass, over several of its splits and with the splits on threads of
// their own.
TEST_P(AttentionBackwardTest, LogSumExp) {
  Rng rng(3);
  const int64_t length = 2500;
  KvSequence kv({KvType::kF32, 1, 8}, length);
  kv.FillNormal(&rng, length);
  const std::vector<float> q = NormalFloats(&rng, 16, 3.0);
  double want[2];
  for (int64_t h = 0; h < 2; ++h) {
    double sum = 0;
    for (int64_t j = 0; j < length; ++j) {
      double score = 0;
      for (int64_t c = 0; c < 8; ++c) {
        score += 0.5 * q[static_cast<size_t>(h * 8 + c)] *
                 KeyAt({KvType::kF32, 1, 8}, kv.blocks()[j / 64], 0, j % 64, c);
      }
      sum += std::exp(score);
    }
    want[h] = std::log(sum);
  }
  for (int threads = 1; threads <= 2; ++threads) {
    Context context(isa(), threads);
    std::vector<float> out(16);
    float lse[2] = {0.0f, 0.0f};
    const AttentionRow row{q.data(), out.data(), kv.blocks(), length, lse};
    Attention(context, {2, {KvType::kF32, 1, 8}, 0.5f, std::span(&row, 1)});
    for (int h = 0; h < 2; ++h) EXPECT_NEAR(lse[h], want[h], 1e-5 * std::abs(want[h]));
  }
}

// Documents in any order and company, on any number of threads, have the same gradients.
TEST_P(AttentionBackwardTest, NeighboursAndThreadsChangeNothing) {
  Rng rng(4);
  std::vector<std::unique_ptr<Document>> documents;
  std::vector<std::unique_ptr<Outcome>> alone;
  Context one(isa(), 1);
  for (const int64_t rows : {70, 1, 64, 200}) {
    documents.push_back(std::make_unique<Document>(KvType::kBf16, 6, 2, 20, rows, 1.0, &rng));
    alone.push_back(std::make_unique<Outcome>(*documents.back()));
    alone.back()->Both(one, *documents.back());
  }
  for (int threads = 1; threads <= 4; ++threads) {
    Context context(isa(), threads);
    std::rotate(documents.begin(), documents.begin() + 1, documents.end());
    std::rotate(alone.begin(), alone.begin() + 1, alone.end());
    std::vector<std::unique_ptr<Outcome>> runs;
    std::vector<AttentionBackwardFeed> feeds;
    for (const auto& document : documents) {
      runs.push_back(std::make_unique<Outcome>(*document));
      feeds.push_back(runs.back()->Forward(context, *document));
    }
    AttentionBackwardArgs args = documents[0]->args();
    args.feeds = feeds;
    AttentionBackward(context, args);
    for (size_t i = 0; i < documents.size(); ++i) {
      ASSERT_TRUE(SameBits<float>(alone[i]->dq.span(), runs[i]->dq.span()));
      ASSERT_TRUE(SameBits<float>(alone[i]->dk.span(), runs[i]->dk.span()));
      ASSERT_TRUE(SameBits<float>(alone[i]->dv.span(), runs[i]->dv.span()));
    }
  }
}

RINGLET_INSTANTIATE_ISAS(AttentionBackwardTest);

}  // namespace
}  // namespace ringlet
