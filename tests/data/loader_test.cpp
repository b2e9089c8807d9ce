// The DataLoader: which samples, in which order, and what happens when something goes wrong
// on its thread.
#include <gradus/core/create.h>
#include <gradus/core/error.h>
#include <gradus/core/math.h>
#include <gradus/data/loader.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <memory>
#include <numeric>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "support/error_message.h"

using namespace gradus;

namespace {

/// `count` images [1,2,2] of bytes; image i holds i, its label is i mod 10.
Dataset numbered(std::int64_t count) {
  Dataset data{.name = "numbered",
               .images = Tensor::empty({count, 1, 2, 2}, uint8),
               .labels = Tensor::empty({count}, int64),
               .classes = 10};
  for (std::int64_t i = 0; i < count; ++i) {
    data.images[i].fill_(static_cast<double>(i % 256));
    data.labels.at<std::int64_t>({i}) = i % 10;
  }
  return data;
}

/// The numbers of the images in the order in which a pass hands them out (for at most 256).
std::vector<int> order_of(Epoch epoch) {
  std::vector<int> order;
  for (const Batch& batch : epoch) {
    for (std::int64_t i = 0; i < batch.labels.numel(); ++i) {
      order.push_back(static_cast<int>(batch.images[i].flatten()[0].item() * 255 + 0.5));
    }
  }
  return order;
}

std::vector<Batch> all(Epoch epoch) {
  std::vector<Batch> batches;
  for (const Batch& batch : epoch) batches.push_back(batch);
  return batches;
}

}  // namespace

TEST_CASE("without shuffle the samples come in their own order, the last batch smaller") {
  const DataLoader loader(numbered(10), {.batch_size = 4});
  const std::vector<Batch> batches = all(loader.epoch(0));
  REQUIRE(batches.size() == 3);
  CHECK(loader.batches() == 3);
  CHECK(loader.samples() == 10);
  CHECK(batches[2].images.shape() == Shape{2, 1, 2, 2});
  CHECK(core::equal(batches[1].labels, Tensor::from({4, 5, 6, 7})));
  CHECK(batches[1].index == 1);
  std::vector<int> expected(10);
  std::iota(expected.begin(), expected.end(), 0);
  CHECK(order_of(loader.epoch(0)) == expected);
}

TEST_CASE("drop_last leaves out the batch that is not full") {
  const DataLoader loader(numbered(10), {.batch_size = 4, .drop_last = true});
  CHECK(all(loader.epoch(0)).size() == 2);
  CHECK(loader.batches() == 2);
  CHECK(loader.samples() == 8);
  const DataLoader even(numbered(8), {.batch_size = 4, .drop_last = true});
  CHECK(all(even.epoch(0)).size() == 2);
}

TEST_CASE("shuffled, an epoch has every sample exactly once") {
  const DataLoader loader(numbered(200), {.batch_size = 7, .shuffle = true, .seed = 3});
  std::vector<int> order = order_of(loader.epoch(0));
  CHECK_FALSE(std::ranges::is_sorted(order));
  std::ranges::sort(order);
  std::vector<int> expected(200);
  std::iota(expected.begin(), expected.end(), 0);
  CHECK(order == expected);
}

TEST_CASE("labels stay with their images") {
  const DataLoader loader(numbered(100), {.batch_size = 16, .shuffle = true});
  for (const Batch& batch : loader.epoch(1)) {
    for (std::int64_t i = 0; i < batch.labels.numel(); ++i) {
      const int number = static_cast<int>(batch.images[i].flatten()[0].item() * 255 + 0.5);
      CHECK(batch.labels[i].item() == number % 10);
    }
  }
}

TEST_CASE("the order is a function of seed and epoch alone") {
  const DataLoader loader(numbered(50), {.batch_size = 8, .shuffle = true, .seed = 1});
  const DataLoader same(numbered(50), {.batch_size = 3, .shuffle = true, .seed = 1, .prefetch = 0});
  const DataLoader other(numbered(50), {.batch_size = 8, .shuffle = true, .seed = 2});
  const auto first = order_of(loader.epoch(0));
  const auto second = order_of(loader.epoch(1));
  CHECK(first != second);
  CHECK(order_of(loader.epoch(0)) == first);
  CHECK(order_of(same.epoch(1)) == second);
  CHECK(order_of(other.epoch(0)) != first);
}

