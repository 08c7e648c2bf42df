#include "model/packed_file.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"
#include "model/build.h"
#include "model/packed_layout.h"
#include "tensor/dtype.h"

namespace ringlet {
namespace {

constexpr std::string_view kFormat = "ringlet-packed";
constexpr std::string_view kVersion = "1";

std::string MetadataOf(const Safetensors& file, const std::string& key) {
  const auto found = file.metadata().find(key);
  return found == file.metadata().end() ? std::string() : found->second;
}

std::string ShapeText(const std::vector<int64_t>& shape) {
  return fmt::format("[{}]", fmt::join(shape, ", "));
}

std::string MatrixName(const std::string& name, const PackedMatrix& matrix) {
  return name + ":" + LayoutName(matrix.format, matrix.quant);
}

// Notes what a model needs.
class Listing : public WeightSource {
 public:
  struct Table {
    std::string name;
    int64_t rows;
    int64_t cols;
  };
  struct Values {
    std::string name;
    int64_t n;
  };

  PackedMatrix Layout(const MatrixRequest&) override { return {}; }
  PackedMatrix Matrix(const MatrixRequest& request) override {
    matrices.push_back(request);
    return {};
  }
  std::vector<float> Vector(const std::string& name, int64_t n) override {
    vectors.push_back({name, n});
    return {};
  }
  RowTable Rows(const std::string& name, int64_t rows, int64_t cols) override {
    tables.push_back({name, rows, cols});
    return {};
  }

  std::vector<MatrixRequest> matrices;
  std::vector<Table> tables;
  std::vector<Values> vectors;
};

// The tensor whose rows can be stored as they are, or null: then they are stored as fp32.
const StoredTensor* PlainRows(const RowTable& table) {
  const MatrixRef& rows = table.rows;
  if (rows.segments.size() != 1) return nullptr;
  const MatrixSegment& segment = rows.segments.front();
  const bool plain = segment.row_begin == 0 && segment.tensor->rows() == rows.rows &&
                     segment.scale_inv == nullptr && segment.interleaved_head_dim == 0;
  return plain ? segment.tensor : nullptr;
}

class Writer {
 public:
  Writer(const std::string& path, WeightSource& source) : path_(path), source_(source) {}

  Status Write(const Listing& list) {
    std::vector<SafetensorsEntry> entries;
    for (const MatrixRequest& request : list.matrices) {
      const PackedMatrix matrix = source_.Layout(request);
      RINGLET_RETURN_IF_ERROR(source_.status());
      entries.push_back(
          {MatrixName(request.name, matrix), DType::kU8, {matrix.panels(), matrix.panel_bytes}});
    }
    std::vector<RowTable> tables;
    for (const Listing::Table& table : list.tables) {
      tables.push_back(source_.Rows(table.name, table.rows, table.cols));
      RINGLET_RETURN_IF_ERROR(source_.status());
      const StoredTensor* plain = PlainRows(tables.back());
      const DType dtype = plain == nullptr ? DType::kF32 : plain->dtype;
      const auto row_bytes = RowBytes(dtype, static_cast<uint64_t>(table.cols)).value_or(0);
      entries.push_back({table.name + ":" + std::string(Name(dtype)),
                         DType::kU8,
                         {table.rows, static_cast<int64_t>(row_bytes)}});
    }
    for (const Listing::Values& vector : list.vectors) {
      entries.push_back({vector.name, DType::kF32, {vector.n}});
    }
    RINGLET_ASSIGN_OR_RETURN(SafetensorsWriter file,
                             SafetensorsWriter::Create(path_, entries,
                                                       {{"format", std::string(kFormat)},
                                                        {"version", std::string(kVersion)}}));
    for (const MatrixRequest& request : list.matrices) {
      const PackedMatrix matrix = source_.Matrix(request);
      RINGLET_RETURN_IF_ERROR(source_.status());
      RINGLET_RETURN_IF_ERROR(file.Append(matrix.data.span()));
    }
    for (const RowTable& table : tables) RINGLET_RETURN_IF_ERROR(AppendRows(table, file));
    for (const Listing::Values& vector : list.vectors) {
      const std::vector<float> values = source_.Vector(vector.name, vector.n);
      RINGLET_RETURN_IF_ERROR(source_.status());
      RINGLET_RETURN_IF_ERROR(file.Append(std::as_bytes(std::span(values))));
    }
    return file.Finish();
  }

 private:
  static Status AppendRows(const RowTable& table, SafetensorsWriter& file) {
    const StoredTensor* plain = PlainRows(table);
    if (plain != nullptr) return file.Append(plain->data);
    std::vector<float> row(static_cast<size_t>(table.rows.cols));
    for (int64_t i = 0; i < table.rows.rows; ++i) {
      table.rows.DecodeRow(i, row.data());
      RINGLET_RETURN_IF_ERROR(file.Append(std::as_bytes(std::span(row))));
    }
    return Status::Ok();
  }

