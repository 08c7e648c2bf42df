#include "engine/session_file.h"

#include <cstring>
#include <memory>

#include <fmt/format.h>

#include "base/file.h"
#include "base/hasher.h"
#include "base/json.h"
#include "engine/sequence_state.h"
#include "engine/state_bytes.h"
#include "model/fingerprint.h"
#include "model/packed.h"

namespace ringlet {
namespace {

constexpr std::string_view kMagic = "RINGLET-SESSION\n";
constexpr uint64_t kMaxHeader = 1 << 20;

// What must be equal for the saved numbers to mean the same thing.
struct Identity {
  std::string model;
  std::string compute;
  std::string kv;
  std::string kernels;
};

Identity IdentityOf(const Engine& engine) {
  Identity identity;
  identity.model = fmt::format("{:016x}", Fingerprint(engine.model().checkpoint()));
  identity.compute = engine.model().compute() == ComputeType::kF32 ? "f32" : "bf16";
  identity.kv = KvTypeName(engine.model().packed().softmax_kv.type);
  for (const OpChoice& choice : OpChoices(engine.context().isa)) {
    identity.kernels +=
        fmt::format("{}{}={}", identity.kernels.empty() ? "" : " ", choice.op, choice.chosen);
  }
  return identity;
}

// Appends to the file and to the checksum.
class Writer {
 public:
  explicit Writer(AtomicFile file) : file_(std::move(file)) {}
  Status Bytes(const void* data, size_t size) {
    const std::span bytes(static_cast<const std::byte*>(data), size);
    hash_.Add(bytes);
    return file_.Append(bytes);
  }
  Status Finish() {
    const uint64_t digest = hash_.Digest();
    RINGLET_RETURN_IF_ERROR(file_.Append(std::as_bytes(std::span(&digest, 1))));
    return file_.Commit();
  }

 private:
  AtomicFile file_;
  Hasher hash_;
};

// Takes bytes from a file whose size and checksum have been verified.
class Reader {
 public:
  explicit Reader(std::span<const std::byte> bytes) : bytes_(bytes) {}
  void Take(void* out, size_t size) {
    RINGLET_CHECK(size <= bytes_.size(), "sizes were checked");
    if (size > 0) std::memcpy(out, bytes_.data(), size);
    bytes_ = bytes_.subspan(size);
  }

 private:
  std::span<const std::byte> bytes_;
};

struct Contents {
  int64_t length;
  std::span<const std::byte> payload;
};

Status CheckIdentity(const Json& header, const Identity& identity, const std::string& path) {
  const std::pair<const char*, const std::string*> fields[] = {{"model", &identity.model},
                                                               {"compute", &identity.compute},
                                                               {"kv", &identity.kv},
                                                               {"kernels", &identity.kernels}};
  for (const auto& [key, expected] : fields) {
    const auto found = header.find(key);
    if (found == header.end() || !found->is_string()) {
      return BadInput(path, key, "no string", "a string");
    }
    if (found->get_ref<const std::string&>() != *expected) {
      return BadInput(path, key, found->get<std::string>(),
                      *expected + " (save the session again with this model and machine)");
    }
  }
  return Status::Ok();
}

// Verifies everything about the file but the meaning of its numbers.
Result<Contents> CheckFile(std::span<const std::byte> bytes, const Engine& engine,
                           const std::string& path) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (bytes.size() < kMagic.size() + 16 || text.substr(0, kMagic.size()) != kMagic) {
    return BadInput(path, "", "another kind of file", "a session saved by ringlet");
  }
  uint64_t digest = 0;
  std::memcpy(&digest, bytes.data() + bytes.size() - 8, 8);
  Hasher hash;
  hash.Add(bytes.first(bytes.size() - 8));
  if (hash.Digest() != digest) {
    return BadInput(path, "checksum", "a different one", "that of the bytes before it");
  }
  uint64_t header_size = 0;
  std::memcpy(&header_size, bytes.data() + kMagic.size(), 8);
  const uint64_t rest = bytes.size() - kMagic.size() - 16;
  if (header_size > std::min(rest, kMaxHeader)) {
    return BadInput(path, "header size", fmt::format("{}", header_size),
                    fmt::format("at most {}", std::min(rest, kMaxHeader)));
  }
  RINGLET_ASSIGN_OR_RETURN(const Json header,
                           ParseJson(text.substr(kMagic.size() + 8, header_size), path));
  if (!header.is_object() || header.value("version", Json()) != Json(3)) {
    return BadInput(path, "version", "another one", "3");
  }
  RINGLET_RETURN_IF_ERROR(CheckIdentity(header, IdentityOf(engine), path));
  const auto length = header.find("length");
  if (length == header.end() || !length->is_number_unsigned() ||
      length->get<uint64_t>() > (uint64_t{1} << 31)) {
    return BadInput(path, "length", "no token count", "0 to 2147483648");
  }
  const auto tokens = length->get<uint64_t>();
  const StateBytes sizes = StateBytes::Of(engine.model());
  const uint64_t expected = tokens * 4 + (tokens >= kBlockPositions ? sizes.anchor : 0) +
                            (tokens % kBlockPositions != 0 ? sizes.tail : 0) +
                            (tokens + kBlockPositions - 1) / kBlockPositions * sizes.page;
  if (rest - header_size != expected) {
    return BadInput(path, "", fmt::format("{} bytes of state", rest - header_size),
                    fmt::format("{} for {} tokens", expected, tokens));
  }
  return Contents{static_cast<int64_t>(tokens),
                  bytes.subspan(kMagic.size() + 8 + header_size, expected)};
}

}  // namespace

