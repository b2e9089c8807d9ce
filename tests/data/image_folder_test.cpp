// Folders of pictures: classes, parts, forms, and what is wrong with a folder.
#include <gradus/core/create.h>
#include <gradus/core/error.h>
#include <gradus/core/math.h>
#include <gradus/core/parallel.h>
#include <gradus/data/image.h>
#include <gradus/data/image_folder.h>

#include <sys/stat.h>

#include <filesystem>
#include <string>

#include <doctest/doctest.h>

#include "support/error_message.h"
#include "support/temporary_folder.h"

using namespace gradus;
namespace fs = std::filesystem;

namespace {

/// A picture whose pixels are all `level`.
void put(const fs::path& file, double level, Shape shape = {3, 4, 5}) {
  fs::create_directories(file.parent_path());
  write_png(file.string(), full(shape, level).to(uint8));
}

/// Two classes of three and two pictures, and what is to be passed over.
void fill(const fs::path& root) {
  put(root / "cat" / "2.png", 20);
  put(root / "cat" / "10.PNG", 10);
  put(root / "cat" / "deeper" / "1.png", 30);
  put(root / "dog" / "a.png", 40);
  put(root / "dog" / "b.png", 50);
  write_bytes(root / "cat" / "notes.txt", "not a picture");
  write_bytes(root / "cat" / ".hidden.png", "not a picture");
  put(root / ".cache" / "x.png", 1);
  write_bytes(root / "readme.png", "beside the classes");
}

std::vector<int> levels_of(const Dataset& data) {
  std::vector<int> levels;
  for (std::int64_t i = 0; i < data.size(); ++i)
    levels.push_back(static_cast<int>(data.get(i).image.flatten()[0].item()));
  return levels;
}

}  // namespace

TEST_CASE(
    "each subfolder is a class, names sorted byte by byte, hidden and other files passed over") {
  const TemporaryFolder folder;
  fill(folder.path());
  const DataSplit split = load_image_folder(folder.path().string() + "/");
  const Dataset& data = split.train;
  CHECK(data.class_names == std::vector<std::string>{"cat", "dog"});
  CHECK(data.classes == 2);
  CHECK(data.images.shape() == Shape{5, 3, 4, 5});
  CHECK(data.images.dtype() == uint8);
  CHECK(core::equal(data.labels, Tensor::from({0, 0, 0, 1, 1})));
  CHECK(levels_of(data) == std::vector<int>{10, 20, 30, 40, 50});  // 10.PNG, 2.png, deeper/1.png
  CHECK(split.test.size() == 0);
  check_dataset(data);
}

TEST_CASE("a folder is read alike by any number of threads, from memory and from its files") {
  const TemporaryFolder folder;
  fill(folder.path());
  const int threads = num_threads();
  const std::string sum = checksum(load_image_folder(folder.path().string()).train);
  for (const int count : {1, 3}) {
    set_num_threads(count);
    for (const std::int64_t most_bytes : {std::int64_t{299}, std::int64_t{300}}) {  // 5·3·4·5
      const DataSplit split = load_image_folder(folder.path().string(), {.most_bytes = most_bytes});
      CHECK(split.train.images.defined() == (most_bytes == 300));
      CHECK(levels_of(split.train) == std::vector<int>{10, 20, 30, 40, 50});
      CHECK(checksum(split.train) == sum);
    }
  }
  set_num_threads(threads);
}

TEST_CASE("train and test, or val, are the parts") {
  for (const char* name : {"test", "val"}) {
    const TemporaryFolder folder;
    fill(folder / "train");
    put(folder / name / "dog" / "z.png", 99);
    const DataSplit split = load_image_folder(folder.path().string());
    CHECK(split.train.size() == 5);
    CHECK(levels_of(split.test) == std::vector<int>{99});
    CHECK(core::equal(split.test.labels, Tensor::from({1})));
    CHECK(split.test.class_names == split.train.class_names);
    put(folder / name / "cow" / "z.png", 99);
    CHECK(message_of<BadDataError>([&] { load_image_folder(folder.path().string()); }) ==
          (folder / name / "cow").string() +
              ": is a class that the training part lacks, it has cat, dog");
  }
}

