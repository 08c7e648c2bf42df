#include "io/tokenizer_components.h"

#include <cctype>
#include <optional>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "io/tokenizer.h"

namespace ringlet {
namespace {

// The components in a field: itself, or those of a Sequence (which may hold Sequences), in order.
// `list_key` is what the component's kind calls the list.
Status Flatten(const JsonFields& component, std::string_view list_key,
               std::vector<JsonFields>& parts) {
  if (!component.value().is_object()) return component.Unexpected("an object or null");
  RINGLET_ASSIGN_OR_RETURN(const std::string type, component.String("type"));
  if (type != "Sequence") {
    parts.push_back(component);
    return Status::Ok();
  }
  RINGLET_RETURN_IF_ERROR(component.ExpectObject({"type", list_key}));
  RINGLET_ASSIGN_OR_RETURN(const JsonFields list, component.Field(list_key));
  RINGLET_RETURN_IF_ERROR(list.ExpectArray());
  for (size_t i = 0; i < list.value().size(); ++i) {
    RINGLET_RETURN_IF_ERROR(Flatten(list.Element(i), list_key, parts));
  }
  return Status::Ok();
}

// Nothing when the field is absent or null.
Result<std::vector<JsonFields>> Components(const JsonFields& root, std::string_view key,
                                           std::string_view list_key) {
  std::vector<JsonFields> parts;
  if (root.Has(key)) {
    RINGLET_ASSIGN_OR_RETURN(const JsonFields component, root.Field(key));
    RINGLET_RETURN_IF_ERROR(Flatten(component, list_key, parts));
  }
  return parts;
}

Status ExpectByteLevel(const JsonFields& part) {
  RINGLET_RETURN_IF_ERROR(
      part.ExpectObject({"type", "add_prefix_space", "trim_offsets", "use_regex"}));
  for (const std::string_view key : {"add_prefix_space", "trim_offsets", "use_regex"}) {
    RINGLET_RETURN_IF_ERROR(part.Bool(key, false).status());
  }
  return Status::Ok();
}

Result<SplitBehavior> ReadBehavior(const JsonFields& split) {
  constexpr std::pair<std::string_view, SplitBehavior> kBehaviors[] = {
      {"Isolated", SplitBehavior::kIsolated},
      {"Removed", SplitBehavior::kRemoved},
      {"MergedWithPrevious", SplitBehavior::kMergedWithPrevious},
      {"MergedWithNext", SplitBehavior::kMergedWithNext},
      {"Contiguous", SplitBehavior::kContiguous},
  };
  RINGLET_ASSIGN_OR_RETURN(const std::string name, split.String("behavior"));
  for (const auto& [known, behavior] : kBehaviors) {
    if (name == known) return behavior;
  }
  return split.Field("behavior")
      ->Unsupported("Isolated, Removed, MergedWithPrevious, MergedWithNext or Contiguous");
}

// A literal string as a pattern.
std::string Escaped(std::string_view literal) {
  std::string pattern;
  for (const char c : literal) {
    const bool plain = static_cast<uint8_t>(c) >= 0x80 || std::isalnum(static_cast<uint8_t>(c));
    if (plain) {
      pattern += c;
    } else {
      pattern += fmt::format("\\x{{{:02x}}}", static_cast<uint8_t>(c));
    }
  }
  return pattern;
}

Result<PreTokenizerStage> ReadSplit(const JsonFields& split) {
  RINGLET_RETURN_IF_ERROR(split.ExpectObject({"type", "pattern", "behavior", "invert"}));
  RINGLET_ASSIGN_OR_RETURN(const JsonFields pattern, split.Field("pattern"));
  RINGLET_RETURN_IF_ERROR(pattern.ExpectObject({"Regex", "String"}));
  if (pattern.value().size() != 1) return pattern.Unexpected("either Regex or String");
  const bool is_regex = pattern.Has("Regex");
  const std::string_view key = is_regex ? "Regex" : "String";
  RINGLET_ASSIGN_OR_RETURN(std::string text, pattern.String(key));
  if (text.empty()) return pattern.Field(key)->Unexpected("a pattern");
  if (!is_regex) text = Escaped(text);
  PreTokenizerStage stage;
  RINGLET_ASSIGN_OR_RETURN(stage.pattern,
                           Regex::Compile(text, split.source(), pattern.PathOf(key)));
  RINGLET_ASSIGN_OR_RETURN(stage.behavior, ReadBehavior(split));
  RINGLET_ASSIGN_OR_RETURN(stage.invert, split.Bool("invert", false));
  return stage;
}

Result<PreTokenizerStage> ReadDigits(const JsonFields& digits) {
  RINGLET_RETURN_IF_ERROR(digits.ExpectObject({"type", "individual_digits"}));
  RINGLET_ASSIGN_OR_RETURN(const bool individual, digits.Bool("individual_digits", false));
  PreTokenizerStage stage;
  RINGLET_ASSIGN_OR_RETURN(stage.pattern,
                           Regex::Compile(individual ? patterns::kDigit : patterns::kDigits,
                                          digits.source(), digits.path()));
  return stage;
}

Result<PreTokenizerStage> ReadByteLevel(const JsonFields& part) {
  RINGLET_RETURN_IF_ERROR(ExpectByteLevel(part));
  PreTokenizerStage stage;
  RINGLET_ASSIGN_OR_RETURN(stage.add_prefix_space, part.Bool("add_prefix_space", true));
  RINGLET_ASSIGN_OR_RETURN(const bool use_regex, part.Bool("use_regex", true));
  if (use_regex) {
    RINGLET_ASSIGN_OR_RETURN(stage.pattern,
                             Regex::Compile(patterns::kGpt2, part.source(), part.path()));
  }
  return stage;
}

Result<PreTokenizerStage> ReadStage(const JsonFields& part, const std::string& type) {
  if (type == "Split") return ReadSplit(part);
  if (type == "Digits") return ReadDigits(part);
  if (type == "ByteLevel") return ReadByteLevel(part);
  return part.Field("type")->Unsupported("Split, Digits, ByteLevel or Sequence");
}

// The special token that a template puts before the text, with its id; the text must follow and be
// the last. {"single": [{"SpecialToken": {"id": "<s>", ...}}, {"Sequence": {"id": "A", ...}}]}
Status ReadTemplate(const JsonFields& part, TokenizerData& data) {
  RINGLET_RETURN_IF_ERROR(part.ExpectObject({"type", "single", "pair", "special_tokens"}));
  RINGLET_ASSIGN_OR_RETURN(const JsonFields single, part.Field("single"));
  RINGLET_RETURN_IF_ERROR(single.ExpectArray());
  const Json& items = single.value();
  const bool with_token = items.size() == 2;
  const bool known_shape =
      (with_token || items.size() == 1) && items.back().is_object() &&
      items.back().contains("Sequence") &&
      (!with_token || (items[0].is_object() && items[0].contains("SpecialToken")));
  if (!known_shape) return single.Unsupported("one text with at most one special token before it");
  if (!with_token) return Status::Ok();
  RINGLET_ASSIGN_OR_RETURN(const JsonFields token, single.Element(0).Field("SpecialToken"));
  RINGLET_ASSIGN_OR_RETURN(const std::string name, token.String("id"));
  RINGLET_ASSIGN_OR_RETURN(const JsonFields all, part.Field("special_tokens"));
  RINGLET_ASSIGN_OR_RETURN(const JsonFields entry, all.Field(name));
  RINGLET_ASSIGN_OR_RETURN(const JsonFields ids, entry.Field("ids"));
  RINGLET_RETURN_IF_ERROR(ids.ExpectArray());
  if (ids.value().size() != 1 || !ids.value()[0].is_number_unsigned() ||
      ids.value()[0].get<uint64_t>() >= Tokenizer::kMaxIds) {
    return ids.Unexpected("one id");
  }
  data.bos_id = ids.value()[0].get<int32_t>();
  data.bos_field = ids.path();
  data.adds_bos = true;
  return Status::Ok();
}

}  // namespace

Status ReadNormalizer(const JsonFields& root, TokenizerData& data) {
  constexpr std::pair<std::string_view, NormalForm> kForms[] = {{"NFC", NormalForm::kNfc},
                                                                {"NFD", NormalForm::kNfd},
                                                                {"NFKC", NormalForm::kNfkc},
                                                                {"NFKD", NormalForm::kNfkd}};
  RINGLET_ASSIGN_OR_RETURN(const auto parts, Components(root, "normalizer", "normalizers"));
  for (const JsonFields& part : parts) {
    RINGLET_ASSIGN_OR_RETURN(const std::string type, part.String("type"));
    std::optional<NormalForm> found;
    for (const auto& [name, form] : kForms) {
      if (type == name) found = form;
    }
    if (!found) return part.Field("type")->Unsupported("NFC, NFD, NFKC, NFKD or Sequence");
    RINGLET_RETURN_IF_ERROR(part.ExpectObject({"type"}));
    data.normalizers.push_back(*found);
  }
  return Status::Ok();
}

Status ReadPreTokenizer(const JsonFields& root, TokenizerData& data) {
  RINGLET_ASSIGN_OR_RETURN(const auto parts, Components(root, "pre_tokenizer", "pretokenizers"));
  if (parts.size() > PreTokenizer::kMaxStages) {
    return BadInput(root.source(), "pre_tokenizer", fmt::format("{} components", parts.size()),
                    fmt::format("at most {}", PreTokenizer::kMaxStages));
  }
  bool byte_level = false;
  for (const JsonFields& part : parts) {
    RINGLET_ASSIGN_OR_RETURN(const std::string type, part.String("type"));
    // It turns bytes into the byte alphabet: nothing after it would see the text any more.
    if (byte_level) return part.Unsupported("ByteLevel as the last component");
    byte_level = type == "ByteLevel";
    RINGLET_ASSIGN_OR_RETURN(PreTokenizerStage stage, ReadStage(part, type));
    data.stages.push_back(std::move(stage));
  }
  if (byte_level) return Status::Ok();
  return Status(StatusCode::kUnsupported,
                fmt::format("{}: pre_tokenizer: found no ByteLevel, expected a byte-level BPE "
                            "tokenizer",
                            root.source()));
}

Status ReadPostProcessor(const JsonFields& root, TokenizerData& data) {
  RINGLET_ASSIGN_OR_RETURN(const auto parts, Components(root, "post_processor", "processors"));
  for (const JsonFields& part : parts) {
    RINGLET_ASSIGN_OR_RETURN(const std::string type, part.String("type"));
    if (type == "ByteLevel") {
      RINGLET_RETURN_IF_ERROR(ExpectByteLevel(part));  // it trims offsets, not ids
    } else if (type == "TemplateProcessing") {
      RINGLET_RETURN_IF_ERROR(ReadTemplate(part, data));
    } else {
      return part.Field("type")->Unsupported("ByteLevel, TemplateProcessing or Sequence");
    }
  }
  return Status::Ok();
}

Status ReadDecoder(const JsonFields& root) {
  RINGLET_ASSIGN_OR_RETURN(const auto parts, Components(root, "decoder", "decoders"));
  if (parts.size() != 1) {
    return Status(StatusCode::kUnsupported,
                  fmt::format("{}: decoder: found {} components, expected ByteLevel", root.source(),
                              parts.size()));
  }
  RINGLET_ASSIGN_OR_RETURN(const std::string type, parts[0].String("type"));
  if (type != "ByteLevel") return parts[0].Field("type")->Unsupported("ByteLevel");
  return ExpectByteLevel(parts[0]);
}

}  // namespace ringlet
