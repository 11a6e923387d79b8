#include "gantry/config/binder.hpp"

#include "gantry/base/ensure.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <utility>

#include <arpa/inet.h>

namespace gantry::config {
namespace {

constexpr std::string_view kSpace = " \t\r\n";

std::string_view trim(std::string_view text) {
    const auto first = text.find_first_not_of(kSpace);
    if (first == std::string_view::npos) {
        return {};
    }
    return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

template <class Number>
Result<Number> parse_number(std::string_view text, std::string_view what) {
    Number value{};
    const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (problem == std::errc::result_out_of_range) {
        return fail(Code::out_of_range, "must be " + std::string(what) + " that fits its type");
    }
    if (problem != std::errc{} || end != text.data() + text.size()) {
        return fail(Code::invalid_argument, "must be " + std::string(what));
    }
    return value;
}

Result<bool> parse_bool(std::string_view text) {
    if (text == "true" || text == "yes" || text == "on" || text == "1") {
        return true;
    }
    if (text == "false" || text == "no" || text == "off" || text == "0") {
        return false;
    }
    return fail(Code::invalid_argument, "must be true or false");
}

bool is_listen_address(std::string_view text) {
    const auto colon = text.rfind(':');
    if (colon == std::string_view::npos) {
        return false;
    }
    std::string host(text.substr(0, colon));
    const bool bracketed = host.starts_with('[') && host.ends_with(']');
    if (bracketed) {
        host = host.substr(1, host.size() - 2);
    }
    std::array<unsigned char, sizeof(in6_addr)> bytes{};
    return parse_number<std::uint16_t>(text.substr(colon + 1), "a port") &&
           (inet_pton(bracketed ? AF_INET6 : AF_INET, host.c_str(), bytes.data()) == 1 ||
            (!bracketed && host == "localhost"));
}

std::vector<std::string> split_list(std::string_view text) {
    std::vector<std::string> items;
    while (!text.empty()) {
        const auto comma = text.find(',');
        const std::string_view item = trim(text.substr(0, comma));
        if (!item.empty()) {
            items.emplace_back(item);
        }
        text = comma == std::string_view::npos ? std::string_view() : text.substr(comma + 1);
    }
    return items;
}

std::string join_list(const std::vector<std::string>& items) {
    std::string text;
    for (const std::string& item : items) {
        text += text.empty() ? "" : ",";
        text += item;
    }
    return text;
}

std::string show_double(double value) {
    std::array<char, 32> buffer{};
    const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value).ptr;
    return {buffer.data(), end};
}

// Wires a setting to its field through a parser and a writer.
template <class Field, class Parse, class Show>
void wire(Setting& setting, Field& field, Parse parse, Show show) {
    setting.assign = [&field, parse](std::string_view text) -> Result<void> {
        field = TRY(parse(text));
        return {};
    };
    setting.show = [&field, show] { return show(field); };
    setting.default_value = setting.show();
}

bool well_formed(std::string_view key) {
    return !key.empty() && std::ranges::all_of(key, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.';
    });
}

}  // namespace

Setting& Setting::required() {
    is_required = true;
    return *this;
}

Setting& Setting::range(std::int64_t lowest, std::int64_t highest) {
    ENSURE(measure, "only settings with a number have a range");
    least = lowest;
    most = highest;
    return *this;
}

Setting& Setting::one_of(std::initializer_list<std::string_view> values) {
    allowed.assign(values.begin(), values.end());
    return *this;
}

Setting& Setting::secret() {
    is_secret = true;
    return *this;
}

Setting& Setting::reloadable() {
    is_reloadable = true;
    return *this;
}

Setting& Setting::listen_address() {
    return check([](std::string_view text) {
        return is_listen_address(text)
                   ? std::string()
                   : std::string("must be an address and a port such as 0.0.0.0:8081 or [::1]:0");
    });
}

Setting& Setting::check(std::function<std::string(std::string_view)> rule) {
    rules.push_back(std::move(rule));
    return *this;
}

Setting& Binder::emplace(std::string key, std::string_view type, std::string help) {
    ENSURE(well_formed(key), "a setting's key is dotted lower-case words");
    const bool taken =
        std::ranges::any_of(settings_, [&](const auto& other) { return other->key == key; });
    ENSURE(!taken, "a setting is declared once");
    auto setting = std::make_unique<Setting>();
    setting->key = std::move(key);
    setting->type = type;
    setting->help = std::move(help);
    return *settings_.emplace_back(std::move(setting));
}

Setting& Binder::add(std::string key, std::string& field, std::string help) {
    Setting& setting = emplace(std::move(key), "text", std::move(help));
    wire(
        setting, field, [](std::string_view text) { return Result<std::string>(text); },
        [](const std::string& value) { return value; });
    return setting;
}

Setting& Binder::add(std::string key, bool& field, std::string help) {
    Setting& setting = emplace(std::move(key), "boolean", std::move(help));
    wire(setting, field, parse_bool,
         [](bool value) { return std::string(value ? "true" : "false"); });
    return setting;
}

Setting& Binder::add(std::string key, int& field, std::string help) {
    Setting& setting = emplace(std::move(key), "integer", std::move(help));
    wire(
        setting, field,
        [](std::string_view text) { return parse_number<int>(text, "a whole number"); },
        [](int value) { return std::to_string(value); });
    setting.measure = [&field] { return static_cast<double>(field); };
    return setting;
}

Setting& Binder::add(std::string key, std::int64_t& field, std::string help) {
    Setting& setting = emplace(std::move(key), "integer", std::move(help));
    wire(
        setting, field,
        [](std::string_view text) { return parse_number<std::int64_t>(text, "a whole number"); },
        [](std::int64_t value) { return std::to_string(value); });
    setting.measure = [&field] { return static_cast<double>(field); };
    return setting;
}

Setting& Binder::add(std::string key, double& field, std::string help) {
    Setting& setting = emplace(std::move(key), "number", std::move(help));
    wire(
        setting, field,
        [](std::string_view text) { return parse_number<double>(text, "a number"); }, show_double);
    setting.measure = [&field] { return field; };
    return setting;
}

Setting& Binder::add(std::string key, std::chrono::milliseconds& field, std::string help) {
    Setting& setting = emplace(std::move(key), "duration", std::move(help));
    wire(setting, field, parse_duration, format_duration);
    setting.measure = [&field] { return static_cast<double>(field.count()); };
    return setting;
}

Setting& Binder::add(std::string key, ByteSize& field, std::string help) {
    Setting& setting = emplace(std::move(key), "size", std::move(help));
    wire(setting, field, parse_size, format_size);
    setting.measure = [&field] { return static_cast<double>(field.bytes); };
    return setting;
}

Setting& Binder::add(std::string key, std::vector<std::string>& field, std::string help) {
    Setting& setting = emplace(std::move(key), "list", std::move(help));
    wire(
        setting, field,
        [](std::string_view text) { return Result<std::vector<std::string>>(split_list(text)); },
        join_list);
    return setting;
}

}  // namespace gantry::config
