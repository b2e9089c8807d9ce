// Single operators where their definitions are easily missed: sizes that are rounded, integers of other widths, windows that
// overlap. The numbers are worked out by hand, or PyTorch's where that is said.
#include <doctest/doctest.h>
#include <gradus/core/create.h>
#include <gradus/core/math.h>
#include <gradus/interchange/graph_net.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "support/error_message.h"

using namespace gradus;
using namespace gradus::interchange;

namespace {

using Numbers = std::vector<double>;

Attribute whole(const std::string& name, std::int64_t value) {
  Attribute made;
  made.name = name;
  made.ints = {value};
  return made;
}

Attribute wholes(const std::string& name, const std::vector<std::int64_t>& values) {
  Attribute made;
  made.name = name;
  made.kind = Attribute::Kind::integers;
  made.ints = values;
  return made;
}

Attribute real_of(const std::string& name, float value) {
  Attribute made;
  made.name = name;
  made.kind = Attribute::Kind::real;
  made.floats = {value};
  return made;
}

Attribute reals_of(const std::string& name, const std::vector<float>& values) {
  Attribute made;
  made.name = name;
  made.kind = Attribute::Kind::reals;
  made.floats = values;
  return made;
}

Attribute words(const std::string& name, const std::vector<std::string>& values,
                Attribute::Kind kind = Attribute::Kind::texts) {
  Attribute made;
  made.name = name;
  made.kind = kind;
  made.texts = values;
  return made;
}

Attribute word(const std::string& name, const std::string& value) {
  return words(name, {value}, Attribute::Kind::text);
}

template <class T> Tensor list(const std::vector<T>& values) {
  return Tensor::from(values.data(), {std::ssize(values)});
}

/// What a graph of that one node gives of `inputs`; an undefined one is left out.
std::vector<Tensor> computed(const std::string& op, const std::vector<Tensor>& inputs,
                             const std::vector<Attribute>& attributes = {}, int outputs = 1,
                             std::int64_t opset = 17) {
  Graph graph;
  graph.opset = opset;
  GraphNode node{
      .op = op, .domain = "", .name = "", .inputs = {}, .outputs = {}, .attributes = attributes};
  Variables given;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const std::string name = inputs[i].defined() ? "x" + std::to_string(i) : "";
    node.inputs.push_back(name);
    if (name.empty()) continue;
    graph.inputs.push_back({.name = name,
                            .dtype = inputs[i].dtype(),
                            .has_shape = false,
                            .shape = {},
                            .axis_names = {}});
    given.emplace_back(inputs[i]);
  }
  for (int k = 0; k < outputs; ++k) {
    node.outputs.push_back("y" + std::to_string(k));
    graph.outputs.push_back({.name = node.outputs.back(),
                             .dtype = float32,
                             .has_shape = false,
                             .shape = {},
                             .axis_names = {}});
  }
  graph.nodes = {node};
  GraphNet net(graph);
  net.eval();
  std::vector<Tensor> results;
  for (const Variable& result : net.forward_all(given)) results.push_back(result.value());
  return results;
}

Numbers numbers_in(const Tensor& tensor) { return tensor.to(float64).to_vector<double>(); }

Numbers first_numbers(const std::string& op, const std::vector<Tensor>& inputs,
                      const std::vector<Attribute>& attributes = {}) {
  return numbers_in(computed(op, inputs, attributes)[0]);
}

std::vector<std::int64_t> first_integers(const std::string& op, const std::vector<Tensor>& inputs,
                                         const std::vector<Attribute>& attributes = {}) {
  return computed(op, inputs, attributes)[0].to_vector<std::int64_t>();
}

const std::vector<Attribute> nearest_as_pytorch = {
    word("coordinate_transformation_mode", "asymmetric"), word("mode", "nearest"),
    word("nearest_mode", "floor")};

}  // namespace

TEST_CASE("bytes of 255 are no -1: quotients and remainders by them") {
  const Tensor a = list<std::uint8_t>({200, 255, 7});
  const Tensor b = list<std::uint8_t>({255, 255, 2});
  CHECK(first_numbers("Div", {a, b}) == Numbers{0, 1, 3});
  CHECK(first_numbers("Mod", {a, b}) == Numbers{200, 0, 1});
  constexpr std::int64_t least = std::numeric_limits<std::int64_t>::min();
  CHECK(first_integers("Div", {list<std::int64_t>({least, 6}), list<std::int64_t>({-1, -1})}) ==
        std::vector<std::int64_t>{least, -6});
}

