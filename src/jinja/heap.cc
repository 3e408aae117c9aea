#include "jinja/heap.h"

#include "jinja/scope.h"

namespace feilun::jinja {
namespace {

// What a small object costs besides its payload: the object, its deque slot, its buckets.
constexpr uint64_t kObjectBytes = 96;
constexpr uint64_t kDictEntryBytes = 160;

}  // namespace

Heap::Heap(Limits limits) : left_(limits) {}
Heap::~Heap() = default;

Result<void> Heap::spend_work(uint64_t units) {
  if (units > left_.work) return fail(ErrorCode::kInvalidArgument, "the template does too much work");
  left_.work -= units;
  return {};
}

Result<void> Heap::spend_memory(uint64_t bytes) {
  if (bytes > left_.memory_bytes)
    return fail(ErrorCode::kInvalidArgument, "the template uses too much memory");
  left_.memory_bytes -= bytes;
  return {};
}

Result<Value> Heap::text(Text text) {
  TRY(spend_memory(kObjectBytes + text.memory()));
  return Value(&texts_.emplace_back(std::move(text)));
}

Result<Value> Heap::text(std::string_view bytes, bool trusted) {
  TRY(spend_memory(kObjectBytes + bytes.size()));
  return Value(&texts_.emplace_back(bytes, trusted));
}

Result<Value> Heap::list(std::vector<Value> items, List::Type type) {
  TRY(spend_memory(kObjectBytes + items.size() * sizeof(Value)));
  return Value(&lists_.emplace_back(type, std::move(items)));
}

Result<Value> Heap::dict() {
  TRY(spend_memory(kObjectBytes + sizeof(Dict)));
  return Value(&dicts_.emplace_back());
}

Result<void> Heap::set(Dict& dict, const Value& key, const Value& value) {
  DictKey hash = TRY(dict_key(key));
  TRY(spend_memory(kDictEntryBytes + hash.size()));
  dict.set(std::move(hash), key, value);
  return {};
}

Result<Value> Heap::new_namespace() {
  TRY(spend_memory(kObjectBytes + sizeof(Namespace)));
  return Value(&namespaces_.emplace_back());
}

Result<Value> Heap::callable(std::string name, std::function<Result<Value>(const Arguments&)> call) {
  TRY(spend_memory(kObjectBytes + sizeof(Callable)));
  return Value(&callables_.emplace_back(std::move(name), std::move(call)));
}

Result<Loop*> Heap::loop() {
  TRY(spend_memory(kObjectBytes + sizeof(Loop)));
  return &loops_.emplace_back();
}

Result<Scope*> Heap::scope(Scope* parent) {
  TRY(spend_memory(kObjectBytes + sizeof(Scope)));
  return &scopes_.emplace_back(parent);
}

Value Heap::undefined(std::string hint) {
  // A hint is worth a little memory, but not a failure: without budget the value stays without a reason.
  if (!spend_memory(kObjectBytes + hint.size())) return Value();
  return Value::undefined(&hints_.emplace_back(std::move(hint)));
}

}  // namespace feilun::jinja
