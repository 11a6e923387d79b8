#include "gantry/orders/order.hpp"

#include "gantry/base/encoding.hpp"
#include "gantry/base/time.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <utility>

namespace gantry::orders {
namespace {

constexpr std::array<std::pair<Status, std::string_view>, 4> kStatuses{{
    {Status::pending, "pending"},
    {Status::processing, "processing"},
    {Status::processed, "processed"},
    {Status::failed, "failed"},
}};

constexpr std::size_t kMaxItems = 200;
constexpr std::size_t kMaxCharacters = 100;
constexpr std::size_t kMaxBytes = 255;  // of a column
constexpr int kMaxQuantity = 1'000'000;

std::size_t characters(std::string_view text) {
    return static_cast<std::size_t>(std::ranges::count_if(
        text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

bool is_storable(std::string_view text) {
    return text.find('\0') == std::string_view::npos && is_utf8(text);
}

bool fits(std::string_view text) {
    return text.size() <= kMaxBytes && characters(text) <= kMaxCharacters;
}

using Faults = std::vector<FieldViolation>;

void check_text(Faults& faults, std::string_view text, std::string field, bool required) {
    if (required && text.empty()) {
        faults.push_back({std::move(field), "must be 1 to 100 characters"});
    } else if (!is_storable(text)) {
        faults.push_back({std::move(field), "must be UTF-8 without NUL"});
    } else if (!fits(text)) {
        faults.push_back({std::move(field), required ? "must be 1 to 100 characters"
                                                     : "must be at most 100 characters"});
    }
}

nlohmann::json items_array(const std::vector<Item>& items) {
    auto array = nlohmann::json::array();
    for (const auto& item : items) {
        array.push_back({{"code", item.code}, {"quantity", item.quantity}});
    }
    return array;
}

std::string upper(std::string_view name) {
    std::string text(name);
    std::ranges::transform(text, text.begin(), [](char c) {
        return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    });
    return text;
}

nlohmann::json order_object(const Order& order) {
    nlohmann::json object{
        {"id", order.id.to_string()},
        {"number", order.number},
        {"facility", order.facility},
        {"items", items_array(order.items)},
        {"status", upper(to_string(order.status))},
        {"source", upper(to_string(order.source))},
        {"createdAt", format_rfc3339(order.created_at)},
    };
    if (order.processed_at) {
        object["processedAt"] = format_rfc3339(*order.processed_at);
    }
    return object;
}

std::string dump(const nlohmann::json& json) {
    return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace

std::string_view to_string(Status status) {
    return std::ranges::find(kStatuses, status, &std::pair<Status, std::string_view>::first)
        ->second;
}

std::optional<Status> parse_status(std::string_view name) {
    const auto* found =
        std::ranges::find(kStatuses, name, &std::pair<Status, std::string_view>::second);
    return found == kStatuses.end() ? std::nullopt : std::optional(found->first);
}

std::string_view to_string(Source source) {
    return source == Source::hl7 ? "hl7" : "api";
}

Result<void> validate(const NewOrder& order) {
    Faults faults;
    check_text(faults, order.number, "number", true);
    check_text(faults, order.facility, "facility", true);
    check_text(faults, order.patient_ref, "patient_ref", false);
    if (order.items.empty() || order.items.size() > kMaxItems) {
        faults.push_back({"items", "must be 1 to 200 items"});
    } else {
        for (std::size_t i = 0; i < order.items.size(); ++i) {
            const auto path = "items[" + std::to_string(i) + "]";
            check_text(faults, order.items[i].code, path + ".code", true);
            if (order.items[i].quantity < 1 || order.items[i].quantity > kMaxQuantity) {
                faults.push_back({path + ".quantity", "must be 1 to 1000000"});
            }
        }
    }
    if (faults.empty()) {
        return {};
    }
    std::string message = "the order is not acceptable: ";
    for (const auto& fault : faults) {
        message += (&fault == &faults.front() ? "" : "; ") + fault.field + " " + fault.description;
    }
    return std::unexpected(
        Error{Code::invalid_argument, std::move(message), "INVALID_ORDER", std::move(faults)});
}

std::string items_json(const std::vector<Item>& items) {
    return dump(items_array(items));
}

std::vector<Item> parse_items(std::string_view json) {
    std::vector<Item> items;
    const auto parsed = nlohmann::json::parse(json, nullptr, false);
    if (parsed.is_array()) {
        for (const auto& item : parsed) {
            const auto code = item.is_object() ? item.find("code") : item.end();
            if (code == item.end() || !code->is_string()) {
                continue;
            }
            const auto quantity = item.find("quantity");
            if (quantity == item.end()) {
                items.push_back({code->get<std::string>(), 1});
            } else if (quantity->is_number_integer()) {
                items.push_back({code->get<std::string>(), quantity->get<int>()});
            }
        }
    }
    return items;
}

std::string event_json(const Order& order) {
    return dump(order_object(order));
}

std::string sync_json(const Order& order) {
    auto object = order_object(order);
    object["patientRef"] = order.patient_ref;
    return dump(object);
}

}  // namespace gantry::orders
