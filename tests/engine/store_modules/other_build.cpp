// A store module as an older Hasten would have left it beside a newer one. The build of a module is the first
// thing in what it gives, whichever build that is.
namespace {
struct {
  const char* build = "0.0.1-of-another-build";
} module;
}  // namespace

extern "C" const void* hasten_store_module() noexcept { return &module; }
