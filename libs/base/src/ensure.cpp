#include "gantry/base/ensure.hpp"

#include <cstdio>
#include <cstdlib>

namespace gantry {

void ensure_failed(std::string_view what, const char* file, int line) {
    std::fprintf(stderr, "gantry: broken invariant: %.*s (%s:%d)\n", static_cast<int>(what.size()),
                 what.data(), file, line);
    std::abort();
}

}  // namespace gantry
