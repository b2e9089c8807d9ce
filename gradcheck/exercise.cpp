// What the inputs never did. A gradient is compared at a point; the mistakes of other branches and
// sizes do not show there.
#include <gradus/autograd/engine.h>
#include <gradus/core/create.h>
#include <gradus/gradcheck/detail/exercise.h>

#include <algorithm>
#include <string_view>

namespace gradus {
namespace {

void look_at_values(const Probe& probe, std::size_t i, std::vector<std::string>& missing) {
  const Tensor& x = probe.leaf(i).value();
  const std::vector<double> values = x.to(float64).to_vector<double>();
  const auto any = [&](bool (*holds)(double)) {
    return std::any_of(values.begin(), values.end(), holds);
  };
  if (values.empty()) return;
  if (!any([](double v) { return v < 0; }))
    missing.push_back("negative values of " + probe.name(i));
  if (!any([](double v) { return v > 0; }))
    missing.push_back("positive values of " + probe.name(i));
  for (int d = 0; d < x.rank(); ++d) {
    if (x.size(d) == 1)
      missing.push_back("more than 1 along axis " + std::to_string(d) + " of " + probe.name(i));
  }
}

enum class Taken { none, some, all };

/// Where does a gradient of ones come through?
Taken taken(const Variable& gradient) {
  if (!gradient.defined() || gradient.numel() == 0) return Taken::some;
  const std::vector<double> values = gradient.value().to(float64).to_vector<double>();
  const auto zeros = std::count(values.begin(), values.end(), 0.0);
  return zeros == 0 ? Taken::all : zeros == gradient.numel() ? Taken::none : Taken::some;
}

void look_at_branches(const Node& node, std::vector<std::string>& missing) {
  const std::string name(node.name);
  const bool cuts = name == "relu" || name == "clamp";
  const bool chooses = name == "where" || name == "maximum" || name == "minimum";
  if (!cuts && !chooses) return;
  const NoGrad guard;
  const Variables gradients = node.op->backward(ones(node.shape, node.dtype));
  for (std::size_t i = 0; i < gradients.size(); ++i) {
    const Taken here = taken(gradients[i]);
    if (here == Taken::none) {
      missing.push_back(cuts ? "the branch of " + name + " where its slope is 1"
                             : "input " + std::to_string(i) + " as the choice of " + name);
    } else if (here == Taken::all && cuts) {
      missing.push_back("the branch of " + name + " where its slope is 0");
    }
  }
}

}  // namespace

std::vector<std::string> not_exercised(const Probe& probe) {
  std::vector<std::string> missing;
  for (std::size_t i = 0; i < probe.inputs(); ++i) {
    if (!probe.wants(i)) continue;
    look_at_values(probe, i, missing);
  }
  const Variable output = probe.record();
  for (const Node* node : nodes_of(output))
    if (node->op != nullptr) look_at_branches(*node, missing);
  std::sort(missing.begin(), missing.end());
  missing.erase(std::unique(missing.begin(), missing.end()), missing.end());
  return missing;
}

}  // namespace gradus
