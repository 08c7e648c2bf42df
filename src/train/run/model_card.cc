#include "train/run/model_card.h"

#include <fmt/format.h>

#include "base/file.h"
#include "base/format.h"

namespace ringlet {

std::string ModelCard(const CardFacts& facts) {
  std::string card =
      fmt::format("# {}\n\n{}, {} parameters, trained with `ringlet train`.\n\n", facts.config.name,
                  facts.model, FormatCount(static_cast<uint64_t>(facts.parameters)));
  card += "| | |\n|---|---|\n";
  card += fmt::format("| steps | {} |\n", FormatCount(static_cast<uint64_t>(facts.config.steps)));
  card += fmt::format("| tokens | {} |\n", FormatCount(static_cast<uint64_t>(facts.tokens)));
  card += fmt::format("| time | {} |\n", FormatDuration(facts.seconds));
  for (const DataSettings& data : facts.config.data) {
    card += fmt::format("| data | `{}`, weight {} |\n", data.path, data.weight);
  }
  if (facts.merged > 1) card += fmt::format("| merged | {} checkpoints |\n", facts.merged);
  if (facts.heldout) {
    card += fmt::format("| held-out loss | {:.4f} per token, {:.4f} bits per byte |\n",
                        facts.heldout->loss, facts.heldout->bits_per_byte);
  }
  card += "\nEvery setting:\n\n```toml\n" + CanonicalToml(facts.config) + "```\n";
  return card;
}

Result<std::map<std::string, std::string>> TokenizerFiles(const std::string& path) {
  std::map<std::string, std::string> files;
  if (path.empty()) return files;
  if (!IsDirectory(path)) {
    RINGLET_ASSIGN_OR_RETURN(files["tokenizer.json"], ReadFile(path));
    return files;
  }
  RINGLET_ASSIGN_OR_RETURN(files["tokenizer.json"], ReadFile(path + "/tokenizer.json"));
  for (const char* name : {"tokenizer_config.json", "special_tokens_map.json",
                           "generation_config.json", "chat_template.jinja"}) {
    if (!FileExists(path + "/" + name)) continue;
    RINGLET_ASSIGN_OR_RETURN(files[name], ReadFile(path + "/" + name));
  }
  return files;
}

}  // namespace ringlet
