#pragma once

#include <memory>
#include <string>
#include <vector>

#include "gateway/deployment.h"
#include "gateway/meter.h"

namespace feilun::gateway {

/// What all parts of one reply say about themselves.
struct ReplyHead {
  std::string id;  ///< "chatcmpl-…", "cmpl-…"
  int64_t created = 0;
  std::string model;
  std::string fingerprint;
  int top_logprobs = -1;  ///< −1: no logprobs
  bool include_usage = false;
  std::string service_tier = "default";  ///< the one really used
};

/// One choice of a reply that is sent whole.
struct ChoiceText {
  std::string text;
  std::vector<engine::GeneratedToken> tokens;
  engine::FinishReason finish = engine::FinishReason::kStop;
};

/// How an endpoint writes generated text: as chunks of a stream, or as one object. Streams are appended as
/// server-sent events. One object serves one request.
class ReplyShape {
 public:
  virtual ~ReplyShape() = default;
  /// What a choice brought in one step; appends nothing when there is nothing to show. `tokens` are those
  /// to explain by logprobs.
  virtual void append_delta(std::string& out, int choice, std::string_view text,
                            const std::vector<engine::GeneratedToken>& tokens) = 0;
  /// The chunk that names the choice's finish_reason; `ending` on the last one, when the money is settled.
  virtual void append_finish(std::string& out, int choice, engine::FinishReason reason,
                             const Ending* ending) = 0;
  /// The chunk with no choices and the usage.
  virtual void append_usage(std::string& out, const Ending& ending) = 0;
  virtual std::string whole(const std::vector<ChoiceText>& choices, const Ending& ending) = 0;
};

/// `deployment` gives tokens their bytes and outlives the shape.
std::unique_ptr<ReplyShape> make_chat_shape(ReplyHead head, const Deployment& deployment);
std::unique_ptr<ReplyShape> make_completion_shape(ReplyHead head, const Deployment& deployment);

}  // namespace feilun::gateway
