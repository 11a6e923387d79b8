#include "verdict.hpp"

#include <cstdlib>

namespace gantry::relay::testing {

void Judge::add(const kafka::Message& message) {
    auto value = message.value.value_or("");
    value.resize(value.find_last_not_of(' ') + 1);
    if (!seen_.insert(value).second) {
        ++verdict_.duplicates;
        return;
    }
    ++verdict_.different;
    const auto colon = value.find(':');
    const auto key = value.substr(0, colon);
    const auto number =
        colon == std::string::npos ? 0 : std::strtol(value.c_str() + colon + 1, nullptr, 10);
    const auto [last, first] = last_.try_emplace(key, number);
    if (!first && number < last->second && verdict_.disorder.empty()) {
        verdict_.disorder = value + " after " + std::to_string(last->second);
    }
    last->second = number;
    if (message.key != key && verdict_.disorder.empty()) {
        verdict_.disorder = "key of " + value;
    }
}

Verdict judge(const std::vector<kafka::Message>& messages) {
    Judge judge;
    for (const auto& message : messages) {
        judge.add(message);
    }
    return judge.verdict();
}

}  // namespace gantry::relay::testing
