#include "io/pretokenizer.h"

#include <fmt/format.h>

#include "io/utf8.h"

namespace ringlet {

namespace patterns {
const std::string_view kGpt2 =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
const std::string_view kLlama3 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*)"
    R"(|\s*[\r\n]+|\s+(?!\S)|\s+)";
const std::string_view kQwen2 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*)"
    R"(|\s*[\r\n]+|\s+(?!\S)|\s+)";
const std::string_view kLing =
    R"('(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]++[\r\n]*)"
    R"(|\s*[\r\n]|\s+(?!\S)|\s+)";
const std::string_view kDigit = R"(\p{N})";
const std::string_view kDigits = R"(\p{N}+)";
}  // namespace patterns

// Turns the alternation of matches and gaps in one piece into the pieces that the stage's behaviour
// asks for, and hands them to the next stage. At most one piece waits for its neighbour.
class PreTokenizer::StageSplitter {
 public:
  StageSplitter(const PreTokenizer& owner, size_t stage, std::string_view subject,
                RegexScratch& scratch, PieceSink& sink)
      : owner_(owner),
        stage_(owner.stages_[stage]),
        next_(stage + 1),
        subject_(subject),
        scratch_(scratch),
        sink_(sink) {}

  Status Run() {
    size_t done = 0;  // the end of the last match
    size_t from = 0;  // where to look for the next one
    bool first = true;
    while (from <= subject_.size()) {
      RINGLET_ASSIGN_OR_RETURN(const auto match, stage_.pattern->Find(subject_, from, scratch_));
      if (!match) break;
      // An empty match cuts, except at the end of the match before it, where it adds nothing.
      const bool empty = match->begin == match->end;
      if (!empty || first || match->begin != done) {
        if (match->begin > done) RINGLET_RETURN_IF_ERROR(Item({done, match->begin}, false));
        RINGLET_RETURN_IF_ERROR(Item(*match, true));
        done = match->end;
        first = false;
      }
      from = empty ? match->end + CharLengthAt(match->end) : match->end;
    }
    if (done < subject_.size()) {
      RINGLET_RETURN_IF_ERROR(Item({done, subject_.size()}, false));
    }
    return Flush();
  }

 private:
  size_t CharLengthAt(size_t at) const {
    return at < subject_.size() ? Utf8CharLength(subject_.substr(at, 4)) : 1;
  }

  Status Item(ByteRange range, bool matched) {
    const bool is_match = matched != stage_.invert;
    switch (stage_.behavior) {
      case SplitBehavior::kIsolated:
        return Emit(range);
      case SplitBehavior::kRemoved:
        return is_match ? Status::Ok() : Emit(range);
      case SplitBehavior::kContiguous:
        return Join(range, is_match, pending_is_match_ == is_match);
      case SplitBehavior::kMergedWithPrevious:
        return Join(range, is_match, is_match && !pending_is_match_);
      case SplitBehavior::kMergedWithNext:
        return Join(range, is_match, !is_match && pending_is_match_);
    }
    RINGLET_UNREACHABLE("every behaviour is handled");
  }

  // Lets the range wait, as part of the waiting piece when `join`. The flag remembered is that of
  // the last range, so that a piece takes up one neighbour only (Contiguous: all alike).
  Status Join(ByteRange range, bool is_match, bool join) {
    if (pending_ && join) {
      pending_->end = range.end;
    } else {
      RINGLET_RETURN_IF_ERROR(Flush());
      pending_ = range;
    }
    pending_is_match_ = is_match;
    return Status::Ok();
  }

  Status Flush() {
    if (!pending_) return Status::Ok();
    const ByteRange range = *pending_;
    pending_.reset();
    return Emit(range);
  }

  Status Emit(ByteRange range) {
    if (range.begin == range.end) return Status::Ok();
    const std::string_view piece = subject_.substr(range.begin, range.end - range.begin);
    return owner_.RunStages(next_, piece, scratch_, sink_);
  }

  const PreTokenizer& owner_;
  const PreTokenizerStage& stage_;
  size_t next_;
  std::string_view subject_;
  RegexScratch& scratch_;
  PieceSink& sink_;
  std::optional<ByteRange> pending_;
  bool pending_is_match_ = false;
};

Status PreTokenizer::RunStages(size_t stage, std::string_view piece, RegexScratch& scratch,
                               PieceSink& sink) const {
  if (stage == stages_.size()) {
    sink.Piece(piece);
    return Status::Ok();
  }
  std::string spaced;
  if (stages_[stage].add_prefix_space && !piece.starts_with(' ')) {
    spaced.reserve(piece.size() + 1);
    spaced.append(" ").append(piece);
    piece = spaced;
  }
  if (!stages_[stage].pattern) return RunStages(stage + 1, piece, scratch, sink);
  return StageSplitter(*this, stage, piece, scratch, sink).Run();
}

Status PreTokenizer::Split(std::string_view text, RegexScratch& scratch, PieceSink& sink) const {
  while (!text.empty()) {
    const size_t valid = ValidUtf8Prefix(text);
    if (valid > 0) RINGLET_RETURN_IF_ERROR(RunStages(0, text.substr(0, valid), scratch, sink));
    text.remove_prefix(valid);
    if (text.empty()) break;
    sink.Piece(text.substr(0, 1));
    text.remove_prefix(1);
  }
  return Status::Ok();
}

}  // namespace ringlet
