// The worker process that reads formats whose libraries may crash, hang or grow: see
// readers/readers.hpp.
#include "readers/readers.hpp"

int main() { return hasten::serve_reader(); }