TEST_CASE("the order is the same on every machine") {
  const DataLoader loader(numbered(10), {.shuffle = true, .seed = 42});
  // Computed once more in Python: Philox, fork(0), Fisher-Yates.
  CHECK(order_of(loader.epoch(0)) == std::vector<int>{8, 3, 0, 4, 6, 7, 1, 5, 2, 9});
}

TEST_CASE(
    "batches are the same with and without prefetch and workers, transforms and mixup included") {
  const Transform noise = [](const Tensor& images, Generator& generator) {
    return core::add(images, rand(images.shape(), generator));
  };
  std::vector<std::vector<Batch>> runs;
  for (const std::int64_t prefetch : {0, 1, 2, 100}) {
    for (const std::int64_t workers : {1, 2, 5}) {
      const DataLoader loader(numbered(50), {.batch_size = 8,
                                             .shuffle = true,
                                             .seed = 5,
                                             .prefetch = prefetch,
                                             .workers = workers,
                                             .transform = noise,
                                             .mixup = 0.5});
      runs.push_back(all(loader.epoch(2)));
    }
  }
  for (const auto& run : runs) {
    REQUIRE(run.size() == runs[0].size());
    for (std::size_t i = 0; i < run.size(); ++i) {
      CHECK(core::equal(run[i].images, runs[0][i].images));
      CHECK(core::equal(run[i].labels, runs[0][i].labels));
    }
  }
}

TEST_CASE("a pass may begin at any batch, and has the rest of the whole one") {
  const Transform noise = [](const Tensor& images, Generator& generator) {
    return core::add(images, generator.uniform());
  };
  for (const std::int64_t prefetch : {0, 2}) {
    const DataLoader loader(
        numbered(10),
        {.batch_size = 3, .shuffle = true, .seed = 5, .prefetch = prefetch, .transform = noise});
    const std::vector<Batch> whole = all(loader.epoch(7));
    for (std::int64_t first = 0; first <= loader.batches(); ++first) {
      const std::vector<Batch> rest = all(loader.epoch(7, first));
      REQUIRE(std::ssize(rest) == loader.batches() - first);
      for (std::size_t i = 0; i < rest.size(); ++i) {
        const Batch& same = whole[i + static_cast<std::size_t>(first)];
        CHECK(rest[i].index == same.index);
        CHECK(core::equal(rest[i].images, same.images));
        CHECK(core::equal(rest[i].labels, same.labels));
      }
    }
    CHECK(message_of<ValueError>([&] { loader.epoch(0, 5); }) ==
          "data loader: first_batch must be from 0 to 4, got 5");
    CHECK(message_of<ValueError>([&] { loader.epoch(0, -1); }) ==
          "data loader: first_batch must be from 0 to 4, got -1");
  }
}

TEST_CASE("a pass may end early: batches from there on are not made") {
  for (const std::int64_t prefetch : {0, 2}) {
    std::atomic<int> made = 0;
    const Transform counting = [&](const Tensor& images, Generator&) {
      ++made;
      return images;
    };
    const DataLoader loader(numbered(30),
                            {.batch_size = 3, .prefetch = prefetch, .transform = counting});
    for (const auto& [first, end] : std::vector<std::pair<std::int64_t, std::int64_t>>{
             {0, 10}, {2, 5}, {9, 10}, {0, 0}, {10, 10}}) {
      made = 0;
      {
        Epoch pass = loader.epoch(0, first, end);
        std::int64_t next = first;
        for (const Batch& batch : pass) {
          CHECK(batch.index == next);
          ++next;
        }
        CHECK(next == end);
        // Time for a batch too many.
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
      }
      CHECK(made == end - first);
    }
    CHECK(message_of<ValueError>([&] { loader.epoch(0, 3, 2); }) ==
          "data loader: end_batch must be from first_batch, 3, to 10, got 2");
    CHECK(message_of<ValueError>([&] { loader.epoch(0, 0, 11); }) ==
          "data loader: end_batch must be from first_batch, 0, to 10, got 11");
  }
}

TEST_CASE("bytes are scaled to 0..1 and normalized, float32 pixels only normalized") {
  Dataset data = numbered(2);
  data.images.fill_(51);
  data.normalization = {.mean = {0.5}, .stddev = {0.25}};
  const auto first = [](const Dataset& dataset) {
    const DataLoader loader(dataset);
    return all(loader.epoch(0))[0].images.flatten()[0].item();
  };
  CHECK(first(data) == doctest::Approx((0.2 - 0.5) / 0.25).epsilon(1e-6));
  data.images = full({2, 1, 2, 2}, 0.75);
  CHECK(first(data) == doctest::Approx(1.0).epsilon(1e-6));
  data.normalization = {};
  CHECK(first(data) == 0.75);
}

