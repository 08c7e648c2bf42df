#include "cli/line_reader.h"

#include <array>
#include <cstdio>
#include <utility>

#include <unistd.h>

#include "cli/terminal.h"

#ifdef RINGLET_LIBEDIT
#include <clocale>
#include <cwchar>
#include <string_view>

#include <histedit.h>
#include <langinfo.h>
#endif

namespace ringlet::cli {
namespace {

constexpr size_t kMaxLine = size_t{16} << 20;

}  // namespace

#ifdef RINGLET_LIBEDIT

// libedit with one history. It reads through ReadChar, because its own reader does not end for
// Ctrl-C.
struct LineReader::Editor {
  explicit Editor(const InterruptGuard& guard) : interrupt(guard) {
    // Lines are UTF-8 whatever the user's locale: libedit converts by LC_CTYPE.
    std::setlocale(LC_CTYPE, "");
    if (std::string_view(nl_langinfo(CODESET)) != "UTF-8") std::setlocale(LC_CTYPE, "C.UTF-8");
    edit = el_init("ringlet", stdin, stdout, stderr);
    history = history_init();
    if (edit == nullptr || history == nullptr) return;
    HistEvent event;
    ::history(history, &event, H_SETSIZE, 1000);
    ::history(history, &event, H_SETUNIQUE, 1);
    el_set(edit, EL_CLIENTDATA, this);
    el_set(edit, EL_PROMPT, &Prompt);
    el_set(edit, EL_EDITOR, "emacs");
    el_set(edit, EL_HIST, ::history, history);
    el_set(edit, EL_GETCFN, &ReadChar);
  }
  ~Editor() {
    if (history != nullptr) history_end(history);
    if (edit != nullptr) el_end(edit);
  }
  Editor(const Editor&) = delete;
  Editor& operator=(const Editor&) = delete;

  static Editor* Of(EditLine* line) {
    void* self = nullptr;
    el_get(line, EL_CLIENTDATA, &self);
    return static_cast<Editor*>(self);
  }
  static char* Prompt(EditLine* line) { return Of(line)->prompt.data(); }

  static int ReadChar(EditLine* line, wchar_t* out) {
    std::mbstate_t state{};
    while (true) {
      if (!Of(line)->interrupt.WaitForInput(STDIN_FILENO)) return -1;
      char byte = 0;
      const ssize_t got = read(STDIN_FILENO, &byte, 1);
      if (got <= 0) return static_cast<int>(got);
      const size_t used = std::mbrtowc(out, &byte, 1, &state);
      if (used == static_cast<size_t>(-2)) continue;  // more bytes needed
      if (used == static_cast<size_t>(-1)) {          // not UTF-8: skip it
        state = std::mbstate_t{};
        continue;
      }
      return 1;
    }
  }

  const InterruptGuard& interrupt;
  EditLine* edit = nullptr;
  History* history = nullptr;
  std::string prompt;
};

LineReader::Event LineReader::Read(const std::string& prompt, std::string& line) {
  if (!editor_) return ReadPlain(prompt, line);
  editor_->prompt = prompt;
  int count = 0;
  const char* text = el_gets(editor_->edit, &count);
  if (interrupt_.Pending()) {
    el_reset(editor_->edit);
    std::fputc('\n', stdout);
    return Event::kInterrupt;
  }
  if (text == nullptr || count <= 0) return Event::kEnd;
  line.assign(text, static_cast<size_t>(count));
  HistEvent event;
  if (line != "\n") ::history(editor_->history, &event, H_ENTER, line.c_str());
  if (line.ends_with('\n')) line.pop_back();
  return Event::kLine;
}

#else

struct LineReader::Editor {};

LineReader::Event LineReader::Read(const std::string& prompt, std::string& line) {
  return ReadPlain(prompt, line);
}

#endif

LineReader::LineReader(const InterruptGuard& interrupt)
    : interrupt_(interrupt), interactive_(DetectTerminal(stdin).tty && DetectTerminal(stdout).tty) {
#ifdef RINGLET_LIBEDIT
  if (!interactive_) return;
  editor_ = std::make_unique<Editor>(interrupt);
  if (editor_->edit == nullptr || editor_->history == nullptr) editor_.reset();
#endif
}

LineReader::~LineReader() = default;

LineReader::Event LineReader::ReadPlain(const std::string& prompt, std::string& line) {
  if (interactive_) {
    std::fputs(prompt.c_str(), stdout);
    std::fflush(stdout);
  }
  size_t searched = 0;
  while (true) {
    const size_t end = buffered_.find('\n', searched);
    if (end != std::string::npos) {
      line = buffered_.substr(0, end);
      buffered_.erase(0, end + 1);
      return Event::kLine;
    }
    searched = buffered_.size();
    if (searched > kMaxLine) return Event::kEnd;
    if (!interrupt_.WaitForInput(STDIN_FILENO)) return Event::kInterrupt;
    std::array<char, 4096> block;
    const ssize_t got = read(STDIN_FILENO, block.data(), block.size());
    if (got > 0) {
      buffered_.append(block.data(), static_cast<size_t>(got));
      continue;
    }
    // The last line may lack its end.
    line = std::move(buffered_);
    buffered_.clear();
    return line.empty() ? Event::kEnd : Event::kLine;
  }
}

}  // namespace ringlet::cli
