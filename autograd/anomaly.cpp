// Anomaly mode: the rule by which a NaN or an infinity counts as born, and the message.
#include <gradus/autograd/anomaly.h>
#include <gradus/autograd/op.h>
#include <gradus/core/detail/environment.h>

#include <algorithm>
#include <cmath>
#include <utility>

namespace gradus {

constinit thread_local detail::Anomaly detail::anomaly = detail::Anomaly::not_asked;

namespace {

using detail::Anomaly;

thread_local bool in_backward = false;

bool wanted_by_environment() {
  static const bool wanted = detail::switch_from_environment("GRADUS_ANOMALY", false);
  return wanted;
}

/// An infinity that comes in may go out again.
bool has_infinity(const Variables& all) {
  return std::any_of(all.begin(), all.end(),
                     [](const Variable& x) { return census_of(x).infinite > 0; });
}

/// "; its input 0 is float32 [2], from 0 to 1", for each.
void tell(PlainText& line, const Variables& inputs) {
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i].defined()) line << "; its input " << i << " is " << census_text(inputs[i]);
  }
}

void tell_kept(PlainText& line, const Node& node) {
  for (const KeptNumbers& kept : node.kept) {
    line << "; its ";
    kept.what == nullptr ? line << "input " << kept.input : line << kept.what;
    line << " is " << census_text(kept.numbers);
  }
}

}  // namespace

DetectAnomaly::DetectAnomaly(bool enabled)
    : previous_(std::exchange(detail::anomaly, enabled ? Anomaly::on : Anomaly::off)) {}
DetectAnomaly::~DetectAnomaly() { detail::anomaly = previous_; }

bool detects_anomaly() {
  if (detail::anomaly == Anomaly::not_asked)
    detail::anomaly = wanted_by_environment() ? Anomaly::on : Anomaly::off;
  return detail::anomaly == Anomaly::on;
}

detail::InBackward::InBackward() : previous_(std::exchange(in_backward, true)) {}
detail::InBackward::~InBackward() { in_backward = previous_; }

Census census_of(const Variable& x) {
  Census census;
  if (!x.defined() || !x.value().defined()) return census;
  const bool stored = is_storage_only(x.dtype());
  const Tensor numbers = (stored ? x.value().to(float32) : x.value()).contiguous();
  census.count = numbers.numel();
  census.least = HUGE_VAL;
  census.greatest = -HUGE_VAL;
  double squares = 0;
  dispatch(numbers.dtype(), [&]<class T>() {
    const T* all = numbers.data<T>();
    for (std::int64_t i = 0; i < census.count; ++i) {
      const double number = static_cast<double>(all[i]);
      census.zero += number == 0;
      census.negative += number < 0;
      squares += number * number;
      if (std::isfinite(number)) {
        census.least = std::min(census.least, number);
        census.greatest = std::max(census.greatest, number);
        continue;
      }
      if (census.finite()) census.first_bad = unravel(i, x.shape());
      ++(std::isnan(number) ? census.nan : census.infinite);
    }
  });
  census.norm = std::sqrt(squares);
  return census;
}

std::string census_text(const Variable& x) {
  const Census census = census_of(x);
  PlainText text;
  text << describe(x.value());
  if (census.least == census.greatest) text << ", " << census.least;
  if (census.least < census.greatest)
    text << ", from " << census.least << " to " << census.greatest;
  if (census.nan > 0) text << ", " << census.nan << " NaN";
  if (census.infinite > 0) text << ", " << census.infinite << " infinite";
  return text.str();
}

std::string bad_text(const Census& census) {
  PlainText text;
  if (census.nan > 0) text << census.nan << " NaN";
  if (census.nan > 0 && census.infinite > 0) text << " and ";
  if (census.infinite > 0) text << census.infinite << " infinite";
  text << " among " << census.count << " elements, the first at " << census.first_bad;
  return text.str();
}

std::string source_text(const Variable& x) {
  if (x.node() != nullptr) return (x.node()->is_leaf ? "" : "the result of ") + x.node()->text();
  return x.origin() == nullptr ? "a constant" : "a constant: " + x.origin()->text();
}

void detail::check_call(std::string_view op, Place at, const Variables& inputs,
                        const Variables& outputs, bool states_infinity) {
  if (!detects_anomaly() || in_backward) return;
  for (std::size_t k = 0; k < outputs.size(); ++k) {
    const Census census = census_of(outputs[k]);
    const bool meant = census.nan == 0 && (states_infinity || has_infinity(inputs));
    if (census.finite() || meant) continue;
    PlainText line;
    line << op << ": the forward pass gives " << bad_text(census);
    if (outputs.size() > 1) line << " of output " << k;
    line << "; called at " << places_text(at, CallScope::current());
    const auto had_nan = [](const Variable& x) { return census_of(x).nan > 0; };
    const auto bringer = std::find_if(inputs.begin(), inputs.end(), had_nan);
    if (census.nan > 0 && bringer != inputs.end()) {
      line << "; it was brought in by input " << bringer - inputs.begin() << ", "
           << source_text(*bringer);
    }
    tell(line, inputs);
    fail<AnomalyError>(line.str());
  }
}

void detail::check_gradients(const Node& node, const Variable& arrived,
                             const Variables& gradients) {
  for (std::size_t i = 0; i < gradients.size(); ++i) {
    if (node.inputs[i] == nullptr) continue;
    const Census census = census_of(gradients[i]);
    if (census.finite()) continue;
    Variables seen{arrived};
    for (const KeptNumbers& kept : node.kept) seen.push_back(kept.numbers);
    if (census.nan == 0 && has_infinity(seen)) continue;
    PlainText line;
    line << "backward: the gradient of input " << i << " of " << node.text() << " has "
         << bad_text(census) << "; what arrives is " << census_text(arrived);
    tell_kept(line, node);
    fail<AnomalyError>(line.str());
  }
}

void detail::check_gradient(std::string_view what, const Node& node, const Variable& gradient) {
  const Census census = census_of(gradient);
  if (census.finite()) return;
  fail<AnomalyError>("backward: ", what, " ", node.text(), " has ", bad_text(census), ": ",
                     census_text(gradient));
}

}  // namespace gradus
