#pragma once

#include <vector>

#include "model/model_file.h"

/// Some files hold one tensor where others hold several: queries, keys and values; gate and up; all experts
/// of a layer. Rows lie one after the other, so a part of such a tensor is a tensor itself, in the same
/// place.

namespace feilun::model {

/// Replaces fused tensors by their parts, under the names that expected_tensors gives them:
///
///   attn_qkv [hidden, q + 2·kv]           attn_q, attn_k, attn_v; a bias likewise
///   ffn_up [hidden, 2·ffn]                ffn_gate, ffn_up
///   ffn_NAME_exps [in, out, experts]      ffn_NAME.0, ffn_NAME.1 …
///   ffn_gate_up_exps [hidden, 2·ffn, …]   ffn_gate.0, ffn_up.0, ffn_gate.1 …
///
/// A tensor of another shape than that stays as it is, to be refused by check_tensors.
void cut_fused_tensors(const Hyperparameters& shape, std::vector<TensorView>& tensors);

}  // namespace feilun::model
