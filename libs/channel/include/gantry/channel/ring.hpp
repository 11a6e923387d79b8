#pragma once

// Channel's memory. Not for use elsewhere.

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

namespace gantry::channel::detail {

/// Raw places for items, addressed by positions that only rise. It does not know which places are
/// taken; whoever uses it does. Not thread-safe.
template <class T>
class Ring {
public:
    /// Room for `least` items, rounded up to a power of two.
    explicit Ring(std::size_t least)
        : size_(std::bit_ceil(least)), places_(std::allocator<T>().allocate(size_)) {}
    ~Ring() { std::allocator<T>().deallocate(places_, size_); }
    Ring(const Ring&) = delete;
    Ring& operator=(const Ring&) = delete;

    [[nodiscard]] std::size_t size() const { return size_; }

    void put(std::uint64_t position, T&& item) {
        std::construct_at(places_ + (position & (size_ - 1)), std::move(item));
    }
    [[nodiscard]] T& at(std::uint64_t position) { return places_[position & (size_ - 1)]; }
    T take(std::uint64_t position) {
        T& place = at(position);
        T item(std::move(place));
        std::destroy_at(&place);
        return item;
    }

    /// Moves what is in [begin, end) to a ring of twice the size.
    void grow(std::uint64_t begin, std::uint64_t end) {
        Ring larger(size_ * 2);
        for (std::uint64_t position = begin; position != end; ++position) {
            larger.put(position, take(position));
        }
        std::swap(size_, larger.size_);
        std::swap(places_, larger.places_);
    }

private:
    std::size_t size_;
    T* places_;
};

}  // namespace gantry::channel::detail
