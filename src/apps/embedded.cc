#include "apps/embedded.h"

extern "C" {
extern const std::byte feilun_builtin_model_begin[], feilun_builtin_model_end[];
extern const char feilun_page_begin[], feilun_page_end[];
}

namespace feilun::apps {

std::span<const std::byte> builtin_model() {
  return {feilun_builtin_model_begin, feilun_builtin_model_end};
}
std::string_view page_html() {
  return {feilun_page_begin, feilun_page_end};
}

}  // namespace feilun::apps
