// gradus summary: its flops are those of formulas written down here by hand, for every model; its bytes
// and its backward are those of a step that nobody watches.
#include <doctest/doctest.h>
#include <gradus/autograd/functions.h>
#include <gradus/autograd/op.h>
#include <gradus/autograd/profile.h>
#include <gradus/core/create.h>
#include <gradus/core/storage.h>
#include <gradus/layers/models.h>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <support/json_result.h>
#include <support/program.h>
#include <support/temporary_folder.h>

using nlohmann::json;

namespace {

/// A layer that multiplies: so many outputs for an image, each of so many products.
struct Products {
  std::int64_t outputs;
  std::int64_t taps;
};

Products convolved(std::int64_t channels, std::int64_t side, std::int64_t in_of_a_group,
                   std::int64_t kernel) {
  return {channels * side * side, in_of_a_group * kernel * kernel};
}

/// A model on its images, [1,28,28] for lenet and [3,32,32] for the others.
struct Counted {
  std::string model;
  std::int64_t parameters;
  std::vector<Products> layers;
};

std::vector<Products> resnet20_layers() {
  std::vector<Products> layers = {convolved(16, 32, 3, 3)};
  for (int block = 0; block < 6; ++block) layers.push_back(convolved(16, 32, 16, 3));
  std::int64_t in = 16;
  for (const std::int64_t out : {32, 64}) {
    const std::int64_t side = 512 / out;
    layers.push_back(convolved(out, side, in, 3));
    layers.push_back(convolved(out, side, out, 3));
    layers.push_back(convolved(out, side, in, 1));  // the shortcut, where the shape changes
    for (int i = 0; i < 4; ++i) layers.push_back(convolved(out, side, out, 3));
    in = out;
  }
  layers.push_back({10, 64});
  return layers;
}

std::vector<Counted> counted_by_hand() {
  return {
      {"lenet",
       61706,
       {convolved(6, 28, 1, 5), convolved(16, 10, 6, 5), {120, 400}, {84, 120}, {10, 84}}},
      {"cnn",
       11642,
       {convolved(16, 32, 3, 3),
        convolved(16, 32, 16, 1),
        convolved(32, 16, 16, 3),
        convolved(32, 16, 32, 1),
        {10, 512}}},
      {"mlp", 820874, {{256, 3072}, {128, 256}, {10, 128}}},
      {"mobilenet",
       31946,
       {convolved(32, 32, 3, 3),
        convolved(32, 32, 1, 3),
        convolved(64, 32, 32, 1),
        convolved(64, 16, 1, 3),
        convolved(128, 16, 64, 1),
        convolved(128, 8, 1, 3),
        convolved(128, 8, 128, 1),
        {10, 128}}},
      {"nin",
       64132,
       {convolved(48, 32, 3, 5), convolved(40, 32, 48, 1), convolved(24, 32, 40, 1),
        convolved(48, 16, 24, 5), convolved(48, 16, 48, 1), convolved(48, 16, 48, 1),
        convolved(48, 8, 48, 3), convolved(48, 8, 48, 1), convolved(10, 8, 48, 1)}},
      {"resnet20", 272474, resnet20_layers()},
  };
}

/// Rows of what multiplies, in their order.
std::vector<json> multiplying(const json& summary) {
  std::vector<json> rows;
  for (const json& row : summary.at("layers")) {
    if (row.at("kind") == "Conv2d" || row.at("kind") == "Linear") rows.push_back(row);
  }
  return rows;
}

gradus::ImageSpec image_of(const json& summary) {
  const json& image = summary.at("image");
  return {.channels = image.at("channels"),
          .height = image.at("height"),
          .width = image.at("width"),
          .classes = image.at("classes")};
}

/// What a step of the model costs when nothing watches its modules.
struct Unwatched {
  std::int64_t forward = 0;
  std::int64_t backward = 0;
  std::int64_t kept_bytes = 0;
};

std::int64_t all_flops(const gradus::Profiler& profiler) {
  std::int64_t flops = 0;
  for (const gradus::ProfileEvent& event : profiler.events()) flops += event.flops;
  return flops;
}

Unwatched unwatched_step(const std::string& name, const gradus::ImageSpec& image,
                         std::int64_t batch) {
  gradus::Sequential model = gradus::make_model(name, image);
  const gradus::Tensor x = gradus::zeros({batch, image.channels, image.height, image.width});
  Unwatched step;
  {
    const std::int64_t before = gradus::storage_statistics().live_bytes;
    const std::shared_ptr<gradus::Node> tape = model(x).node();
    step.kept_bytes = gradus::storage_statistics().live_bytes - before;
  }
  const gradus::Profiler forward;
  const gradus::Variable y = model(x);
  step.forward = all_flops(forward);
  const gradus::Profiler backward;
  y.backward(gradus::zeros(y.shape()));
  step.backward = all_flops(backward);
  return step;
}

int exit_code_of(std::vector<std::string> arguments) {
  RunningProgram program(std::move(arguments));
  const int code = program.finish();
  CHECK(program.output().empty());
  return code;
}

constexpr const char* lenet_json = R"([
  {"Conv2d": {"out_channels": 6, "kernel_size": 5, "padding": 2}}, "ReLU", {"MaxPool2d": 2},
  {"Conv2d": {"out_channels": 16, "kernel_size": 5}}, "ReLU", {"MaxPool2d": 2},
  "Flatten", {"Linear": 120}, "ReLU", {"Linear": 84}, "ReLU", {"Linear": "classes"}])";

}  // namespace

