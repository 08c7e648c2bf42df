// Files: memory-mapped reading, whole-file reading, and writing that never leaves half a file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/status.h"

namespace ringlet {

// What will happen to mapped bytes next.
enum class Access {
  kSoon,  // read: start fetching them
  kDone,  // not read again soon: their pages need not stay in this process
};

// A read-only mapping of a regular file. Bytes stay valid for the life of the object. If another
// process truncates the file, reads past its new end raise SIGBUS: writers must replace files by
// rename (AtomicFile does), never in place.
class MappedFile {
 public:
  static Result<std::shared_ptr<const MappedFile>> Open(const std::string& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  const std::string& path() const { return path_; }
  std::span<const std::byte> bytes() const { return {data_, size_}; }

  // A hint about a part of bytes(); it changes no byte and may do nothing.
  void Advise(std::span<const std::byte> part, Access access) const;

 private:
  MappedFile(std::string path, const std::byte* data, size_t size)
      : path_(std::move(path)), data_(data), size_(size) {}

  std::string path_;
  const std::byte* data_;
  size_t size_;
};

// The whole file as bytes; an error when it is larger than max_bytes.
Result<std::string> ReadFile(const std::string& path, uint64_t max_bytes = uint64_t{1} << 30);

bool FileExists(const std::string& path);
bool IsDirectory(const std::string& path);
// The directory and those it lies in, where they do not exist.
Status MakeDirectories(const std::string& path);

// Writes `path` through a temporary beside it: Append any number of times, then Commit, which
// syncs, renames and syncs the directory. Without Commit the destructor removes the temporary and
// `path` is untouched.
class AtomicFile {
 public:
  static Result<AtomicFile> Create(const std::string& path);
  AtomicFile(AtomicFile&& other) noexcept;
  AtomicFile& operator=(AtomicFile&&) = delete;
  ~AtomicFile();

  Status Append(std::span<const std::byte> bytes);
  Status Append(std::string_view text);
  Status Commit();

 private:
  AtomicFile(std::string path, std::string temp, int fd)
      : path_(std::move(path)), temp_(std::move(temp)), fd_(fd) {}

  std::string path_;
  std::string temp_;
  int fd_;
};

// Held by at most one process (and object) at a time for each directory; the operating system drops
// it when the process ends.
class DirectoryLock {
 public:
  // An error when someone else holds it.
  static Result<DirectoryLock> Acquire(const std::string& directory);
  DirectoryLock(DirectoryLock&& other) noexcept : fd_(other.fd_) { other.fd_ = -1; }
  DirectoryLock& operator=(DirectoryLock&&) = delete;
  ~DirectoryLock();

 private:
  explicit DirectoryLock(int fd) : fd_(fd) {}
  int fd_;
};

// AtomicFile in one call.
Status WriteFile(const std::string& path, std::string_view text);

}  // namespace ringlet
