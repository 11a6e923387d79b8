#pragma once

#include "gantry/base/units.hpp"
#include "gantry/config/binder.hpp"
#include "gantry/config/loader.hpp"
#include "gantry/hl7/charset.hpp"
#include "gantry/hl7/framing.hpp"

#include <chrono>
#include <string>
#include <vector>

namespace gantry::mllp {

/// Settings of the MLLP port, bound under `mllp.`.
struct Options {
    std::string listen = "0.0.0.0:2575";
    std::string framing = "strict";
    ByteSize max_frame_size{std::uint64_t{16} << 20U};
    ByteSize max_buffered_size{std::uint64_t{256} << 20U};
    int max_connections = 4096;
    int max_connections_per_peer = 256;
    int max_in_flight = 64;
    std::chrono::milliseconds idle_timeout{600'000};
    std::chrono::milliseconds read_timeout{30'000};
    std::chrono::milliseconds frame_timeout{120'000};
    std::chrono::milliseconds write_timeout{30'000};

    int queue_capacity = 1024;
    int batch_size = 512;
    ByteSize batch_bytes{std::uint64_t{32} << 20U};
    int committers = 1;
    std::chrono::milliseconds store_wait{10'000};

    std::vector<std::string> accept;
    std::vector<std::string> processing_ids{"P", "T", "D"};
    std::string charset = "ASCII";
    std::vector<std::string> topics{"adt", "bar", "dft", "mdm", "mfn", "oml",
                                    "orm", "oru", "rde", "siu", "vxu"};
    std::vector<std::string> order_messages{"ORM^O01", "OML^O21"};
    std::vector<std::string> facilities;

    std::chrono::milliseconds retention{std::chrono::hours{24 * 30}};
    std::chrono::milliseconds dedup_window{std::chrono::hours{72}};
    std::chrono::milliseconds maintenance_interval{std::chrono::minutes{10}};

    void bind(config::Binder& binder);

    /// Faults between settings.
    [[nodiscard]] std::vector<config::Fault> validate() const;

    [[nodiscard]] hl7::FramingPolicy framing_policy() const {
        return framing == "lenient" ? hl7::FramingPolicy::lenient : hl7::FramingPolicy::strict;
    }
    [[nodiscard]] hl7::Charset default_charset() const {
        return hl7::charset_of(charset, hl7::Charset::ascii);
    }
};

}  // namespace gantry::mllp
