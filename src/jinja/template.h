#pragma once

#include <span>
#include <string_view>
#include <utility>

#include "base/clock.h"
#include "jinja/ast.h"
#include "jinja/builtin.h"

namespace feilun::jinja {

/// What a template is rendered with. Strings of JSON variables are untrusted, those of text variables
/// trusted.
struct Variables {
  std::vector<std::pair<std::string_view, std::string_view>> json;  ///< name, JSON text
  std::vector<std::pair<std::string_view, std::string_view>>
      text;  ///< name, text written by the model's makers
  std::vector<std::pair<std::string_view, bool>> flags;
  std::vector<std::string_view> nothing;  ///< names that are defined as None
  std::string_view json_object = {};      ///< further variables, the members of a JSON object; they win
  WallTime now = {};
};

/// A compiled template. Immutable; any thread may render.
class Template {
 public:
  /// kInvalidArgument with line and column when the source is not in the subset.
  static Result<Template> compile(std::string_view source);

  /// The text with its origins, or kInvalidArgument with line and column. Work and memory are bounded in
  /// proportion to the variables' size, whatever the template does.
  Result<Text> render(const Variables& variables) const;

 private:
  explicit Template(Block block) : block_(std::move(block)) {}
  Block block_;
};

}  // namespace feilun::jinja
