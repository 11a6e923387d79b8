#include "fixture.hpp"

#include <set>
#include <thread>

namespace gantry::orders {
namespace {

TEST_F(OrdersTest, AnOrderIsStoredWithItsEvent) {
    const auto made = create("A-1");
    EXPECT_EQ(made.status, Status::pending);
    EXPECT_EQ(made.source, Source::api);
    const auto stored = read(made.id);
    EXPECT_EQ(stored.patient_ref, "PAT-77");
    EXPECT_EQ(stored.items, (std::vector<Item>{{"CBC", 2}}));
    EXPECT_EQ(events("orders.order_created"), 1);
    EXPECT_EQ(count("gantry.outbox_message WHERE convert_from(payload, 'UTF8') LIKE '%PAT-77%'"), 0)
        << "an event names no patient";
}

TEST_F(OrdersTest, ANumberIsUniqueWithinItsFacility) {
    const auto first = create("A-1");
    const auto second = store.create(order("A-1"), soon());
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, Code::already_exists);
    EXPECT_EQ(second.error().fields.front().description, first.id.to_string());
    auto elsewhere = order("A-1");
    elsewhere.facility = "SOUTH";
    EXPECT_TRUE(store.create(elsewhere, soon()));
    EXPECT_EQ(events("orders.order_created"), 2);
}

TEST_F(OrdersTest, ManyAtOnceMakeOne) {
    std::atomic<int> made{0};
    {
        std::vector<std::jthread> callers;
        for (int i = 0; i < 8; ++i) {
            callers.emplace_back([&] {
                const auto one = store.create(order("A-1"), soon());
                made += one ? 1 : 0;
                EXPECT_TRUE(one || one.error().code == Code::already_exists);
            });
        }
    }
    EXPECT_EQ(made, 1);
    EXPECT_EQ(count("orders.orders"), 1);
    EXPECT_EQ(events("orders.order_created"), 1);
}

TEST_F(OrdersTest, AnInvalidOrderIsNotStored) {
    auto bad = order("A-1");
    bad.items.clear();
    EXPECT_EQ(store.create(bad, soon()).error().code, Code::invalid_argument);
    EXPECT_EQ(count("orders.orders"), 0);
}

TEST_F(OrdersTest, AnUnknownOrderIsNotFound) {
    EXPECT_EQ(store.find(Uuid::v7(), soon()).error().code, Code::not_found);
    EXPECT_EQ(store.process(Uuid::v7(), soon()).error().code, Code::not_found);
    EXPECT_EQ(count("gantry.job"), 0);
}

TEST_F(OrdersTest, PagesShowEachOrderOnceNewestFirst) {
    std::vector<Uuid> made;
    for (int i = 0; i < 7; ++i) {
        made.push_back(create("A-" + std::to_string(i)).id);
    }
    OrderFilter filter;
    filter.page_size = 3;
    std::vector<Uuid> seen;
    do {
        const auto page = store.list(filter, soon()).value();
        EXPECT_LE(page.orders.size(), 3U);
        for (const auto& one : page.orders) {
            seen.push_back(one.id);
        }
        filter.page_token = page.next_page_token;
    } while (!filter.page_token.empty());
    std::ranges::reverse(made);
    EXPECT_EQ(std::set(seen.begin(), seen.end()), std::set(made.begin(), made.end()));
    EXPECT_TRUE(std::ranges::is_sorted(seen, std::greater<>{}));
    EXPECT_EQ(seen.size(), 7U);
}

TEST_F(OrdersTest, FiltersNarrowTheList) {
    const auto one = create("A-1");
    create("A-2");
    OrderFilter filter;
    filter.number = "A-1";
    EXPECT_EQ(store.list(filter, soon())->orders.size(), 1U);
    filter.facility = "SOUTH";
    EXPECT_TRUE(store.list(filter, soon())->orders.empty());
    filter = {};
    filter.status = Status::processed;
    EXPECT_TRUE(store.list(filter, soon())->orders.empty());
    filter.status = Status::pending;
    EXPECT_EQ(store.list(filter, soon())->orders.size(), 2U);
}

TEST_F(OrdersTest, ABadFilterIsNamed) {
    OrderFilter filter;
    filter.page_size = 1'001;
    EXPECT_EQ(store.list(filter, soon()).error().fields.front().field, "page_size");
    filter = {};
    filter.page_token = "nonsense";
    EXPECT_EQ(store.list(filter, soon()).error().fields.front().field, "page_token");
    filter = {};
    filter.number = std::string("a\0b", 3);
    EXPECT_EQ(store.list(filter, soon()).error().fields.front().field, "number");
}

}  // namespace
}  // namespace gantry::orders
