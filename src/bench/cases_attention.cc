// Softmax attention over keys and values in BF16 and INT8, and the split that stores them.
#include <cmath>

#include <fmt/format.h>

#include "bench/case_data.h"
#include "bench/op_cases.h"
#include "bench/work.h"
#include "ops/attention/attention.h"
#include "ops/qkv/qkv.h"

namespace ringlet {
namespace {

// Those that a model may choose, its own among them.
std::vector<KvType> KvTypes(KvType own) {
  std::vector<KvType> types = {KvType::kBf16, KvType::kInt8};
  if (own == KvType::kF32) types.push_back(own);
  return types;
}

int64_t BlockCount(int64_t length) { return (length + kBlockPositions - 1) / kBlockPositions; }

struct AttentionData {
  std::shared_ptr<RandomBlocks> blocks;
  std::vector<std::vector<const std::byte*>> tables;  // a sequence each
  std::vector<float> q;
  std::vector<float> out;
  std::vector<AttentionRow> rows;
  size_t next = 0;
};

// `rows` new rows of one sequence that is `depth` positions long before them.
OpCase AttentionCase(const SoftmaxShape& shape, KvType type, int64_t depth, int64_t rows,
                     double per_token, int64_t set) {
  KvLayout kv = shape.kv;
  kv.type = type;
  const int64_t width = shape.heads * kv.head_dim;
  const int64_t length = depth + rows;
  const double bytes =
      static_cast<double>(kv.block_bytes()) / kBlockPositions * static_cast<double>(length);
  OpCase op;
  op.op = fmt::format("attention {}", KvTypeName(type));
  op.shape = fmt::format("at {}, {}", depth, Rows(rows));
  op.work.bytes = bytes;
  const double mean = static_cast<double>(depth) + 0.5 * static_cast<double>(rows + 1);
  AddAttentionOps(type, 4.0 * static_cast<double>(width * rows) * mean, &op.work);
  op.per_token = per_token;
  op.make = [=](Context& context) {
    auto data = std::make_shared<AttentionData>();
    const int64_t count = BlockCount(length);
    const int64_t copies = CopiesOf(bytes, set);
    data->blocks = std::make_shared<RandomBlocks>(context, kv, copies * count);
    for (int64_t i = 0; i < copies; ++i) {
      data->tables.push_back(data->blocks->Pointers(i * count, count));
    }
    Rng rng(1);
    data->q = RandomFloats(&rng, rows * width);
    data->out.resize(data->q.size());
    for (int64_t i = 0; i < rows; ++i) {
      data->rows.push_back(
          {data->q.data() + i * width, data->out.data() + i * width, nullptr, depth + i + 1});
    }
    const auto scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(kv.head_dim)));
    return OpRun{[&context, data, kv, scale, heads = shape.heads] {
                   for (AttentionRow& row : data->rows) {
                     row.blocks = data->tables[data->next].data();
                   }
                   Attention(context,
                             {.heads = heads, .kv = kv, .scale = scale, .rows = data->rows});
                   data->next = (data->next + 1) % data->tables.size();
                 },
                 {}};
  };
  return op;
}

struct QkvData {
  std::vector<float> qkv;
  std::vector<float> q;
  std::vector<float> cos_sin;
  std::vector<float> norm;
  std::shared_ptr<RandomBlocks> blocks;
  std::vector<std::vector<QkvRow>> rows;  // of each copy
  size_t next = 0;
};

