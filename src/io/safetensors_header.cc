#include "io/safetensors_header.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <set>
#include <tuple>
#include <utility>

#include "base/checked.h"
#include "base/json.h"
#include "base/text.h"
#include "io/limits.h"

namespace ringlet {
namespace {

constexpr size_t kMaxRank = 8;
constexpr std::string_view kMetadataKey = "__metadata__";
constexpr std::string_view kDTypes = "F32, F16, BF16, F8_E4M3, I64, I32, I16, I8, U8, BOOL or F64";
// Published types that this build does not read.
constexpr std::array<std::string_view, 11> kForeignDTypes = {
    "U16",     "U32",     "U64",     "C64",         "F4",         "F6_E2M3",
    "F6_E3M2", "F8_E5M2", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ"};

// Receives the events of the JSON parser and stops at the first one that does not belong. What may
// come next depends on where the parser stands (at_) and on the key just read.
class HeaderReader : public nlohmann::json_sax<Json> {
 public:
  HeaderReader(const std::string& source, uint64_t data_bytes)
      : source_(source), data_bytes_(data_bytes) {}

  Status status() const { return status_; }
  SafetensorsHeader TakeHeader() { return std::move(header_); }

  bool null() override { return Unexpected("null"); }
  bool boolean(bool value) override { return Unexpected(value ? "true" : "false"); }
  // Only negative numbers and "-0" come here.
  bool number_integer(number_integer_t value) override {
    return Unexpected(value == 0 ? "-0" : fmt::to_string(value));
  }
  bool number_float(number_float_t, const string_t& text) override {
    return Unexpected(text.size() <= 40 ? text : text.substr(0, 40) + "...");
  }
  bool binary(binary_t&) override { return Unexpected("binary data"); }
  bool number_unsigned(number_unsigned_t value) override;
  bool string(string_t& value) override;
  bool key(string_t& name) override;
  bool start_object(size_t) override;
  bool end_object() override;
  bool start_array(size_t) override;
  bool end_array() override;
  bool parse_error(size_t position, const std::string&,
                   const nlohmann::detail::exception& error) override {
    return Fail("header", fmt::format("bad JSON at byte {} ({})", position, JsonErrorText(error)),
                "JSON");
  }

 private:
  enum class At { kStart, kTop, kMetadata, kTensor, kShape, kOffsets };
  enum class Field { kDType, kShape, kOffsets };

  bool Fail(std::string_view field, std::string_view found, std::string_view expected) {
    status_ = BadInput(source_, field, found, expected);
    return false;
  }
  bool Unexpected(std::string_view found) { return Fail(Where(), found, Expected()); }
  std::string Where() const;
  std::string_view Expected() const;
  std::string TensorField(std::string_view field) const {
    return fmt::format("tensor {}: {}", Quote(tensor_.name), field);
  }
  bool TopKey(std::string name);
  bool FieldKey(std::string_view name);
  bool SetDType(std::string_view name);
  bool FinishTensor();
  bool Seen(Field field) const { return (seen_ >> static_cast<unsigned>(field) & 1u) != 0; }

  const std::string& source_;
  const uint64_t data_bytes_;
  Status status_;
  SafetensorsHeader header_;
  std::set<std::string> names_;  // __metadata__ included
  At at_ = At::kStart;
  bool in_metadata_ = false;  // kTop: the value of __metadata__ comes next
  std::string metadata_key_;
  SafetensorsRange tensor_;  // the one being read
  Field field_ = Field::kDType;
  unsigned seen_ = 0;  // fields of tensor_ read so far, one bit each
  std::vector<uint64_t> offsets_;
};

std::string HeaderReader::Where() const {
  switch (at_) {
    case At::kStart:
      return "header";
    case At::kTop:
      return in_metadata_ ? std::string(kMetadataKey) : "tensor " + Quote(tensor_.name);
    case At::kMetadata:
      return fmt::format("{}: {}", kMetadataKey, Quote(metadata_key_));
    case At::kTensor:
      return TensorField(field_ == Field::kDType   ? "dtype"
                         : field_ == Field::kShape ? "shape"
                                                   : "data_offsets");
    case At::kShape:
      return TensorField("shape");
    case At::kOffsets:
      return TensorField("data_offsets");
  }
  return {};
}

std::string_view HeaderReader::Expected() const {
  switch (at_) {
    case At::kStart:
      return "an object";
    case At::kTop:
      return in_metadata_ ? "an object of strings" : "an object of dtype, shape and data_offsets";
    case At::kMetadata:
      return "a string";
    case At::kTensor:
      return field_ == Field::kDType ? "a string" : "an array of integers";
    case At::kShape:
      return "integers from 0 to 2^48";
    case At::kOffsets:
      return "two byte offsets, begin and end";
  }
  return {};
}

bool HeaderReader::key(string_t& name) {
  if (at_ == At::kTop) return TopKey(std::move(name));
  if (at_ == At::kTensor) return FieldKey(name);
  metadata_key_ = std::move(name);
  if (header_.metadata.count(metadata_key_) == 0) return true;
  return Fail(Where(), "this key twice", "each key once");
}

bool HeaderReader::TopKey(std::string name) {
  in_metadata_ = name == kMetadataKey;
  tensor_ = SafetensorsRange{};
  tensor_.name = std::move(name);
  seen_ = 0;
  offsets_.clear();
  if (tensor_.name.empty()) return Fail("header", "an empty tensor name", "a name");
  if (tensor_.name.size() > kMaxNameBytes) {
    return Fail(Where(), fmt::format("a name of {} bytes", tensor_.name.size()),
                fmt::format("at most {}", kMaxNameBytes));
  }
  if (tensor_.name.find('\0') != std::string::npos) {
    return Fail(Where(), "a NUL in the name", "none");
  }
  if (!names_.insert(tensor_.name).second)
    return Fail(Where(), "this name twice", "each name once");
  if (header_.tensors.size() < kMaxTensors || in_metadata_) return true;
  return Fail("header", fmt::format("more than {} tensors", kMaxTensors), "fewer");
}

bool HeaderReader::FieldKey(std::string_view name) {
  if (name == "dtype") {
    field_ = Field::kDType;
  } else if (name == "shape") {
    field_ = Field::kShape;
  } else if (name == "data_offsets") {
    field_ = Field::kOffsets;
  } else {
    return Fail("tensor " + Quote(tensor_.name), "field " + Quote(name),
                "only dtype, shape and data_offsets");
  }
  if (Seen(field_)) return Fail(Where(), "this field twice", "each field once");
  seen_ |= 1u << static_cast<unsigned>(field_);
  return true;
}

bool HeaderReader::start_object(size_t) {
  if (at_ == At::kStart) {
    at_ = At::kTop;
  } else if (at_ == At::kTop) {
    at_ = in_metadata_ ? At::kMetadata : At::kTensor;
  } else {
    return Unexpected("an object");
  }
  return true;
}

bool HeaderReader::end_object() {
  if (at_ == At::kTensor && !FinishTensor()) return false;
  at_ = At::kTop;
  return true;
}

bool HeaderReader::start_array(size_t) {
  if (at_ != At::kTensor || field_ == Field::kDType) return Unexpected("an array");
  at_ = field_ == Field::kShape ? At::kShape : At::kOffsets;
  return true;
}

bool HeaderReader::end_array() {
  if (at_ == At::kOffsets && offsets_.size() != 2) {
    return Unexpected(fmt::format("{} numbers", offsets_.size()));
  }
  at_ = At::kTensor;
  return true;
}

bool HeaderReader::number_unsigned(number_unsigned_t value) {
  if (at_ == At::kShape) {
    if (tensor_.shape.size() == kMaxRank) {
      return Fail(Where(), fmt::format("more than {} dimensions", kMaxRank),
                  fmt::format("at most {}", kMaxRank));
    }
    if (value > kMaxDimension) return Unexpected(fmt::to_string(value));
    tensor_.shape.push_back(static_cast<int64_t>(value));
    return true;
  }
  if (at_ == At::kOffsets) {
    if (offsets_.size() == 2) return Unexpected("more than 2 numbers");
    offsets_.push_back(value);
    return true;
  }
  return Unexpected(fmt::to_string(value));
}

bool HeaderReader::string(string_t& value) {
  if (at_ == At::kMetadata) {
    header_.metadata.emplace(metadata_key_, std::move(value));
    return true;
  }
  if (at_ == At::kTensor && field_ == Field::kDType) return SetDType(value);
  return Unexpected(Quote(value));
}

bool HeaderReader::SetDType(std::string_view name) {
  const std::optional<DType> dtype = DTypeFromName(name);
  if (dtype && Traits(*dtype).block_elements == 1) {
    tensor_.dtype = *dtype;
    return true;
  }
  Fail(Where(), Quote(name), kDTypes);
  if (std::find(kForeignDTypes.begin(), kForeignDTypes.end(), name) != kForeignDTypes.end()) {
    status_ = Status(StatusCode::kUnsupported, status_.message());
  }
  return false;
}

bool HeaderReader::FinishTensor() {
  for (const auto& [field, name] : {std::pair(Field::kDType, "dtype"),
                                    {Field::kShape, "shape"},
                                    {Field::kOffsets, "data_offsets"}}) {
    if (!Seen(field)) return Fail(TensorField(name), "nothing", "this field");
  }
  const std::optional<uint64_t> bytes = PlainTensorBytes(tensor_.dtype, tensor_.shape);
  if (!bytes) {
    return Fail(TensorField("shape"), fmt::format("[{}]", fmt::join(tensor_.shape, ", ")),
                "a size that fits 63 bits");
  }
  tensor_.begin = offsets_[0];
  tensor_.end = offsets_[1];
  const std::string found = fmt::format("[{}, {}]", tensor_.begin, tensor_.end);
  if (tensor_.begin > tensor_.end) {
    return Fail(TensorField("data_offsets"), found, "begin <= end");
  }
  if (tensor_.end > data_bytes_) {
    return Fail(TensorField("data_offsets"), found,
                fmt::format("an end within the {} data bytes of the file", data_bytes_));
  }
  if (tensor_.end - tensor_.begin != *bytes) {
    return Fail(TensorField("data_offsets"), found,
                fmt::format("{} bytes for {} [{}]", *bytes, Name(tensor_.dtype),
                            fmt::join(tensor_.shape, ", ")));
  }
  header_.tensors.push_back(std::move(tensor_));
  return true;
}

// Sorts the ranges and checks that they tile the data section: a byte that no tensor or two tensors
// own could mean different things to different readers.
Status CheckCoverage(SafetensorsHeader& header, uint64_t data_bytes, const std::string& source) {
  std::sort(header.tensors.begin(), header.tensors.end(),
            [](const SafetensorsRange& a, const SafetensorsRange& b) {
              return std::tie(a.begin, a.end, a.name) < std::tie(b.begin, b.end, b.name);
            });
  uint64_t covered = 0;
  for (const SafetensorsRange& tensor : header.tensors) {
    if (tensor.begin != covered) {
      const std::string_view kind = tensor.begin < covered ? "an overlap" : "a hole";
      return BadInput(source, fmt::format("tensor {}: data_offsets", Quote(tensor.name)),
                      fmt::format("[{}, {}], {}", tensor.begin, tensor.end, kind),
                      fmt::format("begin {}, where the tensor before it ends", covered));
    }
    covered = tensor.end;
  }
  if (covered == data_bytes) return Status::Ok();
  return BadInput(source, "data", fmt::format("{} bytes", data_bytes),
                  fmt::format("{}, where the last tensor ends", covered));
}

}  // namespace

std::optional<uint64_t> PlainTensorBytes(DType dtype, const std::vector<int64_t>& shape) {
  constexpr auto kMax = static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
  uint64_t product = static_cast<uint64_t>(Traits(dtype).block_bytes);
  bool empty = false;
  for (const int64_t size : shape) {
    if (size < 0) return std::nullopt;
    if (size == 0) {
      empty = true;
      continue;
    }
    // Zeros are left out, so that the answer does not depend on their place.
    const std::optional<uint64_t> next = CheckedMul(product, static_cast<uint64_t>(size));
    if (!next || *next > kMax) return std::nullopt;
    product = *next;
  }
  return empty ? 0 : product;
}

Result<SafetensorsHeader> ParseSafetensorsHeader(std::string_view text, uint64_t data_bytes,
                                                 const std::string& source) {
  if (text.empty() || text.front() != '{') {
    return BadInput(source, "header", text.empty() ? "nothing" : Quote(text.substr(0, 8)),
                    "\"{\" first");
  }
  text = text.substr(0, text.find_last_not_of(' ') + 1);
  if (text.back() != '}') {
    return BadInput(source, "header", Quote(text.substr(text.size() - 1)) + " at its end",
                    "\"}\", then spaces only");
  }
  if (const size_t nul = text.find('\0'); nul != std::string_view::npos) {
    return BadInput(source, "header", fmt::format("a NUL at byte {}", nul), "JSON");
  }
  HeaderReader reader(source, data_bytes);
  if (!Json::sax_parse(text.begin(), text.end(), &reader)) return reader.status();
  SafetensorsHeader header = reader.TakeHeader();
  RINGLET_RETURN_IF_ERROR(CheckCoverage(header, data_bytes, source));
  return header;
}

}  // namespace ringlet
