// Nets from JSON: they are the same modules with the same bits as those made in C++, every layer gives
// the shape that the next one is made for, and what is wrong is told by its place.
#include <doctest/doctest.h>
#include <gradus/autograd/functions.h>
#include <gradus/core/create.h>
#include <gradus/core/math.h>
#include <gradus/layers/models.h>
#include <gradus/layers/net_json.h>

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "support/error_message.h"

using namespace gradus;

namespace {

constexpr ImageSpec digit{.channels = 1, .height = 28, .width = 28, .classes = 10};
constexpr ImageSpec colour{.channels = 3, .height = 32, .width = 32, .classes = 10};
/// All sizes differ, so that none can stand for another.
constexpr ImageSpec odd{.channels = 4, .height = 9, .width = 11, .classes = 7};

constexpr const char* lenet_text = R"([
  {"Conv2d": {"out_channels": 6, "kernel_size": 5, "padding": 2}}, "ReLU", {"MaxPool2d": 2},
  {"Conv2d": {"out_channels": 16, "kernel_size": 5}}, "ReLU", {"MaxPool2d": 2},
  "Flatten", {"Linear": 120}, "ReLU", {"Linear": 84}, "ReLU", {"Linear": "classes"}])";

Sequential net_of(const std::string& text, const ImageSpec& image, std::uint64_t seed = 1) {
  Generator generator(seed);
  return make_net(text, "net.json", image, generator);
}

/// Names, shapes and bits.
void check_same_state(const Module& found, const Module& wanted) {
  const NamedTensors a = found.state_dict();
  const NamedTensors b = wanted.state_dict();
  REQUIRE(a.size() == b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    CHECK(a[i].first == b[i].first);
    REQUIRE(a[i].second.shape() == b[i].second.shape());
    CHECK(core::equal(a[i].second, b[i].second));
  }
}

std::string wrong(const std::string& text, const ImageSpec& image = odd) {
  return message_of<BadDataError>([&] { net_of(text, image); });
}

/// The layer alone, then what makes classes of anything.
std::string ended(const std::string& layers) {
  return "[" + layers + ", \"Flatten\", {\"Linear\": \"classes\"}]";
}

std::string norm_relu() { return R"({"BatchNorm2d": {}}, "ReLU")"; }

std::string conv3(int out, int stride = 1) {
  return R"({"Conv2d": {"out_channels": )" + std::to_string(out) +
         R"(, "kernel_size": 3, "padding": 1, "bias": false, "stride": )" + std::to_string(stride) +
         "}}";
}

std::string resnet20_text() {
  std::string text = "[" + conv3(16) + "," + norm_relu();
  for (const int out : {16, 32, 64}) {
    for (int block = 0; block < 3; ++block) {
      const bool changes = block == 0 && out != 16;
      const int stride = changes ? 2 : 1;
      const std::string shortcut = R"(, "shortcut": [{"Conv2d": {"out_channels": )" +
                                   std::to_string(out) +
                                   R"(, "kernel_size": 1, "stride": 2, "bias": false}},
                                   "BatchNorm2d"])";
      text += R"(, {"Residual": {"activation": "relu", "body": [)" + conv3(out, stride) + "," +
              norm_relu() + "," + conv3(out) + R"(, "BatchNorm2d"])" + (changes ? shortcut : "") +
              "}}";
    }
  }
  return text + R"(, {"AdaptiveAvgPool2d": 1}, "Flatten", {"Linear": "classes"}])";
}

}  // namespace

TEST_CASE("LeNet in JSON has the names, shapes and bits of make_lenet, and prints the same") {
  Generator generator(5);
  const Sequential lenet = make_lenet(10, generator);
  const Sequential net = net_of(lenet_text, digit, 5);
  check_same_state(net, lenet);
  CHECK(to_string(net) == to_string(lenet));
}

TEST_CASE("resnet20 in JSON is make_resnet20: bits, print, and what it computes in training") {
  Generator generator(7);
  Sequential resnet = make_resnet20(3, 10, generator);
  Sequential net = net_of(resnet20_text(), colour, 7);
  check_same_state(net, resnet);
  CHECK(to_string(net) == to_string(resnet));
  const Tensor x = randn({2, 3, 32, 32}, generator);
  CHECK(core::equal(net(x).value(), resnet(x).value()));
}

TEST_CASE("a list, and an object whose key layers is that list, are the same net") {
  const Sequential bare = net_of(lenet_text, digit);
  check_same_state(net_of(R"({"layers": )" + std::string(lenet_text) + "}", digit), bare);
}

