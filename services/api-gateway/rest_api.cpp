#include "rest_api.hpp"

#include "google/api/annotations.pb.h"

#include <google/protobuf/descriptor.h>

#include <utility>

namespace gantry::gateway {
namespace {

namespace pb = google::protobuf;
using google::api::HttpRule;

Result<Route::Binding> binding_of(const HttpRule& rule) {
    Route::Binding binding;
    switch (rule.pattern_case()) {
        case HttpRule::kGet:
            binding = {"GET", rule.get(), {}, {}};
            break;
        case HttpRule::kPut:
            binding = {"PUT", rule.put(), {}, {}};
            break;
        case HttpRule::kPost:
            binding = {"POST", rule.post(), {}, {}};
            break;
        case HttpRule::kDelete:
            binding = {"DELETE", rule.delete_(), {}, {}};
            break;
        case HttpRule::kPatch:
            binding = {"PATCH", rule.patch(), {}, {}};
            break;
        case HttpRule::kCustom:
            binding = {rule.custom().kind(), rule.custom().path(), {}, {}};
            break;
        case HttpRule::PATTERN_NOT_SET:
            return fail(Code::invalid_argument, "the google.api.http option has no pattern");
    }
    if (binding.http_method.empty() || binding.http_method == "HEAD" ||
        binding.http_method == "OPTIONS" || binding.http_method == "*") {
        return fail(Code::invalid_argument,
                    "the verb '" + binding.http_method + "' cannot be bound");
    }
    binding.body = rule.body();
    binding.response_body = rule.response_body();
    return binding;
}

}  // namespace

Result<RestApi> RestApi::create(std::span<const pb::ServiceDescriptor* const> services) {
    RestApi api;
    std::string faults;
    const auto add = [&](const pb::MethodDescriptor& method, const HttpRule& rule) -> Result<void> {
        Route::Binding binding = TRY(binding_of(rule));
        Route route = TRY(Route::create(method, std::move(binding)));
        TRY(api.router_.add(route.http_method(), route.path(), api.routes_.size()));
        api.routes_.push_back(std::move(route));
        return {};
    };
    const auto note = [&](const pb::MethodDescriptor& method, const Result<void>& added) {
        if (!added) {
            faults +=
                (faults.empty() ? "" : "; ") + method.full_name() + ": " + added.error().message;
        }
    };
    for (const pb::ServiceDescriptor* service : services) {
        for (int i = 0; i < service->method_count(); ++i) {
            const pb::MethodDescriptor& method = *service->method(i);
            if (!method.options().HasExtension(google::api::http)) {
                // A stream without a mapping is for gRPC alone; for others it was forgotten.
                if (!method.client_streaming() && !method.server_streaming()) {
                    note(method, fail(Code::invalid_argument, "it has no google.api.http option"));
                }
                continue;
            }
            const HttpRule& rule = method.options().GetExtension(google::api::http);
            note(method, add(method, rule));
            for (const HttpRule& additional : rule.additional_bindings()) {
                if (additional.additional_bindings_size() > 0) {
                    note(method, fail(Code::invalid_argument, "additional bindings may not nest"));
                }
                note(method, add(method, additional));
            }
        }
    }
    if (!faults.empty()) {
        return fail(Code::invalid_argument, "the REST mapping cannot work: " + faults);
    }
    return api;
}

}  // namespace gantry::gateway
