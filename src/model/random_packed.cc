#include "model/random_packed.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <span>
#include <string_view>

#include <fmt/format.h>

#include "base/file.h"
#include "base/hasher.h"
#include "base/rng.h"
#include "model/arch.h"
#include "model/packed_file.h"
#include "model/random_checkpoint.h"
#include "tensor/dtype.h"

namespace ringlet {
namespace {

// Root mean square of the codes that FillCodes draws: uniform on -7..7 and -127..127.
constexpr double kRms4 = 4.3205;
constexpr double kRms8 = 73.612;
// Largest magnitudes: of FillNormal with spread 1, and of E4M3.
constexpr double kNormalTop = 3.4642;
constexpr double kFp8Top = 448.0;
constexpr QuantLayout kInt8Layout = {
    .bits = 8, .group = 32, .zero_point = 0, .has_min = false, .scales = ScaleType::kF16};

void FillCodes(Rng& rng, const QuantLayout& layout, int64_t k, int8_t* codes) {
  if (layout.bits == 8) {
    for (int64_t i = 0; i < k; i += 8) {
      const uint64_t bits = rng.Next();
      for (int64_t j = 0; j < std::min<int64_t>(8, k - i); ++j) {
        const auto code = static_cast<int8_t>(bits >> (8 * j));
        codes[i + j] = code == -128 ? int8_t{0} : code;
      }
    }
    return;
  }
  for (int64_t i = 0; i < k; i += 16) {
    const uint64_t bits = rng.Next();
    for (int64_t j = 0; j < std::min<int64_t>(16, k - i); ++j) {
      const auto code = static_cast<int8_t>(bits >> (4 * j) & 15);
      codes[i + j] = code == 0 ? int8_t{8} : code;
    }
  }
}

class RandomSource : public WeightSource {
 public:
  RandomSource(const ModelConfig& config, Context& context, const RandomPackedOptions& options)
      : config_(config), context_(context), options_(options) {}

  PackedMatrix Layout(const MatrixRequest& request) override {
    const PackedFormat format = FormatOf(request);
    const QuantLayout quant = LayoutOf(request);
    if (format == PackedFormat::kQuant && request.k % kQuantGroup != 0) {
      Fail(BadInput(request.name, "columns", fmt::format("{}", request.k),
                    "a multiple of 32 for integer weights"));
    }
    PackedMatrix matrix{.format = format,
                        .quant = quant,
                        .n = request.n,
                        .k = request.k,
                        .panel_bytes = PanelBytes(format, quant, request.k)};
    total_ += static_cast<uint64_t>(matrix.panels() * matrix.panel_bytes);
    return matrix;
  }

  PackedMatrix Matrix(const MatrixRequest& request) override {
    PackedMatrix matrix;
    switch (FormatOf(request)) {
      case PackedFormat::kF32:
      case PackedFormat::kBf16:
        matrix = FloatMatrix(request);
        break;
      case PackedFormat::kFp8:
        matrix = Fp8Matrix(request);
        break;
      case PackedFormat::kQuant:
        matrix = QuantMatrix(request);
        break;
    }
    done_ += matrix.data.size();
    if (options_.progress) options_.progress(std::min(done_, total_), total_);
    return matrix;
  }

  std::vector<float> Vector(const std::string& name, int64_t n) override {
    std::vector<float> values(Size(n));
    FillNormal(SeedOf(name), name.ends_with("expert_bias") ? 0.0f : 1.0f, 0.05f, values);
    return values;
  }

  RowTable Rows(const std::string& name, int64_t rows, int64_t cols) override {
    struct Table {
      std::vector<bf16_t> values;
      StoredTensor tensor;
    };
    auto table = std::make_shared<Table>();
    table->values.resize(Size(rows * cols));
    context_.pool.ParallelFor(rows, [&](int64_t row, int) {
      std::vector<float> values(Size(cols));
      FillNormal(SeedOf(name) + static_cast<uint64_t>(row), 0.0f, 1.0f, values);
      std::transform(values.begin(), values.end(), table->values.begin() + row * cols, FloatToBf16);
    });
    table->tensor = {.name = name,
                     .dtype = DType::kBF16,
                     .shape = {rows, cols},
                     .data = std::as_bytes(std::span(table->values)),
                     .keep_alive = nullptr};
    RowTable out;
    out.rows.rows = rows;
    out.rows.cols = cols;
    out.rows.segments.emplace_back();
    out.rows.segments.back().tensor = &table->tensor;
    out.rows.segments.back().rows = rows;
    out.owner = table;
    return out;
  }

 private:
  static size_t Size(int64_t n) { return static_cast<size_t>(n); }

  PackedType TypeOf(const MatrixRequest& request) const {
    return request.role == MatrixRole::kHead ? options_.head : options_.linear;
  }
  PackedFormat FormatOf(const MatrixRequest& request) const {
    if (request.role == MatrixRole::kRouter) return PackedFormat::kF32;
    return TypeOf(request) == PackedType::kFp8 ? PackedFormat::kFp8 : PackedFormat::kQuant;
  }
  QuantLayout LayoutOf(const MatrixRequest& request) const {
    if (FormatOf(request) != PackedFormat::kQuant) return {};
    return TypeOf(request) == PackedType::kInt4 ? kInt4Layout : kInt8Layout;
  }

