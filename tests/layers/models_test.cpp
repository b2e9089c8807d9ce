// The models: sizes, shapes and what each of them refuses.
#include <doctest/doctest.h>
#include <gradus/core/create.h>
#include <gradus/core/math.h>
#include <gradus/layers/conv.h>
#include <gradus/layers/models.h>

#include <set>
#include <string>

#include "support/error_message.h"

using namespace gradus;

namespace {

using Names = std::set<std::string>;

Names names_of(const Module& module) {
  Names names;
  for (const auto& each : module.named_parameters()) names.insert(each.first);
  return names;
}

}  // namespace

TEST_CASE("LeNet has 61,706 parameters and maps [N,1,28,28] to [N,10]") {
  Sequential net = make_lenet();
  CHECK(net.parameter_count() == 61706);
  CHECK(net(zeros({2, 1, 28, 28})).shape() == Shape{2, 10});
  CHECK(net.state_dict().back().first == "11.bias");
}

TEST_CASE(
    "the cnn takes digits of 8x8, MNIST's 28x28 and odd sizes, and has 3x3 and 1x1 convolutions") {
  for (const Shape& image : {Shape{1, 8, 8}, Shape{1, 28, 28}, Shape{3, 13, 2}}) {
    Sequential net = make_model("cnn", {image[0], image[1], image[2], 7});
    CHECK(net(zeros({2, image[0], image[1], image[2]})).shape() == Shape{2, 7});
  }
  const std::string text = to_string(make_cnn());
  CHECK(text.find("kernel_size=(3, 3)") != std::string::npos);
  CHECK(text.find("kernel_size=(1, 1)") != std::string::npos);
}

TEST_CASE(
    "resnet20 has the parameters of the paper's net with 1x1 shortcuts, and takes any image") {
  Sequential net = make_resnet20();
  CHECK(net.parameter_count() == 272474);
  CHECK(net(zeros({2, 3, 32, 32})).shape() == Shape{2, 10});
  CHECK(make_model("resnet20", {1, 7, 9, 5})(zeros({2, 1, 7, 9})).shape() == Shape{2, 5});
  // Stem, nine blocks, head; a shortcut has weights where the shape changes.
  Names names = names_of(net);
  CHECK(names.count("3.body.0.weight") == 1);
  CHECK(names.count("6.shortcut.0.weight") == 1);
  CHECK(names.count("7.shortcut.0.weight") == 0);
}

TEST_CASE("a residual block adds what comes in to what its body makes of it") {
  Sequential net = make_resnet20();
  for (const auto& [name, parameter] : net[3].named_parameters()) {
    if (name == "body.4.weight" || name == "body.4.bias") parameter.value().fill_(0);
  }
  Generator generator(1);
  const Tensor x = randn({2, 16, 4, 4}, generator);
  CHECK(core::equal(net[3](x).value(), core::relu(x)));
}

TEST_CASE("mobilenet alternates depthwise and 1x1 convolutions") {
  Sequential net = make_mobilenet();
  CHECK(net.parameter_count() == 31946);
  CHECK(net(zeros({2, 3, 32, 32})).shape() == Shape{2, 10});
  CHECK(net.get<Conv2d>(3).options().groups == 32);
  CHECK(net.get<Conv2d>(6).options().groups == 1);
}

TEST_CASE("nin ends with the means of a map for each class, and takes any image") {
  Sequential net = make_nin();
  CHECK(net.parameter_count() == 64132);
  CHECK(to_string(net).find("Linear") == std::string::npos);
  for (const Shape& image :
       {Shape{1, 28, 28}, Shape{3, 32, 32}, Shape{2, 49, 64}, Shape{1, 1, 1}}) {
    Sequential any = make_model("nin", {image[0], image[1], image[2], 7});
    any.eval();
    CHECK(any(zeros({2, image[0], image[1], image[2]})).shape() == Shape{2, 7});
  }
  // The last 1x1 has a channel for each class; what comes before the mean is its map.
  const Conv2d& last = net.get<Conv2d>(net.size() - 5);
  CHECK(last.weight.shape() == Shape{10, 48, 1, 1});
}

TEST_CASE("the mlp flattens its images") {
  CHECK(make_model("mlp", {1, 28, 28, 10}).parameter_count() ==
        784 * 256 + 256 + 256 * 128 + 128 + 1290);
  CHECK(make_model("mlp", {3, 4, 4, 5})(zeros({2, 3, 4, 4})).shape() == Shape{2, 5});
}

TEST_CASE("a seed fixes a model") {
  for (const std::string& name : model_names()) {
    Generator a(3);
    Generator b(3);
    const NamedTensors first = make_model(name, {1, 28, 28, 10}, a).state_dict();
    const NamedTensors second = make_model(name, {1, 28, 28, 10}, b).state_dict();
    REQUIRE(first.size() == second.size());
    for (std::size_t i = 0; i < first.size(); ++i)
      CHECK(core::equal(first[i].second, second[i].second));
  }
}

TEST_CASE("an unknown model, or an image it cannot take, is refused with the alternatives") {
  CHECK(message_of([] {
          make_model("resnet", {1, 28, 28, 10});
        }) ==
        "make_model: no model named resnet; known are cnn, lenet, mlp, mobilenet, nin, resnet20");
  CHECK(message_of([] {
          make_model("lenet", {1, 8, 8, 10});
        }) == "make_model: lenet takes images of [1,28,28], got [1,8,8]; cnn takes any size");
  CHECK_THROWS_AS(make_model("lenet", {3, 28, 28, 10}), ValueError);
  CHECK_THROWS_AS(make_model("cnn", {1, 1, 8, 10}), ValueError);
  CHECK_THROWS_AS(make_model("mlp", {1, 8, 8, 0}), ValueError);
}
