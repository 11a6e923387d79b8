#include "gantry/base/backoff.hpp"

#include <algorithm>
#include <random>

namespace gantry {

double random_unit() {
    thread_local std::mt19937_64 generator{std::random_device{}()};
    return std::uniform_real_distribution<double>{0.0, 1.0}(generator);
}

milliseconds Backoff::ceiling(const Limits& limits, int failures) {
    auto value = limits.base;
    for (int i = 0; i < failures && value < limits.cap; ++i) {
        value *= 2;
    }
    return std::min(value, limits.cap);
}

milliseconds Backoff::next() {
    const auto upper = ceiling(limits_, failures_);
    ++failures_;
    const auto drawn = milliseconds{
        static_cast<milliseconds::rep>(random_unit() * static_cast<double>(upper.count()))};
    return std::max(drawn, limits_.floor);
}

}  // namespace gantry
