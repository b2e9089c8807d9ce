// What is shown of a training that runs: the page of a report, made from its present weights, and what these take a
// drawing for. It computes with a net of its own, on whatever thread asks.
#pragma once

#include <gradus/layers/sequential.h>

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "data_parts.h"
#include "live.h"
#include "report.h"

namespace gradus::app {

/// What is asked for cannot be had just now: the training ends, or takes its time.
class NotNow : public Error {
 public:
  using Error::Error;
};

/// What a net takes a drawing for.
struct LiveGuess {
  std::int64_t step = 0;                ///< the weights are those after so many steps
  std::vector<double> probabilities{};  ///< of all classes
};

/// The page of a report, and whose it is.
struct ShownPage {
  std::string html{};
  RunRecord run{};  ///< with the position whose weights it shows
};

class LivePage {
 public:
  /// Borrows `live`, which has begun; `data` are those of the training.
  LivePage(Live& live, DataParts data, std::string folder);

  /// At first the run alone, then what show() was given last. Throws NotNow where nothing has begun.
  ShownPage shown();
  void show(ShownPage page);
  /// Shows the net with the weights of now, which may take as long as a test of it. Throws NotNow.
  void refresh();
  /// `pixels` are bytes [C,H,W], 255 the brightest. Throws ValueError for another number of them, and where the net was not trained on
  /// pictures; NotNow.
  LiveGuess guess(std::string_view pixels);
  const std::string& folder() const { return folder_; }

 private:
  ReportSubject net_of(const LiveSnapshot& snapshot) const;

  Live& live_;
  DataParts data_;
  std::string folder_;
  std::mutex page_mutex_;  // guards shown_
  ShownPage shown_;
  std::mutex refresh_mutex_;  // one at a time
  std::mutex guess_mutex_;    // guards what follows
  std::shared_ptr<const LiveSnapshot> guesses_with_;
  Sequential guessing_;
};

}  // namespace gradus::app
