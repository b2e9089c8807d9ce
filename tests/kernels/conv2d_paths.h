// The paths that a convolution takes through core/kernels/conv2d/, by name, as the plans there tell.
// A test that draws geometries knows from them what its draws have reached, and what they have not.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <gradus/core/kernels/ceil_div.h>
#include <gradus/core/kernels/conv2d/conv2d.h>
#include <gradus/core/kernels/conv2d/depthwise.h>
#include <gradus/core/kernels/conv2d/filter_lanes.h>
#include <gradus/core/kernels/conv2d/implicit_gemm.h>
#include <gradus/core/kernels/conv2d/output_lanes.h>
#include <gradus/core/kernels/conv2d/partial_sums.h>
#include <gradus/core/kernels/conv2d/plane_correlation.h>
#include <gradus/core/kernels/conv2d/pointwise.h>
#include <gradus/core/kernels/conv2d/tiles.h>
#include <gradus/core/kernels/conv2d/winograd.h>
#include <gradus/core/kernels/matmul/gemm.h>
#include <gradus/core/kernels/matmul/unpacked_gemm.h>
#include <gradus/core/kernels/work.h>

namespace conv2d_paths {

using namespace gradus::kernels;

/// The numbers in a vector of this CPU.
template <class T> std::int64_t lanes() { return filter_lanes<T>().padded_filters(1); }

/// The names of the paths of one geometry.
template <class T> class Paths {
 public:
  explicit Paths(const Conv2dGeometry& g) : g_(g), line_(in_one_line(g)) {
    extents();
    if (!patches_in_proportion(g)) {
      out_of_proportion();
    } else {
      if (depthwise_supports(g)) planes();
      forward();
      input_grad();
      weight_grad();
    }
    if (winograd_supports(g)) winograd();
    if (pointwise_supports(g)) pointwise();
  }

  const std::vector<std::string>& names() const { return names_; }

  /// All that there are on this CPU.
  static std::vector<std::string> all() {
    std::vector<std::string> all{"a height of 1",
                                 "a width of 1",
                                 "more than 100 rows",
                                 "more than 100 columns",
                                 "more than 100 input channels",
                                 "more than 100 output channels",
                                 "more than 40 images",
                                 "a kernel of 11",
                                 "a stride of 5",
                                 "padding wider than the image",
                                 "groups",
                                 "1x1 in one line",
                                 "depthwise, one filter each",
                                 "depthwise, several filters each",
                                 "a stride beyond the image",
                                 "out of proportion: padding",
                                 "out of proportion: dilation",
                                 "forward, borders wider than a tile",
                                 "forward, all groups read together",
                                 "forward, some groups read together",
                                 "forward, fewer groups read together at the end",
                                 "input_grad, phases without taps",
                                 "input_grad, all phases of a stride",
                                 "input_grad, dense",
                                 "input_grad, phases that begin one q later",
                                 "input_grad, a stride and several tiles",
                                 "input_grad, later phases and several tiles",
                                 "weight_grad, 1 part",
                                 "weight_grad, several parts",
                                 "weight_grad, small images together",
                                 "winograd, several images an item",
                                 "winograd, fewer images in the last item",
                                 "winograd, several items an image",
                                 "winograd, whole tiles",
                                 "winograd, a partial tile right",
                                 "winograd, a partial tile at the bottom",
                                 "winograd, groups",
                                 "winograd, several parts",
                                 "pointwise, groups",
                                 "pointwise, several parts"};
    const bool blas = !unpacked_gemm<T>().beats_blas;
    for (const std::string pass : {"forward", "input_grad", "weight_grad"}) {
      all.push_back("pointwise, " + pass + ", several blocks");
      const bool transposed = pass == "weight_grad";  // the second matrix
      if (blas) all.push_back("pointwise, " + pass + ", by blas");
      if (!blas || !transposed) {
        all.push_back("pointwise, " + pass + ", by panels");
        all.push_back("pointwise, " + pass + ", several chunks");
      }
      if (transposed) {
        all.push_back("pointwise, " + pass + ", by rows");
      } else {
        all.push_back("pointwise, " + pass + ", by columns");
      }
    }
    for (const std::string stride : {"planes, stride 1", "planes, stride 2"}) {
      for (const char* path :
           {", whole vectors", ", vectors inside", ", a vector at the left border",
            ", a vector at the right border", ", one block of rows", ", several blocks of rows",
            ", fewer rows in the last block", ", one chunk", ", several chunks",
            ", weight_grad, 1 part", ", weight_grad, several parts",
            ", weight_grad, a chunk that begins within a part"})
        all.push_back(stride + path);
      if (lanes<T>() == 1) continue;
      all.push_back(stride + ", a row shorter than a vector");
      all.push_back(stride + ", a last vector that is moved back");
    }
    for (const char* path : {"planes, input_grad, a single row of phases",
                             "planes, input_grad, a single phase of columns",
                             "planes, input_grad, phases of one tap first",
                             "planes, input_grad, phases of two taps first",
                             "planes, input_grad, all at once", "planes, input_grad, some at once"})
      all.push_back(path);
    for (int channels = 1; channels <= 5; ++channels)
      all.push_back("channels of a group " + std::to_string(channels));
    for (const std::string pass : {"forward", "input_grad", "weight_grad"}) {
      for (const char* path : {", more than two tiles", ", a shorter last tile", ", a patch",
                               ", several chunks", ", one chunk"})
        all.push_back(pass + path);
      // Where a vector is a single number, those of filters are chosen only for strided windows.
      if (pass == "input_grad" && lanes<T>() == 1) continue;
      all.push_back(pass + ", in place");
      if (pass != "weight_grad") {
        all.push_back(pass + ", several images an item");
        all.push_back(pass + ", fewer images in the last item");
      }
      for (std::int64_t filters = 1; filters <= 160; ++filters) {
        if (pass == "weight_grad" && weight_grad_lanes({.out_channels = filters}) != Lanes::filters)
          continue;
        for (const std::string& path : along_filters(filters)) all.push_back(pass + path);
      }
    }
    for (const std::string pass : {"forward", "input_grad"}) {
      all.push_back(pass + ", along outputs, parts without the taps in the padding");
      if (pass == "forward" || lanes<T>() > 1)
        all.push_back(pass + ", along filters, parts without the taps in the padding");
      all.push_back(pass + ", along outputs, row by row");
      if (packs_some_taps()) all.push_back(pass + ", along outputs, packed taps");
      if (lanes<T>() > 1) all.push_back(pass + ", along outputs, in one line");
      for (std::int64_t rest = 0; rest < lanes<T>(); ++rest)
        all.push_back(pass + ", along outputs, modulo lanes " + std::to_string(rest));
      for (int filters = 1; filters <= 9; ++filters)
        all.push_back(pass + ", along outputs, filters " + std::to_string(filters));
      for (int vectors = 0; vectors < 9; ++vectors)
        all.push_back(pass + ", along outputs, vectors modulo 9 " + std::to_string(vectors));
    }
    for (int run = 1; run <= most_neighbours; ++run)
      all.push_back("weight_grad, along filters, runs of " + std::to_string(run));
    for (int filters = 1; filters <= 8; ++filters)
      all.push_back("weight_grad, along outputs, filters " + std::to_string(filters));
    for (int taps = 0; taps < 9; ++taps)
      all.push_back("weight_grad, along outputs, taps modulo 9 " + std::to_string(taps));
    return all;
  }

 private:
  /// Not where vectors are so long that as few taps as fit into L1 are read as fast where they lie.
  static bool packs_some_taps() {
    for (std::int64_t taps = 1; taps <= 1000; ++taps) {
      if (output_lanes<T>().packs(1000, taps)) return true;
    }
    return false;
  }

  void add(bool taken, const std::string& name) {
    if (taken) names_.push_back(name);
  }

  void extents() {
    const auto& g = g_;
    add(g.in_height == 1, "a height of 1");
    add(g.in_width == 1, "a width of 1");
    add(g.in_height > 100, "more than 100 rows");
    add(g.in_width > 100, "more than 100 columns");
    add(g.in_channels > 100, "more than 100 input channels");
    add(g.out_channels > 100, "more than 100 output channels");
    add(g.batch > 40, "more than 40 images");
    add(g.kernel_h == 11 || g.kernel_w == 11, "a kernel of 11");
    add(g.stride_h == 5 || g.stride_w == 5, "a stride of 5");
    number("channels of a group ", std::min<std::int64_t>(5, g.group_in_channels()));
    const bool depthwise = g.groups > 1 && g.group_in_channels() == 1;
    add(line_ != g, "1x1 in one line");
    add(depthwise && g.group_out_channels() == 1, "depthwise, one filter each");
    add(depthwise && g.group_out_channels() > 1, "depthwise, several filters each");
    add(g.groups > 1 && !depthwise, "groups");
    if (!patches_in_proportion(g)) return;
    add(g.padding_h > g.in_height || g.padding_w > g.in_width, "padding wider than the image");
    add(g.stride_h > g.in_height + 2 * g.padding_h || g.stride_w > g.in_width + 2 * g.padding_w,
        "a stride beyond the image");
  }

  void out_of_proportion() {
    add(g_.dilation_h > 1 || g_.dilation_w > 1, "out of proportion: dilation");
    add(g_.dilation_h == 1 && g_.dilation_w == 1, "out of proportion: padding");
  }

  /// Depthwise, by planes.
  void planes() {
    const std::int64_t width = plane_kernels<T>().lanes;
    const std::int64_t columns = g_.out_width();
    const std::string stride = "planes, stride " + std::to_string(g_.stride_w);
    add(columns % width == 0, stride + ", whole vectors");
    add(columns < width, stride + ", a row shorter than a vector");
    add(columns > width && columns % width != 0, stride + ", a last vector that is moved back");
    bool inside = false;
    bool left = false;
    bool right = false;
    for (std::int64_t from = 0; from < columns; from += width) {
      const std::int64_t first =
          std::max<std::int64_t>(0, std::min(from, columns - width)) * g_.stride_w - g_.padding_w;
      const std::int64_t last = first + g_.kernel_w - 1 + width * g_.stride_w;
      left = left || first < 0;
      right = right || last > g_.in_width;
      inside = inside || (first >= 0 && last <= g_.in_width);
    }
    add(inside, stride + ", vectors inside");
    add(left, stride + ", a vector at the left border");
    add(right, stride + ", a vector at the right border");
    constexpr std::int64_t block = 8;  // rows of outputs
    add(g_.out_height() <= block, stride + ", one block of rows");
    add(g_.out_height() > block, stride + ", several blocks of rows");
    add(g_.out_height() > block && g_.out_height() % block != 0,
        stride + ", fewer rows in the last block");
    const std::int64_t chunk = items_per_chunk(depthwise_work(g_));
    add(g_.batch * g_.groups <= chunk, stride + ", one chunk");
    add(g_.batch * g_.groups > chunk, stride + ", several chunks");
    const PartialSums split = plan_partial_sums(g_, g_.batch, sizeof(T));
    add(split.parts == 1, stride + ", weight_grad, 1 part");
    add(split.parts > 1, stride + ", weight_grad, several parts");
    const std::int64_t sums = items_per_chunk(depthwise_work(g_) * split.items_per_part);
    add(split.parts * g_.groups > sums && sums % g_.groups != 0,
        stride + ", weight_grad, a chunk that begins within a part");
    if (g_.stride_h == 1) return;
    const std::string pass = "planes, input_grad, ";
    add(g_.in_height == 1, pass + "a single row of phases");
    add(g_.in_width == 1, pass + "a single phase of columns");
    add(g_.padding_h % 2 == 0, pass + "phases of two taps first");
    add(g_.padding_h % 2 == 1, pass + "phases of one tap first");
    const std::int64_t together = depthwise_planes_together<T>(g_);
    add(together >= std::min(chunk, g_.batch * g_.groups), pass + "all at once");
    add(together < std::min(chunk, g_.batch * g_.groups), pass + "some at once");
  }

  void forward() {
    const ForwardTiles<T> tiles(line_, ForwardTiles<T>::best_lanes(line_));
    const std::string pass = "forward";
    cut(pass, tiles.count(), tiles.rows(tiles.count() - 1) < tiles.rows(0), tiles.in_place());
    items(pass, tiles.count(), tiles.images(), tiles.work());
    product(pass, tiles.product());
    add(tiles.count() > 1 &&
            (tiles.rows(0) - 1) * line_.stride_h + line_.dilation_h * (line_.kernel_h - 1) <
                line_.padding_h,
        pass + ", borders wider than a tile");
    const std::int64_t together = tiles.groups_together();
    if (together == 1) return;
    add(together == line_.groups, pass + ", all groups read together");
    add(together < line_.groups, pass + ", some groups read together");
    add(line_.groups % together != 0, pass + ", fewer groups read together at the end");
  }

  void input_grad() {
    const InputTiles<T> tiles(line_);
    const std::string pass = "input_grad";
    const bool strided = line_.stride_h > 1 || line_.stride_w > 1;
    bool shorter = false;
    bool later = false;
    bool later_row = false;
    for (const auto& phase : tiles.phases()) {
      product(pass, phase.product);
      shorter = shorter || phase.product.size().last_rows < phase.product.size().rows;
      later_row = later_row || phase.first_q > line_.padding_h / line_.stride_h;
      later = later || later_row || phase.left_q > line_.padding_w / line_.stride_w;
    }
    cut(pass, tiles.count(), tiles.count() > 1 && shorter, tiles.patch_size() == 0);
    if (!tiles.phases().empty()) items(pass, tiles.count(), tiles.images(), tiles.work());
    add(!strided, pass + ", dense");
    add(strided && tiles.leaves_gaps(), pass + ", phases without taps");
    add(strided && !tiles.leaves_gaps(), pass + ", all phases of a stride");
    add(strided && tiles.count() > 1, pass + ", a stride and several tiles");
    add(later, pass + ", phases that begin one q later");
    add(later_row && tiles.count() > 1, pass + ", later phases and several tiles");
  }

  void weight_grad() {
    const Lanes way = weight_grad_lanes(line_);
    const ForwardTiles<T> tiles(line_, way, Conv2dPass::weight_grad);
    const std::string pass = "weight_grad";
    cut(pass, tiles.count(), tiles.rows(tiles.count() - 1) < tiles.rows(0), tiles.in_place());
    const PartialSums split = plan_partial_sums(line_, line_.batch * tiles.count(), sizeof(T));
    add(split.parts == 1, pass + ", 1 part");
    add(split.parts > 1, pass + ", several parts");
    chunks(pass, split.parts * line_.groups, tiles.work() * split.items_per_part);
    add(tiles.count() == 1 && line_.batch > 3 && line_.out_plane() < 64,
        pass + ", small images together");
    if (way == Lanes::filters) {
      for (const std::string& path : along_filters(line_.group_out_channels()))
        add(true, pass + path);
      add(true, pass + ", along filters, runs of " +
                    std::to_string(line_.dilation_w == 1 ? run_of(line_.kernel_w) : 1));
    } else {
      number(pass + ", along outputs, filters ",
             std::min<std::int64_t>(8, line_.group_out_channels()));
      number(pass + ", along outputs, taps modulo 9 ", line_.taps() % 9);
    }
  }

  void cut(const std::string& pass, std::int64_t tiles, bool shorter, bool in_place) {
    add(tiles > 2, pass + ", more than two tiles");
    add(shorter, pass + ", a shorter last tile");
    add(in_place, pass + ", in place");
    add(!in_place, pass + ", a patch");
  }

  void items(const std::string& pass, std::int64_t tiles, std::int64_t images, std::int64_t work) {
    add(images > 1, pass + ", several images an item");
    add(g_.batch % images != 0, pass + ", fewer images in the last item");
    chunks(pass, ceil_div(g_.batch, images) * g_.groups * tiles, work);
  }

  void chunks(const std::string& pass, std::int64_t items, std::int64_t work) {
    const bool several = items > items_per_chunk(work);
    add(several, pass + ", several chunks");
    add(!several, pass + ", one chunk");
  }

  void product(const std::string& pass, const TapProduct<T>& product) {
    const TapProductSize& size = product.size();
    if (product.lanes() == Lanes::filters) {
      const auto& parts = product.parts();
      const auto cut_rows = [&](const auto& part) { return part.rows < size.rows; };
      const auto cut_columns = [&](const auto& part) { return part.columns < size.columns; };
      add(std::ranges::any_of(parts, cut_rows) && std::ranges::any_of(parts, cut_columns),
          pass + ", along filters, parts without the taps in the padding");
      for (const std::string& path : along_filters(size.filters)) add(true, pass + path);
      return;
    }
    const std::string way = pass + ", along outputs, ";
    add(product.parts().size() > 1, way + "parts without the taps in the padding");
    const auto vectors =
        output_vectors(output_lanes<T>().lanes, size.rows, size.columns, size.row_step);
    const bool in_line =
        padded_outputs(output_lanes<T>().lanes, size.rows, size.columns, size.row_step) <
        size.rows * padded_outputs(output_lanes<T>().lanes, 1, size.columns, size.row_step);
    add(in_line, way + "in one line");
    add(!in_line, way + "row by row");
    number(way + "modulo lanes ",
           (in_line ? (size.rows - 1) * size.row_step + size.columns : size.columns) % lanes<T>());
    add(std::ranges::any_of(product.parts(),
                            [&](const auto& part) {
                              const auto taps = static_cast<std::int64_t>(part.taps.size());
                              return part.vectors.size() >= 3 &&
                                     output_lanes<T>().packs(size.filters, taps);
                            }),
        way + "packed taps");
    number(way + "filters ", std::min<std::int64_t>(9, size.filters));
    number(way + "vectors modulo 9 ", static_cast<std::int64_t>(vectors.size()) % 9);
  }

  static std::vector<std::string> along_filters(std::int64_t filters) {
    std::vector<std::string> paths{", along filters, modulo lanes " +
                                   std::to_string(filters % lanes<T>())};
    const std::int64_t padded = filter_lanes<T>().padded_filters(filters);
    for (std::int64_t first = 0; first < padded;) {
      const std::int64_t width = filter_lanes<T>().panel_width(padded - first);
      paths.push_back(", along filters, a panel of " + std::to_string(width / lanes<T>()));
      first += width;
    }
    return paths;
  }

  void number(const std::string& name, std::int64_t value) {
    names_.push_back(name + std::to_string(value));
  }

  void winograd() {
    const WinogradItems items = winograd_items<T>(g_);
    add(items.images > 1, "winograd, several images an item");
    add(g_.batch % items.images != 0, "winograd, fewer images in the last item");
    add(items.per_image > 1, "winograd, several items an image");
    add(g_.out_width() % 4 != 0, "winograd, a partial tile right");
    add(g_.out_height() % 4 != 0, "winograd, a partial tile at the bottom");
    add(g_.out_width() % 4 == 0 && g_.out_height() % 4 == 0, "winograd, whole tiles");
    add(g_.groups > 1, "winograd, groups");
    const std::int64_t count = ceil_div(g_.batch, items.images) * items.per_image;
    add(plan_partial_sums(g_, count, sizeof(T)).parts > 1, "winograd, several parts");
  }

  void pointwise() {
    const std::int64_t filters = g_.group_out_channels();
    const std::int64_t channels = g_.group_in_channels();
    const std::int64_t pixels = g_.in_plane();
    add(g_.groups > 1, "pointwise, groups");
    product("forward", {.m = filters, .n = pixels, .k = channels, .ldb = pixels});
    product(
        "input_grad",
        {.m = channels, .n = pixels, .k = filters, .ldb = pixels, .transpose_a = Transpose::yes});
    product(
        "weight_grad",
        {.m = filters, .n = channels, .k = pixels, .ldb = pixels, .transpose_b = Transpose::yes});
    add(plan_partial_sums(g_, g_.batch, sizeof(T)).parts > 1, "pointwise, several parts");
  }

  void product(const std::string& pass, const Gemm<T>& g) {
    const GemmPlan plan = plan_gemm(g);
    const std::string way = plan.way == GemmWay::rows   ? "rows"
                            : plan.way == GemmWay::blas ? "blas"
                            : plan.panels               ? "panels"
                                                        : "columns";
    names_.push_back("pointwise, " + pass + ", by " + way);
    add((plan.by_rows ? g.m : g.n) > plan.block, "pointwise, " + pass + ", several blocks");
    add(plan.way == GemmWay::columns && g.k > plan.depth,
        "pointwise, " + pass + ", several chunks");
  }

  const Conv2dGeometry& g_;
  Conv2dGeometry line_;  // as it is computed
  std::vector<std::string> names_;
};

namespace detail {

inline std::vector<std::string> both(const std::vector<std::string>& floats,
                                     const std::vector<std::string>& doubles) {
  std::vector<std::string> paths;
  for (const std::string& path : floats) paths.push_back("float, " + path);
  for (const std::string& path : doubles) paths.push_back("double, " + path);
  std::ranges::sort(paths);
  paths.erase(std::unique(paths.begin(), paths.end()), paths.end());
  return paths;
}

}  // namespace detail

/// The paths of a geometry in float and in double, each once, sorted.
inline std::vector<std::string> paths_of(const Conv2dGeometry& g) {
  return detail::both(Paths<float>(g).names(), Paths<double>(g).names());
}

/// All that there are on this CPU, sorted.
inline std::vector<std::string> all_paths() {
  return detail::both(Paths<float>::all(), Paths<double>::all());
}

}  // namespace conv2d_paths
