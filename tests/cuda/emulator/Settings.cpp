// See Settings.h.
#include "Settings.h"

#include <cstdlib>

namespace halfstep::emulator {

template <typename T>
static void readNumber(const char *name, T &value) {
  if (const char *text = std::getenv(name); text && *text)
    value = static_cast<T>(std::strtoull(text, nullptr, 0));
}

Settings Settings::read() {
  Settings settings;
  if (const char *text = std::getenv("HALFSTEP_EMULATOR_REPORT"))
    settings.report = text;
  readNumber("HALFSTEP_EMULATOR_SEED", settings.seed);
  readNumber("HALFSTEP_EMULATOR_DEVICES", settings.devices);
  readNumber("HALFSTEP_EMULATOR_ARCH", settings.arch);
  readNumber("HALFSTEP_EMULATOR_DRIVER", settings.driver);
  readNumber("HALFSTEP_EMULATOR_MEMORY", settings.memory);
  readNumber("HALFSTEP_EMULATOR_EXIT", settings.exit);
  return settings;
}

} // namespace halfstep::emulator
