// What a checkpoint store asks of a file system: an interface, so that tests can let every single
// call fail.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace ringlet {

class OutputFile {
 public:
  virtual ~OutputFile() = default;  // closes without syncing
  virtual Status Write(std::span<const std::byte> bytes) = 0;
  // The bytes are on the disk when this is ok. Nothing may follow.
  virtual Status SyncAndClose() = 0;
};

// Every error names the path and what the operating system said. A full disk is kResource.
class FileSystem {
 public:
  virtual ~FileSystem() = default;
  // No error when it is there.
  virtual Status MakeDirectory(const std::string& path) = 0;
  // A new file; an error when the name is taken.
  virtual Result<std::unique_ptr<OutputFile>> Create(const std::string& path) = 0;
  virtual Status SyncDirectory(const std::string& path) = 0;
  virtual Status Rename(const std::string& from, const std::string& to) = 0;
  virtual Status RemoveFile(const std::string& path) = 0;
  virtual Status RemoveDirectory(const std::string& path) = 0;  // must be empty
  // Names in a directory, sorted, without "." and "..".
  virtual Result<std::vector<std::string>> List(const std::string& path) = 0;
  // That this process may still write where `path` is.
  virtual Result<uint64_t> FreeBytes(const std::string& path) = 0;
};

// The operating system's; has no state.
std::shared_ptr<FileSystem> PosixFileSystem();

// "path: cannot action: what errno says".
Status FileError(std::string_view path, std::string_view action);

}  // namespace ringlet
