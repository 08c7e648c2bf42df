#include "model/text_model.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/file.h"
#include "io/gguf.h"
#include "io/utf8.h"

namespace ringlet {
namespace {

constexpr uint64_t kMaxTemplateFile = uint64_t{4} << 20;

// What the files beside a tokenizer say.
struct TextFiles {
  std::string chat_template;  // its source; empty: none
  std::string template_name;  // where it came from
  std::string bos_token;
  std::string eos_token;
};

std::string TokenizerPath(const Checkpoint& checkpoint) {
  return checkpoint.path + "/tokenizer.json";
}

bool HasTokenizer(const Checkpoint& checkpoint) {
  if (checkpoint.gguf != nullptr) {
    return checkpoint.gguf->FindValue("tokenizer.ggml.model") != nullptr;
  }
  return FileExists(TokenizerPath(checkpoint));
}

Result<std::shared_ptr<const Tokenizer>> OpenTokenizer(const Checkpoint& checkpoint) {
  if (!HasTokenizer(checkpoint)) {
    const std::string expected =
        checkpoint.gguf != nullptr ? "the metadata tokenizer.ggml.model" : "tokenizer.json in it";
    return Status(StatusCode::kNotFound,
                  fmt::format("{}: found no tokenizer, expected {}", checkpoint.path, expected));
  }
  return checkpoint.gguf != nullptr ? Tokenizer::FromGguf(*checkpoint.gguf)
                                    : Tokenizer::FromJsonFile(TokenizerPath(checkpoint));
}

// A token of tokenizer_config.json: "<s>", {"content": "<s>", ...}, or null.
Result<std::string> NamedToken(const Json& json, const char* key, const std::string& path) {
  const auto found = json.find(key);
  if (found == json.end() || found->is_null()) return std::string();
  const Json* text = &*found;
  if (found->is_object() && found->contains("content")) text = &(*found)["content"];
  if (!text->is_string()) {
    return BadInput(path, key, JsonTypeName(*text), "a string, or an object with \"content\"");
  }
  return text->get<std::string>();
}

// "chat_template": a string, or a list of named ones of which "default" is meant for chat.
Result<std::string> TemplateOfConfig(const Json& json, const std::string& path) {
  const auto found = json.find("chat_template");
  if (found == json.end() || found->is_null()) return std::string();
  if (found->is_string()) return found->get<std::string>();
  if (found->is_array()) {
    for (const Json& entry : *found) {
      if (!entry.is_object() || entry.value("name", Json()) != "default") continue;
      const Json source = entry.value("template", Json());
      if (source.is_string()) return source.get<std::string>();
    }
  }
  return BadInput(path, "chat_template", JsonTypeName(*found),
                  "a string, or a list with a string template named \"default\"");
}

Result<TextFiles> ReadDirectoryFiles(const std::string& directory) {
  TextFiles files;
  const std::string config = directory + "/tokenizer_config.json";
  if (FileExists(config)) {
    RINGLET_ASSIGN_OR_RETURN(const Json json, ReadJsonFile(config));
    if (!json.is_object()) return BadInput(config, "", JsonTypeName(json), "an object");
    RINGLET_ASSIGN_OR_RETURN(files.chat_template, TemplateOfConfig(json, config));
    RINGLET_ASSIGN_OR_RETURN(files.bos_token, NamedToken(json, "bos_token", config));
    RINGLET_ASSIGN_OR_RETURN(files.eos_token, NamedToken(json, "eos_token", config));
    files.template_name = config;
  }
  // A file of its own takes precedence, as in transformers.
  const std::string own = directory + "/chat_template.jinja";
  if (FileExists(own)) {
    RINGLET_ASSIGN_OR_RETURN(files.chat_template, ReadFile(own, kMaxTemplateFile));
    files.template_name = own;
  }
  return files;
}

Result<TextFiles> ReadGgufValues(const GgufFile& gguf, const Tokenizer& tokenizer) {
  TextFiles files;
  files.template_name = gguf.path() + ": tokenizer.chat_template";
  if (gguf.FindValue("tokenizer.chat_template") != nullptr) {
    RINGLET_ASSIGN_OR_RETURN(files.chat_template, gguf.String("tokenizer.chat_template"));
  }
  if (tokenizer.bos_id()) files.bos_token = tokenizer.TokenBytes(*tokenizer.bos_id());
  if (!tokenizer.eos_ids().empty()) {
    files.eos_token = tokenizer.TokenBytes(tokenizer.eos_ids().front());
  }
  return files;
}

}  // namespace

Result<std::vector<int32_t>> TextModel::Encode(std::string_view text, SpecialTokens mode) const {
  RINGLET_ASSIGN_OR_RETURN(std::vector<int32_t> ids, tokenizer_->Encode(text, mode));
  if (tokenizer_->adds_bos()) ids.insert(ids.begin(), *tokenizer_->bos_id());
  return ids;
}

Result<std::string> TextModel::Render(const OrderedJson& messages) const {
  ChatInput input;
  input.messages = messages;
  return Render(std::move(input));
}

Result<std::string> TextModel::Render(ChatInput input) const {
  RINGLET_CHECK(template_ != nullptr, "callers ask has_template() first");
  input.bos_token = bos_token_;
  input.eos_token = eos_token_;
  return template_->Render(input);
}

Result<std::vector<int32_t>> TextModel::EncodeRendered(std::string_view prompt) const {
  return tokenizer_->Encode(prompt, SpecialTokens::kParse);
}

std::string TextModel::TokenBytes(int32_t id) const {
  const std::string_view bytes = tokenizer_->TokenBytes(id);
  // Some tokenizers call the marks of thinking special, but they are part of the answer.
  const bool shown = !tokenizer_->IsSpecial(id) || bytes == "<think>" || bytes == "</think>";
  return shown ? std::string(bytes) : std::string();
}

std::string TextModel::Quoted(int32_t id) const {
  const Json text = ReplaceInvalidUtf8(tokenizer_->TokenBytes(id));
  return text.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Result<TextModel> LoadTextModel(const Checkpoint& checkpoint) {
  TextModel model;
  RINGLET_ASSIGN_OR_RETURN(model.tokenizer_, OpenTokenizer(checkpoint));
  RINGLET_ASSIGN_OR_RETURN(TextFiles files,
                           checkpoint.gguf != nullptr
                               ? ReadGgufValues(*checkpoint.gguf, *model.tokenizer_)
                               : ReadDirectoryFiles(checkpoint.path));
  if (!files.chat_template.empty()) {
    RINGLET_ASSIGN_OR_RETURN(model.template_,
                             ChatTemplate::Parse(files.chat_template, files.template_name));
    model.template_source_ = std::move(files.chat_template);
  }
  model.bos_token_ = std::move(files.bos_token);
  model.eos_token_ = std::move(files.eos_token);
  return model;
}

std::vector<int32_t> EndIds(const ModelConfig& config, const TextModel& text_model) {
  std::vector<int32_t> ids = config.eos_ids;
  const std::span<const int32_t> more = text_model.tokenizer().eos_ids();
  ids.insert(ids.end(), more.begin(), more.end());
  std::ranges::sort(ids);
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  return ids;
}

TextParts InspectTextModel(const Checkpoint& checkpoint) {
  TextParts parts{.tokenizer = "none", .chat_template = "none"};
  if (!HasTokenizer(checkpoint)) return parts;
  const Result<TextModel> model = LoadTextModel(checkpoint);
  if (!model.ok()) {
    parts.tokenizer = "unusable: " + model.status().message();
    return parts;
  }
  parts.has_tokenizer = true;
  parts.tokenizer = fmt::format("{} tokens", model->tokenizer().vocab_size());
  parts.has_template = model->has_template();
  if (parts.has_template) parts.chat_template = "yes";
  return parts;
}

}  // namespace ringlet
