#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <tuple>
#include <utility>

#include "base/checked.h"
#include "base/text.h"
#include "io/gguf.h"
#include "io/gguf_metadata.h"
#include "io/gguf_reader.h"
#include "io/gguf_types.h"
#include "io/limits.h"

namespace ringlet {
namespace {

constexpr std::string_view kMagic = "GGUF";
constexpr std::string_view kSplitKey = "split.count";
constexpr std::string_view kReadableTypes =
    "F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q4_K, Q5_K, Q6_K, I8, I16, I32, I64 or F64";
constexpr uint64_t kMaxKeys = 1'000'000;
constexpr uint32_t kMaxRank = 4;
constexpr uint64_t kMinEntryBytes = 8 + 1 + 4 + 1;           // key, type, value
constexpr uint64_t kMinTensorBytes = 8 + 1 + 4 + 8 + 4 + 8;  // name, rank, dimension, type, offset

uint64_t AlignUp(uint64_t value, uint64_t alignment) {
  return (value + alignment - 1) & ~(alignment - 1);
}

}  // namespace

// Reads one file front to back (counts, metadata, tensor table), then places the tensors.
class GgufParser {
 public:
  GgufParser(std::span<const std::byte> bytes, const std::string& source)
      : bytes_(bytes), reader_(bytes, source) {}

  Result<std::shared_ptr<const GgufFile>> Parse(const std::shared_ptr<const void>& keep_alive);

 private:
  // A tensor whose data is bytes [begin, end) of the data section.
  struct Placed {
    StoredTensor tensor;
    uint64_t begin = 0;
    uint64_t end = 0;
  };

  Status ReadCounts();
  Status CheckSplit() const;
  Status ReadTensor(uint64_t index);
  Status ReadShape(const std::string& field, StoredTensor* tensor);
  Status ReadType(const std::string& field, StoredTensor* tensor);
  Result<uint64_t> TensorBytes(const std::string& field, const StoredTensor& tensor) const;
  Status PlaceTensors(GgufFile* file);