TEST_CASE("every layer gives the shape that the layers behind it are made for") {
  const std::vector<std::string> layers = {
      R"({"Conv2d": {"out_channels": 6, "kernel_size": [3, 2], "stride": [2, 1], "padding": [1, 0],
                     "dilation": [1, 2], "groups": 2, "bias": false}})",
      R"({"Conv2d": {"out_channels": 5, "kernel_size": [4, 3], "padding": "same"}})",
      R"({"Conv2d": {"out_channels": 5, "kernel_size": [4, 3], "padding": "valid"}})",
      R"({"Conv2d": {"out_channels": 5, "kernel_size": 3, "padding": 8, "padding_mode": "reflect"}})",
      R"({"Conv2d": {"out_channels": 5, "kernel_size": 3, "padding": 9, "padding_mode": "circular"}})",
      R"({"Conv2d": {"out_channels": 5, "kernel_size": 3, "padding": 30,
                     "padding_mode": "replicate", "stride": 2}})",
      R"({"Conv2d": {"out_channels": 5, "kernel_size": [4, 2], "padding": "same",
                     "padding_mode": "circular", "dilation": [2, 3]}})",
      R"({"Conv2d": {"out_channels": "classes", "kernel_size": [9, 11]}})",
      R"({"ConvTranspose2d": {"out_channels": 6, "kernel_size": [3, 2], "stride": [3, 2],
                              "padding": [2, 1], "output_padding": [2, 1], "groups": 2,
                              "dilation": [1, 2], "bias": false}})",
      R"({"ConvTranspose2d": {"out_channels": 3, "kernel_size": 4}})",
      R"({"Linear": 5})",
      R"({"Linear": {"out_features": 5, "bias": false}})",
      R"({"MaxPool2d": 2})",
      R"({"MaxPool2d": {"kernel_size": [4, 3], "stride": [3, 2], "padding": [2, 1],
                        "ceil_mode": true}})",
      R"({"MaxPool2d": {"kernel_size": 2, "dilation": [3, 4], "stride": 1}})",
      R"({"MaxPool2d": {"kernel_size": 3, "dilation": 5, "stride": 3, "ceil_mode": true}})",
      R"({"AvgPool2d": [4, 5]})",
      R"({"AvgPool2d": {"kernel_size": 4, "stride": 4, "padding": 2, "ceil_mode": true,
                        "count_include_pad": false, "divisor_override": -3}})",
      R"({"AdaptiveAvgPool2d": [2, 3]})",
      R"({"AdaptiveMaxPool2d": 4})",
      R"("BatchNorm2d")",
      R"({"BatchNorm2d": {"eps": 0.001, "momentum": null, "affine": false,
                          "track_running_stats": false}})",
      R"("Flatten", {"BatchNorm1d": {"momentum": 1}})",
      R"({"Flatten": 2}, "BatchNorm1d")",
      R"({"Flatten": {"start_dim": -3, "end_dim": -2}}, {"Linear": 3})",
      R"("InstanceNorm2d")",
      R"({"InstanceNorm2d": {"affine": true, "track_running_stats": true, "eps": 1e-3}})",
      R"({"GroupNorm": 2})",
      R"({"GroupNorm": {"num_groups": 4, "affine": false}})",
      R"("LayerNorm")",
      R"({"LayerNorm": [9, 11]})",
      R"({"LayerNorm": {"elementwise_affine": false}})",
      R"("ReLU", "ReLU6", "SELU", "SiLU", "Sigmoid", "Tanh", "LogSigmoid", "Softsign")",
      R"("Hardsigmoid", "Hardswish", "Identity", {"LeakyReLU": 0.2}, {"ELU": 0.5}, "GELU")",
      R"({"GELU": "tanh"}, "PReLU", {"PReLU": 4}, {"PReLU": {"init": 0.1}}, {"Softplus": 2})",
      R"({"Softplus": {"threshold": 5}}, "Hardtanh", {"Hardtanh": {"min_val": 0, "max_val": 6}})",
      R"({"Softmax": 1}, {"LogSoftmax": -1})",
      R"("Dropout", {"Dropout": 0.1}, {"Dropout2d": {"p": 0}})",
      R"({"Upsample": 2})",
      R"({"Upsample": [1.5, 0.7]})",
      R"({"Upsample": {"size": [5, 6], "mode": "bilinear", "align_corners": true}})",
      R"({"PixelShuffle": 2})",
      R"({"ZeroPad2d": [3, -2, -1, 4]}, {"PixelUnshuffle": 6})",
      R"({"ZeroPad2d": 2})",
      R"({"ZeroPad2d": {"padding": [-4, -6, -8, 0]}})",
      R"({"Sequential": [{"Sequential": []}, {"Conv2d": {"out_channels": 2, "kernel_size": 2}}]})",
      R"({"Residual": ["Tanh"]})",
      R"({"Residual": {"body": [{"MaxPool2d": 2}], "shortcut": [{"AvgPool2d": 2}]}})",
  };
  std::string all;
  for (const std::string& each : layers) {
    CAPTURE(each);
    all += each;
    Sequential net = net_of(ended(each), odd);
    // Linear takes nothing but the number of features it was made for.
    CHECK(net(zeros({2, 4, 9, 11})).shape() == Shape{2, 7});
    net.eval();
    CHECK(net(zeros({1, 4, 9, 11})).shape() == Shape{1, 7});
  }
  for (const std::string& name : net_layer_names()) {
    CAPTURE(name);
    CHECK((contains(all, "\"" + name + "\"") || name == "Flatten"));
  }
}

