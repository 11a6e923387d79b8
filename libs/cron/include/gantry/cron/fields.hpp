#pragma once

#include <cstdint>

namespace gantry::cron {

/// The values a cron expression allows: bit n of a mask stands for the value n.
struct Fields {
    std::uint64_t seconds = 1;        ///< 0–59
    std::uint64_t minutes = 0;        ///< 0–59
    std::uint32_t hours = 0;          ///< 0–23
    std::uint32_t days_of_month = 0;  ///< 1–31
    std::uint32_t months = 0;         ///< 1–12
    std::uint32_t days_of_week = 0;   ///< 0–6, Sunday is 0

    // Written with a leading `*`, also with a step (`*/2`): Vixie's notion of unrestricted.
    bool seconds_star = false;
    bool minutes_star = false;
    bool hours_star = false;
    bool days_of_month_star = false;
    bool days_of_week_star = false;

    friend bool operator==(const Fields&, const Fields&) = default;
};

}  // namespace gantry::cron
