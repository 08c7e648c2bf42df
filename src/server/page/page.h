// The chat page that the server shows: the files it consists of, carried by the program.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

namespace ringlet {

struct PageFile {
  // Of the URL: "/index.html", which is also the answer to "/", and "/page/...".
  std::string_view path;
  std::string_view content_type;
  // With its double quotes, as the header ETag wants it; a checksum of the bytes. No path names a
  // version, so browsers must ask again: Cache-Control: no-cache.
  std::string_view etag;
  std::span<const std::byte> bytes;
};

// Sorted by path.
std::span<const PageFile> PageFiles();

// The value of Content-Security-Policy under which the page works. It holds what a model writes to
// text: no script, style, image or connection from anywhere but the server.
std::string_view PagePolicy();

}  // namespace ringlet
