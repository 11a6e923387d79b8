#include "gantry/config/files.hpp"

#include <sys/stat.h>
#include <algorithm>
#include <filesystem>
#include <system_error>
#include <vector>

namespace gantry::config {
namespace {

namespace fs = std::filesystem;

void append_number(std::string& out, auto value) {
    out += std::to_string(value);
    out += ' ';
}

// The file behind `path`, through all links.
void append_file(std::string& out, const std::string& path) {
    struct stat found{};
    if (stat(path.c_str(), &found) != 0) {
        out += "none\n";
        return;
    }
    append_number(out, found.st_dev);
    append_number(out, found.st_ino);
    append_number(out, found.st_size);
    append_number(out, found.st_mtim.tv_sec);
    append_number(out, found.st_mtim.tv_nsec);
    append_number(out, found.st_ctim.tv_sec);
    append_number(out, found.st_ctim.tv_nsec);
    out += '\n';
}

void append_link(std::string& out, const fs::path& folder) {
    std::error_code none;
    out += fs::read_symlink(folder / "..data", none).string();
    out += '\n';
}

}  // namespace

std::string state_of(const Files& files) {
    std::string out;
    if (!files.config.empty()) {
        append_link(out, fs::path(files.config).parent_path());
        append_file(out, files.config);
    }
    if (files.secrets.empty()) {
        return out;
    }
    append_link(out, files.secrets);
    std::vector<std::string> names;
    std::error_code problem;
    for (fs::directory_iterator at(files.secrets, problem), end; !problem && at != end;
         at.increment(problem)) {
        if (auto name = at->path().filename().string(); !name.starts_with('.')) {
            names.push_back(std::move(name));
        }
    }
    std::ranges::sort(names);
    for (const std::string& name : names) {
        out += name + ' ';
        append_file(out, (fs::path(files.secrets) / name).string());
    }
    return out;
}

}  // namespace gantry::config
