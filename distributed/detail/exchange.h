// Exchange: bucket sums under way between ranks while gradients are still computed.
//
// A message moves on only while somebody asks MPI for it, and backward has other things to do: so a thread of its own
// asks, and adds. It sleeps between two looks, for it shares the processor with backward.
#pragma once

#include <gradus/distributed/communicator.h>
#include <gradus/distributed/detail/bucket_sum.h>

#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace gradus::detail {

class Exchange {
 public:
  /// Without `overlap` nothing begins before wait(), and there is no thread.
  Exchange(Communicator& world, bool overlap);
  /// What is under way is left as it is: a rank has failed then.
  ~Exchange() { stop(); }
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  /// Begins the exchange of a bucket whose numbers are all there.
  void add(BucketSum& bucket);
  /// Until all of them are over. Throws what the exchange threw.
  void wait();
  /// Ends the thread: from then on buckets may go away.
  void stop();

 private:
  void work();
  /// Until `flying` is empty and nothing has been added, or the end.
  void drive();
  bool take_added();

  Communicator& world_;
  std::vector<BucketSum*> flying_;  // of whoever drives

  std::mutex mutex_;  // held for what follows
  std::condition_variable changed_;
  std::vector<BucketSum*> added_{};
  bool busy_ = false;
  bool stopping_ = false;
  std::exception_ptr failure_{};
  std::thread thread_;
};

}  // namespace gradus::detail
