#pragma once

namespace feilun::apps {

/// The whole program: parses the command line, runs what it names, prints an Error as one sentence. Returns
/// the exit status: 0 done, 1 failed, 2 a wrong argument.
int run_command_line(int argc, char** argv);

}  // namespace feilun::apps
