#pragma once

#include "gantry/kafka/record.hpp"

#include <cstddef>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace gantry::relay::testing {

/// What an independent consumer saw of records whose payload is `<key>:<number>`, which may be
/// filled up with spaces.
struct Verdict {
    std::size_t different = 0;
    std::size_t duplicates = 0;
    std::string disorder;  ///< The first place where a key's first occurrences go backwards.
};

/// Judges records one by one, keeping no payload.
class Judge {
public:
    void add(const kafka::Message& message);
    [[nodiscard]] const Verdict& verdict() const { return verdict_; }

private:
    Verdict verdict_;
    std::unordered_set<std::string> seen_;
    std::unordered_map<std::string, long> last_;
};

Verdict judge(const std::vector<kafka::Message>& messages);

}  // namespace gantry::relay::testing
