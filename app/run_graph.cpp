// gradus run: what an ONNX file computes of arrays of NumPy's.
#include <gradus/core/parallel.h>
#include <gradus/core/words.h>
#include <gradus/data/npy.h>
#include <gradus/interchange/graph_net.h>
#include <gradus/interchange/onnx_file.h>

#include <spdlog/fmt/fmt.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "commands.h"
#include "exit_code.h"
#include "output_file.h"

namespace gradus::app {
namespace {

using interchange::GraphValue;

/// The value that NAME=FILE names, or none: text without = is a file.
std::optional<std::size_t> value_named(const std::string& text,
                                       const std::vector<GraphValue>& values, const char* option) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (text.starts_with(values[i].name + "=")) return i;
    names.push_back(printable(values[i].name));
  }
  const std::size_t equals = text.find('=');
  if (equals == text.npos) return std::nullopt;
  fail<UsageError>(option, " ", printable(text), ": ", in_quotes(text.substr(0, equals)),
                   " is no name here, there are ", joined(names), "; NAME=FILE is expected");
}

/// FILE or NAME=FILE for each value: by name, else the next that has none. Empty: nobody asked for it.
std::vector<std::string> files_of(const std::vector<std::string>& asked,
                                  const std::vector<GraphValue>& values, const char* option) {
  std::vector<std::string> files(values.size());
  std::vector<std::string> nameless;
  for (const std::string& text : asked) {
    const auto at = value_named(text, values, option);
    if (text.empty() || (at && text.ends_with("=")))
      fail<UsageError>(option, " ", in_quotes(text), ": names no file");
    if (!at) {
      nameless.push_back(text);
      continue;
    }
    const std::string file = text.substr(values[*at].name.size() + 1);
    if (!files[*at].empty()) {
      fail<UsageError>(option, ": ", in_quotes(values[*at].name), " is in ", files[*at], " and in ",
                       file, ", one file is expected");
    }
    files[*at] = file;
  }
  auto next = nameless.begin();
  for (std::string& file : files) {
    if (file.empty() && next != nameless.end()) file = *next++;
  }
  if (next == nameless.end()) return files;
  std::vector<std::string> names;
  for (const GraphValue& value : values) names.push_back(printable(value.name));
  fail<UsageError>(option, " ", *next, ": is one too many; there are ", joined(names));
}

/// No output goes where another goes, or where something stands that is read.
void expect_apart(const std::vector<std::string>& targets, const std::vector<std::string>& sources,
                  const std::vector<std::string>& of_net) {
  std::vector<ReadFile> read;
  for (const std::string& file : of_net) read.push_back({file, "the net"});
  for (const std::string& source : sources) read.push_back({source, "an input"});
  std::vector<std::string> written;
  for (const std::string& target : targets) {
    if (target.empty()) continue;
    expect_writable("--output", target, read, written);
    written.push_back(target);
  }
}

/// A float of another size is converted: the file says what it computes in.
Tensor as_declared(const Tensor& array, const GraphValue& value, const std::string& file) {
  const bool converts =
      is_floating(value.dtype) && (is_floating(array.dtype()) || is_storage_only(array.dtype()));
  if (array.dtype() != value.dtype && !converts) {
    fail<UsageError>("--input ", file, ": is ", describe(array), ", ", in_quotes(value.name),
                     " is ", value.dtype);
  }
  return array.to(value.dtype);
}

}  // namespace

int run_graph_file(const RunGraphOptions& options) {
  set_num_threads(options.threads.value_or(num_threads()));
  std::vector<std::string> of_net = {options.file};
  interchange::Graph graph = interchange::read_onnx(options.file, &of_net);
  const std::vector<GraphValue> ins = graph.inputs;
  const std::vector<GraphValue> outs = graph.outputs;
  const std::vector<std::string> sources = files_of(options.inputs, ins, "--input");
  const std::vector<std::string> targets = files_of(options.outputs, outs, "--output");
  Variables inputs;
  for (std::size_t i = 0; i < ins.size(); ++i) {
    if (sources[i].empty())
      fail<UsageError>("--input: ", in_quotes(ins[i].name), " is missing: --input ",
                       printable(ins[i].name), "=FILE.npy");
    inputs.emplace_back(as_declared(load_npy(sources[i]), ins[i], sources[i]));
  }
  expect_apart(targets, sources, of_net);
  const NoGrad no_grad;
  Variables results;
  try {
    interchange::GraphNet net(std::move(graph));
    net.eval();
    results = net(inputs);
  } catch (const Error& wrong) {  // nodes that are not known, or do not take these inputs
    fail<BadDataError>(options.file, ": ", wrong.what());
  }
  for (std::size_t i = 0; i < outs.size(); ++i) {
    const Tensor& result = results[i].value();
    if (!targets[i].empty()) save_npy(targets[i], result);
    fmt::print("{}: {}{}\n", printable(outs[i].name), describe(result),
               targets[i].empty() ? "" : ", in " + targets[i]);
  }
  return exit_ok;
}

}  // namespace gradus::app