  PackedMatrix FloatMatrix(const MatrixRequest& request) const {
    return PackFloat(context_, PackedFormat::kF32, request.n, request.k,
                     [&](int64_t row, float* out) { FillRow(request, row, 1.0, out); });
  }

  PackedMatrix Fp8Matrix(const MatrixRequest& request) const {
    const double scale = Spread(request) * kNormalTop / kFp8Top;
    return PackFp8(context_, request.n, request.k, [&](int64_t row, const Fp8Row& out) {
      std::vector<float> values(Size(request.k));
      FillRow(request, row, 1.0 / scale, values.data());
      std::transform(values.begin(), values.end(), out.codes, FloatToF8E4M3);
      std::fill_n(out.scales, (request.k + kFp8Block - 1) / kFp8Block, static_cast<float>(scale));
    });
  }

  PackedMatrix QuantMatrix(const MatrixRequest& request) const {
    const uint64_t seed = SeedOf(request.name);
    const double spread = Spread(request);
    const QuantLayout layout = LayoutOf(request);
    const double rms = layout.bits == 4 ? kRms4 : kRms8;
    // 4 bits: an integer scale of 64 to 127 and a power of two.
    const double multiplier = std::exp2(std::floor(std::log2(spread / (rms * 64))));
    const double scale = layout.bits == 4 ? std::round(spread / (rms * multiplier)) : spread / rms;
    return PackQuant(context_, layout, request.n, request.k, [&](int64_t row, const QuantRow& out) {
      Rng rng(seed + static_cast<uint64_t>(row));
      FillCodes(rng, layout, request.k, out.codes);
      std::fill_n(out.scales, request.k / layout.group,
                  std::min(127.0f, static_cast<float>(scale)));
      *out.multiplier = static_cast<float>(multiplier);
    });
  }

  // One row of normal values, times `factor`.
  void FillRow(const MatrixRequest& request, int64_t row, double factor, float* out) const {
    FillNormal(SeedOf(request.name) + static_cast<uint64_t>(row), 0.0f,
               static_cast<float>(Spread(request) * factor), std::span(out, Size(request.k)));
  }

  // Matrices that write to the residual stream are smaller, so that it stays near one.
  double Spread(const MatrixRequest& request) const {
    const double spread = 1.0 / std::sqrt(static_cast<double>(request.k));
    const bool residual = request.name.ends_with("down") || request.name.ends_with("attention.out");
    return residual ? spread / std::sqrt(2.0 * static_cast<double>(config_.layers.size())) : spread;
  }

  uint64_t SeedOf(const std::string& name) const { return HashText(name, options_.seed); }

  // Near-normal: the sum of four 16-bit uniforms.
  static void FillNormal(uint64_t seed, float mean, float spread, std::span<float> out) {
    Rng rng(seed);
    for (float& value : out) {
      const uint64_t bits = rng.Next();
      const auto sum = static_cast<float>((bits & 0xffff) + (bits >> 16 & 0xffff) +
                                          (bits >> 32 & 0xffff) + (bits >> 48));
      value = mean + spread * (sum * 0x1p-16f - (2.0f - 0x1p-15f)) * 1.7320508f;
    }
  }

  const ModelConfig& config_;
  Context& context_;
  const RandomPackedOptions& options_;
  uint64_t total_ = 0;
  uint64_t done_ = 0;
};

Status WriteAll(const OrderedJson& config_json, const std::string& generation_json,
                const ModelConfig& config, const std::string& directory, Context& context,
                const RandomPackedOptions& options) {
  RandomSource source(config, context, options);
  RINGLET_RETURN_IF_ERROR(WritePackedFile(directory + "/model.safetensors", config, source));
  if (!generation_json.empty()) {
    RINGLET_RETURN_IF_ERROR(
        WriteFile(directory + "/generation_config.json", generation_json + "\n"));
  }
  // Last, so that a directory with a config.json is a whole checkpoint.
  return WriteFile(directory + "/config.json", config_json.dump(2) + "\n");
}

}  // namespace

Status WriteRandomPacked(const OrderedJson& config_json, const std::string& generation_json,
                         const std::string& directory, Context& context,
                         const RandomPackedOptions& options) {
  const Json json(config_json);
  RINGLET_ASSIGN_OR_RETURN(const HfArchitecture* architecture, FindHfArchitecture(json, "config"));
  RINGLET_ASSIGN_OR_RETURN(ModelConfig config, MapHfConfig(json, "config"));
  TensorBinder planner;
  ModelWeights planned;
  architecture->bind(planner, config, planned);
  RINGLET_RETURN_IF_ERROR(planner.Finish({}));
  RINGLET_RETURN_IF_ERROR(MakeEmptyDirectory(directory));
  const Status status = WriteAll(config_json, generation_json, config, directory, context, options);
  if (!status.ok()) {
    std::error_code ignored;
    for (const char* file : {"model.safetensors", "generation_config.json"}) {
      std::filesystem::remove(directory + "/" + file, ignored);
    }
    std::filesystem::remove(directory, ignored);
  }
  return status;
}

}  // namespace ringlet
