// Draws 600 colour pictures in six classes, a folder for each: something to train on that everybody has.
//
//   draw_pictures DIR [PER_CLASS]      then: gradus train --data DIR
//
// Each is a bright shape of random size, place, turn and colour on a dark ground of random colour, with
// noise on both, 32x32 pixels. The same pictures on every machine, but for the last bit of sine and cosine.
// Reaches: 600 files that load as [3,32,32] in six classes.
#include <gradus/gradus.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <string>

using namespace gradus;
namespace fs = std::filesystem;

namespace {

constexpr std::int64_t pixels = 32;

/// Is the point in the shape? Coordinates are turned, and 1 is the shape's radius.
using Inside = bool (*)(double x, double y);

struct Shape2d {
  const char* name;
  Inside inside;
};

constexpr std::array<Shape2d, 6> shapes = {{
    {"circle", [](double x, double y) { return x * x + y * y < 0.8; }},
    {"cross",
     [](double x, double y) {
       return std::min(std::abs(x), std::abs(y)) < 0.25 && std::max(std::abs(x), std::abs(y)) < 1;
     }},
    {"ring",
     [](double x, double y) {
       const double r = x * x + y * y;
       return r > 0.3 && r < 1;
     }},
    {"square", [](double x, double y) { return std::max(std::abs(x), std::abs(y)) < 0.8; }},
    {"stripes",
     [](double x, double y) {
       return std::max(std::abs(x), std::abs(y)) < 1 && std::fmod(x + 1, 0.8) < 0.4;
     }},
    {"triangle", [](double x, double y) { return y > -0.6 && y + 1.7 * std::abs(x) < 1; }},
}};

using Color = std::array<double, 3>;

/// Each channel between two levels.
Color random_color(double low, double high, Generator& g) {
  const auto level = [&] { return low + (high - low) * g.uniform(); };
  return {level(), level(), level()};
}

Tensor draw(Inside inside, Generator& g) {
  const Color ground = random_color(0, 0.4, g);
  const Color color = random_color(0.5, 1, g);
  const double radius = 8 + 5 * g.uniform();
  const double x0 = pixels / 2.0 + 6 * (g.uniform() - 0.5);
  const double y0 = pixels / 2.0 + 6 * (g.uniform() - 0.5);
  const double turn = 0.8 * (g.uniform() - 0.5);  // up to 23 degrees either way
  Tensor image = Tensor::empty({3, pixels, pixels}, uint8);
  auto* out = image.data<std::uint8_t>();
  for (std::int64_t y = 0; y < pixels; ++y) {
    for (std::int64_t x = 0; x < pixels; ++x) {
      const double dx = (static_cast<double>(x) + 0.5 - x0) / radius;
      const double dy = (static_cast<double>(y) + 0.5 - y0) / radius;
      const bool hit = inside(std::cos(turn) * dx + std::sin(turn) * dy,
                              std::cos(turn) * dy - std::sin(turn) * dx);
      for (std::size_t c = 0; c < 3; ++c) {
        const double level = (hit ? color : ground)[c] + 0.06 * g.normal();
        out[static_cast<std::int64_t>(c) * pixels * pixels + y * pixels + x] =
            static_cast<std::uint8_t>(255 * std::clamp(level, 0.0, 1.0));
      }
    }
  }
  return image;
}

int run(const fs::path& folder, int per_class) {
  Generator generator(1);
  for (const Shape2d& shape : shapes) {
    fs::create_directories(folder / shape.name);
    for (int i = 0; i < per_class; ++i) {
      const std::string name = std::to_string(1000 + i) + ".png";
      write_png((folder / shape.name / name).string(), draw(shape.inside, generator));
    }
  }
  const DataSplit all = load_image_folder(folder.string());
  std::printf("%s: %d pictures of %s in %d classes\n", folder.c_str(),
              static_cast<int>(all.train.size()), to_string(all.train.image_shape()).c_str(),
              static_cast<int>(all.train.classes));
  const bool right = all.train.size() == 6 * per_class && all.train.classes == 6 &&
                     all.train.image_shape() == Shape{3, pixels, pixels};
  return right ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc > 1 ? argv[1] : "pictures", argc > 2 ? std::atoi(argv[2]) : 100);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "draw_pictures: %s\n", error.what());
    return 1;
  }
}
