#include "pgoutput.hpp"

#include <gtest/gtest.h>

#include <string>

namespace gantry::relay {
namespace {

using namespace std::string_literals;

std::string number(std::uint64_t value, int bytes) {
    std::string text;
    for (int i = bytes - 1; i >= 0; --i) {
        text += static_cast<char>(value >> (8 * i) & 0xff);
    }
    return text;
}

std::string relation(std::uint32_t id, const std::vector<std::string>& columns) {
    auto text = "R"s + number(id, 4) + "gantry\0outbox_message\0d"s + number(columns.size(), 2);
    for (const auto& column : columns) {
        text += "\1"s + column + "\0"s + number(25, 4) + number(0xffffffff, 4);
    }
    return text;
}

std::string text_value(const std::string& text) {
    return "t" + number(text.size(), 4) + text;
}

TEST(Pgoutput, DecodesTheEdgesOfATransaction) {
    PgoutputDecoder decoder;
    const auto begin =
        decoder.decode("B" + number(0x1'0000'00a0, 8) + number(77, 8) + number(9, 4));
    ASSERT_TRUE(begin);
    EXPECT_EQ(std::get<Begin>(*begin).final_lsn, 0x1'0000'00a0U);
    EXPECT_EQ(std::get<Begin>(*begin).commit_time, 77);
    EXPECT_EQ(std::get<Begin>(*begin).xid, 9U);
    const auto commit = decoder.decode("C\0"s + number(0xa0, 8) + number(0xb0, 8) + number(77, 8));
    ASSERT_TRUE(commit);
    EXPECT_EQ(std::get<Commit>(*commit).end_lsn, 0xb0U);
}

TEST(Pgoutput, DecodesInsertsByTheirTablesDescription) {
    PgoutputDecoder decoder;
    ASSERT_TRUE(decoder.decode(relation(5, {"id", "key", "payload"})));
    const auto bytes =
        "I" + number(5, 4) + "N" + number(3, 2) + text_value("42") + "n" + text_value("");
    const auto event = decoder.decode(bytes);
    ASSERT_TRUE(event);
    const auto& insert = std::get<Insert>(*event);
    EXPECT_EQ(insert.relation->name, "outbox_message");
    EXPECT_EQ(insert.relation->find("payload"), 2U);
    EXPECT_EQ(insert.relation->find("absent"), std::nullopt);
    EXPECT_EQ(insert.values[0].text, "42");
    EXPECT_EQ(insert.values[1].kind, Value::Kind::null);
    EXPECT_EQ(insert.values[2].kind, Value::Kind::text);
    EXPECT_EQ(insert.values[2].text, "");
}

TEST(Pgoutput, FollowsATableThatIsDescribedAnew) {
    PgoutputDecoder decoder;
    ASSERT_TRUE(decoder.decode(relation(5, {"id", "key"})));
    ASSERT_TRUE(decoder.decode(relation(5, {"key", "id"})));
    const auto event =
        decoder.decode("I" + number(5, 4) + "N" + number(2, 2) + text_value("k") + text_value("1"));
    ASSERT_TRUE(event);
    EXPECT_EQ(std::get<Insert>(*event).relation->find("id"), 1U);
}

TEST(Pgoutput, TellsTransactionalMessagesFromOthers) {
    PgoutputDecoder decoder;
    for (const int flag : {0, 1}) {
        const auto bytes = "M" + number(static_cast<unsigned>(flag), 1) + number(1, 8) +
                           "gantry\0"s + number(3, 4) + "{\0}"s;
        const auto event = decoder.decode(bytes);
        ASSERT_TRUE(event);
        const auto& message = std::get<LogicalMessage>(*event);
        EXPECT_EQ(message.transactional, flag == 1);
        EXPECT_EQ(message.prefix, "gantry");
        EXPECT_EQ(message.content, "{\0}"s);
    }
}

TEST(Pgoutput, RefusesAnInsertOfAnUnknownTableOrAnotherShape) {
    PgoutputDecoder decoder;
    const auto insert = "I" + number(5, 4) + "N" + number(1, 2) + text_value("1");
    EXPECT_FALSE(decoder.decode(insert));
    ASSERT_TRUE(decoder.decode(relation(5, {"id", "key"})));
    EXPECT_FALSE(decoder.decode(insert));
}

TEST(Pgoutput, NeverReadsPastTheEnd) {
    const std::vector<std::string> whole = {
        "B" + number(1, 8) + number(2, 8) + number(3, 4),
        "C\0"s + number(1, 8) + number(2, 8) + number(3, 8),
        relation(5, {"id", "key"}),
        "I" + number(5, 4) + "N" + number(2, 2) + text_value("1") + text_value("k"),
        "M\1"s + number(1, 8) + "gantry\0"s + number(3, 4) + "abc",
    };
    for (const auto& bytes : whole) {
        for (std::size_t size = 0; size < bytes.size(); ++size) {
            PgoutputDecoder decoder;
            ASSERT_TRUE(decoder.decode(relation(5, {"id", "key"})));
            // A copy of exactly that size, so that a sanitizer sees a read past it.
            const std::string cut(bytes.data(), size);
            EXPECT_FALSE(decoder.decode(cut)) << bytes[0] << " cut to " << size;
        }
    }
    PgoutputDecoder decoder;
    EXPECT_FALSE(
        decoder.decode("M\1"s + number(1, 8) + "gantry\0"s + number(0xffffffff, 4) + "abc"));
    EXPECT_FALSE(decoder.decode("?"));
}

TEST(WalMessages, DecodeDataAndKeepalives) {
    const auto bytes = "w" + number(1, 8) + number(2, 8) + number(3, 8) + "B...";
    const auto data = decode_wal_message(bytes);
    ASSERT_TRUE(data);
    EXPECT_EQ(std::get<WalData>(*data).payload, "B...");
    const auto keepalive = decode_wal_message("k" + number(0xff, 8) + number(3, 8) + "\1");
    ASSERT_TRUE(keepalive);
    EXPECT_EQ(std::get<Keepalive>(*keepalive).wal_end, 0xffU);
    EXPECT_TRUE(std::get<Keepalive>(*keepalive).reply_requested);
    EXPECT_FALSE(decode_wal_message("k" + number(0xff, 8)));
    EXPECT_FALSE(decode_wal_message(""));
}

TEST(WalMessages, ConfirmTheSamePositionThreeTimes) {
    EXPECT_EQ(encode_status(0x0102, 7), "r" + number(0x0102, 8) + number(0x0102, 8) +
                                            number(0x0102, 8) + number(7, 8) + "\0"s);
}

TEST(Lsn, ReadsAndWritesPostgresqlsForm) {
    EXPECT_EQ(parse_lsn("16/B374D848").value(), 0x16B374D848U);
    EXPECT_EQ(format_lsn(0x16B374D848), "16/B374D848");
    for (const auto* text : {"", "16", "/", "16/", "x/1", "1/2/3", "123456789/1"}) {
        EXPECT_FALSE(parse_lsn(text)) << text;
    }
}

}  // namespace
}  // namespace gantry::relay
