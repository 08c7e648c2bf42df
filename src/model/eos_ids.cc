#include "model/eos_ids.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>

#include "base/file.h"
#include "base/json.h"
#include "io/gguf.h"
#include "model/config_reader.h"
#include "model/limits.h"

namespace ringlet {
namespace {

// Tokens that end a turn or a document in published chat models.
constexpr std::array<std::string_view, 8> kEndTokens = {
    "<|endoftext|>", "<|end_of_text|>", "<|im_end|>", "<|eot_id|>",
    "<|eom_id|>",    "<|role_end|>",    "<|end|>",    "<end_of_turn>"};
constexpr int64_t kControlToken = 3;  // tokenizer.ggml.token_type

void Tidy(std::vector<int32_t>& ids) {
  std::ranges::sort(ids);
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
}

// A token is a string or an object with a "content" string.
std::string TokenText(const Json& token) {
  if (token.is_string()) return token.get<std::string>();
  if (!token.is_object()) return "";
  const auto content = token.find("content");
  return content != token.end() && content->is_string() ? content->get<std::string>() : "";
}

// Anything unexpected in this file is the tokenizer's business; here only a clear match counts.
Status AddTokenizerConfig(const std::string& path, ModelConfig& config) {
  if (!FileExists(path)) return Status::Ok();
  RINGLET_ASSIGN_OR_RETURN(const Json json, ReadJsonFile(path));
  if (!json.is_object()) return BadInput(path, "", JsonTypeName(json), "an object");
  const auto eos = json.find("eos_token");
  const auto added = json.find("added_tokens_decoder");
  if (eos == json.end() || added == json.end() || !added->is_object()) return Status::Ok();
  const std::string text = TokenText(*eos);
  for (const auto& [key, token] : added->items()) {
    int32_t id = -1;
    const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), id);
    if (error != std::errc() || end != key.data() + key.size()) continue;
    if (!text.empty() && TokenText(token) == text && id >= 0) config.eos_ids.push_back(id);
  }
  return Status::Ok();
}

Status AddControlTokens(const GgufFile& file, ModelConfig& config) {
  if (file.FindValue("tokenizer.ggml.tokens") == nullptr ||
      file.FindValue("tokenizer.ggml.token_type") == nullptr) {
    return Status::Ok();
  }
  RINGLET_ASSIGN_OR_RETURN(const auto tokens, file.StringArray("tokenizer.ggml.tokens"));
  RINGLET_ASSIGN_OR_RETURN(const auto types, file.IntegerArray("tokenizer.ggml.token_type"));
  const size_t count = std::min({tokens.size(), types.size(), static_cast<size_t>(config.vocab)});
  for (size_t id = 0; id < count; ++id) {
    if (types[id] != kControlToken) continue;
    if (std::ranges::find(kEndTokens, tokens[id]) != kEndTokens.end()) {
      config.eos_ids.push_back(static_cast<int32_t>(id));
    }
  }
  return Status::Ok();
}

}  // namespace

Status AddGenerationTokens(const Json& json, const std::string& source, ModelConfig& config) {
  ConfigReader reader(json, source);
  for (const int64_t id : reader.OptionalIntegers("eos_token_id", kMaxVocab)) {
    config.eos_ids.push_back(static_cast<int32_t>(id));
  }
  const auto bos = reader.OptionalIntegers("bos_token_id", kMaxVocab);
  if (!bos.empty() && config.bos_id < 0) config.bos_id = static_cast<int32_t>(bos.front());
  Tidy(config.eos_ids);
  return reader.status();  // the other keys are sampling settings, no part of the model
}

Status AddHfEosIds(const std::string& directory, ModelConfig& config) {
  if (const std::string path = directory + "/generation_config.json"; FileExists(path)) {
    RINGLET_ASSIGN_OR_RETURN(const Json json, ReadJsonFile(path));
    RINGLET_RETURN_IF_ERROR(AddGenerationTokens(json, path, config));
  }
  RINGLET_RETURN_IF_ERROR(AddTokenizerConfig(directory + "/tokenizer_config.json", config));
  Tidy(config.eos_ids);
  return Status::Ok();
}

Status AddGgufEosIds(const GgufFile& file, ModelConfig& config) {
  const auto read = [&](std::string_view key, auto use) -> Status {
    if (file.FindValue(key) == nullptr) return Status::Ok();
    RINGLET_ASSIGN_OR_RETURN(const int64_t id, file.Integer(key));
    // Converters write -1, as a signed or an unsigned 32-bit number, for "none".
    if (id < 0 || id == UINT32_MAX) return Status::Ok();
    if (id > kMaxVocab) {
      return BadInput(file.path(), key, std::to_string(id), "a token id");
    }
    use(static_cast<int32_t>(id));
    return Status::Ok();
  };
  for (const std::string_view key : {"tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id",
                                     "tokenizer.ggml.eom_token_id"}) {
    RINGLET_RETURN_IF_ERROR(read(key, [&](int32_t id) { config.eos_ids.push_back(id); }));
  }
  RINGLET_RETURN_IF_ERROR(
      read("tokenizer.ggml.bos_token_id", [&](int32_t id) { config.bos_id = id; }));
  RINGLET_RETURN_IF_ERROR(AddControlTokens(file, config));
  Tidy(config.eos_ids);
  return Status::Ok();
}

}  // namespace ringlet
