// Layout: where the boxes of a graph lie, in rows from top to bottom.
#pragma once

#include <cstddef>
#include <vector>

namespace gradus::detail {

struct LayoutBox {
  double width = 0;
  double x = 0;  ///< of its middle
  std::size_t row = 0;
};

/// An edge goes through a point in each row between its ends, so that it passes between the boxes there.
struct LayoutEdge {
  std::size_t from;
  std::size_t to;
  std::vector<double> through{};  ///< x in rows from+1 .. to-1
};

struct Layout {
  std::vector<LayoutBox> boxes{};
  std::vector<LayoutEdge> edges{};
  double width = 0;
  std::size_t rows = 0;
};

/// Boxes come in an order in which every edge goes forward. A row is the longest path from the first; within
/// a row boxes are ordered by the mean of their neighbours, up and down a few times, and then moved towards it as
/// far as the others let them.
void lay_out(Layout& layout);

}  // namespace gradus::detail
