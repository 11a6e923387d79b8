#pragma once

#include "desk.hpp"
#include "reading_session.hpp"

#include <optional>
#include <stop_token>
#include <string>

namespace gantry::relay {

/// Makes the slot where there is none that can be streamed from: at the first start, after a loss,
/// or when the slot is ahead of the checkpoint.
///
/// Nothing is lost: the new slot exports the snapshot at which its stream begins; what that
/// snapshot sees and the last proven checkpoint does not is published from the tables first. What
/// was published after the checkpoint is published again.
class SlotRecovery {
public:
    SlotRecovery(Desk& desk, std::string slot, std::string system_identifier)
        : desk_(desk), slot_(std::move(slot)), system_identifier_(std::move(system_identifier)) {}

    /// The stored checkpoint from which to stream; nothing if `stop` came first.
    Result<std::optional<Checkpoint>> run(const std::optional<Checkpoint>& last,
                                          const std::stop_token& stop);

private:
    Result<void> drop_old(const std::stop_token& stop);
    /// Publishes all that is in the open transaction and not in `from`; false if `stop` came first.
    Result<bool> publish(ReadingSession& reader, std::optional<Snapshot> from,
                         const std::stop_token& stop);
    Result<void> keep_lease();

    Desk& desk_;
    std::string slot_;
    std::string system_identifier_;
    SteadyTime next_keep_{};
};

}  // namespace gantry::relay