TEST_CASE("a data set given as views is read as what it shows") {
  Dataset data = numbered(8);
  data.images = data.images.slice(0, 0, 8, 2);
  data.labels = data.labels.slice(0, 0, 8, 2);
  const DataLoader loader(data);
  CHECK(order_of(loader.epoch(0)) == std::vector<int>{0, 2, 4, 6});
}

TEST_CASE("an empty data set has no batches") {
  for (const std::int64_t prefetch : {0, 2}) {
    const DataLoader loader(numbered(0), {.shuffle = true, .prefetch = prefetch});
    CHECK(all(loader.epoch(0)).empty());
    CHECK(loader.batches() == 0);
  }
}

TEST_CASE("a batch larger than the data set holds all of it") {
  const DataLoader loader(numbered(3), {.batch_size = std::numeric_limits<std::int64_t>::max()});
  const std::vector<Batch> batches = all(loader.epoch(0));
  REQUIRE(batches.size() == 1);
  CHECK(batches[0].labels.numel() == 3);
  CHECK(loader.samples() == 3);
  const DataLoader none(numbered(3), {.batch_size = 4, .drop_last = true});
  CHECK(all(none.epoch(0)).empty());
}

TEST_CASE("an error on a worker arrives at the batch it concerns, and ends the pass") {
  const auto fail_at_image_12 = [](const Tensor& images, Generator&) {
    if (static_cast<int>(images.flatten()[0].item() * 255 + 0.5) == 12)
      throw std::runtime_error("no more");
    return images;
  };
  for (const std::int64_t prefetch : {0, 1, 2, 8}) {
    CAPTURE(prefetch);
    const DataLoader loader(numbered(40), {.batch_size = 4,
                                           .prefetch = prefetch,
                                           .workers = prefetch == 8 ? 4 : 1,
                                           .transform = fail_at_image_12});
    Epoch epoch = loader.epoch(0);
    auto batch = epoch.begin();
    int seen = 1;
    CHECK_THROWS_WITH_AS(
        for (; batch != epoch.end(); ++batch) { seen = static_cast<int>(batch->index) + 1; },
        "no more", std::runtime_error);
    CHECK(seen == 3);
    CHECK(batch == epoch.end());
    ++batch;
    CHECK(batch == epoch.end());
  }
}

TEST_CASE("a transform that changes the number of images is refused") {
  const DataLoader loader(numbered(4), {.transform = [](const Tensor& images, Generator&) {
                            return images.narrow(0, 0, 1);
                          }});
  CHECK(contains(message_of<ShapeError>([&] { all(loader.epoch(0)); }),
                 "must keep the 4 images of a batch, it gave float32 [1,1,2,2]"));
}

TEST_CASE("a pass may be left in the middle, at once, or never begun") {
  const DataLoader loader(numbered(100), {.batch_size = 1, .shuffle = true});
  for (int round = 0; round < 200; ++round) {
    int seen = 0;
    for (const Batch& batch : loader.epoch(round)) {
      if (batch.index == round % 5) break;
      ++seen;
    }
    CHECK(seen == round % 5);
  }
  const Epoch unused = loader.epoch(0);
}

TEST_CASE("a pass outlives its loader, and can be moved") {
  auto loader = std::make_unique<DataLoader>(numbered(10), DataLoaderOptions{.batch_size = 2});
  Epoch epoch = loader->epoch(0);
  auto batch = epoch.begin();
  loader.reset();
  Epoch moved = std::move(epoch);
  int batches = 0;
  for (; batch != moved.end(); ++batch) ++batches;
  CHECK(batches == 5);
}

TEST_CASE("a batch that is kept does not change when the next is made") {
  const DataLoader loader(numbered(20), {.batch_size = 2});
  const std::vector<Batch> batches = all(loader.epoch(0));
  for (const Batch& batch : batches) {
    CHECK(batch.images[0].flatten()[0].item() * 255 ==
          doctest::Approx(2.0 * static_cast<double>(batch.index)));
  }
}

TEST_CASE("several threads may each run a pass of one loader") {
  const DataLoader loader(numbered(64), {.batch_size = 4, .shuffle = true});
  const auto expected = order_of(loader.epoch(0));
  std::vector<std::vector<int>> orders(4);
  std::vector<std::thread> threads;
  for (auto& order : orders) threads.emplace_back([&] { order = order_of(loader.epoch(0)); });
  for (auto& thread : threads) thread.join();
  for (const auto& order : orders) CHECK(order == expected);
}

