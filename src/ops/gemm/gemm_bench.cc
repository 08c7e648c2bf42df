// GEMM on one thread. Floors: one row reads every weight byte once (memory bandwidth; the matrices
// of a benchmark do not fit the caches together); many rows are bound by multiply-adds.
#include <benchmark/benchmark.h>

#include <memory>

#include "ops/gemm/gemm.h"
#include "ops/gemm/gemm_backward.h"
#include "ops/gemm/trained_matrix.h"
#include "ops/testing/gemm_weights.h"
#include "ops/testing/machine_limits.h"

namespace ringlet {
namespace {

using namespace ringlet::testing;

// Enough copies that one pass reads more than the caches hold.
constexpr int64_t kWorkingSet = int64_t{96} << 20;

void RunGemm(benchmark::State& state, const WeightFormat& format, int64_t rows, int64_t n,
             int64_t k) {
  Context context(IsaChoice::Detect(), 1);
  Rng rng(1);
  std::vector<PackedMatrix> matrices;
  matrices.push_back(MakeWeights(context, format, n, k, &rng).packed);
  const int64_t bytes = matrices[0].panels() * matrices[0].panel_bytes;
  const int64_t copies = rows == 1 ? kWorkingSet / bytes + 1 : 1;
  while (static_cast<int64_t>(matrices.size()) < copies) {
    PackedMatrix copy = matrices[0];
    AlignedBuffer<std::byte> data(copy.data.size());
    std::copy_n(copy.data.data(), copy.data.size(), data.data());
    copy.data = SharedBytes(std::move(data));
    matrices.push_back(std::move(copy));
  }
  const std::vector<float> x = NormalFloats(&rng, rows * k);
  std::vector<float> y(static_cast<size_t>(rows * n));
  PreparedRows prepared;
  size_t next = 0;
  for (auto _ : state) {
    PrepareRows(context, format.format, x.data(), rows, k, &prepared);
    Gemm(context, matrices[next], prepared, y.data());
    next = (next + 1) % matrices.size();
    benchmark::DoNotOptimize(y.data());
  }
  ReportLimits(state, 2.0 * static_cast<double>(rows * n * k),
               static_cast<double>(bytes + 4 * rows * (n + k)));
}

// The weights' gradient: bound by multiply-adds.
void RunWeightGradient(benchmark::State& state, PackedFormat format, int64_t rows, int64_t n,
                       int64_t k) {
  Context context(IsaChoice::Detect(), 1);
  Rng rng(1);
  const std::vector<float> dy = NormalFloats(&rng, rows * n);
  const std::vector<float> x = NormalFloats(&rng, rows * k);
  std::vector<float> dw(static_cast<size_t>(n * k));
  const WeightGradientJob job = WholeGradientJob(dy.data(), x.data(), rows, n, k, dw.data());
  for (auto _ : state) {
    WeightGradient(context, format, true, std::span(&job, 1));
    benchmark::DoNotOptimize(dw.data());
  }
  ReportLimits(state, 2.0 * static_cast<double>(rows * n * k),
               static_cast<double>(8 * n * k + 4 * rows * (n + k)));
}

// Both packs of master weights: bound by memory.
void RunPack(benchmark::State& state, PackedFormat format, int64_t n, int64_t k) {
  Context context(IsaChoice::Detect(), 1);
  Rng rng(1);
  const std::vector<float> master = NormalFloats(&rng, n * k);
  TrainedMatrix matrix(format, n, k);
  for (auto _ : state) {
    matrix.Pack(context, master.data());
    benchmark::DoNotOptimize(matrix.forward().data.data());
  }
  ReportLimits(state, 0.0, static_cast<double>(n * k * (format == PackedFormat::kF32 ? 16 : 12)));
}

const int kTraining = [] {
  for (const PackedFormat format : {PackedFormat::kF32, PackedFormat::kBf16}) {
    const std::string name = format == PackedFormat::kF32 ? "f32" : "bf16";
    for (const auto& [rows, n, k] : {std::tuple<int64_t, int64_t, int64_t>{2048, 2048, 768},
                                     {1024, 2752, 512},
                                     {1024, 512, 1376},
                                     {128, 512, 768},
                                     {17, 512, 768}}) {
      benchmark::RegisterBenchmark(("weight_gradient/" + name + "/rows:" + std::to_string(rows) +
                                    "/n:" + std::to_string(n) + "/k:" + std::to_string(k))
                                       .c_str(),
                                   [=, rows = rows, n = n, k = k](benchmark::State& state) {
                                     RunWeightGradient(state, format, rows, n, k);
                                   });
    }
    benchmark::RegisterBenchmark(("pack/" + name).c_str(), [=](benchmark::State& state) {
      RunPack(state, format, 4096, 2048);
    });
  }
  return 0;
}();

const int kRegistered = [] {
  for (const WeightFormat& format : AllWeightFormats()) {
    // Zero points cost nothing; the layouts that differ in work.
    if (format.quant.zero_point != 0 && format.name != "int4") continue;
    for (const int64_t rows : {1, 4, 16, 512}) {
      for (const auto& [n, k] :
           {std::pair<int64_t, int64_t>{2048, 2048}, {576, 1536}, {2752, 512}}) {
        const std::string name = "gemm/" + format.name + "/rows:" + std::to_string(rows) +
                                 "/n:" + std::to_string(n) + "/k:" + std::to_string(k);
        benchmark::RegisterBenchmark(name.c_str(), [=, n = n, k = k](benchmark::State& state) {
          RunGemm(state, format, rows, n, k);
        });
      }
    }
  }
  return 0;
}();

}  // namespace
}  // namespace ringlet
