#include "gantry/hl7/path.hpp"

namespace gantry::hl7 {

Result<Path> Path::parse(std::string_view text) {
    auto path = read(text);
    if (!path) {
        return fail(Code::invalid_argument,
                    "an HL7 path is SEG[n]-field[repetition].component.subcomponent");
    }
    return *path;
}

}  // namespace gantry::hl7
