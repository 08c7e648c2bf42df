// What a grammar may consume. Grammars come from requests, so everything that their text can make
// large is held to one of these: exceeding one is a kResource error when the grammar is compiled,
// and when a sequence is matched the matcher fails, which allows nothing.
#pragma once

#include <cstddef>
#include <cstdint>

namespace ringlet::grammar {

// Compiling.
constexpr size_t kMaxTextBytes = size_t{256} << 10;  // of a GBNF text, or of a schema's strings
constexpr size_t kMaxSchemaNodes = 20'000;           // values of any kind in a schema
constexpr uint32_t kMaxSchemaDepth = 64;             // objects and arrays inside each other
constexpr uint32_t kMaxNesting = 64;                 // groups of a GBNF text or of a pattern
constexpr uint32_t kMaxRefChain = 64;                // $ref and allOf inside each other
constexpr size_t kMaxRules = 10'000;
constexpr size_t kMaxStates = 300'000;
constexpr size_t kMaxEdges = 1'000'000;
constexpr uint64_t kMaxRepetition = 100'000;  // m and n of {m,n}, maxLength, maxItems
constexpr size_t kMaxAlternatives = 256;      // anyOf and oneOf of one value, multiplied out

// What a number may be made of.
constexpr size_t kMaxWholeDigits = 100;

// Matching.
constexpr uint32_t kMaxStackDepth = 256;                // rules inside each other
constexpr uint64_t kMaxWork = 4'000'000;                // of one call: edges and tokens' bytes seen
constexpr size_t kSoftMatcherBytes = size_t{32} << 20;  // a matcher then starts its caches anew
constexpr size_t kHardMatcherBytes = size_t{128} << 20;  // of caches within one call
constexpr size_t kMaxTokenBytes = 1024;                  // longer tokens are never allowed

}  // namespace ringlet::grammar
