#pragma once

#include "gantry/base/clock.hpp"
#include "gantry/base/result.hpp"
#include "pgoutput.hpp"

#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace gantry::relay {

/// A slot that was just made; its snapshot can be imported until the connection's next command.
struct CreatedSlot {
    Lsn consistent_point = 0;
    std::string snapshot_name;
};

/// A replication connection to PostgreSQL over raw libpq, which libpqxx does not have. It never
/// blocks while streaming. Not thread-safe. Errors carry the SQLSTATE as their reason.
class Replication {
public:
    /// Connects, within a few seconds.
    static Result<std::unique_ptr<Replication>> connect(const std::string& url,
                                                        const std::string& application_name);
    ~Replication();
    Replication(const Replication&) = delete;
    Replication& operator=(const Replication&) = delete;

    /// The cluster's system identifier.
    Result<std::string> system_identifier();

    /// Asks for a slot. The server answers when transactions that write now have ended.
    Result<void> begin_create_slot(const std::string& slot);
    /// The answer, or nothing yet.
    Result<std::optional<CreatedSlot>> created_slot();

    /// Starts to stream what was committed after `from`.
    Result<void> start(const std::string& slot, Lsn from);

    /// The next message's body, valid until the next call, or nothing when none has arrived.
    Result<std::optional<std::string_view>> next();

    /// Confirms everything up to `flushed`, which lets the server forget it.
    Result<void> send_status(Lsn flushed, Instant now);

    /// For poll(2): readable when `next` may have something.
    [[nodiscard]] int fd() const;
    /// True while bytes wait to be sent; call `flush` when the descriptor is writable.
    [[nodiscard]] bool wants_write() const { return wants_write_; }
    Result<void> flush();

private:
    class Impl;
    explicit Replication(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
    bool wants_write_ = false;
};

}  // namespace gantry::relay
