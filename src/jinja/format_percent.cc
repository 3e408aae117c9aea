#include <algorithm>

#include "jinja/arithmetic.h"
#include "jinja/print.h"
#include "jinja/unicode.h"

namespace feilun::jinja {
namespace {

constexpr size_t kFieldWidthMax = 1000;

struct Field {
  std::string flags;
  size_t width = 0;
  int precision = -1;
  char conversion = 's';
};

// Reads what follows a '%' at `at`, which moves past the conversion.
Result<Field> parse_field(std::string_view format, size_t& at) {
  Field field;
  const auto digits = [&](size_t& number) -> Result<void> {
    while (at < format.size() && is_digit(static_cast<unsigned char>(format[at]))) {
      number = number * 10 + static_cast<size_t>(format[at++] - '0');
      if (number > kFieldWidthMax)
        return fail(ErrorCode::kInvalidArgument, "the format asks for too wide a field");
    }
    return {};
  };
  while (at < format.size() && std::string_view("-+ 0#").contains(format[at]))
    field.flags.push_back(format[at++]);
  TRY(digits(field.width));
  if (at < format.size() && format[at] == '.') {
    ++at;
    size_t precision = 0;
    TRY(digits(precision));
    field.precision = static_cast<int>(precision);
  }
  if (at >= format.size()) return fail(ErrorCode::kInvalidArgument, "the format ends inside a field");
  field.conversion = format[at++];
  return field;
}

std::string format_integer(const Field& field, Integer value) {
  const char c = field.conversion;
  const auto magnitude =
      value < 0 ? -static_cast<unsigned __int128>(value) : static_cast<unsigned __int128>(value);
  std::string digits = c == 'x'   ? fmt::format("{:x}", magnitude)
                       : c == 'X' ? fmt::format("{:X}", magnitude)
                       : c == 'o' ? fmt::format("{:o}", magnitude)
                                  : fmt::format("{}", magnitude);
  if (field.precision > static_cast<int>(digits.size())) {
    digits.insert(0, static_cast<size_t>(field.precision) - digits.size(), '0');
  }
  return (value < 0 ? "-" : field.flags.contains('+') ? "+" : field.flags.contains(' ') ? " " : "") + digits;
}

std::string format_float(const Field& field, double value) {
  const int precision = field.precision < 0 ? 6 : std::min(field.precision, 60);
  std::string text;
  switch (field.conversion) {
    case 'e':
      text = fmt::format("{:.{}e}", value, precision);
      break;
    case 'E':
      text = fmt::format("{:.{}E}", value, precision);
      break;
    case 'g':
      text = fmt::format("{:.{}g}", value, precision);
      break;
    case 'G':
      text = fmt::format("{:.{}G}", value, precision);
      break;
    default:
      text = fmt::format("{:.{}f}", value, precision);
      break;
  }
  return value >= 0 && field.flags.contains('+') ? "+" + text : text;
}

Text pad(const Field& field, Text text, bool number) {
  const size_t length = count_code_points(text.bytes());
  if (length >= field.width) return text;
  const size_t missing = field.width - length;
  Text padded;
  if (field.flags.contains('-')) {
    padded = std::move(text);
    padded.append(std::string(missing, ' '), true);
  } else if (number && field.flags.contains('0')) {
    const size_t sign = text.bytes().starts_with('-') || text.bytes().starts_with('+');
    padded.append(text, 0, sign);
    padded.append(std::string(missing, '0'), true);
    padded.append(text, sign, text.size());
  } else {
    padded.append(std::string(missing, ' '), true);
    padded.append(text);
  }
  return padded;
}

Result<Text> convert(Heap& heap, const Field& field, const Value& value) {
  switch (field.conversion) {
    case 's':
    case 'r': {
      Text text;
      TRY(print(heap, value, text));
      if (field.precision < 0) return text;
      return text.slice(0, byte_of_code_point(text.bytes(), static_cast<size_t>(field.precision)));
    }
    case 'd':
    case 'i':
    case 'u':
    case 'x':
    case 'X':
    case 'o':
      if (!value.is_number()) break;
      return Text(format_integer(field, value.is_float()
                                            ? static_cast<Integer>(std::clamp(value.as_float(), -1e30, 1e30))
                                            : value.as_integer()),
                  true);
    case 'e':
    case 'E':
    case 'f':
    case 'F':
    case 'g':
    case 'G':
      if (!value.is_number()) break;
      return Text(format_float(field, value.as_float()), true);
    default:
      return fail(ErrorCode::kInvalidArgument, "unknown conversion '%{}' in the format", field.conversion);
  }
  return fail(ErrorCode::kInvalidArgument, "'%{}' needs a number, not a {}", field.conversion,
              type_name(value));
}

}  // namespace

Result<Value> format_percent(Heap& heap, const Text& format, const Value& arguments) {
  const bool tuple = arguments.is_list() && arguments.as_list().type == List::Type::kTuple;
  const std::vector<Value> values = tuple ? arguments.as_list().items : std::vector<Value>{arguments};
  const std::string_view bytes = format.bytes();
  size_t used = 0;
  Text out;
  for (size_t at = 0; at < bytes.size();) {
    const size_t percent = std::min(bytes.find('%', at), bytes.size());
    out.append(format, at, percent);
    at = percent + 1;
    if (percent == bytes.size()) break;
    const Field field = TRY(parse_field(bytes, at));
    if (field.conversion == '%') {
      out.append(format, percent, percent + 1);
      continue;
    }
    if (used >= values.size()) return fail(ErrorCode::kInvalidArgument, "the format needs more values");
    Text text = TRY(convert(heap, field, values[used++]));
    const Text padded = pad(field, std::move(text), field.conversion != 's' && field.conversion != 'r');
    TRY(heap.spend_memory(padded.size()));
    out.append(padded);
  }
  if (used < values.size() &&
      (tuple || !(arguments.is_dict() || arguments.is_list() || arguments.is_undefined()))) {
    return fail(ErrorCode::kInvalidArgument, "the format uses fewer values than it was given");
  }
  return heap.text(std::move(out));
}

}  // namespace feilun::jinja