TEST_CASE("a layout that is neither classes nor parts is refused, not taken for another task") {
  const TemporaryFolder folder;
  const std::string path = folder.path().string();
  fill(folder / "train");
  CHECK(load_image_folder(path).train.class_names == std::vector<std::string>{"cat", "dog"});
  CHECK(load_image_folder(path).test.size() == 0);
  put(folder / "valid" / "cat" / "z.png", 99);
  CHECK(load_image_folder(path).test.size() == 1);
  put(folder / "test" / "cat" / "z.png", 98);
  CHECK(levels_of(load_image_folder(path).test) == std::vector<int>{98});  // and valid is warned of
  put(folder / "cow" / "z.png", 99);
  CHECK(message_of<BadDataError>([&] { load_image_folder(path); }) ==
        path +
            ": has train, and beside it cow, which is no part; parts are train, test, val, valid "
            "and validation");
  fs::remove_all(folder / "train");
  CHECK(message_of<BadDataError>([&] { load_image_folder(path); }) ==
        path + ": has test and no train beside it");
}

TEST_CASE("a test part needs classes, and pictures that can be read") {
  const TemporaryFolder folder;
  const std::string path = folder.path().string();
  fill(folder / "train");
  put(folder / "test" / "loose.png", 1);
  CHECK(message_of<BadDataError>([&] { load_image_folder(path); }) ==
        path + "/test: no class in it, as the training part has them");
  fs::create_directories(folder / "test" / "cat");
  write_bytes(folder / "test" / "cat" / "1.png", "nothing");
  CHECK(contains(message_of<BadDataError>([&] { load_image_folder(path, {.skip_bad = true}); }),
                 "none of the pictures of its test part can be read"));
}

TEST_CASE(
    "a link to the folder itself is no class, and a class has no control character in its name") {
  const TemporaryFolder folder;
  fill(folder.path());
  fs::create_directory_symlink(".", folder / "self");
  CHECK(load_image_folder(folder.path().string()).train.classes == 2);
  put(folder / "a\x07" / "1.png", 1);
  CHECK(contains(message_of<BadDataError>([&] { load_image_folder(folder.path().string()); }),
                 "the name of class 'a?' holds a control character"));
}

TEST_CASE("all gray stays gray, one colour makes all RGB, and a form decides otherwise") {
  const TemporaryFolder folder;
  put(folder / "a" / "1.png", 100, {1, 4, 4});
  put(folder / "b" / "1.png", 50, {1, 4, 4});
  const std::string path = folder.path().string();
  CHECK(load_image_folder(path).train.images.shape() == Shape{2, 1, 4, 4});
  CHECK(load_image_folder(path, {.form = {.channels = 3}}).train.images.shape() ==
        Shape{2, 3, 4, 4});
  put(folder / "b" / "2.png", 60, {3, 4, 4});
  CHECK(load_image_folder(path).train.images.shape() == Shape{3, 3, 4, 4});
  CHECK(load_image_folder(path, {.form = {.channels = 1, .height = 2, .width = 3}})
            .train.images.shape() == Shape{3, 1, 2, 3});
}

TEST_CASE("pictures of several sizes need a form: cut, or squashed") {
  const TemporaryFolder folder;
  put(folder / "a" / "1.png", 100, {1, 4, 4});
  Tensor wide = zeros({1, 4, 8}, uint8);  // black, with a white right half
  wide.narrow(2, 4, 4).fill_(255);
  write_png((folder / "a" / "2.png").string(), wide);
  const std::string path = folder.path().string();
  CHECK(message_of<BadDataError>([&] { load_image_folder(path); }) ==
        (folder / "a" / "2.png").string() + ": is 8x4, but " + (folder / "a" / "1.png").string() +
            " 4x4; choose a size for all (--image-size N)");
  const ImageForm form{.channels = 0, .height = 4, .width = 4};
  const Tensor cut = load_image_folder(path, {.form = form}).train.images[1];
  CHECK(cut.at<std::uint8_t>({0, 0, 0}) == 0);
  CHECK(cut.at<std::uint8_t>({0, 0, 1}) == 0);  // columns 2..5 of 8
  CHECK(cut.at<std::uint8_t>({0, 0, 2}) == 255);
  ImageForm squashed = form;
  squashed.squash = true;
  const Tensor whole = load_image_folder(path, {.form = squashed}).train.images[1];
  CHECK(whole.at<std::uint8_t>({0, 0, 0}) == 0);
  CHECK(whole.at<std::uint8_t>({0, 0, 3}) == 255);
  CHECK(whole.at<std::uint8_t>({0, 0, 1}) > 0);  // the edge, smoothed by a reduction to half
}