TEST_CASE("parameters and flops of every model are those of the formulas, layer by layer") {
  constexpr std::int64_t batch = 3;
  std::vector<std::string> names;
  for (const Counted& by_hand : counted_by_hand()) {
    CAPTURE(by_hand.model);
    const std::vector<Products>& layers = by_hand.layers;
    names.push_back(by_hand.model);
    const json summary = result_of({"summary", by_hand.model, "--batch", "3", "--json"});
    CHECK(summary.at("parameters") == by_hand.parameters);
    const std::vector<json> rows = multiplying(summary);
    REQUIRE(rows.size() == layers.size());
    std::int64_t forward = 0;
    std::int64_t backward = 0;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      CAPTURE(i);
      const std::int64_t products = 2 * batch * layers[i].outputs * layers[i].taps;
      // For the weight and for the input, which images do not want.
      const std::int64_t gradients = i == 0 ? products : 2 * products;
      CHECK(rows[i].at("flops_forward") == products);
      CHECK(rows[i].at("flops_backward") == gradients);
      forward += products;
      backward += gradients;
    }
    CHECK(summary.at("flops_forward") == forward);
    CHECK(summary.at("flops_backward") == backward);
  }
  std::sort(names.begin(), names.end());
  CHECK(names == gradus::model_names());
}

TEST_CASE("the totals are what a step costs that nobody watches") {
  for (const std::string& name : gradus::model_names()) {
    CAPTURE(name);
    const json summary = result_of({"summary", name, "--batch", "2", "--json"});
    const Unwatched step = unwatched_step(name, image_of(summary), 2);
    CHECK(summary.at("flops_forward") == step.forward);
    CHECK(summary.at("flops_backward") == step.backward);
    CHECK(summary.at("kept_bytes") == step.kept_bytes);
    CHECK(step.kept_bytes > 0);
  }
}

TEST_CASE("a container's numbers are those of the layers in it") {
  const json summary = result_of({"summary", "resnet20", "--json"});
  for (const char* number : {"parameters", "flops_forward", "flops_backward"}) {
    CAPTURE(number);
    std::int64_t leaves = 0;
    for (const json& row : summary.at("layers")) {
      const std::string kind = row.at("kind");
      if (kind != "Sequential" && kind != "Residual") leaves += row.at(number).get<std::int64_t>();
    }
    CHECK(summary.at("layers").at(0).at(number) == leaves);
  }
}

TEST_CASE("what is kept is what the derivatives need, with the layer that first keeps it") {
  const json summary = result_of({"summary", "lenet", "--batch", "64", "--json"});
  const json& rows = summary.at("layers");
  const auto keeps = [&](std::size_t row, std::int64_t bytes) {
    CAPTURE(row);
    const std::int64_t kept = rows.at(row).at("kept_bytes");
    CHECK(kept >= bytes);
    // One or two blocks, each with a header of 64 bytes, and rounded up by an eighth at most.
    CHECK(kept <= (bytes + 2 * 64) * 9 / 8);
  };
  // The images are the caller's. A convolution with its ReLU keeps its output for the mask; a pooling a
  // byte for each of its outputs, which says what was the greatest; a layer with weights its input.
  keeps(1, 64 * 6 * 28 * 28 * 4);
  keeps(3, 64 * 6 * 14 * 14);
  keeps(4, 64 * (6 * 14 * 14 + 16 * 10 * 10) * 4);
  keeps(6, 64 * 16 * 5 * 5);
  keeps(8, 64 * (400 + 120) * 4);
  keeps(10, 64 * 84 * 4);  // its input is the output of row 8
  std::int64_t leaves = 0;
  for (std::size_t i = 1; i < rows.size(); ++i) {
    CAPTURE(i);
    const std::int64_t kept = rows.at(i).at("kept_bytes");
    const std::string kind = rows.at(i).at("kind");
    if (kind == "ReLU" || kind == "Flatten" || i == 12) CHECK(kept == 0);
    leaves += kept;
  }
  CHECK(summary.at("kept_bytes") == leaves);
}

