// The text side of a checkpoint: tokenizer and chat template, from a Hugging Face directory or a
// GGUF file.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/status.h"
#include "io/chat_template.h"
#include "io/tokenizer.h"
#include "model/checkpoint.h"
#include "model/config.h"

namespace ringlet {

class TextModel {
 public:
  const Tokenizer& tokenizer() const { return *tokenizer_; }
  bool has_template() const { return template_ != nullptr; }

  // Ids of a text that is to be continued or scored: after a BOS, where the tokenizer asks for one.
  Result<std::vector<int32_t>> Encode(std::string_view text, SpecialTokens mode) const;
  // The prompt that asks the model to answer `messages`, an array of what templates call messages.
  Result<std::string> Render(const OrderedJson& messages) const;
  // The same with tools and variables of the template; the special tokens are this model's.
  Result<std::string> Render(ChatInput input) const;
  // The template's source; empty when there is none.
  const std::string& template_source() const { return template_source_; }
  // Ids of a rendered prompt: names of special tokens are those tokens, and nothing is added.
  Result<std::vector<int32_t>> EncodeRendered(std::string_view prompt) const;

  // The bytes `id` adds to an answer; nothing for control tokens.
  std::string TokenBytes(int32_t id) const;
  // A token as a quoted string on one line, for tables.
  std::string Quoted(int32_t id) const;

 private:
  friend Result<TextModel> LoadTextModel(const Checkpoint& checkpoint);

  std::shared_ptr<const Tokenizer> tokenizer_;
  std::shared_ptr<const ChatTemplate> template_;
  std::string template_source_;
  std::string bos_token_;
  std::string eos_token_;
};

// Every id that ends an answer: the configuration's, and those the tokenizer declares. Ascending.
std::vector<int32_t> EndIds(const ModelConfig& config, const TextModel& text_model);

// Errors: no tokenizer in the checkpoint, or a tokenizer or template that cannot be read.
Result<TextModel> LoadTextModel(const Checkpoint& checkpoint);

// What there is, for `inspect`; a part that cannot be read is described by its error.
struct TextParts {
  bool has_tokenizer = false;
  bool has_template = false;
  std::string tokenizer;
  std::string chat_template;
};
TextParts InspectTextModel(const Checkpoint& checkpoint);

}  // namespace ringlet
