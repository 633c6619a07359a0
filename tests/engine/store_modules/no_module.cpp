// A library that is no store module, under the name of one.
extern "C" int hasten_something_else() { return 0; }
