#pragma once

#include "gantry/base/deadline.hpp"
#include "gantry/base/result.hpp"

#include <memory>
#include <string>

namespace gantry::migrate {

/// A new logical replication slot together with the snapshot at which its stream begins: whatever
/// the snapshot does not see comes through the slot.
///
/// The snapshot can be imported while this lives; the slot stays. Not thread-safe.
class NewSlot {
public:
    /// Creates the slot over a replication connection of its own. The server waits for transactions
    /// that are writing at the moment; `deadline_exceeded` if they do not end in time.
    static Result<NewSlot> create(const std::string& database_url, const std::string& slot,
                                  Deadline deadline);
    NewSlot(NewSlot&&) noexcept;
    NewSlot& operator=(NewSlot&&) = delete;
    ~NewSlot();

    /// For `SET TRANSACTION SNAPSHOT`.
    [[nodiscard]] const std::string& snapshot_name() const { return snapshot_name_; }

private:
    class Session;
    NewSlot(std::unique_ptr<Session> session, std::string snapshot_name);

    std::unique_ptr<Session> session_;
    std::string snapshot_name_;
};

}  // namespace gantry::migrate