TEST_CASE("a cast wraps to the integers that it names, however they are held") {
  const Tensor x = list<std::int64_t>({300, -1, 4294967296, 2147483648});
  const auto cast_to = [&](std::int64_t type) {
    return first_numbers("Cast", {x}, {whole("to", type)});
  };
  CHECK(cast_to(3) == Numbers{44, -1, 0, 0});
  CHECK(cast_to(4) == Numbers{300, 65535, 0, 0});
  CHECK(cast_to(5) == Numbers{300, -1, 0, 0});
  CHECK(cast_to(6) == Numbers{300, -1, 0, -2147483648.0});
  CHECK(cast_to(12) == Numbers{300, 4294967295.0, 0, 2147483648.0});
  CHECK(cast_to(2) == Numbers{44, 255, 0, 0});
  CHECK(cast_to(7) == Numbers{300, -1, 4294967296.0, 2147483648.0});
}

TEST_CASE("powers of integers are exact, and wrap") {
  const Tensor base = list<std::int64_t>({3, -1, 2, 2, 7});
  const Tensor exponent = list<std::int64_t>({39, -3, -1, 64, 0});
  CHECK(first_integers("Pow", {base, exponent}) ==
        std::vector<std::int64_t>{4052555153018976267, -1, 0, 0, 1});
  CHECK(message_of<BadDataError>([] {
          computed("Pow", {list<std::int64_t>({0}), list<std::int64_t>({-1})});
        }).starts_with("Pow: 0 to the power of -1"));
}

TEST_CASE("a shift that 32 bits may not hold is refused") {
  const auto shifted = [](std::int64_t value, std::int64_t by) {
    return first_integers("BitShift", {list<std::int64_t>({value}), list<std::int64_t>({by})},
                          {word("direction", "LEFT")})[0];
  };
  CHECK(shifted(1, 31) == 2147483648);
  CHECK(shifted(5, 0) == 5);
  const std::string line = message_of<BadDataError>([&] { shifted(3, 31); });
  CHECK(line.starts_with("BitShift: 3 shifted by 31, beyond the 32 bits"));
  CHECK(message_of<BadDataError>([&] { shifted(1, 40); }).starts_with("BitShift: 1 shifted by 40"));
}

TEST_CASE("unique integers are told apart to the last bit, and NaN comes last") {
  const std::int64_t big = std::int64_t{1} << 53;
  const std::vector<Tensor> whole_ones =
      computed("Unique", {list<std::int64_t>({big + 1, big, big + 1})}, {}, 4);
  CHECK(whole_ones[0].to_vector<std::int64_t>() == std::vector<std::int64_t>{big, big + 1});
  CHECK(whole_ones[3].to_vector<std::int64_t>() == std::vector<std::int64_t>{1, 2});
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const std::vector<Tensor> floats =
      computed("Unique", {list<float>({2, nan, 1, nan, 2, 3})}, {}, 4);
  const Numbers values = numbers_in(floats[0]);
  REQUIRE(values.size() == 4);
  CHECK(Numbers(values.begin(), values.end() - 1) == Numbers{1, 2, 3});
  CHECK(std::isnan(values[3]));
  CHECK(numbers_in(floats[1]) == Numbers{2, 0, 5, 1});
  CHECK(numbers_in(floats[2]) == Numbers{1, 3, 0, 3, 1, 2});
  CHECK(numbers_in(floats[3]) == Numbers{1, 2, 1, 2});
}

TEST_CASE("what overlapping windows found stands there once") {
  const Tensor x = full({1, 1, 2, 2}, 5);  // of 3x3 with a 5 in the middle
  const Tensor at = full({1, 1, 2, 2}, 4, int64);
  const std::vector<Attribute> window = {wholes("kernel_shape", {2, 2}), wholes("strides", {1, 1})};
  CHECK(first_numbers("MaxUnpool", {x, at}, window) == Numbers{0, 0, 0, 0, 5, 0, 0, 0, 0});
}

