// CheckpointStore: the checkpoints of one training run, in one directory.
//
// A checkpoint is a directory step-000000001000/ of files and manifest.json, which holds the size
// and the XXH3 of every file and of itself. It is written beside, as .new-..., every file synced,
// then renamed, then the directory is synced: under its name it is whole, whatever kills the
// process or the machine. What a killed process left (.new-..., .old-...) is removed when the store
// is opened. Old checkpoints go only when a newer one is on the disk.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "base/status.h"
#include "io/safetensors.h"
#include "tensor/dtype.h"
#include "train/store/file_system.h"

namespace ringlet {

struct CheckpointTensor {
  std::string name;
  DType dtype = DType::kF32;
  std::vector<int64_t> shape;
  std::span<const std::byte> data;  // as large as dtype and shape say
};

// What goes into one checkpoint. Names of files are letters, digits, '.', '-' and '_', and begin
// with a letter.
struct CheckpointContents {
  int64_t step = 0;
  std::map<std::string, std::string> texts;                      // any bytes
  std::map<std::string, std::vector<CheckpointTensor>> tensors;  // "weights": weights.safetensors
};

// A checkpoint whose files were all read and found as they were written. Its files stay mapped.
class StoredCheckpoint {
 public:
  int64_t step() const { return step_; }
  const std::string& path() const { return path_; }
  // Errors: kNotFound. Valid while this object, or a tensor's keep_alive, lives.
  Result<std::string_view> Text(const std::string& name) const;
  Result<std::shared_ptr<const Safetensors>> Tensors(const std::string& name) const;

 private:
  friend class CheckpointStore;
  int64_t step_ = 0;
  std::string path_;
  std::map<std::string, std::shared_ptr<const MappedFile>> files_;
};

struct DamagedCheckpoint {
  std::string path;
  Status problem;
};

// Which checkpoints stay when a new one was saved: the newest `keep` (at least 1), those whose step
// is a multiple of `keep_every` (0: none), and those of `steps`, ascending.
struct RetentionRule {
  int64_t keep = 3;
  int64_t keep_every = 0;
  std::vector<int64_t> steps = {};
};

class CheckpointStore {
 public:
  // Makes the directory when its parent is there, and locks it while the store lives. Errors:
  // another process has it (kResource), the operating system.
  static Result<CheckpointStore> Open(const std::string& directory, const RetentionRule& rule,
                                      std::shared_ptr<FileSystem> files = PosixFileSystem());

  // Steps of all checkpoints, ascending, damaged ones too.
  Result<std::vector<int64_t>> Steps() const;

  // When this is ok the checkpoint survives a crash. When it is not, the others are as they were,
  // unless the error says that it concerns removing old ones: then the new one is there too. A
  // damaged checkpoint of the same step is replaced, a sound one is an error. A disk without room
  // for it is kResource and costs nothing.
  Status Save(const CheckpointContents& contents);

  // The newest sound checkpoint, or none. `damaged` gets those that were passed over.
  Result<std::optional<StoredCheckpoint>> LoadNewest(std::vector<DamagedCheckpoint>* damaged) const;
  // Errors name the file and what is wrong with it.
  Result<StoredCheckpoint> Load(int64_t step) const;

  // Removes all checkpoints of later steps: a run that goes back begins there.
  Status RemoveAfter(int64_t step);

 private:
  CheckpointStore(std::string directory, const RetentionRule& rule,
                  std::shared_ptr<FileSystem> files, DirectoryLock lock)
      : directory_(std::move(directory)),
        rule_(rule),
        files_(std::move(files)),
        lock_(std::move(lock)) {}

  std::string PathOf(int64_t step) const;
  Status RemoveLeftovers();
  Status WriteAll(const CheckpointContents& contents, const std::string& path);
  // Renames first, so that a name of a checkpoint never stands for a part of one.
  Status RemoveCheckpoint(int64_t step);
  Status RemoveTree(const std::string& path);
  Status Prune();

  std::string directory_;
  RetentionRule rule_;
  std::shared_ptr<FileSystem> files_;
  DirectoryLock lock_;
};

}  // namespace ringlet
