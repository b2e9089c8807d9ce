// The models: sizes, shapes and what each of them refuses.
#include <doctest/doctest.h>
#include <gradus/core/create.h>
#include <gradus/core/math.h>
#include <gradus/layers/models.h>

#include <string>

using namespace gradus;

namespace {

template <class F> std::string message_of(const F& f) {
  try {
    f();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
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
        }) == "make_model: no model named resnet; known are cnn, lenet, mlp");
  CHECK(message_of([] {
          make_model("lenet", {1, 8, 8, 10});
        }) == "make_model: lenet takes images of [1,28,28], got [1,8,8]; cnn takes any size");
  CHECK_THROWS_AS(make_model("lenet", {3, 28, 28, 10}), ValueError);
  CHECK_THROWS_AS(make_model("cnn", {1, 1, 8, 10}), ValueError);
  CHECK_THROWS_AS(make_model("mlp", {1, 8, 8, 0}), ValueError);
}
