// Documents from files: plain text, JSONL, and directories of them.
//
// A file whose name ends in .jsonl or .ndjson holds one JSON object a line, with the document's
// text in one field. Every other file is one document, or several between separator lines. Text
// is any bytes except NUL, which only binary files have; a byte order mark at the start of a file
// is no part of it.
#pragma once

#include <compare>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "base/status.h"

namespace ringlet {

struct SourceFile {
  std::string path;
  uint64_t bytes = 0;
  int64_t modified_ns = 0;  // since the epoch of the file system's clock
  bool jsonl = false;
};

// The files that `paths` name, in their order. Of a directory: every regular file below it, by path
// in byte order; names that begin with a dot are left out. Errors: a path that is neither a file
// nor a directory, nothing found.
Result<std::vector<SourceFile>> FindSources(std::span<const std::string> paths);

uint64_t TotalBytes(std::span<const SourceFile> files);

struct DocumentOptions {
  std::string field = "text";  // of JSONL: the key of the text, a string
  // Of text files: the line, without its end, that stands between two documents.
  std::optional<std::string> separator = std::nullopt;
};

// Where a document begins; documents are read in ascending order.
struct DocumentPosition {
  uint64_t file = 0;
  uint64_t offset = 0;
  auto operator<=>(const DocumentPosition&) const = default;
};

// A document as it lies in its file.
struct RawDocument {
  DocumentPosition position;
  uint64_t line = 0;  // of the file, from 1
  std::string_view bytes;
  bool json = false;
};

// Documents that may be worked on at once. It keeps the files of its documents mapped.
struct DocumentBatch {
  std::vector<RawDocument> documents;
  std::vector<std::shared_ptr<const MappedFile>> files;
};

class DocumentReader {
 public:
  // Both must be as FindSources and the caller made them; kept.
  DocumentReader(std::vector<SourceFile> files, DocumentOptions options)
      : files_(std::move(files)), options_(std::move(options)) {}

  // Continues at the file of `position`; documents of that file that begin before it come again.
  void Seek(DocumentPosition position);

  // Replaces `batch` with the next documents, about `bytes` of them and at least one; an empty
  // batch is the end. Lines of JSONL that hold nothing are left out.
  Status Next(uint64_t bytes, DocumentBatch& batch);

  // The text, which may lie in `buffer`. Any number of threads at a time. Errors (kInvalidInput)
  // name the file and for JSONL the line: bad JSON, no such field, not a string, a NUL byte.
  Result<std::string_view> Text(const RawDocument& document, std::string& buffer) const;

  // Bytes of all files before the next document.
  uint64_t bytes_done() const { return bytes_before_ + offset_; }
  const std::vector<SourceFile>& files() const { return files_; }

 private:
  // Appends the next document of the open file; false at its end.
  bool NextInFile(DocumentBatch& batch);
  RawDocument TakeLine(std::string_view rest);
  RawDocument TakeSection(std::string_view rest);

  std::vector<SourceFile> files_;
  DocumentOptions options_;
  std::shared_ptr<const MappedFile> open_;
  uint64_t file_ = 0;  // the open one, else the one to open
  uint64_t offset_ = 0;
  uint64_t line_ = 1;
  uint64_t bytes_before_ = 0;  // of the files before file_
};

// Whether nothing but white space (ASCII) is in `text`.
bool IsBlank(std::string_view text);

}  // namespace ringlet
