#include "train/data/documents.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <system_error>

#include <fmt/format.h>

#include "base/json.h"
#include "base/text.h"

namespace ringlet {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

Status SystemError(const std::string& path, const std::error_code& error) {
  const bool absent = error == std::errc::no_such_file_or_directory;
  return Status(absent ? StatusCode::kNotFound : StatusCode::kIo,
                fmt::format("{}: cannot read: {}", path, error.message()));
}

Result<SourceFile> DescribeFile(const std::string& path) {
  std::error_code error;
  SourceFile file;
  file.path = path;
  file.bytes = fs::file_size(path, error);
  if (error) return SystemError(path, error);
  const fs::file_time_type modified = fs::last_write_time(path, error);
  if (error) return SystemError(path, error);
  file.modified_ns =
      std::chrono::duration_cast<std::chrono::nanoseconds>(modified.time_since_epoch()).count();
  file.jsonl = path.ends_with(".jsonl") || path.ends_with(".ndjson");
  return file;
}

bool IsHidden(const fs::path& path) { return path.filename().string().starts_with('.'); }

Status ListDirectory(const std::string& directory, std::vector<std::string>& paths) {
  std::error_code error;
  fs::recursive_directory_iterator entry(directory, error);
  for (; !error && entry != fs::recursive_directory_iterator(); entry.increment(error)) {
    if (IsHidden(entry->path())) {
      if (entry->is_directory(error)) entry.disable_recursion_pending();
    } else if (entry->is_regular_file(error)) {
      paths.push_back(entry->path().string());
    }
    if (error) break;
  }
  if (error) return SystemError(directory, error);
  std::ranges::sort(paths);
  return Status::Ok();
}

// `rest` up to and with its first line end, or all of it.
std::string_view FirstLine(std::string_view rest) {
  const size_t end = rest.find('\n');
  return end == rest.npos ? rest : rest.substr(0, end + 1);
}

std::string_view WithoutLineEnd(std::string_view line) {
  if (line.ends_with('\n')) line.remove_suffix(1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

}  // namespace

bool IsBlank(std::string_view text) {
  return text.find_first_not_of(" \t\r\n\v\f") == std::string_view::npos;
}

uint64_t TotalBytes(std::span<const SourceFile> files) {
  uint64_t total = 0;
  for (const SourceFile& file : files) total += file.bytes;
  return total;
}

Result<std::vector<SourceFile>> FindSources(std::span<const std::string> paths) {
  std::vector<SourceFile> files;
  for (const std::string& path : paths) {
    std::vector<std::string> found;
    if (IsDirectory(path)) {
      RINGLET_RETURN_IF_ERROR(ListDirectory(path, found));
      if (found.empty()) return BadInput(path, "", "a directory without files", "text in it");
    } else if (FileExists(path)) {
      found.push_back(path);
    } else {
      return Status(StatusCode::kNotFound,
                    fmt::format("{}: found no such file, expected a file or directory", path));
    }
    for (const std::string& name : found) {
      RINGLET_ASSIGN_OR_RETURN(SourceFile file, DescribeFile(name));
      files.push_back(std::move(file));
    }
  }
  if (files.empty()) {
    return Status(StatusCode::kInvalidInput, "found no text, expected files or directories");
  }
  return files;
}

void DocumentReader::Seek(DocumentPosition position) {
  open_ = nullptr;
  file_ = std::min<uint64_t>(position.file, files_.size());
  offset_ = 0;
  bytes_before_ = TotalBytes(std::span(files_).first(file_));
}

Status DocumentReader::Next(uint64_t bytes, DocumentBatch& batch) {
  batch.documents.clear();
  batch.files.clear();
  uint64_t taken = 0;
  while (taken < bytes || batch.documents.empty()) {
    if (!open_) {
      if (file_ == files_.size()) break;
      RINGLET_ASSIGN_OR_RETURN(open_, MappedFile::Open(files_[file_].path));
      const std::string_view text(reinterpret_cast<const char*>(open_->bytes().data()),
                                  open_->bytes().size());
      offset_ = text.starts_with(kByteOrderMark) ? kByteOrderMark.size() : 0;
      line_ = 1;
    }
    if (batch.files.empty() || batch.files.back() != open_) batch.files.push_back(open_);
    if (NextInFile(batch)) {
      taken += batch.documents.back().bytes.size();
      continue;
    }
    bytes_before_ += files_[file_].bytes;
    offset_ = 0;
    open_ = nullptr;
    ++file_;
  }
  return Status::Ok();
}

bool DocumentReader::NextInFile(DocumentBatch& batch) {
  const std::string_view text(reinterpret_cast<const char*>(open_->bytes().data()),
                              open_->bytes().size());
  const bool json = files_[file_].jsonl;
  while (offset_ < text.size()) {
    const DocumentPosition position{file_, offset_};
    const uint64_t line = line_;
    RawDocument document =
        json ? TakeLine(text.substr(offset_)) : TakeSection(text.substr(offset_));
    if (json && IsBlank(document.bytes)) continue;
    document.position = position;
    document.line = line;
    document.json = json;
    batch.documents.push_back(document);
    return true;
  }
  return false;
}

RawDocument DocumentReader::TakeLine(std::string_view rest) {
  const std::string_view line = FirstLine(rest);
  offset_ += line.size();
  ++line_;
  RawDocument document;
  document.bytes = WithoutLineEnd(line);
  return document;
}

RawDocument DocumentReader::TakeSection(std::string_view rest) {
  RawDocument document;
  if (!options_.separator) {
    document.bytes = rest;
    offset_ += rest.size();
    return document;
  }
  size_t size = 0;
  while (size < rest.size()) {
    const std::string_view line = FirstLine(rest.substr(size));
    ++line_;
    if (WithoutLineEnd(line) == *options_.separator) {
      offset_ += line.size();
      break;
    }
    size += line.size();
  }
  offset_ += size;
  document.bytes = rest.substr(0, size);
  return document;
}

Result<std::string_view> DocumentReader::Text(const RawDocument& document,
                                              std::string& buffer) const {
  const std::string& path = files_[document.position.file].path;
  if (!document.json) {
    const size_t nul = document.bytes.find('\0');
    if (nul == document.bytes.npos) return document.bytes;
    return BadInput(path, fmt::format("byte {}", document.position.offset + nul), "a NUL byte",
                    "text");
  }
  const std::string source = fmt::format("{}:{}", path, document.line);
  RINGLET_ASSIGN_OR_RETURN(const Json line, ParseJson(document.bytes, source));
  if (!line.is_object()) return BadInput(source, "", JsonTypeName(line), "an object");
  const auto text = line.find(options_.field);
  if (text == line.end()) {
    return BadInput(source, Quote(options_.field), "no such field", "the document's text");
  }
  if (!text->is_string()) {
    return BadInput(source, Quote(options_.field), JsonTypeName(*text), "a string");
  }
  buffer = text->get<std::string>();
  return std::string_view(buffer);
}

}  // namespace ringlet