TEST_CASE("the example in the header is a net") {
  Sequential net = net_of(R"(
    [{"Conv2d": {"out_channels": 16, "kernel_size": 3, "padding": "same", "bias": false}},
     "BatchNorm2d", "ReLU",
     {"Residual": {"body": [{"Conv2d": {"out_channels": 16, "kernel_size": 3, "padding": 1}}],
                   "activation": "relu"}},
     {"MaxPool2d": 2}, "Flatten", {"Dropout": 0.5}, {"Linear": "classes"}])",
                          odd);
  CHECK(net(zeros({2, 4, 9, 11})).shape() == Shape{2, 7});
  // Two convolutions, the second with a bias, a norm's two, and 16·4·5 features.
  CHECK(net.parameter_count() == 16 * 4 * 9 + 32 + 16 * 16 * 9 + 16 + 7 * 320 + 7);
}

TEST_CASE("options reach their layer") {
  // [4,9,11] -> [8,5,9] -> [8,3,5], rounded up -> [8,6,7], 336 numbers
  const Sequential net = net_of(
      R"([{"Conv2d": {"out_channels": 8, "kernel_size": [3, 2], "stride": [2, 1], "padding": [1, 0],
                      "dilation": [1, 2], "groups": 2, "bias": false, "padding_mode": "reflect"}},
          {"BatchNorm2d": {"eps": 0.25, "momentum": 0.5, "affine": false}},
          {"MaxPool2d": {"kernel_size": 3, "stride": 2, "padding": 1, "dilation": 1,
                         "ceil_mode": true}},
          {"Upsample": {"scale_factor": [2, 1.5], "mode": "bilinear"}},
          {"Flatten": {"start_dim": 1, "end_dim": 2}}, "Flatten", {"Dropout": 0.125},
          {"Linear": {"out_features": "classes", "bias": false}}])",
      odd);
  CHECK(to_string(net) == R"(Sequential(
  (0): Conv2d(4, 8, kernel_size=(3, 2), stride=(2, 1), padding=(1, 0), dilation=(1, 2), groups=2, bias=False, padding_mode=reflect)
  (1): BatchNorm2d(8, eps=0.25, momentum=0.5, affine=False, track_running_stats=True)
  (2): MaxPool2d(kernel_size=3, stride=2, padding=1, dilation=1, ceil_mode=True)
  (3): Upsample(scale_factor=(2.0, 1.5), mode=bilinear)
  (4): Flatten(start_dim=1, end_dim=2)
  (5): Flatten(start_dim=1, end_dim=-1)
  (6): Dropout(p=0.125)
  (7): Linear(in_features=336, out_features=7, bias=False)
))");
}

