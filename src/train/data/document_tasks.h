// Reading the texts of a batch of documents on several threads.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "base/thread_pool.h"
#include "train/data/documents.h"

namespace ringlet {

struct DocumentText {
  const RawDocument* raw = nullptr;
  std::string_view text;  // in the file, or in `buffer`
  std::string buffer;
  bool bad = false;  // it could not be read

  // The file, of JSONL with the line.
  std::string Name(const DocumentReader& reader) const;
};

// Replaces `texts` with those of the batch, which must outlive them. Without `skip_bad` the error
// of the first document that cannot be read is returned.
Status ReadTexts(const DocumentReader& reader, const DocumentBatch& batch, bool skip_bad,
                 ThreadPool& pool, std::vector<DocumentText>& texts);

}  // namespace ringlet