OpCase QkvCase(const std::string& name, int64_t heads, const KvLayout& kv, int64_t rotary_dim,
               int64_t rows, double per_token, int64_t set) {
  const int64_t width = (heads + 2 * kv.kv_heads) * kv.head_dim;
  const int64_t q_width = heads * kv.head_dim;
  const bool cached = rows < 64;
  const double bytes = static_cast<double>(rows) * (4.0 * static_cast<double>(width + q_width) +
                                                    static_cast<double>(kv.block_bytes()) /
                                                        static_cast<double>(kBlockPositions));
  OpCase op;
  op.op = "qkv split";
  op.shape = fmt::format("{}, {}", name, Rows(rows));
  if (!cached) op.work.bytes = bytes;
  op.per_token = per_token;
  op.make = [=](Context& context) {
    auto data = std::make_shared<QkvData>();
    const int64_t copies = cached ? 1 : CopiesOf(bytes, set);
    Rng rng(1);
    data->qkv = RandomFloats(&rng, rows * width);
    const std::vector<float> one = data->qkv;
    for (int64_t i = 1; i < copies; ++i) {
      data->qkv.insert(data->qkv.end(), one.begin(), one.end());
    }
    data->q.resize(static_cast<size_t>(copies * rows * q_width));
    data->cos_sin.assign(static_cast<size_t>(rotary_dim), 0.7f);
    data->norm.assign(static_cast<size_t>(kv.head_dim), 1.0f);
    const int64_t blocks = BlockCount(rows);
    data->blocks = std::make_shared<RandomBlocks>(context, kv, copies * blocks);
    for (int64_t i = 0; i < copies * rows; ++i) {
      if (i % rows == 0) data->rows.emplace_back();
      const int64_t slot = i % rows;
      data->rows.back().push_back({data->qkv.data() + i * width, data->q.data() + i * q_width,
                                   data->blocks->block(i / rows * blocks + slot / kBlockPositions),
                                   slot % kBlockPositions, data->cos_sin.data()});
    }
    return OpRun{[&context, data, heads, kv, rotary_dim] {
                   QkvSplit(context, {.heads = heads,
                                      .kv = kv,
                                      .rotary_dim = rotary_dim,
                                      .q_norm = data->norm.data(),
                                      .k_norm = data->norm.data(),
                                      .rows = data->rows[data->next]});
                   data->next = (data->next + 1) % data->rows.size();
                 },
                 {}};
  };
  return op;
}

}  // namespace

void AddQkvCases(const ModelShapes& shapes, const OpCaseOptions& options,
                 std::vector<OpCase>* cases) {
  if (const SoftmaxShape& s = shapes.softmax; s.layers > 0) {
    for (const KvType type : KvTypes(s.kv.type)) {
      KvLayout kv = s.kv;
      kv.type = type;
      const std::string name = fmt::format("softmax {}", KvTypeName(type));
      const double per_token = type == s.kv.type ? static_cast<double>(s.layers) : 0;
      cases->push_back(QkvCase(name, s.heads, kv, s.rotary_dim, 1, per_token, options.working_set));
      cases->push_back(
          QkvCase(name, s.heads, kv, s.rotary_dim, options.prefill_rows, 0, options.working_set));
    }
  }
  if (const LightningShape& s = shapes.lightning; s.layers > 0) {
    const auto layers = static_cast<double>(s.layers);
    cases->push_back(
        QkvCase("lightning", s.heads, s.kv, s.rotary_dim, 1, layers, options.working_set));
    cases->push_back(QkvCase("lightning", s.heads, s.kv, s.rotary_dim, options.prefill_rows, 0,
                             options.working_set));
  }
}

void AddAttentionCases(const ModelShapes& shapes, const OpCaseOptions& options,
                       std::vector<OpCase>* cases) {
  const SoftmaxShape& softmax = shapes.softmax;
  if (softmax.layers == 0) return;
  for (const KvType type : KvTypes(softmax.kv.type)) {
    for (const int64_t depth : options.depths) {
      const bool own = type == softmax.kv.type && depth == options.depths[0];
      cases->push_back(AttentionCase(softmax, type, depth, 1,
                                     own ? static_cast<double>(softmax.layers) : 0,
                                     options.working_set));
    }
    std::vector<int64_t> before = {0};
    for (const int64_t depth : options.depths) {
      if (depth <= 16384) before.push_back(depth);
    }
    for (const int64_t depth : before) {
      cases->push_back(
          AttentionCase(softmax, type, depth, options.prefill_rows, 0, options.working_set));
    }
  }
}

}  // namespace ringlet