TEST_CASE("a damaged picture is named, or left out and counted") {
  const TemporaryFolder folder;
  fill(folder.path());
  const std::string path = folder.path().string();
  const std::string whole = read_bytes(folder / "dog" / "a.png");
  // Of the header, and of the pixels: found by the first pass, and by the second.
  for (const std::size_t length : {std::size_t{20}, whole.size() - 20}) {
    write_bytes(folder / "dog" / "a.png", whole.substr(0, length));
    CHECK(contains(message_of<BadDataError>([&] { load_image_folder(path); }),
                   (folder / "dog" / "a.png").string()));
    for (const std::int64_t most_bytes : {std::int64_t{1}, std::int64_t{1} << 20}) {
      const DataSplit split = load_image_folder(path, {.skip_bad = true, .most_bytes = most_bytes});
      CHECK(levels_of(split.train) == std::vector<int>{10, 20, 30, 50});
      CHECK(core::equal(split.train.labels, Tensor::from({0, 0, 0, 1})));
    }
  }
  for (const char* name : {"cat/2.png", "cat/10.PNG", "cat/deeper/1.png", "dog/a.png", "dog/b.png"})
    write_bytes(folder / name, "nothing");
  CHECK(contains(message_of<BadDataError>([&] { load_image_folder(path, {.skip_bad = true}); }),
                 ": none of its pictures can be read, the first is "));
}

TEST_CASE("a class of which nothing can be read is refused, in either part and by either pass") {
  const TemporaryFolder folder;
  fill(folder / "train");
  put(folder / "test" / "cat" / "1.png", 1);
  put(folder / "test" / "dog" / "1.png", 1);
  const std::string path = folder.path().string();
  const std::string whole = read_bytes(folder / "train" / "dog" / "a.png");
  const auto refusal = [&] {
    return message_of<BadDataError>([&] { load_image_folder(path, {.skip_bad = true}); });
  };
  write_bytes(folder / "train" / "dog" / "a.png", "nothing");                           // header
  write_bytes(folder / "train" / "dog" / "b.png", whole.substr(0, whole.size() - 20));  // pixels
  CHECK(contains(refusal(), path + "/train/dog: none of its pictures can be read, the first is "));
  put(folder / "train" / "dog" / "c.png", 60);
  CHECK(load_image_folder(path, {.skip_bad = true}).train.size() == 4);
  write_bytes(folder / "test" / "dog" / "1.png", "nothing");
  CHECK(contains(refusal(), path + "/test/dog: none of its pictures can be read, the first is "));
}

TEST_CASE("a link with a picture's name that leads nowhere is a picture that is not there") {
  const TemporaryFolder folder;
  fill(folder.path());
  const std::string path = folder.path().string();
  fs::create_symlink("a.png", folder / "dog" / "linked.png");
  CHECK(load_image_folder(path).train.size() == 6);
  for (const char* target : {"/nowhere/1.png", "x.png"}) {  // the second is the link itself
    fs::remove(folder / "cat" / "x.png");
    fs::create_symlink(target, folder / "cat" / "x.png");
    CHECK(load_image_folder(path, {.skip_bad = true}).train.size() == 6);
    CHECK(contains(message_of([&] { load_image_folder(path); }), path + "/cat/x.png"));
    if (target[0] == '/') CHECK_THROWS_AS(load_image_folder(path), NotFoundError);
  }
  CHECK(find_images(folder / "cat").size() == 4);
  fs::remove(folder / "cat" / "x.png");
  fs::create_symlink("/nowhere", folder / "cow");  // a class, for all that is known
  CHECK(message_of<NotFoundError>([&] { load_image_folder(path, {.skip_bad = true}); }) ==
        path + "/cow: is a link that leads nowhere");
}

