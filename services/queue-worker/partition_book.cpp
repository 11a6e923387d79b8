#include "partition_book.hpp"

#include <utility>

namespace gantry::worker {

const PartitionBook::Page* PartitionBook::page_of(const jobs::Source& source) const {
    const auto found = pages_.find({source.topic, source.partition});
    return found != pages_.end() && found->second.epoch == source.epoch ? &found->second : nullptr;
}

PartitionBook::Page* PartitionBook::page_of(const jobs::Source& source) {
    return const_cast<Page*>(std::as_const(*this).page_of(source));
}

void PartitionBook::open(std::span<const jobs::Source> sources) {
    const std::lock_guard lock(mutex_);
    for (const auto& source : sources) {
        pages_.insert_or_assign({source.topic, source.partition}, Page{source.epoch, false, {}});
    }
}

void PartitionBook::drain(std::span<const jobs::Source> sources) {
    const std::lock_guard lock(mutex_);
    for (const auto& source : sources) {
        if (auto* page = page_of(source)) {
            page->draining = true;
        }
    }
}

void PartitionBook::close(std::span<const jobs::Source> sources) {
    const std::lock_guard lock(mutex_);
    for (const auto& source : sources) {
        if (page_of(source)) {
            pages_.erase({source.topic, source.partition});
        }
    }
}

std::optional<jobs::Source> PartitionBook::source(const kafka::TopicPartition& partition) const {
    const std::lock_guard lock(mutex_);
    const auto found = pages_.find(partition);
    if (found == pages_.end() || found->second.draining) {
        return std::nullopt;
    }
    return jobs::Source{partition.topic, partition.partition, found->second.epoch};
}

bool PartitionBook::active(const jobs::Source& source) const {
    const std::lock_guard lock(mutex_);
    const auto* page = page_of(source);
    return page != nullptr && !page->draining;
}

std::vector<jobs::Source> PartitionBook::sources() const {
    const std::lock_guard lock(mutex_);
    std::vector<jobs::Source> sources;
    for (const auto& [partition, page] : pages_) {
        sources.push_back({partition.topic, partition.partition, page.epoch});
    }
    return sources;
}

void PartitionBook::received(const jobs::Source& source, std::int64_t offset) {
    const std::lock_guard lock(mutex_);
    if (auto* page = page_of(source)) {
        page->tracker.received(offset);
    }
}

void PartitionBook::done(const jobs::Source& source, std::int64_t offset) {
    const std::lock_guard lock(mutex_);
    if (auto* page = page_of(source)) {
        page->tracker.done(offset);
    }
}

std::vector<kafka::TopicPartitionOffset> PartitionBook::take_commits() {
    const std::lock_guard lock(mutex_);
    std::vector<kafka::TopicPartitionOffset> offsets;
    for (auto& [partition, page] : pages_) {
        if (const auto offset = page.tracker.take_commit()) {
            offsets.push_back({partition.topic, partition.partition, *offset});
        }
    }
    return offsets;
}

void PartitionBook::commit_failed(std::span<const kafka::TopicPartitionOffset> offsets) {
    const std::lock_guard lock(mutex_);
    for (const auto& offset : offsets) {
        if (const auto found = pages_.find({offset.topic, offset.partition});
            found != pages_.end()) {
            found->second.tracker.commit_failed();
        }
    }
}

std::size_t PartitionBook::unfinished(std::span<const jobs::Source> sources) const {
    const std::lock_guard lock(mutex_);
    std::size_t count = 0;
    for (const auto& source : sources) {
        if (const auto* page = page_of(source)) {
            count += page->tracker.open();
        }
    }
    return count;
}

}  // namespace gantry::worker
