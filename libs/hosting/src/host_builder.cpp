#include "gantry/hosting/host.hpp"

#include <algorithm>
#include <map>
#include <utility>

namespace gantry::hosting {

HostBuilder::Group& HostBuilder::Group::add(std::string name, ServiceFactory factory,
                                            FaultPolicy policy) {
    builder_.registrations_.push_back({std::move(name), std::move(factory), policy, name_});
    return *this;
}

HostBuilder& HostBuilder::add(std::string name, ServiceFactory factory, FaultPolicy policy) {
    registrations_.push_back({std::move(name), std::move(factory), policy});
    return *this;
}

HostBuilder& HostBuilder::group(std::string name, const std::function<void(Group&)>& fill) {
    groups_.push_back(name);
    Group group(*this, std::move(name));
    fill(group);
    return *this;
}

HostBuilder& HostBuilder::add_outermost(std::string name, ServiceFactory factory,
                                        FaultPolicy policy) {
    const auto inner = std::ranges::find(registrations_, Place::ordered, &Registration::place);
    registrations_.insert(
        inner, {std::move(name), std::move(factory), policy, std::string(), Place::outermost});
    return *this;
}

HostBuilder& HostBuilder::on_starting(std::string name, StartHook hook) {
    starting_hooks_.push_back({std::move(name), std::move(hook)});
    return *this;
}

HostBuilder& HostBuilder::on_started(std::string name, StartHook hook) {
    started_hooks_.push_back({std::move(name), std::move(hook)});
    return *this;
}

std::string HostBuilder::offending_names() const {
    // Services and hooks share the words of logs and causes; groups only each other's.
    std::map<std::string, int> uses;
    std::map<std::string, int> group_uses;
    for (const auto& registration : registrations_) {
        ++uses[registration.name];
    }
    for (const auto* hooks : {&starting_hooks_, &started_hooks_}) {
        for (const auto& hook : *hooks) {
            ++uses[hook.name];
        }
    }
    for (const auto& name : groups_) {
        ++group_uses[name];
    }
    std::string offenders;
    for (const auto* names : {&uses, &group_uses}) {
        for (const auto& [name, count] : *names) {
            if (count > 1 || name.empty()) {
                offenders += (offenders.empty() ? "`" : ", `") + name + "`";
            }
        }
    }
    return offenders;
}

}  // namespace gantry::hosting
