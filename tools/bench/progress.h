#pragma once

#include <cstddef>
#include <string>

namespace chatx::tools {

/// A bar on the terminal, where standard error is one; nothing anywhere else. Gone when it ends.
class Progress {
public:
    /// Of something that takes so many steps.
    Progress(std::string name, std::size_t steps);
    Progress(const Progress&) = delete;
    Progress& operator=(const Progress&) = delete;
    ~Progress();

    /// A further one is done.
    void step();

private:
    void show() const;

    std::string name_;
    std::size_t steps_;
    std::size_t done_ = 0;
    bool terminal_;
};

}  // namespace chatx::tools
