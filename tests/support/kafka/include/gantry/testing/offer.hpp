#pragma once

#include "gantry/kafka/producer.hpp"

namespace gantry::testing {

/// Produces, waiting while the producer is full or a partition's first record is on its way.
inline Result<void> offer(kafka::Producer& producer, const kafka::Record& record,
                          const kafka::Producer::OnDelivery& on_delivery,
                          milliseconds limit = milliseconds{30'000}) {
    const auto deadline = Deadline::after(limit);
    while (true) {
        auto taken = producer.produce(record, on_delivery);
        if (taken || taken.error().code != Code::resource_exhausted) {
            return taken;
        }
        TRY(producer.flush(deadline));
    }
}

}  // namespace gantry::testing