TEST_CASE("bad options are refused with their value") {
  const auto message = [](DataLoaderOptions options) {
    return message_of<ValueError>([&] { DataLoader(numbered(3), options); });
  };
  CHECK(contains(message({.batch_size = 0}), "batch_size must be at least 1, got 0"));
  CHECK(contains(message({.batch_size = -5}), "got -5"));
  CHECK(contains(message({.prefetch = -1}), "prefetch must not be negative, got -1"));
  CHECK(contains(message({.workers = 0}), "workers must be at least 1, got 0"));
  CHECK(contains(message({.mixup = -0.5}), "mixup must be at least 0, got -0.5"));
  const DataLoader loader(numbered(3));
  CHECK(contains(message_of<ValueError>([&] { static_cast<void>(loader.epoch(-1)); }),
                 "epoch must not be negative, got -1"));
  Dataset flat = numbered(3);
  flat.normalization.stddev = {0};
  CHECK(contains(message_of<ValueError>([&] { DataLoader{flat}; }),
                 "stddev must be positive, got 0"));
}

TEST_CASE("a label outside the classes is refused before the first batch") {
  Dataset data = numbered(20);
  data.classes = 9;
  CHECK(contains(message_of<BadDataError>([&] { DataLoader{data}; }),
                 "numbered: label 9 of sample 9 is outside 0..8"));
}

TEST_CASE("a pass that was moved from says so") {
  const DataLoader loader(numbered(10), {.batch_size = 4});
  Epoch first = loader.epoch(0);
  Epoch second = std::move(first);
  CHECK(contains(message_of<ValueError>([&] { first.begin(); }), "was moved from"));
  CHECK(second.begin()->images.size(0) == 4);
}

TEST_CASE("each channel is normalized by its own numbers, with and without a transform") {
  Dataset data{.name = "three",
               .images = Tensor::empty({2, 3, 1, 2}, uint8),
               .labels = zeros({2}, int64),
               .classes = 1,
               .normalization = {.mean = {0.25, 0.5, 0.75}, .stddev = {0.5, 0.25, 0.125}}};
  for (std::int64_t c = 0; c < 3; ++c)
    data.images.select(1, c).fill_(51 * (static_cast<double>(c) + 1));
  const Transform nothing = [](const Tensor& images, Generator&) { return images; };
  for (const Transform& transform : {Transform(), nothing}) {
    const DataLoader loader(data, {.transform = transform});
    const Batch batch = all(loader.epoch(0))[0];
    // (51·(c+1)/255 - mean) / stddev
    const double expected[] = {(0.2 - 0.25) / 0.5, (0.4 - 0.5) / 0.25, (0.6 - 0.75) / 0.125};
    for (std::int64_t c = 0; c < 3; ++c) {
      for (std::int64_t i = 0; i < 2; ++i) {
        // Four roundings of float32 on numbers up to 6 (0.75/0.125): 4·6·2^-24.
        CHECK(static_cast<double>(batch.images.at<float>({i, c, 0, 1})) ==
              doctest::Approx(expected[c]).epsilon(2e-6));
      }
    }
  }
  data.normalization.mean = {0, 0};
  CHECK(message_of<ValueError>([&] { DataLoader{data}; }) ==
        "three: normalization.mean has 2 numbers for 3 channels");
}

TEST_CASE("a transform sees pixels from 0 to 1, before they are normalized") {
  Dataset data = numbered(1);
  data.images.fill_(255);
  data.normalization = {.mean = {0.5}, .stddev = {0.5}};
  double seen = -1;
  const DataLoader loader(data, {.prefetch = 0, .transform = [&](const Tensor& images, Generator&) {
                                   seen = core::max(images).item();
                                   return images;
                                 }});
  CHECK(all(loader.epoch(0))[0].images.flatten()[0].item() == 1);
  CHECK(seen == 1);
}

namespace {

/// Image i holds the number i; made when asked for.
struct Counted {
  std::int64_t count = 20;
  std::int64_t size() const { return count; }
  LabeledImage get(std::int64_t i) const {
    return {full({1, 2, 2}, static_cast<double>(i)), i % 3};
  }
};

}  // namespace

