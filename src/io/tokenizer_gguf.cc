// The tokenizer.ggml.* metadata of GGUF files with byte-level BPE vocabularies.
#include <algorithm>

#include <fmt/format.h>

#include "base/text.h"
#include "io/gguf.h"
#include "io/tokenizer.h"
#include "io/tokenizer_data.h"

namespace ringlet {
namespace {

constexpr std::string_view kPrefix = "tokenizer.ggml.";

std::string Key(std::string_view name) { return fmt::format("{}{}", kPrefix, name); }

// How the pre-tokenizers that GGUF knows by name cut text: the patterns of the stages, in order.
struct NamedPreTokenizer {
  std::string_view name;
  std::vector<std::string_view> patterns;
  bool ignore_merges = false;
  bool nfc = false;       // part of the original tokenizer, implied by the name
  bool adds_bos = false;  // when tokenizer.ggml.add_bos_token is absent
};

std::vector<NamedPreTokenizer> NamedPreTokenizers() {
  using namespace patterns;
  return {
      {.name = "smollm", .patterns = {kDigit, kGpt2}},
      {.name = "llama-bpe", .patterns = {kLlama3}, .ignore_merges = true, .adds_bos = true},
      {.name = "llama3", .patterns = {kLlama3}, .ignore_merges = true, .adds_bos = true},
      {.name = "llama-v3", .patterns = {kLlama3}, .ignore_merges = true, .adds_bos = true},
      {.name = "qwen2", .patterns = {kQwen2}, .nfc = true},
      {.name = "bailingmoe", .patterns = {kLing}},
      {.name = "bailingmoe2", .patterns = {kLing}},
      {.name = "gpt-2", .patterns = {kGpt2}},
      {.name = "default", .patterns = {kGpt2}},
  };
}

Status ReadPre(const GgufFile& file, TokenizerData& data) {
  RINGLET_ASSIGN_OR_RETURN(const std::string name, file.String(Key("pre")));
  std::string names;
  for (const NamedPreTokenizer& known : NamedPreTokenizers()) {
    if (known.name == name) {
      for (const std::string_view pattern : known.patterns) {
        RINGLET_ASSIGN_OR_RETURN(Regex regex, Regex::Compile(pattern, file.path(), Key("pre")));
        data.stages.emplace_back().pattern = std::move(regex);
      }
      data.ignore_merges = known.ignore_merges;
      if (known.nfc) data.normalizers.push_back(NormalForm::kNfc);
      data.adds_bos = known.adds_bos;
      return Status::Ok();
    }
    names += fmt::format("{}\"{}\"", names.empty() ? "" : ", ", known.name);
  }
  return Status(StatusCode::kUnsupported, fmt::format("{}: {}: found {}, expected one of {}",
                                                      file.path(), Key("pre"), Quote(name), names));
}

// Values of tokenizer.ggml.token_type.
enum GgufTokenType : int64_t { kNormal = 1, kUnknown, kControl, kUserDefined, kUnused, kByte };

Status ReadTokens(const GgufFile& file, TokenizerData& data) {
  RINGLET_ASSIGN_OR_RETURN(GgufValue::Strings tokens, file.StringArray(Key("tokens")));
  RINGLET_ASSIGN_OR_RETURN(const auto types, file.IntegerArray(Key("token_type")));
  if (tokens.size() > static_cast<size_t>(Tokenizer::kMaxIds)) {
    return BadInput(file.path(), Key("tokens"), fmt::format("{} tokens", tokens.size()),
                    fmt::format("at most {}", Tokenizer::kMaxIds));
  }
  if (types.size() != tokens.size()) {
    return BadInput(file.path(), Key("token_type"), fmt::format("{} values", types.size()),
                    fmt::format("{}, one for each token", tokens.size()));
  }
  for (size_t i = 0; i < tokens.size(); ++i) {
    const int32_t id = static_cast<int32_t>(i);
    switch (types[i]) {
      case kNormal:
      case kUnused:
      case kByte:
        data.vocab.emplace_back(std::move(tokens[i]), id);
        break;
      case kUnknown:
      case kControl:
      case kUserDefined:
        // The vocabulary has them too: merges may name them.
        data.vocab.emplace_back(tokens[i], id);
        data.added_tokens.push_back(
            {.id = id, .content = std::move(tokens[i]), .special = types[i] != kUserDefined});
        break;
      default:
        return BadInput(file.path(), fmt::format("{}[{}]", Key("token_type"), i),
                        fmt::format("{}", types[i]), "1 to 6");
    }
  }
  return Status::Ok();
}

Status ReadMerges(const GgufFile& file, TokenizerData& data) {
  RINGLET_ASSIGN_OR_RETURN(const GgufValue::Strings merges, file.StringArray(Key("merges")));
  data.merges.reserve(merges.size());
  for (size_t i = 0; i < merges.size(); ++i) {
    // The first token may begin with a space of its own.
    const size_t space = merges[i].find(' ', 1);
    if (space == std::string::npos) {
      return BadInput(file.path(), fmt::format("{}[{}]", Key("merges"), i), Quote(merges[i]),
                      "two tokens, as \"a b\"");
    }
    data.merges.emplace_back(merges[i].substr(0, space), merges[i].substr(space + 1));
  }
  return Status::Ok();
}

Result<std::optional<int32_t>> OptionalId(const GgufFile& file, std::string_view name) {
  const std::string key = Key(name);
  if (file.FindValue(key) == nullptr) return std::optional<int32_t>();
  RINGLET_ASSIGN_OR_RETURN(const int64_t id, file.Integer(key));
  if (id < 0 || id >= Tokenizer::kMaxIds) {
    return BadInput(file.path(), key, fmt::format("{}", id), "the id of a token");
  }
  return std::optional(static_cast<int32_t>(id));
}

Status ReadEnds(const GgufFile& file, TokenizerData& data) {
  RINGLET_ASSIGN_OR_RETURN(data.bos_id, OptionalId(file, "bos_token_id"));
  data.bos_field = Key("bos_token_id");
  for (const std::string_view name : {"eos_token_id", "eot_token_id", "eom_token_id"}) {
    RINGLET_ASSIGN_OR_RETURN(const std::optional<int32_t> id, OptionalId(file, name));
    if (id && std::ranges::find(data.eos_ids, *id) == data.eos_ids.end()) {
      data.eos_ids.push_back(*id);
      data.eos_fields.push_back(Key(name));
    }
  }
  if (file.FindValue(Key("add_bos_token")) != nullptr) {
    RINGLET_ASSIGN_OR_RETURN(data.adds_bos, file.Bool(Key("add_bos_token")));
    if (data.adds_bos && !data.bos_id) {
      return BadInput(file.path(), Key("bos_token_id"), "nothing",
                      "an id, because add_bos_token is true");
    }
  }
  data.adds_bos = data.adds_bos && data.bos_id.has_value();
  return Status::Ok();
}

}  // namespace

Result<std::shared_ptr<const Tokenizer>> Tokenizer::FromGguf(const GgufFile& file) {
  const Result<std::string> model = file.String(Key("model"));
  if (!model.ok()) return model.status();
  if (*model != "gpt2") {
    return Status(StatusCode::kUnsupported, fmt::format("{}: {}: found {}, expected \"gpt2\"",
                                                        file.path(), Key("model"), Quote(*model)));
  }
  TokenizerData data;
  data.source = file.path();
  data.vocab_field = Key("tokens");
  data.merges_field = Key("merges");
  data.added_field = Key("tokens");
  RINGLET_RETURN_IF_ERROR(ReadPre(file, data));
  RINGLET_RETURN_IF_ERROR(ReadTokens(file, data));
  RINGLET_RETURN_IF_ERROR(ReadMerges(file, data));
  RINGLET_RETURN_IF_ERROR(ReadEnds(file, data));
  return Build(std::move(data));
}

}  // namespace ringlet
