#include "model/model_file.h"

#include "model/gguf_model.h"
#include "model/hugging_face.h"
#include "model/model_file_parts.h"

namespace feilun::model {

Result<ModelParts> read_model_parts(const std::filesystem::path& path) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) return read_hugging_face_model(path);
  GgufFiles opened = TRY(open_gguf_files(path));
  auto parts = TRY(read_gguf_model(std::move(opened)));
  if (parts.file.name.empty()) parts.file.name = path.stem().string();
  return parts;
}

Result<ModelFile> open_model(const std::filesystem::path& path) {
  const auto open = [&]() -> Result<ModelFile> { return finish_model(TRY(read_model_parts(path))); };
  auto model = open();
  if (!model) model.error().message = fmt::format("{}: {}", path.string(), model.error().message);
  return model;
}

Result<ModelFile> open_model_bytes(std::span<const std::byte> gguf) {
  GgufFiles opened = TRY(read_gguf_bytes(gguf));
  return finish_model(TRY(read_gguf_model(std::move(opened))));
}

}  // namespace feilun::model
