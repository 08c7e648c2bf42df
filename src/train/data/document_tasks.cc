#include "train/data/document_tasks.h"

#include <fmt/format.h>

namespace ringlet {

std::string DocumentText::Name(const DocumentReader& reader) const {
  const std::string& path = reader.files()[raw->position.file].path;
  return raw->json ? fmt::format("{}:{}", path, raw->line) : path;
}

Status ReadTexts(const DocumentReader& reader, const DocumentBatch& batch, bool skip_bad,
                 ThreadPool& pool, std::vector<DocumentText>& texts) {
  const size_t count = batch.documents.size();
  texts.clear();
  texts.resize(count);
  std::vector<Status> status(count);
  pool.ParallelFor(static_cast<int64_t>(count), [&](int64_t index, int) {
    const auto i = static_cast<size_t>(index);
    DocumentText& document = texts[i];
    document.raw = &batch.documents[i];
    Result<std::string_view> text = reader.Text(*document.raw, document.buffer);
    document.bad = !text.ok();
    if (text.ok()) {
      document.text = *text;
    } else {
      status[i] = text.status();
    }
  });
  if (skip_bad) return Status::Ok();
  for (Status& one : status) RINGLET_RETURN_IF_ERROR(std::move(one));
  return Status::Ok();
}

}  // namespace ringlet
