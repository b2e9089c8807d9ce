// onnx's own test cases, as Debian's libonnx-testdata has them: each a folder with a model and files of what goes in and
// what comes out. Nobody here wrote them. GraphNet computes each; where there is a slope it is checked against finite
// differences on float64 copies of the inputs. A table says what becomes of each case: one that passes no more, or passes
// now, differs from it. GRADUS_ONNX_TABLE=FILE writes the table anew.
#include <doctest/doctest.h>
#include <gradus/autograd/functions.h>
#include <gradus/core/math.h>
#include <gradus/gradcheck/gradcheck.h>
#include <gradus/gradcheck/module.h>
#include <gradus/interchange/graph_net.h>
#include <gradus/interchange/onnx_file.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace fs = std::filesystem;
using namespace gradus;
using namespace gradus::interchange;

namespace {

/// Where the package puts them.
const fs::path onnx_cases_folder = "/usr/share/libonnx-testdata/data";

/// What onnx's own test runner allows; most cases were computed in other orders of sums.
constexpr double allowed_relative = 1e-3;
constexpr double allowed_absolute = 1e-7;

std::vector<Tensor> tensors_of(const fs::path& folder, const std::string& kind) {
  std::vector<Tensor> tensors;
  for (int i = 0;; ++i) {
    const fs::path file = folder / (kind + "_" + std::to_string(i) + ".pb");
    if (!fs::exists(file)) return tensors;
    tensors.push_back(read_onnx_tensor(file.string()));
  }
}

/// Empty where both are the same within what is allowed.
std::string difference(const Tensor& got, const Tensor& wanted, std::size_t output) {
  if (got.dtype() != wanted.dtype() || got.shape() != wanted.shape()) {
    return text_of("output ", output, " is ", describe(got), ", expected ", describe(wanted));
  }
  const bool close =
      core::allclose(got.to(float64), wanted.to(float64), allowed_relative, allowed_absolute);
  return close ? "" : text_of("output ", output, ": other numbers");
}

/// Inputs that GraphNet takes as constants, by operator: limits, scales and statistics, not what is trained.
const std::map<std::string, std::set<std::size_t>> constants_of_operators = {
    {"BatchNormalization", {3, 4}},
    {"Clip", {1, 2}},
    {"Dropout", {1}},
    {"NegativeLogLikelihoodLoss", {2}},
    {"Pad", {2}},
    {"Range", {0, 1, 2}},
    {"Resize", {1, 2}},
    {"SoftmaxCrossEntropyLoss", {2}},
    {"Upsample", {1}},
    {"Expand", {1}},
    {"OneHot", {0, 1}},
    {"CumSum", {1}},
    {"CastLike", {1}},
    {"Unique", {0}}};

/// Is that input of the graph one of these, and nothing else?
bool is_constant(const Graph& graph, const std::string& input) {
  bool used = false;
  for (const GraphNode& node : graph.nodes) {
    const auto found = constants_of_operators.find(node.op);
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      if (node.inputs[i] != input) continue;
      if (found == constants_of_operators.end() || !found->second.contains(i)) return false;
      used = true;
    }
  }
  return used;
}

/// Which outputs have a slope that finite differences can see: not through a cast to float32.
std::vector<std::size_t> outputs_with_slope(const Variables& outputs) {
  std::vector<std::size_t> found;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const bool exact = outputs[i].value().dtype() == float64 && outputs[i].value().numel() > 0;
    if (outputs[i].requires_grad() && exact) found.push_back(i);
  }
  return found;
}

GradcheckReport check_inputs(GraphNet& net, const Variables& all,
                             const std::vector<std::size_t>& floats, const Variables& checked,
                             const GradcheckOptions& options) {
  const auto with = [&](const Variables& given) {
    Variables whole = all;
    for (std::size_t k = 0; k < floats.size(); ++k) whole[floats[k]] = given[k];
    return net(whole);
  };
  const std::vector<std::size_t> outputs = outputs_with_slope(with(checked));
  if (outputs.empty()) return {.subject = ""};
  const auto function = [&](const Variables& given) {
    const Variables results = with(given);
    Variables parts;
    for (const std::size_t i : outputs) parts.push_back(reshape(results[i], {-1}));
    return cat(parts);
  };
  return gradcheck(function, checked, options);
}

/// Of the inputs, or of input and weights where the net has weights and one input.
GradcheckReport check_at(GraphNet& net, const Graph& graph, const std::vector<Tensor>& inputs) {
  Variables all;
  std::vector<std::size_t> floats;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const bool real = is_floating(inputs[i].dtype());
    all.emplace_back(real ? inputs[i].to(float64) : inputs[i]);
    if (real && inputs[i].numel() > 0 && !is_constant(graph, graph.inputs[i].name))
      floats.push_back(i);
  }
  Variables checked;
  for (const std::size_t i : floats) checked.emplace_back(all[i].value().clone(), true);
  if (checked.empty()) return {.subject = ""};
  const GradcheckOptions options{.draws = 1, .elements = 6, .sweep = false};
  const bool whole = graph.outputs.size() == 1 && inputs.size() == 1 && !net.parameters().empty();
  return whole ? gradcheck(net, checked[0].value(), options)
               : check_inputs(net, all, floats, checked, options);
}

