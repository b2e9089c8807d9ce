// What the page of `gradus serve` reads.
#include "json.h"
#include "json_text.h"

namespace gradus::app {

std::string to_live_json(const ShownPage& page, const std::string& folder,
                         const std::string& token) {
  const ImageSpec& image = page.run.image;
  const Json pad = {{"channels", image.channels}, {"height", image.height}, {"width", image.width}};
  return without_markup(dump_json({{"token", token},
                                   {"folder", folder},
                                   {"views_of_step", page.run.position.step},
                                   {"classes", page.run.class_names},
                                   {"pad", page.run.pixels.unit ? pad : Json()}}));
}

std::string to_json(const LiveNews& news) {
  Json steps = Json::array();
  for (const ReportStep& step : news.new_steps)
    steps.push_back({step.step, step.loss, step.learning_rate});
  Json epochs = Json::array();
  for (const EpochRecord& epoch : news.new_epochs) epochs.push_back(to_json_object(epoch));
  return dump_json({{"state", to_string(news.state)},
                    {"step", news.step},
                    {"steps", news.steps},
                    {"epoch", news.epoch},
                    {"epochs", news.epochs},
                    {"lr", news.lr},
                    {"images_per_second", news.images_per_second},
                    {"new_steps", std::move(steps)},
                    {"new_epochs", std::move(epochs)}});
}

std::string to_json(const LiveGuess& guess) {
  Json probabilities = Json::array();
  for (const double probability : guess.probabilities) probabilities.push_back(probability);
  return dump_json({{"step", guess.step}, {"probabilities", std::move(probabilities)}});
}

}  // namespace gradus::app