TEST_CASE("what a file has wrong is told by its place, with both values") {
  struct WrongNet {
    std::string text;
    std::string message;
  };
  const std::string c = R"({"Conv2d": {"out_channels": 16, "kernel_size": )";
  const WrongNet table[] = {
      // No JSON, or not this.
      {"", "net.json: cannot be read as JSON near byte 1, at its end"},
      {"[\"ReLU\"", "net.json: cannot be read as JSON near byte 8, reading '\"ReLU\"'"},
      {"[\"ReLU\",]", "net.json: cannot be read as JSON near byte 9, reading '\"ReLU\",]'"},
      {"[{\"Dropout\": NaN}]",
       "net.json: cannot be read as JSON near byte 14, reading '\"Dropout\": N'"},
      {"[{\"ELU\": 1e999}]", "net.json: cannot be read as JSON near byte 14, reading '1e999'"},
      {std::string("[]\0", 3), "net.json: cannot be read as JSON near byte 2, at a zero byte"},
      {"[\"\x1b[2J\"]", "net.json: cannot be read as JSON near byte 3, reading '\"<U+001B>'"},
      {"3", "net.json: layers must be a list of layers, got 3"},
      {"{}", "net.json: a net is a list of layers or {\"layers\": [...]}, got {}"},
      {R"({"layers": [], "name": 1})",
       "net.json: unknown key 'name'; a net is a list of layers or {\"layers\": [...]}"},
      {R"({"layers": {"ReLU": {}}})", "net.json: layers must be a list of layers, got an object"},
      {R"([{"Conv2d": {"out_channels": 1, "kernel_size": 1, "out_channels": 2}}])",
       "net.json: the key 'out_channels' stands twice in one object"},
      {R"({"layers": [], "layers": []})", "net.json: the key 'layers' stands twice in one object"},
      // Layers and options that there are not.
      {R"([7])",
       "net.json: layers[0]: a layer is a name or an object with one key, its name, got 7"},
      {R"(["ReLU", {"ReLU": {}, "Tanh": {}}])",
       "net.json: layers[1]: a layer is a name or an object with one key, its name, got an object "
       "with 2 keys"},
      {R"([{"MaxPool2d": {"kernel_size": 2, "strides": 2}}])",
       "net.json: layers[0] MaxPool2d: unknown option 'strides'; known are kernel_size, "
       "stride, padding, dilation, ceil_mode; did you mean stride?"},
      {R"([{"Tanh": {"alpha": 2}}])",
       "net.json: layers[0] Tanh: unknown option 'alpha'; the layer takes no options"},
      {R"([{"ReLU": null}])", "net.json: layers[0] ReLU: takes no options, got null"},
      {R"([{"Conv2d": 16}])", "net.json: layers[0] Conv2d: needs kernel_size"},
      {R"(["Linear"])", "net.json: layers[0] Linear: needs out_features"},
      // Values of another kind.
      {"[" + c + "3.0}}]",
       "net.json: layers[0] Conv2d: kernel_size must be a whole number between 1 and 2147483647, "
       "got 3.0"},
      {"[" + c + "-3}}]",
       "net.json: layers[0] Conv2d: kernel_size must be a whole number between 1 and 2147483647, "
       "got -3"},
      {"[" + c + "18446744073709551615}}]",
       "net.json: layers[0] Conv2d: kernel_size must be a whole number between 1 and 2147483647, "
       "got 18446744073709551615"},
      {"[" + c + "[3, 3, 3]}}]",
       "net.json: layers[0] Conv2d: kernel_size must be a whole number or [height,width], got "
       "[3,3,3]"},
      {"[" + c + "3, \"bias\": 0}}]",
       "net.json: layers[0] Conv2d: bias must be true or false, got 0"},
      {"[" + c + "3, \"padding\": \"full\"}}]",
       "net.json: layers[0] Conv2d: padding must be one of same, valid, got 'full'"},
      {R"([{"Linear": "clases"}])",
       "net.json: layers[0] Linear: out_features must be a whole number between 1 and 2147483647, "
       "got 'clases'"},
      {R"([{"Dropout": "half"}])", "net.json: layers[0] Dropout: p must be a number, got 'half'"},
      {R"([{"Sequential": "ReLU"}])",
       "net.json: layers[0].layers must be a list of layers, got 'ReLU'"},
      // What the layers themselves refuse.
      {"[" + c + "3, \"groups\": 3}}]",
       "net.json: layers[0] Conv2d: groups 3 must divide in_channels 4 and out_channels 16; its "
       "input is [4,9,11]"},
      {"[" + c + "3, \"padding\": \"same\", \"stride\": 2}}]",
       "net.json: layers[0] Conv2d: padding same needs a stride of (1, 1), got (2, 2); its input "
       "is [4,9,11]"},
      {R"([{"Dropout": 1.5}])",
       "net.json: layers[0] Dropout: p must be between 0 and 1, got 1.5; its input is [4,9,11]"},
      {R"([{"GroupNorm": 3}])",
       "net.json: layers[0] GroupNorm: num_groups 3 must divide channels 4; its input is "
       "[4,9,11]"},
      {R"(["Upsample"])",
       "net.json: layers[0] Upsample: expects either size or scale_factor, got size (0, 0) and "
       "scale_factor (0, 0); its input is [4,9,11]"},
      // What does not suit the input.
      {"[\"ReLU\", {\"MaxPool2d\": 2}, " + c + "6}}]",
       "net.json: layers[2] Conv2d: the kernel reaches 6x6, the padded image is only 4x5; its "
       "input is [4,4,5]"},
      {"[" + c + R"(3, "padding": [9, 1], "padding_mode": "reflect"}}])",
       "net.json: layers[0] Conv2d: a padding of 9x1 is more than reflect can take from the image; "
       "its input is [4,9,11]"},
      {R"([{"MaxPool2d": [2, 12]}])",
       "net.json: layers[0] MaxPool2d: the window reaches 2x12, the padded image is only 9x11; its "
       "input is [4,9,11]"},
      {R"(["Flatten", "BatchNorm2d"])",
       "net.json: layers[1] BatchNorm2d: takes images [C,H,W]; its input is [396]"},
      {R"(["BatchNorm1d"])",
       "net.json: layers[0] BatchNorm1d: takes rows [F] or [C,L]; BatchNorm2d takes images; its "
       "input is [4,9,11]"},
      {R"([{"ConvTranspose2d": {"out_channels": 1, "kernel_size": 1, "padding": 5}}])",
       "net.json: layers[0] ConvTranspose2d: gives [1,-1,1], which is empty; its input is "
       "[4,9,11]"},
      {R"([{"ZeroPad2d": [0, 0, -9, 3]}])",
       "net.json: layers[0] ZeroPad2d: padding [0,0,-9,3] takes away all pixels; its input is "
       "[4,9,11]"},
      {R"([{"PixelShuffle": 3}])",
       "net.json: layers[0] PixelShuffle: 4 channels do not divide into the pixels of 3x3; its "
       "input is [4,9,11]"},
      {R"([{"PixelUnshuffle": 2}])",
       "net.json: layers[0] PixelUnshuffle: 9x11 pixels do not divide into squares of 2x2; its "
       "input is [4,9,11]"},
      {R"([{"Flatten": 0}])",
       "net.json: layers[0] Flatten: start_dim must be between 1 and 3 (0 is the batch), got 0; "
       "its "
       "input is [4,9,11]"},
      {R"([{"Flatten": {"start_dim": 3, "end_dim": 2}}])",
       "net.json: layers[0] Flatten: start_dim 3 must not be behind end_dim 2; its input is "
       "[4,9,11]"},
      {R"([{"Softmax": -4}])",
       "net.json: layers[0] Softmax: dim must be between 1 and 3 (0 is the batch), got -4; its "
       "input is [4,9,11]"},
      {R"([{"LayerNorm": [4, 9]}])",
       "net.json: layers[0] LayerNorm: normalized_shape [4,9] is not what the input ends with; its "
       "input is [4,9,11]"},
      {R"([{"PReLU": 9}])",
       "net.json: layers[0] PReLU: num_parameters must be 1 or the number of channels, got 9; its "
       "input is [4,9,11]"},
      {R"([{"AdaptiveAvgPool2d": 1}, "InstanceNorm2d"])",
       "net.json: layers[1] InstanceNorm2d: needs more than one pixel a channel; its input is "
       "[4,1,1]"},
      {R"([{"AdaptiveAvgPool2d": 1}, {"GroupNorm": 4}])",
       "net.json: layers[1] GroupNorm: needs more than one value a group; its input is [4,1,1]"},
      // Deeper in.
      {R"(["ReLU", {"Residual": {"body": ["ReLU", {"Linear": 0}]}}])",
       "net.json: layers[1].body[1] Linear: out_features must be a whole number between 1 and "
       "2147483647, got 0"},
      {R"([{"Residual": [{"Linear": 3}]}])",
       "net.json: layers[0] Residual: the body gives [4,9,3], the way around it [4,9,11]; its "
       "input "
       "is [4,9,11]"},
      {R"([{"Residual": {"body": [], "activation": "tanh"}}])",
       "net.json: layers[0] Residual: activation must be one of none, relu, got 'tanh'"},
      // The end.
      {"[]", "net.json: the last layer gives [N,4,9,11], [N,7] is wanted for 7 classes"},
      {R"(["Flatten", {"Linear": 10}])",
       "net.json: the last layer gives [N,10], [N,7] is wanted for 7 classes"},
  };
  for (const auto& [text, message] : table) CHECK(wrong(text) == message);
}

