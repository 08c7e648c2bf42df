#include "train/store/checkpoint_store.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "base/hasher.h"
#include "io/safetensors_header.h"
#include "train/store/manifest.h"

namespace ringlet {
namespace {

constexpr std::string_view kStepPrefix = "step-";
constexpr std::string_view kNewPrefix = ".new-";
constexpr std::string_view kOldPrefix = ".old-";
// Hashed and written piece by piece, so that the second of the two finds it in a cache.
constexpr size_t kPiece = size_t{1} << 20;
// Room that the directory and the file system's own tables may need.
constexpr uint64_t kSpareBytes = uint64_t{1} << 20;
constexpr uint64_t kMaxManifest = uint64_t{1} << 24;

std::string StepName(int64_t step) { return fmt::format("{}{:012}", kStepPrefix, step); }

std::optional<int64_t> StepOf(std::string_view name) {
  if (!name.starts_with(kStepPrefix)) return std::nullopt;
  const std::string_view digits = name.substr(kStepPrefix.size());
  int64_t step = 0;
  const auto [rest, error] = std::from_chars(digits.data(), digits.data() + digits.size(), step);
  const bool whole = error == std::errc() && rest == digits.data() + digits.size() && step >= 0;
  return whole && StepName(step) == name ? std::optional(step) : std::nullopt;
}

std::span<const std::byte> BytesOf(std::string_view text) { return std::as_bytes(std::span(text)); }

// One file of a checkpoint: pieces that follow each other.
struct Part {
  std::string name;
  std::vector<std::span<const std::byte>> pieces;
  uint64_t bytes = 0;

