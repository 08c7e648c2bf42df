// The parts of reading safetensors that fill a Safetensors object.
#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/status.h"
#include "io/safetensors.h"

namespace ringlet {

class SafetensorsParser {
 public:
  static Result<std::shared_ptr<const Safetensors>> ParseFile(
      std::span<const std::byte> bytes, const std::string& source,
      const std::shared_ptr<const void>& keep_alive,
      const std::shared_ptr<const MappedFile>& mapped);
  static Result<std::shared_ptr<const Safetensors>> OpenFile(const std::string& path);
  // model.safetensors if the directory has it, else the shards of model.safetensors.index.json,
  // else its only *.safetensors.
  static Result<std::shared_ptr<const Safetensors>> OpenDirectory(const std::string& directory);

 private:
  static Result<std::shared_ptr<const Safetensors>> OpenShards(const std::string& directory,
                                                               const std::string& index_path);
};

// Tensor name -> shard file name, from the text of an index. Errors name `source`. Shard names are
// plain *.safetensors file names that cannot leave their directory.
Result<std::map<std::string, std::string>> ParseSafetensorsIndex(std::string_view text,
                                                                 const std::string& source);

}  // namespace ringlet