TEST_CASE("an unknown layer is told with the nearest, and with all that there are") {
  const std::string message = wrong(R"(["ReLU", "Convolution2d"])");
  CHECK(message == "net.json: layers[1]: unknown layer 'Convolution2d'; known are " +
                       joined(net_layer_names()));
  CHECK(contains(wrong(R"([{"relu": {}}])"), "; did you mean ReLU?"));
}

TEST_CASE("no text of a file reaches a message as it is") {
  const std::string name = "\\u001b[31m\\n" + std::string(100'000, 'x');
  const std::string message = wrong("[\"" + name + "\"]");
  CHECK(contains(message, "unknown layer '?[31m?xxx"));
  CHECK(message.size() < 1000);  // the name is cut; the known layers take some 500
}

TEST_CASE("bombs of any kind are refused before anything is allocated for them") {
  const std::string deep(100'000, '[');
  CHECK(wrong(deep) == "net.json: nests more than 64 levels deep");
  std::string objects;
  for (int i = 0; i < 5000; ++i) objects += R"({"Sequential":[)";
  CHECK(wrong("[" + objects) == "net.json: nests more than 64 levels deep");
  CHECK(wrong(std::string(300'000, ' ')) ==
        "net.json: has 300000 bytes, the description of a net at most 262144");
  std::string many = "[\"ReLU\"";
  for (int i = 0; i < 5'000; ++i) many += ",\"ReLU\"";
  CHECK(wrong(many + "]") == "net.json: layers[5000]: has more than 5000 layers");

  CHECK(wrong(R"([{"Conv2d": {"out_channels": 2147483647, "kernel_size": 2147483647}}])") ==
        "net.json: layers[0] Conv2d: with a weight of [2147483647,4,2147483647,2147483647] the net "
        "has more than 1073741824 bytes of parameters, which is the limit");
  CHECK(
      wrong(R"([{"ZeroPad2d": 2147483647}])") ==
      "net.json: layers[0] ZeroPad2d: gives [4,4294967303,4294967305], more than 1073741824 bytes "
      "an image, which is the limit; its input is [4,9,11]");
  CHECK(
      contains(wrong(R"([{"Upsample": 1e300}])"), "layers[0] Upsample: scale_factor 1e+300 makes"));
  CHECK(contains(wrong(R"([{"PixelUnshuffle": 2147483647}])"), "do not divide into squares"));
  CHECK(contains(wrong(R"([{"PixelShuffle": 2147483647}])"), "do not divide into the pixels"));
  CHECK(contains(wrong(R"([{"ConvTranspose2d": {"out_channels": 1, "kernel_size": 1,
                            "stride": 2147483647, "dilation": 2147483647,
                            "output_padding": 2147483646}}])"),
                 "which is the limit"));
}

TEST_CASE("the limits hold for all layers together, and for one output") {
  Generator generator(1);
  const auto made = [&](std::int64_t parameters, std::int64_t output) {
    return make_net(lenet_text, "net.json", digit, generator,
                    {.parameter_bytes = parameters, .output_bytes = output});
  };
  const std::int64_t parameters = 61706 * 4;    // LeNet's, in float32
  const std::int64_t output = 6 * 28 * 28 * 4;  // of its first convolution, the largest
  CHECK(made(parameters, output).parameter_count() == 61706);
  CHECK(message_of<BadDataError>([&] { made(parameters - 1, output); }) ==
        "net.json: layers[11] Linear: with a bias of [10] the net has more than 246823 bytes of "
        "parameters, which is the limit");
  CHECK(message_of<BadDataError>([&] { made(parameters, output - 1); }) ==
        "net.json: layers[0] Conv2d: gives [6,28,28], more than 18815 bytes an image, which is the "
        "limit; its input is [1,28,28]");
}

TEST_CASE("an image that is none is the caller's mistake") {
  const auto made_for = [](const ImageSpec& image) {
    return message_of<ValueError>([&] { net_of(lenet_text, image); });
  };
  CHECK(made_for({0, 28, 28, 10}) ==
        "make_net: sizes must be between 1 and 2147483647, got images of [0,28,28] and 10 classes");
  CHECK(made_for({1, 28, 28, 0}) ==
        "make_net: sizes must be between 1 and 2147483647, got images of [1,28,28] and 0 classes");
  CHECK(made_for({3, 100'000, 100'000, 10}) ==
        "make_net: an image of [3,100000,100000] takes more than the limit of 1073741824 bytes");
}
