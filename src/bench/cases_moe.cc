// The grouped products of a mixture of experts: routed and shared experts in one parallel region,
// as the model runs them (nn/feed_forward.cc), rows gathered by a random choice of experts.
#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "bench/case_data.h"
#include "bench/op_cases.h"
#include "bench/work.h"
#include "model/cost.h"
#include "ops/gemm/gemm.h"

namespace ringlet {
namespace {

using Matrices = std::vector<PackedMatrix>;

// Different choices of experts for one row, taken in turn.
constexpr int64_t kSteps = 64;

// One product of the block: gate and up, or down.
struct MoeProduct {
  MatrixShape routed;
  MatrixShape shared;    // n == 0: none
  bool gathers = false;  // rows are the tokens themselves, not one for each choice
};

struct MoeWeights {
  Matrices routed;  // of one layer or more
  Matrices shared;
};

struct MoeData {
  std::shared_ptr<MoeWeights> weights;
  PreparedRows tokens;
  PreparedRows choices;
  std::vector<float> routed_out;
  std::vector<float> shared_out;
  // Job lists of one choice each.
  std::vector<std::vector<GemmJob>> steps;
  size_t next = 0;
};

// `top_k` different experts for every row, uniformly.
std::vector<std::vector<int64_t>> RandomChoice(Rng* rng, int64_t experts, int64_t top_k,
                                               int64_t rows) {
  std::vector<std::vector<int64_t>> slots(static_cast<size_t>(experts));
  for (int64_t row = 0; row < rows; ++row) {
    std::set<uint64_t> chosen;
    while (static_cast<int64_t>(chosen.size()) < top_k) {
      chosen.insert(rng->Below(static_cast<uint64_t>(experts)));
    }
    int64_t i = 0;
    for (const uint64_t expert : chosen) slots[expert].push_back(row * top_k + i++);
  }
  return slots;
}

std::vector<GemmJob> Jobs(const MoeShape& moe, const MoeProduct& product, int64_t rows, size_t step,
                          Rng* rng, MoeData* data) {
  std::vector<GemmJob> jobs;
  const std::vector<std::vector<int64_t>> slots = RandomChoice(rng, moe.experts, moe.top_k, rows);
  const auto experts = static_cast<size_t>(moe.experts);
  const size_t layers = data->weights->routed.size() / experts;
  for (size_t e = 0; e < experts; ++e) {
    if (slots[e].empty()) continue;
    GemmJob job;
    job.weights = &data->weights->routed[step % layers * experts + e];
    for (const int64_t slot : slots[e]) {
      job.inputs.push_back(product.gathers ? data->tokens.row(slot / moe.top_k)
                                           : data->choices.row(slot));
      job.outputs.push_back(data->routed_out.data() + slot * product.routed.n);
    }
    jobs.push_back(std::move(job));
  }
  if (product.shared.n == 0) return jobs;
  GemmJob job;
  job.weights = &data->weights->shared[step % data->weights->shared.size()];
  for (int64_t row = 0; row < rows; ++row) {
    job.inputs.push_back(data->tokens.row(row));
    job.outputs.push_back(data->shared_out.data() + row * product.shared.n);
  }
  jobs.push_back(std::move(job));
  return jobs;
}

std::shared_ptr<MoeData> MakeData(Context& context, const MoeShape& moe, const MoeProduct& product,
                                  int64_t rows, const Shared<MoeWeights>& weights) {
  auto data = std::make_shared<MoeData>();
  data->weights = weights.Get(context);
  Rng rng(1);
  const auto prepare = [&](const MatrixShape& shape, int64_t count, PreparedRows* out) {
    const std::vector<float> x = RandomFloats(&rng, count * shape.k);
    PrepareRows(context, shape.format, x.data(), count, shape.k, out);
  };
  // Inputs of the shared expert have its own width: gate and up share the tokens' rows.
  prepare(product.shared.n > 0 ? product.shared : product.routed, rows, &data->tokens);
  if (!product.gathers) prepare(product.routed, rows * moe.top_k, &data->choices);
  data->routed_out.resize(static_cast<size_t>(rows * moe.top_k * product.routed.n));
  data->shared_out.resize(static_cast<size_t>(rows * product.shared.n));
  const int64_t steps = rows == 1 ? kSteps : 8;
  for (int64_t step = 0; step < steps; ++step) {
    data->steps.push_back(Jobs(moe, product, rows, static_cast<size_t>(step), &rng, data.get()));
  }
  return data;
}

OpCase MoeCase(const std::string& name, const MoeShape& moe, const MoeProduct& product,
               int64_t rows, double per_token, const Shared<MoeWeights>& weights) {
  OpCase op;
  op.op = "experts " + FormatName(product.routed);
  op.shape = fmt::format("{} {} x {}, {} of {}, {}", name, product.routed.n, product.routed.k,
                         moe.top_k, moe.experts, Rows(rows));
  op.work.bytes = ExpectedExperts(moe.experts, moe.top_k, rows) * product.routed.bytes();
  AddMatrixOps(product.routed, static_cast<double>(rows * moe.top_k), &op.work);
  if (product.shared.n > 0) {
    op.work.bytes += product.shared.bytes();
    AddMatrixOps(product.shared, static_cast<double>(rows), &op.work);
  }
  op.per_token = per_token;
  op.make = [=](Context& context) {
    const std::shared_ptr<MoeData> data = MakeData(context, moe, product, rows, weights);
    return OpRun{[&context, data] {
                   Gemm(context, data->steps[data->next]);
                   data->next = (data->next + 1) % data->steps.size();
                 },
                 {}};
  };
  return op;
}

void AddProduct(const std::string& name, const MoeShape& moe, const MoeProduct& product,
                const OpCaseOptions& options, std::vector<OpCase>* cases) {
  const Shared<MoeWeights> weights([=](Context& context) {
    auto made = std::make_shared<MoeWeights>();
    const double layer = static_cast<double>(moe.experts) * product.routed.bytes();
    made->routed =
        RandomMatrices(context, product.routed, CopiesOf(layer, options.working_set) * moe.experts);
    // One for each step of a round: between two uses lie the experts of all others.
    if (product.shared.n > 0) {
      const int64_t copies = CopiesOf(product.shared.bytes(), options.working_set);
      made->shared = RandomMatrices(context, product.shared, std::min(copies, kSteps));
    }
    return made;
  });
  const auto layers = static_cast<double>(moe.layers);
  cases->push_back(MoeCase(name, moe, product, 1, layers, weights));
  for (const int64_t rows : {int64_t{4}, int64_t{16}, options.prefill_rows}) {
    cases->push_back(MoeCase(name, moe, product, rows, 0, weights));
  }
}

}  // namespace

void AddMoeCases(const ModelShapes& shapes, const OpCaseOptions& options,
                 std::vector<OpCase>* cases) {
  const MoeShape& moe = shapes.moe;
  if (moe.layers == 0) return;
  AddProduct("gate_up", moe, {.routed = moe.gate_up, .shared = moe.shared_gate_up, .gathers = true},
             options, cases);
  AddProduct("down", moe, {.routed = moe.down, .shared = moe.shared_down, .gathers = false},
             options, cases);
}

}  // namespace ringlet