  void Add(std::span<const std::byte> piece) {
    pieces.push_back(piece);
    bytes += piece.size();
  }
};

// The files of a checkpoint. `preambles` holds bytes that they refer to.
Result<std::vector<Part>> PartsOf(const CheckpointContents& contents, const std::string& path,
                                  std::vector<std::unique_ptr<std::string>>* preambles) {
  std::vector<Part> parts;
  for (const auto& [name, text] : contents.texts) {
    Part part{name, {}, 0};
    part.Add(BytesOf(text));
    parts.push_back(std::move(part));
  }
  for (const auto& [name, tensors] : contents.tensors) {
    std::vector<SafetensorsEntry> entries;
    Part part{name + ".safetensors", {}, 0};
    for (const CheckpointTensor& tensor : tensors) {
      entries.push_back({tensor.name, tensor.dtype, tensor.shape});
    }
    RINGLET_ASSIGN_OR_RETURN(
        std::string preamble,
        SafetensorsPreamble(fmt::format("{}/{}", path, part.name), entries, {}));
    preambles->push_back(std::make_unique<std::string>(std::move(preamble)));
    part.Add(BytesOf(*preambles->back()));
    for (const CheckpointTensor& tensor : tensors) {
      RINGLET_CHECK(PlainTensorBytes(tensor.dtype, tensor.shape) == tensor.data.size(),
                    "data as large as the shape says");
      part.Add(tensor.data);
    }
    parts.push_back(std::move(part));
  }
  std::ranges::sort(parts, {}, &Part::name);
  return parts;
}

Status CheckParts(const std::vector<Part>& parts, const std::string& path) {
  for (size_t i = 0; i < parts.size(); ++i) {
    if (!IsCheckpointFileName(parts[i].name) || parts[i].name == kCheckpointManifest) {
      return BadInput(path, "file", parts[i].name, "letters, digits, '.', '-' and '_'");
    }
    if (i > 0 && parts[i].name == parts[i - 1].name) {
      return BadInput(path, "file", parts[i].name, "different names");
    }
  }
  return Status::Ok();
}

Result<uint64_t> WritePart(const Part& part, const std::string& path, FileSystem& files) {
  RINGLET_ASSIGN_OR_RETURN(const std::unique_ptr<OutputFile> file, files.Create(path));
  Hasher hash;
  for (std::span<const std::byte> rest : part.pieces) {
    while (!rest.empty()) {
      const auto piece = rest.first(std::min(rest.size(), kPiece));
      hash.Add(piece);
      RINGLET_RETURN_IF_ERROR(file->Write(piece));
      rest = rest.subspan(piece.size());
    }
  }
  RINGLET_RETURN_IF_ERROR(file->SyncAndClose());
  return hash.Digest();
}

}  // namespace

Result<std::string_view> StoredCheckpoint::Text(const std::string& name) const {
  const auto found = files_.find(name);
  if (found == files_.end()) {
    return Status(StatusCode::kNotFound, fmt::format("{}: found no file {}", path_, name));
  }
  const std::span<const std::byte> bytes = found->second->bytes();
  return std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

Result<std::shared_ptr<const Safetensors>> StoredCheckpoint::Tensors(
    const std::string& name) const {
  const std::string file = name + ".safetensors";
  const auto found = files_.find(file);
  if (found == files_.end()) {
    return Status(StatusCode::kNotFound, fmt::format("{}: found no file {}", path_, file));
  }
  return Safetensors::Parse(found->second->bytes(), path_ + "/" + file, found->second);
}

Result<CheckpointStore> CheckpointStore::Open(const std::string& directory,
                                              const RetentionRule& rule,
                                              std::shared_ptr<FileSystem> files) {
  RINGLET_CHECK(rule.keep >= 1, "the newest checkpoint stays");
  RINGLET_RETURN_IF_ERROR(files->MakeDirectory(directory));
  // The name of a new directory is on the disk only then.
  RINGLET_RETURN_IF_ERROR(files->SyncDirectory(directory + "/.."));
  RINGLET_ASSIGN_OR_RETURN(DirectoryLock lock, DirectoryLock::Acquire(directory));
  CheckpointStore store(directory, rule, std::move(files), std::move(lock));
  RINGLET_RETURN_IF_ERROR(store.RemoveLeftovers());
  return store;
}

std::string CheckpointStore::PathOf(int64_t step) const {
  return fmt::format("{}/{}", directory_, StepName(step));
}

Result<std::vector<int64_t>> CheckpointStore::Steps() const {
  RINGLET_ASSIGN_OR_RETURN(const std::vector<std::string> names, files_->List(directory_));
  std::vector<int64_t> steps;
  for (const std::string& name : names) {
    if (const std::optional<int64_t> step = StepOf(name)) steps.push_back(*step);
  }
  std::ranges::sort(steps);
  return steps;
}

Status CheckpointStore::RemoveLeftovers() {
  RINGLET_ASSIGN_OR_RETURN(const std::vector<std::string> names, files_->List(directory_));
  for (const std::string& name : names) {
    if (name.starts_with(kNewPrefix) || name.starts_with(kOldPrefix)) {
      RINGLET_RETURN_IF_ERROR(RemoveTree(directory_ + "/" + name));
    }
  }
  return Status::Ok();
}

Status CheckpointStore::RemoveTree(const std::string& path) {
  RINGLET_ASSIGN_OR_RETURN(const std::vector<std::string> names, files_->List(path));
  for (const std::string& name : names) {
    RINGLET_RETURN_IF_ERROR(files_->RemoveFile(path + "/" + name));
  }
  return files_->RemoveDirectory(path);
}

Status CheckpointStore::RemoveCheckpoint(int64_t step) {
  const std::string old = fmt::format("{}/{}{}", directory_, kOldPrefix, StepName(step));
  if (IsDirectory(old)) RINGLET_RETURN_IF_ERROR(RemoveTree(old));
  RINGLET_RETURN_IF_ERROR(files_->Rename(PathOf(step), old));
  return RemoveTree(old);
}

Status CheckpointStore::WriteAll(const CheckpointContents& contents, const std::string& path) {
  std::vector<std::unique_ptr<std::string>> preambles;
  RINGLET_ASSIGN_OR_RETURN(const std::vector<Part> parts, PartsOf(contents, path, &preambles));
  RINGLET_RETURN_IF_ERROR(CheckParts(parts, path));
  uint64_t bytes = kSpareBytes;
  for (const Part& part : parts) bytes += part.bytes;
  RINGLET_ASSIGN_OR_RETURN(const uint64_t free, files_->FreeBytes(directory_));
  if (free < bytes) {
    return Status(StatusCode::kResource,
                  fmt::format("{}: found {} bytes free, expected {} for the checkpoint of step {}",
                              directory_, free, bytes, contents.step));
  }
  RINGLET_RETURN_IF_ERROR(files_->MakeDirectory(path));
  CheckpointManifest manifest;
  manifest.step = contents.step;
  for (const Part& part : parts) {
    RINGLET_ASSIGN_OR_RETURN(const uint64_t hash, WritePart(part, path + "/" + part.name, *files_));
    manifest.files.push_back({part.name, part.bytes, hash});
  }
  const std::string text = CheckpointManifestText(manifest);
  Part part{std::string(kCheckpointManifest), {}, 0};
  part.Add(BytesOf(text));
  RINGLET_RETURN_IF_ERROR(WritePart(part, path + "/" + part.name, *files_).status());
  return files_->SyncDirectory(path);
}

Status CheckpointStore::Save(const CheckpointContents& contents) {
  RINGLET_CHECK(contents.step >= 0, "steps are counts");
  RINGLET_ASSIGN_OR_RETURN(const std::vector<int64_t> steps, Steps());
  if (std::ranges::binary_search(steps, contents.step)) {
    if (Load(contents.step).ok()) {
      return BadInput(PathOf(contents.step), "", "a sound checkpoint", "none of this step");
    }
    RINGLET_RETURN_IF_ERROR(RemoveCheckpoint(contents.step));
  }
  const std::string path = fmt::format("{}/{}{}", directory_, kNewPrefix, StepName(contents.step));
  // Of an attempt that could not be cleaned up.
  if (IsDirectory(path)) RINGLET_RETURN_IF_ERROR(RemoveTree(path));
  Status status = WriteAll(contents, path);
  if (status.ok()) status = files_->Rename(path, PathOf(contents.step));
  if (!status.ok()) {
    // What cannot be removed now is removed when the store is opened the next time.
    if (IsDirectory(path)) (void)RemoveTree(path);
    return status;
  }
  RINGLET_RETURN_IF_ERROR(files_->SyncDirectory(directory_));
  const Status pruned = Prune();
  return pruned.ok() ? pruned : pruned.WithContext("removing old checkpoints");
}

Status CheckpointStore::Prune() {
  RINGLET_ASSIGN_OR_RETURN(const std::vector<int64_t> steps, Steps());
  const auto keep = static_cast<size_t>(rule_.keep);
  for (size_t i = 0; i + keep < steps.size(); ++i) {
    if (rule_.keep_every > 0 && steps[i] % rule_.keep_every == 0) continue;
    if (std::ranges::binary_search(rule_.steps, steps[i])) continue;
    RINGLET_RETURN_IF_ERROR(RemoveCheckpoint(steps[i]));
  }
  return Status::Ok();
}

Status CheckpointStore::RemoveAfter(int64_t step) {
  RINGLET_ASSIGN_OR_RETURN(std::vector<int64_t> steps, Steps());
  // The newest first: a crash in between leaves no gap.
  std::ranges::reverse(steps);
  for (const int64_t later : steps) {
    if (later > step) RINGLET_RETURN_IF_ERROR(RemoveCheckpoint(later));
  }
  return files_->SyncDirectory(directory_);
}

Result<StoredCheckpoint> CheckpointStore::Load(int64_t step) const {
  StoredCheckpoint checkpoint;
  checkpoint.step_ = step;
  checkpoint.path_ = PathOf(step);
  const std::string manifest_path = fmt::format("{}/{}", checkpoint.path_, kCheckpointManifest);
  RINGLET_ASSIGN_OR_RETURN(const std::string text, ReadFile(manifest_path, kMaxManifest));
  RINGLET_ASSIGN_OR_RETURN(const CheckpointManifest manifest,
                           ParseCheckpointManifest(text, manifest_path));
  if (manifest.step != step) {
    return BadInput(manifest_path, "step", fmt::to_string(manifest.step), fmt::to_string(step));
  }
  for (const CheckpointFile& file : manifest.files) {
    const std::string path = fmt::format("{}/{}", checkpoint.path_, file.name);
    RINGLET_ASSIGN_OR_RETURN(std::shared_ptr<const MappedFile> mapped, MappedFile::Open(path));
    if (mapped->bytes().size() != file.bytes) {
      return BadInput(path, "", fmt::format("{} bytes", mapped->bytes().size()),
                      fmt::format("{} bytes", file.bytes));
    }
    const uint64_t hash = HashBytes(mapped->bytes());
    if (hash != file.xxh3) {
      return BadInput(path, "XXH3", fmt::format("{:016x}", hash),
                      fmt::format("{:016x}: the file is damaged", file.xxh3));
    }
    checkpoint.files_[file.name] = std::move(mapped);
  }
  return checkpoint;
}

Result<std::optional<StoredCheckpoint>> CheckpointStore::LoadNewest(
    std::vector<DamagedCheckpoint>* damaged) const {
  RINGLET_ASSIGN_OR_RETURN(std::vector<int64_t> steps, Steps());
  std::ranges::reverse(steps);
  for (const int64_t step : steps) {
    Result<StoredCheckpoint> loaded = Load(step);
    if (loaded.ok()) return std::optional(std::move(loaded).value());
    damaged->push_back({PathOf(step), loaded.status()});
  }
  return std::optional<StoredCheckpoint>();
}

}  // namespace ringlet
