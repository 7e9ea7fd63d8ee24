#include <chatx/adapters.h>

namespace chatx {

std::string_view to_text(AuthAction action) {
    switch (action) {
        case AuthAction::join:
            return "join";
        case AuthAction::subscribe:
            return "subscribe";
        case AuthAction::send:
            break;
    }
    return "send";
}

}  // namespace chatx
