// What drawings and pages share: text that is safe in them, round axis ticks, short amounts.
#pragma once

#include <string>
#include <string_view>

namespace ringlet {

// For text and attribute values of XML and HTML; control characters become spaces.
std::string EscapeXml(std::string_view text);

// 1, 2 or 5 times a power of ten, so that at most `steps` steps reach `span` > 0.
double TickStep(double span, int steps = 6);

// "250", "50k", "1.2M".
std::string ShortAmount(double value);

}  // namespace ringlet
