// Layers by the longest path, order by barycentre: K. Sugiyama, S. Tagawa, M. Toda, "Methods for visual
// understanding of hierarchical system structures", 1981.
#include <gradus/report/detail/layout.h>

#include <algorithm>

namespace gradus::detail {
namespace {

constexpr double gap = 28;       // between boxes of a row
constexpr double way = 16;       // of an edge that passes a row
constexpr int order_sweeps = 8;  // down and up
constexpr int position_sweeps = 24;

/// A box, or where an edge passes a row.
struct Spot {
  double width;
  double x = 0;
  std::vector<std::size_t> above{};
  std::vector<std::size_t> below{};
};

class Rows {
 public:
  explicit Rows(Layout& layout) : layout_(layout) {
    for (const LayoutBox& box : layout_.boxes) spots_.push_back({box.width});
    find_rows();
    for (LayoutEdge& edge : layout_.edges) connect(edge);
  }

  void place() {
    for (int sweep = 0; sweep < order_sweeps; ++sweep) sort(sweep % 2 == 0);
    for (std::vector<std::size_t>& row : rows_) {
      double x = 0;
      for (const std::size_t spot : row) {
        spots_[spot].x = x + spots_[spot].width / 2;
        x += spots_[spot].width + gap;
      }
    }
    for (int sweep = 0; sweep < position_sweeps; ++sweep) move(sweep % 2 == 0);
    write_back();
  }

 private:
  void find_rows() {
    for (const LayoutEdge& edge : layout_.edges) {
      std::size_t& row = layout_.boxes[edge.to].row;
      row = std::max(row, layout_.boxes[edge.from].row + 1);
    }
    for (const LayoutBox& box : layout_.boxes) layout_.rows = std::max(layout_.rows, box.row + 1);
    rows_.resize(layout_.rows);
    for (std::size_t i = 0; i < layout_.boxes.size(); ++i) rows_[layout_.boxes[i].row].push_back(i);
  }

  void connect(LayoutEdge& edge) {
    std::size_t last = edge.from;
    const auto link = [&](std::size_t next) {
      spots_[last].below.push_back(next);
      spots_[next].above.push_back(last);
      last = next;
    };
    std::vector<std::size_t> passes;
    for (std::size_t row = layout_.boxes[edge.from].row + 1; row < layout_.boxes[edge.to].row;
         ++row) {
      passes.push_back(spots_.size());
      spots_.push_back({way});
      rows_[row].push_back(passes.back());
      link(passes.back());
    }
    link(edge.to);
    passes_.push_back(std::move(passes));
  }

  const std::vector<std::size_t>& neighbours(std::size_t spot, bool down) const {
    return down ? spots_[spot].above : spots_[spot].below;
  }

  /// By the mean place of the neighbours in the row before; who has none stays where it is.
  void sort(bool down) {
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      std::vector<std::size_t>& row = rows_[down ? i : rows_.size() - 1 - i];
      std::vector<std::pair<double, std::size_t>> keyed;
      for (std::size_t k = 0; k < row.size(); ++k) {
        double sum = 0;
        for (const std::size_t other : neighbours(row[k], down)) sum += order_of(other);
        const auto count = static_cast<double>(neighbours(row[k], down).size());
        keyed.emplace_back(count > 0 ? sum / count : static_cast<double>(k), row[k]);
      }
      const auto by_key = [](const auto& a, const auto& b) { return a.first < b.first; };
      std::stable_sort(keyed.begin(), keyed.end(), by_key);
      for (std::size_t k = 0; k < row.size(); ++k) {
        row[k] = keyed[k].second;
        spots_[row[k]].x = static_cast<double>(k);
      }
    }
  }
  double order_of(std::size_t spot) const { return spots_[spot].x; }

  /// Each towards the mean of its neighbours, then apart again where they overlap.
  void move(bool down) {
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      const std::vector<std::size_t>& row = rows_[down ? i : rows_.size() - 1 - i];
      for (const std::size_t spot : row) {
        const std::vector<std::size_t>& others = neighbours(spot, down);
        if (others.empty()) continue;
        double sum = 0;
        for (const std::size_t other : others) sum += spots_[other].x;
        spots_[spot].x = sum / static_cast<double>(others.size());
      }
      push_apart(row);
    }
  }

  /// From the left, then what that moved too far from the middle of where they wanted to be, all together.
  void push_apart(const std::vector<std::size_t>& row) {
    double wanted = 0;
    double got = 0;
    for (std::size_t k = 0; k < row.size(); ++k) {
      Spot& spot = spots_[row[k]];
      wanted += spot.x;
      if (k > 0) {
        const Spot& left = spots_[row[k - 1]];
        spot.x = std::max(spot.x, left.x + (left.width + spot.width) / 2 + gap);
      }
      got += spot.x;
    }
    const double back = (got - wanted) / static_cast<double>(row.size());
    for (const std::size_t spot : row) spots_[spot].x -= back;
  }

  void write_back() {
    double left = 0;
    double right = 0;
    for (const Spot& spot : spots_) {
      left = std::min(left, spot.x - spot.width / 2);
      right = std::max(right, spot.x + spot.width / 2);
    }
    layout_.width = right - left;
    for (std::size_t i = 0; i < layout_.boxes.size(); ++i) layout_.boxes[i].x = spots_[i].x - left;
    for (std::size_t i = 0; i < layout_.edges.size(); ++i)
      for (const std::size_t spot : passes_[i])
        layout_.edges[i].through.push_back(spots_[spot].x - left);
  }

  Layout& layout_;
  std::vector<Spot> spots_;
  std::vector<std::vector<std::size_t>> rows_;
  std::vector<std::vector<std::size_t>> passes_;  // of each edge
};

}  // namespace

void lay_out(Layout& layout) {
  if (!layout.boxes.empty()) Rows(layout).place();
}

}  // namespace gradus::detail
