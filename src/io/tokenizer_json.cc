// tokenizer.json of the Hugging Face tokenizers library, as far as byte-level BPE models use it.
#include <fmt/format.h>

#include "base/file.h"
#include "base/text.h"
#include "io/json_fields.h"
#include "io/tokenizer.h"
#include "io/tokenizer_components.h"
#include "io/tokenizer_data.h"

namespace ringlet {
namespace {

Status ReadVocab(const JsonFields& model, TokenizerData& data) {
  RINGLET_ASSIGN_OR_RETURN(const JsonFields vocab, model.Field("vocab"));
  if (!vocab.value().is_object()) return vocab.Unexpected("an object of tokens and ids");
  data.vocab.reserve(vocab.value().size());
  for (const auto& [token, id] : vocab.value().items()) {
    if (!id.is_number_unsigned() || id.get<uint64_t>() >= Tokenizer::kMaxIds) {
      return BadInput(vocab.source(), fmt::format("{}[{}]", vocab.path(), Quote(token)),
                      JsonBrief(id),
                      fmt::format("an integer from 0 to {}", Tokenizer::kMaxIds - 1));
    }
    data.vocab.emplace_back(token, id.get<int32_t>());
  }
  return Status::Ok();
}

// "a b" or ["a", "b"]; only the second can spell tokens with a space in them.
Status ReadMerges(const JsonFields& model, TokenizerData& data) {
  RINGLET_ASSIGN_OR_RETURN(const JsonFields merges, model.Field("merges"));
  RINGLET_RETURN_IF_ERROR(merges.ExpectArray());
  data.merges.reserve(merges.value().size());
  for (size_t i = 0; i < merges.value().size(); ++i) {
    const Json& merge = merges.value()[i];
    if (merge.is_string()) {
      const auto& text = merge.get_ref<const std::string&>();
      const size_t space = text.find(' ');
      if (space != std::string::npos && text.find(' ', space + 1) == std::string::npos) {
        data.merges.emplace_back(text.substr(0, space), text.substr(space + 1));
        continue;
      }
    } else if (merge.is_array() && merge.size() == 2 && merge[0].is_string() &&
               merge[1].is_string()) {
      data.merges.emplace_back(merge[0].get<std::string>(), merge[1].get<std::string>());
      continue;
    }
    return BadInput(merges.source(), merges.Element(i).path(), JsonBrief(merge),
                    "two tokens, as \"a b\" or [\"a\", \"b\"]");
  }
  return Status::Ok();
}

Status ReadModel(const JsonFields& root, TokenizerData& data) {
  RINGLET_ASSIGN_OR_RETURN(const JsonFields model, root.Field("model"));
  if (!model.value().is_object()) return model.Unexpected("an object");
  // Files of old versions do not name the type.
  if (model.Has("type") || !model.Has("merges")) {
    RINGLET_ASSIGN_OR_RETURN(const JsonFields type, model.Field("type"));
    if (type.value() != "BPE") return type.Unsupported("\"BPE\"");
  }
  RINGLET_RETURN_IF_ERROR(model.ExpectObject(
      {"type", "dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix",
       "fuse_unk", "byte_fallback", "ignore_merges", "vocab", "merges"}));
  if (model.Has("dropout") && model.value()["dropout"] != 0) {
    return model.Field("dropout")->Unsupported("null or 0");
  }
  for (const std::string_view key : {"continuing_subword_prefix", "end_of_word_suffix"}) {
    RINGLET_ASSIGN_OR_RETURN(const std::string affix, model.StringOrEmpty(key));
    if (!affix.empty()) return model.Field(key)->Unsupported("null or an empty string");
  }
  RINGLET_ASSIGN_OR_RETURN(const bool byte_fallback, model.Bool("byte_fallback", false));
  if (byte_fallback) return model.Field("byte_fallback")->Unsupported("false");
  RINGLET_ASSIGN_OR_RETURN(data.fuse_unk, model.Bool("fuse_unk", false));
  RINGLET_ASSIGN_OR_RETURN(data.ignore_merges, model.Bool("ignore_merges", false));
  if (model.Has("unk_token")) {
    RINGLET_ASSIGN_OR_RETURN(data.unk_token, model.String("unk_token"));
  }
  RINGLET_RETURN_IF_ERROR(ReadVocab(model, data));
  return ReadMerges(model, data);
}

Result<AddedToken> ReadAddedToken(const JsonFields& fields) {
  RINGLET_RETURN_IF_ERROR(fields.ExpectObject(
      {"id", "content", "single_word", "lstrip", "rstrip", "normalized", "special"}));
  AddedToken token;
  RINGLET_ASSIGN_OR_RETURN(const int64_t id, fields.Integer("id", Tokenizer::kMaxIds - 1));
  token.id = static_cast<int32_t>(id);
  RINGLET_ASSIGN_OR_RETURN(token.content, fields.String("content"));
  RINGLET_ASSIGN_OR_RETURN(token.single_word, fields.Bool("single_word", false));
  RINGLET_ASSIGN_OR_RETURN(token.lstrip, fields.Bool("lstrip", false));
  RINGLET_ASSIGN_OR_RETURN(token.rstrip, fields.Bool("rstrip", false));
  RINGLET_ASSIGN_OR_RETURN(token.special, fields.Bool("special", false));
  RINGLET_ASSIGN_OR_RETURN(token.normalized, fields.Bool("normalized", !token.special));
  return token;
}

Status ReadAddedTokens(const JsonFields& root, TokenizerData& data) {
  if (!root.Has("added_tokens")) return Status::Ok();
  RINGLET_ASSIGN_OR_RETURN(const JsonFields tokens, root.Field("added_tokens"));
  RINGLET_RETURN_IF_ERROR(tokens.ExpectArray());
  for (size_t i = 0; i < tokens.value().size(); ++i) {
    RINGLET_ASSIGN_OR_RETURN(AddedToken token, ReadAddedToken(tokens.Element(i)));
    data.added_tokens.push_back(std::move(token));
  }
  return Status::Ok();
}

Result<TokenizerData> ReadTokenizerJson(const Json& document, const std::string& source) {
  const JsonFields root(document, source, "");
  // How callers cut and pad batches is not part of the text's ids.
  RINGLET_RETURN_IF_ERROR(
      root.ExpectObject({"version", "truncation", "padding", "added_tokens", "normalizer",
                         "pre_tokenizer", "post_processor", "decoder", "model"}));
  if (root.Has("version") && root.value()["version"] != "1.0") {
    return root.Field("version")->Unsupported("\"1.0\"");
  }
  TokenizerData data;
  data.source = source;
  data.vocab_field = "model.vocab";
  data.merges_field = "model.merges";
  data.added_field = "added_tokens";
  RINGLET_RETURN_IF_ERROR(ReadAddedTokens(root, data));
  RINGLET_RETURN_IF_ERROR(ReadNormalizer(root, data));
  RINGLET_RETURN_IF_ERROR(ReadPreTokenizer(root, data));
  RINGLET_RETURN_IF_ERROR(ReadPostProcessor(root, data));
  RINGLET_RETURN_IF_ERROR(ReadDecoder(root));
  RINGLET_RETURN_IF_ERROR(ReadModel(root, data));
  return data;
}

}  // namespace

Result<std::shared_ptr<const Tokenizer>> Tokenizer::FromJson(std::string_view text,
                                                             const std::string& source) {
  RINGLET_ASSIGN_OR_RETURN(const Json document, ParseJson(text, source));
  RINGLET_ASSIGN_OR_RETURN(TokenizerData data, ReadTokenizerJson(document, source));
  return Build(std::move(data));
}

Result<std::shared_ptr<const Tokenizer>> Tokenizer::FromJsonFile(const std::string& path) {
  RINGLET_ASSIGN_OR_RETURN(const std::string text, ReadFile(path, uint64_t{1} << 28));
  return FromJson(text, path);
}

}  // namespace ringlet
