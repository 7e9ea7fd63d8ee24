#include "tools/bench/rounds.h"

#include "tools/bench/progress.h"

namespace chatx::tools {

void measure_rounds(
    Result& result, const std::vector<Contestant>& contestants, std::size_t rounds) {
    for (const Contestant& contestant : contestants)
        result.sides.push_back({.name = contestant.name, .missing = contestant.missing});
    Progress progress(result.name, contestants.size() * (rounds + 1));
    for (std::size_t round = 0; round <= rounds; ++round) {
        for (std::size_t i = 0; i < contestants.size(); ++i) {
            if (contestants[i].turn) {
                const std::vector<double> values = contestants[i].turn();
                if (round > 0) result.sides[i].rounds.push_back(values);
            }
            progress.step();
        }
    }
}

}  // namespace chatx::tools
