#include "train/data/vocabulary_fingerprint.h"

#include <string>
#include <string_view>

#include "base/hasher.h"

namespace ringlet {

uint64_t VocabularyFingerprint(const Tokenizer& tokenizer) {
  std::string all;
  for (int32_t id = 0; id < tokenizer.vocab_size(); ++id) {
    const std::string_view bytes = tokenizer.TokenBytes(id);
    // The length keeps neighbours apart.
    const auto length = static_cast<uint32_t>(bytes.size());
    all.append(reinterpret_cast<const char*>(&length), sizeof(length));
    all += tokenizer.IsSpecial(id) ? 's' : tokenizer.IsToken(id) ? 't' : '-';
    all += bytes;
  }
  return HashText(all);
}

}  // namespace ringlet
