#pragma once

#include "gantry/base/clock.hpp"
#include "gantry/base/result.hpp"
#include "gantry/base/uuid.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// The reference domain: orders that arrive by HTTP or HL7 and are processed in the background.
namespace gantry::orders {

enum class Status { pending, processing, processed, failed };
std::string_view to_string(Status status);
std::optional<Status> parse_status(std::string_view name);

enum class Source { api, hl7 };
std::string_view to_string(Source source);

/// One thing ordered.
struct Item {
    std::string code;
    int quantity = 1;
    friend bool operator==(const Item&, const Item&) = default;
};

/// One order. `patient_ref` is personal health data: never logged, never in an error's text.
struct Order {
    Uuid id;
    std::string number;
    std::string facility;
    std::string patient_ref;
    std::vector<Item> items;
    Status status = Status::pending;
    Source source = Source::api;
    Instant created_at{};
    std::optional<Instant> synced_at;
    std::optional<Instant> processed_at;
};

/// An order to store.
struct NewOrder {
    std::string number;
    std::string facility;
    std::string patient_ref;
    std::vector<Item> items;
    Source source = Source::api;
    std::optional<Uuid> message_id;  ///< The HL7 message it came from.
};

/// `invalid_argument` with every field that is not allowed, named as in CreateOrderRequest
/// (`items[0].code`). No value is repeated.
Result<void> validate(const NewOrder& order);

/// The items as the JSON array that is stored and sent.
std::string items_json(const std::vector<Item>& items);
std::vector<Item> parse_items(std::string_view json);

/// The order as the JSON object that events carry, without `patientRef`: an event names the order,
/// and who may know the patient asks for it.
std::string event_json(const Order& order);

/// The order as the JSON object that the external system gets, `patientRef` included.
std::string sync_json(const Order& order);

}  // namespace gantry::orders