  const std::string& path_;
  WeightSource& source_;
};

}  // namespace

bool IsPackedFile(const Safetensors& file) { return MetadataOf(file, "format") == kFormat; }

Result<std::shared_ptr<PackedFile>> PackedFile::Open(std::shared_ptr<const Safetensors> file,
                                                     uint64_t memory) {
  if (!IsPackedFile(*file)) {
    return BadInput(file->path(), "__metadata__: format", Quote(MetadataOf(*file, "format")),
                    Quote(kFormat));
  }
  if (MetadataOf(*file, "version") != kVersion) {
    return BadInput(file->path(), "__metadata__: version", Quote(MetadataOf(*file, "version")),
                    Quote(kVersion));
  }
  return std::shared_ptr<PackedFile>(new PackedFile(std::move(file), memory));
}

PackedFile::PackedFile(std::shared_ptr<const Safetensors> file, uint64_t memory)
    : file_(std::move(file)) {
  uint64_t total = 0;
  for (const std::string& full : file_->Names()) {
    const size_t colon = full.find(':');
    const std::string layout = colon == std::string::npos ? "" : full.substr(colon + 1);
    const StoredTensor* tensor = file_->Find(full);
    entries_[full.substr(0, colon)] = {tensor, layout};
    total += tensor->data.size();
  }
  streams_ = total > memory;
}

const PackedFile::Entry* PackedFile::Find(const std::string& name) {
  if (!status().ok()) return nullptr;
  const auto found = entries_.find(name);
  if (found != entries_.end()) return &found->second;
  Fail(BadInput(file_->path(), name, "no such weight", "one of this name"));
  return nullptr;
}

PackedMatrix PackedFile::Matrix(const MatrixRequest& request) {
  const Entry* entry = Find(request.name);
  if (entry == nullptr) return {};
  const std::optional<NamedLayout> layout = ParseLayoutName(entry->layout);
  const bool whole_groups =
      layout && (layout->format != PackedFormat::kQuant || request.k % kQuantGroup == 0);
  if (entry->tensor->dtype != DType::kU8 || !whole_groups) {
    Fail(
        BadInput(file_->path(), request.name,
                 fmt::format("{} with layout {}", Name(entry->tensor->dtype), Quote(entry->layout)),
                 "U8 with a layout of this version"));
    return {};
  }
  PackedMatrix matrix{.format = layout->format,
                      .quant = layout->quant,
                      .n = request.n,
                      .k = request.k,
                      .panel_bytes = PanelBytes(layout->format, layout->quant, request.k)};
  const std::vector<int64_t> shape = {matrix.panels(), matrix.panel_bytes};
  if (entry->tensor->shape != shape) {
    Fail(BadInput(file_->path(), request.name, "shape " + ShapeText(entry->tensor->shape),
                  ShapeText(shape)));
    return {};
  }
  const std::span<const std::byte> bytes = entry->tensor->data;
  if (!streams_ || request.role == MatrixRole::kExpert) {
    matrix.data = SharedBytes(bytes, file_);
    return matrix;
  }
  ReadSoon(bytes);
  AlignedBuffer<std::byte> copy(bytes.size());
  std::copy(bytes.begin(), bytes.end(), copy.data());
  matrix.data = SharedBytes(std::move(copy));
  return matrix;
}

std::vector<float> PackedFile::Vector(const std::string& name, int64_t n) {
  const Entry* entry = Find(name);
  if (entry == nullptr) return {};
  if (entry->tensor->dtype != DType::kF32 || entry->tensor->shape != std::vector<int64_t>{n}) {
    Fail(BadInput(file_->path(), name,
                  fmt::format("{} {}", Name(entry->tensor->dtype), ShapeText(entry->tensor->shape)),
                  fmt::format("F32 [{}]", n)));
    return {};
  }
  std::vector<float> values(static_cast<size_t>(n));
  std::memcpy(values.data(), entry->tensor->data.data(), entry->tensor->data.size());
  return values;
}

RowTable PackedFile::Rows(const std::string& name, int64_t rows, int64_t cols) {
  const Entry* entry = Find(name);
  if (entry == nullptr) return {};
  const std::optional<DType> dtype = DTypeFromName(entry->layout);
  const std::optional<uint64_t> bytes =
      dtype ? RowBytes(*dtype, static_cast<uint64_t>(cols)) : std::nullopt;
  const std::vector<int64_t> shape = {rows, static_cast<int64_t>(bytes.value_or(0))};
  if (!bytes || entry->tensor->dtype != DType::kU8 || entry->tensor->shape != shape) {
    Fail(BadInput(file_->path(), name,
                  fmt::format("{} {} of {}", Name(entry->tensor->dtype),
                              ShapeText(entry->tensor->shape), Quote(entry->layout)),
                  fmt::format("U8 rows of [{}, {}] values", rows, cols)));
    return {};
  }
  auto table = std::make_shared<StoredTensor>(*entry->tensor);
  table->dtype = *dtype;
  table->shape = {rows, cols};
  RowTable out;
  out.rows = {.rows = rows, .cols = cols, .segments = {{.tensor = table.get(), .rows = rows}}};
  out.owner = table;
  return out;
}

Status WritePackedFile(const std::string& path, const ModelConfig& config, WeightSource& source) {
  Listing list;
  (void)BuildPackedModel(config, KvType::kBf16, list);
  return Writer(path, source).Write(list);
}

}  // namespace ringlet