TEST_CASE("a scale is the number that was written: PyTorch's interpolate(scale_factor=0.7)") {
  const Tensor row = arange(10).to(float32).reshape({1, 1, 1, 10});
  const Tensor scales = list<float>({1, 1, 1, 0.7F});
  const Tensor none;
  CHECK(first_numbers("Resize", {row, none, scales}, nearest_as_pytorch) ==
        Numbers{0, 1, 2, 4, 5, 7, 8});
  CHECK(numbers_in(computed("Upsample", {row, scales}, {word("mode", "nearest")}, 1, 9)[0]) ==
        Numbers{0, 1, 2, 4, 5, 7, 8});
  CHECK(numbers_in(computed("Upsample", {row},
                            {word("mode", "nearest"), reals_of("scales", {1, 1, 1, 0.7F})}, 1,
                            7)[0]) == Numbers{0, 1, 2, 4, 5, 7, 8});
}

TEST_CASE("a size that is given is exact: every k-th pixel of 7, 49 times") {
  // i/(49/3) of i = 49·k/3 is below k in float64, i·3/49 is k.
  for (const std::int64_t in : {3, 5, 7, 10, 25, 49}) {
    for (std::int64_t out = 2; out < 120; ++out) {
      CAPTURE(in);
      CAPTURE(out);
      const Tensor row = arange(in).to(float32).reshape({1, 1, 1, in});
      Numbers wanted;
      for (std::int64_t i = 0; i < out; ++i) wanted.push_back(static_cast<double>(i * in / out));
      const Tensor sizes = list<std::int64_t>({1, 1, 1, out});
      REQUIRE(first_numbers("Resize", {row, Tensor(), Tensor(), sizes}, nearest_as_pytorch) ==
              wanted);
    }
  }
}

TEST_CASE("numbers of activations belong to those functions that have one, over both directions") {
  const std::vector<Attribute> attributes = {
      whole("hidden_size", 1), word("direction", "bidirectional"),
      words("activations", {"Tanh", "LeakyRelu"}), reals_of("activation_alpha", {0.5F})};
  const Tensor x = full({1, 1, 1}, -1);
  const Numbers y = first_numbers("RNN", {x, ones({2, 1, 1}), zeros({2, 1, 1})}, attributes);
  REQUIRE(y.size() == 2);
  CHECK(y[0] == doctest::Approx(-0.76159416).epsilon(1e-6));
  CHECK(y[1] == doctest::Approx(-0.5).epsilon(1e-6));
  std::vector<Attribute> more = attributes;
  more.back() = reals_of("activation_alpha", {0.5F, 0.25F});
  CHECK(message_of<BadDataError>([&] {
          computed("RNN", {x, ones({2, 1, 1}), zeros({2, 1, 1})}, more);
        }).starts_with("RNN: 2 activation_alpha and 0 activation_beta, 1 and 0 of these"));
}

TEST_CASE("before opset 14 batch norm with more outputs takes the statistics of the batch") {
  const Tensor x = list<float>({1, 3}).reshape({2, 1});
  const std::vector<Tensor> state = {ones({1}), zeros({1}), full({1}, 10), full({1}, 4)};
  std::vector<Tensor> inputs = {x};
  inputs.insert(inputs.end(), state.begin(), state.end());
  const std::vector<Tensor> y = computed("BatchNormalization", inputs, {}, 5, 13);
  CHECK(numbers_in(y[0])[0] == doctest::Approx(-0.999995).epsilon(1e-6));
  CHECK(numbers_in(y[0])[1] == doctest::Approx(0.999995).epsilon(1e-6));
  CHECK(numbers_in(y[1])[0] == doctest::Approx(9.2));  // 0.9·10 + 0.1·2
  CHECK(numbers_in(y[2])[0] == doctest::Approx(3.7));  // 0.9·4 + 0.1·1
  CHECK(numbers_in(y[3]) == Numbers{2});
  CHECK(numbers_in(y[4]) == Numbers{1});
  const Numbers alone = numbers_in(computed("BatchNormalization", inputs, {}, 1, 13)[0]);
  CHECK(alone[0] == doctest::Approx(-4.5).epsilon(1e-5));  // (1 - 10)/√4
}

