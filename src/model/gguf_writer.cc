#include "model/gguf_writer.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/check.h"
#include "base/ids.h"
#include "compute/quantise.h"
#include "model/gguf.h"

namespace feilun::model {
namespace {

constexpr uint64_t kAlignment = 32;
constexpr size_t kChunkBytes = size_t{4} << 20;

template <typename T>
void put(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

void put_string(std::string& out, std::string_view text) {
  put(out, static_cast<uint64_t>(text.size()));
  out += text;
}

uint64_t aligned(uint64_t size) {
  return (size + kAlignment - 1) / kAlignment * kAlignment;
}

/// A file that disappears again unless it is kept.
class TemporaryFile {
 public:
  explicit TemporaryFile(const std::filesystem::path& target) : target_(target), path_(target) {
    path_ += "." + new_id("part");
    file_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  }
  ~TemporaryFile() {
    if (file_ >= 0) ::close(file_);
    if (!kept_) ::unlink(path_.c_str());
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  Result<> append(const void* data, size_t size) {
    const char* at = static_cast<const char*>(data);
    while (file_ >= 0 && size > 0) {
      const ssize_t written = ::write(file_, at, size);
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return failure();
      at += written;
      size -= static_cast<size_t>(written);
    }
    return file_ >= 0 ? Result<>() : failure();
  }

  Result<> keep() {
    if (::fsync(file_) != 0 || ::rename(path_.c_str(), target_.c_str()) != 0) return failure();
    kept_ = true;
    return {};
  }

 private:
  Result<> failure() const {
    return fail(ErrorCode::kIo, "cannot write {}: {}", target_.string(), std::strerror(errno));
  }
  std::filesystem::path target_;
  std::filesystem::path path_;
  int file_ = -1;
  bool kept_ = false;
};

}  // namespace

void GgufWriter::begin_value(std::string_view key, uint32_t type) {
  put_string(values_, key);
  put(values_, type);
  ++value_count_;
}

void GgufWriter::set_string(std::string_view key, std::string_view value) {
  begin_value(key, static_cast<uint32_t>(GgufType::kString));
  put_string(values_, value);
}

void GgufWriter::set_u32(std::string_view key, uint32_t value) {
  begin_value(key, static_cast<uint32_t>(GgufType::kU32));
  put(values_, value);
}

void GgufWriter::set_f32(std::string_view key, float value) {
  begin_value(key, static_cast<uint32_t>(GgufType::kF32));
  put(values_, value);
}

void GgufWriter::set_bool(std::string_view key, bool value) {
  begin_value(key, static_cast<uint32_t>(GgufType::kBool));
  put(values_, static_cast<uint8_t>(value));
}

void GgufWriter::set_strings(std::string_view key, std::span<const std::string> values) {
  begin_value(key, static_cast<uint32_t>(GgufType::kArray));
  put(values_, static_cast<uint32_t>(GgufType::kString));
  put(values_, static_cast<uint64_t>(values.size()));
  for (const std::string& value : values) put_string(values_, value);
}

void GgufWriter::set_i32s(std::string_view key, std::span<const int32_t> values) {
  begin_value(key, static_cast<uint32_t>(GgufType::kArray));
  put(values_, static_cast<uint32_t>(GgufType::kI32));
  put(values_, static_cast<uint64_t>(values.size()));
  for (const int32_t value : values) put(values_, value);
}

void GgufWriter::set_f32s(std::string_view key, std::span<const float> values) {
  begin_value(key, static_cast<uint32_t>(GgufType::kArray));
  put(values_, static_cast<uint32_t>(GgufType::kF32));
  put(values_, static_cast<uint64_t>(values.size()));
  for (const float value : values) put(values_, value);
}

void GgufWriter::add_tensor(const TensorView& shape, FillRows fill) {
  CHECK(shape.dims[0] % compute::block_layout(shape.type).elements == 0);
  Tensor tensor{shape, std::move(fill), data_bytes_,
                compute::stored_bytes(shape.type, shape.element_count())};
  data_bytes_ = aligned(data_bytes_ + tensor.bytes);
  tensors_.push_back(std::move(tensor));
}

std::string GgufWriter::head() const {
  std::string out = "GGUF";
  put(out, uint32_t{3});
  put(out, static_cast<uint64_t>(tensors_.size()));
  put(out, value_count_);
  out += values_;
  for (const Tensor& tensor : tensors_) {
    put_string(out, tensor.shape.name);
    put(out, static_cast<uint32_t>(tensor.shape.rank));
    for (int i = 0; i < tensor.shape.rank; ++i) put(out, static_cast<uint64_t>(tensor.shape.dims[i]));
    put(out, static_cast<uint32_t>(tensor.shape.type));
    put(out, tensor.offset);
  }
  out.resize(aligned(out.size()), '\0');
  return out;
}

Result<> GgufWriter::write(const std::filesystem::path& path, const WriteProgress& progress) const {
  TemporaryFile file(path);
  const std::string start = head();
  TRY(file.append(start.data(), start.size()));
  std::vector<std::byte> chunk;
  int64_t done = 0;
  for (const Tensor& tensor : tensors_) {
    const size_t row_bytes = compute::stored_bytes(tensor.shape.type, tensor.shape.dims[0]);
    const int64_t rows = tensor.shape.element_count() / tensor.shape.dims[0];
    const int64_t step = std::max<int64_t>(1, static_cast<int64_t>(kChunkBytes / row_bytes));
    for (int64_t first = 0; first < rows; first += step) {
      const int64_t count = std::min(step, rows - first);
      chunk.resize(static_cast<size_t>(count) * row_bytes);
      tensor.fill(first, count, chunk);
      TRY(file.append(chunk.data(), chunk.size()));
      done += static_cast<int64_t>(chunk.size());
      if (progress) progress(done, static_cast<int64_t>(data_bytes_));
    }
    const std::string padding(aligned(tensor.bytes) - tensor.bytes, '\0');
    TRY(file.append(padding.data(), padding.size()));
    done += static_cast<int64_t>(padding.size());
  }
  if (progress) progress(done, static_cast<int64_t>(data_bytes_));
  return file.keep();
}

}  // namespace feilun::model
