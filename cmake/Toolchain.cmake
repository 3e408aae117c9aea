# How every target of feilun is compiled.
set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS ON)  # __int128 is Money's type
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE RelWithDebInfo)
endif()
set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O2 -g1")

set(FEILUN_SANITIZE "" CACHE STRING "Sanitizers for -fsanitize=, for example address,undefined or thread")
option(FEILUN_FUZZ "Build the fuzzers (needs clang)" OFF)

add_compile_options(-Wall -Wextra -Wpedantic -Wshadow -Wno-gnu-statement-expression -Wno-vla-cxx-extension
                    -Wno-missing-field-initializers -Wno-missing-designated-field-initializers
                    -fno-omit-frame-pointer -ffp-contract=off)
add_link_options(-fuse-ld=lld)
if(FEILUN_SANITIZE)
  # Less is optimised where speed is not looked at: half of a test run is compiling.
  set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O1 -g1")
  add_compile_options(-fsanitize=${FEILUN_SANITIZE} -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${FEILUN_SANITIZE})
endif()
if(FEILUN_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()

find_program(CCACHE ccache)
if(CCACHE)
  # A precompiled header carries a time stamp; without these two, ccache never hits a file that uses one.
  add_compile_options("SHELL:-Xclang -fno-pch-timestamp")
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env
      CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_ctime,include_file_mtime
      CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1 ${CCACHE})
endif()
