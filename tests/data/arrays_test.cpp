// Data sets of NumPy's arrays: names, layouts, dtypes, labels.
#include <gradus/core/create.h>
#include <gradus/core/error.h>
#include <gradus/core/math.h>
#include <gradus/data/arrays.h>
#include <gradus/data/npy.h>

#include <limits>
#include <string>
#include <utility>

#include <doctest/doctest.h>

#include "support/error_message.h"
#include "support/temporary_folder.h"

using namespace gradus;

TEST_CASE("images become channels first, bytes or float32") {
  const Tensor labels = Tensor::from({0, 1});
  const auto shape_of = [&](const Shape& shape, DType dtype) {
    return dataset_of_arrays("mine", zeros(shape, dtype), labels).images;
  };
  CHECK(shape_of({2, 5, 4}, uint8).shape() == Shape{2, 1, 5, 4});
  CHECK(shape_of({2, 5, 4, 3}, uint8).shape() == Shape{2, 3, 5, 4});
  CHECK(shape_of({2, 5, 4, 1}, uint8).shape() == Shape{2, 1, 5, 4});
  CHECK(shape_of({2, 5, 6, 4}, uint8).shape() == Shape{2, 4, 5, 6});
  CHECK(shape_of({2, 3, 5, 4}, uint8).shape() == Shape{2, 3, 5, 4});
  CHECK(shape_of({2, 3, 5, 3}, uint8).shape() == Shape{2, 3, 5, 3});
  CHECK(shape_of({2, 5, 4}, float64).dtype() == float32);
  CHECK(shape_of({2, 5, 4}, int64).dtype() == uint8);
  const Tensor last = Tensor::from({{{{1, 2, 3}, {4, 5, 6}}}}, uint8);  // [1,1,2,3], which is first
  CHECK(dataset_of_arrays("mine", last, Tensor::from({0})).images.shape() == Shape{1, 1, 2, 3});
  Tensor pixels = zeros({1, 4, 4, 3}, uint8);
  pixels.at<std::uint8_t>({0, 1, 0, 2}) = 9;
  CHECK(
      dataset_of_arrays("mine", pixels, Tensor::from({0})).images.at<std::uint8_t>({0, 2, 1, 0}) ==
      9);
}

TEST_CASE("classes are the labels that occur, with names unless these count from 0") {
  const auto with = [](const Tensor& labels) {
    return dataset_of_arrays("mine", zeros({labels.size(0), 2, 2}, uint8), labels);
  };
  const Dataset plain = with(Tensor::from({2, 0, 1, 2}));
  CHECK(plain.classes == 3);
  CHECK(plain.class_names.empty());
  const Dataset from_one = with(Tensor::from({3, 1, 2, 3}));
  CHECK(from_one.class_names == std::vector<std::string>{"1", "2", "3"});
  CHECK(core::equal(from_one.labels, Tensor::from({2, 0, 1, 2})));
  const Dataset gaps = with(Tensor::from({{-5}, {70}, {-5}}));
  CHECK(gaps.class_names == std::vector<std::string>{"-5", "70"});
  CHECK(core::equal(gaps.labels, Tensor::from({0, 1, 0})));
  CHECK(with(Tensor::from({1.0, 0.0})).classes == 2);
}

TEST_CASE("arrays that make no data set are refused with both values") {
  const auto message = [](const Tensor& images, const Tensor& labels) {
    return message_of<BadDataError>([&] { dataset_of_arrays("mine", images, labels); });
  };
  const Tensor two = zeros({2, 3, 3}, uint8);
  CHECK(message(two, Tensor::from({0, 1, 2})) == "mine: 2 images [2,3,3], but 3 labels");
  CHECK(message(two, Tensor::from({{0, 1}, {1, 0}})) ==
        "mine: labels must be [N] or [N,1], they are [2,2]");
  CHECK(message(two, Tensor::from({0.0, 0.5})) ==
        "mine: labels must be whole numbers, that of sample 1 is 0.5");
  CHECK(message(zeros({4}, uint8), Tensor::from({0, 1, 2, 3})) ==
        "mine: images must be [N,H,W], [N,C,H,W] or [N,H,W,C], they are [4]");
  CHECK(message(full({1, 2, 2}, 300, int64), Tensor::from({0})) ==
        "mine: images of whole numbers must lie in 0..255, they go from 300 to 300");
}

TEST_CASE(
    "numbers that are not finite in float32 are refused with their place, of every floating "
    "dtype") {
  constexpr double nan = std::numeric_limits<double>::quiet_NaN();
  constexpr double infinity = std::numeric_limits<double>::infinity();
  const auto message = [](const Tensor& images) {
    return message_of<BadDataError>([&] {
      dataset_of_arrays("mine", images, Tensor::from({0, 1}));
    });
  };
  const std::string end = ", not a finite one that float32 holds";
  for (const DType dtype : {float16, float32, float64}) {
    for (const auto& [value, text] : {std::pair(nan, "nan"), std::pair(-nan, "nan"),
                                      std::pair(infinity, "inf"), std::pair(-infinity, "-inf")}) {
      Tensor images = zeros({2, 2, 3}, float64);
      images.at<double>({1, 0, 2}) = value;
      CHECK(message(images.to(dtype)) ==
            "mine: images: the number at [1,0,2] is " + std::string(text) + end);
    }
  }
  Tensor columns = zeros({3, 2, 2}, float32).permute({2, 1, 0});  // as Fortran's order gives it
  columns.at<float>({0, 1, 2}) = static_cast<float>(nan);
  CHECK(message(columns) == "mine: images: the number at [0,1,2] is nan" + end);
  CHECK(message(full({2, 2, 2}, 1e300, float64)) ==
        "mine: images: the number at [0,0,0] is 1e+300" + end);
}

