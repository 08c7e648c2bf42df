// Template text to the tree of ast.h.
#pragma once

#include <memory>
#include <string_view>

#include "io/jinja/ast.h"
#include "io/jinja/limits.h"

namespace ringlet::jinja {

// Throws TemplateError: bad syntax, unknown tags, filters and tests, nesting beyond the limit.
std::unique_ptr<const Template> ParseTemplate(std::string_view source,
                                              const TemplateLimits& limits);

}  // namespace ringlet::jinja
