#include "gantry/orders/hl7_order.hpp"

#include "gantry/hl7/charset.hpp"

#include <algorithm>
#include <charconv>
#include <string>
#include <string_view>

namespace gantry::orders {
namespace {

using hl7::Segment;

/// Reads fields of one segment as text.
class Reader {
public:
    explicit Reader(const hl7::Message& message)
        : delimiters_(message.delimiters()),
          charset_(hl7::charset_of(message.text("MSH-18[1]"), hl7::Charset::utf8)) {}

    /// The first component of the first repetition.
    [[nodiscard]] std::string first(const Segment& segment, unsigned field) const {
        auto raw = segment.field(field);
        raw = raw.substr(0, raw.find(delimiters_.repetition));
        raw = raw.substr(0, raw.find(delimiters_.component));
        raw = raw.substr(0, raw.find(delimiters_.subcomponent));
        return raw == R"("")" ? std::string() : decoded(hl7::unescape(raw, delimiters_));
    }

    /// Text that can be stored; what cannot be decoded becomes '?'.
    [[nodiscard]] std::string decoded(std::string_view bytes) const {
        auto text = hl7::decode(bytes, charset_);
        if (text.undecodable) {
            std::ranges::replace_if(text.text, [](char c) { return c < ' ' || c > '~'; }, '?');
        }
        const auto first = text.text.find_first_not_of(' ');
        if (first == std::string::npos) {
            return {};
        }
        return text.text.substr(first, text.text.find_last_not_of(' ') - first + 1);
    }

private:
    hl7::Delimiters delimiters_;
    hl7::Charset charset_;
};

/// A whole number of at least 1, also written `2.0`; 1 where there is none.
int quantity_of(std::string_view text) {
    int value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    const std::string_view rest(end, static_cast<std::size_t>(text.data() + text.size() - end));
    const bool whole = rest.empty() || (rest.starts_with('.') &&
                                        rest.find_first_not_of('0', 1) == std::string_view::npos);
    return error == std::errc{} && whole && value >= 1 ? value : 1;
}

NewOrder& order_of(std::vector<NewOrder>& orders, const NewOrder& common, std::string number) {
    const auto known = std::ranges::find(orders, number, &NewOrder::number);
    if (known != orders.end()) {
        return *known;
    }
    orders.push_back(common);
    orders.back().number = std::move(number);
    return orders.back();
}

}  // namespace

Result<std::vector<NewOrder>> orders_of(const hl7::Message& message) {
    const Reader reader(message);
    NewOrder common;
    common.source = Source::hl7;
    common.facility = reader.decoded(message.text("MSH-4[1].1"));
    common.patient_ref = reader.decoded(message.text("PID-3[1].1"));

    std::vector<NewOrder> orders;
    std::string number;
    bool is_new = true;
    bool any_group = false;
    for (const auto segment : message.segments()) {
        const auto name = segment.name();
        if (name == "ORC") {
            const auto control = reader.first(segment, 1);
            is_new = control.empty() || control == "NW";
            number = reader.first(segment, 2);
            any_group = true;
            if (is_new && !number.empty()) {
                order_of(orders, common, number);
            }
        } else if (is_new && (name == "OBR" || name == "RXO")) {
            any_group = true;
            // OBR-2 repeats the placer's number for senders that leave ORC-2 out.
            const auto own = number.empty() && name == "OBR" ? reader.first(segment, 2) : number;
            if (own.empty()) {
                return invalid("ORC-2", "must hold the placer's order number");
            }
            auto& order = order_of(orders, common, own);
            if (name == "OBR") {
                order.items.push_back(
                    {reader.first(segment, 4), quantity_of(reader.first(segment, 27))});
            } else {
                order.items.push_back(
                    {reader.first(segment, 1), quantity_of(reader.first(segment, 11))});
            }
        }
    }
    if (!any_group) {
        return invalid("ORC", "is missing: the message holds no order");
    }
    for (const auto& order : orders) {
        TRY(validate(order));
    }
    return orders;
}

}  // namespace gantry::orders
