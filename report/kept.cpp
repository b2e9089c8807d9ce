// Why an op keeps what it keeps, in words: from what the tape knows, the name of the op and which of its
// inputs want a gradient.
#include <gradus/core/error.h>
#include <gradus/report/detail/recorder.h>

#include <algorithm>
#include <array>
#include <string_view>

namespace gradus::detail {
namespace {

constexpr std::array<std::string_view, 6> products{
    "mul", "matmul", "linear", "conv2d", "conv2d_input_grad", "conv2d_weight_grad"};
constexpr std::array<std::string_view, 5> with_relu{"relu", "add", "linear", "conv2d",
                                                    "batch_norm"};

template <std::size_t N>
bool is_among(std::string_view name, const std::array<std::string_view, N>& names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

}  // namespace

std::string why_kept(const Node& node, const KeptNumbers& kept) {
  const std::string_view what = kept.what == nullptr ? std::string_view() : kept.what;
  if (what == "output" && is_among(node.name, with_relu))
    return "the gradient passes where the output is positive";
  if (what == "output") return "its derivative is written with its output";
  if (!what.empty()) return "backward reads it again";
  std::string others;
  for (std::size_t i = 0; i < node.inputs.size(); ++i) {
    if (i == kept.input || node.inputs[i] == nullptr) continue;
    // A bias is added: its gradient needs nothing.
    if (i < 2) others += text_of(others.empty() ? "" : " and ", "dL/d(input ", i, ")");
  }
  if (is_among(node.name, products) && !others.empty()) return others + " is a product with it";
  return "its derivative is taken at this input";
}

}  // namespace gradus::detail
