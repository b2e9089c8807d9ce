// Written once, so that every file means the same by a number that is none and by an epoch.
#include "json_text.h"

#include <limits>

namespace gradus::app {

std::string dump_json(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

double number_at(const Json& json, const char* key) {
  const Json& value = json.at(key);
  return value.is_null() ? std::numeric_limits<double>::quiet_NaN() : value.get<double>();
}

Json to_json_object(const EpochRecord& epoch) {
  return {{"epoch", epoch.epoch},
          {"lr", epoch.lr},
          {"train_loss", epoch.train_loss},
          {"validation_loss", epoch.validation_loss},
          {"validation_accuracy", epoch.validation_accuracy},
          {"test_loss", epoch.test_loss},
          {"test_accuracy", epoch.test_accuracy},
          {"seconds", epoch.seconds},
          {"images_per_second", epoch.images_per_second}};
}

EpochRecord epoch_from_json(const Json& json) {
  return {.epoch = json.at("epoch").get<std::int64_t>(),
          .lr = number_at(json, "lr"),
          .train_loss = number_at(json, "train_loss"),
          .validation_loss = number_at(json, "validation_loss"),
          .validation_accuracy = number_at(json, "validation_accuracy"),
          .test_loss = number_at(json, "test_loss"),
          .test_accuracy = number_at(json, "test_accuracy"),
          .seconds = number_at(json, "seconds"),
          .images_per_second = number_at(json, "images_per_second")};
}

}  // namespace gradus::app