TEST_CASE("float16, of which nothing is computed, is read as float32") {
  const Tensor images = Tensor::from({{{0.5, 1.5}}, {{2.0, 0.0}}}).to(float16);
  const Dataset data = dataset_of_arrays("mine", images, Tensor::from({1.0, 0.0}).to(float16));
  CHECK(core::equal(data.images.flatten(), Tensor::from({0.5, 1.5, 2.0, 0.0}, float32)));
  CHECK(core::equal(data.labels, Tensor::from({1, 0})));
  CHECK(message_of<BadDataError>([&] {
          dataset_of_arrays("mine", images, Tensor::from({0.0, 0.5}).to(float16));
        }) == "mine: labels must be whole numbers, that of sample 1 is 0.5");
}

TEST_CASE("images without pixels are refused, a part without images is not") {
  for (const Shape& shape :
       {Shape{2, 0, 4}, Shape{2, 4, 0}, Shape{2, 4, 4, 0}, Shape{2, 0, 4, 4}}) {
    CHECK(message_of<BadDataError>([&] {
            dataset_of_arrays("mine", zeros(shape, uint8), Tensor::from({0, 1}));
          }) == text_of("mine: images: images of ", shape, " have no pixels"));
  }
  CHECK(dataset_of_arrays("mine", zeros({0, 4, 4}, uint8), zeros({0}, int64)).size() == 0);
}

TEST_CASE("a folder of .npy files is read by the names of its arrays") {
  const TemporaryFolder folder;
  const auto save = [&](const char* name, const Tensor& array) {
    save_npy((folder / name).string(), array);
  };
  save("x_train.npy", full({3, 2, 2}, 7, uint8));
  save("y_train.npy", Tensor::from({1, 2, 1}));
  const std::string path = folder.path().string();
  DataSplit split = load_arrays(path);
  CHECK(split.train.images.shape() == Shape{3, 1, 2, 2});
  CHECK(split.train.class_names == std::vector<std::string>{"1", "2"});
  CHECK(split.test.size() == 0);
  save("x_test.npy", full({1, 2, 2}, 9, uint8));
  save("y_test.npy", Tensor::from({2}));
  split = load_arrays(path);
  CHECK(split.train.name == path + "/x_train.npy");
  CHECK(split.test.name == path + "/x_test.npy");
  CHECK(split.test.labels.at<std::int64_t>({0}) == 1);
  CHECK(split.test.images.flatten()[0].item() == 9);
  save("y_test.npy", Tensor::from({3}));
  CHECK(message_of<BadDataError>([&] { load_arrays(path); }) ==
        path + ": label 3 of test sample 0 is not in the training part");
  save("y_test.npy", Tensor::from({2}));
  save("x_test.npy", full({1, 2, 3}, 9, uint8));
  CHECK(message_of<BadDataError>([&] { load_arrays(path); }) ==
        path + ": training images are [1,2,2], test images [1,2,3]");
  for (const char* name : {"x_test.npy", "x_train.npy"}) {
    const std::int64_t count = name == std::string("x_test.npy") ? 1 : 3;
    save(name, full({count, 2, 2}, std::numeric_limits<double>::infinity(), float32));
    CHECK(message_of<BadDataError>([&] { load_arrays(path); }) ==
          path + "/" + name +
              ": the number at [0,0,0] is inf, not a finite one that float32 holds");
  }
}

TEST_CASE("arrays by other names are listed") {
  const TemporaryFolder folder;
  const std::string path = folder.path().string();
  CHECK(contains(message_of<BadDataError>([&] { load_arrays(path); }), "but no array"));
  save_npy((folder / "pictures.npy").string(), zeros({1, 2, 2}, uint8));
  CHECK(contains(message_of<BadDataError>([&] { load_arrays(path); }), "but pictures"));
}

TEST_CASE("half of a test part is an error: images to train with would be taken for it") {
  const TemporaryFolder folder;
  const std::string path = folder.path().string();
  const auto save = [&](const char* name, const Tensor& array) {
    save_npy((folder / name).string(), array);
  };
  save("x_train.npy", zeros({4, 2, 2}, uint8));
  save("y_train.npy", Tensor::from({0, 1, 0, 1}));
  CHECK(load_arrays(path).test.size() == 0);
  save("x_test.npy", zeros({2, 2, 2}, uint8));
  CHECK(message_of<BadDataError>([&] { load_arrays(path); }) ==
        path + ": has x_test, but no y_test");
  save("y_test.npy", Tensor::from({0, 1}));
  CHECK(load_arrays(path).test.size() == 2);
}
