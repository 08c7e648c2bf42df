#include "train/store/file_system.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <fmt/format.h>

namespace ringlet {
namespace {

class PosixFile : public OutputFile {
 public:
  PosixFile(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}
  ~PosixFile() override {
    if (fd_ >= 0) ::close(fd_);
  }

  Status Write(std::span<const std::byte> bytes) override {
    while (!bytes.empty()) {
      const ssize_t wrote = ::write(fd_, bytes.data(), bytes.size());
      if (wrote < 0 && errno == EINTR) continue;
      if (wrote < 0) return FileError(path_, "write");
      bytes = bytes.subspan(static_cast<size_t>(wrote));
    }
    return Status::Ok();
  }
  Status SyncAndClose() override {
    if (::fsync(fd_) != 0) return FileError(path_, "sync");
    const int closed = ::close(fd_);
    fd_ = -1;
    return closed == 0 ? Status::Ok() : FileError(path_, "close");
  }

 private:
  std::string path_;
  int fd_;
};

class Posix : public FileSystem {
 public:
  Status MakeDirectory(const std::string& path) override {
    if (::mkdir(path.c_str(), 0755) == 0 || errno == EEXIST) return Status::Ok();
    return FileError(path, "make the directory");
  }
  Result<std::unique_ptr<OutputFile>> Create(const std::string& path) override {
    const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0) return FileError(path, "create");
    return std::unique_ptr<OutputFile>(std::make_unique<PosixFile>(path, fd));
  }
  Status SyncDirectory(const std::string& path) override {
    const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return FileError(path, "open");
    const bool synced = ::fsync(fd) == 0;
    const Status status = synced ? Status::Ok() : FileError(path, "sync");
    ::close(fd);
    return status;
  }
  Status Rename(const std::string& from, const std::string& to) override {
    return ::rename(from.c_str(), to.c_str()) == 0 ? Status::Ok() : FileError(to, "rename to");
  }
  Status RemoveFile(const std::string& path) override {
    return ::unlink(path.c_str()) == 0 ? Status::Ok() : FileError(path, "remove");
  }
  Status RemoveDirectory(const std::string& path) override {
    return ::rmdir(path.c_str()) == 0 ? Status::Ok() : FileError(path, "remove");
  }
  Result<std::vector<std::string>> List(const std::string& path) override {
    DIR* directory = ::opendir(path.c_str());
    if (directory == nullptr) return FileError(path, "list");
    std::vector<std::string> names;
    errno = 0;
    while (const dirent* entry = ::readdir(directory)) {
      const std::string name = entry->d_name;
      if (name != "." && name != "..") names.push_back(name);
    }
    const Status status = errno == 0 ? Status::Ok() : FileError(path, "list");
    ::closedir(directory);
    RINGLET_RETURN_IF_ERROR(status);
    std::ranges::sort(names);
    return names;
  }
  Result<uint64_t> FreeBytes(const std::string& path) override {
    struct statvfs info {};
    if (::statvfs(path.c_str(), &info) != 0) return FileError(path, "ask for the space of");
    return uint64_t{info.f_bavail} * info.f_frsize;
  }
};

}  // namespace

std::shared_ptr<FileSystem> PosixFileSystem() { return std::make_shared<Posix>(); }

Status FileError(std::string_view path, std::string_view action) {
  const int error = errno;
  const StatusCode code = error == ENOENT                      ? StatusCode::kNotFound
                          : error == ENOSPC || error == EDQUOT ? StatusCode::kResource
                                                               : StatusCode::kIo;
  return Status(code, fmt::format("{}: cannot {}: {}", path, action, std::strerror(error)));
}

}  // namespace ringlet