TEST_CASE("with ceil_mode a window more starts in the input, of rows and volumes as of images") {
  const std::vector<Attribute> row = {wholes("kernel_shape", {2}), wholes("strides", {2}),
                                      wholes("pads", {1, 1}), whole("ceil_mode", 1)};
  const Tensor x = list<float>({1, 2, 3}).reshape({1, 1, 3});
  CHECK(first_numbers("MaxPool", {x}, row) == Numbers{1, 3});
  CHECK(first_numbers("AveragePool", {x}, row) == Numbers{1, 2.5});
  const std::vector<Tensor> found = computed("MaxPool", {x}, row, 2);
  CHECK(found[0].shape() == Shape{1, 1, 2});
  CHECK(found[1].to_vector<std::int64_t>() == std::vector<std::int64_t>{0, 2});
  // A volume has as many along each axis: 3 -> 2, and 4 -> 3, where the last starts in the input.
  const std::vector<Attribute> cube = {wholes("kernel_shape", {2, 2, 2}),
                                       wholes("strides", {2, 2, 2}),
                                       wholes("pads", {1, 1, 1, 1, 1, 1}), whole("ceil_mode", 1)};
  const Tensor deep = arange(36).to(float32).reshape({1, 1, 3, 3, 4});
  const Tensor greatest = computed("MaxPool", {deep}, cube)[0];
  CHECK(greatest.shape() == Shape{1, 1, 2, 2, 3});
  CHECK(numbers_in(greatest) == Numbers{0, 2, 3, 8, 10, 11, 24, 26, 27, 32, 34, 35});
  CHECK(numbers_in(computed("AveragePool", {deep}, cube)[0])[11] == 27);
}

TEST_CASE("with ceil_mode padding that differs before and behind makes no window of its own") {
  const auto pooled = [](const std::string& op, const std::vector<std::int64_t>& pads,
                         std::int64_t ceil) {
    const Tensor x = list<float>({1, 2, 3, 4}).reshape({1, 1, 1, 4});
    return first_numbers(op, {x},
                         {wholes("kernel_shape", {1, 2}), wholes("strides", {1, 2}),
                          wholes("pads", {0, pads[0], 0, pads[1]}), whole("ceil_mode", ceil)});
  };
  CHECK(pooled("MaxPool", {0, 1}, 1) == Numbers{2, 4});
  CHECK(pooled("AveragePool", {0, 1}, 1) == Numbers{1.5, 3.5});
  CHECK(pooled("MaxPool", {1, 0}, 1) == Numbers{1, 3, 4});
  CHECK(pooled("AveragePool", {1, 0}, 1) == Numbers{1, 2.5, 4});
}

TEST_CASE("a pool says that it needs the size of its window") {
  CHECK(message_of<BadDataError>([] {
          computed("MaxPool", {ones({1, 1, 4})});
        }).starts_with("MaxPool: attribute \"kernel_shape\" is left out; it is needed"));
}

TEST_CASE("a batch of none has results of none") {
  const Tensor volumes = zeros({0, 2, 4, 5, 6});
  const Tensor conv =
      computed("Conv", {volumes, ones({3, 2, 2, 2, 2})}, {wholes("strides", {2, 1, 1})})[0];
  CHECK(conv.shape() == Shape{0, 3, 2, 4, 5});
  CHECK(computed("ConvTranspose", {volumes, ones({2, 3, 2, 2, 2})})[0].shape() ==
        Shape{0, 3, 5, 6, 7});
  CHECK(computed("LRN", {zeros({0, 2, 3, 3})}, {whole("size", 3)})[0].shape() == Shape{0, 2, 3, 3});
}

TEST_CASE(
    "a transform's axis counts from the back over all axes, the last of which has the parts") {
  const Tensor x = arange(12).to(float32).reshape({2, 3, 2});
  CHECK(first_numbers("DFT", {x}, {whole("axis", -2)}) ==
        first_numbers("DFT", {x}, {whole("axis", 1)}));
  CHECK(first_numbers("DFT", {x}, {whole("axis", -3)}) ==
        Numbers{6, 8, 10, 12, 14, 16, -6, -6, -6, -6, -6, -6});
  const auto refused = [](const Tensor& tensor, std::int64_t axis) {
    return message_of<BadDataError>([&] { computed("DFT", {tensor}, {whole("axis", axis)}); });
  };
  CHECK(refused(x, -1).starts_with("DFT: input 0 is float32 [2,3,2], axis 2; an axis before"));
  CHECK(
      refused(zeros({2, 3, 3}), 1).starts_with("DFT: input 0 is float32 [2,3,3], axis 1; an axis"));
}

