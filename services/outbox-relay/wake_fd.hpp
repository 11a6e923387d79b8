#pragma once

namespace gantry::relay {

/// A bell for a thread that waits in poll(2). Any thread may ring; the owner clears.
class WakeFd {
public:
    WakeFd();
    ~WakeFd();
    WakeFd(const WakeFd&) = delete;
    WakeFd& operator=(const WakeFd&) = delete;

    void ring();
    void clear();
    [[nodiscard]] int fd() const { return fd_; }

private:
    int fd_;
};

}  // namespace gantry::relay
