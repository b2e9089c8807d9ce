// One loop, run by the thread, or by wait().
#include <gradus/distributed/detail/exchange.h>

#include <utility>

namespace gradus::detail {

Exchange::Exchange(Communicator& world, bool overlap) : world_(world) {
  if (overlap) thread_ = std::thread([this] { work(); });
}

void Exchange::stop() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void Exchange::add(BucketSum& bucket) {
  {
    const std::lock_guard lock(mutex_);
    added_.push_back(&bucket);
    busy_ = true;
  }
  changed_.notify_all();
}

void Exchange::wait() {
  if (!thread_.joinable()) {
    drive();
    return;
  }
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return !busy_ || failure_; });
  if (failure_) std::rethrow_exception(failure_);
}

void Exchange::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return stopping_ || !added_.empty(); });
    if (stopping_) return;
    lock.unlock();
    std::exception_ptr failure;
    try {
      drive();
    } catch (...) {
      failure = std::current_exception();
    }
    lock.lock();
    failure_ = failure;
    busy_ = !added_.empty();
    changed_.notify_all();
    if (failure) return;
  }
}

/// Returns whether to go on.
bool Exchange::take_added() {
  std::vector<BucketSum*> begun;
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return false;
    begun.swap(added_);
  }
  for (BucketSum* bucket : begun) {
    bucket->begin();
    flying_.push_back(bucket);
  }
  return true;
}

void Exchange::drive() {
  Watchdog::Wait watched(world_.watchdog(), "the gradients");
  Patience patience;
  while (take_added() && !flying_.empty()) {
    const std::size_t before = flying_.size();
    std::erase_if(flying_, [](BucketSum* bucket) { return bucket->advance(); });
    if (flying_.size() < before) {
      watched.restart();
      patience.reset();
    } else {
      watched.missing(flying_.front()->missing());
      patience.pause();
    }
  }
}

}  // namespace gradus::detail
