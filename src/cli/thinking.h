// Telling a model's thinking from its answer while the text streams.
#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace ringlet::cli {

// Whether a rendered prompt ends inside an opened <think>, so that the answer begins with thinking.
bool EndsInThinking(std::string_view prompt);

// Splits text at <think> and </think>. The tags themselves are not passed on; a text end that could
// become a tag is held back. Only the first <think> counts, and only before any other answer text:
// later tags are the model's own words.
class ThinkingStream {
 public:
  using Sink = std::function<void(std::string_view text, bool thinking)>;
  ThinkingStream(bool thinking, Sink sink);

  void Append(std::string_view text);
  void Finish();
  bool thinking() const { return state_ == State::kThinking; }

 private:
  enum class State { kStart, kThinking, kAnswer };

  void Emit(size_t bytes, bool thinking);

  State state_;
  Sink sink_;
  std::string pending_;
};

}  // namespace ringlet::cli
