#pragma once

#include <deque>
#include <string>
#include <vector>

#include "base/result.h"
#include "jinja/value.h"

namespace feilun::jinja {

struct Scope;

/// Owns everything one render creates and frees it at its end, all at once: values may point at each other
/// in circles and nobody counts references. That is affordable because the heap also bounds the render: a
/// budget of work (an evaluated node, or 16 bytes of text read, is one unit) and one of memory (bytes ever
/// allocated). When either is spent the render fails, whatever the template wanted.
class Heap {
 public:
  struct Limits {
    uint64_t work = 10'000'000;
    uint64_t memory_bytes = 24 << 20;
  };
  explicit Heap(Limits limits);
  ~Heap();
  Heap(const Heap&) = delete;
  Heap& operator=(const Heap&) = delete;

  Result<void> spend_work(uint64_t units);
  Result<void> spend_reading(size_t bytes) { return spend_work(bytes / 16); }
  /// To be asked before memory outside the heap grows, too.
  Result<void> spend_memory(uint64_t bytes);

  Result<Value> text(Text text);
  Result<Value> text(std::string_view bytes, bool trusted);
  Result<Value> list(std::vector<Value> items, List::Type type = List::Type::kList);
  Result<Value> dict();
  Result<void> set(Dict& dict, const Value& key, const Value& value);
  Result<Value> new_namespace();
  Result<Value> callable(std::string name, std::function<Result<Value>(const Arguments&)> call);
  Result<Loop*> loop();
  Result<Scope*> scope(Scope* parent);
  /// The undefined value with the reason that an error will give.
  Value undefined(std::string hint);

 private:
  Limits left_;
  std::deque<Text> texts_;
  std::deque<List> lists_;
  std::deque<Dict> dicts_;
  std::deque<Namespace> namespaces_;
  std::deque<Callable> callables_;
  std::deque<Loop> loops_;
  std::deque<Scope> scopes_;
  std::deque<std::string> hints_;
};

}  // namespace feilun::jinja