TEST_CASE("samples of one's own need size() and get()") {
  for (const std::int64_t workers : {1, 3}) {
    const DataLoader loader(
        Counted{},
        {.batch_size = 6, .shuffle = true, .seed = 42, .prefetch = 4, .workers = workers});
    CHECK(loader.batches() == 4);
    CHECK(loader.samples() == 20);
    std::vector<double> seen;
    for (const Batch& batch : loader.epoch(1)) {
      CHECK(batch.images.dtype() == float32);
      for (std::int64_t i = 0; i < batch.labels.numel(); ++i) {
        const double number = batch.images[i].flatten()[0].item();
        CHECK(batch.labels[i].item() == std::fmod(number, 3));
        seen.push_back(number);
      }
    }
    std::ranges::sort(seen);
    REQUIRE(seen.size() == 20);
    for (std::size_t i = 0; i < seen.size(); ++i) CHECK(seen[i] == static_cast<double>(i));
  }
}

TEST_CASE("images that do not fit their batch are refused with both shapes") {
  struct Ragged {
    std::int64_t size() const { return 4; }
    LabeledImage get(std::int64_t i) const { return {full({1, 2, i < 2 ? 2 : 3}, 0), 0}; }
  };
  struct Mixed {
    std::int64_t size() const { return 4; }
    LabeledImage get(std::int64_t i) const {
      return {zeros({1, 2, 2}, i < 3 ? uint8 : float32), 0};
    }
  };
  struct Flat {
    std::int64_t size() const { return 4; }
    LabeledImage get(std::int64_t) const { return {zeros({4}, float32), 0}; }
  };
  const auto run = [](auto own) { all(DataLoader(own).epoch(0)); };
  CHECK(message_of<ShapeError>([&] { run(Ragged{}); }) ==
        "data loader: sample 2 is float32 [1,2,3], sample 0 is float32 [1,2,2]");
  CHECK(message_of<DTypeError>([&] { run(Mixed{}); }) ==
        "data loader: sample 3 is float32 [1,2,2], sample 0 is uint8 [1,2,2]");
  CHECK(message_of<ShapeError>([&] { run(Flat{}); }) ==
        "data loader: sample 0 must be uint8 or float32 [C,H,W], it is float32 [4]");
  CHECK(contains(message_of<ValueError>([] { DataLoader(Counted{}, {.mixup = 1}); }),
                 "mixup needs a Dataset"));
}

TEST_CASE("a data set may have a source instead of images, and splits as any other") {
  class Source final : public ImageSource {
   public:
    std::int64_t size() const override { return 10; }
    LabeledImage get(std::int64_t i) const override {
      return {full({1, 1, 1}, static_cast<double>(i)), i % 2};
    }
  };
  Dataset data{.name = "made",
               .labels = Tensor::from({0, 1, 0, 1, 0, 1, 0, 1, 0, 1}),
               .classes = 2,
               .source = std::make_shared<Source>()};
  const DataLoader loader(data, {.batch_size = 4});
  CHECK(all(loader.epoch(0))[2].images.flatten()[1].item() == 9);
  const Dataset part = subset(data, Tensor::from({7, 2}));
  CHECK(part.size() == 2);
  const Batch batch = all(DataLoader(part).epoch(0))[0];
  CHECK(batch.images.flatten()[0].item() == 7);
  CHECK(core::equal(batch.labels, Tensor::from({1, 0})));
  CHECK(checksum(part) == checksum(subset(data, Tensor::from({7, 2}))));
  CHECK(checksum(part) != checksum(subset(data, Tensor::from({2, 7}))));
  data.labels = Tensor::from({1, 1, 1, 1, 1, 1, 1, 1, 1, 0});  // those of the data set count
  CHECK(core::equal(all(DataLoader(data, {.batch_size = 10}).epoch(0))[0].labels, data.labels));
  data.labels = Tensor::from({0, 1});
  CHECK(message_of<ShapeError>([&] { DataLoader{data}; }) == "made: 10 images, labels [2]");
}

TEST_CASE("mixup gives shares of two classes, and images mixed alike") {
  Dataset data = numbered(40);
  const DataLoader loader(data, {.batch_size = 20, .seed = 3, .mixup = 1});
  bool mixed = false;
  for (const Batch& batch : loader.epoch(0)) {
    REQUIRE(batch.labels.shape() == Shape{20, 10});
    for (std::int64_t i = 0; i < 20; ++i) {
      double sum = 0;
      for (std::int64_t c = 0; c < 10; ++c) {
        const double share = static_cast<double>(batch.labels.at<float>({i, c}));
        sum += share;
        mixed = mixed || (share > 0.01 && share < 0.99);
      }
      CHECK(sum == doctest::Approx(1).epsilon(1e-6));  // two roundings
    }
  }
  CHECK(mixed);
}
