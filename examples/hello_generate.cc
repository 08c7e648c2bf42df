// Loads a model and continues a text, greedily. The smallest complete use of the library.
//
//   hello_generate MODEL "Once upon a time" 32
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "engine/engine.h"
#include "io/tokenizer.h"
#include "model/checkpoint.h"
#include "model/model.h"
#include "ops/context.h"

namespace {

using namespace ringlet;

Result<std::shared_ptr<const Tokenizer>> LoadTokenizer(const Checkpoint& checkpoint) {
  if (checkpoint.gguf != nullptr) return Tokenizer::FromGguf(*checkpoint.gguf);
  return Tokenizer::FromJsonFile(checkpoint.path + "/tokenizer.json");
}

Status Continue(const std::string& path, const std::string& text, int count) {
  // What is on disk: configuration, tensors, tokenizer. Nothing is computed yet.
  RINGLET_ASSIGN_OR_RETURN(Checkpoint checkpoint, OpenCheckpoint(path));
  RINGLET_ASSIGN_OR_RETURN(const auto tokenizer, LoadTokenizer(checkpoint));
  RINGLET_ASSIGN_OR_RETURN(std::vector<int32_t> tokens,
                           tokenizer->Encode(text, SpecialTokens::kText));
  if (tokens.empty()) return BadInput("TEXT", "", "no text", "some text to continue");

  // One context: the best instruction set of this processor, and two threads.
  auto context = std::make_shared<Context>(IsaChoice::Detect(), 2);
  RINGLET_ASSIGN_OR_RETURN(auto model, Model::Load(std::move(checkpoint), *context, {}));
  Engine engine(model, context, {});
  Sequence sequence = engine.NewSequence();

  // Feed the text, then each token that follows; a feed asks for the logits of its last row.
  StreamDecoder decoder(tokenizer, /*skip_special=*/true);
  std::fputs(text.c_str(), stdout);
  for (int i = 0; i < count; ++i) {
    int32_t best = 0;
    Feed feed;
    feed.sequence = &sequence;
    feed.tokens = tokens;
    feed.on_logits = [&best](int64_t, std::span<const float> logits) {
      best = static_cast<int32_t>(std::ranges::max_element(logits) - logits.begin());
    };
    RINGLET_RETURN_IF_ERROR(engine.Step(std::span<const Feed>(&feed, 1)));
    const std::vector<int32_t>& ends = model->config().eos_ids;
    if (std::ranges::find(ends, best) != ends.end()) break;
    std::fputs(decoder.Push(best).c_str(), stdout);
    std::fflush(stdout);
    tokens = {best};
  }
  std::puts(decoder.Finish().c_str());
  return Status::Ok();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: hello_generate MODEL TEXT COUNT\n");
    return 2;
  }
  const Status status = Continue(argv[1], argv[2], std::atoi(argv[3]));
  if (!status.ok()) std::fprintf(stderr, "hello_generate: %s\n", status.message().c_str());
  return status.ok() ? 0 : 1;
}
