#!/usr/bin/env bash
# Builds llama.cpp for this machine under build/bench/llama.cpp, with the targets named by the arguments
# ("llama" when none is: the library). Its source is the one that PyPI's llama-cpp-python carries whole.
# About 4 minutes of two cores for the library, 6 with llama-server. Afterwards a call costs nothing.
set -euo pipefail
version=0.3.36  # llama.cpp 0.5.0, commit 0c1e57098
here=$(dirname "$(readlink -f "$0")")
target=$here/../../build/bench/llama.cpp
source=$target/llama_cpp_python-$version/vendor/llama.cpp
mkdir -p "$target"
if [ ! -f "$source/CMakeLists.txt" ]; then
  echo "==> fetching llama.cpp (llama-cpp-python $version)" >&2
  python3 -m pip download -q --disable-pip-version-check --no-deps --no-binary llama-cpp-python \
    "llama-cpp-python==$version" -d "$target"
  tar xzf "$target/llama_cpp_python-$version.tar.gz" -C "$target"
fi
if [ ! -f "$target/build/build.ninja" ]; then
  cmake -S "$source" -B "$target/build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DGGML_NATIVE=ON \
    -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF -DLLAMA_BUILD_APP=OFF -DLLAMA_BUILD_UI=OFF \
    -DLLAMA_USE_PREBUILT_UI=OFF -DLLAMA_OPENSSL=OFF -DLLAMA_BUILD_IS_DEV=OFF >/dev/null
fi
echo "==> building llama.cpp" >&2
ninja -C "$target/build" "${@:-llama}" >/dev/null
driver=$target/llama_cpp_bench
if [ "$here/llama_cpp_bench.cc" -nt "$driver" ] || [ "$here/row.h" -nt "$driver" ]; then
  c++ -O3 -march=native -std=c++20 -I"$source/include" -I"$source/ggml/include" -I"$here" \
    "$here/llama_cpp_bench.cc" -o "$driver" -L"$target/build/bin" -lllama -lggml -lggml-base \
    -Wl,-rpath,"$(readlink -f "$target/build/bin")"
fi
