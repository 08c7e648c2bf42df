#include "cli/divergence_report.h"

#include <fmt/format.h>

namespace ringlet::cli {

std::string DivergenceText(const Divergence& divergence) {
  std::string text =
      fmt::format("KL divergence {:.6f} (largest {:.6f}) over {} tokens, same best token {:.2f}%",
                  divergence.MeanKl(), divergence.MaxKl(), divergence.tokens.size(),
                  100 * divergence.SameBest());
  if (divergence.tokens.size() > 1) {
    text += fmt::format(", perplexity {:.4f} -> {:.4f}", divergence.Perplexity(),
                        divergence.OtherPerplexity());
  }
  return text + "\n";
}

OrderedJson DivergenceJson(const Divergence& divergence) {
  OrderedJson kl = OrderedJson::array();
  for (const TokenDivergence& token : divergence.tokens) kl.push_back(token.kl);
  return {{"tokens", divergence.tokens.size()},
          {"mean_kl", divergence.MeanKl()},
          {"max_kl", divergence.MaxKl()},
          {"same_best", divergence.SameBest()},
          {"perplexity", divergence.Perplexity()},
          {"other_perplexity", divergence.OtherPerplexity()},
          {"kl", std::move(kl)}};
}

}  // namespace ringlet::cli
