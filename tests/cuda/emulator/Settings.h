// What the emulated machine is like, from the environment.
#ifndef HALFSTEP_EMULATOR_SETTINGS_H
#define HALFSTEP_EMULATOR_SETTINGS_H

#include <cstdint>
#include <string>

namespace halfstep::emulator {

/// Each from HALFSTEP_EMULATOR_ and its name in capitals.
struct Settings {
  std::string report; ///< file that findings and the summary are appended to
  uint64_t seed = 1;  ///< of every order that CUDA leaves open
  int devices = 1;
  int arch = 80;                       ///< sm number of the devices
  int driver = 13000;                  ///< as cuDriverGetVersion says
  uint64_t memory = uint64_t(4) << 30; ///< bytes a device
  int exit = 86;                       ///< exit status of a process with findings; 0 leaves the program's own

  static Settings read();
};

} // namespace halfstep::emulator

#endif // HALFSTEP_EMULATOR_SETTINGS_H
