#include "io/regex.h"

#include <algorithm>
#include <array>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <fmt/format.h>
#include <pcre2.h>

#include "base/text.h"

namespace ringlet {
namespace {

// A match first sees this much of the subject and may take this many steps. A match that needs more
// is tried again with more, charged to the budget: so a match costs no more than it must, and the
// sum over all matches of a text is bounded although PCRE2 bounds only each single one.
constexpr size_t kFirstWindow = 1024;
constexpr uint32_t kFirstSteps = 4 * kFirstWindow;
constexpr uint32_t kStepsGrowth = 8;
constexpr uint64_t kBudgetPerByte = 64;
constexpr uint64_t kBudgetBase = uint64_t{1} << 26;
constexpr uint32_t kMaxSteps = uint32_t{1} << 31;
// For PCRE2's interpreter, which takes over when the compiled matcher runs out of stack.
constexpr uint32_t kHeapLimitKib = 64 * 1024;

template <auto kFree>
struct Free {
  template <typename T>
  void operator()(T* pointer) const {
    kFree(pointer);
  }
};

std::string ErrorText(int error) {
  std::array<PCRE2_UCHAR, 160> buffer{};
  pcre2_get_error_message(error, buffer.data(), buffer.size());
  return reinterpret_cast<const char*>(buffer.data());
}

size_t WindowEnd(std::string_view subject, size_t start, size_t window) {
  if (subject.size() - start <= window) return subject.size();
  size_t end = start + window;
  while ((static_cast<uint8_t>(subject[end]) & 0xC0) == 0x80) --end;
  return end;
}

}  // namespace

struct RegexScratch::Pcre2 {
  std::unique_ptr<pcre2_match_data, Free<pcre2_match_data_free>> match{
      pcre2_match_data_create(1, nullptr)};
  std::unique_ptr<pcre2_match_context, Free<pcre2_match_context_free>> context{
      pcre2_match_context_create(nullptr)};
};

RegexScratch::RegexScratch(size_t text_bytes)
    : pcre2_(std::make_unique<Pcre2>()), budget_(kBudgetBase + kBudgetPerByte * text_bytes) {
  RINGLET_CHECK(pcre2_->match && pcre2_->context, "out of memory");
  pcre2_set_heap_limit(pcre2_->context.get(), kHeapLimitKib);
}

RegexScratch::~RegexScratch() = default;

struct Regex::Code {
  std::unique_ptr<pcre2_code, Free<pcre2_code_free>> code;
};

Result<Regex> Regex::Compile(std::string_view pattern, std::string_view source,
                             std::string_view field) {
  if (pattern.size() > kMaxPatternBytes) {
    return BadInput(source, field, fmt::format("a pattern of {} bytes", pattern.size()),
                    fmt::format("at most {}", kMaxPatternBytes));
  }
  Result<std::string> translated = TranslateOniguruma(pattern);
  if (!translated.ok()) {
    return translated.status().WithContext(fmt::format("{}: {}", source, field));
  }
  std::unique_ptr<pcre2_compile_context, Free<pcre2_compile_context_free>> context(
      pcre2_compile_context_create(nullptr));
  RINGLET_CHECK(context, "out of memory");
  pcre2_set_newline(context.get(), PCRE2_NEWLINE_LF);
  // Oniguruma's ^ and $ always match at lines.
  constexpr uint32_t kOptions = PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C;
  int error = 0;
  PCRE2_SIZE offset = 0;
  auto code = std::make_shared<Code>();
  code->code.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(translated->data()),
                                 translated->size(), kOptions, &error, &offset, context.get()));
  if (!code->code) {
    return BadInput(source, field,
                    fmt::format("the pattern {} ({})", Quote(pattern), ErrorText(error)),
                    "a regular expression");
  }
  // Without the compiled form (no JIT on this processor, or no memory) PCRE2 interprets.
  pcre2_jit_compile(code->code.get(), PCRE2_JIT_COMPLETE | PCRE2_JIT_PARTIAL_HARD);
  return Regex(std::string(pattern), std::move(code));
}

Status Regex::Failure(int error) const {
  return Status(StatusCode::kResource,
                fmt::format("pre-tokenizer pattern {}: found {}, expected a pattern whose work "
                            "grows with the text",
                            Quote(pattern_), ErrorText(error)));
}

Result<std::optional<ByteRange>> Regex::Find(std::string_view subject, size_t start,
                                             RegexScratch& scratch) const {
  pcre2_match_data* match = scratch.pcre2_->match.get();
  pcre2_match_context* context = scratch.pcre2_->context.get();
  size_t from = start;
  size_t window = kFirstWindow;
  uint32_t steps = kFirstSteps;
  uint32_t interpret = 0;
  for (;;) {
    // A window's end must not look like the text's end: PARTIAL_HARD reports every attempt to look
    // past it, so any other outcome is that of the whole subject.
    const size_t end = WindowEnd(subject, from, window);
    const bool partial = end < subject.size();
    pcre2_set_match_limit(context, steps);
    const int found = pcre2_match(
        code_->code.get(), reinterpret_cast<PCRE2_SPTR>(subject.data()), end, from,
        PCRE2_NO_UTF_CHECK | interpret | (partial ? static_cast<uint32_t>(PCRE2_PARTIAL_HARD) : 0u),
        match, context);
    if (found >= 0) {
      const PCRE2_SIZE* bounds = pcre2_get_ovector_pointer(match);
      return std::optional(ByteRange{bounds[0], bounds[1]});
    }
    uint64_t charge = 0;
    switch (found) {
      case PCRE2_ERROR_NOMATCH:
        if (!partial) return std::optional<ByteRange>();
        from = end;
        window = kFirstWindow;
        break;
      case PCRE2_ERROR_PARTIAL:
        window *= 2;
        charge = window;
        steps = static_cast<uint32_t>(std::clamp<size_t>(4 * window, steps, kMaxSteps));
        break;
      case PCRE2_ERROR_MATCHLIMIT:
        if (steps >= kMaxSteps / kStepsGrowth) return Failure(found);
        steps *= kStepsGrowth;
        charge = steps;
        break;
      case PCRE2_ERROR_JIT_STACKLIMIT:
        interpret = PCRE2_NO_JIT;
        break;
      default:
        return Failure(found);
    }
    if (charge > scratch.budget_) return Failure(PCRE2_ERROR_MATCHLIMIT);
    scratch.budget_ -= charge;
  }
}

}  // namespace ringlet
