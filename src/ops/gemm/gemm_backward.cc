#include "ops/gemm/gemm_backward.h"

#include <algorithm>

#include "ops/gemm/gemm_backward_kernels.h"
#include "ops/gemm/gemm_kernels.h"

namespace ringlet {
namespace {

// Outputs of dw that a task computes at once, against one strip of x.
constexpr int64_t kTaskOutputs = 192;
// Columns of dy that a task transposes.
constexpr int64_t kTransposeColumns = 64;
// Floats of packed operands that are held at once.
constexpr int64_t kWaveFloats = int64_t{4} << 20;

int64_t Ceil(int64_t a, int64_t b) { return (a + b - 1) / b; }

// A block of a job's rows, and where its operands lie in the scratch: x as strips of packed
// "weights", dy transposed as prepared "rows".
struct Unit {
  const WeightGradientJob* job;
  int64_t first;
  int64_t rows;
  std::byte* x;
  std::byte* dy;
};

struct Shape {
  const GemmKernels* gemm;
  const GemmBackwardKernels* pack;
  bool bf16;

  int64_t StripBytes(int64_t rows) const {
    return bf16 ? Ceil(rows, 2) * pack->strip * 4 : rows * pack->strip * 4;
  }
  int64_t Strips(int64_t k) const { return Ceil(k, pack->strip); }
  int64_t RowBytes(int64_t rows) const {
    return Ceil(bf16 ? gemm->bf16_row_bytes(rows) : rows * 4, 64) * 64;
  }
};

void PackStrip(const Shape& shape, const Unit& unit, int64_t strip) {
  const float* const* rows = unit.job->x.data() + unit.first;
  const int64_t column = strip * shape.pack->strip;
  std::byte* out = unit.x + strip * shape.StripBytes(unit.rows);
  if (shape.bf16) {
    shape.pack->pack_bf16(rows, unit.rows, column, unit.job->k, reinterpret_cast<uint16_t*>(out));
  } else {
    shape.pack->pack_f32(rows, unit.rows, column, unit.job->k, reinterpret_cast<float*>(out));
  }
}

void PackTransposed(const Shape& shape, const Unit& unit, int64_t strip) {
  const int64_t column = strip * kTransposeColumns;
  const int64_t columns = std::min(kTransposeColumns, unit.job->n - column);
  const float* const* rows = unit.job->dy.data() + unit.first;
  const int64_t row_bytes = shape.RowBytes(unit.rows);
  std::byte* out = unit.dy + column * row_bytes;
  if (!shape.bf16) {
    return shape.pack->transpose(rows, unit.rows, column, columns, reinterpret_cast<float*>(out),
                                 row_bytes / 4);
  }
  constexpr int64_t kStep = 8;
  float wide[kStep * kGradientBlock];
  for (int64_t c = 0; c < columns; c += kStep) {
    const int64_t count = std::min(kStep, columns - c);
    shape.pack->transpose(rows, unit.rows, column + c, count, wide, kGradientBlock);
    for (int64_t i = 0; i < count; ++i) {
      shape.gemm->prepare_bf16(wide + i * kGradientBlock, unit.rows, out + (c + i) * row_bytes);
    }
  }
}

// dw of outputs [first, first + kTaskOutputs) against one strip of inputs, over consecutive units
// of one job.
void Multiply(const Shape& shape, std::span<const Unit> units, int64_t first, int64_t strip,
              bool add) {
  const WeightGradientJob& job = *units[0].job;
  const int64_t column = strip * shape.pack->strip;
  for (const Unit& unit : units) {
    const GradientTile tile{
        .strip = unit.x + strip * shape.StripBytes(unit.rows),
        .dy = unit.dy + first * shape.RowBytes(unit.rows),
        .dy_bytes = shape.RowBytes(unit.rows),
        .rows = unit.rows,
        .outputs = std::min(kTaskOutputs, job.n - first),
        .columns = std::min(shape.pack->strip, job.k - column),
        .dw = job.dw + first * job.k + column,
        .dw_stride = job.k,
        .add = add || unit.first > 0,
    };
    (shape.bf16 ? shape.pack->multiply_bf16 : shape.pack->multiply_f32)(tile);
  }
}

// Units that fit the scratch together; those of one job follow each other.
void RunWave(Context& context, const Shape& shape, std::span<const Unit> units, bool add) {
  struct Task {
    size_t unit;
    size_t count;  // units; 0: pack x, 1: pack dy, or of one job to multiply
    int64_t first;
    int64_t strip;
  };
  std::vector<Task> packs;
  std::vector<Task> products;
  for (size_t u = 0; u < units.size(); ++u) {
    const WeightGradientJob& job = *units[u].job;
    for (int64_t p = 0; p < shape.Strips(job.k); ++p) packs.push_back({u, 0, 0, p});
    for (int64_t p = 0; p < Ceil(job.n, kTransposeColumns); ++p) packs.push_back({u, 1, 0, p});
    if (u > 0 && units[u - 1].job == units[u].job) continue;
    size_t count = 1;
    while (u + count < units.size() && units[u + count].job == units[u].job) ++count;
    for (int64_t n = 0; n < job.n; n += kTaskOutputs) {
      for (int64_t p = 0; p < shape.Strips(job.k); ++p) products.push_back({u, count, n, p});
    }
  }
  context.pool.ParallelFor(static_cast<int64_t>(packs.size()), [&](int64_t i, int) {
    const Task& task = packs[static_cast<size_t>(i)];
    (task.count == 0 ? PackStrip : PackTransposed)(shape, units[task.unit], task.strip);
  });
  context.pool.ParallelFor(static_cast<int64_t>(products.size()), [&](int64_t i, int) {
    const Task& task = products[static_cast<size_t>(i)];
    Multiply(shape, units.subspan(task.unit, task.count), task.first, task.strip, add);
  });
}

int64_t UnitBytes(const Shape& shape, const Unit& unit) {
  return shape.Strips(unit.job->k) * shape.StripBytes(unit.rows) +
         unit.job->n * shape.RowBytes(unit.rows);
}

}  // namespace

void WeightGradient(Context& context, PackedFormat format, bool add,
                    std::span<const WeightGradientJob> jobs) {
  RINGLET_CHECK(format != PackedFormat::kQuant, "quantized weights are not trained");
  const GemmBackwardKernels& pack = SelectKernels(GemmBackwardTables(), context.isa);
  const Shape shape{&SelectKernels(GemmTables(), context.isa), &pack,
                    format == PackedFormat::kBf16 && pack.multiplies_bf16};
  std::vector<Unit> units;
  for (const WeightGradientJob& job : jobs) {
    RINGLET_CHECK(job.x.size() == job.dy.size(), "a row of dy for each row of x");
    const auto rows = static_cast<int64_t>(job.x.size());
    if (rows == 0 && !add) std::fill_n(job.dw, job.n * job.k, 0.0f);
    for (int64_t row = 0; row < rows; row += kGradientBlock) {
      units.push_back({&job, row, std::min(kGradientBlock, rows - row), nullptr, nullptr});
    }
  }
  for (size_t begin = 0; begin < units.size();) {
    size_t end = begin;
    int64_t bytes = 0;
    while (end < units.size()) {
      const int64_t more = UnitBytes(shape, units[end]);
      if (end > begin && bytes + more > 4 * kWaveFloats) break;
      bytes += more;
      ++end;
    }
    auto* at = reinterpret_cast<std::byte*>(context.SharedScratch(static_cast<size_t>(bytes / 4)));
    for (size_t u = begin; u < end; ++u) {
      units[u].x = at;
      units[u].dy = at + shape.Strips(units[u].job->k) * shape.StripBytes(units[u].rows);
      at += UnitBytes(shape, units[u]);
    }
    RunWave(context, shape, std::span(units).subspan(begin, end - begin), add);
    begin = end;
  }
}

WeightGradientJob WholeGradientJob(const float* dy, const float* x, int64_t rows, int64_t n,
                                   int64_t k, float* dw) {
  WeightGradientJob job{.n = n, .k = k, .dy = {}, .x = {}, .dw = dw};
  for (int64_t i = 0; i < rows; ++i) {
    job.dy.push_back(dy + i * n);
    job.x.push_back(x + i * k);
  }
  return job;
}

}  // namespace ringlet
