#include "base/file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include <fmt/format.h>

#include "base/memory.h"

namespace ringlet {
namespace {

// Files from here on are worth huge pages.
constexpr uint64_t kLarge = uint64_t{64} << 20;

Status ErrnoStatus(std::string_view path, std::string_view action) {
  const int error = errno;
  const StatusCode code = error == ENOENT   ? StatusCode::kNotFound
                          : error == ENOSPC ? StatusCode::kResource
                                            : StatusCode::kIo;
  return Status(code, fmt::format("{}: cannot {}: {}", path, action, std::strerror(error)));
}

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

// Without O_NONBLOCK, opening a named pipe waits for a writer, and the check that refuses it would
// never run. Regular files ignore the flag.
int OpenToRead(const std::string& path) {
  return ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
}

// The size of an open regular file; directories and devices are refused.
Result<uint64_t> RegularFileSize(int fd, const std::string& path) {
  struct stat info {};
  if (::fstat(fd, &info) != 0) return ErrnoStatus(path, "stat");
  if (!S_ISREG(info.st_mode)) {
    return BadInput(path, "", S_ISDIR(info.st_mode) ? "a directory" : "a special file",
                    "a regular file");
  }
  return static_cast<uint64_t>(info.st_size);
}

}  // namespace

Result<std::shared_ptr<const MappedFile>> MappedFile::Open(const std::string& path) {
  Descriptor fd(OpenToRead(path));
  if (fd.get() < 0) return ErrnoStatus(path, "open");
  RINGLET_ASSIGN_OR_RETURN(const uint64_t size, RegularFileSize(fd.get(), path));
  const std::byte* data = nullptr;
  if (size > 0) {
    void* mapping = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, fd.get(), 0);
    if (mapping == MAP_FAILED) return ErrnoStatus(path, "map");
    // Weights are read from end to end for every token: small pages cost an eighth of the
    // bandwidth. A file that is not in memory yet then comes in huge pages, where the file system
    // has them. What does not fit memory is read in the pieces that are needed.
    if (size >= kLarge && size <= UsableMemory()) (void)::madvise(mapping, size, MADV_HUGEPAGE);
    data = static_cast<const std::byte*>(mapping);
  }
  return std::shared_ptr<const MappedFile>(new MappedFile(path, data, size));
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(const_cast<std::byte*>(data_), size_);
}

void MappedFile::Advise(std::span<const std::byte> part, Access access) const {
  const auto page = static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE));
  auto begin = reinterpret_cast<uintptr_t>(part.data());
  auto end = begin + part.size();
  RINGLET_CHECK(part.empty() || (part.data() >= data_ && part.size() <= size_ &&
                                 part.data() + part.size() <= data_ + size_),
                "a part of another file");
  // Pages that neighbours use stay; a page to fetch is fetched whole.
  begin = access == Access::kDone ? (begin + page - 1) / page * page : begin / page * page;
  if (access == Access::kDone) end = end / page * page;
  if (part.empty() || begin >= end) return;
  ::madvise(reinterpret_cast<void*>(begin), end - begin,
            access == Access::kSoon ? MADV_WILLNEED : MADV_DONTNEED);
}

Result<std::string> ReadFile(const std::string& path, uint64_t max_bytes) {
  Descriptor fd(OpenToRead(path));
  if (fd.get() < 0) return ErrnoStatus(path, "open");
  RINGLET_ASSIGN_OR_RETURN(const uint64_t size, RegularFileSize(fd.get(), path));
  if (size > max_bytes) {
    return BadInput(path, "", fmt::format("{} bytes", size),
                    fmt::format("at most {} bytes", max_bytes));
  }
  std::string text(size, '\0');
  size_t done = 0;
  while (done < size) {
    const ssize_t got = ::read(fd.get(), text.data() + done, size - done);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return ErrnoStatus(path, "read");
    if (got == 0) break;
    done += static_cast<size_t>(got);
  }
  text.resize(done);
  return text;
}

bool FileExists(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode);
}

bool IsDirectory(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

Status MakeDirectories(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (!error) return Status::Ok();
  return Status(StatusCode::kIo, fmt::format("{}: cannot create: {}", path, error.message()));
}

Result<AtomicFile> AtomicFile::Create(const std::string& path) {
  const std::string temp = fmt::format("{}.tmp.{}", path, ::getpid());
  const int fd = ::open(temp.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) return ErrnoStatus(temp, "create");
  return AtomicFile(path, temp, fd);
}

AtomicFile::AtomicFile(AtomicFile&& other) noexcept
    : path_(std::move(other.path_)), temp_(std::move(other.temp_)), fd_(other.fd_) {
  other.fd_ = -1;
}

AtomicFile::~AtomicFile() {
  if (fd_ < 0) return;
  ::close(fd_);
  ::unlink(temp_.c_str());
}

Status AtomicFile::Append(std::span<const std::byte> bytes) {
  size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t wrote = ::write(fd_, bytes.data() + done, bytes.size() - done);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return ErrnoStatus(temp_, "write");
    done += static_cast<size_t>(wrote);
  }
  return Status::Ok();
}

Status AtomicFile::Append(std::string_view text) {
  return Append(std::as_bytes(std::span(text.data(), text.size())));
}

Status AtomicFile::Commit() {
  if (::fsync(fd_) != 0) return ErrnoStatus(temp_, "sync");
  // Written piece by piece it lies in small pages; who maps it next reads it into huge ones.
  if (::lseek(fd_, 0, SEEK_CUR) >= static_cast<off_t>(kLarge)) {
    (void)::posix_fadvise(fd_, 0, 0, POSIX_FADV_DONTNEED);
  }
  if (::rename(temp_.c_str(), path_.c_str()) != 0) return ErrnoStatus(path_, "rename to");
  ::close(fd_);
  fd_ = -1;
  const size_t slash = path_.rfind('/');
  const std::string parent = slash == std::string::npos ? "." : path_.substr(0, slash + 1);
  Descriptor directory(::open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory.get() < 0 || ::fsync(directory.get()) != 0) return ErrnoStatus(parent, "sync");
  return Status::Ok();
}

Result<DirectoryLock> DirectoryLock::Acquire(const std::string& directory) {
  const int fd = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return ErrnoStatus(directory, "open");
  if (::flock(fd, LOCK_EX | LOCK_NB) == 0) return DirectoryLock(fd);
  const Status status =
      errno == EWOULDBLOCK
          ? Status(StatusCode::kResource, fmt::format("{}: found another process that writes here, "
                                                      "expected none",
                                                      directory))
          : ErrnoStatus(directory, "lock");
  ::close(fd);
  return status;
}

DirectoryLock::~DirectoryLock() {
  if (fd_ >= 0) ::close(fd_);
}

Status WriteFile(const std::string& path, std::string_view text) {
  RINGLET_ASSIGN_OR_RETURN(AtomicFile file, AtomicFile::Create(path));
  RINGLET_RETURN_IF_ERROR(file.Append(text));
  return file.Commit();
}

}  // namespace ringlet
