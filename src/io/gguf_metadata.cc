#include "io/gguf_metadata.h"

#include <fmt/format.h>

#include <bit>
#include <limits>
#include <optional>
#include <type_traits>
#include <utility>

#include "base/text.h"
#include "io/gguf_types.h"

namespace ringlet {
namespace {

constexpr std::string_view kAlignmentKey = "general.alignment";
constexpr uint64_t kMaxAlignment = uint64_t{1} << 20;
constexpr uint64_t kMaxArrayLength = uint64_t{1} << 24;

// Reads one value stored as `Stored` (std::string: a length and bytes).
template <typename Stored, typename Held>
Status ReadOne(GgufReader* reader, std::string_view field, Held* out) {
  if constexpr (std::is_same_v<Stored, std::string>) {
    std::string_view text;
    RINGLET_RETURN_IF_ERROR(reader->ReadString(field, &text));
    out->assign(text);
  } else if constexpr (std::is_same_v<Stored, bool>) {
    uint8_t stored = 0;
    RINGLET_RETURN_IF_ERROR(reader->Read(field, &stored));
    if (stored > 1) return reader->Bad(field, fmt::format("boolean {}", stored), "0 or 1");
    *out = stored != 0;
  } else {
    Stored stored = 0;
    RINGLET_RETURN_IF_ERROR(reader->Read(field, &stored));
    if constexpr (std::is_same_v<Stored, uint64_t>) {
      if (stored > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
        return reader->Bad(field, fmt::to_string(stored), "at most 2^63 - 1");
      }
    }
    *out = static_cast<Held>(stored);
  }
  return Status::Ok();
}

// One value, or with `count` an array of them. The caller has checked that `count` fits the file.
template <typename Stored, typename Held>
Status ReadTyped(GgufReader* reader, std::string_view field, std::optional<uint64_t> count,
                 GgufValue* out) {
  if (!count) return ReadOne<Stored>(reader, field, &out->value.emplace<Held>());
  auto& values = out->value.emplace<std::vector<Held>>();
  values.reserve(*count);
  for (uint64_t i = 0; i < *count; ++i) {
    Held value{};
    const Status status = ReadOne<Stored>(reader, field, &value);
    if (!status.ok()) return status;
    values.push_back(std::move(value));
  }
  return Status::Ok();
}

Status ReadType(GgufReader* reader, std::string_view field, GgufType* type) {
  uint32_t number = 0;
  RINGLET_RETURN_IF_ERROR(reader->Read(field, &number));
  if (!TraitsOfGgufType(number)) return reader->Bad(field, fmt::to_string(number), "0 to 12");
  *type = static_cast<GgufType>(number);
  return Status::Ok();
}

Status ReadPlain(GgufReader* reader, std::string_view field, GgufType type,
                 std::optional<uint64_t> count, GgufValue* out) {
  switch (type) {
    case GgufType::kU8:
      return ReadTyped<uint8_t, int64_t>(reader, field, count, out);
    case GgufType::kI8:
      return ReadTyped<int8_t, int64_t>(reader, field, count, out);
    case GgufType::kU16:
      return ReadTyped<uint16_t, int64_t>(reader, field, count, out);
    case GgufType::kI16:
      return ReadTyped<int16_t, int64_t>(reader, field, count, out);
    case GgufType::kU32:
      return ReadTyped<uint32_t, int64_t>(reader, field, count, out);
    case GgufType::kI32:
      return ReadTyped<int32_t, int64_t>(reader, field, count, out);
    case GgufType::kU64:
      return ReadTyped<uint64_t, int64_t>(reader, field, count, out);
    case GgufType::kI64:
      return ReadTyped<int64_t, int64_t>(reader, field, count, out);
    case GgufType::kF32:
      return ReadTyped<float, double>(reader, field, count, out);
    case GgufType::kF64:
      return ReadTyped<double, double>(reader, field, count, out);
    case GgufType::kBool:
      return ReadTyped<bool, bool>(reader, field, count, out);
    case GgufType::kString:
      return ReadTyped<std::string, std::string>(reader, field, count, out);
    case GgufType::kArray:
      break;
  }
  return reader->Unsupported(field, "an array of arrays", "an array of plain values");
}

Status ReadArray(GgufReader* reader, std::string_view field, GgufValue* out) {
  GgufType type = GgufType::kU8;
  RINGLET_RETURN_IF_ERROR(ReadType(reader, fmt::format("{}: element type", field), &type));
  uint64_t count = 0;
  const std::string length_field = fmt::format("{}: array length", field);
  RINGLET_RETURN_IF_ERROR(reader->Read(length_field, &count));
  const uint64_t min_bytes = TraitsOfGgufType(static_cast<uint32_t>(type))->min_bytes;
  RINGLET_RETURN_IF_ERROR(reader->CheckCount(length_field, count, kMaxArrayLength, min_bytes));
  return ReadPlain(reader, field, type, count, out);
}

Status SetAlignment(const GgufReader& reader, std::string_view field, GgufType type,
                    const GgufValue& value, uint64_t* alignment) {
  const auto* number = std::get_if<int64_t>(&value.value);
  if (type != GgufType::kU32 || number == nullptr) {
    return reader.Bad(field, TraitsOfGgufType(static_cast<uint32_t>(type))->name, "u32");
  }
  *alignment = static_cast<uint64_t>(*number);
  if (std::has_single_bit(*alignment) && *alignment <= kMaxAlignment) return Status::Ok();
  return reader.Bad(field, fmt::to_string(*alignment),
                    fmt::format("a power of two up to {}", kMaxAlignment));
}

}  // namespace

Status ReadGgufMetadata(GgufReader* reader, uint64_t count, GgufMetadata* metadata) {
  for (uint64_t i = 0; i < count; ++i) {
    std::string key;
    RINGLET_RETURN_IF_ERROR(reader->ReadName(fmt::format("metadata key {}", i), &key));
    const std::string field = "metadata " + Quote(key);
    GgufType type = GgufType::kU8;
    RINGLET_RETURN_IF_ERROR(ReadType(reader, field + ": type", &type));
    GgufValue value;
    RINGLET_RETURN_IF_ERROR(type == GgufType::kArray
                                ? ReadArray(reader, field, &value)
                                : ReadPlain(reader, field, type, std::nullopt, &value));
    if (key == kAlignmentKey) {
      RINGLET_RETURN_IF_ERROR(SetAlignment(*reader, field, type, value, &metadata->alignment));
    }
    if (!metadata->values.emplace(std::move(key), std::move(value)).second) {
      return reader->Bad(field, "this key twice", "each key once");
    }
    RINGLET_RETURN_IF_ERROR(reader->CheckHeaderSize());
  }
  return Status::Ok();
}

}  // namespace ringlet
