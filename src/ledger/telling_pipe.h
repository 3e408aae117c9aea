#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <string>

#include "base/check.h"

namespace feilun::ledger {

/// What a test's other processes tell it, a character each time: it outlives whoever told it.
class TellingPipe {
 public:
  TellingPipe() { CHECK(pipe2(ends_, O_NONBLOCK) == 0); }
  TellingPipe(const TellingPipe&) = delete;
  TellingPipe& operator=(const TellingPipe&) = delete;
  ~TellingPipe() {
    close(ends_[0]);
    close(ends_[1]);
  }
  void tell(char what) { CHECK(write(ends_[1], &what, 1) == 1); }
  /// Since it was asked last.
  std::string told() {
    std::string all;
    char some[64];
    for (ssize_t size; (size = read(ends_[0], some, sizeof some)) > 0;)
      all.append(some, static_cast<size_t>(size));
    return all;
  }

 private:
  int ends_[2] = {};
};

}  // namespace feilun::ledger
