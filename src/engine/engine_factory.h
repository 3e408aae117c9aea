#pragma once

#include <memory>

#include "engine/backend.h"
#include "engine/engine.h"

namespace feilun::engine {

/// An engine over a backend that is already there. Engine::start ends here; tests bring their own backend.
/// `options.context` 0 means the model's own window; the backend's blocks bound it. The other memory options
/// are the backend's matter and not read.
std::unique_ptr<Engine> make_engine(model::ModelFile file, std::unique_ptr<Backend> backend,
                                    EngineOptions options);

}  // namespace feilun::engine