TEST_CASE(
    "the nearest pixel is shown as it is: integers to the last bit, infinities in their place") {
  const Tensor none;
  const auto twice = [&](const Tensor& row) {
    const Tensor sizes = list<std::int64_t>({1, 1, 1, 2 * row.numel()});
    return computed("Resize", {row.reshape({1, 1, 1, -1}), none, none, sizes},
                    nearest_as_pytorch)[0];
  };
  const std::int64_t big = (std::int64_t{1} << 53) + 1;
  CHECK(twice(list<std::int64_t>({big, -big})).to_vector<std::int64_t>() ==
        std::vector<std::int64_t>{big, big, -big, -big});
  constexpr double inf = std::numeric_limits<double>::infinity();
  CHECK(numbers_in(twice(list<float>({1, std::numeric_limits<float>::infinity(), 2}))) ==
        Numbers{1, 1, inf, inf, 2, 2});
  // A crop of which half lies beyond the image.
  const std::vector<Attribute> crop = {word("mode", "nearest"),
                                       word("coordinate_transformation_mode", "tf_crop_and_resize"),
                                       real_of("extrapolation_value", -1)};
  const Tensor region = list<float>({0, 0, 0, 0, 1, 1, 1, 2});
  const Tensor shown = computed("Resize",
                                {list<std::int64_t>({big, 7, 9}).reshape({1, 1, 1, 3}), region,
                                 none, list<std::int64_t>({1, 1, 1, 5})},
                                crop)[0];
  CHECK(shown.to_vector<std::int64_t>() == std::vector<std::int64_t>{big, 7, 9, -1, -1});
}

TEST_CASE("a window of one number is a number, and blocks that overflow are refused") {
  for (const char* op : {"HannWindow", "HammingWindow", "BlackmanWindow"}) {
    CAPTURE(op);
    const Numbers window = first_numbers(op, {Tensor::scalar(1, int64)}, {whole("periodic", 0)});
    REQUIRE(window.size() == 1);
    CHECK(std::isfinite(window[0]));
  }
  const std::int64_t large = std::int64_t{1} << 32;
  for (const char* op : {"SpaceToDepth", "DepthToSpace"}) {
    CHECK(message_of<BadDataError>([&] {
            computed(op, {zeros({1, 1, 0, 0})}, {whole("blocksize", large)});
          }).starts_with(std::string(op) + ": blocks of 4294967296 of [1,1,0,0]"));
  }
}

TEST_CASE("integers that no double holds are clipped, counted and kept as they are") {
  constexpr std::int64_t big = std::int64_t{1} << 53;
  constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();
  const auto number = [](std::int64_t value) { return list<std::int64_t>({value}).reshape({}); };
  const Tensor x = list<std::int64_t>({-5, big + 1, big + 5});
  using Integers = std::vector<std::int64_t>;
  CHECK(first_integers("Clip", {x, number(0), number(most)}) == Integers{0, big + 1, big + 5});
  CHECK(first_integers("Clip", {x, number(big + 3), {}}) == Integers{big + 3, big + 3, big + 5});
  CHECK(first_integers("Clip", {x, {}, number(big + 3)}) == Integers{-5, big + 1, big + 3});
  CHECK(first_integers("Clip", {x, number(9), number(7)}) == Integers{7, 7, 7});
  CHECK(first_integers("Range", {number(big + 1), number(big + 4), number(1)}) ==
        Integers{big + 1, big + 2, big + 3});
  CHECK(first_integers("Range", {number(5), number(-2), number(-3)}) == Integers{5, 2, -1});
  CHECK(first_integers("Range", {number(5), number(-1), number(-3)}) == Integers{5, 2});
  CHECK(first_integers("Range", {number(most - 1), number(most), number(most)}) ==
        Integers{most - 1});
  CHECK(first_integers("Range", {number(2), number(2), number(1)}).empty());
  CHECK(message_of<BadDataError>([&] {
          computed("Range", {number(0), number(9), number(0)});
        }).starts_with("Range: steps of 0"));
  CHECK(message_of<BadDataError>([&] {
          computed("Range", {number(-most), number(most), number(1)});
        }).starts_with("Range: 18446744073709551614 numbers"));
}

