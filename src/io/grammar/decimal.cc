#include "io/grammar/decimal.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <string_view>
#include <tuple>

#include <fmt/format.h>

#include "io/grammar/limits.h"

namespace ringlet::grammar {
namespace {

constexpr int kMaxExponent = 40;
// Numbers of so many digits keep their order when they become doubles: one that is below a bound by
// its digits is below it for every reader.
constexpr size_t kMaxSignificantDigits = 15;

Decimal MakeDecimal(bool negative, std::string whole, std::string fraction) {
  whole.erase(0, std::min(whole.find_first_not_of('0'), whole.size()));
  fraction.erase(fraction.find_last_not_of('0') + 1);
  if (whole.empty()) whole = "0";
  return {negative && (whole != "0" || !fraction.empty()), std::move(whole), std::move(fraction)};
}

int CompareMagnitude(const Decimal& a, const Decimal& b) {
  if (a.whole.size() != b.whole.size()) return a.whole.size() < b.whole.size() ? -1 : 1;
  // Without trailing zeros the order of fractions is that of their texts.
  const int order = std::tie(a.whole, a.fraction) < std::tie(b.whole, b.fraction) ? -1 : 1;
  return a.whole == b.whole && a.fraction == b.fraction ? 0 : order;
}

// The digits of one sign: magnitudes between two bounds. A state knows whether the digits so far
// are those of a bound; as soon as they differ that bound is decided.
class MagnitudeRange {
 public:
  MagnitudeRange(AutomatonBuilder& builder, DecimalBound low, std::optional<DecimalBound> high,
                 bool integers, StateId to)
      : builder_(builder),
        low_(std::move(low)),
        high_(std::move(high)),
        integers_(integers),
        to_(to) {
    steps_ =
        std::max<size_t>({low_.value.fraction.size(), high_ ? high_->value.fraction.size() : 0, 1});
  }

  void Add(StateId from) {
    const size_t shortest = low_.value.whole.size();
    const size_t longest = high_ ? high_->value.whole.size() : shortest;
    for (size_t length = shortest; length <= longest; ++length) AddWhole(from, length);
    if (high_) return;
    StateId at = builder_.NewState();  // all longer ones
    builder_.AddBytes(from, '1', '9', at);
    for (size_t i = 1; i <= shortest; ++i) {
      const StateId next = builder_.NewState();
      builder_.AddBytes(at, '0', '9', next);
      at = next;
    }
    for (size_t digits = shortest + 1;; ++digits) {
      EndWhole(at, digits, false, false);
      if (digits >= kMaxWholeDigits) break;
      const StateId next = builder_.NewState();
      builder_.AddBytes(at, '0', '9', next);
      at = next;
    }
  }

 private:
  // Whole parts of `length` digits.
  void AddWhole(StateId from, size_t length) {
    std::map<std::pair<bool, bool>, StateId> states;
    states[{length == low_.value.whole.size(), high_ && length == high_->value.whole.size()}] =
        from;
    for (size_t i = 0; i < length; ++i) {
      std::map<std::pair<bool, bool>, StateId> next;
      for (const auto& [tight, state] : states) {
        for (char digit = i == 0 && length > 1 ? '1' : '0'; digit <= '9'; ++digit) {
          const auto after = Advance(tight, digit, low_.value.whole[tight.first ? i : 0],
                                     high_ ? high_->value.whole[tight.second ? i : 0] : '9');
          if (after) AddDigit(state, digit, *after, next);
        }
      }
      states = std::move(next);
    }
    for (const auto& [tight, state] : states) EndWhole(state, length, tight.first, tight.second);
  }

  static std::optional<std::pair<bool, bool>> Advance(std::pair<bool, bool> tight, char digit,
                                                      char low, char high) {
    if ((tight.first && digit < low) || (tight.second && digit > high)) return std::nullopt;
    return std::pair(tight.first && digit == low, tight.second && digit == high);
  }

  void AddDigit(StateId from, char digit, std::pair<bool, bool> after,
                std::map<std::pair<bool, bool>, StateId>& next) {
    const auto [state, is_new] = next.try_emplace(after, 0);
    if (is_new) state->second = builder_.NewState();
    const auto byte = static_cast<uint8_t>(digit);
    builder_.AddBytes(from, byte, byte, state->second);
  }

  void EndWhole(StateId state, size_t length, bool low_tight, bool high_tight) {
    if (MayEnd(0, low_tight, high_tight)) builder_.AddEpsilon(state, to_);
    if (integers_ || length >= kMaxSignificantDigits) return;
    const size_t room = kMaxSignificantDigits - length;
    builder_.AddBytes(state, '.', '.', Fraction(0, room, low_tight, high_tight));
  }