Status SaveSession(const Engine& engine, const Sequence& sequence, const std::string& path) {
  const SequenceState& state = sequence.state();
  const Identity identity = IdentityOf(engine);
  const std::string header = Json{{"version", 3},
                                  {"model", identity.model},
                                  {"compute", identity.compute},
                                  {"kv", identity.kv},
                                  {"kernels", identity.kernels},
                                  {"length", static_cast<uint64_t>(sequence.length())}}
                                 .dump();
  const uint64_t header_size = header.size();
  RINGLET_ASSIGN_OR_RETURN(AtomicFile file, AtomicFile::Create(path));
  Writer writer(std::move(file));
  RINGLET_RETURN_IF_ERROR(writer.Bytes(kMagic.data(), kMagic.size()));
  RINGLET_RETURN_IF_ERROR(writer.Bytes(&header_size, sizeof(header_size)));
  RINGLET_RETURN_IF_ERROR(writer.Bytes(header.data(), header.size()));
  RINGLET_RETURN_IF_ERROR(writer.Bytes(state.tokens.data(), state.tokens.size() * 4));
  if (state.anchor) {
    RINGLET_RETURN_IF_ERROR(
        writer.Bytes(state.anchor->data.data(), state.anchor->data.size() * sizeof(float)));
  }
  if (state.tail) {
    RINGLET_RETURN_IF_ERROR(writer.Bytes(state.tail->data.data(), state.tail->data.size()));
  }
  for (const auto& page : state.pages) {
    RINGLET_RETURN_IF_ERROR(writer.Bytes(page->data.data(), page->data.size()));
  }
  return writer.Finish();
}

Result<Sequence> RestoreSession(const Engine& engine, const std::string& path) {
  RINGLET_ASSIGN_OR_RETURN(const auto file, MappedFile::Open(path));
  RINGLET_ASSIGN_OR_RETURN(const Contents contents, CheckFile(file->bytes(), engine, path));
  const StateBytes sizes = StateBytes::Of(engine.model());
  Reader reader(contents.payload);
  Sequence sequence = engine.NewSequence();
  SequenceState& state = sequence.state();
  state.tokens.resize(static_cast<size_t>(contents.length));
  reader.Take(state.tokens.data(), state.tokens.size() * 4);
  for (size_t i = 0; i < state.tokens.size(); ++i) {
    if (state.tokens[i] >= 0 && state.tokens[i] < engine.model().config().vocab) continue;
    return BadInput(path, fmt::format("tokens[{}]", i), fmt::format("id {}", state.tokens[i]),
                    fmt::format("0 to {}", engine.model().config().vocab - 1));
  }
  if (sizes.anchor > 0 && contents.length >= kBlockPositions) {
    state.anchor = std::make_shared<Anchor>(sizes.anchor / sizeof(float));
    state.anchor->position = contents.length / kBlockPositions * kBlockPositions;
    reader.Take(state.anchor->data.data(), sizes.anchor);
  }
  if (sizes.tail > 0 && contents.length % kBlockPositions != 0) {
    state.tail = std::make_shared<PositionBlock>(sizes.tail);
    reader.Take(state.tail->data.data(), sizes.tail);
  }
  const int64_t pages = (contents.length + kBlockPositions - 1) / kBlockPositions;
  for (int64_t i = 0; i < pages; ++i) {
    state.pages.push_back(NewPage(state, sizes.page));
    reader.Take(state.pages.back()->data.data(), sizes.page);
  }
  return sequence;
}

}  // namespace ringlet
