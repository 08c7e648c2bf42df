#include "train/store/manifest.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "base/hasher.h"
#include "base/json.h"
#include "base/text.h"

namespace ringlet {
namespace {

constexpr int64_t kVersion = 1;
constexpr std::string_view kFormat = "ringlet training checkpoint";

std::string Hex(uint64_t value) { return fmt::format("{:016x}", value); }

bool ReadHex(const Json& json, uint64_t* out) {
  if (!json.is_string()) return false;
  const std::string& text = json.get_ref<const std::string&>();
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, *out, 16);
  return error == std::errc() && rest == end && text == Hex(*out);
}

// Of everything but the hash itself.
std::string SelfHash(const Json& json) {
  Json rest = json;
  rest.erase("xxh3");
  const std::string text = rest.dump(-1, ' ', true, Json::error_handler_t::replace);
  return Hex(HashText(text));
}

Result<CheckpointFile> ReadFileEntry(const Json& entry, const std::string& source) {
  CheckpointFile file;
  const auto wrong = [&](std::string_view expected) {
    return BadInput(source, "files", Quote(JsonBrief(entry)), expected);
  };
  if (!entry.is_object() || entry.size() != 3 || !entry.contains("name") ||
      !entry.contains("bytes") || !entry.contains("xxh3")) {
    return wrong("an object of name, bytes and xxh3");
  }
  if (!entry["name"].is_string()) return wrong("a name that is a string");
  file.name = entry["name"].get<std::string>();
  if (!IsCheckpointFileName(file.name)) return wrong("a plain file name");
  if (!entry["bytes"].is_number_unsigned()) return wrong("a count of bytes");
  file.bytes = entry["bytes"].get<uint64_t>();
  if (!ReadHex(entry["xxh3"], &file.xxh3)) return wrong("16 hexadecimal digits");
  return file;
}

}  // namespace

bool IsCheckpointFileName(std::string_view name) {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  const auto other = [](char c) {
    return (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';
  };
  return !name.empty() && name.size() <= 100 && letter(name.front()) &&
         std::ranges::all_of(name, [&](char c) { return letter(c) || other(c); });
}

std::string CheckpointManifestText(const CheckpointManifest& manifest) {
  Json files = Json::array();
  for (const CheckpointFile& file : manifest.files) {
    files.push_back({{"name", file.name}, {"bytes", file.bytes}, {"xxh3", Hex(file.xxh3)}});
  }
  Json json = {
      {"format", kFormat}, {"version", kVersion}, {"step", manifest.step}, {"files", files}};
  json["xxh3"] = SelfHash(json);
  return json.dump(1) + "\n";
}

Result<CheckpointManifest> ParseCheckpointManifest(std::string_view text,
                                                   const std::string& source) {
  RINGLET_ASSIGN_OR_RETURN(const Json json, ParseJson(text, source));
  if (!json.is_object() || json.value("format", Json()) != Json(kFormat)) {
    return BadInput(source, "format", "something else", Quote(kFormat));
  }
  if (json.value("version", Json()) != Json(kVersion)) {
    return BadInput(source, "version", JsonBrief(json.value("version", Json())),
                    fmt::to_string(kVersion));
  }
  if (json.value("xxh3", Json()) != Json(SelfHash(json))) {
    return BadInput(source, "xxh3", JsonBrief(json.value("xxh3", Json())),
                    fmt::format("{}: the manifest was changed", SelfHash(json)));
  }
  CheckpointManifest manifest;
  const Json step = json.value("step", Json());
  if (!step.is_number_unsigned() || step.get<uint64_t>() > uint64_t{INT64_MAX}) {
    return BadInput(source, "step", JsonBrief(step), "a count");
  }
  manifest.step = step.get<int64_t>();
  const Json files = json.value("files", Json());
  if (!files.is_array()) return BadInput(source, "files", JsonBrief(files), "an array");
  for (const Json& entry : files) {
    RINGLET_ASSIGN_OR_RETURN(CheckpointFile file, ReadFileEntry(entry, source));
    manifest.files.push_back(std::move(file));
  }
  return manifest;
}

}  // namespace ringlet
