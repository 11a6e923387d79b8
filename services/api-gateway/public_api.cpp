#include "public_api.hpp"

#include "gantry/hl7/v1/hl7.pb.h"
#include "gantry/jobs/v1/jobs.pb.h"
#include "gantry/orders/v1/orders.pb.h"
#include "gantry/outbox/v1/outbox.pb.h"
#include "gantry/scheduler/v1/scheduler.pb.h"

#include <google/protobuf/descriptor.h>

#include <utility>

namespace gantry::gateway {

std::vector<PublicService> public_services() {
    // Naming a message of each file also makes the linker keep the file's descriptor.
    const std::pair<const google::protobuf::FileDescriptor*, BackendId> files[] = {
        {jobs::v1::Job::descriptor()->file(), BackendId::queue_worker},
        {orders::v1::Order::descriptor()->file(), BackendId::queue_worker},
        {outbox::v1::OutboxStats::descriptor()->file(), BackendId::outbox_relay},
        {scheduler::v1::Schedule::descriptor()->file(), BackendId::scheduler},
        {hl7::v1::Hl7Message::descriptor()->file(), BackendId::mllp_listener},
    };
    std::vector<PublicService> services;
    for (const auto& [file, backend] : files) {
        for (int i = 0; i < file->service_count(); ++i) {
            services.push_back({file->service(i), backend});
        }
    }
    return services;
}

}  // namespace gantry::gateway
