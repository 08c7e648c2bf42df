#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <utility>

#include "base/json.h"
#include "base/text.h"
#include "io/limits.h"
#include "io/safetensors_parser.h"

namespace ringlet {
namespace {

constexpr std::string_view kSuffix = ".safetensors";
constexpr uint64_t kMaxIndexBytes = uint64_t{1} << 28;
constexpr size_t kMaxShards = 10'000;

bool EndsWith(std::string_view text, std::string_view suffix) {
  return text.size() > suffix.size() && text.substr(text.size() - suffix.size()) == suffix;
}

// What is wrong with a shard's file name; empty when nothing is. A name must stay in the directory.
std::string_view ShardNameFault(std::string_view name) {
  if (name.empty()) return "an empty name";
  if (name.find('/') != std::string_view::npos) return "a name with '/'";
  if (name.find('\\') != std::string_view::npos) return "a name with a backslash";
  if (name.find("..") != std::string_view::npos) return "a name with '..'";
  if (name.find('\0') != std::string_view::npos) return "a name with a NUL";
  if (!EndsWith(name, kSuffix)) return "another kind of file";
  return {};
}

Result<std::string> OnlySafetensorsFile(const std::string& directory) {
  std::error_code error;
  std::filesystem::directory_iterator entry(directory, error);
  std::vector<std::string> names;
  while (!error && entry != std::filesystem::directory_iterator()) {
    std::string name = entry->path().filename().string();
    if (EndsWith(name, kSuffix)) names.push_back(std::move(name));
    entry.increment(error);
  }
  if (error) {
    return Status(StatusCode::kIo,
                  fmt::format("{}: cannot list the directory: {}", directory, error.message()));
  }
  if (names.size() == 1) return names.front();
  return Status(StatusCode::kNotFound,
                fmt::format("{}: found {} *.safetensors files, expected model.safetensors, "
                            "model.safetensors.index.json or a single *.safetensors file",
                            directory, names.size()));
}

}  // namespace

Result<std::map<std::string, std::string>> ParseSafetensorsIndex(std::string_view text,
                                                                 const std::string& source) {
  RINGLET_ASSIGN_OR_RETURN(Json root, ParseJson(text, source));
  if (!root.is_object()) return BadInput(source, "", JsonTypeName(root), "an object");
  const auto found = root.find("weight_map");
  if (found == root.end()) {
    return BadInput(source, "weight_map", "nothing", "an object of shard names");
  }
  if (!found->is_object()) {
    return BadInput(source, "weight_map", JsonTypeName(*found), "an object of shard names");
  }
  if (found->empty() || found->size() > kMaxTensors) {
    return BadInput(source, "weight_map", fmt::format("{} tensors", found->size()),
                    fmt::format("1 to {}", kMaxTensors));
  }
  std::map<std::string, std::string> shards;
  for (auto& [tensor, shard] : found->items()) {
    const std::string field = "weight_map: " + Quote(tensor);
    if (!shard.is_string()) return BadInput(source, field, JsonTypeName(shard), "a shard name");
    auto& name = shard.get_ref<std::string&>();
    if (const std::string_view fault = ShardNameFault(name); !fault.empty()) {
      return BadInput(source, field, fmt::format("{}: {}", fault, Quote(name)),
                      "a *.safetensors file beside the index");
    }
    shards.emplace(tensor, std::move(name));
  }
  return shards;
}

Result<std::shared_ptr<const Safetensors>> SafetensorsParser::OpenShards(
    const std::string& directory, const std::string& index_path) {
  RINGLET_ASSIGN_OR_RETURN(const std::string text, ReadFile(index_path, kMaxIndexBytes));
  RINGLET_ASSIGN_OR_RETURN(const auto shard_of, ParseSafetensorsIndex(text, index_path));
  std::set<std::string> shard_names;
  for (const auto& [tensor, shard] : shard_of) shard_names.insert(shard);
  if (shard_names.size() > kMaxShards) {
    return BadInput(index_path, "weight_map", fmt::format("{} shards", shard_names.size()),
                    fmt::format("at most {}", kMaxShards));
  }
  auto whole = std::make_shared<Safetensors>();
  whole->path_ = directory;
  for (const std::string& shard_name : shard_names) {
    const std::string path = directory + "/" + shard_name;
    RINGLET_ASSIGN_OR_RETURN(const auto shard, OpenFile(path));
    whole->files_.insert(whole->files_.end(), shard->files_.begin(), shard->files_.end());
    for (const auto& [name, tensor] : shard->tensors_) {
      const auto mapped = shard_of.find(name);
      if (mapped == shard_of.end() || mapped->second != shard_name) {
        return BadInput(path, "tensor " + Quote(name),
                        mapped == shard_of.end() ? "no entry in the index"
                                                 : "it mapped to " + Quote(mapped->second),
                        "the index to map it to this shard");
      }
      whole->tensors_.emplace(name, tensor);
    }
    whole->metadata_.insert(shard->metadata_.begin(), shard->metadata_.end());
  }
  for (const auto& [tensor, shard] : shard_of) {
    if (whole->tensors_.count(tensor) == 0) {
      return BadInput(index_path, "weight_map: " + Quote(tensor),
                      fmt::format("{}, which has no such tensor", Quote(shard)),
                      "the shard that holds it");
    }
  }
  return std::shared_ptr<const Safetensors>(std::move(whole));
}

Result<std::shared_ptr<const Safetensors>> SafetensorsParser::OpenDirectory(
    const std::string& directory) {
  const std::string single = directory + "/model.safetensors";
  if (FileExists(single)) return Safetensors::Open(single);
  const std::string index = single + ".index.json";
  if (FileExists(index)) return OpenShards(directory, index);
  RINGLET_ASSIGN_OR_RETURN(const std::string only, OnlySafetensorsFile(directory));
  return Safetensors::Open(directory + "/" + only);
}

}  // namespace ringlet