TEST_CASE("linked folders are followed, each once, and never upwards") {
  const TemporaryFolder folder;
  const fs::path root = folder / "pictures";
  const fs::path elsewhere = folder / "elsewhere";
  fill(root);
  put(elsewhere / "more" / "1.png", 60);
  put(elsewhere / "more" / "deep" / "2.png", 70);
  put(elsewhere / "linked" / "3.png", 80);
  fs::create_directory_symlink(elsewhere / "more", root / "dog" / "a_link");
  const auto levels = [&] { return levels_of(load_image_folder(root.string()).train); };
  CHECK(levels() == std::vector<int>{10, 20, 30, 40, 60, 70, 50});  // a.png, a_link, b.png
  // Around, twice, up, and out by two links.
  fs::create_directory_symlink(elsewhere / "more", root / "dog" / "again");
  fs::create_directory_symlink(".", root / "dog" / "self");
  fs::create_directory_symlink("..", root / "dog" / "up");
  fs::create_directory_symlink("..", root / "cat" / "deeper" / "up");
  fs::create_directory_symlink(root / "dog", elsewhere / "more" / "back");
  fs::create_directory_symlink(root, elsewhere / "more" / "root");
  fs::create_directory_symlink(folder.path(), elsewhere / "more" / "all");
  fs::create_directory_symlink("deep", elsewhere / "more" / "before");
  CHECK(levels() == std::vector<int>{10, 20, 30, 40, 60, 70, 50});
  fs::create_directory_symlink(elsewhere / "linked", elsewhere / "more" / "next");
  CHECK(levels() == std::vector<int>{10, 20, 30, 40, 60, 70, 80, 50});
  CHECK(find_images(root / "dog").at(2) == (root / "dog" / "a_link" / "deep" / "2.png").string());
}

TEST_CASE("a pipe, a socket or a device with a picture's name is refused without being opened") {
  const TemporaryFolder folder;
  fill(folder.path());
  const std::string path = folder.path().string();
  const std::string pipe = path + "/cat/0.png";
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  const std::string refusal = "image: " + pipe + ": is a pipe, not a file";
  CHECK(message_of<BadDataError>([&] { load_image_folder(path); }) == refusal);
  CHECK(message_of<BadDataError>(
            [&] { read_image_as(pipe, {.channels = 1, .height = 2, .width = 2}); }) == refusal);
  CHECK(load_image_folder(path, {.skip_bad = true}).train.size() == 5);
  fs::remove(pipe);
  fs::create_symlink("/dev/null", pipe);
  CHECK(message_of<BadDataError>([&] { load_image_folder(path); }) ==
        "image: " + pipe + ": is a device, not a file");
}

TEST_CASE("what is no folder of classes says so") {
  const TemporaryFolder folder;
  const std::string path = folder.path().string();
  CHECK(message_of<NotFoundError>([&] { load_image_folder(path + "/nowhere"); }) ==
        path + "/nowhere: no such folder");
  CHECK(contains(message_of<NotFoundError>([&] { load_image_folder(path); }),
                 path + ": no class in it"));
  fs::create_directories(folder / "cat");
  CHECK(message_of<BadDataError>([&] { load_image_folder(path); }) ==
        path + "/cat: a class without a picture (.png, .jpg or .jpeg)");
  CHECK(
      contains(message_of<ValueError>([&] { load_image_folder(path, {.form = {.channels = 2}}); }),
               "got [2,0,0]"));
  CHECK(contains(message_of<ValueError>([&] { load_image_folder(path, {.form = {.height = 5}}); }),
                 "both sizes or none, got [0,5,0]"));
  CHECK(contains(message_of<ValueError>([&] { read_image_as("x.png", {.channels = 3}); }),
                 "takes 1 or 3 channels and a size, got [3,0,0]"));
}

TEST_CASE("how far reading is, is told until all is done") {
  const TemporaryFolder folder;
  fill(folder.path());
  std::int64_t last = 0;
  std::int64_t total = 0;
  load_image_folder(folder.path().string(), {.progress = [&](std::int64_t done, std::int64_t of) {
                      CHECK(done > last);
                      last = done;
                      total = of;
                    }});
  CHECK(last == 10);  // headers, then pixels
  CHECK(total == 10);
}