  const std::span<const std::byte> bytes_;
  GgufReader reader_;
  uint64_t tensor_count_ = 0;
  uint64_t key_count_ = 0;
  GgufMetadata metadata_;
  std::set<std::string> names_;  // of tensors_
  std::vector<Placed> tensors_;
};

Status GgufParser::ReadCounts() {
  std::string_view magic;
  RINGLET_RETURN_IF_ERROR(reader_.ReadText("magic", kMagic.size(), &magic));
  if (magic != kMagic) return reader_.Bad("magic", Quote(magic), Quote(kMagic));
  uint32_t version = 0;
  RINGLET_RETURN_IF_ERROR(reader_.Read("version", &version));
  if (version != 2 && version != 3) {
    const uint32_t swapped = __builtin_bswap32(version);
    const bool big_endian = swapped >= 1 && swapped <= 3;
    return reader_.Unsupported(
        "version", big_endian ? fmt::format("{} (big-endian)", swapped) : fmt::to_string(version),
        "2 or 3, little-endian");
  }
  RINGLET_RETURN_IF_ERROR(reader_.Read("tensor count", &tensor_count_));
  RINGLET_RETURN_IF_ERROR(reader_.Read("metadata count", &key_count_));
  RINGLET_RETURN_IF_ERROR(
      reader_.CheckCount("tensor count", tensor_count_, kMaxTensors, kMinTensorBytes));
  return reader_.CheckCount("metadata count", key_count_, kMaxKeys, kMinEntryBytes);
}

Status GgufParser::CheckSplit() const {
  const auto found = metadata_.values.find(kSplitKey);
  if (found == metadata_.values.end()) return Status::Ok();
  const auto* count = std::get_if<int64_t>(&found->second.value);
  const std::string field = "metadata " + Quote(kSplitKey);
  if (count == nullptr) return reader_.Bad(field, "another type", "an integer");
  if (*count <= 1) return Status::Ok();
  return reader_.Unsupported(field, fmt::to_string(*count),
                             "1, a model in one file (merge the parts first)");
}

Status GgufParser::ReadShape(const std::string& field, StoredTensor* tensor) {
  uint32_t rank = 0;
  RINGLET_RETURN_IF_ERROR(reader_.Read(field + ": rank", &rank));
  if (rank < 1 || rank > kMaxRank) {
    return reader_.Bad(field + ": rank", fmt::to_string(rank), fmt::format("1 to {}", kMaxRank));
  }
  tensor->shape.resize(rank);
  for (uint32_t i = 0; i < rank; ++i) {
    uint64_t size = 0;
    RINGLET_RETURN_IF_ERROR(reader_.Read(field + ": shape", &size));
    if (size < 1 || size > kMaxDimension) {
      return reader_.Bad(fmt::format("{}: dimension {}", field, i), fmt::to_string(size),
                         "1 to 2^48");
    }
    tensor->shape[rank - 1 - i] = static_cast<int64_t>(size);  // stored innermost first
  }
  return Status::Ok();
}

Status GgufParser::ReadType(const std::string& field, StoredTensor* tensor) {
  uint32_t number = 0;
  RINGLET_RETURN_IF_ERROR(reader_.Read(field + ": type", &number));
  const GgmlTypeTraits* type = FindGgmlType(number);
  if (type == nullptr) return reader_.Bad(field + ": type", fmt::to_string(number), kReadableTypes);
  if (!type->dtype) {
    return reader_.Unsupported(field + ": type", fmt::format("{} ({})", number, type->name),
                               kReadableTypes);
  }
  tensor->dtype = *type->dtype;
  return Status::Ok();
}

Result<uint64_t> GgufParser::TensorBytes(const std::string& field,
                                         const StoredTensor& tensor) const {
  const auto innermost = static_cast<uint64_t>(tensor.shape.back());
  const DTypeTraits& traits = Traits(tensor.dtype);
  if (innermost % static_cast<uint64_t>(traits.block_elements) != 0) {
    return reader_.Bad(field + ": innermost dimension", fmt::to_string(innermost),
                       fmt::format("a multiple of {} for {}", traits.block_elements, traits.name));
  }
  // Both the number of elements and of bytes must fit: a block type has more of the former.
  std::optional<uint64_t> elements = innermost;
  std::optional<uint64_t> bytes = RowBytes(tensor.dtype, innermost);
  for (size_t i = 0; i + 1 < tensor.shape.size() && elements && bytes; ++i) {
    elements = CheckedMul(*elements, static_cast<uint64_t>(tensor.shape[i]));
    bytes = CheckedMul(*bytes, static_cast<uint64_t>(tensor.shape[i]));
  }
  constexpr uint64_t kMax = ~uint64_t{0} >> 1;
  if (elements && bytes && *elements <= kMax && *bytes <= kMax) return *bytes;
  return reader_.Bad(field + ": shape", fmt::format("[{}]", fmt::join(tensor.shape, ", ")),
                     "a size that fits 63 bits");
}

Status GgufParser::ReadTensor(uint64_t index) {
  Placed placed;
  RINGLET_RETURN_IF_ERROR(
      reader_.ReadName(fmt::format("name of tensor {}", index), &placed.tensor.name));
  const std::string field = "tensor " + Quote(placed.tensor.name);
  if (!names_.insert(placed.tensor.name).second) {
    return reader_.Bad(field, "this name twice", "each name once");
  }
  RINGLET_RETURN_IF_ERROR(ReadShape(field, &placed.tensor));
  RINGLET_RETURN_IF_ERROR(ReadType(field, &placed.tensor));
  RINGLET_ASSIGN_OR_RETURN(const uint64_t bytes, TensorBytes(field, placed.tensor));
  RINGLET_RETURN_IF_ERROR(reader_.Read(field + ": offset", &placed.begin));
  if (placed.begin % metadata_.alignment != 0) {
    return reader_.Bad(field + ": offset", fmt::to_string(placed.begin),
                       fmt::format("a multiple of {}", metadata_.alignment));
  }
  const std::optional<uint64_t> end = CheckedAdd(placed.begin, bytes);
  if (!end) {
    return reader_.Bad(field + ": offset", fmt::to_string(placed.begin), "an offset in the file");
  }
  placed.end = *end;
  tensors_.push_back(std::move(placed));
  return reader_.CheckHeaderSize();
}

// Sorts the tensors by offset, checks that they lie in the file and apart, and hands them over.
Status GgufParser::PlaceTensors(GgufFile* file) {
  const uint64_t start =
      std::min<uint64_t>(AlignUp(reader_.position(), metadata_.alignment), bytes_.size());
  const std::span<const std::byte> data = bytes_.subspan(start);
  std::sort(tensors_.begin(), tensors_.end(), [](const Placed& a, const Placed& b) {
    return std::tie(a.begin, a.end) < std::tie(b.begin, b.end);
  });
  uint64_t free_from = 0;
  for (Placed& placed : tensors_) {
    const std::string field = "tensor " + Quote(placed.tensor.name);
    if (placed.end > data.size()) {
      return reader_.Bad(field + ": offset",
                         fmt::format("bytes [{}, {})", placed.begin, placed.end),
                         fmt::format("an end within the {} data bytes of the file", data.size()));
    }
    if (placed.begin < free_from) {
      return reader_.Bad(field + ": offset",
                         fmt::format("bytes [{}, {})", placed.begin, placed.end),
                         fmt::format("no byte of another tensor, which ends at {}", free_from));
    }
    free_from = placed.end;
    placed.tensor.data = data.subspan(placed.begin, placed.end - placed.begin);
    std::string name = placed.tensor.name;
    file->tensors_.emplace(std::move(name), std::move(placed.tensor));
  }
  return Status::Ok();
}

Result<std::shared_ptr<const GgufFile>> GgufParser::Parse(
    const std::shared_ptr<const void>& keep_alive) {
  RINGLET_RETURN_IF_ERROR(ReadCounts());
  RINGLET_RETURN_IF_ERROR(ReadGgufMetadata(&reader_, key_count_, &metadata_));
  RINGLET_RETURN_IF_ERROR(CheckSplit());
  for (uint64_t i = 0; i < tensor_count_; ++i) RINGLET_RETURN_IF_ERROR(ReadTensor(i));
  auto file = std::make_shared<GgufFile>();
  RINGLET_RETURN_IF_ERROR(PlaceTensors(file.get()));
  for (auto& [name, tensor] : file->tensors_) tensor.keep_alive = keep_alive;
  file->path_ = reader_.source();
  file->metadata_ = std::move(metadata_.values);
  return std::shared_ptr<const GgufFile>(std::move(file));
}

Result<std::shared_ptr<const GgufFile>> GgufFile::Parse(std::span<const std::byte> bytes,
                                                        const std::string& source,
                                                        std::shared_ptr<const void> keep_alive) {
  return GgufParser(bytes, source).Parse(keep_alive);
}

}  // namespace ringlet