/// Some cases stand on the very place of a jump (sign at 0, round at 0.5), on the edge of what the function takes (acosh
/// at 1, a root of negative numbers), or hold memory that nobody filled (1e199). Their slope is checked beside.
std::vector<Tensor> moved(const std::vector<Tensor>& inputs) {
  std::vector<Tensor> result;
  for (const Tensor& x : inputs) {
    result.push_back(is_floating(x.dtype())
                         ? core::add(core::clamp(core::abs(x.to(float64)), 0.0, 4.0), 0.01)
                         : x);
  }
  return result;
}

/// "pass", "pass, gradient", or what is wrong with the gradient.
std::string check_gradient(GraphNet& net, const std::vector<Tensor>& inputs) {
  const Graph graph = net.graph();
  net.to(float64);
  const auto is_filled = [](const Tensor& x) {
    return !is_floating(x.dtype()) || x.numel() == 0 || core::max(core::abs(x)).item() < 1e100;
  };
  const bool filled = std::all_of(inputs.begin(), inputs.end(), is_filled);
  GradcheckReport report = check_at(net, graph, filled ? inputs : moved(inputs));
  if (report.subject.empty()) return "pass";
  if (report.verdict == Verdict::inconclusive) report = check_at(net, graph, moved(inputs));
  if (report.verdict == Verdict::pass || report.verdict == Verdict::kink) return "pass, gradient";
  const std::string at = report.worst.empty() ? "" : " at " + report.worst[0].place();
  return text_of("gradient: ", to_string(report.verdict), at);
}

/// The message without the folder of the case, which differs between machines.
std::string without_path(std::string message, const std::string& folder) {
  for (std::size_t at; (at = message.find(folder)) != std::string::npos;)
    message.erase(at, folder.size());
  return message;
}

/// "node/test_abs", ...: those that have a model, sorted.
std::vector<std::string> onnx_cases() {
  std::vector<std::string> names;
  for (const char* kind : {"node", "pytorch-converted", "pytorch-operator", "simple"}) {
    if (!fs::exists(onnx_cases_folder / kind)) continue;
    for (const fs::directory_entry& entry : fs::directory_iterator(onnx_cases_folder / kind)) {
      if (fs::exists(entry.path() / "model.onnx"))
        names.push_back(std::string(kind) + "/" + entry.path().filename().string());
    }
  }
  std::sort(names.begin(), names.end());
  return names;
}

/// What became of a case: "pass", "pass, gradient", or what was wrong in a line.
std::string verdict_of_onnx_case(const std::string& name) {
  const fs::path folder = onnx_cases_folder / name;
  try {
    GraphNet net(read_onnx((folder / "model.onnx").string()));
    net.eval();
    const std::vector<Tensor> inputs = tensors_of(folder / "test_data_set_0", "input");
    const std::vector<Tensor> wanted = tensors_of(folder / "test_data_set_0", "output");
    Variables outputs;
    {
      const NoGrad off;
      outputs = net(Variables(inputs.begin(), inputs.end()));
    }
    if (outputs.size() != wanted.size())
      return text_of("gives ", outputs.size(), " outputs, expected ", wanted.size());
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      const std::string wrong = difference(outputs[i].value(), wanted[i], i);
      if (!wrong.empty()) return wrong;
    }
    return check_gradient(net, inputs);
  } catch (const Error& error) {
    return without_path(error.what(), folder.string() + "/");
  }
}

/// "CASE: VERDICT" a line.
std::map<std::string, std::string> expected_verdicts() {
  std::ifstream file(std::string(GRADUS_FIXTURES) + "/onnx_cases.txt");
  REQUIRE_MESSAGE(file, "no table of onnx's cases");
  std::map<std::string, std::string> table;
  for (std::string line; std::getline(file, line);) {
    const std::size_t colon = line.find(": ");
    REQUIRE(colon != std::string::npos);
    table.emplace(line.substr(0, colon), line.substr(colon + 2));
  }
  return table;
}

}  // namespace

TEST_CASE("onnx's own cases come out as the table says, at least 500 of them right") {
  const std::vector<std::string> cases = onnx_cases();
  if (!has_onnx() || cases.empty()) {
    std::cout << "skipped: no ONNX in this build, or no libonnx-testdata\n";
    return;
  }
  std::map<std::string, std::string> found;
  for (const std::string& name : cases) found.emplace(name, verdict_of_onnx_case(name));
  if (const char* path = std::getenv("GRADUS_ONNX_TABLE")) {
    std::ofstream table(path);
    for (const auto& [name, verdict] : found) table << name << ": " << verdict << "\n";
    return;
  }
  const auto expected = expected_verdicts();
  CHECK(found.size() == expected.size());
  int passed = 0;
  int with_gradient = 0;
  for (const auto& each : found) {
    const auto& name = each.first;
    const auto& verdict = each.second;
    const auto wanted = expected.find(name);
    REQUIRE_MESSAGE(wanted != expected.end(), name, " is not in the table: ", verdict);
    CHECK_MESSAGE(verdict == wanted->second, name);
    passed += verdict.starts_with("pass") ? 1 : 0;
    with_gradient += verdict == "pass, gradient" ? 1 : 0;
  }
  std::cout << passed << " of " << found.size() << " cases pass, " << with_gradient
            << " of them with a gradient that was checked\n";
  CHECK(passed >= 500);
}