TEST_CASE("a slice backwards from before the first element begins there") {
  const auto backwards = [](std::int64_t start, std::int64_t stop) {
    return first_integers(
        "Slice", {list<std::int64_t>({10, 11, 12}), list<std::int64_t>({start}),
                  list<std::int64_t>({stop}), list<std::int64_t>({0}), list<std::int64_t>({-1})});
  };
  constexpr std::int64_t least = std::numeric_limits<std::int64_t>::min();
  using Integers = std::vector<std::int64_t>;
  CHECK(backwards(-10, least) == Integers{10});
  CHECK(backwards(10, least) == Integers{12, 11, 10});
  CHECK(backwards(-1, 0) == Integers{12, 11});
  CHECK(backwards(-10, 0).empty());
}

TEST_CASE("parts that nobody takes, and sums larger than the product, are refused") {
  const Tensor x = list<float>({1, 2, 3});
  CHECK(message_of<BadDataError>([&] {
          computed("Split", {x, list<std::int64_t>({1, 2})});
        }).starts_with("Split: 2 parts; the node has 1 outputs"));
  CHECK(message_of<BadDataError>([&] {
          computed("Gemm", {ones({1, 3}), ones({3, 4}), ones({5, 4})});
        })
            .starts_with(
                "Gemm: C is float32 [5,4]; sizes that broadcast to those of the product, [1,4]"));
  CHECK(first_numbers("Gemm", {ones({1, 3}), ones({3, 2}), ones({1, 1})}) == Numbers{4, 4});
}

TEST_CASE("sequences of their own lengths have one each, of 0 to all steps") {
  const auto outputs_of = [](const std::vector<std::int64_t>& lengths) {
    const std::vector<Tensor> inputs = {
        ones({3, 2, 1}), ones({1, 1, 1}), zeros({1, 1, 1}), {}, list(lengths)};
    return first_numbers("RNN", inputs, {words("activations", {"Relu"})});
  };
  CHECK(outputs_of({0, 3}) == Numbers{0, 1, 0, 1, 0, 1});
  CHECK(outputs_of({2, 1}) == Numbers{1, 1, 1, 0, 0, 0});
  const auto line_of = [&](const std::vector<std::int64_t>& lengths) {
    return message_of<BadDataError>([&] { outputs_of(lengths); });
  };
  CHECK(line_of({3, 4}).starts_with(
      "RNN: sequence_lens: sequence 1 has 4 steps; 0 to 3 are expected"));
  CHECK(line_of({-1, 3}).starts_with(
      "RNN: sequence_lens: sequence 0 has -1 steps; 0 to 3 are expected"));
  CHECK(line_of({3}).starts_with("RNN: sequence_lens has 1 lengths for 2 sequences"));
}

TEST_CASE("padding that shows what is at the edge, or takes from it") {
  const auto edge = [](std::int64_t begin, std::int64_t end) {
    return first_numbers("Pad", {list<float>({1, 2, 3}), list<std::int64_t>({begin, end})},
                         {word("mode", "edge")});
  };
  CHECK(edge(2, 1) == Numbers{1, 1, 1, 2, 3, 3});
  CHECK(edge(-1, 2) == Numbers{2, 3, 3, 3});
  CHECK(edge(-2, -1).empty());
  CHECK(edge(-2, -2).empty());
}

TEST_CASE("integers are averaged towards 0, and their norms are whole") {
  constexpr std::int64_t big = std::int64_t{1} << 54;
  const Tensor x = list<std::int64_t>({-3, 0, 1, -4, big + 1, big + 3}).reshape({3, 2});
  const std::vector<Attribute> rows = {wholes("axes", {1}), whole("keepdims", 0)};
  using Integers = std::vector<std::int64_t>;
  CHECK(first_integers("ReduceMean", {x}, rows) == Integers{-1, -1, big + 2});
  CHECK(first_integers("ReduceL1", {x}, rows) == Integers{3, 5, 2 * big + 4});
  CHECK(first_integers("ReduceL2", {list<std::int64_t>({-3, 4, 5})}) == Integers{7});
  CHECK(message_of<BadDataError>([&] {
          computed("ReduceMean", {zeros({0}, int64)});
        }).starts_with("ReduceMean: the mean of no integers"));
}

TEST_CASE("whole numbers are quantised as floats are") {
  const Tensor x = list<std::int64_t>({-300, -3, 4, 5, 300});
  const Tensor scale = Tensor::scalar(2.F, float32);
  CHECK(first_numbers("QuantizeLinear", {x, scale, Tensor::scalar(10, uint8)}) ==
        Numbers{0, 8, 12, 12, 160});
}