TEST_CASE("the rows are the modules with their places, kinds, depths and outputs") {
  const json summary =
      result_of({"summary", "resnet20", "--batch", "2", "--classes", "7", "--json"});
  CHECK(summary.at("model") == "resnet20");
  CHECK(summary.at("batch") == 2);
  CHECK(summary.at("buffers") == 1589);  // two for each of 784 channels, and 21 counters
  const json& rows = summary.at("layers");
  gradus::Sequential model = gradus::make_resnet20(3, 7);
  const auto modules = model.named_modules();
  REQUIRE(rows.size() == modules.size());
  for (std::size_t i = 0; i < modules.size(); ++i) {
    const auto& [place, module] = modules[i];
    CHECK(rows.at(i).at("place") == place);
    CHECK(rows.at(i).at("kind") == module->kind());
    CHECK(rows.at(i).at("parameters") == module->parameter_count());
  }
  CHECK(rows.at(0).at("depth") == 0);
  CHECK(rows.at(0).at("output") == json({2, 7}));
  CHECK(rows.at(4).at("place") == "3");
  CHECK(rows.at(4).at("depth") == 1);
  CHECK(rows.at(6).at("place") == "3.body.0");
  CHECK(rows.at(6).at("depth") == 3);
  CHECK(rows.at(6).at("output") == json({2, 16, 32, 32}));
}

TEST_CASE("a net of one's own, and a trained one, are summed up as the model they are") {
  const TemporaryFolder folder;
  write_bytes(folder / "lenet.json", lenet_json);
  const std::string file = (folder / "lenet.json").string();
  json net =
      result_of({"summary", file, "--channels", "1", "--height", "28", "--width", "28", "--json"});
  CHECK(net.at("model") == file);
  net["model"] = "lenet";
  CHECK(net == result_of({"summary", "lenet", "--json"}));

  const std::string out = (folder / "run").string();
  result_of({"train", "--epochs", "1", "--json", "--out", out});
  json trained = result_of({"summary", out, "--json"});
  trained["model"] = "cnn";
  CHECK(trained == result_of({"summary", "cnn", "--channels", "1", "--height", "8", "--width", "8",
                              "--json"}));
  CHECK(exit_code_of({"summary", out, "--channels", "3"}) == 2);
}

TEST_CASE("a net that passes its input on, and one without parameters, are summed up too") {
  const TemporaryFolder folder;
  const std::string file = (folder / "net.json").string();
  const auto summed_up = [&](const char* text) {
    write_bytes(file, text);
    return result_of(
        {"summary", file, "--classes", "3", "--height", "4", "--width", "4", "--json"});
  };
  const json bare = summed_up(R"(["Identity", {"AdaptiveAvgPool2d": 1}, "Flatten"])");
  for (const char* number : {"parameters", "flops_forward", "flops_backward", "kept_bytes"})
    CHECK(bare.at(number) == 0);
  const json passing = summed_up(R"([{"Linear": 5}, "Identity", {"Sequential": []},
      {"Residual": []}, {"Dropout": 0}, "Flatten", {"Linear": "classes"}])");
  CHECK(passing.at("flops_forward") == 2 * (3 * 4 * 5 * 4 + 3 * 60));
  CHECK(passing.at("flops_backward") == 2 * (3 * 4 * 5 * 4 + 2 * 3 * 60));
}

TEST_CASE("the table shows the same numbers") {
  RunningProgram program({"summary", "lenet"});
  CHECK(program.finish() == 0);
  const auto shows = [&](const std::string& text) {
    return program.output().find(text) != std::string::npos;
  };
  CHECK(shows("lenet, a step on one image of [1,28,28] in 10 classes\n"));
  CHECK(shows("3 Conv2d     [1,16,10,10]        2416          480000          960000 "));
  CHECK(shows("total        [1,10]             61706          833040         1430880 "));
}

TEST_CASE("what cannot be summed up ends with the exit code of its kind and prints nothing") {
  const TemporaryFolder folder;
  write_bytes(folder / "net.json", "[\"ReLU\"");
  write_bytes(folder / "long.json", std::string(300'000, ' '));
  CHECK(exit_code_of({"summary", (folder / "net.json").string()}) == 65);
  CHECK(exit_code_of({"summary", (folder / "long.json").string()}) == 65);
  CHECK(exit_code_of({"summary", (folder / "none.json").string()}) == 66);
  CHECK(exit_code_of({"summary", folder.path().string()}) == 66);  // no training in it
  CHECK(exit_code_of({"summary", "lenet", "--height", "32"}) == 2);
  CHECK(exit_code_of({"summary", "cnn", "--classes", "99999999999"}) == 2);
  CHECK(exit_code_of({"summary", "cnn", "--batch", "100000"}) == 2);  // 307 million pixels
  CHECK(exit_code_of({"summary", "nin", "--height", "1", "--width", "1"}) ==
        2);  // norms of one value
}