  // After `digits` digits of the fraction, the rest being zeros.
  bool MayEnd(size_t digits, bool low_tight, bool high_tight) const {
    if (low_tight && (digits < low_.value.fraction.size() || low_.exclusive)) return false;
    return !high_tight || digits < high_->value.fraction.size() || !high_->exclusive;
  }

  // Beyond the digits of the bounds all places with as much room are alike.
  StateId Fraction(size_t digits, size_t room, bool low_tight, bool high_tight) {
    const bool tight = low_tight || high_tight;
    digits = std::min(digits, tight || digits == 0 ? steps_ : 1);
    const auto [known, is_new] = fractions_.try_emplace({digits, room, low_tight, high_tight}, 0);
    if (!is_new) return known->second;
    const StateId state = known->second = builder_.NewState();
    if (digits > 0 && MayEnd(digits, low_tight, high_tight)) builder_.AddEpsilon(state, to_);
    if (room == 0) return state;
    const auto digit_of = [digits](const std::string& fraction) {
      return digits < fraction.size() ? fraction[digits] : '0';
    };
    const char low = digit_of(low_.value.fraction);
    const char high = high_ ? digit_of(high_->value.fraction) : '9';
    for (char digit = '0'; digit <= '9'; ++digit) {
      const auto after = Advance({low_tight, high_tight}, digit, low, high);
      if (!after) continue;
      const auto byte = static_cast<uint8_t>(digit);
      const StateId next = Fraction(digits + 1, room - 1, after->first, after->second);
      builder_.AddBytes(state, byte, byte, next);
    }
    return state;
  }

  AutomatonBuilder& builder_;
  const DecimalBound low_;
  const std::optional<DecimalBound> high_;
  const bool integers_;
  const StateId to_;
  size_t steps_ = 1;
  std::map<std::tuple<size_t, size_t, bool, bool>, StateId> fractions_;
};

}  // namespace

int Compare(const Decimal& a, const Decimal& b) {
  if (a.negative != b.negative) return a.negative ? -1 : 1;
  return a.negative ? CompareMagnitude(b, a) : CompareMagnitude(a, b);
}

std::optional<Decimal> DecimalOf(const OrderedJson& number) {
  if (number.is_number_integer()) {
    std::string text = number.dump();
    const bool negative = text[0] == '-';
    return MakeDecimal(negative, text.substr(negative ? 1 : 0), "");
  }
  const double value = number.get<double>();
  if (!(std::abs(value) < 0x1p53)) return std::nullopt;
  const std::string text = fmt::format("{:e}", value);  // to learn the exponent
  const int magnitude = std::stoi(text.substr(text.find('e') + 1));
  if (value != 0 && magnitude < -kMaxExponent) return std::nullopt;
  // The shortest digits that mean this double, which are those of any text of up to 15 digits.
  std::string digits = fmt::format("{}", std::abs(value));
  int shift = 0;
  if (const size_t e = digits.find('e'); e != std::string::npos) {
    shift = std::stoi(digits.substr(e + 1));
    digits.erase(e);
  }
  std::string whole = digits.substr(0, digits.find('.'));
  std::string fraction = digits.size() > whole.size() ? digits.substr(whole.size() + 1) : "";
  for (; shift < 0; ++shift) {
    fraction.insert(0, 1, whole.empty() ? '0' : whole.back());
    if (!whole.empty()) whole.pop_back();
  }
  for (; shift > 0; --shift) {
    whole += fraction.empty() ? '0' : fraction.front();
    if (!fraction.empty()) fraction.erase(0, 1);
  }
  return MakeDecimal(value < 0, std::move(whole), std::move(fraction));
}

void AddNumberRange(AutomatonBuilder& builder, StateId from, const std::optional<DecimalBound>& low,
                    const std::optional<DecimalBound>& high, bool integers, StateId to) {
  const Decimal zero;
  if (low && high) {
    const int order = Compare(low->value, high->value);
    if (order > 0 || (order == 0 && (low->exclusive || high->exclusive))) return;
  }
  const auto magnitude = [](DecimalBound bound) {
    bound.value.negative = false;
    return bound;
  };
  if (!high || Compare(high->value, zero) >= 0) {  // texts without a sign
    const bool from_zero = !low || low->value.negative;
    MagnitudeRange(builder, from_zero ? DecimalBound{} : *low, high, integers, to).Add(from);
  }
  if (!low || low->value.negative) {
    const bool to_zero = !high || Compare(high->value, zero) > 0;
    const StateId digits = builder.NewState();
    builder.AddBytes(from, '-', '-', digits);
    std::optional<DecimalBound> largest;
    if (low) largest = magnitude(*low);
    MagnitudeRange(builder, to_zero ? DecimalBound{} : magnitude(*high), largest, integers, to)
        .Add(digits);
  }
}

}  // namespace ringlet::grammar
